//! What tests of several crates share. Nothing here is part of a program: other crates name it as a dev-dependency only.
//!
//! [`assert_balanced`] is the invariant of the whole recorder, for the end of every test of faults.

#![expect(clippy::panic, reason = "a test's helper fails the test")]

mod balance;

pub use balance::assert_balanced;
