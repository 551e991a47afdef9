//! What is computed from an episode afterwards: written whole or not at all, beside files that stay as they were.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sanqu_store::{Episode, Store, StoreError, verify};
use sanqu_testkit::{EIO, ENOSPC, Fault, Image, TestDisk};

use crate::fixture::{BOOT, Bench, Message, contents, position, record};

fn table(values: &[Option<f64>]) -> RecordBatch {
    let names: Vec<Option<&str>> = values.iter().map(|value| value.map(|_| "found")).collect();
    let columns: [(&str, ArrayRef); 2] =
        [("value", Arc::new(Float64Array::from(values.to_vec()))), ("reason", Arc::new(StringArray::from(names)))];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn read(path: &Path) -> RecordBatch {
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.next().unwrap().unwrap()
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.seal(&record(&bench, 1, &[Message::joint(BOOT, 0, 4), Message::joint(BOOT, 6, 4)], 1));
    bench
}

#[test]
fn a_derived_table_is_replaced_whole_and_touches_nothing_else() {
    let bench = bench();
    let before = contents(bench.last().dir());
    let first = bench.last().write_derived("health", &table(&[Some(1.5), None])).unwrap();
    let bytes = fs::read(&first).unwrap();
    bench.last().write_derived("health", &table(&[Some(1.5), None])).unwrap();
    assert!(fs::read(&first).unwrap() == bytes, "the same rows are the same bytes");
    bench.last().write_derived("health", &table(&[Some(f64::MIN), Some(2.0), None])).unwrap();
    assert_eq!(read(&first), table(&[Some(f64::MIN), Some(2.0), None]));
    let report = verify(bench.store.root()).unwrap();
    assert!(report.is_sound() && report.issues.iter().all(|issue| !issue.detail.contains("does not name")), "{:?}", report.issues);
    fs::remove_dir_all(first.parent().unwrap()).unwrap();
    assert!(contents(bench.last().dir()) == before, "sealed files have changed");
}

#[test]
fn a_crash_leaves_the_old_or_the_new_table() {
    let bench = bench();
    let (old, new) = (table(&[Some(1.0)]), table(&[Some(2.0), None, Some(3.0)]));
    bench.last().write_derived("health", &old).unwrap();
    let base = Image::of(bench.store.root());
    let watched = TestDisk::new();
    let store = Store::open(bench.store.root()).unwrap().on(watched.disk());
    let place = store.find("last").unwrap().write_derived("health", &new).unwrap();
    let place = place.strip_prefix(bench.store.root()).unwrap().to_path_buf();
    let steps = watched.steps();
    for crashed in 0..=steps.len() {
        for seed in 0..3 {
            let mut image = base.clone();
            steps[..crashed].iter().for_each(|step| image.apply(step));
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("store");
            image.write_crashed(seed, &root);
            let found = read(&root.join(&place));
            assert!(found == old || found == new, "crashed before step {crashed}, seed {seed}: {found:?}");
            assert!(crashed < steps.len() || found == new, "what was acknowledged is lost with seed {seed}");
            assert!(verify(&root).unwrap().is_sound());
        }
    }
}

#[test]
fn a_disk_that_fails_keeps_the_old_table() {
    for errno in [EIO, ENOSPC] {
        let bench = bench();
        let old = table(&[Some(1.0)]);
        let path = bench.last().write_derived("health", &old).unwrap();
        let watched = TestDisk::new();
        let store = Store::open(bench.store.root()).unwrap().on(watched.disk());
        let episode: Episode = store.find("last").unwrap();
        episode.write_derived("health", &old).unwrap();
        let mut failed = 0;
        for at in 0..watched.count() {
            watched.fail(Fault::once(watched.count() + at, errno));
            match episode.write_derived("health", &table(&[Some(2.0)])) {
                Err(StoreError::Io { .. }) => failed += 1,
                // Only what the lock says of its holder may be lost.
                Ok(_) => {}
                Err(other) => panic!("{other}"),
            }
            watched.mend();
            assert!(read(&path) == old || read(&path) == table(&[Some(2.0)]), "operation {at}");
        }
        assert!(failed >= 4, "only {failed} operations could fail");
    }
}

#[test]
fn columns_are_picked_with_their_places() {
    let bench = bench();
    let episode = bench.last();
    let entry = episode.manifest().streams.iter().find(|entry| entry.stream.as_str() == "joint").unwrap();
    let found = episode.columns(entry, &[("head", "pos"), ("l_knee_pitch_joint", "err")], usize::MAX).unwrap();
    assert_eq!((found.rows(), found.seq.clone()), (8, vec![0, 1, 2, 3, 6, 7, 8, 9]));
    for (row, seq) in found.seq.iter().enumerate() {
        assert_eq!(found.values[0][row].to_bits(), position(*seq, 2).to_bits());
        assert_eq!(found.values[1][row], *seq as f64 * 10.0);
        assert_eq!(found.follows(row), row != 0 && row != 4);
    }
    assert!(!found.follows(8));
    assert_eq!(episode.columns(entry, &[], 3).unwrap().rows(), 3);
    let error = episode.columns(entry, &[("neck", "pos")], 3).unwrap_err().to_string();
    assert!(error.contains("neck.pos") && error.contains("head.pos"), "{error}");
}
