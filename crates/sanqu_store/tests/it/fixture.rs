use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array};
use sanqu_model::{EpisodeId, Id, Manifest, Quantity, RobotEntry, StreamDescription, StreamEntry, StreamKey, ValueType};
use sanqu_store::{Control, Episode, EpisodeStart, JournalWriter, Sample, Store, seal};
use sanqu_wire::{ENCODING_ARROW, SampleHeader, encode_rows, fixed_list};
use tempfile::TempDir;

pub(crate) const START_NS: i64 = 1_763_740_800_000_000_000;
pub(crate) const STEP_NS: i64 = 2_000_000;
pub(crate) const BOOT: u64 = 77;
/// Joint names as a robot gives them.
pub(crate) const JOINTS: [&str; 3] = ["l_knee_pitch_joint", "r_knee_pitch_joint", "head"];

pub(crate) fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

pub(crate) fn key(stream: &str) -> StreamKey {
    format!("sanqu/desk/walker-s-01/{stream}").parse().unwrap()
}

/// A store in a folder of its own.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(&folder.path().join("store"), &id("desk"), "Asia/Shanghai").unwrap();
        Self { folder, store }
    }

    pub(crate) fn journal(&self, number: u128) -> JournalWriter {
        JournalWriter::create(&self.store, &start(number)).unwrap()
    }

    pub(crate) fn seal(&self, journal: &Path) -> Manifest {
        seal(&self.store, journal, &mut |_| {}).unwrap()
    }

    pub(crate) fn last(&self) -> Episode {
        self.store.find("last").unwrap()
    }
}

pub(crate) fn start(number: u128) -> EpisodeStart {
    EpisodeStart {
        episode: EpisodeId::new(START_NS, number),
        field: id("desk"),
        zone: Some(id("industry")),
        station: id("a01"),
        task: Some(id("door-gap")),
        prompt: "Inspect the door gap".to_owned(),
        operator: Some(id("op-07")),
        robots: vec![RobotEntry { robot: id("walker-s-01"), model: "walker-s".to_owned(), description: None }],
        start_ns: START_NS,
        pre_roll_ns: START_NS,
        recorder: "test 1".to_owned(),
        facts: Default::default(),
    }
}

/// Joint positions as f64 and error words as u32.
pub(crate) fn joint() -> StreamDescription {
    let names = JOINTS.map(str::to_owned);
    StreamDescription {
        stream: "joint".parse().unwrap(),
        encoding: ENCODING_ARROW.to_owned(),
        rate_hz: 500.0,
        clock: 1,
        quantities: vec![
            Quantity { frame: "base_link".to_owned(), ..Quantity::f64("pos", "rad", &names) },
            Quantity { value_type: ValueType::U32, ..Quantity::f64("err", "", &names) },
        ],
        facts: Default::default(),
    }
}

/// The value of an element at a sequence: among ordinary ones, those that careless code does not keep.
pub(crate) fn position(seq: u64, element: usize) -> f64 {
    match (seq + element as u64) % 7 {
        0 => f64::from_bits(0x7ff8_0000_dead_beef),
        1 => -0.0,
        2 => f64::from_bits(0xfff0_0000_0000_0001),
        3 => f64::MIN_POSITIVE / 8.0,
        _ => (seq as f64 * 0.37 + element as f64).sin(),
    }
}

pub(crate) fn t_ns(seq: u64) -> i64 {
    START_NS + i64::try_from(seq).unwrap() * STEP_NS
}

pub(crate) fn joint_payload(description: &StreamDescription, seq: u64, rows: u64) -> Vec<u8> {
    joint_payload_at(description, seq, &(seq..seq + rows).map(t_ns).collect::<Vec<i64>>())
}

/// As [`joint_payload`], with these capture times.
pub(crate) fn joint_payload_at(description: &StreamDescription, seq: u64, times: &[i64]) -> Vec<u8> {
    let (elements, rows) = (JOINTS.len(), times.len() as u64);
    let cells = || (seq..seq + rows).flat_map(|s| (0..elements).map(move |e| (s, e)));
    let positions = cells().map(|(s, e)| position(s, e)).collect();
    let errors: Vec<u32> = cells().map(|(s, e)| u32::try_from(s).unwrap() * 10 + u32::try_from(e).unwrap()).collect();
    let errors = UInt32Array::from(errors).values().to_vec();
    let columns: Vec<ArrayRef> = vec![
        fixed_list::<arrow_array::types::Float64Type>(positions, elements).unwrap(),
        fixed_list::<arrow_array::types::UInt32Type>(errors, elements).unwrap(),
    ];
    encode_rows(description, times, columns).unwrap()
}

/// A message as it would come from the bus.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) key: Arc<StreamKey>,
    pub(crate) encoding: &'static str,
    pub(crate) attachment: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) recv_ns: i64,
}

impl Message {
    pub(crate) fn joint(boot: u64, seq: u64, rows: u64) -> Self {
        let description = joint();
        let payload = joint_payload(&description, seq, rows);
        let header = SampleHeader {
            rows: u32::try_from(rows).unwrap(),
            boot,
            seq,
            capture_ns: t_ns(seq),
            clock: 1,
            schema_id: description.schema_id(),
            ..SampleHeader::default()
        };
        let attachment = header.encode(&payload).to_vec();
        Self { key: Arc::new(key("joint")), encoding: ENCODING_ARROW, attachment, payload, recv_ns: t_ns(seq + rows) + 500_000 }
    }

    pub(crate) fn append(&self, journal: &mut JournalWriter) {
        let sample =
            Sample { key: &self.key, encoding: self.encoding, attachment: &self.attachment, payload: &self.payload, recv_ns: self.recv_ns };
        journal.append(&sample).unwrap();
    }
}

pub(crate) fn describe() -> Control {
    Control::Describe { robot: id("walker-s-01"), description: joint() }
}

pub(crate) fn baseline(boot: u64, next_seq: u64) -> Control {
    Control::Baseline { robot: id("walker-s-01"), stream: "joint".parse().unwrap(), boot, next_seq }
}

pub(crate) fn final_count(boot: u64, next_seq: u64) -> Control {
    Control::Final { robot: id("walker-s-01"), stream: "joint".parse().unwrap(), boot, next_seq }
}

pub(crate) fn stop() -> Control {
    Control::Stop { stop_ns: START_NS + 60_000_000_000, ended_by: "stop".to_owned() }
}

/// A closed journal of joint samples with everything that a well-behaved recorder writes.
pub(crate) fn record(bench: &Bench, number: u128, messages: &[Message], next_seq: u64) -> PathBuf {
    let mut journal = bench.journal(number);
    journal.control(&describe()).unwrap();
    journal.control(&baseline(BOOT, 0)).unwrap();
    for message in messages {
        message.append(&mut journal);
    }
    journal.control(&final_count(BOOT, next_seq)).unwrap();
    journal.control(&stop()).unwrap();
    journal.finish().unwrap()
}

pub(crate) fn joint_entry(manifest: &Manifest) -> &StreamEntry {
    manifest.streams.iter().find(|entry| entry.stream.as_str() == "joint").unwrap()
}

/// The ledger as `run from..to cause detected_by`.
pub(crate) fn ledger(episode: &Episode) -> Vec<String> {
    let end = |end: Option<u64>| end.map_or(String::new(), |end| end.to_string());
    let line = |row: &sanqu_model::LossRow| {
        format!("{} {}..{} {} {}", row.run, end(row.from_seq), end(row.to_seq), row.cause.as_str(), row.detected_by.as_str())
    };
    episode.loss().unwrap().iter().map(line).collect()
}

/// Every file below a folder with its content.
pub(crate) fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}
