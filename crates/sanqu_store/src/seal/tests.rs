use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_array::types::UInt16Type;
use proptest::prelude::*;
use sanqu_model::{EpisodeId, Id, Quantity, RobotEntry, StreamDescription, ValueType};
use sanqu_wire::{ENCODING_ARROW, SampleHeader, encode_rows, fixed_list};

use super::*;
use crate::disk::{Operation, Verdict, Watch};
use crate::{JournalWriter, Sample};

const START_NS: i64 = 1_763_740_800_000_000_000;

/// What may happen to a sample.
#[derive(Clone, Copy, Debug)]
struct Event {
    boot: u64,
    seq: u64,
    rows: u32,
    /// Payloads of the same rows and another content are in conflict.
    content: u16,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Whole,
    /// The checksum does not hold.
    Spoilt,
    /// Not what the stream is.
    Other,
    Bare,
}

fn event() -> impl Strategy<Value = Event> {
    let fate = prop_oneof![12 => Just(Fate::Whole), 1 => Just(Fate::Spoilt), 1 => Just(Fate::Other), 1 => Just(Fate::Bare)];
    (0u64..2, 0u64..60, 1u32..5, 0u16..6, fate).prop_map(|(boot, seq, rows, content, fate)| Event {
        boot,
        seq,
        rows,
        content: content.saturating_sub(4),
        fate,
    })
}

/// Mostly what follows, as from a robot.
fn stream() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec((event(), 0..4), 0..80).prop_map(|events| {
        let mut next = 0;
        let ordered = events.into_iter().map(|(event, is_odd)| {
            let event = if is_odd == 0 { event } else { Event { boot: 0, seq: next, content: 0, ..event } };
            next = if event.boot == 0 { next.max(event.seq + u64::from(event.rows)) } else { next };
            event
        });
        ordered.collect()
    })
}

fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

fn description(name: &str) -> StreamDescription {
    let quantity = Quantity { value_type: ValueType::U16, ..Quantity::f64(name, "", &["a".to_owned(), "b".to_owned()]) };
    let stream = "motor".parse().unwrap();
    StreamDescription {
        stream,
        encoding: ENCODING_ARROW.to_owned(),
        rate_hz: 0.0,
        clock: 1,
        quantities: vec![quantity],
        facts: BTreeMap::new(),
    }
}

fn append(journal: &mut JournalWriter, number: usize, event: &Event) {
    let description = description(if matches!(event.fate, Fate::Other) { "vel" } else { "pos" });
    let seqs = event.seq..event.seq + u64::from(event.rows);
    let t_ns: Vec<i64> = seqs.clone().map(|seq| START_NS + i64::try_from(seq).unwrap()).collect();
    let values = seqs.flat_map(|seq| [u16::try_from(seq).unwrap(), event.content]).collect();
    let payload = encode_rows(&description, &t_ns, vec![fixed_list::<UInt16Type>(values, 2).unwrap()]).unwrap();
    let header =
        SampleHeader { rows: event.rows, boot: event.boot, seq: event.seq, capture_ns: t_ns[0], clock: 1, ..SampleHeader::default() };
    let mut attachment = header.encode(&payload).to_vec();
    match event.fate {
        Fate::Spoilt => attachment[44] ^= 1,
        Fate::Bare => attachment.clear(),
        Fate::Whole | Fate::Other => {}
    }
    let key = "sanqu/desk/walker-s-01/motor".parse().unwrap();
    let recv_ns = START_NS + i64::try_from(number).unwrap() * 1000;
    journal.append(&Sample { key: &key, encoding: ENCODING_ARROW, attachment: &attachment, payload: &payload, recv_ns }).unwrap();
}

/// The names of the files that were opened for writing.
#[derive(Default)]
struct Opened(Mutex<Vec<String>>);

impl Watch for Opened {
    fn before(&self, operation: &Operation<'_>) -> Verdict {
        if let Operation::Open { path, .. } = operation {
            self.0.lock().unwrap().push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
        Verdict::Go
    }
}

type Sealed = (Manifest, BTreeMap<String, Vec<u8>>, Vec<String>);

/// Seals a journal; returns the episode's files and the names that were opened.
fn sealed(events: &[Event], limits: Limits) -> Sealed {
    let folder = tempfile::tempdir().unwrap();
    let opened = Arc::new(Opened::default());
    let disk = Disk::watched(Arc::clone(&opened) as Arc<dyn Watch>);
    let store = Store::open_or_create_on(disk, folder.path(), &id("desk"), "UTC").unwrap();
    let start = EpisodeStart {
        episode: EpisodeId::new(START_NS, 1),
        field: id("desk"),
        zone: None,
        station: id("a01"),
        task: None,
        prompt: String::new(),
        operator: None,
        robots: vec![RobotEntry { robot: id("walker-s-01"), model: "walker-s".to_owned(), description: None }],
        start_ns: START_NS,
        pre_roll_ns: START_NS,
        recorder: "test".to_owned(),
        facts: BTreeMap::new(),
    };
    let mut journal = JournalWriter::create(&store, &start).unwrap();
    journal.control(&Control::Describe { robot: id("walker-s-01"), description: description("pos") }).unwrap();
    for (number, event) in events.iter().enumerate() {
        append(&mut journal, number, event);
    }
    journal.control(&Control::Stop { stop_ns: START_NS + 1_000_000, ended_by: "stop".to_owned() }).unwrap();
    let path = journal.finish().unwrap();
    let mut manifest = seal_within(limits, &store, &path, &mut |_| {}).unwrap();
    let dir = store.find("last").unwrap().dir().to_path_buf();
    let names = files::names(&dir).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> =
        names.into_iter().map(|name| (name.clone(), std::fs::read(dir.join(name)).unwrap())).collect();
    // The journal has the time at which control records were written.
    files.remove(MANIFEST_FILE);
    manifest.journal_sha256.clear();
    assert!(crate::verify(folder.path()).unwrap().is_sound());
    let opened = std::mem::take(&mut *opened.0.lock().unwrap());
    (manifest, files, opened)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_does_not_fit_into_memory_is_sealed_to_the_same_bytes(events in stream(), index_bytes in 1usize..2000, sorted in 1usize..20) {
        let (expect, expect_files, opened) = sealed(&events, Limits::default());
        prop_assert!(!opened.iter().any(|name| name.ends_with(".scratch")), "small journals need no scratch file: {:?}", opened);
        let (found, found_files, opened) = sealed(&events, Limits { index_bytes, sorted });
        prop_assert_eq!(expect, found);
        prop_assert_eq!(expect_files, found_files);
        prop_assert!(events.len() < 25 || opened.iter().any(|name| name == INDEX_FILE), "{:?}", opened);
    }
}

#[test]
fn samples_that_came_late_or_twice_are_ordered_and_compared_by_their_bytes() {
    let whole = |seq, content| Event { boot: 0, seq, rows: 2, content, fate: Fate::Whole };
    let events = [whole(4, 0), whole(0, 0), whole(4, 0), whole(0, 1), whole(5, 0), whole(2, 0)];
    let (manifest, files, opened) = sealed(&events, Limits { index_bytes: 1, sorted: 1 });
    let entry = &manifest.streams[0];
    assert_eq!((entry.rows, entry.duplicates, entry.expected), (7, 2, Some(7)));
    assert_eq!((entry.facts["conflicting_samples"].as_str(), entry.facts["unparsed_samples"].as_str()), ("2", "2"));
    assert!(opened.iter().any(|name| name == ORDER_FILE) && files.keys().all(|name| !name.ends_with(".scratch")), "{files:?}");
}
