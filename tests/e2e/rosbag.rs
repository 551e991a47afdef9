//! A real session of 夸父: bag in, episode, replayed onto the bus, dataset out. (Bit-for-bit equality with an
//! independent reader is checked by `tests/conformance/rosbag_bits.py`.)

use crate::program::{Running, episode, recorder, sanqu, shared, streams, wait_for};

const BAG: &str = "data/kuavo/vr_session_20250419_group1.bag";

#[test]
fn a_real_session_goes_in_and_comes_out_whole() {
    let Some(bag) = shared("a_real_session_goes_in_and_comes_out_whole", BAG) else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let path = store.to_str().unwrap();
    sanqu(["import", "rosbag", bag.to_str().unwrap(), "--store", path]).exits(0);
    sanqu(["verify", path]).exits(0);
    let rows = sanqu(["sql", path, "SELECT rows FROM streams WHERE stream = 'joint'", "--format", "json"]).exits(0).json();
    assert_eq!(rows[0]["rows"].as_u64(), Some(3508));
    let manifest = sanqu(["info", "last", "--store", path, "--json"]).exits(0).json();
    let streams: Vec<&str> = manifest["streams"].as_array().unwrap().iter().map(|stream| stream["stream"].as_str().unwrap()).collect();
    assert_eq!(streams, ["command", "imu/torso", "joint"]);
    let joint = &manifest["streams"][2];
    assert_eq!(joint["quantities"][0]["elements"].as_array().unwrap().len(), 28);
    let out = folder.path().join("lerobot");
    sanqu(["export", "lerobot", "--store", path, "--out", out.to_str().unwrap()]).exits(0);
    let info: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(out.join("meta/info.json")).unwrap()).unwrap();
    // 7 s at 30 rows a second, less the 1.3 s before the first command.
    assert_eq!(info["total_frames"].as_u64(), Some(173));
}

#[test]
fn a_recorded_session_drives_the_live_path() {
    let Some(bag) = shared("a_recorded_session_drives_the_live_path", BAG) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, store) = (folder.path().join("source"), folder.path().join("store"));
    sanqu(["import", "rosbag", bag.to_str().unwrap(), "--store", source.to_str().unwrap()]).exits(0);
    let (mut recorder, endpoint) = recorder(&store, &[]);
    let mut feed = Running::start(["sim", "--from", "last", "--store", source.to_str().unwrap(), "--connect", &endpoint]);
    wait_for("c01", &endpoint, "the first samples", |status| streams(status).next().is_some());
    episode("start", "c01", &endpoint).exits(0);
    assert!(feed.line().contains("7593 rows"), "3508 joint, 3508 IMU and 577 command rows");
    episode("stop", "c01", &endpoint).exits(0);
    assert_eq!(recorder.interrupt(), 0);
    let query = "SELECT rows, lost FROM streams WHERE stream = 'joint'";
    let rows = sanqu(["sql", store.to_str().unwrap(), query, "--format", "json"]).exits(0).json();
    assert_eq!(rows[0]["lost"].as_u64(), Some(0));
    assert!(rows[0]["rows"].as_u64().unwrap() > 3000, "{rows}");
}
