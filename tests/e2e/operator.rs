//! What an operator sees at a station: warnings before a recording is wasted, and when an episode is safe.

use crate::program::{Running, Said, recorder, sanqu, streams, wait_for};

fn at(verb: &str, station: &str, endpoint: &str, more: &[&str]) -> Said {
    sanqu([&["episode", verb, "--station", station, "--connect", endpoint], more].concat())
}

#[test]
fn a_stop_that_waits_says_that_the_episode_is_sealed_and_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let path = store.to_str().unwrap();
    let (_recorder, endpoint) = recorder(&store, &[]);
    let _robots = Running::start(["sim", "--connect", &endpoint, "--robots", "kuavo-01"]);
    wait_for("c01", &endpoint, "samples", |status| streams(status).any(|stream| stream["rows"].as_u64() > Some(0)));

    let started = at("start", "c01", &endpoint, &["--task", "guide-visitors", "--json"]).exits(0);
    assert!(!started.stderr.contains("not heard"), "{}", started.stderr);
    let episode = started.json()["episode"].as_str().unwrap().to_owned();
    let running = at("status", "c01", &endpoint, &[]).exits(0).stdout;
    for part in [&episode, "recording", "guide-visitors", "kuavo-01", "joint"] {
        assert!(running.contains(part), "the status should say {part:?}:\n{running}");
    }
    let open = sanqu(["ls", path]).exits(0).stdout;
    assert!(open.contains(&format!("{episode}.0.mcap")) && open.contains("being recorded"), "{open}");
    sanqu(["info", "last", "--store", path]).exits(1).complains(&["last", "1 journals are open"]);

    let sealed = at("stop", "c01", &endpoint, &["--wait", "--json"]).exits(0).json();
    assert_eq!((sealed["episode"].as_str(), sealed["station"]["last"]["progress"].as_str()), (Some(&*episode), Some("sealed")));
    let rows = sealed["station"]["last"]["rows"].as_u64().unwrap();
    let info = sanqu(["info", &episode, "--store", path]).exits(0).stdout;
    assert!(info.contains("in episode") && info.contains("pre-roll  "), "{info}");
    assert!(
        at("status", "c01", &endpoint, &[]).exits(0).stdout.contains(&format!("{episode}: sealed, {rows} rows, none known to be lost"))
    );
}

#[test]
fn a_robot_that_is_not_heard_is_named_when_the_episode_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (_recorder, endpoint) = recorder(&folder.path().join("store"), &[]);
    at("start", "a01", &endpoint, &[]).exits(0).complains(&["walker-s-01", "not heard"]);
    let refused = at("start", "a01", &endpoint, &[]).exits(1).complains(&["already"]);
    assert_eq!(refused.stdout, "", "a refusal is no result");
    assert!(at("stop", "a01", &endpoint, &["--wait"]).exits(0).stdout.contains("without a single row"));
    at("start", "a01", &endpoint, &["--task", "dance"]).exits(1).complains(&["dance", "inspect-vehicle"]);
    at("start", "a01", &endpoint, &["--outcome", "success"]).exits(2).complains(&["--outcome"]);
}
