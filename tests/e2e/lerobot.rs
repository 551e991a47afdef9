//! Other people's datasets, and our own ones, come in through the program.

use std::path::Path;

use serde_json::Value;

use crate::program::{sanqu, shared};

const BAG: &str = "data/kuavo/vr_session_20250419_group1.bag";
const SET: &str = "data/g1_lerobot_v21";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn streams(manifest: &Value) -> Vec<&str> {
    manifest["streams"].as_array().unwrap().iter().map(|stream| stream["stream"].as_str().unwrap()).collect()
}

#[test]
fn a_real_g1_is_imported_proved_and_asked() {
    let Some(set) = shared("a_real_g1_is_imported_proved_and_asked", SET) else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let said = sanqu(["import", "lerobot", text(&set), "--store", text(&store), "--episode", "0,2", "--robot", "g1-01", "--json"]).exits(0);
    let report = said.json();
    assert_eq!(report["episodes"].as_array().unwrap().len(), 2);
    assert_eq!(report["problems"].as_array().unwrap().len(), 0);
    sanqu(["verify", text(&store)]).exits(0);
    let manifest = sanqu(["info", "last", "--store", text(&store), "--json"]).exits(0).json();
    assert_eq!(streams(&manifest), ["camera/cam-high", "command", "joint"]);
    assert_eq!(manifest["facts"]["import.codebase_version"], "v2.1");
    assert_eq!(manifest["prompt"], "Pick up the yellow bottle on the table.");
    let query = "SELECT COUNT(*) AS rows FROM joint WHERE joint = 'left_elbow' AND pos > 0";
    let rows = sanqu(["sql", text(&store), query, "--format", "json"]).exits(0).json();
    assert!(rows[0]["rows"].as_u64().unwrap() > 500, "{rows}");
    let query = "SELECT COUNT(*) AS frames FROM frames WHERE keyframe";
    let rows = sanqu(["sql", text(&store), query, "--format", "json"]).exits(0).json();
    assert_eq!(rows[0]["frames"].as_u64(), Some(145 + 151));
    // One episode more, and one that is not there: the first is imported, the second named.
    let said = sanqu(["import", "lerobot", text(&set), "--store", text(&store), "--episode", "1,9", "--robot", "g1-01"]).exits(3);
    assert!(said.stdout.contains("kLeftHandPinky"), "{}", said.stdout);
    said.complains(&["episode 9", "does not list it"]);
    sanqu(["import", "lerobot", text(&folder.path().join("none")), "--store", text(&store)])
        .exits(1)
        .complains(&["info.json", "nothing was imported"]);
}

#[test]
fn an_exported_session_comes_back_with_its_joints() {
    let Some(bag) = shared("an_exported_session_comes_back_with_its_joints", BAG) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [first, set, second] = ["first", "set", "second"].map(|name| folder.path().join(name));
    sanqu(["import", "rosbag", text(&bag), "--store", text(&first)]).exits(0);
    sanqu(["export", "lerobot", "--store", text(&first), "--out", text(&set)]).exits(0);
    sanqu(["import", "lerobot", text(&set), "--store", text(&second)]).exits(0);
    sanqu(["verify", text(&second)]).exits(0);
    let [was, is] = [&first, &second].map(|store| sanqu(["info", "last", "--store", text(store), "--json"]).exits(0).json());
    // The description that is shipped says which joints they are.
    let joints = |manifest: &Value| {
        let streams = manifest["streams"].as_array().unwrap();
        streams.iter().find(|stream| stream["stream"] == "joint").unwrap()["quantities"][0]["elements"].clone()
    };
    assert_eq!((joints(&is), &is["robots"], &is["station"]), (joints(&was), &was["robots"], &was["station"]));
}
