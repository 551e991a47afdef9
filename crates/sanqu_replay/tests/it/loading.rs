//! From a sealed episode on disk to a posture.

use std::ops::Range;
use std::path::Path;

use sanqu_model::{ClockOffset, EpisodeId, LossCause, StreamDescription, canonical_json};
use sanqu_replay::ReplayError;
use sanqu_replay::load::{LoadOptions, load};
use sanqu_replay::mark::EVENT_MARKS_MAX;
use sanqu_replay::replay::Posture;
use sanqu_replay::track::Gap;
use sanqu_store::{Control, Decision, DecisionKind, EpisodeStart, JournalWriter, Sample, Store};
use sanqu_wire::{ENCODING_JSON, SampleHeader};

use crate::episodes::{Bench, append, id, positions, sealed, start};
use crate::synthetic::{ELEMENTS, PERIOD_NS, START_NS, row_values};

const BOOT: u64 = 7;

fn description() -> StreamDescription {
    positions("joint", &ELEMENTS)
}

/// Rows of one start of the robot's publisher, by sequence.
pub(crate) struct Part {
    pub(crate) boot: u64,
    pub(crate) rows: Range<u64>,
}

/// Most rows of a message.
const MESSAGE_ROWS: usize = 500;

/// Of so many rows, the last has a value that is no number.
pub(crate) const NAN_EVERY: u64 = 5_000;

/// Values of rows; now and then one that is no number.
fn values(rows: Range<u64>) -> Vec<f64> {
    let row = |row: u64| {
        let mut values = row_values(usize::try_from(row).unwrap());
        if row % NAN_EVERY == NAN_EVERY - 1 {
            values[2] = f64::NAN;
        }
        values
    };
    rows.flat_map(row).collect()
}

/// An episode of rows 0..100 and 150..200 of one robot; 50 rows were lost on the way.
fn record(store: &Store, number: u128, description_hash: Option<String>) {
    record_parts(store, number, description_hash, &[Part { boot: BOOT, rows: 0..100 }, Part { boot: BOOT, rows: 150..200 }]);
}

pub(crate) fn record_parts(store: &Store, number: u128, description_hash: Option<String>, parts: &[Part]) {
    record_saying(store, number, description_hash, parts, &[]);
}

/// What the robot says itself at instants of the timeline, in its event stream.
fn say(journal: &mut JournalWriter, said: &[(i64, &str)]) {
    let stream = StreamDescription { encoding: ENCODING_JSON.to_owned(), quantities: Vec::new(), ..description() };
    let stream = StreamDescription { stream: "event".parse().unwrap(), ..stream };
    let key = "sanqu/test/tin-01/event".parse().unwrap();
    for ((t_ns, words), seq) in said.iter().zip(0..) {
        if seq == 0 {
            let (robot, description) = (id("tin-01"), stream.clone());
            journal.control(&Control::Describe { robot, description }).unwrap();
            journal.control(&Control::Baseline { robot: id("tin-01"), stream: stream.stream.clone(), boot: BOOT, next_seq: 0 }).unwrap();
        }
        let header = SampleHeader { rows: 1, boot: BOOT, seq, capture_ns: *t_ns, clock: 1, ..SampleHeader::default() };
        let (attachment, payload) = (header.encode(words.as_bytes()), words.as_bytes());
        let sample = Sample { key: &key, encoding: ENCODING_JSON, attachment: &attachment, payload, recv_ns: *t_ns };
        journal.append(&sample).unwrap();
    }
}

/// An episode of these rows of one robot. What lies between two parts of a start was lost; another start goes on right behind.
fn record_saying(store: &Store, number: u128, description_hash: Option<String>, parts: &[Part], said: &[(i64, &str)]) {
    let mut start = EpisodeStart { episode: EpisodeId::new(START_NS, number), zone: Some(id("industry")), ..start("a01", START_NS) };
    start.robots[0].description = description_hash;
    sealed(store, &start, |journal| {
        let end_ns = write(journal, parts);
        say(journal, said);
        end_ns
    });
}

/// Writes these rows, and when the last of them ends.
fn write(journal: &mut JournalWriter, parts: &[Part]) -> i64 {
    let (robot, stream) = (id("tin-01"), description().stream);
    journal.control(&Control::Describe { robot: robot.clone(), description: description() }).unwrap();
    let mut later = 0;
    for (index, part) in parts.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &parts[before]);
        if before.is_none_or(|before| before.boot != part.boot) {
            later += before.map_or(0, |before| before.rows.end);
            let (robot, stream) = (robot.clone(), stream.clone());
            journal.control(&Control::Baseline { robot, stream, boot: part.boot, next_seq: 0 }).unwrap();
        }
        for from in part.rows.clone().step_by(MESSAGE_ROWS) {
            let to = part.rows.end.min(from + u64::try_from(MESSAGE_ROWS).unwrap());
            let at = |row: u64| START_NS + PERIOD_NS * i64::try_from(row + later).unwrap();
            append(journal, &description(), (part.boot, from..to), at, values(from..to));
        }
        if parts.get(index + 1).is_none_or(|next| next.boot != part.boot) {
            let (robot, stream) = (robot.clone(), stream.clone());
            journal.control(&Control::Final { robot, stream, boot: part.boot, next_seq: part.rows.end }).unwrap();
        }
    }
    journal.control(&Control::Event { t_ns: START_NS + 7, name: "mark".to_owned(), text: "it waves".to_owned() }).unwrap();
    START_NS + i64::try_from(later + parts.last().map_or(0, |last| last.rows.end)).unwrap() * PERIOD_NS
}

fn warned(warnings: &[String], part: &str) -> bool {
    warnings.iter().any(|warning| warning.contains(part))
}

#[test]
fn a_sealed_episode_is_shown_with_its_own_description_place_and_gap() {
    let bench = Bench::new();
    let hash = bench.store.snapshot_robot(&bench.assets().join("robots/tin")).unwrap();
    record(&bench.store, 1, Some(hash));
    let loaded = load(&bench.options(&["last"])).unwrap();
    let record = &loaded.replay.robots[0];
    assert_eq!((record.name.as_str(), record.station.as_str(), record.lost_rows), ("铁皮 01", "a01", 50));
    assert_eq!(record.track.gaps().iter().map(|gap| gap.rows).collect::<Vec<_>>(), [Some(50)]);
    assert!(!warned(&loaded.warnings, "l_shoulder_joint") && warned(&loaded.warnings, "r_elbow_joint"), "{:?}", loaded.warnings);
    let mut posture = Posture::default();
    let held = record.posture_at(START_NS + 120 * PERIOD_NS, &mut posture).unwrap();
    assert!(held.in_gap && held.row == Some(99), "{held:?}");
    let elbow = record.model.joint_index("l_elbow_joint").unwrap();
    assert_eq!(posture.q[elbow].to_bits(), row_values(99)[3].to_bits());
}

#[test]
fn what_a_robot_says_itself_is_marked_as_far_as_there_is_room() {
    let bench = Bench::new();
    let parts = [Part { boot: BOOT, rows: 0..200 }];
    record_saying(&bench.store, 1, None, &parts, &[(START_NS + 20, r#"{"text":"抓取"}"#), (START_NS + 40, "{}")]);
    let marked = |loaded: &sanqu_replay::load::Loaded| {
        let marks = loaded.replay.marks.iter().map(|mark| (mark.t_ns - START_NS, mark.text.clone()));
        marks.filter(|(_, text)| text.starts_with("tin-01")).collect::<Vec<_>>()
    };
    let loaded = load(&bench.options(&["last"])).unwrap();
    assert_eq!(marked(&loaded), [(20, r#"tin-01: {"text":"抓取"}"#.to_owned()), (40, "tin-01: {}".to_owned())]);
    assert!(!warned(&loaded.warnings, "marked"), "{:?}", loaded.warnings);

    let many: Vec<(i64, &str)> = (0..5000).map(|number| (START_NS + number, "{}")).collect();
    record_saying(&bench.store, 2, None, &parts, &many);
    let loaded = load(&bench.options(&["last"])).unwrap();
    let marks = marked(&loaded);
    assert_eq!((marks.len(), marks.last().unwrap().0), (EVENT_MARKS_MAX, 4095));
    assert!(warned(&loaded.warnings, "tin-01: event has 5000 rows: the first 4096 are marked"), "{:?}", loaded.warnings);
}

#[test]
fn every_stream_has_its_lane_with_causes_of_gaps_and_what_happened_is_marked() {
    let bench = Bench::new();
    record(&bench.store, 1, None);
    let episode = bench.store.find("last").unwrap();
    let later = START_NS + 3_000_000_000;
    let decision = Decision { kind: DecisionKind::Keep, who: "op-01".to_owned(), reason: "clean".to_owned(), at_ns: later };
    episode.append_decision(&decision).unwrap();
    let replay = load(&bench.options(&["last"])).unwrap().replay;
    let [lane] = replay.lanes.as_slice() else { panic!("{:?}", replay.lanes) };
    assert_eq!((lane.robot, lane.stream.as_str(), lane.lost_rows, lane.open_loss), (0, "joint", 50, false));
    assert_eq!(lane.instants.as_slice().len(), 150);
    let at = |row: i64| START_NS + PERIOD_NS * row;
    let gap = Gap { from_ns: at(99), to_ns: at(150), rows: Some(50), cause: Some(LossCause::Network) };
    assert_eq!((lane.gaps.as_slice(), replay.robots[0].track.gaps()), ([gap].as_slice(), [gap].as_slice()));
    let marks: Vec<(i64, &str)> = replay.marks.iter().map(|mark| (mark.t_ns, mark.text.as_str())).collect();
    assert_eq!(marks, [(START_NS + 7, "mark: it waves"), (at(200), "sealed (stop)"), (later, "keep: clean")]);
}

#[test]
fn rows_and_gaps_are_where_the_field_timeline_has_them() {
    const WRONG_NS: i64 = 300_000_000_000;
    let bench = Bench::new();
    record(&bench.store, 1, None);
    let episode = bench.store.find("last").unwrap();
    let mut manifest = episode.manifest().clone();
    // As if the robot's clock had been five minutes ahead, and then right from row 170 on.
    let offset = |from_seq, offset_ns| ClockOffset { run: 0, from_seq, offset_ns, uncertainty_ns: Some(0) };
    manifest.streams[0].timeline = vec![offset(0, -WRONG_NS), offset(170, 0)];
    std::fs::write(episode.dir().join("manifest.json"), canonical_json(&manifest).unwrap()).unwrap();
    let loaded = load(&bench.options(&["last"])).unwrap();
    let (track, lane) = (&loaded.replay.robots[0].track, &loaded.replay.lanes[0]);
    let at = |row: i64| START_NS + row * PERIOD_NS;
    assert_eq!((track.t_ns()[0], track.t_ns()[119], track.t_ns()[120]), (at(0) - WRONG_NS, at(169) - WRONG_NS, at(170)));
    assert_eq!(lane.instants.as_slice(), track.t_ns(), "every stream of the timeline");
    let gap = Gap { from_ns: at(99) - WRONG_NS, to_ns: at(150) - WRONG_NS, rows: Some(50), cause: Some(LossCause::Network) };
    assert_eq!((track.gaps(), lane.gaps.as_slice()), ([gap].as_slice(), [gap].as_slice()));
}

#[test]
fn episodes_are_found_by_folder_and_told_apart_when_not_simultaneous() {
    let bench = Bench::new();
    record(&bench.store, 1, None);
    let folder = bench.store.find("last").unwrap().dir().to_str().unwrap().to_owned();
    let twice = LoadOptions { episodes: vec![folder.clone(), folder], store: None, ..bench.options(&[""]) };
    let loaded = load(&twice).unwrap();
    assert!(warned(&loaded.warnings, "own description is not in the store"), "{:?}", loaded.warnings);
    let places: Vec<f64> = loaded.replay.robots.iter().map(|robot| robot.world_from_station.translation.y).collect();
    assert!(places[1] - places[0] > 1.0, "two recordings at one station stand beside each other: {places:?}");
}

#[test]
fn what_is_missing_is_named() {
    let bench = Bench::new();
    let error = load(&LoadOptions { store: None, ..bench.options(&["last"]) }).unwrap_err();
    assert!(matches!(error, ReplayError::NoStore { .. }) && error.to_string().contains("--store"), "{error}");
    record(&bench.store, 1, None);
    let error = load(&LoadOptions { assets: vec![Path::new("/nowhere").to_path_buf()], ..bench.options(&["last"]) }).unwrap_err();
    assert!(error.to_string().contains("tin-01") && error.to_string().contains("/nowhere/robots/tin/robot.urdf"), "{error}");
}
