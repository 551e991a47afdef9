//! Starting other programs: shown on the terminal, captured, or kept in a log file that is shown on failure.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

/// Lines of a log that are shown when its command failed.
const LOG_TAIL_LINES: usize = 60;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Runs `command` with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Outcome {
    eprintln!("+ {}", text(command));
    let status = command.status().map_err(|e| cannot_start(command, &e))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", text(command))) }
}

/// Standard output of `command`; its errors go to the terminal.
pub(crate) fn capture(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| cannot_start(command, &e))?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", text(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{} printed no UTF-8: {e}", text(command)))
}

/// Whether `command` can be started and ends well; silent.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs `command` with its output appended to `log`; a failure's text ends with the log's last lines.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Outcome {
    let open = || -> std::io::Result<(File, File)> {
        let mut out = OpenOptions::new().create(true).append(true).open(log)?;
        writeln!(out, "+ {}", text(command))?;
        let err = out.try_clone()?;
        Ok((out, err))
    };
    let (out, err) = open().map_err(|e| format!("cannot write {}: {e}", log.display()))?;
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status().map_err(|e| cannot_start(command, &e))?;
    if status.success() {
        return Ok(());
    }
    let whole = std::fs::read_to_string(log).unwrap_or_else(|e| format!("(log unreadable: {e})"));
    let lines: Vec<&str> = whole.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default().join("\n");
    Err(format!("{} ended with {status}\n--- {} ---\n{tail}", text(command), log.display()))
}

/// Whether this process is root, that is, may install system packages.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

/// The command as one line, for messages.
pub(crate) fn text(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start {}: {error}", text(command))
}
