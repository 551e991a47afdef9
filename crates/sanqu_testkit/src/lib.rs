//! What tests of several crates share. Nothing here is part of a program: other crates name it as a dev-dependency only.
//!
//! - [`assert_balanced`] is the invariant of the whole recorder, for the end of every test of faults.
//! - [`TestDisk`] writes down what a store does, fails any of it, or hangs.
//! - [`Image`] builds from what was written down what a crash would have left, by a seed.

#![expect(clippy::panic, reason = "a test's helper fails the test")]

mod balance;
mod crash;
mod disk;
mod random;

pub use balance::assert_balanced;
pub use crash::Image;
pub use disk::{EIO, ENOSPC, Fault, Step, TestDisk};
pub use random::Random;
