//! `cargo xtask bench record`: builds the benchmark's program in release, apart from everything else, and becomes it.

use std::process::Command;

use crate::process::{root, run, text};
use crate::{Outcome, cargo, demo};

const PROGRAM: &str = "sanqu-bench";

/// Builds and runs the benchmark with `args`.
///
/// # Errors
/// When the build fails or the program cannot be started; its own exit code is passed through.
pub(crate) fn record(args: &[String]) -> Outcome {
    let programs = cargo::program_folder()?;
    let target = programs.parent().unwrap_or(&programs).join("bench");
    eprintln!("xtask: building {PROGRAM} in release; the first build takes some 10 minutes on two cores");
    let mut build = cargo::cargo(&["build", "--release", "--package", "sanqu_bench", "--bin", PROGRAM]);
    // clippy's compiler switches optimisations off in our own crates (docs/adr/0002). These figures are about them.
    run(build.env_remove("RUSTC_WORKSPACE_WRAPPER").env("CARGO_TARGET_DIR", &target))?;
    let mut bench = Command::new(target.join("release").join(PROGRAM));
    bench.args(["record", "--repo"]).arg(root());
    if !args.iter().any(|arg| arg == "--out" || arg.starts_with("--out=")) {
        bench.arg("--out").arg(target.join("out"));
    }
    bench.args(args);
    eprintln!("+ {}", text(&bench));
    demo::become_program(&mut bench)
}
