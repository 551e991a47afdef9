//! The health of recorded drives, as people and scripts ask for it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::golden;
use crate::program::{sanqu, shared};

fn store() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    golden::copy(&golden::store(), &store);
    (folder, store)
}

fn sealed(store: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = golden::files(store).into_iter().filter(|path| !path.components().any(|part| part.as_os_str() == "derived"));
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

fn table_of(store: &Path) -> PathBuf {
    golden::files(store).into_iter().find(|path| path.ends_with("derived/drive_health.parquet")).unwrap()
}

/// The quantities of a drive in a JSON report.
fn quantities<'a>(report: &'a Value, motor: &str) -> &'a Vec<Value> {
    let drives = report["episodes"][0]["robots"][0]["drives"].as_array().unwrap();
    drives.iter().find(|drive| drive["motor"] == motor).unwrap()["quantities"].as_array().unwrap()
}

#[test]
fn drives_are_assessed_and_what_was_sealed_stays() {
    let (_folder, store) = store();
    let path = store.to_str().unwrap();
    let before = sealed(&store);
    let table = sanqu(["drives", "last", "--store", path]).exits(0);
    for part in ["walker-s-01", "L_shoulder_roll", "not identifiable", "kuavo-01: not assessed", "no motor stream"] {
        assert!(table.stdout.contains(part), "{part}\n{}", table.stdout);
    }
    let written = fs::read(table_of(&store)).unwrap();
    let report = sanqu(["drives", "last", "--store", path, "--json"]).exits(0).json();
    assert!(fs::read(table_of(&store)).unwrap() == written, "asking again writes the same bytes");
    assert!(sealed(&store) == before, "the episode's own files have changed");
    sanqu(["verify", path]).exits(0);
    // What the simulation had: 31 kN·m/rad, ratio −100.
    let lines = quantities(&report, "L_shoulder_roll");
    let stiffness = lines.iter().find(|line| line["name"] == "stiffness_1").unwrap();
    let (value, sigma) = (stiffness["value"].as_f64().unwrap(), stiffness["sigma"].as_f64().unwrap());
    assert!((value - 31_000.0).abs() < 3.0 * sigma && sigma < 2000.0, "{stiffness}");
    let ratio = quantities(&report, "L_elbow_roll").iter().find(|line| line["name"] == "ratio").unwrap();
    assert!((ratio["value"].as_f64().unwrap() + 100.0).abs() < 0.2, "{ratio}");
    for line in lines {
        let known = line["value"].is_number();
        assert!(known == line["sigma"].is_number() && known == line["reason"].is_null() && known == line["samples"].is_number(), "{line}");
        assert!(line["unit"].is_string() && line["doubts"].is_array(), "{line}");
        assert!(known || line["reason"]["code"].as_str().is_some_and(|code| !code.is_empty()), "{line}");
    }
    let detailed = sanqu(["drives", "last", "--store", path, "--joint", "L_shoulder_roll_joint", "--dry-run"]).exits(0).stdout;
    assert!(detailed.contains("stiffness 1") && !detailed.contains("L_elbow_roll"), "{detailed}");
}

#[test]
fn a_dry_run_writes_nothing_and_what_cannot_be_told_is_said() {
    let (_folder, store) = store();
    let path = store.to_str().unwrap();
    sanqu(["drives", "last", "--store", path, "--dry-run"]).exits(0);
    assert!(golden::files(&store).iter().all(|path| !path.ends_with("drive_health.parquet")));
    sanqu(["drives", "last", "--store", path, "--joint", "tail"]).exits(1).complains(&["\"tail\"", "L_knee_pitch"]);
    sanqu(["drives", "nope", "--store", path]).exits(1).complains(&["no episode \"nope\""]);
    sanqu(["drives"]).exits(2);
    for (name, complaint) in [("drives.toml", "no drive table"), ("robot.urdf", "robot.urdf")] {
        for file in golden::files(&store.join("robots")).into_iter().filter(|file| file.ends_with(name)) {
            fs::remove_file(file).unwrap();
        }
        sanqu(["drives", "last", "--store", path]).exits(1).complains(&["nothing can be said", complaint, "no motor stream"]);
        golden::copy(&golden::store(), &store);
    }
    // A folder out of its store has no descriptions.
    let episode = table_folder(&store);
    let alone = store.with_file_name("alone").join(episode.file_name().unwrap());
    golden::copy(&episode, &alone);
    sanqu(["drives", alone.to_str().unwrap()]).exits(1).complains(&["is not in a store"]);
    sanqu(["drives", episode.to_str().unwrap(), "--dry-run"]).exits(0);
}

fn table_folder(store: &Path) -> PathBuf {
    golden::files(store).into_iter().find(|path| path.ends_with("manifest.json")).unwrap().parent().unwrap().to_path_buf()
}

#[test]
fn several_episodes_give_a_trend_of_each_part() {
    let (_folder, store) = store();
    // The same episode again, ten days later, under another id.
    let first = table_folder(&store);
    let second = first.with_file_name("01M8XX9X80000000000000001A");
    golden::copy(&first, &second);
    let manifest = fs::read_to_string(second.join("manifest.json")).unwrap();
    let start: i64 = manifest.split("\"start_ns\": \"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let later = start + 10 * 86_400_000_000_000;
    let text = manifest.replace("01M7XX9X80000000000000001A", "01M8XX9X80000000000000001A");
    fs::write(second.join("manifest.json"), text.replace(&format!("\"start_ns\": \"{start}\""), &format!("\"start_ns\": \"{later}\"")))
        .unwrap();
    let arguments = ["drives", "01M7", "01M8", "01M7", "--store", store.to_str().unwrap(), "--dry-run"];
    let said = sanqu(arguments).exits(0).stdout;
    assert!(said.contains("change a day") && said.contains("followed by robot and motor"), "{said}");
    let report = sanqu(arguments.into_iter().chain(["--json"])).exits(0).json();
    assert_eq!(report["episodes"].as_array().unwrap().len(), 2, "an episode named twice counts once");
    let trends = report["trends"].as_array().unwrap();
    let windup = trends.iter().find(|trend| trend["motor"] == "L_elbow_roll" && trend["quantity"] == "windup").unwrap();
    assert!(windup["serial"].is_null() && windup["episodes"] == 2 && windup["per_day"] == 0.0, "{windup}");
    assert!(windup["sigma_per_day"].as_f64().unwrap() > 0.0, "{windup}");
    // With serial numbers in the description the part is followed by its own.
    let tables = golden::files(&store.join("robots")).into_iter().filter(|file| file.ends_with("drives.toml"));
    for file in tables {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("motor = \"L_elbow_roll\"", "motor = \"L_elbow_roll\"\nserial = \"WS-0815\"")).unwrap();
    }
    let said = sanqu(arguments.into_iter().chain(["--joint", "L_elbow_roll"])).exits(0).stdout;
    assert!(said.contains("WS-0815") && !said.contains("followed by robot and motor"), "{said}");
}

#[test]
fn an_imported_bag_without_motors_is_refused_with_the_reason() {
    let Some(bag) = shared("drives of a bag", "data/kuavo/vr_session_20250419_group1.bag") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let path = store.to_str().unwrap();
    sanqu(["import", "rosbag", bag.to_str().unwrap(), "--store", path]);
    let said = sanqu(["drives", "last", "--store", path]);
    assert!(said.code == 0 || said.stderr.contains("stream"), "{}\n{}", said.stdout, said.stderr);
}
