//! The committed episode replays: two robots, every link where kinematics puts it for the recorded row.

use std::path::{Path, PathBuf};

use sanqu_replay::load::{LoadOptions, Loaded, load};
use sanqu_replay::replay::Posture;
use sanqu_replay::xray::{Log, Moment, RotorSource};
use sanqu_robot::LinkPoses;
use sanqu_store::Store;

use crate::xray::stage;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The store's folder, and its episode.
fn golden() -> (PathBuf, Loaded) {
    let root = repository().join("recordings/golden/v1/store");
    let loaded = load(&LoadOptions { store: Some(root.clone()), ..options("last") }).unwrap();
    (root, loaded)
}

fn options(episode: &str) -> LoadOptions {
    LoadOptions { episodes: vec![episode.to_owned()], assets: vec![repository().join("assets")], ..LoadOptions::default() }
}

#[test]
fn the_committed_episode_replays_as_it_was_recorded() {
    let (root, loaded) = golden();
    let names: Vec<&str> = loaded.replay.robots.iter().map(|record| record.robot.as_str()).collect();
    assert_eq!(names, ["kuavo-01", "walker-s-01"]);
    let episode = Store::open(&root).unwrap().find("last").unwrap();
    for record in &loaded.replay.robots {
        let series = episode.series(episode.stream(&record.robot, "joint").unwrap(), "pos").unwrap();
        assert_eq!(series.rows(), 200, "two seconds at 100 Hz");
        for row in [0, 57, 199] {
            let mut posture = Posture::default();
            let held = record.posture_at(series.t_ns[row], &mut posture).unwrap();
            assert_eq!((held.row, held.in_gap), (Some(row), false));
            for (name, value) in series.names.iter().zip(series.row(row)) {
                let joint = record.model.joint_index(name).unwrap_or_else(|| panic!("{name} is no joint of {}", record.robot));
                assert_eq!(posture.q[joint].to_bits(), value.to_bits(), "{name} of {} in row {row}", record.robot);
            }
            let mut expected = LinkPoses::default();
            record.model.link_poses(&posture.q, &posture.links[0], &mut expected).unwrap();
            assert_eq!(posture.links[..], expected[..], "the base is link 0; all others follow from it");
        }
    }
}

#[test]
fn what_an_x_ray_reads_of_a_drive_is_what_its_columns_hold() {
    let (root, loaded) = golden();
    let record = loaded.replay.robots.iter().find(|record| record.robot.as_str() == "walker-s-01").unwrap();
    let drives = record.drives.as_ref().unwrap();
    let ankle = record.model.joint_index("L_ankle_pitch_joint").unwrap();
    // Two motors, in the table's order; the file's is another.
    let picked: Vec<usize> = drives.of_joint(&record.model, ankle).into_iter().rev().collect();
    assert_eq!(picked.len(), 2);
    let telemetry = drives.telemetry(&picked).unwrap();
    let episode = Store::open(&root).unwrap().find("last").unwrap();
    let check = |log: &Log, stream: &str, quantity: &str| {
        let series = episode.series(episode.stream(&record.robot, stream).unwrap(), quantity).unwrap();
        assert_eq!(log.rows(), series.rows());
        for (element, name) in log.names.iter().enumerate() {
            let column = series.names.iter().position(|known| known == name).unwrap();
            for row in [0, 99, series.rows() - 1] {
                let found = log.value(quantity, element, row).unwrap();
                assert_eq!(found.to_bits(), series.row(row)[column].to_bits(), "{stream} {name}.{quantity}, row {row}");
                assert_eq!(log.t_ns(row), Some(series.t_ns[row]));
            }
        }
    };
    let (motor, joint) = (telemetry.motor.unwrap(), telemetry.joint.unwrap());
    let motors: Vec<&str> = picked.iter().map(|drive| drives.table.drives()[*drive].motor.as_str()).collect();
    assert_eq!(motor.names, motors);
    for quantity in ["pos", "vel", "current", "torque", "temp"] {
        check(&motor, "motor", quantity);
    }
    for quantity in ["pos", "vel", "effort"] {
        check(&joint, "joint", quantity);
    }
    assert_eq!((motor.unit("current"), motor.unit("effort"), motor.problem()), (Some("A"), None, None));
}

#[test]
fn motor_rows_that_cannot_be_read_are_told_and_no_rotor_counts_as_recorded() {
    let (root, _) = golden();
    let episode = Store::open(&root).unwrap().find("last").unwrap();
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(episode.dir()).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    // Times come first in the file, then positions; the directory is at the end.
    let path = copy.path().join("walker-s-01.motor.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    let damaged = bytes.len() / 16..bytes.len() / 2;
    bytes[damaged].fill(0xaa);
    std::fs::write(&path, bytes).unwrap();
    let replay = load(&options(copy.path().to_str().unwrap())).unwrap().replay;
    let app = stage(replay, "walker-s-01:R_hip_pitch_joint");
    let moment = app.world().resource::<Moment>();
    let problem = moment.problem.as_ref().unwrap();
    assert!(problem.contains("walker-s-01.motor.parquet") && problem.contains("rows 0 to 200"), "{problem}");
    assert!(moment.is_stale(0) && moment.drives[0].source == RotorSource::Computed, "{moment:?}");
}
