//! Bad input: each gets an error that names what and where, exit code 1, and damages nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::golden;
use crate::program::{Running, assets, recorder, sanqu, shared};

/// A copy of the committed episode that a test may damage.
fn store() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    golden::copy(&golden::store(), &store);
    (folder, store)
}

fn file_of(store: &Path, suffix: &str) -> PathBuf {
    golden::files(store)
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(suffix))
        .unwrap_or_else(|| panic!("no {suffix} in {}", store.display()))
}

fn truncate(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() * 2 / 3]).unwrap();
}

#[test]
fn truncated_files_are_found_and_named() {
    for suffix in ["kuavo-01.joint.parquet", "walker-s-01.camera.head.mp4", "manifest.json", "loss.parquet"] {
        let (_folder, store) = store();
        let path = file_of(&store, suffix);
        truncate(&path);
        let said = sanqu(["verify", store.to_str().unwrap()]);
        assert!(said.code == 1 || said.code == 3, "{suffix}: exit code {}", said.code);
        assert!(format!("{}{}", said.stdout, said.stderr).contains(suffix), "{suffix} should be named:\n{}\n{}", said.stdout, said.stderr);
        let after = fs::read(&path).unwrap().len();
        assert!(after > 0, "verify changes nothing");
    }
}

#[test]
fn readers_refuse_truncated_files_by_name() {
    let (_folder, store) = store();
    let path = store.to_str().unwrap().to_owned();
    let mp4 = file_of(&store, "kuavo-01.camera.head.mp4");
    truncate(&mp4);
    sanqu(["info", mp4.to_str().unwrap()]).exits(1).complains(&["kuavo-01.camera.head.mp4"]);
    let out = store.with_file_name("dataset");
    sanqu(["export", "lerobot", "--store", &path, "--robot", "kuavo-01", "--out", out.to_str().unwrap()])
        .exits(1)
        .complains(&["kuavo-01.camera.head.mp4"]);
    assert!(!out.exists(), "nothing half-written is left under the name that was asked for");
    truncate(&file_of(&store, "manifest.json"));
    sanqu(["info", "last", "--store", &path]).exits(1).complains(&["manifest.json"]);
}

/// Changes one byte in the middle: files that can still be read, with other values.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_damaged_is_neither_trained_on_nor_silently_left_out() {
    let (_folder, store) = store();
    let path = store.to_str().unwrap();
    let out = store.with_file_name("dataset");
    let export = ["export", "lerobot", "--store", path, "--robot", "kuavo-01", "--out", out.to_str().unwrap()];
    flip(&file_of(&store, "kuavo-01.joint.parquet"));
    sanqu(export).exits(1).complains(&["kuavo-01.joint.parquet", "SHA-256"]);
    assert!(!out.exists());
    fs::remove_file(file_of(&store, "loss.parquet")).unwrap();
    sanqu(["info", "last", "--store", path]).exits(1).complains(&["loss.parquet"]);
    truncate(&file_of(&store, "manifest.json"));
    sanqu(["ls", path]).exits(1).complains(&["manifest.json"]);
    sanqu(["sql", path, "SELECT count(*) AS n FROM episodes"]).exits(3).complains(&["left out", "manifest.json"]);
    sanqu(["verify", store.parent().unwrap().to_str().unwrap()]).exits(1).complains(&["neither a store", "manifest.json"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let path = golden::store();
    let path = path.to_str().unwrap();
    for format in ["table", "csv", "json"] {
        let query = Running::start(["sql", path, "SELECT * FROM joint", "--format", format]);
        assert_eq!(query.hang_up(), 0, "{format}");
    }
}

#[test]
fn a_full_disk_behind_stdout_is_said() {
    let path = golden::store();
    let path = path.to_str().unwrap();
    for arguments in [vec!["completions", "bash"], vec!["ls", path], vec!["sql", path, "SELECT 1 AS one"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let said = std::process::Command::new(env!("CARGO_BIN_EXE_sanqu")).args(&arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert!(said.status.code() == Some(1) && stderr.contains("No space left"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn paths_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join(OsStr::from_bytes(b"\xff \xe5\xa4\xb8"));
    golden::copy(&golden::store(), &store);
    let listed = sanqu([OsStr::new("ls"), store.as_os_str(), OsStr::new("--json")]).exits(0).json();
    assert_eq!(listed["episodes"].as_array().unwrap().len(), 1);
    sanqu([OsStr::new("verify"), store.as_os_str(), OsStr::new("--json")]).exits(0).json();
    let video = file_of(&store, "head.mp4");
    assert!(sanqu([OsStr::new("info"), video.as_os_str()]).exits(0).stdout.contains("frames"));
}

#[test]
fn a_truncated_bag_is_refused_and_leaves_no_episode() {
    let Some(bag) = shared("a_truncated_bag_is_refused_and_leaves_no_episode", "data/kuavo/vr_session_20250419_group1.bag") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (cut, store) = (folder.path().join("cut.bag"), folder.path().join("store"));
    let bytes = fs::read(bag).unwrap();
    for length in [0, 10, 5_000, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&cut, &bytes[..length]).unwrap();
        sanqu(["import", "rosbag", cut.to_str().unwrap(), "--store", store.to_str().unwrap()]).exits(1).complains(&["cut.bag"]);
    }
    let listed = sanqu(["ls", store.to_str().unwrap(), "--json"]);
    if listed.code == 0 {
        let listed = listed.json();
        assert!(listed["episodes"].as_array().unwrap().is_empty() && listed["open_journals"].as_array().unwrap().is_empty(), "{listed}");
    }
}

#[test]
fn a_bag_of_another_kind_of_robot_is_refused() {
    let Some(bag) = shared("a_bag_of_another_kind_of_robot_is_refused", "data/kuavo/vr_session_20250419_group1.bag") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let arguments = ["import", "rosbag", bag.to_str().unwrap(), "--store", store.to_str().unwrap(), "--robot", "walker-s-01"];
    sanqu(arguments).exits(1).complains(&["/sensors_data_raw", "walker-s-01"]);
    let listed = sanqu(["ls", store.to_str().unwrap(), "--json"]).exits(0).json();
    assert!(listed["episodes"].as_array().unwrap().is_empty() && listed["open_journals"].as_array().unwrap().is_empty(), "{listed}");
}

#[test]
fn a_newer_store_is_refused_and_untouched() {
    let (_folder, store) = store();
    let about = store.join("sanqu.toml");
    let text = fs::read_to_string(&about).unwrap().replace("format_version = 1", "format_version = 99");
    fs::write(&about, &text).unwrap();
    let path = store.to_str().unwrap();
    for arguments in [
        vec!["ls", path],
        vec!["verify", path],
        vec!["repair", path],
        vec!["sql", path, "SELECT 1"],
        vec!["record", "--store", path, "--listen", "tcp/127.0.0.1:0"],
    ] {
        sanqu(arguments).exits(1).complains(&["newer", "99"]);
    }
    assert_eq!(fs::read_to_string(&about).unwrap(), text);
}

#[test]
fn what_does_not_exist_is_named_with_what_does() {
    let (folder, store) = store();
    let path = store.to_str().unwrap();
    sanqu(["ls", folder.path().join("nowhere").to_str().unwrap()]).exits(1).complains(&["nowhere"]);
    sanqu(["info", "01ZZZ", "--store", path]).exits(1).complains(&["01ZZZ"]);
    sanqu(["sim", "--robots", "r2d2", "--connect", "tcp/127.0.0.1:1"]).exits(1).complains(&["r2d2", "kuavo-01"]);
    sanqu(["import", "rosbag", "no.bag", "--store", path, "--robot", "r2d2"]).exits(1).complains(&["r2d2"]);
    sanqu(["episode", "start", "--station", "z99"]).exits(1).complains(&["z99", "a01"]);
    sanqu(["sql", path, "SELECT nothing FROM streams"]).exits(1).complains(&["nothing"]);
    sanqu(["robot", "fk", "no.urdf"]).exits(1).complains(&["no.urdf"]);
    let urdf = assets().join("robots/kuavo-s45/robot.urdf");
    sanqu(["robot", "fk", urdf.to_str().unwrap(), "--q", "elbow=1"]).exits(1).complains(&["elbow"]);
    sanqu(["frobnicate"]).exits(2);
}

#[test]
fn ports_and_folders_that_cannot_be_had_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (_recorder, endpoint) = recorder(&folder.path().join("store"), &[]);
    let other = folder.path().join("other");
    sanqu(["record", "--store", other.to_str().unwrap(), "--listen", &endpoint]).exits(1).complains(&[&endpoint]);
    sanqu(["record", "--store", other.to_str().unwrap(), "--listen", "tcp/nonsense"]).exits(1).complains(&["tcp/nonsense"]);
    // Nobody can create a folder there, not even root.
    sanqu(["record", "--store", "/proc/sanqu", "--listen", "tcp/127.0.0.1:0"]).exits(1).complains(&["/proc/sanqu"]);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    sanqu(["demo", "--seconds", "2", "--out", file.join("demo").to_str().unwrap()]).exits(1).complains(&["file/demo"]);
    sanqu(["sim", "--robots", "kuavo-01", "--connect", "tcp/127.0.0.1:1", "--seconds", "1"]).exits(1).complains(&["tcp/127.0.0.1:1"]);
}
