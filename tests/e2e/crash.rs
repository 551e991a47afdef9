//! What a recorder leaves behind when it is killed or stopped.

use serde_json::Value;

use crate::program::{Running, episode, recorder, sanqu, streams, wait_for};

fn joint_rows(status: &Value) -> u64 {
    streams(status).filter(|stream| stream["stream"] == "joint").filter_map(|stream| stream["rows"].as_u64()).sum()
}

#[test]
fn a_killed_recorder_is_repaired_and_the_manifest_says_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let path = store.to_str().unwrap();
    let (mut recorder, endpoint) = recorder(&store, &[]);
    let _robots = Running::start(["sim", "--connect", &endpoint, "--robots", "kuavo-01"]);
    wait_for("c01", &endpoint, "joint samples", |status| joint_rows(status) > 0);
    let started = episode("start", "c01", &endpoint).exits(0).json();
    wait_for("c01", &endpoint, "a second of the episode", |status| status["state"] == "recording" && joint_rows(status) > 500);
    recorder.kill();

    let listed = sanqu(["ls", path, "--json"]).exits(0).json();
    assert_eq!((listed["episodes"].as_array().unwrap().len(), listed["open_journals"].as_array().unwrap().len()), (0, 1));
    sanqu(["repair", path]).exits(3);
    let manifest = sanqu(["info", "last", "--store", path, "--json"]).exits(3).json();
    assert_eq!(manifest["episode"], started["episode"]);
    assert_eq!(manifest["ended_by"], "recovered");
    let joint = manifest["streams"].as_array().unwrap().iter().find(|stream| stream["stream"] == "joint").unwrap();
    assert_eq!(joint["lost"]["open_ended"], true, "nobody knows how many rows followed");
    assert_eq!(joint["expected"], Value::Null);
    assert!(joint["rows"].as_str().unwrap().parse::<u64>().unwrap() > 400, "what was flushed is there");
    let ledger =
        sanqu(["sql", path, "SELECT stream, cause, detected_by FROM loss WHERE to_seq IS NULL AND stream = 'joint'", "--format", "json"])
            .exits(0)
            .json();
    assert_eq!(ledger[0]["cause"], "recorder");
    sanqu(["repair", path]).exits(0);
    sanqu(["verify", path]).exits(3);

    // Published again its rows are numbered afresh, so what it lost must be said.
    let (_listener, endpoint) = self::recorder(&folder.path().join("again"), &[]);
    let again = ["sim", "--from", "last", "--store", path, "--connect", &endpoint, "--seconds", "1"];
    sanqu(again).exits(0).complains(&["joint is published without the rows that the recording lost"]);
}

#[test]
fn ctrl_c_closes_and_seals_the_open_episode() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (mut recorder, endpoint) = recorder(&store, &[]);
    let _robots = Running::start(["sim", "--connect", &endpoint, "--robots", "walker-s-01"]);
    wait_for("a01", &endpoint, "joint samples", |status| joint_rows(status) > 0);
    episode("start", "a01", &endpoint).exits(0);
    wait_for("a01", &endpoint, "the episode", |status| status["state"] == "recording" && joint_rows(status) > 250);
    assert_eq!(recorder.interrupt(), 0);
    let path = store.to_str().unwrap();
    sanqu(["verify", path]).exits(0);
    let listed = sanqu(["ls", path, "--json"]).exits(0).json();
    assert_eq!((listed["episodes"].as_array().unwrap().len(), listed["open_journals"].as_array().unwrap().len()), (1, 0));
}

#[test]
fn a_second_recorder_on_a_store_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (first, endpoint) = recorder(&store, &[]);
    let path = store.to_str().unwrap();
    let pid = first.child.id().to_string();
    sanqu(["record", "--store", path, "--listen", "tcp/127.0.0.1:0"]).exits(1).complains(&["in use by", &pid]);
    let other = folder.path().join("other");
    sanqu(["record", "--store", other.to_str().unwrap(), "--listen", &endpoint]).exits(1).complains(&[&endpoint]);
}
