//! URDF to robot model, forward kinematics, drives (nalgebra, f64, SI).
