//! Starting the programs of a run, talking to them, and what the system says about them.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::talk::Event;

/// Linux tells processor times in hundredths of a second, on every architecture that we run on.
const TICKS_PER_S: f64 = 100.0;
/// Events that wait to be looked at.
const EVENTS_MAX: usize = 4096;
/// A program that uses less than this share of a core over [`QUIET_SPAN`] has nothing to do.
const QUIET_SHARE: f64 = 0.06;
const QUIET_SPAN: Duration = Duration::from_millis(250);
/// So many times in a row, because on a busy computer it may just not have been its turn.
const QUIET_SPANS: u32 = 3;

/// A program of a run. Killed when dropped.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Event>,
}

impl Program {
    /// Starts a program that says [`Event`]s on stdout, if anything; stderr goes to `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let open = || File::options().create(true).append(true).open(log).with_context(|| format!("cannot write {}", log.display()));
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(open()?).spawn();
        let mut child = spawned.with_context(|| format!("cannot start {name}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("a program without stdout")?;
        let (sender, events) = sync_channel(EVENTS_MAX);
        let mut other = open()?;
        let listen = move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let said = match serde_json::from_str::<Event>(&line) {
                    // Nobody may be listening any more; the program must still be able to speak.
                    Ok(event) => sender.try_send(event).is_ok(),
                    Err(_) => false,
                };
                if !said {
                    let _ = writeln!(other, "{line}");
                }
            }
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(listen).context("cannot start a thread")?;
        Ok(Self { name, child, stdin, events })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says a word to the program.
    pub(crate) fn tell(&mut self, word: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its stdin is closed")?;
        writeln!(stdin, "{word}").and_then(|()| stdin.flush()).with_context(|| format!("{} does not listen any more", self.name))
    }

    /// The first event that `wanted` makes something of; others are passed over.
    pub(crate) fn expect<T>(&self, what: &str, patience: Duration, wanted: impl FnMut(Event) -> Option<T>) -> Result<T> {
        let found = self.listen(patience, wanted)?;
        found.with_context(|| format!("{} did not say {what} within {} s", self.name, patience.as_secs()))
    }

    /// As [`Program::expect`], but none when it says nothing that is wanted for so long.
    pub(crate) fn listen<T>(&self, patience: Duration, mut wanted: impl FnMut(Event) -> Option<T>) -> Result<Option<T>> {
        let deadline = Instant::now() + patience;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if let Some(found) = wanted(event) {
                        return Ok(Some(found));
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => bail!("{} has ended", self.name),
            }
        }
    }

    /// What it has said meanwhile.
    pub(crate) fn said(&self) -> impl Iterator<Item = Event> + '_ {
        self.events.try_iter()
    }

    pub(crate) fn cpu_s(&self) -> Result<f64> {
        cpu_s(self.pid())
    }

    /// Waits until the program has nothing more to do; false when it still had after `patience`.
    pub(crate) fn wait_quiet(&self, patience: Duration) -> Result<bool> {
        let deadline = Instant::now() + patience;
        let (mut before_s, mut quiet) = (self.cpu_s()?, 0);
        while quiet < QUIET_SPANS && Instant::now() < deadline {
            pause(QUIET_SPAN);
            let now_s = self.cpu_s()?;
            quiet = if now_s - before_s < QUIET_SHARE * QUIET_SPAN.as_secs_f64() { quiet + 1 } else { 0 };
            before_s = now_s;
        }
        Ok(quiet >= QUIET_SPANS)
    }

    /// The most memory that it ever held, bytes.
    pub(crate) fn peak_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).with_context(|| format!("{} is gone", self.name))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kib.map(|kib| kib * 1024).with_context(|| format!("{path} tells no VmHWM"))
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait().map(drop).with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Closes its stdin and waits until it has ended; kills it after `patience`.
    pub(crate) fn end(mut self, patience: Duration) -> Result<()> {
        drop(self.stdin.take());
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))?.is_some() {
                return Ok(());
            }
            pause(Duration::from_millis(20));
        }
        self.kill()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets time pass: what is waited for here tells nobody when it happens.
pub(crate) fn pause(span: Duration) {
    let deadline = Instant::now() + span;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// What a process has used of all processors, user and system, s.
pub(crate) fn cpu_s(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    parse_cpu_s(&stat).with_context(|| format!("/proc/{pid}/stat is not understood: {stat}"))
}

/// As [`cpu_s`], of this process.
pub(crate) fn own_cpu_s() -> Result<f64> {
    cpu_s(std::process::id())
}

/// The name may hold spaces and parentheses; user and system time are the 12th and 13th field behind it.
fn parse_cpu_s(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some((ticks()? + ticks()?) / TICKS_PER_S)
}

/// What all processors together have worked for anybody, s.
pub(crate) fn machine_cpu_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    parse_machine_cpu_s(&stat).context("/proc/stat is not understood")
}

/// user, nice, system, (idle, iowait), irq, softirq.
fn parse_machine_cpu_s(stat: &str) -> Option<f64> {
    let fields: Vec<f64> = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map_while(|field| field.parse().ok()).collect();
    Some([0, 1, 2, 5, 6].iter().filter_map(|index| fields.get(*index)).sum::<f64>() / TICKS_PER_S)
}

/// Bytes that are free on the disk of `path`.
pub(crate) fn free_bytes(path: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(path).with_context(|| path.display().to_string())?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes that the files below `path` take on disk.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_times_are_found_behind_odd_names() {
        let stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 9 0 1 2 3";
        assert_eq!(parse_cpu_s(stat), Some(3.0));
        assert_eq!(parse_cpu_s("4711 (a) S 1"), None);
        assert_eq!(parse_machine_cpu_s("cpu  100 200 300 9999 9999 30 20 5 0 0\ncpu0 1 2"), Some(6.5));
        assert!(own_cpu_s().unwrap() >= 0.0 && machine_cpu_s().unwrap() > 0.0);
    }

    #[test]
    fn a_program_is_told_and_says() {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo noise; read word; echo "{\"event\":\"ready\",\"endpoint\":\"$word\"}"; read end"#]);
        let mut program = Program::start("shell", &mut shell, &dir.path().join("log")).unwrap();
        program.tell("tcp/x").unwrap();
        let ready = |event| if let Event::Ready { endpoint } = event { Some(endpoint) } else { None };
        assert_eq!(program.expect("ready", Duration::from_secs(30), ready).unwrap(), "tcp/x");
        assert!(program.wait_quiet(Duration::from_secs(30)).unwrap() && program.peak_bytes().unwrap() > 0);
        program.end(Duration::from_secs(30)).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "noise\n");
    }
}
