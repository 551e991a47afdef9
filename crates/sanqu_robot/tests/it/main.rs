//! Tests of the crate through its public API: shipped robots, outside forward kinematics, refusals, drive tables.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests may fail loudly, and say what they skip")]

mod allocation;
mod assets;
mod check;
mod coverage;
mod drawing;
mod drives;
mod every_kind;
mod fk;
mod health;
mod pictures;
mod ratio;
mod reference;
mod refuse;

use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

/// A shipped robot's folder.
fn robot_folder(robot: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../assets/robots").join(robot)
}

/// A folder of outside test data; `None`, said aloud, when it is not on this machine and not required.
fn shared_folder(test: &str, variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        assert!(std::env::var("SANQU_REQUIRE_SHARED").as_deref() != Ok("1"), "{test}: {variable} is required but names no folder");
        eprintln!("SKIPPED {test}: {variable} is not set");
    }
    folder
}
