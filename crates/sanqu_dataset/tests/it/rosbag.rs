use std::path::{Path, PathBuf};

use sanqu_dataset::{ActionSource, DatasetError, LerobotOptions, RosbagOptions, export_lerobot, import_rosbag};
use sanqu_model::{FieldConfig, Manifest};
use sanqu_store::Store;

use crate::bags::BagMaker;
use crate::recording::{id, store};

/// Bits of the first message's first joint position, as another reader of bags gives them.
const FIRST_Q: u64 = 4_573_482_211_422_662_713;

pub(crate) const FIELD: &str = r#"
    field = "desk"
    name = "桌面"
    time_zone = "Asia/Shanghai"
    [[zones]]
    id = "commerce"
    name = "商业服务"
    name_en = "Commerce"
    colour = [0.2, 0.4, 0.8]
    [[zones.scenes]]
    id = "guided-tour"
    name = "导览"
    name_en = "Guided tour"
    [[zones.scenes.stations]]
    id = "c01"
    position_m = [0.0, 0.0]
    heading_rad = 0.0
    robots = ["kuavo-01"]
    [[robots]]
    id = "kuavo-01"
    name = "夸父 01"
    model = "kuavo-s45"
"#;

fn import(store: &Store, bags: &[PathBuf]) -> Result<Vec<Manifest>, DatasetError> {
    let field = FieldConfig::parse(FIELD).unwrap();
    let options = RosbagOptions { field, robot: None, station: None, task: None, operator: None, robots_dir: None };
    import_rosbag(store, bags, &options, &mut |_| ())
}

/// The folder of shared test data, or none where tests that need it are skipped.
pub(crate) fn shared(test: &str) -> Option<PathBuf> {
    match std::env::var_os("SANQU_SHARED") {
        Some(path) => Some(PathBuf::from(path)),
        None if std::env::var_os("SANQU_REQUIRE_SHARED").is_some_and(|v| v == "1") => panic!("{test}: SANQU_SHARED is not set"),
        None => {
            #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
            {
                eprintln!("SKIPPED {test}: SANQU_SHARED is not set");
            }
            None
        }
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn maker() -> BagMaker {
    let messages = (0..50).map(|i| (i + 1, 1_745_051_172_000_000_000 + u64::from(i) * 10_000_000, vec![f64::from(i); 14])).collect();
    BagMaker { messages, topic: "/kuavo_arm_traj" }
}

#[test]
fn a_real_bag_of_kuavo_becomes_an_episode() {
    let Some(shared) = shared("a_real_bag_of_kuavo_becomes_an_episode") else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let bags = ["group1", "group2"].map(|group| shared.join(format!("data/kuavo/vr_session_20250419_{group}.bag")));
    let manifests = import(&store, &bags).unwrap();
    assert_eq!(manifests.len(), 1, "the bags overlap");
    let manifest = &manifests[0];
    let stream = |name: &str| manifest.streams.iter().find(|s| s.stream.as_str() == name).unwrap();
    for (name, rows, expected) in [
        ("joint", 3508, Some(3508)),
        ("imu/torso", 3508, Some(3508)),
        ("command", 577, Some(577)),
        ("teleop/bone-poses", 505, None),
        ("teleop/joystick", 505, None),
    ] {
        let entry = stream(name);
        assert_eq!((entry.rows, entry.expected, entry.received, entry.lost.total()), (rows, expected, rows, 0), "{name}");
        assert_eq!(entry.rows_in_episode, rows, "{name}");
    }
    assert_eq!((manifest.ended_by.as_str(), manifest.station.as_str()), ("import", "c01"));
    let episode = store.find("last").unwrap();
    let series = episode.series(stream("joint"), "pos").unwrap();
    assert_eq!((series.t_ns[0], series.names[12].as_str()), (1_745_051_172_442_595_854, "zarm_l1_joint"));
    assert_eq!(series.values[0].to_bits(), FIRST_Q);
    let command = episode.series(stream("command"), "pos").unwrap();
    assert_eq!(command.names[7], "zarm_r1_joint");
    assert_eq!(stream("joint").facts["effort_rule"], "kuavo-torque/1");
    assert!(sanqu_store::verify(store.root()).unwrap().issues.is_empty());

    // A dataset without cameras: a fixed grid, from the first command on.
    let out = dir.path().join("set");
    let report = export_lerobot(&store, &[episode], &LerobotOptions { out, fps: 30, robot: None }, &mut |_| ()).unwrap();
    assert_eq!((report.episodes, report.action), (1, ActionSource::Command), "{report}");
    assert!(
        (170..=175).contains(&report.rows) && !report.is_lossy() && report.to_string().contains("left out: no command yet"),
        "{report}"
    );

    let error = import(&store, &bags).unwrap_err().to_string();
    assert!(error.contains("already in the store"), "{error}");
}

#[test]
fn the_rest_of_a_killed_import_is_no_complete_import() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let bags = [write(dir.path(), "a.bag", &maker().plain())];
    import(&store, &bags).unwrap();
    let manifest = store.find("last").unwrap().dir().join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("\"ended_by\": \"import\"", "\"ended_by\": \"recovered\"");
    std::fs::write(&manifest, text).unwrap();
    let error = import(&store, &bags).unwrap_err().to_string();
    assert!(error.contains("incomplete") && error.contains("import again"), "{error}");
}

#[test]
fn compressed_bags_hold_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let lz4 = |content: &[u8]| {
        // One uncompressed block: LZ4 by form.
        let mut frame = vec![4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
        frame.extend((u32::try_from(content.len()).unwrap() | 0x8000_0000).to_le_bytes());
        frame.extend(content);
        frame.extend([0; 4]);
        ("lz4", frame)
    };
    let manifest = import(&store, &[write(dir.path(), "a.bag", &maker().bytes(lz4))]).unwrap().remove(0);
    assert_eq!((manifest.streams[0].rows, manifest.streams[0].expected), (50, Some(50)));
}

#[test]
fn missing_sequences_are_lost_rows_of_unknown_cause() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut maker = maker();
    maker.messages.drain(20..23);
    let manifest = import(&store, &[write(dir.path(), "gap.bag", &maker.plain())]).unwrap().remove(0);
    let entry = &manifest.streams[0];
    assert_eq!((entry.rows, entry.expected, entry.lost.unknown, entry.lost.total()), (47, Some(50), 3, 3));
}

#[test]
fn unnumbered_messages_are_not_claimed_to_be_complete() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut maker = maker();
    maker.messages.iter_mut().for_each(|(seq, _, _)| *seq = 0);
    let manifest = import(&store, &[write(dir.path(), "zero.bag", &maker.plain())]).unwrap().remove(0);
    assert_eq!((manifest.streams[0].rows, manifest.streams[0].expected), (50, None));
    assert!(manifest.streams[0].facts["seq"].contains("does not number"));
}

#[test]
fn cut_off_bags_name_file_and_byte() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let whole = maker().plain();
    for cut in (0..whole.len()).step_by(7) {
        let error = import(&store, &[write(dir.path(), "cut.bag", &whole[..cut])]).unwrap_err().to_string();
        assert!(error.contains("cut.bag") && error.contains("at byte"), "{cut}: {error}");
    }
    assert!(store.journals().unwrap().is_empty() && store.episodes().unwrap().is_empty(), "nothing was written");
}

#[test]
fn damaged_bags_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut maker = maker();
    maker.messages.truncate(2);
    let whole = maker.plain();
    // The second bag is never one, so that nothing is written whatever the first turns into.
    let no_bag = write(dir.path(), "no.bag", b"no bag");
    for at in (0..whole.len()).step_by(3) {
        for value in [0xff, 0x00] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let error = import(&store, &[write(dir.path(), "bad.bag", &bytes), no_bag.clone()]).unwrap_err().to_string();
            assert!(error.contains(".bag"), "{at}: {error}");
        }
    }
}

#[test]
fn options_that_do_not_fit_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let bag = write(dir.path(), "a.bag", &maker().plain());
    let mut options = RosbagOptions {
        field: FieldConfig::parse(FIELD).unwrap(),
        robot: Some(id("kuavo-09")),
        station: None,
        task: None,
        operator: None,
        robots_dir: None,
    };
    let error = import_rosbag(&store, std::slice::from_ref(&bag), &options, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("kuavo-09"), "{error}");
    options.robot = None;
    options.task = Some(id("tour"));
    let error = import_rosbag(&store, &[bag], &options, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("task") && error.contains("tour"), "{error}");
    let other = BagMaker { topic: "/tf", ..maker() };
    let error = import(&store, &[write(dir.path(), "tf.bag", &other.plain())]).unwrap_err().to_string();
    assert!(error.contains("no message on any topic"), "{error}");
}
