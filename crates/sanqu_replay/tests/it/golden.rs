//! The committed episode replays: two robots, every link where kinematics puts it for the recorded row.

use std::path::{Path, PathBuf};

use sanqu_replay::load::{LoadOptions, load};
use sanqu_replay::replay::Posture;
use sanqu_robot::LinkPoses;
use sanqu_store::Store;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_committed_episode_replays_as_it_was_recorded() {
    let root = repository().join("recordings/golden/v1/store");
    let options = LoadOptions {
        episodes: vec!["last".to_owned()],
        store: Some(root.clone()),
        assets: vec![repository().join("assets")],
        ..LoadOptions::default()
    };
    let loaded = load(&options).unwrap();
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
