//! The programs that stand beside `sanqu`: `sanqu-live` and `sanqu-replay`. They are programs of their own so that
//! recording never links a renderer and a viewer's crash cannot reach a recording.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::outcome::Outcome;

/// Finds a sibling beside this executable, else on `PATH`.
///
/// # Errors
/// When there is none; the message says how to get it.
pub(crate) fn find(program: &str) -> Result<PathBuf> {
    let beside = std::env::current_exe().context("cannot tell where this program lies")?.with_file_name(program);
    if beside.is_file() {
        return Ok(beside);
    }
    match on_path(program) {
        Some(file) => Ok(file),
        None => bail!(
            "the program {program} is neither beside sanqu nor on PATH; build it with `cargo build --bin {program}` or install it with `cargo install --path crates/{}`",
            program.replace('-', "_")
        ),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// How the user can start this program again: by its name where it is on `PATH`, else by its file.
pub(crate) fn own_name() -> String {
    match (on_path("sanqu"), std::env::current_exe()) {
        (None, Ok(file)) => file.display().to_string(),
        _ => "sanqu".to_owned(),
    }
}

/// Graphics libraries complain on stderr, several times, where no desktop session has set this; they only look whether the
/// folder exists.
pub(crate) fn quiet_graphics() -> Option<(&'static str, PathBuf)> {
    std::env::var_os("XDG_RUNTIME_DIR").is_none().then(|| ("XDG_RUNTIME_DIR", std::env::temp_dir()))
}

/// Runs a sibling with the given arguments, on our terminal, and passes its exit code on.
///
/// # Errors
/// When it is absent, cannot be started, or was ended by a signal.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Result<Outcome> {
    let path = find(program)?;
    let mut command = Command::new(&path);
    command.args(arguments).envs(quiet_graphics());
    let status = command.status().with_context(|| format!("cannot start {}", path.display()))?;
    match status.code() {
        Some(0) => Ok(Outcome::Ok),
        Some(code) => Ok(Outcome::Child(u8::try_from(code).unwrap_or(1))),
        None => bail!("{program} was ended by a signal ({status})"),
    }
}
