//! The same check at the end of every scenario: what robots say they sent is what was received, bit for bit, and what the
//! ledger says was lost.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sanqu_model::{EpisodeId, Manifest, SeqRanges, StreamEntry};
use sanqu_store::{Episode, Store};
use sanqu_testkit::assert_balanced;

use super::talker::{CAMERA, JOINT, Log, Sent, picture, position_bits};

/// A sealed stream of one robot, read back and compared.
pub(crate) struct Stream {
    pub(crate) entry: StreamEntry,
    /// By boot.
    pub(crate) received: BTreeMap<u64, SeqRanges>,
    /// Of these, those that readers find between start and stop.
    pub(crate) within: BTreeMap<u64, SeqRanges>,
    pub(crate) lost: BTreeMap<u64, SeqRanges>,
    /// Where the ledger leaves the end open, by boot.
    pub(crate) open_from: BTreeMap<u64, u64>,
}

/// A sealed episode.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    pub(crate) streams: BTreeMap<String, Stream>,
}

/// Checks a whole store, and that every row which `log` says was captured within an episode is in it or in its ledger.
pub(crate) fn check(store: &Store, log: &Log) -> Vec<Checked> {
    assert_balanced(store);
    let sent = log.sent();
    store.episodes().unwrap().iter().map(|episode| check_episode(episode, &sent)).collect()
}

/// As [`check`], for the one episode that is meant, of which nothing may be lost.
pub(crate) fn check_nothing_lost(store: &Store, episode: EpisodeId, log: &Log) -> Checked {
    let checked = check(store, log).into_iter().find(|checked| checked.manifest.episode == episode).expect("the episode is sealed");
    for (name, stream) in &checked.streams {
        let entry = &stream.entry;
        assert_eq!((entry.expected, entry.lost.total(), entry.lost.open_ended), (Some(entry.received), 0, false), "{name}: {entry:#?}");
    }
    checked
}

fn check_episode(episode: &Episode, sent: &[Sent]) -> Checked {
    let manifest = episode.manifest().clone();
    let mut streams = BTreeMap::new();
    for entry in manifest.streams.iter().filter(|entry| [JOINT, CAMERA].contains(&entry.stream.as_str())) {
        let stream = read(episode, entry, sent);
        account_for(&manifest, &stream, sent);
        streams.insert(entry.stream.to_string(), stream);
    }
    Checked { manifest, streams }
}

/// Every row that was sent while the episode lasted was received or is in the ledger, and never both.
fn account_for(manifest: &Manifest, stream: &Stream, sent: &[Sent]) {
    let name = stream.entry.stream.as_str();
    // A robot that crashed has not said how far it had come, and the manifest says that nobody knows.
    let tail_unknown = stream.entry.facts.get("tail").is_some_and(|tail| tail.starts_with("unverified"));
    let none = SeqRanges::default();
    for sample in sent.iter().filter(|sample| sample.stream == name) {
        let (received, lost) = (stream.received.get(&sample.boot).unwrap_or(&none), stream.lost.get(&sample.boot).unwrap_or(&none));
        let open_from = stream.open_from.get(&sample.boot).copied();
        for seq in sample.seq..sample.seq + sample.rows {
            let row = seq..seq + 1;
            let (is_received, is_lost) = (received.contains(&row), lost.contains(&row) || open_from.is_some_and(|from| seq >= from));
            assert!(!(is_received && is_lost), "{name} boot {} row {seq} is received and in the ledger", sample.boot);
            let in_episode = (manifest.start_ns..manifest.stop_ns).contains(&sample.true_ns(seq));
            let behind = tail_unknown && received.end().max(lost.end()).is_none_or(|end| seq >= end);
            assert!(
                !in_episode || is_received || is_lost || behind,
                "{name} boot {} row {seq} of {} is neither received nor in the ledger: {:#?}",
                sample.boot,
                manifest.episode,
                stream.entry
            );
        }
    }
}

/// The episode has the rows that were captured between start and stop, whatever the robot's clock said: exactly those, but
/// for rows that are less than `near_ns` from an end.
pub(crate) fn check_cut(checked: &Checked, log: &Log, near_ns: i64) {
    let (start_ns, stop_ns) = (checked.manifest.start_ns, checked.manifest.stop_ns);
    for (name, stream) in &checked.streams {
        for sample in log.sent().iter().filter(|sample| sample.stream == name) {
            let has = |rows: &BTreeMap<u64, SeqRanges>, seq: u64| rows.get(&sample.boot).is_some_and(|rows| rows.contains(&(seq..seq + 1)));
            for seq in (sample.seq..sample.seq + sample.rows).filter(|seq| has(&stream.received, *seq)) {
                let true_ns = sample.true_ns(seq);
                let is_near = [start_ns, stop_ns].iter().any(|end_ns| (true_ns - end_ns).abs() < near_ns);
                let is_within = has(&stream.within, seq);
                assert!(
                    is_near || is_within == (start_ns..stop_ns).contains(&true_ns),
                    "{name} boot {} row {seq}, {} ms behind the start of {} ms, is within: {is_within}; {:#?} {:#?}",
                    sample.boot,
                    (true_ns - start_ns) / 1_000_000,
                    (stop_ns - start_ns) / 1_000_000,
                    stream.entry.timeline,
                    stream.entry.facts
                );
            }
        }
    }
}

fn read(episode: &Episode, entry: &StreamEntry, sent: &[Sent]) -> Stream {
    let boots: Vec<u64> = entry.boots.iter().map(|boot| boot.parse().unwrap_or_default()).collect();
    let truth: BTreeMap<(u64, u64), &Sent> =
        sent.iter().filter(|sample| sample.stream == entry.stream.as_str()).map(|sample| ((sample.boot, sample.seq), sample)).collect();
    let mut received: BTreeMap<u64, SeqRanges> = BTreeMap::new();
    let (mut within, span): (BTreeMap<u64, SeqRanges>, _) = (BTreeMap::new(), episode.manifest().start_ns..episode.manifest().stop_ns);
    for batch in episode.read(entry, None).unwrap().map(Result::unwrap) {
        let field_ns = episode.field_times(entry, &batch).unwrap();
        for row in 0..batch.num_rows() {
            let (boot, seq) = (boots[number::<UInt32Type>(&batch, "run", row) as usize], number::<UInt64Type>(&batch, "seq", row));
            let (_, sample) = truth.range(..=(boot, seq)).next_back().expect("a row that was sent");
            assert!(sample.boot == boot && seq < sample.seq + sample.rows, "{} boot {boot} row {seq} was never sent", entry.stream);
            assert_eq!(number::<TimestampNanosecondType>(&batch, "t", row), sample.capture_ns(seq), "capture time of row {seq}");
            check_values(&batch, row, (boot, seq));
            let rows = received.entry(boot).or_default();
            assert!(!rows.contains(&(seq..seq + 1)), "row {seq} is there twice");
            rows.insert(&(seq..seq + 1));
            if span.contains(&field_ns[row]) {
                within.entry(boot).or_default().insert(&(seq..seq + 1));
            }
        }
    }
    assert_eq!(within.values().map(SeqRanges::count).sum::<u64>(), entry.rows_in_episode, "rows between start and stop");
    let mut stream = Stream { entry: entry.clone(), received, within, lost: BTreeMap::new(), open_from: BTreeMap::new() };
    read_ledger(episode, &mut stream, &boots);
    stream
}

fn number<T: arrow_array::ArrowPrimitiveType>(batch: &RecordBatch, column: &str, row: usize) -> T::Native {
    batch.column_by_name(column).unwrap().as_primitive::<T>().value(row)
}

fn check_values(batch: &RecordBatch, row: usize, (boot, seq): (u64, u64)) {
    if let Some(data) = batch.column_by_name("data") {
        assert_eq!(data.as_binary::<i32>().value(row), picture(boot, seq), "picture {seq}");
        return;
    }
    let found = ["l_knee.pos", "r_knee.pos"].map(|column| number::<Float64Type>(batch, column, row).to_bits());
    assert_eq!(found, position_bits(boot, seq), "positions of row {seq}");
}

fn read_ledger(episode: &Episode, stream: &mut Stream, boots: &[u64]) {
    let file = std::fs::File::open(episode.dir().join("loss.parquet")).unwrap();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap) {
        let text = |column: &str, row: usize| batch.column_by_name(column).unwrap().as_string::<i32>().value(row).to_owned();
        let end = |column: &str, row: usize| {
            let column = batch.column_by_name(column).unwrap().as_primitive::<UInt64Type>();
            (!column.is_null(row)).then(|| column.value(row))
        };
        for row in 0..batch.num_rows() {
            if (text("robot", row), text("stream", row)) != (stream.entry.robot.to_string(), stream.entry.stream.to_string()) {
                continue;
            }
            let boot = boots[number::<UInt32Type>(&batch, "run", row) as usize];
            match (end("from_seq", row), end("to_seq", row)) {
                (Some(from), Some(to)) => stream.lost.entry(boot).or_default().insert(&(from..to)),
                (from, _) => {
                    let open = stream.open_from.entry(boot).or_insert(u64::MAX);
                    *open = (*open).min(from.unwrap_or(0));
                }
            }
        }
    }
}
