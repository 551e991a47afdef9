//! Running the real `sanqu`.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// What a finished command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Fails the test unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless stderr has every one of `parts`.
    #[track_caller]
    pub(crate) fn complains(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "stderr should say {part:?}:\n{}", self.stderr);
        }
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON ({error}):\n{}", self.stdout))
    }
}

fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sanqu"));
    command.arg("--assets").arg(assets()).args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// The shipped descriptions and fields.
pub(crate) fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets").canonicalize().unwrap()
}

/// Runs a command to its end.
pub(crate) fn sanqu<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Said {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

/// A command that keeps running; killed when the test ends.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// None once the pipe is closed.
    lines: Option<std::io::Lines<BufReader<std::process::ChildStdout>>>,
}

impl Running {
    /// Starts it.
    pub(crate) fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::of(command(arguments))
    }

    /// Starts it in a network namespace.
    pub(crate) fn start_in<S: AsRef<OsStr>>(namespace: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let inside = command(arguments);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(inside.get_program()).args(inside.get_args());
        command.stdin(Stdio::null()).env_remove("RUST_LOG");
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines: Some(lines) }
    }

    /// Starts it with stderr in a file.
    pub(crate) fn start_saying<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, stderr: &Path) -> Self {
        let stderr = std::fs::File::create(stderr).unwrap();
        let mut child = command(arguments).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines: Some(lines) }
    }

    /// Waits for the next line on stdout.
    pub(crate) fn line(&mut self) -> String {
        self.lines.as_mut().and_then(Iterator::next).expect("the program ended without another line").unwrap()
    }

    /// Reads the beginning of its output and closes the pipe, as `head` does; returns the exit code.
    pub(crate) fn hang_up(mut self) -> i32 {
        self.line();
        self.lines = None;
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// SIGKILL: no handler runs.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGINT, as Ctrl-C sends it; returns the exit code.
    pub(crate) fn interrupt(&mut self) -> i32 {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended is what a passing test leaves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running recorder on a free port, and its endpoint.
pub(crate) fn recorder(store: &Path, more: &[&str]) -> (Running, String) {
    let mut arguments = vec!["record", "--store", store.to_str().unwrap(), "--listen", "tcp/127.0.0.1:0"];
    arguments.extend(more);
    let mut running = Running::start(arguments);
    let line = running.line();
    let endpoint = line
        .split("listening on ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or_else(|| panic!("no endpoint in {line:?}"));
    let endpoint = endpoint.to_owned();
    (running, endpoint)
}

/// `sanqu episode <verb>` at a station; the reply.
pub(crate) fn episode(verb: &str, station: &str, endpoint: &str) -> Said {
    sanqu(["episode", verb, "--station", station, "--connect", endpoint, "--json"])
}

/// Asks for a station's status until it meets `condition`, at most a minute.
pub(crate) fn wait_for(station: &str, endpoint: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let status = episode("status", station, endpoint).exits(0).json();
        if condition(&status) {
            return status;
        }
        assert!(std::time::Instant::now() < deadline, "{what} did not happen within a minute: {status}");
    }
}

/// The streams of a station's status.
pub(crate) fn streams(status: &Value) -> impl Iterator<Item = &Value> {
    status["station"]["robots"].as_array().into_iter().flatten().flat_map(|robot| robot["streams"].as_array().into_iter().flatten())
}

/// The folder of real recordings; none, with a visible line, where it is absent (and that is allowed).
pub(crate) fn shared(test: &str, file: &str) -> Option<PathBuf> {
    let path = std::env::var_os("SANQU_SHARED").map(|folder| Path::new(&folder).join(file));
    match path {
        Some(path) if path.exists() => Some(path),
        _ if std::env::var_os("SANQU_REQUIRE_SHARED").is_some() => panic!("{test} needs {file} under SANQU_SHARED"),
        _ => {
            eprintln!("SKIPPED {test}: needs {file} under SANQU_SHARED");
            None
        }
    }
}
