//! The one place that starts cargo builds. Features are unified over whatever a command selects, so every command here
//! selects the whole workspace: the heavy trees then compile once for the demo and for the tests.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::process::{root, succeeds, text};

/// A cargo command at the workspace's root. Where clippy is installed it compiles the workspace's own crates, so that an
/// ordinary build lints them and no tree is built twice for linting.
pub(crate) fn cargo(verb: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root()).args(verb);
    // `cargo run` gave us these; build scripts that watch them (ring's) would run again, and all that stands on them.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    if has_clippy() {
        command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    }
    command
}

/// Whether clippy is part of this toolchain.
pub(crate) fn has_clippy() -> bool {
    succeeds(Command::new("clippy-driver").arg("--version"))
}

/// Builds the programs. `--examples` adds one small program and makes cargo count the features of dev-dependencies, as it
/// does for the tests; without it `rand`, `getrandom` and all that stands on them would be compiled twice.
pub(crate) fn build_programs() -> Outcome {
    crate::process::run(&mut cargo(&["build", "--workspace", "--lib", "--bins", "--examples"]))
}

/// Builds and runs one of the workspace's examples.
///
/// # Errors
/// When it cannot be built or fails.
pub(crate) fn run_example(name: &str) -> Outcome {
    build_programs()?;
    crate::process::run(&mut Command::new(program_folder()?.join("examples").join(name)))
}

/// Builds everything that there is; any compiler or clippy warning in the workspace's own crates fails. Cargo repeats the
/// warnings of units that were already built, so nothing hides in a cache.
pub(crate) fn build_all_without_warnings() -> Outcome {
    if !has_clippy() {
        return Err("clippy is missing: rustup component add clippy".into());
    }
    let mut command = cargo(&["build", "--workspace", "--all-targets"]);
    command.env("CARGO_TERM_COLOR", "never").stderr(Stdio::piped());
    eprintln!("+ {}", text(&command));
    let mut child = command.spawn().map_err(|e| format!("cannot start cargo: {e}"))?;
    let mut noisy = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            eprintln!("{line}");
            if is_warning_summary(&line) {
                noisy.push(line);
            }
        }
    }
    let status = child.wait().map_err(|e| format!("cargo build: {e}"))?;
    if !status.success() {
        return Err(format!("cargo build ended with {status}"));
    }
    if noisy.is_empty() { Ok(()) } else { Err(format!("warnings are not allowed:\n  {}", noisy.join("\n  "))) }
}

/// Cargo ends each noisy unit with: warning: `crate` (lib) generated 2 warnings.
fn is_warning_summary(line: &str) -> bool {
    line.starts_with("warning: `") && line.contains(" generated ") && line.contains(" warning")
}

/// Where cargo puts the programs: the folder that this one was started from.
///
/// # Errors
/// When the operating system does not tell.
pub(crate) fn program_folder() -> Result<PathBuf, String> {
    let me = std::env::current_exe().map_err(|e| format!("cannot find the target folder: {e}"))?;
    me.parent().map(PathBuf::from).ok_or_else(|| format!("{} lies in no folder", me.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_noisy_units_are_recognised() {
        for noisy in [
            "warning: `sanqu_model` (lib) generated 1 warning",
            "warning: `xtask` (bin \"xtask\" test) generated 3 warnings (run `cargo fix` to apply 1 suggestion)",
            "warning: `sanqu_model` (lib test) generated 2 warnings (1 duplicate)",
        ] {
            assert!(is_warning_summary(noisy), "{noisy}");
        }
        for quiet in ["warning: unused variable: `x`", "   Compiling sanqu_model v0.1.0", "warning: `foo` is deprecated"] {
            assert!(!is_warning_summary(quiet), "{quiet}");
        }
    }
}
