//! What a run ran on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use sanqu_model::{date_in_zone, now_ns};
use serde::{Deserialize, Serialize};

/// The computer, the programs and the day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Device and file system of what was written.
    pub(crate) disk: String,
    pub(crate) date: String,
    /// sanqu's commit.
    pub(crate) commit: String,
    pub(crate) compiler: String,
    /// Of what decides the figures, from the lock file.
    pub(crate) versions: Vec<String>,
    /// What was typed.
    pub(crate) command: String,
}

impl Machine {
    pub(crate) fn read(repo: &Path, out: &Path) -> Result<Self> {
        std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
        };
        let memory = after(&text("/proc/meminfo"), "MemTotal");
        let out = out.canonicalize().with_context(|| out.display().to_string())?;
        let lock = std::fs::read_to_string(repo.join("Cargo.lock")).unwrap_or_default();
        Ok(Self {
            cpu: after(&text("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_mib: memory.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024,
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk: disk_of(&text("/proc/self/mounts"), &out),
            date: date_in_zone(now_ns(), "UTC")?,
            commit: said(Command::new("git").arg("-C").arg(repo).args(["describe", "--always", "--dirty"])),
            compiler: said(Command::new("rustc").arg("--version")),
            versions: ["zenoh", "mcap", "parquet"].iter().filter_map(|name| locked(&lock, name)).collect(),
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        })
    }
}

/// The mount with the longest path that `path` lies below.
fn disk_of(mounts: &str, path: &Path) -> String {
    let mut best = ("unknown", "", 0);
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(mounted), Some(kind)) = (words.next(), words.next(), words.next()) else { continue };
        if path.starts_with(mounted) && mounted.len() >= best.2 {
            best = (device, kind, mounted.len());
        }
    }
    format!("{} ({})", best.0, best.1)
}

fn locked(lock: &str, name: &str) -> Option<String> {
    let entry = lock.rsplit("[[package]]").find(|entry| entry.lines().any(|line| line == format!("name = \"{name}\"")))?;
    let version = entry.lines().find_map(|line| line.strip_prefix("version = \""))?;
    Some(format!("{name} {}", version.trim_end_matches('"')))
}

fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    output.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_is_the_disk() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /work ext4 rw 0 0";
        assert_eq!(disk_of(mounts, Path::new("/tmp/x")), "tmpfs (tmpfs)");
        assert_eq!(disk_of(mounts, Path::new("/home")), "/dev/vda (ext4)");
    }

    #[test]
    fn versions_come_from_the_lock_file() {
        let lock = "[[package]]\nname = \"mcap\"\nversion = \"0.25.0\"\n\n[[package]]\nname = \"mcap\"\nversion = \"0.26.0\"\n";
        assert_eq!(locked(lock, "mcap").as_deref(), Some("mcap 0.26.0"));
        assert_eq!(locked(lock, "zenoh"), None);
    }
}
