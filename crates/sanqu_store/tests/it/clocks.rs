//! Robots whose clocks are wrong: start and stop cut where the recorder said.

use std::fs;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use proptest::prelude::*;
use sanqu_model::{ClockOffset, Manifest, StreamEntry};
use sanqu_store::{Control, EpisodeStart, IMPORTED, JournalWriter, Store, check_balance, seal, verify};
use sanqu_wire::{ENCODING_JSON, SampleHeader};

use crate::fixture::{
    BOOT, Bench, Message, START_NS, STEP_NS, baseline, contents, describe, final_count, id, joint, joint_entry, joint_payload_at, key,
    start, stop, t_ns,
};

const S: i64 = 1_000_000_000;
/// What the fastest sample takes: a step from its last row to its end, and half a millisecond.
const TOOK_NS: i64 = 500_000 + STEP_NS;
const ROWS: u64 = 10;

/// A recording of joints, 500 rows a second in samples of ten.
struct Recording<'a> {
    samples: u64,
    /// By how much the robot's clock is ahead at a row.
    wrong_ns: &'a dyn Fn(u64) -> i64,
    /// How much later than the fastest the sample of a row is.
    late_ns: &'a dyn Fn(u64) -> i64,
    start_ns: i64,
    stop_ns: i64,
    ended_by: &'static str,
}

impl Default for Recording<'_> {
    /// From two seconds before the start to two seconds behind the end of an episode of 4 s.
    fn default() -> Self {
        let (start_ns, stop_ns) = (START_NS + 2 * S, START_NS + 6 * S);
        Self { samples: 400, wrong_ns: &|_| 0, late_ns: &|_| 0, start_ns, stop_ns, ended_by: "stop" }
    }
}

impl Recording<'_> {
    fn sample(&self, seq: u64) -> Message {
        let message = Message::joint(BOOT, seq, ROWS);
        let times: Vec<i64> = (seq..seq + ROWS).map(|seq| t_ns(seq) + (self.wrong_ns)(seq)).collect();
        let payload = joint_payload_at(&joint(), seq, &times);
        let header = SampleHeader { capture_ns: times[0], ..SampleHeader::decode(&message.attachment).unwrap() };
        let recv_ns = message.recv_ns + (self.late_ns)(seq);
        Message { attachment: header.encode(&payload).to_vec(), payload, recv_ns, ..message }
    }

    /// Seals it and checks what holds of every episode.
    fn seal(&self, bench: &Bench) -> StreamEntry {
        let mut samples: Vec<Message> = (0..self.samples).map(|sample| self.sample(sample * ROWS)).collect();
        samples.sort_by_key(|sample| sample.recv_ns);
        let start = EpisodeStart { start_ns: self.start_ns, pre_roll_ns: START_NS.min(self.start_ns), ..start(1) };
        let mut journal = JournalWriter::create(&bench.store, &start).unwrap();
        journal.control(&describe()).unwrap();
        journal.control(&baseline(BOOT, 0)).unwrap();
        samples.iter().for_each(|sample| sample.append(&mut journal));
        journal.control(&final_count(BOOT, self.samples * ROWS)).unwrap();
        journal.control(&Control::Stop { stop_ns: self.stop_ns, ended_by: self.ended_by.to_owned() }).unwrap();
        let manifest = bench.seal(&journal.finish().unwrap());
        let entry = joint_entry(&manifest).clone();
        check_balance(&entry).unwrap();
        assert_eq!((entry.expected, entry.received), (Some(self.samples * ROWS), self.samples * ROWS));
        let report = verify(bench.store.root()).unwrap();
        assert!(report.issues.is_empty(), "{report:?}");
        entry
    }

    fn sealed(&self) -> (Bench, StreamEntry) {
        let bench = Bench::new();
        let entry = self.seal(&bench);
        (bench, entry)
    }
}

/// Sequences of the rows of the episode.
fn within(bench: &Bench, entry: &StreamEntry) -> std::ops::Range<usize> {
    let episode = bench.last();
    let span = episode.manifest().start_ns..episode.manifest().stop_ns;
    let times = episode.series(entry, "err").unwrap().t_ns;
    let rows: Vec<usize> = (0..times.len()).filter(|row| span.contains(&times[*row])).collect();
    assert_eq!(rows.len() as u64, entry.rows_in_episode, "the manifest counts what readers find");
    let range = rows.first().map_or(0..0, |first| *first..first + rows.len());
    assert!(rows.iter().copied().eq(range.clone()), "one piece");
    range
}

#[test]
fn a_right_clock_is_not_mentioned() {
    let (bench, entry) = Recording::default().sealed();
    assert_eq!((within(&bench, &entry), entry.timeline.len(), entry.facts.get("timeline")), (1000..3000, 0, None));
    let text = fs::read_to_string(bench.last().dir().join("manifest.json")).unwrap();
    assert!(!text.contains("timeline"), "the manifest has the bytes that it had before there was a timeline");
}

#[test]
fn a_clock_that_is_minutes_off_cuts_where_the_recorder_did() {
    for wrong_ns in [-300 * S, 300 * S] {
        let (bench, entry) = Recording { wrong_ns: &|_| wrong_ns, ..Recording::default() }.sealed();
        let offset = ClockOffset { run: 0, from_seq: 0, offset_ns: TOOK_NS - wrong_ns, uncertainty_ns: Some(0) };
        assert_eq!(entry.timeline, [offset]);
        // Rows are later by what the fastest took: 2.5 ms are the two rows before row 1000.
        assert_eq!((entry.rows, within(&bench, &entry), entry.first_t_ns), (4000, 999..2999, Some(START_NS + wrong_ns)));
        let series = bench.last().series(&entry, "err").unwrap();
        assert_eq!((series.t_ns[0], series.t_ns[3999]), (START_NS + TOOK_NS, t_ns(3999) + TOOK_NS));
        assert_eq!(series.cursor().at(START_NS + 4 * S + TOOK_NS).unwrap().row, 2000);
        // The values are as they came.
        let batch = bench.last().read(&entry, None).unwrap().next().unwrap().unwrap();
        assert_eq!(batch.column(0).as_primitive::<TimestampNanosecondType>().value(1), t_ns(1) + wrong_ns);
        assert_eq!(bench.last().field_times(&entry, &batch).unwrap()[1], t_ns(1) + TOOK_NS);
    }
}

#[test]
fn a_clock_that_steps_in_the_middle_cuts_where_the_recorder_did() {
    for step_ns in [-60 * S, 60 * S, -3600 * S] {
        // Also within a sample.
        for steps in [1500..2500, 1503..2498] {
            let wrong_ns = |seq| if steps.contains(&seq) { step_ns } else { 0 };
            let (bench, entry) = Recording { wrong_ns: &wrong_ns, ..Recording::default() }.sealed();
            let found: Vec<(u64, i64)> = entry.timeline.iter().map(|offset| (offset.from_seq, offset.offset_ns)).collect();
            assert_eq!((within(&bench, &entry), found), (1000..3000, vec![(steps.start, -step_ns), (steps.end, 0)]));
            let times = bench.last().series(&entry, "pos").unwrap().t_ns;
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] == STEP_NS), "no jump where the clock jumped");
            assert!((499.9..500.1).contains(&entry.rate_hz), "{}", entry.rate_hz);
        }
    }
}

#[test]
fn a_jittered_line_moves_the_cut_by_no_more_than_the_manifest_says() {
    for wrong_ns in [-300 * S, 300 * S] {
        // Up to 100 ms each, but for one.
        let late_ns = |seq| if seq == 2220 { 0 } else { i64::try_from(seq * 7919 % 100).unwrap() * 1_000_000 + 1_000_000 };
        let (bench, entry) = Recording { wrong_ns: &|_| wrong_ns, late_ns: &late_ns, ..Recording::default() }.sealed();
        let [ClockOffset { offset_ns, uncertainty_ns: Some(uncertainty_ns), .. }] = entry.timeline[..] else { panic!("{entry:#?}") };
        assert_eq!((offset_ns, within(&bench, &entry)), (TOOK_NS - wrong_ns, 999..2999));
        assert!((30_000_000..70_000_000).contains(&uncertainty_ns), "{uncertainty_ns}");
    }
}

#[test]
fn too_few_rows_are_cut_by_capture_time_and_the_manifest_says_so() {
    let (start_ns, stop_ns) = (START_NS, START_NS + S);
    for wrong_ns in [-300 * S, 300 * S] {
        let few = Recording { samples: 7, wrong_ns: &|_| wrong_ns, start_ns, stop_ns, ..Recording::default() };
        let (bench, entry) = few.sealed();
        assert_eq!(entry.timeline, [ClockOffset { run: 0, from_seq: 0, offset_ns: 0, uncertainty_ns: None }]);
        let expect = "unverified: from row 0 of run 0: too few rows, or all of them late, to say how far the clock is off; its capture times are taken as they are";
        assert_eq!((within(&bench, &entry), entry.facts["timeline"].as_str()), (0..0, expect));
    }
    // Where capture times are plausible, few are enough.
    let (bench, entry) = Recording { samples: 7, start_ns, stop_ns, ..Recording::default() }.sealed();
    assert_eq!((within(&bench, &entry), entry.timeline.len(), entry.facts.get("timeline")), (0..70, 0, None));
}

#[test]
fn an_import_is_cut_by_the_capture_times_that_its_bounds_are() {
    let wrong = -300 * S;
    let (start_ns, stop_ns) = (START_NS + 2 * S + wrong, START_NS + 6 * S + wrong);
    let import = Recording { wrong_ns: &|_| wrong, start_ns, stop_ns, ended_by: IMPORTED, ..Recording::default() };
    let (bench, entry) = import.sealed();
    assert_eq!((within(&bench, &entry), entry.timeline.len()), (1000..3000, 0));
}

#[test]
fn the_same_journal_gives_the_same_timeline() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let recording = Recording { wrong_ns: &|seq| if seq < 700 { 0 } else { 90 * S }, ..Recording::default() };
    (0..150).for_each(|sample| recording.sample(sample * ROWS).append(&mut journal));
    journal.control(&stop()).unwrap();
    let journal = journal.finish().unwrap();
    let other = Store::open_or_create(&bench.folder.path().join("other"), &id("desk"), "Asia/Shanghai").unwrap();
    let copied = other.root().join("journals").join(journal.file_name().unwrap());
    fs::create_dir_all(copied.parent().unwrap()).unwrap();
    fs::copy(&journal, &copied).unwrap();
    let manifest = bench.seal(&journal);
    assert_eq!(joint_entry(&manifest).timeline.len(), 1);
    assert_eq!(seal(&other, &copied, &mut |_| {}).unwrap(), manifest);
    assert_eq!(contents(other.find("last").unwrap().dir()), contents(bench.last().dir()));
}

#[test]
fn events_are_moved_with_the_joints_of_their_robot() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let recording = Recording { wrong_ns: &|_| -100 * S, ..Recording::default() };
    let at = |seq: u64| START_NS + i64::try_from(seq).unwrap() * S;
    for second in 0..4 {
        (0..50).for_each(|n| recording.sample(second * 500 + n * ROWS).append(&mut journal));
        // Somebody typed for 300 ms.
        let header =
            SampleHeader { rows: 1, boot: BOOT, seq: second, capture_ns: at(second) - 100 * S, clock: 1, ..SampleHeader::default() };
        let (key, attachment) = (key("event"), header.encode(b"{}"));
        let recv_ns = at(second) + 300_000_000;
        journal
            .append(&sanqu_store::Sample { key: &key, encoding: ENCODING_JSON, attachment: &attachment, payload: b"{}", recv_ns })
            .unwrap();
    }
    journal.control(&stop()).unwrap();
    let manifest: Manifest = bench.seal(&journal.finish().unwrap());
    manifest.streams.iter().for_each(|entry| check_balance(entry).unwrap());
    let timelines: Vec<&[ClockOffset]> = manifest.streams.iter().map(|entry| entry.timeline.as_slice()).collect();
    assert_eq!((timelines[0].len(), timelines[0][0].offset_ns), (1, 100 * S + TOOK_NS), "four events alone would be too few");
    assert_eq!(timelines[0], timelines[1]);
}

#[test]
fn a_timeline_that_is_not_sorted_is_damage() {
    let (bench, entry) = Recording { wrong_ns: &|seq| if seq < 2000 { 60 * S } else { 0 }, ..Recording::default() }.sealed();
    assert_eq!(entry.timeline.len(), 2);
    let path = bench.last().dir().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"from_seq\": \"0\"", "\"from_seq\": \"2001\"")).unwrap();
    let report = verify(path.parent().unwrap()).unwrap();
    assert!(report.issues.iter().any(|issue| issue.detail.contains("its timeline is not sorted")), "{report:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Start is inclusive and stop exclusive, to the nanosecond, whatever the robot's clock said.
    #[test]
    fn rows_are_cut_between_start_and_stop(
        wrong_s in prop_oneof![Just(0i64), -4000i64..-1, 2i64..4000],
        first in 0u64..800,
        rows in 0u64..800,
        nudge_ns in prop_oneof![Just(0i64), -1_999_999i64..2_000_000],
        step_at in prop::option::of(100u64..1300),
        seed in 0u64..1000,
    ) {
        let wrong_ns = |seq: u64| if step_at.is_some_and(|at| seq < at) { 0 } else { wrong_s * S };
        // One sample in eight is as fast as can be; samples never overtake each other.
        let late_ns = |seq: u64| i64::try_from((seq / ROWS + seed) % 8).unwrap() * 1_000_000;
        // While the clock is known to be right its times are taken as they are.
        let never_right = wrong_s != 0 && step_at.is_none();
        let field_ns = |seq: u64| t_ns(seq) + if never_right { TOOK_NS } else { 0 };
        let (start_ns, stop_ns) = (field_ns(first) + nudge_ns, field_ns(first + rows) + nudge_ns);
        let recording = Recording { samples: 160, wrong_ns: &wrong_ns, late_ns: &late_ns, start_ns, stop_ns, ..Recording::default() };
        let (bench, entry) = recording.sealed();
        prop_assert!(entry.timeline.iter().all(ClockOffset::is_known));
        let expect: Vec<u64> = (0..1600).filter(|seq| (start_ns..stop_ns).contains(&field_ns(*seq))).collect();
        let found = within(&bench, &entry);
        prop_assert_eq!(found.start as u64..found.end as u64, expect.first().map_or(0..0, |first| *first..first + expect.len() as u64));
    }
}
