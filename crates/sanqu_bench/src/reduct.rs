//! ReductStore as a sink: its own zenoh ingest, with a router of its own as the other sinks have, read back over HTTP.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::process::{Program, pause};

/// The bucket that it writes into.
const BUCKET: &str = "zenoh";
/// How long it has to begin or to answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// How to ask a running ReductStore.
pub(crate) struct Reduct {
    http_port: u16,
}

impl Reduct {
    /// Starts it on the data below `dir` and waits until it answers. Returns it with its program and where its router
    /// listens. Its log says errors only: its attachments are JSON, so that it would warn about every sample header.
    pub(crate) fn start(binary: &Path, dir: &Path, log: &Path) -> Result<(Program, String, Self)> {
        let data = dir.join("reductstore");
        std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
        let (http_port, zenoh_port) = (free_port()?, free_port()?);
        let endpoint = format!("tcp/127.0.0.1:{zenoh_port}");
        let config = format!(
            r#"{{ mode: "router", listen: {{ endpoints: ["{endpoint}"] }}, scouting: {{ multicast: {{ enabled: false }}, gossip: {{ enabled: false }} }} }}"#
        );
        let mut command = Command::new(binary);
        command.env("RS_DATA_PATH", &data).env("RS_HOST", "127.0.0.1").env("RS_PORT", http_port.to_string());
        command.env("RS_DISABLE_AUTH", "true").env("RS_LOG_LEVEL", "ERROR").env("RS_ZENOH_ENABLED", "true");
        command.env("RS_ZENOH_CONFIG", config).env("RS_ZENOH_BUCKET", BUCKET).env("RS_ZENOH_SUB_KEYEXPRS", "sanqu/**");
        let program = Program::start("reductstore", &mut command, log)?;
        let reduct = Self { http_port };
        let deadline = Instant::now() + PATIENCE;
        while reduct.get("/api/v1/alive").is_err() || TcpStream::connect((Ipv4Addr::LOCALHOST, zenoh_port)).is_err() {
            ensure!(Instant::now() < deadline, "ReductStore did not begin within {} s; see {}", PATIENCE.as_secs(), log.display());
            pause(Duration::from_millis(100));
        }
        Ok((program, endpoint, reduct))
    }

    /// The number of records by entry, which is named after the key.
    pub(crate) fn counts(&self) -> Result<Vec<(String, u64)>> {
        #[derive(Deserialize)]
        struct Bucket {
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            name: String,
            record_count: u64,
        }
        let body = self.get(&format!("/api/v1/b/{BUCKET}"))?;
        let bucket: Bucket = serde_json::from_slice(&body).context("ReductStore's description of its bucket is not understood")?;
        Ok(bucket.entries.into_iter().map(|entry| (entry.name, entry.record_count)).collect())
    }

    fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http_port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        body_of(&answer)
    }
}

/// The body of an HTTP answer, whole or in chunks.
fn body_of(answer: &[u8]) -> Result<Vec<u8>> {
    let split = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no HTTP answer")?;
    let (head, body) = (String::from_utf8_lossy(&answer[..split]).to_ascii_lowercase(), &answer[split + 4..]);
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        bail!("HTTP status {status}: {}", head.lines().next().unwrap_or_default());
    }
    if !head.contains("transfer-encoding: chunked") {
        return Ok(body.to_vec());
    }
    let (mut rest, mut whole) = (body, Vec::new());
    loop {
        let line = rest.windows(2).position(|bytes| bytes == b"\r\n").context("a chunk without length")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line])?.trim(), 16)?;
        if length == 0 {
            return Ok(whole);
        }
        let chunk = rest.get(line + 2..line + 2 + length).context("a chunk ends too early")?;
        whole.extend_from_slice(chunk);
        rest = rest.get(line + 4 + length..).unwrap_or_default();
    }
}

/// A port that was free a moment ago: ReductStore cannot be asked which one it took.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, expect: Result<&str, &str>) {
        match (body_of(answer.as_bytes()), expect) {
            (Ok(body), Ok(expect)) => assert_eq!(String::from_utf8(body).unwrap(), expect),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error} should say {part:?}"),
            (found, _) => panic!("{answer:?}: {found:?}"),
        }
    }

    #[test]
    fn answers_come_whole_or_in_chunks() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Ok("{}"));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", Ok("abc0123456789"));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", Err("too early"));
        check("HTTP/1.1 404 Not Found\r\n\r\n", Err("404"));
        check("nonsense", Err("no HTTP"));
    }
}
