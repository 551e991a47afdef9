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
    let on_path = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file()));
    match on_path {
        Some(file) => Ok(file),
        None => bail!(
            "the program {program} is neither beside sanqu nor on PATH; build it with `cargo build --bin {program}` or install it with `cargo install --path crates/{}`",
            program.replace('-', "_")
        ),
    }
}

/// Runs a sibling with the given arguments, on our terminal, and passes its exit code on.
///
/// # Errors
/// When it is absent, cannot be started, or was ended by a signal.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Result<Outcome> {
    let path = find(program)?;
    let status = Command::new(&path).args(arguments).status().with_context(|| format!("cannot start {}", path.display()))?;
    match status.code() {
        Some(0) => Ok(Outcome::Ok),
        Some(code) => Ok(Outcome::Child(u8::try_from(code).unwrap_or(1))),
        None => bail!("{program} was ended by a signal ({status})"),
    }
}
