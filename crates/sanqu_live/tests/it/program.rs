//! `sanqu-live` as a process: signals and refusals.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sanqu_ingest::Node;

use crate::rrd::Recording;

fn sanqu_live(endpoint: &str) -> Command {
    let field = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../assets/field/desk.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sanqu-live"));
    command.args(["--connect", endpoint, "--field"]).arg(field).stderr(Stdio::piped());
    command
}

async fn check_signal(signal: &str, file: &Path) {
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let mut child = sanqu_live(&router.locators()[0]).arg("--rrd").arg(file).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let running = lines.find(|line| line.as_ref().unwrap().contains("drawing into"));
    assert!(running.is_some(), "it never said that it runs");
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(status.success(), "{signal}: {status}: {rest:?}");
    assert!(rest.iter().any(|line| line.contains("0 dropped, 0 unreadable")), "{rest:?}");
    let recording = Recording::read(file);
    assert_eq!(recording.rows("/", "ViewCoordinates:xyz"), 1);
    router.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_complete_the_file() {
    let folder = tempfile::tempdir().unwrap();
    check_signal("-INT", &folder.path().join("interrupted.rrd")).await;
    check_signal("-TERM", &folder.path().join("terminated.rrd")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_said_and_fails() {
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let endpoint = router.locators().remove(0);
    for (arguments, word) in [
        (["--connect", &endpoint, "--rrd", "/nowhere/at/all.rrd"], "/nowhere/at/all.rrd"),
        (["--connect", &endpoint, "--seconds", "nan"], "--seconds"),
        (["--connect", &endpoint, "--field", "atlantis"], "atlantis"),
        (["--connect", "tcp/127.0.0.1:1", "--field", "desk"], "127.0.0.1:1"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sanqu-live")).args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(word), "{arguments:?}: {stderr}");
    }
    router.close().await.unwrap();
}
