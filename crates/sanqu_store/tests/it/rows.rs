//! Reading by spans of rows gives what reading everything gives.

use std::fs;
use std::sync::OnceLock;

use proptest::prelude::*;
use sanqu_store::{RowReader, Series, StoreError};

use crate::fixture::{BOOT, Bench, JOINTS, Message, joint_entry, record};

/// More than two row groups of a minute at 500 Hz.
const ROWS: u64 = 65_000;

/// A recording, a reader of its positions, and all of them read at once.
fn recording() -> &'static (Bench, RowReader, Series) {
    static RECORDING: OnceLock<(Bench, RowReader, Series)> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let bench = Bench::new();
        let messages: Vec<Message> = (0..ROWS / 500).map(|n| Message::joint(BOOT, n * 500, 500)).collect();
        let manifest = bench.seal(&record(&bench, 1, &messages, ROWS));
        let (episode, entry) = (bench.last(), joint_entry(&manifest));
        let reader = episode.row_reader(entry, |quantity, _| quantity == "pos").unwrap();
        let whole = episode.series(entry, "pos").unwrap();
        (bench, reader, whole)
    })
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn pages_and_row_groups_are_known_and_columns_are_named() {
    let (bench, reader, whole) = recording();
    assert_eq!((reader.rows(), whole.rows()), (65_000, 65_000));
    let expect: Vec<usize> = (0..26).map(|page| page * 2_500).collect();
    assert_eq!(reader.page_starts(), expect, "pages of five seconds");
    assert_eq!(reader.columns().iter().map(|column| column.element.as_str()).collect::<Vec<_>>(), JOINTS);
    let (episode, manifest) = (bench.last(), bench.last().manifest().clone());
    let two = episode.row_reader(joint_entry(&manifest), |_, element| element == "head").unwrap();
    assert_eq!(two.columns().iter().map(|column| column.quantity.as_str()).collect::<Vec<_>>(), ["pos", "err"]);
    assert_eq!(two.read(7..8).unwrap().last(), Some(&72.0), "whole numbers come as f64");
    let none = episode.row_reader(joint_entry(&manifest), |_, _| false);
    assert!(matches!(none, Err(StoreError::NoColumn { .. })), "{none:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_span_of_rows_is_that_of_the_whole(
        near in prop::sample::select(vec![0_usize, 2_500, 29_999, 30_000, 60_000, 64_999]),
        before in 0_usize..40,
        count in prop_oneof![0_usize..80, 29_000_usize..31_000],
    ) {
        let (_, reader, whole) = recording();
        let from = near.saturating_sub(before);
        let rows = from..(from + count).min(reader.rows());
        let width = reader.columns().len();
        let read = reader.read(rows.clone()).unwrap();
        prop_assert_eq!(bits(&read), bits(&whole.values[rows.start * width..rows.end * width]));
    }
}

#[test]
fn rows_that_are_not_there_and_files_that_are_cut_are_errors() {
    let (_, reader, _) = recording();
    let error = reader.read(64_990..65_001).unwrap_err().to_string();
    assert!(error.contains("joint.parquet") && error.contains("64990 to 65001") && error.contains("there are 65000 rows"), "{error}");
    let bench = Bench::new();
    let manifest = bench.seal(&record(&bench, 1, &[Message::joint(BOOT, 0, 500)], 500));
    let (episode, entry) = (bench.last(), joint_entry(&manifest));
    let reader = episode.row_reader(entry, |quantity, _| quantity == "pos").unwrap();
    let path = episode.file(entry, "parquet").unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 8]).unwrap();
    let error = reader.read(0..500).unwrap_err().to_string();
    assert!(error.contains("joint.parquet") && error.contains("rows 0 to 500"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(matches!(reader.read(0..1), Err(StoreError::Io { action: "open", .. })));
}
