//! A display without a screen, for the test that opens a real window.

use std::process::Command;

use crate::Outcome;
use crate::process::{is_root, run, succeeds};

const INSTALL: &str = "apt-get update && apt-get install -y --no-install-recommends xvfb xdotool";

/// Finds Xvfb and xdotool or installs them. Other systems than Linux open windows in another way.
///
/// # Errors
/// When they are not there and cannot be installed; the text holds the command that would do it.
pub(crate) fn ensure() -> Outcome {
    if !cfg!(target_os = "linux") || present() {
        return Ok(());
    }
    if !is_root() || !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(format!("Xvfb and xdotool are not there; as root: {INSTALL}"));
    }
    eprintln!("xtask: no Xvfb or xdotool found, installing them");
    run(Command::new("sh").args(["-c", INSTALL]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    if present() { Ok(()) } else { Err(format!("still no Xvfb or xdotool after: {INSTALL}")) }
}

fn present() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    ["Xvfb", "xdotool"].iter().all(|program| std::env::split_paths(&folders).any(|folder| folder.join(program).is_file()))
}
