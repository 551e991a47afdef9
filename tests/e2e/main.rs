//! End to end, through the real programs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they skip"
)]

mod bad_input;
mod crash;
mod demo;
mod drives;
mod faults;
mod frames;
mod golden;
mod keys;
mod lerobot;
mod live;
mod operator;
mod program;
mod rosbag;
mod sim_faults;
