//! `cargo xtask bench record | drives` (`replay` is in `replay_bench.rs`): builds a benchmark's program in release, apart from everything else, and becomes it.

use std::process::Command;

use crate::process::{root, run, text};
use crate::{Outcome, cargo, demo, python};

const PROGRAM: &str = "sanqu-bench";
/// The package outside the workspace that measures drive kinematics, and its program.
const DRIVES: (&str, &str) = ("crates/sanqu_robot/bench/Cargo.toml", "sanqu_robot_bench");
/// What it writes.
const DRIVES_PAGE: &str = "docs/benchmarks-drives.md";

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

/// Builds and runs the benchmark of drive kinematics. Without `--no-pinocchio` a Python environment with Pinocchio is made first
/// (some 450 MB, once).
///
/// # Errors
/// When an argument is unknown, the environment cannot be made, or the build or the benchmark fails.
pub(crate) fn drives(args: &[String]) -> Outcome {
    let known = ["--write-docs", "--no-pinocchio"];
    if let Some(unknown) = args.iter().find(|arg| !known.contains(&arg.as_str())) {
        return Err(format!("{unknown:?}: expected {}", known.join(" or ")));
    }
    let has = |name: &str| args.iter().any(|arg| arg == name);
    let programs = cargo::program_folder()?;
    let target = programs.parent().unwrap_or(&programs).join("bench-drives");
    let (manifest, program) = DRIVES;
    let mut build = cargo::cargo(&["build", "--release", "--locked", "--manifest-path", manifest]);
    run(build.env_remove("RUSTC_WORKSPACE_WRAPPER").env("CARGO_TARGET_DIR", &target))?;
    let mut bench = Command::new(target.join("release").join(program));
    if !has("--no-pinocchio") {
        bench.arg("--python").arg(python::pinocchio()?);
    }
    if has("--write-docs") {
        bench.arg("--write-docs").arg(root().join(DRIVES_PAGE));
    }
    eprintln!("+ {}", text(&bench));
    demo::become_program(&mut bench)
}
