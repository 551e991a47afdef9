//! Small episodes, written and sealed as a recorder does, and a place for them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::types::Float64Type;
use sanqu_model::{EpisodeId, Id, Quantity, RobotEntry, StreamDescription};
use sanqu_replay::load::LoadOptions;
use sanqu_store::{Control, EpisodeStart, JournalWriter, Sample, Store, seal};
use sanqu_wire::{ENCODING_ARROW, SampleHeader, encode_rows, fixed_list};

use crate::synthetic::{FIELD, urdf};

pub(crate) fn id(text: &str) -> Id {
    text.parse().unwrap()
}

/// A store, and assets with the field and the robot of [`crate::synthetic`].
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder.path().join("store"));
        let robot = folder.path().join("assets/robots/tin");
        std::fs::create_dir_all(&robot).unwrap();
        std::fs::write(robot.join("robot.urdf"), urdf()).unwrap();
        std::fs::create_dir_all(folder.path().join("assets/field")).unwrap();
        std::fs::write(folder.path().join("assets/field/test.toml"), FIELD).unwrap();
        Self { folder, store }
    }

    pub(crate) fn assets(&self) -> PathBuf {
        self.folder.path().join("assets")
    }

    pub(crate) fn options(&self, episodes: &[impl AsRef<str>]) -> LoadOptions {
        let episodes = episodes.iter().map(|episode| episode.as_ref().to_owned()).collect();
        let store = Some(self.store.root().to_path_buf());
        LoadOptions { episodes, store, assets: vec![self.assets()], ..LoadOptions::default() }
    }
}

/// A store of the field `test`.
pub(crate) fn store(root: &Path) -> Store {
    Store::open_or_create(root, &id("test"), "UTC").unwrap()
}

/// How an episode of tin-01 begins.
pub(crate) fn start(station: &str, start_ns: i64) -> EpisodeStart {
    EpisodeStart {
        episode: EpisodeId::new(start_ns, 1),
        field: id("test"),
        zone: None,
        station: id(station),
        task: None,
        prompt: String::new(),
        operator: None,
        robots: vec![RobotEntry { robot: id("tin-01"), model: "tin".to_owned(), description: None }],
        start_ns,
        pre_roll_ns: start_ns,
        recorder: "test".to_owned(),
        facts: Default::default(),
    }
}

/// Seals an episode of what `write` puts into its journal, stopped when that says.
pub(crate) fn sealed(store: &Store, start: &EpisodeStart, write: impl FnOnce(&mut JournalWriter) -> i64) {
    let mut journal = JournalWriter::create(store, start).unwrap();
    let stop_ns = write(&mut journal);
    journal.control(&Control::Stop { stop_ns, ended_by: "stop".to_owned() }).unwrap();
    seal(store, &journal.finish().unwrap(), &mut |_| {}).unwrap();
}

/// Positions of joints at 500 Hz; elements as [`crate::synthetic::ELEMENTS`] are named.
pub(crate) fn positions(stream: &str, elements: &[&str]) -> StreamDescription {
    StreamDescription {
        stream: stream.parse().unwrap(),
        encoding: ENCODING_ARROW.to_owned(),
        rate_hz: 500.0,
        clock: 1,
        quantities: vec![Quantity::f64("pos", "rad", &elements.iter().map(|name| format!("{name}_joint")).collect::<Vec<_>>())],
        facts: Default::default(),
    }
}

/// Appends a message of rows as tin-01 sends it: `rows` of its publisher's start `boot`, captured at `at` of each, row-major `values`.
pub(crate) fn append(
    journal: &mut JournalWriter,
    description: &StreamDescription,
    (boot, rows): (u64, Range<u64>),
    at: impl Fn(u64) -> i64,
    values: Vec<f64>,
) {
    let (from, to) = (rows.start, rows.end);
    let count = usize::try_from(to - from).unwrap();
    let times: Vec<i64> = rows.map(&at).collect();
    let column = fixed_list::<Float64Type>(values.clone(), values.len() / count).unwrap();
    let payload = encode_rows(description, &times, vec![column]).unwrap();
    let (rows, schema_id) = (u32::try_from(count).unwrap(), description.schema_id());
    let header = SampleHeader { rows, boot, seq: from, capture_ns: at(from), clock: 1, schema_id, ..SampleHeader::default() };
    let attachment = header.encode(&payload);
    let key = format!("sanqu/test/tin-01/{}", description.stream).parse().unwrap();
    let sample = Sample { key: &key, encoding: ENCODING_ARROW, attachment: &attachment, payload: &payload, recv_ns: at(to) };
    journal.append(&sample).unwrap();
}
