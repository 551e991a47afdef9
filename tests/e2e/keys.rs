//! A field with keys, through the real programs: what is allowed works, what is not is refused and said.

use std::path::{Path, PathBuf};

use crate::program::{Running, Said, sanqu, streams};

/// A folder of keys for the desk field.
pub(crate) fn keys(folder: &Path) -> PathBuf {
    let keys = folder.join("keys");
    let dir = keys.to_str().unwrap();
    sanqu(["keys", "init", "--field", "desk", "--dir", dir]).exits(0);
    sanqu(["keys", "recorder", "rec-1", "--host", "10.0.3.1", "--dir", dir]).exits(0);
    sanqu(["keys", "robot", "all", "--dir", dir]).exits(0);
    sanqu(["keys", "operator", "op-07", "--dir", dir]).exits(0);
    sanqu(["keys", "viewer", "wall-1", "--dir", dir]).exits(0);
    keys
}

/// A recorder with keys on a free port, its endpoint, and the file with what it says.
pub(crate) fn recorder(folder: &Path, keys: &str) -> (Running, String, PathBuf) {
    let (store, said) = (folder.join("store"), folder.join("recorder.log"));
    let arguments = ["record", "--store", store.to_str().unwrap(), "--listen", "tls/127.0.0.1:0", "--keys", keys];
    let mut running = Running::start_saying(arguments, &said);
    let line = running.line();
    let endpoint = line.split("listening on ").nth(1).unwrap_or_else(|| panic!("no endpoint in {line:?}")).to_owned();
    (running, endpoint, said)
}

fn at(verb: &str, station: &str, endpoint: &str, more: &[&str]) -> Said {
    sanqu([&["episode", verb, "--station", station, "--connect", endpoint], more].concat())
}

#[test]
fn with_keys_the_field_works_and_strangers_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path());
    let all = keys.to_str().unwrap();
    let (mut recorder, endpoint, said) = recorder(folder.path(), all);

    // A robot, its operator, an episode.
    let _robots = Running::start(["sim", "--connect", &endpoint, "--robots", "kuavo-01", "--keys", all]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let status = at("status", "c01", &endpoint, &["--keys", all, "--json"]).exits(0).json();
        if streams(&status).any(|stream| stream["rows"].as_u64() > Some(0)) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "no rows arrive: {status}");
    }
    let operator = keys.join("operator-op-07");
    let own = ["--keys", operator.to_str().unwrap()];
    at("start", "c01", &endpoint, &[&own[..], &["--task", "guide-visitors"]].concat()).exits(0);
    let status = at("status", "c01", &endpoint, &[&own[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(status["station"]["operator"], "op-07", "who acts is who the keys are of: {status}");
    let sealed = at("stop", "c01", &endpoint, &[&own[..], &["--wait", "--json"]].concat()).exits(0).json();
    assert_eq!((sealed["station"]["last"]["progress"].as_str(), sealed["station"]["last"]["lost"].as_u64()), (Some("sealed"), Some(0)));

    // Neither another station, nor without keys, nor with those of another.
    at("start", "a01", &endpoint, &own).exits(1).complains(&["a01", "op-07", "who has c01"]);
    at("status", "c01", &endpoint, &[]).exits(1).complains(&["no recorder at tls/127.0.0.1"]);
    at("status", "c01", &endpoint, &["--keys", keys.join("viewer-wall-1").to_str().unwrap()])
        .exits(1)
        .complains(&["viewer:wall-1", "operator"]);
    at("status", "c01", &endpoint, &["--keys", all, "--operator", "op-01"]).exits(1).complains(&["op-01", "sanqu keys operator"]);
    let strangers = folder.path().join("strangers");
    std::fs::create_dir(&strangers).unwrap();
    let foreign = self::keys(&strangers).join("operator-op-07");
    at("status", "c01", &endpoint, &["--keys", foreign.to_str().unwrap()]).exits(1).complains(&["op-07", "recorder's log"]);

    assert_eq!(recorder.interrupt(), 0);
    let said = std::fs::read_to_string(&said).unwrap();
    for part in
        ["operator:op-07 may not query sanqu/desk/@station/a01/ctl", "a connection was refused: received fatal alert", "refused in all:"]
    {
        assert!(said.contains(part), "the recorder should say {part:?}:\n{said}");
    }
}

#[test]
fn keys_are_made_once_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path());
    let dir = keys.to_str().unwrap();
    let shown = sanqu(["keys", "show", dir, "--json"]).exits(0).json();
    let names: Vec<&str> = shown.as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(
        names,
        ["sanqu CA of field desk", "recorder:rec-1", "robot:kuavo-01", "robot:walker-s-01", "operator:op-07", "viewer:wall-1"]
    );
    assert_eq!(shown[1]["hosts"][0], "10.0.3.1");

    let key = |name: &str| std::fs::read(keys.join(name).join("key.pem")).unwrap();
    let before = key("robot-kuavo-01");
    sanqu(["keys", "robot", "kuavo-01", "--dir", dir]).exits(1).complains(&["there already", "--force"]);
    sanqu(["keys", "init", "--dir", dir]).exits(1).complains(&["there already", "--force"]);
    assert_eq!(key("robot-kuavo-01"), before);
    sanqu(["keys", "renew", "recorder-rec-1", "robot-kuavo-01", "--days", "10", "--dir", dir]).exits(0);
    assert_ne!(key("robot-kuavo-01"), before);
    let shown = sanqu(["keys", "show", dir, "--json"]).exits(3).json();
    assert_eq!((&shown[1]["hosts"][0], &shown[1]["days_left"]), (&"10.0.3.1".into(), &9.into()), "the hosts stay");
    assert!(shown[1]["problems"][0].as_str().unwrap().contains("renew"), "{shown}");

    sanqu(["keys", "robot", "kuavo-09", "--dir", dir]).exits(1).complains(&["kuavo-09", "kuavo-01"]);
    sanqu(["keys", "recorder", "rec-2", "--host", "rec.example.com", "--dir", dir]).exits(1).complains(&["rec.example.com", "--domain"]);
    let store = folder.path().join("store");
    let robot = keys.join("robot-kuavo-01");
    sanqu(["record", "--store", store.to_str().unwrap(), "--keys", robot.to_str().unwrap()])
        .exits(1)
        .complains(&["robot:kuavo-01", "recorder"]);
}
