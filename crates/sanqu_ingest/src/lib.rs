//! zenoh sessions, robot-side publisher, recorder-side subscriber with accounting.
