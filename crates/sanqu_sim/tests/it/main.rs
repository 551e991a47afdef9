//! The simulated field from the outside: through its public interface and the shipped descriptions.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "helpers of tests may stop the test; numbers are small and known"
)]

mod bus;
mod faults;
mod fields;
mod robot;
mod support;
mod video;
