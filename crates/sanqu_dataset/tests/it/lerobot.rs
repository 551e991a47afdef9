use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use sanqu_dataset::{ActionSource, LerobotOptions, LerobotReport, export_lerobot};
use sanqu_store::mp4::Mp4Reader;
use sanqu_store::{Episode, Store};

use crate::recording::{Camera, Recording, START_NS, column, id, number_in, position, store};

fn export(store: &Store, episodes: &[Episode], out: &Path) -> Result<LerobotReport, sanqu_dataset::DatasetError> {
    export_lerobot(store, episodes, &LerobotOptions { out: out.to_owned(), fps: 30, robot: None }, &mut |_| ())
}

fn ints(path: &Path, name: &str) -> Vec<i64> {
    column(path, name).as_primitive::<Int64Type>().values().to_vec()
}

fn data(out: &Path) -> PathBuf {
    out.join("data/chunk-000/file-000.parquet")
}

fn episodes(out: &Path) -> PathBuf {
    out.join("meta/episodes/chunk-000/file-000.parquet")
}

/// Every row's picture, found as the loader finds it, shows the number that the row says.
fn check_pictures(out: &Path, camera: &str) -> usize {
    let video = Mp4Reader::open(&out.join(format!("videos/observation.images.{camera}/chunk-000/file-000.mp4"))).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let shown: Vec<u64> = (0..video.len())
        .map(|i| {
            assert_eq!(video.samples()[i].pts, i64::try_from(i).unwrap() * 512, "pts of frame {i}");
            let unit = video.frame(i).unwrap();
            let picture = decoder.decode(&unit).unwrap().unwrap();
            number_in(picture.y(), picture.strides().0)
        })
        .collect();
    let from = column(&episodes(out), &format!("videos/observation.images.{camera}/from_timestamp"));
    let from: Vec<f64> = from.as_primitive::<Float64Type>().values().to_vec();
    let frame_at = |seconds: f64| (0..video.len()).find(|frame| (*frame as f64 / 30.0 - seconds).abs() < 1e-4).unwrap();
    assert_eq!(video.timescale(), 30 * 512);
    let numbers = ints(&data(out), &format!("source.{camera}_seq"));
    let (episode, row) = (ints(&data(out), "episode_index"), ints(&data(out), "frame_index"));
    for ((number, episode), row) in numbers.iter().zip(&episode).zip(&row) {
        let frame = frame_at(from[usize::try_from(*episode).unwrap()]) + usize::try_from(*row).unwrap();
        assert_eq!(shown[frame], u64::try_from(*number).unwrap(), "episode {episode} row {row} of {camera}");
    }
    numbers.len()
}

#[test]
fn rows_show_the_pictures_and_states_of_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let recorded: Vec<Episode> = [1, 2].map(|number| Recording { number, ..Recording::default() }.seal(&store)).into();
    let out = dir.path().join("set");
    let report = export(&store, &recorded, &out).unwrap();
    assert_eq!((report.episodes, report.rows, report.action), (2, 240, ActionSource::NextState), "{report}");
    // The wrist's frame of the last row lies behind the stop.
    assert!(!report.is_lossy() && report.to_string().contains("rows 120..=120 trimmed at the edge: camera wrist"), "{report}");
    assert_eq!((check_pictures(&out, "head"), check_pictures(&out, "wrist")), (240, 240));

    let (times, ages) = (ints(&data(&out), "time.capture_ns"), ints(&data(&out), "time.state_age_ns"));
    let state = column(&data(&out), "observation.state");
    let state = state.as_fixed_size_list().values().as_primitive::<Float32Type>().values().to_vec();
    for (row, values) in state.chunks(3).enumerate() {
        assert!((0..5_000_000).contains(&ages[row]));
        for (joint, value) in values.iter().enumerate() {
            let expected = position(joint, times[row] - ages[row]);
            assert!((f64::from(*value) - expected).abs() < 1e-7, "row {row}, joint {joint}");
        }
    }
    let action = column(&data(&out), "action");
    let action = action.as_fixed_size_list().values().as_primitive::<Float32Type>().values().to_vec();
    assert_eq!(action[..119 * 3], state[3..120 * 3], "the next row's state");
    assert_eq!(times[0], START_NS + 100_000_000_000, "the first frame at the start");
    assert_eq!(ints(&data(&out), "index"), (0..240).collect::<Vec<_>>());
    let source = column(&episodes(&out), "sanqu/episode");
    assert_eq!(source.as_string::<i32>().value(1), recorded[1].manifest().episode.to_string());
    let info: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(out.join("meta/info.json")).unwrap()).unwrap();
    assert_eq!(info["features"]["observation.state"]["names"], serde_json::json!(["l_hip.pos", "l_knee.pos", "l_ankle.pos"]));
    assert!(!dir.path().join("set.tmp").exists());
}

#[test]
fn a_robots_wrong_clock_changes_no_row() {
    const MS: i64 = 1_000_000;
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut sets = Vec::new();
    for (number, wrong_ns) in [(1, 0), (2, 300_000 * MS), (3, -300_000 * MS)] {
        let recorded = Recording { number, wrong_ns, ..Recording::default() }.seal(&store);
        let start_ns = recorded.manifest().start_ns;
        let out = dir.path().join(number.to_string());
        let report = export(&store, &[recorded], &out).unwrap();
        assert!(!report.is_lossy(), "{report}");
        assert_eq!((check_pictures(&out, "head"), check_pictures(&out, "wrist")), (120, 120));
        let moved_ns = if wrong_ns == 0 { 0 } else { MS };
        let times: Vec<i64> = ints(&data(&out), "time.capture_ns").iter().map(|t| t - start_ns - moved_ns).collect();
        let state = column(&data(&out), "observation.state");
        let state = state.as_fixed_size_list().values().as_primitive::<Float32Type>().values().to_vec();
        let ages = ints(&data(&out), "time.state_age_ns");
        for (row, value) in state.iter().step_by(3).enumerate() {
            let expected = position(0, start_ns + times[row] - ages[row]);
            assert!((f64::from(*value) - expected).abs() < 1e-7, "row {row} of {number}");
        }
        sets.push((times, ages, ints(&data(&out), "source.head_seq"), ints(&data(&out), "source.wrist_seq")));
    }
    assert!(sets[1] == sets[0] && sets[2] == sets[0], "the same rows, whatever the clock said");
}

#[test]
fn a_lost_frame_splits_the_episode_and_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let cameras = vec![Camera { name: "head", phase_ns: 0, lost: vec![] }, Camera { name: "wrist", phase_ns: 0, lost: vec![64] }];
    let recorded = Recording { cameras, ..Recording::default() }.seal(&store);
    let out = dir.path().join("set");
    let report = export(&store, &[recorded], &out).unwrap();
    // Frame 64 is row 54; pictures are whole again from keyframe 75, row 65.
    let text = report.to_string();
    assert_eq!((report.episodes, report.rows), (2, 54 + 121 - 65), "{text}");
    assert!(report.is_lossy() && text.contains("split, rows 54..=64 dropped: camera wrist lost frames between number 63 and 65"), "{text}");
    assert_eq!((check_pictures(&out, "head"), check_pictures(&out, "wrist")), (110, 110));
}

#[test]
fn an_episode_without_rows_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let camera = |lost| vec![Camera { name: "head", phase_ns: 0, lost }];
    let good = Recording { cameras: camera(vec![]), ..Recording::default() }.seal(&store);
    let unplugged = Recording { cameras: camera((0..1000).collect()), number: 2, ..Recording::default() }.seal(&store);
    let name = unplugged.manifest().episode.to_string();
    let why = format!("episode {name}: left out, walker-s-01 camera/head has no row");
    let report = export(&store, &[unplugged.clone(), good], &dir.path().join("set")).unwrap();
    assert!(report.episodes == 1 && report.is_lossy() && report.to_string().contains(&why), "{report}");
    let error = export(&store, &[unplugged], &dir.path().join("other")).unwrap_err().to_string();
    assert!(error.contains(&why), "{error}");
}

#[test]
fn commands_are_actions_from_the_first_one_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let recorded = Recording { command_from_ns: Some(1_000_000_000), cameras: vec![], ..Recording::default() }.seal(&store);
    let out = dir.path().join("set");
    let report = export(&store, &[recorded], &out).unwrap();
    assert_eq!((report.episodes, report.rows, report.action), (1, 90, ActionSource::Command), "{report}");
    assert!(!report.is_lossy() && report.to_string().contains("rows 0..=29 left out: no command yet"), "{report}");
    assert!(ints(&data(&out), "time.action_age_ns").iter().all(|age| (0..5_000_000).contains(age)));
    assert!(!out.join("videos").exists());
}

#[test]
fn episodes_that_do_not_fit_together_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let cameras = || vec![];
    let one = Recording { cameras: cameras(), ..Recording::default() }.seal(&store);
    let two = Recording { cameras: cameras(), joints: vec!["l_hip_joint"], number: 2, ..Recording::default() }.seal(&store);
    let other = Recording { cameras: cameras(), robot: "kuavo-01", model: "kuavo-s45", number: 3, ..Recording::default() }.seal(&store);
    let refused = |episodes: &[Episode]| export(&store, episodes, &dir.path().join("set")).unwrap_err().to_string();
    let name = |episode: &Episode| episode.manifest().episode.to_string();
    let error = refused(&[one.clone(), two.clone()]);
    assert!(error.contains(&name(&two)) && error.contains("stream joint") && error.contains("1 joints l_hip_joint"), "{error}");
    let error = refused(&[one.clone(), other.clone()]);
    assert!(error.contains(&name(&other)) && error.contains("expected walker-s") && error.contains("found kuavo-s45"), "{error}");
    assert!(!dir.path().join("set.tmp").exists(), "a refused export leaves nothing");

    let options = LerobotOptions { out: dir.path().join("set"), fps: 30, robot: Some(id("kuavo-01")) };
    let report = export_lerobot(&store, &[one.clone(), other], &options, &mut |_| ()).unwrap();
    assert_eq!((report.episodes, report.skipped), (1, vec![name(&one)]));
    assert!(refused(&[one]).contains("not empty"));
}

#[test]
fn a_dataset_of_another_rate_than_its_cameras_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let recorded = Recording::default().seal(&store);
    let options = LerobotOptions { out: dir.path().join("set"), fps: 10, robot: None };
    let error = export_lerobot(&store, &[recorded], &options, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("camera/head") && error.contains("30.00 frames a second"), "{error}");
}
