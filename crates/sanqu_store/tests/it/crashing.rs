//! A recording is crashed at every operation on the disk, and its seal and repair as well; see `sanqu_testkit::Image`.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use sanqu_model::{DetectedBy, EpisodeId, LossCause, StreamName};
use sanqu_store::mp4::Mp4Reader;
use sanqu_store::{
    Control, Decision, DecisionKind, Episode, EpisodeStart, JournalWriter, Sample, Store, StoreError, Survey, repair, seal, survey, verify,
};
use sanqu_testkit::{EIO, ENOSPC, Fault, Image, Random, TestDisk, assert_balanced};
use sanqu_wire::{ENCODING_JPEG, SampleHeader};
use tempfile::TempDir;

use crate::fixture::{BOOT, Message, START_NS, contents, describe, id, key, start, stop};
use crate::video;

pub(crate) const BATCHES: u64 = 8;
/// So small that the recording needs several.
const SEGMENT_BYTES: u64 = 24 << 10;
/// Random ones, besides nothing and everything.
const SEEDS: u64 = 5;

/// A folder in memory where there is one: what is tested is the order of syncs, not the disk.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn picture(seq: u64) -> Message {
    let mut random = Random::new(seq);
    let payload: Vec<u8> = (0..6000).map(|_| random.draw().to_le_bytes()[0]).collect();
    let capture_ns = START_NS + i64::try_from(seq).unwrap() * 100_000_000;
    let header = SampleHeader { rows: 1, boot: BOOT, seq, capture_ns, clock: 1, ..SampleHeader::default() };
    let attachment = header.encode(&payload).to_vec();
    let key = Arc::new(key("camera/wrist"));
    Message { key, encoding: ENCODING_JPEG, attachment, payload, recv_ns: capture_ns + 1_000_000 }
}

/// What is appended between two flushes.
fn batch(number: u64) -> Vec<Message> {
    let film = video::frames(2 * BATCHES).skip(usize::try_from(2 * number).unwrap()).take(2);
    [Message::joint(BOOT, number * 8, 4), Message::joint(BOOT, number * 8 + 4, 4), picture(number)].into_iter().chain(film).collect()
}

/// What must be there whatever happens from now on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Durable {
    /// The journal has begun.
    begun: bool,
    /// Batches whose samples are durable.
    pub(crate) batches: u64,
    /// Decisions about the episode.
    decisions: usize,
    /// The journal was closed.
    closed: bool,
}

/// A store with an episode that was sealed long ago, and how far the recording of another one came.
pub(crate) struct Recording {
    _folder: Option<TempDir>,
    /// The store is in this folder.
    base: PathBuf,
    pub(crate) store: Store,
    old: Vec<(String, Vec<u8>)>,
    /// What is durable from which operation on.
    marks: Vec<(usize, Durable)>,
    /// Batches that were, or were to be, appended.
    appended: u64,
}

pub(crate) fn episode() -> EpisodeId {
    start(2).episode
}

/// One before the episode is sealed, one after.
fn decisions() -> [Decision; 2] {
    [DecisionKind::Keep, DecisionKind::Discard].map(|kind| Decision {
        kind,
        who: "op-07".to_owned(),
        reason: "seen".to_owned(),
        at_ns: START_NS,
    })
}

/// Streams of the recording and the rows of a batch.
const STREAMS: [(&str, u64); 3] = [("joint", 8), ("camera/head", 2), ("camera/wrist", 1)];

/// A record about each stream, made from its rows in a batch.
fn about_streams(journal: &mut JournalWriter, control: impl Fn(StreamName, u64) -> Control) -> Result<(), StoreError> {
    STREAMS.into_iter().try_for_each(|(stream, rows)| journal.control(&control(stream.parse().unwrap(), rows)))
}

fn append(journal: &mut JournalWriter, number: u64) -> Result<(), StoreError> {
    batch(number).iter().try_for_each(|Message { key, encoding, attachment, payload, recv_ns }| {
        journal.append(&Sample { key, encoding, attachment, payload, recv_ns: *recv_ns })
    })
}

fn begin(store: &Store) -> Result<JournalWriter, StoreError> {
    let mut journal = JournalWriter::create(store, &start(2))?.with_segment_bytes(SEGMENT_BYTES);
    journal.control(&describe())?;
    about_streams(&mut journal, |stream, _| Control::Baseline { robot: id("walker-s-01"), stream, boot: BOOT, next_seq: 0 })?;
    Ok(journal)
}

fn end(mut journal: JournalWriter) -> Result<PathBuf, StoreError> {
    let counted = |stream, rows: u64| Control::Final { robot: id("walker-s-01"), stream, boot: BOOT, next_seq: rows * BATCHES };
    about_streams(&mut journal, counted)?;
    journal.control(&stop())?;
    journal.finish()
}

impl Recording {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let store = Store::open_or_create(&folder.path().join("store"), &id("desk"), "UTC").unwrap();
        // Another day and station, so that the folders of the next episode are new.
        let old = EpisodeStart { station: id("b02"), start_ns: START_NS - 86_400_000_000_000, ..start(1) };
        let mut journal = JournalWriter::create(&store, &old).unwrap();
        Message::joint(BOOT, 0, 10).append(&mut journal);
        seal(&store, &journal.finish().unwrap(), &mut |_| {}).unwrap();
        let (base, old) = (folder.path().to_path_buf(), of_old(&store));
        Self { _folder: Some(folder), base, old, store, marks: Vec::new(), appended: 0 }
    }

    /// A copy in another folder.
    pub(crate) fn again(&self, folder: &TempDir) -> Self {
        copy(&self.base, folder.path());
        let store = Store::open(&folder.path().join("store")).unwrap();
        let (old, marks) = (self.old.clone(), self.marks.clone());
        Self { _folder: None, base: folder.path().to_path_buf(), store, old, marks, appended: self.appended }
    }

    /// Records an episode, and seals it; stops at the first error, as if the process had ended.
    pub(crate) fn run(&mut self, disk: &Arc<TestDisk>) -> Result<(), StoreError> {
        self.record(disk)?;
        let store = self.store.clone().on(disk.disk());
        let journal = store.journals()?.pop().unwrap_or_default();
        seal(&store, &journal, &mut |_| {})?;
        store.append_decision(episode(), &decisions()[1])?;
        let durable = self.durable_at(usize::MAX);
        self.marks.push((disk.count(), Durable { decisions: 2, ..durable }));
        Ok(())
    }

    pub(crate) fn record(&mut self, disk: &Arc<TestDisk>) -> Result<(), StoreError> {
        let store = self.store.clone().on(disk.disk());
        let mut durable = Durable::default();
        let mut journal = begin(&store)?;
        durable.begun = true;
        self.marks.push((disk.count(), durable));
        let syncer = journal.syncer();
        for number in 0..BATCHES {
            self.appended = number + 1;
            append(&mut journal, number)?;
            match number % 4 {
                0 | 2 => journal.flush()?,
                1 => journal.sync()?,
                _ => journal.flush().and_then(|()| syncer.sync())?,
            }
            durable.batches = if number % 2 == 1 { number + 1 } else { durable.batches };
            self.marks.push((disk.count(), durable));
            if number == 4 {
                store.append_decision(episode(), &decisions()[0])?;
                durable.decisions = 1;
                self.marks.push((disk.count(), durable));
            }
        }
        end(journal)?;
        self.marks.push((disk.count(), Durable { batches: BATCHES, closed: true, ..durable }));
        Ok(())
    }

    /// Records the rest after a failure as the recorder does: in a new segment, which says what the disk may have cost.
    pub(crate) fn go_on(&self, disk: &Arc<TestDisk>) -> Result<(), StoreError> {
        let durable = self.durable_at(usize::MAX);
        let mut journal = begin(&self.store.clone().on(disk.disk()))?;
        about_streams(&mut journal, |stream, rows| Control::Lost {
            robot: id("walker-s-01"),
            stream,
            boot: BOOT,
            from_seq: Some(rows * durable.batches),
            to_seq: Some(rows * self.appended),
            cause: LossCause::Disk,
            detected_by: DetectedBy::Write,
        })?;
        (self.appended..BATCHES).try_for_each(|number| append(&mut journal, number))?;
        end(journal).map(drop)
    }

    /// What is durable when the disk stops before an operation.
    pub(crate) fn durable_at(&self, operation: usize) -> Durable {
        self.marks.iter().rev().find(|(count, _)| *count <= operation).map(|(_, durable)| *durable).unwrap_or_default()
    }

    /// Repairs what a crash left and checks everything that was promised.
    pub(crate) fn check(&self, store: &Store, durable: Durable, whole: &Whole) {
        let surveyed = survey(store, episode());
        assert!(surveyed.is_ok() || !durable.begun || store.journals().unwrap().is_empty(), "{surveyed:?}");
        // Of a journal that is sealed already, segments may be gone.
        let surveyed = surveyed.ok().filter(|_| store.find(&episode().to_string()).is_err());
        repair(store).unwrap();
        assert_eq!(of_old(store), self.old, "what was sealed before is untouched");
        assert_balanced(store);
        let found = store.episodes().unwrap().into_iter().find(|found| found.manifest().episode == episode());
        assert!(found.is_some() || !durable.begun, "the episode is there");
        if let Some(found) = &found {
            check_rows(found, durable, surveyed.as_ref(), whole);
            let manifest = found.manifest();
            assert!(manifest.ended_by == "stop" || !durable.closed);
            for stream in &manifest.streams {
                let lost = (stream.lost.total(), stream.lost.open_ended, stream.expected);
                let all = (0, false, Some(whole.0[stream.stream.as_str()].len() as u64));
                assert!(manifest.ended_by != "stop" || lost == all, "{}: closed, and {lost:?}", stream.stream);
                assert!(manifest.ended_by == "stop" || lost.1 && lost.2.is_none(), "{}: not closed, and {lost:?}", stream.stream);
            }
            let decided = store.decisions(episode()).unwrap();
            assert!(decided.len() >= durable.decisions && decisions().starts_with(&decided), "{decided:?}");
        }
        let sealed = found.map(|found| sealed_files(&found));
        assert!(repair(store).unwrap().is_empty(), "a second repair finds nothing to do");
        assert_eq!(contents(&store.root().join("journals")), [], "nothing is left over");
        assert_eq!(sealed, store.find(&episode().to_string()).ok().map(|found| sealed_files(&found)));
    }
}

fn of_old(store: &Store) -> Vec<(String, Vec<u8>)> {
    contents(store.find(&start(1).episode.to_string()).unwrap().dir())
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Every row of every stream by its sequence.
pub(crate) struct Whole(BTreeMap<String, BTreeMap<u64, Row>>);

#[derive(Debug, PartialEq)]
struct Row {
    columns: RecordBatch,
    picture: Option<Vec<u8>>,
}

impl Whole {
    pub(crate) fn of(episode: &Episode) -> Self {
        let mut streams = BTreeMap::new();
        for entry in &episode.manifest().streams {
            let film = episode.file(entry, "mp4").map(|path| Mp4Reader::open(&path).unwrap());
            let mut rows = BTreeMap::new();
            for batch in episode.read(entry, None).unwrap().map(Result::unwrap) {
                let schema = batch.schema();
                // Before its first keyframe a film's pictures are in the table; times and places in it depend on what was before.
                let elsewhere = ["data", "bytes", "offset", "pts_ns"];
                let columns = schema.fields().iter().enumerate().filter(|(_, field)| !elsewhere.contains(&field.name().as_str()));
                let kept = batch.project(&columns.map(|(column, _)| column).collect::<Vec<_>>()).unwrap();
                let data = batch.column_by_name("data").map(|data| data.as_binary::<i32>());
                for row in 0..batch.num_rows() {
                    let seq = batch.column_by_name("seq").unwrap().as_primitive::<UInt64Type>().value(row);
                    let of_film = film.as_ref().map(|film| film.frame(rows.len()).unwrap());
                    let picture = data.map(|data| data.value(row).to_vec()).or(of_film);
                    rows.insert(seq, Row { columns: kept.slice(row, 1), picture });
                }
            }
            streams.insert(entry.stream.to_string(), rows);
        }
        Self(streams)
    }
}

/// The files that never change once they are there.
pub(crate) fn sealed_files(episode: &Episode) -> Vec<(String, Vec<u8>)> {
    contents(episode.dir()).into_iter().filter(|(name, _)| name != "decisions.jsonl").collect()
}

/// What is durable is there, and nothing that was not sent; and the same as was found before it was sealed.
fn check_rows(episode: &Episode, durable: Durable, surveyed: Option<&Survey>, whole: &Whole) {
    let found = Whole::of(episode);
    for ((key, _), rows) in surveyed.iter().flat_map(|surveyed| &surveyed.rows) {
        assert!(found.0[key.stream.as_str()].keys().copied().eq(rows.iter().cloned().flatten()), "{}", key.stream);
    }
    for (stream, rows) in &found.0 {
        for (seq, row) in rows {
            assert_eq!(Some(row), whole.0[stream].get(seq), "{stream} {seq} is what was sent");
        }
    }
    for (stream, per_batch) in STREAMS {
        let missing: Vec<u64> =
            (0..durable.batches * per_batch).filter(|seq| !found.0.get(stream).is_some_and(|rows| rows.contains_key(seq))).collect();
        assert!(missing.is_empty(), "{stream} {missing:?} were durable");
    }
}

/// Runs a check for crashes at the operations that are this test's, and says which seed failed.
fn at_every_operation(image: &mut Image, steps: &[sanqu_testkit::Step], part: usize, check: impl Fn(usize, &Store)) {
    const PARTS: usize = 4;
    for operation in 0..=steps.len() {
        if operation % PARTS == part {
            for seed in 0..2 + SEEDS {
                let seed = if seed < 2 { seed } else { seed * 1_000_003 + operation as u64 };
                let folder = folder();
                let root = folder.path().join("base");
                image.write_crashed(seed, &root);
                let checked = catch_unwind(AssertUnwindSafe(|| check(operation, &Store::open(&root.join("store")).unwrap())));
                assert!(checked.is_ok(), "crashed before operation {operation} of {} with seed {seed}", steps.len());
            }
        }
        if let Some(step) = steps.get(operation) {
            image.apply(step);
        }
    }
}

/// A recording that went well, its trace, and the disk before it.
fn recorded() -> (Recording, Arc<TestDisk>, Image, Whole) {
    let mut recording = Recording::new();
    let before = Image::of(&recording.base);
    let disk = TestDisk::new();
    recording.run(&disk).unwrap();
    let whole = Whole::of(&recording.store.find(&episode().to_string()).unwrap());
    (recording, disk, before, whole)
}

#[test]
fn the_simulated_disk_is_the_real_one_when_nothing_crashes() {
    let (recording, disk, mut image, _) = recorded();
    disk.steps().iter().for_each(|step| image.apply(step));
    let copy = folder();
    image.write_live(&copy.path().join("base"));
    let files = |root: &Path| -> Vec<(String, Vec<u8>)> {
        let (mut folders, mut found) = (vec![root.to_path_buf()], Vec::new());
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push((path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    };
    let (real, simulated) = (files(&recording.base), files(&copy.path().join("base")));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, bytes)| format!("{name} {}", bytes.len())).collect::<Vec<_>>();
    assert!(real.len() >= 15, "{:?}", names(&real));
    assert!(real == simulated, "{:?} {:?}", names(&real), names(&simulated));
}

fn check_crashes(part: usize) {
    let (recording, disk, mut image, whole) = recorded();
    let sealed = sealed_files(&recording.store.find(&episode().to_string()).unwrap());
    at_every_operation(&mut image, &disk.steps(), part, |operation, store| {
        let durable = recording.durable_at(operation);
        recording.check(store, durable, &whole);
        if durable.closed {
            assert_eq!(sealed_files(&store.find(&episode().to_string()).unwrap()), sealed, "as if it had not crashed");
        }
    });
}

#[test]
fn a_recording_survives_a_crash_at_every_operation_1() {
    check_crashes(0);
}

#[test]
fn a_recording_survives_a_crash_at_every_operation_2() {
    check_crashes(1);
}

#[test]
fn a_recording_survives_a_crash_at_every_operation_3() {
    check_crashes(2);
}

#[test]
fn a_recording_survives_a_crash_at_every_operation_4() {
    check_crashes(3);
}

/// Repairs what a crash in the middle of the recording left, and crashes the repair at every operation.
fn check_repair(part: usize) {
    let (recording, disk, mut image, whole) = recorded();
    // Before anything was decided.
    let (steps, middle) = (disk.steps(), recording.marks[4].0 + 1);
    steps[..middle].iter().for_each(|step| image.apply(step));
    let crashed = folder();
    image.write_crashed(7, crashed.path());
    let mut image = Image::of(crashed.path());
    let disk = TestDisk::new();
    let store = Store::open(&crashed.path().join("store")).unwrap().on(disk.disk());
    repair(&store).unwrap();
    let sealed = sealed_files(&store.find(&episode().to_string()).unwrap());
    at_every_operation(&mut image, &disk.steps(), part, |_, store| {
        recording.check(store, recording.durable_at(middle), &whole);
        assert_eq!(sealed_files(&store.find(&episode().to_string()).unwrap()), sealed, "as if it had not crashed");
    });
}

#[test]
fn a_repair_survives_a_crash_at_every_operation_1() {
    check_repair(0);
}

#[test]
fn a_repair_survives_a_crash_at_every_operation_2() {
    check_repair(1);
}

#[test]
fn a_repair_survives_a_crash_at_every_operation_3() {
    check_repair(2);
}

#[test]
fn a_repair_survives_a_crash_at_every_operation_4() {
    check_repair(3);
}

/// What a robot brings into a store, in a store that is new.
fn found_store(disk: &Arc<TestDisk>, base: &Path) -> Result<String, StoreError> {
    let store = Store::open_or_create_on(disk.disk(), &base.join("deep/store"), &id("desk"), "UTC")?;
    store.snapshot_robot(&base.join("walker"))
}

/// A folder with a robot's description.
fn described() -> TempDir {
    let folder = folder();
    fs::create_dir_all(folder.path().join("walker/meshes/arm")).unwrap();
    fs::write(folder.path().join("walker/robot.urdf"), vec![b'<'; 9000]).unwrap();
    fs::write(folder.path().join("walker/meshes/arm/hand.stl"), [1, 2, 3]).unwrap();
    folder
}

#[test]
fn a_new_store_survives_a_crash_and_a_failure_at_every_operation() {
    let (described, disk) = (described(), TestDisk::new());
    let mut image = Image::of(described.path());
    let hash = found_store(&disk, described.path()).unwrap();
    let check = |base: &Path, was_known: bool| {
        let store = base.join("deep/store");
        assert!(!was_known || Store::open(&store).unwrap().robot_folder(&hash).is_dir());
        assert_eq!(found_store(&TestDisk::new(), base).unwrap(), hash);
        repair(&Store::open(&store).unwrap()).unwrap();
        assert_eq!(verify(&store).unwrap().issues, []);
    };
    let steps = disk.steps();
    for operation in 0..=steps.len() {
        for seed in [0, 1].into_iter().chain((0..SEEDS).map(|n| n * 1_000_003 + operation as u64 + 2)) {
            let folder = folder();
            image.write_crashed(seed, &folder.path().join("base"));
            let checked = catch_unwind(AssertUnwindSafe(|| check(&folder.path().join("base"), operation == steps.len())));
            assert!(checked.is_ok(), "crashed before operation {operation} of {} with seed {seed}", steps.len());
        }
        let Some(step) = steps.get(operation) else { continue };
        image.apply(step);
        for errno in [ENOSPC, EIO] {
            let (again, disk) = (self::described(), TestDisk::new());
            disk.fail(Fault::once(operation, errno));
            let error = found_store(&disk, again.path()).unwrap_err().to_string();
            assert!(error.contains(&again.path().display().to_string()), "{error}");
            check(again.path(), false);
        }
    }
}
