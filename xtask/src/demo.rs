//! `cargo xtask demo`: from a bare toolchain to the running demo.

use std::process::Command;

use crate::{Outcome, cargo, vulkan};

/// Builds the programs, sees to a Vulkan driver, and becomes `sanqu demo` with `args`.
///
/// # Errors
/// When the build fails or the program cannot be started; the demo's own exit code is passed through.
pub(crate) fn run(args: &[String]) -> Outcome {
    let folder = cargo::program_folder()?;
    eprintln!("xtask: building the programs; the first build compiles several hundred crates, some 15 minutes on two cores");
    cargo::build_programs()?;
    let mut demo = Command::new(folder.join("sanqu").with_extension(std::env::consts::EXE_EXTENSION));
    demo.arg("demo").args(args);
    if !args.iter().any(|arg| arg == "--no-replay")
        && let Err(reason) = vulkan::ensure()
    {
        eprintln!("xtask: {reason}\nxtask: going on without replay pictures (--no-replay)");
        demo.arg("--no-replay");
    }
    eprintln!("+ {}", crate::process::text(&demo));
    become_program(&mut demo)
}

/// Replaces this process, so that signals and the exit code are the demo's own.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(format!("cannot start {}: {error}", crate::process::text(command)))
}

#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Outcome {
    crate::process::run(command)
}
