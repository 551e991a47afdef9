use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sanqu_model::RobotEntry;
use sanqu_store::{JournalWriter, Severity, StoreError, repair, verify};
use sanqu_testkit::assert_balanced;

use crate::fixture::{BOOT, Bench, Message, baseline, contents, record, start, stop};
use crate::video;

struct Case {
    bench: Bench,
    dir: PathBuf,
}

impl Case {
    fn new() -> Self {
        let bench = Bench::new();
        let messages: Vec<Message> = (0..30).map(|n| Message::joint(BOOT, n * 10, 10)).chain(video::frames(20)).collect();
        bench.seal(&record(&bench, 1, &messages, 300));
        let dir = bench.last().dir().to_path_buf();
        Self { bench, dir }
    }

    /// Changes a file and expects damage that names it and says `part`.
    #[track_caller]
    fn damage(&self, name: &str, part: &str, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
        let path = self.dir.join(name);
        let whole = fs::read(&path).unwrap();
        match change(whole.clone()) {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let before = contents(&self.dir);
        let report = verify(self.bench.store.root()).unwrap();
        assert!(!report.is_sound());
        let named = report.issues.iter().filter(|issue| issue.severity == Severity::Damage && issue.file == path);
        let details: Vec<&str> = named.map(|issue| issue.detail.as_str()).collect();
        assert!(details.iter().any(|detail| detail.contains(part)), "{name}: {details:?} should say {part:?}");
        assert_eq!(contents(&self.dir), before, "verify changes nothing");
        fs::write(&path, whole).unwrap();
        assert!(verify(&self.dir).unwrap().is_sound());
    }
}

fn truncated(bytes: Vec<u8>) -> Option<Vec<u8>> {
    Some(bytes[..bytes.len() / 2].to_vec())
}

fn flipped(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Some(bytes)
}

#[test]
fn every_damaged_file_is_named() {
    let case = Case::new();
    for name in
        ["walker-s-01.joint.parquet", "walker-s-01.camera.head.parquet", "walker-s-01.camera.head.mp4", "loss.parquet", "clocks.parquet"]
    {
        case.damage(name, "truncated", truncated);
        case.damage(name, "SHA-256", flipped);
        case.damage(name, "cannot open", |_| None);
    }
    case.damage("walker-s-01.camera.head.mp4", "cut off", truncated);
    case.damage("manifest.json", "not a manifest", truncated);
    case.damage("manifest.json", "cannot open", |_| None);
}

#[test]
fn a_manifest_that_does_not_add_up_is_damage() {
    let case = Case::new();
    let edit = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from), "{text}");
            Some(text.replace(from, to).into_bytes())
        }
    };
    case.damage("manifest.json", "expected 301 rows", edit("\"expected\": \"300\"", "\"expected\": \"301\""));
    let within = edit("\"rows_in_episode\": \"300\"", "\"rows_in_episode\": \"299\"");
    case.damage("manifest.json", "300 rows between start and stop, the manifest says 299", within);
    case.damage("manifest.json", "format 2, this program reads up to 1", edit("\"format_version\": 1", "\"format_version\": 2"));
}

#[test]
fn losses_are_told_and_are_no_damage() {
    let bench = Bench::new();
    bench.seal(&record(&bench, 1, &[Message::joint(BOOT, 0, 10)], 12));
    let report = verify(bench.store.root()).unwrap();
    assert!(report.is_sound());
    assert_eq!((report.issues[0].severity, report.issues[0].detail.as_str()), (Severity::Loss, "2 rows lost"));
}

#[test]
fn a_newer_store_is_refused() {
    let bench = Bench::new();
    let file = bench.store.root().join("sanqu.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}\nsomething_new = {{}}\n", text.replace("format_version = 1", "format_version = 2"))).unwrap();
    for error in [sanqu_store::Store::open(bench.store.root()).unwrap_err(), verify(bench.store.root()).unwrap_err()] {
        assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1, .. }));
        assert!(error.to_string().contains("written by a newer sanqu (format 2, this program reads up to 1)"), "{error}");
    }
}

#[test]
fn a_store_that_does_not_add_up_fails_the_tests_that_ask() {
    let case = Case::new();
    assert_eq!(assert_balanced(&case.bench.store), 1);
    let path = case.dir.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, part) in [
        ("\"expected\": \"300\"", "\"expected\": \"301\"", "received 300 and lost 0"),
        ("\"network\": 0", "\"network\": 1", "the ledger's rows sum up to"),
        ("\"format_version\": 1", "\"format_version\": 2", "manifest.json"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let said = std::panic::catch_unwind(|| assert_balanced(&case.bench.store)).unwrap_err();
        assert!(said.downcast_ref::<String>().unwrap().contains(part), "{said:?}");
    }
}

/// Findings about this file or folder.
fn said(path: &Path, of: &Path) -> Vec<(Severity, String)> {
    let issues = verify(path).unwrap().issues.into_iter().filter(|issue| issue.file == of);
    issues.map(|issue| (issue.severity, issue.detail)).collect()
}

#[track_caller]
fn says(path: &Path, of: &Path, severity: Severity, part: &str) {
    let said = said(path, of);
    assert!(
        said.iter().any(|(found, detail)| *found == severity && detail.contains(part)),
        "{}: {said:?} should say {part:?}",
        of.display()
    );
}

/// Writes a table of the episode anew.
fn rewrite(path: &Path, change: impl FnOnce(RecordBatch) -> RecordBatch) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let batch = change(concat_batches(&batches[0].schema(), &batches).unwrap());
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The same table with other numbers in a column.
fn with_numbers(batch: &RecordBatch, name: &str, change: impl Fn(usize, u64) -> u64) -> RecordBatch {
    let numbers = batch.column_by_name(name).unwrap().as_primitive::<UInt64Type>().values().iter();
    let numbers: UInt64Array = numbers.enumerate().map(|(row, number)| change(row, *number)).collect();
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of(name).unwrap()] = Arc::new(numbers);
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

#[test]
fn sequences_that_do_not_rise_and_rows_that_are_missing_are_damage() {
    let Case { bench, dir } = Case::new();
    let (path, store) = (dir.join("walker-s-01.joint.parquet"), bench.store.root());
    let whole = fs::read(&path).unwrap();
    rewrite(&path, |batch| with_numbers(&batch, "seq", |row, seq| if row == 7 { 6 } else { seq }));
    says(store, &path, Severity::Damage, "row 7: run 0, sequence 6 does not follow Some((0, 6))");
    fs::write(&path, &whole).unwrap();
    rewrite(&path, |batch| batch.slice(0, 290));
    says(store, &path, Severity::Damage, "290 rows, the manifest says 300");
}

#[test]
fn a_film_and_its_table_must_agree_frame_by_frame() {
    let Case { bench, dir } = Case::new();
    let (table, film, store) = (dir.join("walker-s-01.camera.head.parquet"), dir.join("walker-s-01.camera.head.mp4"), bench.store.root());
    let whole = fs::read(&table).unwrap();
    let check = |part: &str, change: fn(RecordBatch) -> RecordBatch| {
        rewrite(&table, change);
        says(store, &film, Severity::Damage, part);
        fs::write(&table, &whole).unwrap();
    };
    check("frame 3: (time ns, keyframe, bytes, offset) are", |batch| {
        with_numbers(&batch, "offset", |row, offset| offset + u64::from(row == 3))
    });
    check("20 frames, the frame table has 19", |batch| batch.slice(0, 19));
    check("20 frames, the frame table has more", |batch| concat_batches(&batch.schema(), [&batch, &batch.slice(19, 1)]).unwrap());
}

#[test]
fn what_lies_beside_a_recording_is_told() {
    let Case { bench, dir } = Case::new();
    let store = bench.store.root();
    let station = dir.parent().unwrap();
    let (stray, decisions) = (dir.join("notes.txt"), dir.join("decisions.jsonl"));
    fs::write(&stray, "x").unwrap();
    says(store, &stray, Severity::Note, "the manifest does not name this file");
    fs::write(&decisions, "keep it\n").unwrap();
    says(store, &decisions, Severity::Damage, "");
    fs::write(&decisions, "").unwrap();
    assert_eq!(said(store, &decisions), []);
    let unfinished = station.join(format!("{}.tmp", start(2).episode));
    fs::create_dir(&unfinished).unwrap();
    says(store, &unfinished, Severity::Note, "a seal that was not finished");
    let mut journal = bench.journal(3);
    journal.control(&stop()).unwrap();
    says(store, &journal.finish().unwrap(), Severity::Note, "a journal that is not sealed");
    // A description that is being copied is nobody's yet.
    fs::create_dir_all(store.join("robots/0123.tmp")).unwrap();
    assert!(verify(store).unwrap().is_sound());
    let renamed = station.join(start(4).episode.to_string());
    fs::rename(&dir, &renamed).unwrap();
    says(store, &renamed, Severity::Note, &format!("not named after its episode {}", start(1).episode));
}

#[test]
fn an_episode_whose_robots_description_is_gone_is_damaged() {
    let bench = Bench::new();
    let source = bench.folder.path().join("walker-s");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("robot.urdf"), "<robot name=\"w\"/>").unwrap();
    let hash = bench.store.snapshot_robot(&source).unwrap();
    let mut started = start(1);
    started.robots = vec![RobotEntry { description: Some(hash.clone()), ..started.robots[0].clone() }];
    let mut journal = JournalWriter::create(&bench.store, &started).unwrap();
    journal.control(&stop()).unwrap();
    bench.seal(&journal.finish().unwrap());
    assert!(verify(bench.store.root()).unwrap().issues.is_empty());
    let folder = bench.store.robot_folder(&hash);
    fs::remove_dir_all(&folder).unwrap();
    says(bench.store.root(), &folder, Severity::Damage, "the robot description of an episode is missing");
}

#[test]
fn an_open_end_is_a_loss_even_when_nothing_is_counted() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    journal.control(&baseline(BOOT, 0)).unwrap();
    Message::joint(BOOT, 0, 4).append(&mut journal);
    journal.flush().unwrap();
    drop(journal);
    repair(&bench.store).unwrap();
    let manifest = bench.last().dir().join("manifest.json");
    assert_eq!(said(bench.store.root(), &manifest), [(Severity::Loss, "0 rows lost and an unknown number more".to_owned())]);
}
