//! The store through its public face: journals are written as a recorder does, then sealed, damaged, repaired and read.

#![expect(clippy::unwrap_used, reason = "the lint's exemption for tests does not reach their fixtures")]

mod clocks;
mod crashing;
mod derived;
mod faults;
mod fixture;
mod folder;
mod hot_path;
mod ledger;
mod rows;
mod sealing;
mod torn;
mod verifying;
mod video;
