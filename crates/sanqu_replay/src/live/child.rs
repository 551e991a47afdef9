//! The program that subscribes for us.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Inbox;
use crate::ReplayError;

/// Name of the program.
pub const PROGRAM: &str = "sanqu-live";
/// How much of what it says on stderr is kept, bytes: the last of it.
const SAID_BYTES_MAX: usize = 4096;
/// How long a program that ends may take to say why.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(500);
/// How many of its last lines are shown.
const SAID_LINES: usize = 3;

/// What the program is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildOptions {
    /// The program; none looks for [`PROGRAM`] beside this one, then on `PATH`.
    pub program: Option<PathBuf>,
    /// The field's file.
    pub field: PathBuf,
    /// The router to read from, a zenoh endpoint; none takes the program's default.
    pub connect: Option<String>,
    /// Folder of a viewer's keys.
    pub keys: Option<PathBuf>,
}

impl ChildOptions {
    /// How the same can be tried by hand.
    pub fn command_line(&self) -> String {
        let mut words = vec![PROGRAM.to_owned(), "--arrow".to_owned(), "--field".to_owned(), self.field.display().to_string()];
        words.extend(self.connect.iter().flat_map(|endpoint| ["--connect".to_owned(), endpoint.clone()]));
        words.extend(self.keys.iter().flat_map(|keys| ["--keys".to_owned(), keys.display().to_string()]));
        words.join(" ")
    }
}

/// The running program. It ends with this.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    inbox: Inbox,
    said: Arc<Mutex<VecDeque<u8>>>,
    /// Disconnected when everything that it says has been heard.
    heard: Mutex<Receiver<()>>,
}

impl Child {
    /// Starts the program.
    ///
    /// # Errors
    /// [`ReplayError::Live`] when it is absent or cannot be started.
    pub fn start(options: &ChildOptions) -> Result<Self, ReplayError> {
        let program = options.program.clone().map_or_else(find, Ok)?;
        let failed = |what: &str, error: std::io::Error| ReplayError::Live { reason: format!("{what} {}: {error}", program.display()) };
        let mut command = Command::new(&program);
        command.args(["--arrow", "--field"]).arg(&options.field);
        if let Some(endpoint) = &options.connect {
            command.args(["--connect", endpoint]);
        }
        if let Some(keys) = &options.keys {
            command.arg("--keys").arg(keys);
        }
        // Its last words are shown in the picture.
        command.env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|error| failed("cannot start", error))?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let said = Arc::new(Mutex::default());
        let (hearing, heard) = sync_channel(1);
        let ears = Arc::clone(&said);
        let listening = std::thread::Builder::new().name("live stderr".to_owned()).spawn(move || {
            listen(stderr, &ears);
            drop(hearing);
        });
        let inbox = listening.and_then(|_| match stdout {
            Some(stdout) => Inbox::read(stdout),
            None => Inbox::read(std::io::empty()),
        });
        match inbox {
            Ok(inbox) => Ok(Self { process, inbox, said, heard: Mutex::new(heard) }),
            Err(error) => {
                // Without its reader it would end by itself within a second; it is not left alone for as long.
                let _ = process.kill().and_then(|()| process.wait());
                Err(failed("cannot read from", error))
            }
        }
    }

    /// What comes from it.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Why nothing more will come; none while the program runs and is understood.
    pub fn ended(&mut self) -> Option<String> {
        let how = self.inbox.ended()?;
        self.hear_out();
        // Its stdout is closed, or what came out of it cannot be read: if it still runs, it is of no use any more.
        let ended = self.process.kill().and_then(|()| self.process.wait());
        let status = match ended {
            Ok(status) if status.code().is_some() => format!("{PROGRAM} has ended ({status})"),
            _ => format!("{PROGRAM} was ended: {how}"),
        };
        self.hear_out();
        let bytes: Vec<u8> = self.said.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let last = last_words(&text);
        Some(if last.is_empty() { status } else { format!("{status}: {last}") })
    }

    /// Waits a moment for its last words.
    fn hear_out(&self) {
        // Nothing is ever sent: the end of the time and of the thread are both good.
        let _ = self.heard.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LAST_WORDS_WAIT);
    }

    /// The program's process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The last lines for people: what the program says itself; where it says nothing, whatever libraries in it have logged.
fn last_words(text: &str) -> String {
    let all = || text.lines().filter(|line| !line.trim().is_empty());
    let own: Vec<&str> = all().filter(|line| line.starts_with(PROGRAM)).collect();
    let lines = if own.is_empty() { all().collect() } else { own };
    lines.get(lines.len().saturating_sub(SAID_LINES)..).unwrap_or_default().join(" | ")
}

/// Keeps the last of what the program says.
fn listen(stderr: Option<impl Read>, said: &Mutex<VecDeque<u8>>) {
    let Some(mut stderr) = stderr else { return };
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut bytes) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(bytes.get(..count).unwrap_or_default());
        let surplus = said.len().saturating_sub(SAID_BYTES_MAX);
        said.drain(..surplus);
    }
}

/// Beside this program, else on `PATH`.
fn find() -> Result<PathBuf, ReplayError> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = beside.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)));
    places.into_iter().find(|file| Path::is_file(file)).ok_or_else(|| ReplayError::Live {
        reason: format!(
            "the program {PROGRAM} is neither beside this one nor on PATH; build it with `cargo build --bin {PROGRAM}` or install it with `cargo install --path crates/sanqu_live`"
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A program that says and does what the shell is told.
    fn child(folder: &Path, script: &str) -> Child {
        use std::os::unix::fs::PermissionsExt as _;
        let program = folder.join("double");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Child::start(&ChildOptions { program: Some(program), ..ChildOptions::default() }).unwrap()
    }

    fn end(child: &mut Child) -> String {
        let begun = Instant::now();
        loop {
            child.inbox().wait(Duration::from_millis(50));
            if let Some(why) = child.ended() {
                return why;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it never ended");
        }
    }

    #[test]
    fn its_last_words_are_told_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut ended = child(
            folder.path(),
            "echo one >&2; echo two >&2; echo three >&2; echo cannot connect >&2; echo colours: $NO_COLOR >&2; exec >&-; exit 7",
        );
        let why = end(&mut ended);
        assert!(why.contains("exit status: 7"), "{why}");
        assert!(why.contains("cannot connect | colours: 1") && !why.contains("one"), "the last lines, without colours: {why}");
        let mut garbled = child(folder.path(), "echo this is no pipe; exec sleep 1000");
        let why = end(&mut garbled);
        assert!(why.contains("was ended") && why.contains("no pipe"), "{why}");

        let running = child(folder.path(), "exec sleep 1000");
        let id = running.id();
        assert!(Path::new(&format!("/proc/{id}")).exists());
        drop(running);
        assert!(!Path::new(&format!("/proc/{id}")).exists(), "the program outlives its viewer");
    }

    #[test]
    fn what_the_program_says_itself_goes_before_what_is_logged() {
        assert_eq!(last_words("WARN zenoh: no route\n\nsanqu-live: cannot connect\n"), "sanqu-live: cannot connect");
        assert_eq!(last_words("a\nb\n\nc\nd\n"), "b | c | d");
        assert_eq!(last_words(" \n"), "");
    }

    #[test]
    fn an_absent_program_is_named() {
        let options = ChildOptions { program: Some("/nowhere/sanqu-live".into()), ..ChildOptions::default() };
        let error = Child::start(&options).unwrap_err().to_string();
        assert!(error.contains("/nowhere/sanqu-live"), "{error}");
        let options = ChildOptions { field: "f.toml".into(), connect: Some("tcp/a:1".to_owned()), keys: Some("k".into()), ..options };
        assert_eq!(options.command_line(), "sanqu-live --arrow --field f.toml --connect tcp/a:1 --keys k");
    }
}
