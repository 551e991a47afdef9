//! The simulated field: robots that move, drives that wind up, cameras that draw.
