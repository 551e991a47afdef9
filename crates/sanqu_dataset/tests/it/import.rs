use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, Float32Array, Int64Array, StructArray};
use sanqu_dataset::{
    DatasetError, JointMap, LerobotImportOptions, LerobotImportReport, LerobotOptions, UNDATED_NS, export_lerobot, import_lerobot,
};
use sanqu_model::{FieldConfig, Manifest, StreamEntry, T};
use sanqu_store::mp4::Mp4Reader;
use sanqu_store::{Episode, Store};
use sanqu_wire::{ENCODING_AV1, ENCODING_H264};

use crate::recording::{Recording, column, store};
use crate::rosbag::{FIELD, shared};
use crate::sets::{CAMERA, ROWS, Set, value};

fn options() -> LerobotImportOptions {
    LerobotImportOptions {
        field: FieldConfig::parse(FIELD).unwrap(),
        episodes: Vec::new(),
        robot: None,
        model: None,
        station: None,
        task: None,
        operator: None,
        map: None,
        description: None,
        robots_dir: None,
        joints_of: |_| Ok(Vec::new()),
        start_ns: None,
    }
}

fn import_with(store: &Store, root: &Path, options: &LerobotImportOptions) -> LerobotImportReport {
    import_lerobot(store, &[root.to_owned()], options, &mut |_| ()).unwrap()
}

fn import(store: &Store, root: &Path) -> LerobotImportReport {
    import_with(store, root, &options())
}

fn stream<'a>(manifest: &'a Manifest, name: &str) -> &'a StreamEntry {
    manifest.streams.iter().find(|stream| stream.stream.as_str() == name).unwrap_or_else(|| panic!("no stream {name}"))
}

fn open(store: &Store, manifest: &Manifest) -> Episode {
    store.find(&manifest.episode.to_string()).unwrap()
}

/// A stream's column as it is in the store.
fn stored(episode: &Episode, stream: &StreamEntry, name: &str) -> ArrayRef {
    column(&episode.file(stream, "parquet").unwrap(), name)
}

fn times(episode: &Episode, stream: &StreamEntry) -> Vec<i64> {
    stored(episode, stream, T).as_primitive::<TimestampNanosecondType>().values().to_vec()
}

fn film(episode: &Episode, camera: &str) -> Vec<Vec<u8>> {
    let film = Mp4Reader::open(&episode.file(stream(episode.manifest(), camera), "mp4").unwrap()).unwrap();
    (0..film.len()).map(|index| film.frame(index).unwrap()).collect()
}

fn verify(store: &Store) {
    let issues = sanqu_store::verify(store.root()).unwrap().issues;
    assert!(issues.is_empty(), "{issues:?}");
}

#[test]
fn what_was_exported_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (store(&dir.path().join("a")), store(&dir.path().join("b")));
    let recording = |number| Recording { number, command_from_ns: Some(1_000_000), ..Recording::default() };
    let recorded: Vec<Episode> = [1, 2].map(|number| recording(number).seal(&source)).into();
    let set = dir.path().join("set");
    let exported = export_lerobot(&source, &recorded, &LerobotOptions { out: set.clone(), fps: 30, robot: None }, &mut |_| ()).unwrap();
    let report = import(&target, &set);
    assert!(!report.is_lossy() && report.episodes.len() == 2, "{report:?}");
    verify(&target);
    let data = set.join("data/chunk-000/file-000.parquet");
    let mut first_row = 0;
    for (imported, original) in report.episodes.iter().zip(&recorded) {
        let (manifest, episode) = (&imported.manifest, open(&target, &imported.manifest));
        let (joint, was) = (stream(manifest, "joint"), original.manifest());
        let rows = usize::try_from(joint.rows).unwrap();
        assert_eq!((&manifest.prompt, &manifest.station, &manifest.operator), (&was.prompt, &was.station, &was.operator));
        assert_eq!((&manifest.robots, manifest.facts["import.recorded_as"].as_str()), (&was.robots, was.episode.to_string().as_str()));
        assert_eq!((joint.expected, joint.rows_in_episode), (None, joint.rows));
        for (entry, feature) in [(joint, "observation.state"), (stream(manifest, "command"), "action")] {
            let list = column(&data, feature);
            let list = list.as_fixed_size_list().slice(first_row, rows);
            let expected = list.values().as_primitive::<Float32Type>().values();
            let [quantity, ..] = entry.quantities.as_slice() else { panic!("no quantity") };
            assert_eq!(
                (quantity.elements.clone(), quantity.unit.as_str()),
                (vec!["l_hip_joint".into(), "l_knee_joint".into(), "l_ankle_joint".into()], "rad")
            );
            for (at, name) in ["l_hip.pos", "l_knee.pos", "l_ankle.pos"].iter().enumerate() {
                let found = stored(&episode, entry, name);
                let found: Vec<u32> = found.as_primitive::<Float32Type>().values().iter().map(|value| value.to_bits()).collect();
                let expected: Vec<u32> = expected.iter().skip(at).step_by(3).map(|value| value.to_bits()).collect();
                assert_eq!(found, expected, "{feature} {name}");
            }
        }
        // The joint samples have the times at which they were captured, not those of the rows.
        let series = original.series(stream(was, "joint"), "pos").unwrap();
        assert!(times(&episode, joint).iter().all(|t| series.t_ns.contains(t)), "times of the recording");
        for camera in ["camera/head", "camera/wrist"] {
            let (found, all) = (film(&episode, camera), film(original, camera));
            // What leads in from the keyframe is before the start.
            let lead = found.len() - rows;
            assert!(lead > 0 && lead < 15 && stream(manifest, camera).rows_in_episode == rows as u64, "{lead} frames lead in");
            let (frames, was) = (times(&episode, stream(manifest, camera)), times(original, stream(was, camera)));
            let from = was.iter().position(|t| *t == frames[lead]).unwrap() - lead;
            assert_eq!(found, all[from..from + found.len()], "{camera}: the same pictures");
            assert_eq!(frames[lead..], was[from + lead..from + frames.len()], "{camera}: the same times");
        }
        first_row += rows;
    }
    assert_eq!(first_row, exported.rows);

    // And out again: the same rows.
    let episodes: Vec<Episode> = report.episodes.iter().map(|imported| open(&target, &imported.manifest)).collect();
    let again = dir.path().join("again");
    export_lerobot(&target, &episodes, &LerobotOptions { out: again.clone(), fps: 30, robot: None }, &mut |_| ()).unwrap();
    let again = again.join("data/chunk-000/file-000.parquet");
    for feature in ["observation.state", "action", "time.capture_ns", "time.state_age_ns", "time.head_ns"] {
        assert_eq!(&column(&data, feature), &column(&again, feature), "{feature}");
    }
}

#[test]
fn a_dataset_of_other_people_becomes_episodes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, set) = (store(&dir.path().join("store")), Set::new(dir.path(), 2));
    let report = import(&store, &set.root);
    assert!(!report.is_lossy() && report.episodes.len() == 2, "{report:?}");
    verify(&store);
    let manifest = &report.episodes[1].manifest;
    let episode = open(&store, manifest);
    assert_eq!((manifest.prompt.as_str(), manifest.ended_by.as_str(), manifest.station.as_str()), ("fold the cloth", "import", "unknown"));
    assert_eq!((manifest.robots[0].robot.as_str(), manifest.robots[0].model.as_str()), ("unitree-g1-inspire", "unitree-g1-inspire"));
    assert_eq!((manifest.start_ns, manifest.stop_ns), (UNDATED_NS + 1_000_000_000, UNDATED_NS + 2_000_000_000));
    assert!(manifest.facts["import.times"].contains("does not say when"), "{:?}", manifest.facts);
    assert_eq!((manifest.facts["import.codebase_version"].as_str(), manifest.facts["import.fps"].as_str()), ("v2.1", "30"));
    let joint = stream(manifest, "joint");
    assert_eq!((joint.rows, joint.expected, joint.received, joint.clock.id), (ROWS as u64, None, ROWS as u64, 0));
    assert_eq!(joint.quantities[0].elements, ["left_elbow_joint", "waist_yaw_joint", "kLeftHandPinky"]);
    assert_eq!((joint.quantities[0].unit.as_str(), joint.facts["unmapped.pos"].as_str()), ("", "kLeftHandPinky"));
    assert!(report.episodes[1].notes.iter().any(|note| note.contains("kLeftHandPinky")), "{:?}", report.episodes[1].notes);
    let elbow = stored(&episode, joint, "left_elbow.pos");
    assert_eq!(elbow.as_primitive::<Float32Type>().value(7).to_bits(), value(1, 7, 0).to_bits());
    let reward = stored(&episode, joint, "value.next.reward");
    assert_eq!(reward.as_primitive::<Float32Type>().value(29), 29.0);
    let command = stored(&episode, stream(manifest, "command"), "waist_yaw.pos");
    assert_eq!(command.as_primitive::<Float32Type>().value(0).to_bits(), value(1, 1, 1).to_bits());
    let camera = stream(manifest, "camera/cam-high");
    assert_eq!((camera.encoding.as_str(), camera.facts["width"].as_str()), (ENCODING_H264, "160"));
    assert_eq!(film(&episode, "camera/cam-high"), set.units());
    assert_eq!(times(&episode, camera), times(&episode, joint));
    let events: Vec<(String, String)> = episode.events().unwrap().into_iter().map(|event| (event.name, event.text)).collect();
    assert!(events.contains(&("subtask".into(), "lift".into())), "{events:?}");

    let again = import(&store, &set.root);
    assert_eq!((again.episodes.len(), again.already_there.len(), again.is_lossy()), (0, 2, false));
}

#[test]
fn options_choose_names_and_times() {
    let dir = tempfile::tempdir().unwrap();
    let (store, set) = (store(&dir.path().join("store")), Set::new(dir.path(), 2));
    let map = dir.path().join("map.toml");
    std::fs::write(&map, "unit = \"rad\"\n[joints]\nkLeftElbow = \"elbow\"\nkLeftHandPinky = \"pinky\"\n").unwrap();
    let chosen = LerobotImportOptions {
        episodes: vec![1, 7],
        robot: Some(crate::recording::id("g1-07")),
        station: Some(crate::recording::id("c01")),
        map: Some(JointMap::read(&map).unwrap()),
        start_ns: Some(1_700_000_000_000_000_000),
        ..options()
    };
    let report = import_with(&store, &set.root, &chosen);
    assert_eq!((report.episodes.len(), report.problems.len()), (1, 1), "{report:?}");
    assert_eq!((report.problems[0].episode_index, report.is_lossy()), (Some(7), true));
    let manifest = &report.episodes[0].manifest;
    let zone = manifest.zone.as_ref().map(|zone| zone.as_str());
    assert_eq!((manifest.robots[0].robot.as_str(), manifest.station.as_str(), zone), ("g1-07", "c01", Some("commerce")));
    assert_eq!(manifest.start_ns, 1_700_000_001_000_000_000);
    let quantity = &stream(manifest, "joint").quantities[0];
    assert_eq!((quantity.elements.join(" ").as_str(), quantity.unit.as_str()), ("elbow waist_yaw_joint pinky", "rad"));
    std::fs::write(&map, "[joint]\n").unwrap();
    assert!(JointMap::read(&map).unwrap_err().to_string().contains("joint"));
    let mut other = options();
    other.field.field = crate::recording::id("elsewhere");
    let error = import_lerobot(&store, &[set.root], &other, &mut |_| ()).unwrap_err();
    assert!(matches!(error, DatasetError::Option { option: "field", .. }), "{error}");
}

/// Damages episode 0 of a dataset of two; the other one must be imported all the same.
#[track_caller]
fn check_left_out(damage: impl FnOnce(&Set), parts: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (store, set) = (store(&dir.path().join("store")), Set::new(dir.path(), 2));
    damage(&set);
    let report = import(&store, &set.root);
    let numbers: Vec<u64> = report.episodes.iter().map(|imported| imported.episode_index).collect();
    assert_eq!((numbers, report.problems.len()), (vec![1], 1), "{report:?}");
    let problem = &report.problems[0];
    assert_eq!(problem.episode_index, Some(0));
    for part in parts {
        assert!(problem.reason.contains(part), "{:?} should say {part:?}", problem.reason);
    }
    assert!(store.journals().unwrap().is_empty() && report.episodes[0].defects.is_empty(), "{:?}", report.episodes[0].defects);
}

fn replace(columns: &mut [(&'static str, ArrayRef)], name: &str, change: impl FnOnce(&ArrayRef) -> ArrayRef) {
    let (_, column) = columns.iter_mut().find(|(known, _)| *known == name).unwrap();
    *column = change(column);
}

#[test]
fn an_episode_that_cannot_be_trusted_is_left_out_with_its_reason() {
    let file = "episode_000000.parquet";
    check_left_out(|set| std::fs::remove_file(set.root.join("data/chunk-000").join(file)).unwrap(), &[file]);
    let cut = |set: &Set| set.rows(0, |columns| columns.iter_mut().for_each(|(_, column)| *column = column.slice(0, ROWS - 1)));
    check_left_out(cut, &[file, "episode 0", "29 rows, expected 30"]);
    let stamp = |row: usize, value: f32| {
        move |set: &Set| {
            set.rows(0, |columns| {
                replace(columns, "timestamp", |column| {
                    let mut values = column.as_primitive::<Float32Type>().values().to_vec();
                    values[row] = value;
                    Arc::new(Float32Array::from(values))
                });
            });
        }
    };
    check_left_out(stamp(5, f32::NAN), &[file, "episode 0", "row 5", "timestamp", "NaN"]);
    check_left_out(stamp(5, 0.0), &[file, "row 5", "timestamp", "does not follow"]);
    let hole = |set: &Set| {
        set.rows(0, |columns| {
            replace(columns, "frame_index", |_| Arc::new((0..30).map(|row| Some(row + i64::from(row > 11))).collect::<Int64Array>()));
        });
    };
    check_left_out(hole, &["row 12", "frame_index", "13, expected 12"]);
    let null = |set: &Set| {
        set.rows(0, |columns| {
            replace(columns, "observation.state", |_| {
                let rows = (0..ROWS).map(|row| Some((0..3).map(|joint| (row != 4 || joint != 1).then_some(0.5)).collect::<Vec<_>>()));
                Arc::new(arrow_array::FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, 3))
            });
        });
    };
    check_left_out(null, &["episode 0", "observation.state", "row 4", "null"]);
    let narrow = |set: &Set| set.rows(0, |columns| replace(columns, "action", |_| Arc::new(Float32Array::from(vec![0.0; ROWS]))));
    check_left_out(narrow, &["field action", "1 values a row, expected 3"]);
    let scattered = |set: &Set| {
        set.rows(0, |columns| {
            replace(columns, "episode_index", |_| Arc::new((0..30).map(|row| Some(i64::from(row == 3))).collect::<Int64Array>()));
        });
    };
    check_left_out(scattered, &["episode 0", "not together"]);
}

/// Damages episode 0 of a dataset of two; it is imported with what is left, and says what is missing.
#[track_caller]
fn check_defect(damage: impl FnOnce(&Set), parts: &[&str], camera_rows: Option<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let (store, set) = (store(&dir.path().join("store")), Set::new(dir.path(), 2));
    damage(&set);
    let report = import(&store, &set.root);
    assert!(report.problems.is_empty() && report.episodes.len() == 2 && report.is_lossy(), "{report:?}");
    let imported = &report.episodes[0];
    let camera = imported.manifest.streams.iter().find(|stream| stream.stream.as_str() == "camera/cam-high").map(|stream| stream.rows);
    assert_eq!((imported.defects.len(), stream(&imported.manifest, "joint").rows, camera), (1, ROWS as u64, camera_rows), "{imported:?}");
    for part in parts {
        assert!(imported.defects[0].contains(part), "{:?} should say {part:?}", imported.defects[0]);
    }
    let events = open(&store, &imported.manifest).events().unwrap();
    assert!(events.iter().any(|event| event.name == "import_defect" && event.text == imported.defects[0]), "{events:?}");
    verify(&store);
}

#[test]
fn what_is_left_out_of_an_episode_is_an_event_in_it() {
    let file = "episode_000000.mp4";
    check_defect(|set| std::fs::remove_file(set.film_path(0)).unwrap(), &[CAMERA, file], None);
    let truncate = |set: &Set| {
        let bytes = std::fs::read(set.film_path(0)).unwrap();
        std::fs::write(set.film_path(0), &bytes[..bytes.len() / 2]).unwrap();
    };
    check_defect(truncate, &[CAMERA, file], None);
    check_defect(|set| set.film(0, ROWS - 2), &[CAMERA, file, "28 frames for 30 rows"], Some(28));
    let reward = |set: &Set| {
        set.rows(0, |columns| {
            replace(columns, "next.reward", |column| {
                let values = column.as_primitive::<Float32Type>().values();
                Arc::new(
                    values.iter().enumerate().map(|(row, value)| Some(if row == 3 { f32::NAN } else { *value })).collect::<Float32Array>(),
                )
            });
        });
    };
    check_defect(reward, &["row 3", "next.reward", "not a number"], Some(30));
    check_defect(
        |set| set.rows(0, |columns| columns.retain(|(name, _)| *name != "next.reward")),
        &["next.reward", "do not have it"],
        Some(30),
    );
    let undeclared = |set: &Set| set.rows(0, |columns| columns.push(("extra", Arc::new(Int64Array::from(vec![1; ROWS])))));
    check_defect(undeclared, &["info.json does not declare", "extra"], Some(30));
    let structure = |set: &Set| {
        let field = arrow_schema::Field::new("bytes", arrow_schema::DataType::Int64, true);
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1; ROWS]));
        set.rows(0, |columns| replace(columns, "next.reward", |_| Arc::new(StructArray::from(vec![(Arc::new(field), values)]))));
    };
    check_defect(structure, &["next.reward is left out", "not supported"], Some(30));
}

/// Damages what all episodes need: nothing is imported, and the reason is told.
#[track_caller]
fn check_refused(damage: impl FnOnce(&Set), parts: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (store, set) = (store(&dir.path().join("store")), Set::new(dir.path(), 1));
    damage(&set);
    let report = import(&store, &set.root);
    assert!(report.episodes.is_empty() && store.episodes().unwrap().is_empty(), "{report:?}");
    for part in parts {
        assert!(report.problems[0].reason.contains(part), "{:?} should say {part:?}", report.problems);
    }
}

#[test]
fn a_dataset_that_is_none_is_refused_by_name() {
    check_refused(|set| std::fs::remove_file(set.root.join("meta/info.json")).unwrap(), &["info.json"]);
    check_refused(|set| set.text("meta/info.json", "{"), &["info.json", "line 1"]);
    check_refused(|set| set.info(|info| info["codebase_version"] = "v1.6".into()), &["info.json", "v1.6", "v2.1 and v3.0"]);
    check_refused(|set| set.info(|info| info["data_path"] = "../{episode_index}".into()), &["data_path", "leads out"]);
    check_refused(|set| set.text("meta/episodes.jsonl", "{\"episode_index\": -1, \"length\": 3}"), &["episodes.jsonl", "line 1"]);
    check_refused(|set| set.text("meta/episodes.jsonl", "{\"episode_index\": 0, \"length\": 99999999}"), &["episodes.jsonl", "at most"]);
    check_refused(
        |set| set.text("meta/episodes.jsonl", &"{\"episode_index\": 0, \"length\": 30}\n".repeat(2)),
        &["episode 0 is listed twice"],
    );
    check_refused(|set| set.text("meta/tasks.jsonl", ""), &["tasks.jsonl", "no line"]);
}

#[test]
fn damaged_files_never_make_it_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (store, set) = (store(&dir.path().join("store")), Set::new(dir.path(), 1));
    // Never imported whole, so that every damage is looked at.
    set.info(|info| info["features"]["observation.state"]["shape"] = serde_json::json!([4]));
    for name in ["meta/info.json", "meta/episodes.jsonl", "meta/tasks.jsonl", "data/chunk-000/episode_000000.parquet"] {
        let path = set.root.join(name);
        let whole = std::fs::read(&path).unwrap();
        let step = whole.len() / 60 + 1;
        for at in (0..whole.len()).step_by(step) {
            for damaged in [whole[..at].to_vec(), [&whole[..at], &[0xff], &whole[at + 1..]].concat()] {
                std::fs::write(&path, damaged).unwrap();
                let _ = import_lerobot(&store, std::slice::from_ref(&set.root), &options(), &mut |_| ());
            }
        }
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_real_g1_becomes_episodes() {
    let Some(shared) = shared("a_real_g1_becomes_episodes") else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let root: PathBuf = shared.join("data/g1_lerobot_v21");
    let report = import_with(&store, &root, &LerobotImportOptions { episodes: vec![1], ..options() });
    assert!(!report.is_lossy() && report.episodes.len() == 1, "{:?}", report.problems);
    verify(&store);
    let manifest = &report.episodes[0].manifest;
    let episode = open(&store, manifest);
    assert_eq!(manifest.prompt, "Pick up the yellow bottle on the table.");
    let joint = stream(manifest, "joint");
    assert_eq!((joint.rows, joint.quantities[0].elements[3].as_str()), (297, "left_elbow_joint"));
    assert_eq!(joint.facts["unmapped.pos"].split(", ").count(), 12, "the hands' values are no joint angles");
    let data = column(&root.join("data/chunk-000/episode_000001.parquet"), "observation.state");
    let first_row: Vec<f32> = match data.as_list_opt::<i32>() {
        Some(list) => list.value(200).as_primitive::<Float32Type>().values().to_vec(),
        None => data.as_fixed_size_list().value(200).as_primitive::<Float32Type>().values().to_vec(),
    };
    for (element, expected) in joint.quantities[0].elements.iter().zip(first_row) {
        let name = format!("{}.pos", element.strip_suffix("_joint").unwrap_or(element));
        let found = stored(&episode, joint, &name);
        assert_eq!(found.as_primitive::<Float32Type>().value(200).to_bits(), expected.to_bits(), "{name}");
    }
    // Every AV1 sample is in the store as it is in the file, and those that the file calls key frames begin one.
    let camera = stream(manifest, "camera/cam-high");
    assert_eq!((camera.encoding.as_str(), camera.rows, camera.facts["width"].as_str()), (ENCODING_AV1, 297, "640"));
    let film = Mp4Reader::open(&root.join("videos/chunk-000/observation.images.cam_high/episode_000001.mp4")).unwrap();
    let (pictures, keyframes) = (stored(&episode, camera, "data"), stored(&episode, camera, "keyframe"));
    let file = std::fs::read(root.join("videos/chunk-000/observation.images.cam_high/episode_000001.mp4")).unwrap();
    for (index, sample) in film.samples().iter().enumerate() {
        let from = usize::try_from(sample.offset).unwrap();
        assert_eq!(pictures.as_binary::<i32>().value(index), &file[from..from + sample.bytes as usize], "frame {index}");
        assert_eq!(keyframes.as_boolean().value(index), sample.keyframe, "frame {index}");
    }
    assert_eq!(pictures.len(), film.len());
}
