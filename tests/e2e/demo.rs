//! The main job, without its pictures (those have tests of their own).

use std::fs::File;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::frames::burnt_in_numbers;
use crate::program::sanqu;

const CAMERAS: [&str; 3] = ["head", "wrist-left", "wrist-right"];

#[test]
fn the_whole_trip_loses_nothing_and_every_picture_is_the_one_its_row_names() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let said = sanqu(["demo", "--seconds", "4", "--no-live", "--no-replay", "--json", "--out", out.to_str().unwrap()]).exits(0);
    let summary = said.json();
    assert_eq!(summary["episodes"].as_array().unwrap().len(), 4, "two episodes a robot");
    for manifest in summary["manifests"].as_array().unwrap() {
        check_streams(manifest);
    }
    for dataset in summary["lerobot"].as_array().unwrap() {
        check_pictures(Path::new(dataset.as_str().unwrap()));
    }
    let store = summary["store"].as_str().unwrap();
    sanqu(["verify", store]).exits(0);
    let lost = sanqu(["sql", store, "SELECT sum(lost) AS lost, sum(expected) - sum(received) AS missing FROM streams", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!((lost[0]["lost"].as_u64(), lost[0]["missing"].as_i64()), (Some(0), Some(0)), "{lost}");
}

/// Every stream that the robots publish is there, at its rate, and its account is even.
fn check_streams(manifest: &Value) {
    let streams = manifest["streams"].as_array().unwrap();
    let names: Vec<&str> = streams.iter().map(|stream| stream["stream"].as_str().unwrap()).collect();
    for expected in ["joint", "motor", "imu/torso", "camera/head", "camera/wrist-left", "camera/wrist-right"] {
        assert!(names.contains(&expected), "{expected} is not among {names:?}");
    }
    for stream in streams {
        let name = stream["stream"].as_str().unwrap();
        let number = |key: &str| stream[key].as_str().unwrap_or_else(|| panic!("{name}: {key} is null")).parse::<u64>().unwrap();
        assert_eq!((number("expected"), number("received")), (number("rows"), number("rows")), "{name}");
        let (rate, nominal) = (stream["rate_hz"].as_f64().unwrap(), stream["nominal_rate_hz"].as_f64().unwrap());
        assert!((rate - nominal).abs() <= 0.02 * nominal, "{name}: {rate} Hz instead of {nominal} Hz");
    }
}

/// Decodes every video of a dataset and compares each row's picture with the source frame number in the row.
fn check_pictures(dataset: &Path) {
    let episodes = read(&dataset.join("meta/episodes/chunk-000/file-000.parquet"));
    let rows = read(&dataset.join("data/chunk-000/file-000.parquet"));
    for camera in CAMERAS {
        let key = format!("observation.images.{camera}");
        let numbers = burnt_in_numbers(&dataset.join(format!("videos/{key}/chunk-000/file-000.mp4")));
        let sources: Vec<i64> = integers(&rows, &format!("source.{camera}_seq"));
        let froms: Vec<f64> = floats(&episodes, &format!("videos/{key}/from_timestamp"));
        let (firsts, lasts) = (integers(&episodes, "dataset_from_index"), integers(&episodes, "dataset_to_index"));
        let mut compared = 0;
        for ((from, first), last) in froms.iter().zip(firsts).zip(lasts) {
            let sources = &sources[usize::try_from(first).unwrap()..usize::try_from(last).unwrap()];
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a frame number, exact by construction")]
            let offset = (from * 30.0).round() as usize;
            let shown = &numbers[offset..offset + sources.len()];
            let shown: Vec<i64> = shown.iter().map(|number| i64::from(*number)).collect();
            assert_eq!(shown, sources, "{camera}: pictures and rows differ");
            assert!(shown.windows(2).all(|pair| pair[1] == pair[0] + 1), "{camera}: without loss frames run one by one");
            compared += shown.len();
        }
        assert!(compared >= 2 * 45, "{camera}: only {compared} frames compared");
    }
}

fn read(path: &Path) -> Vec<arrow_array::RecordBatch> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

fn integers(batches: &[arrow_array::RecordBatch], column: &str) -> Vec<i64> {
    values::<arrow_array::types::Int64Type>(batches, column)
}

fn floats(batches: &[arrow_array::RecordBatch], column: &str) -> Vec<f64> {
    values::<arrow_array::types::Float64Type>(batches, column)
}

fn values<T: arrow_array::types::ArrowPrimitiveType>(batches: &[arrow_array::RecordBatch], column: &str) -> Vec<T::Native> {
    use arrow_array::cast::AsArray as _;
    batches
        .iter()
        .flat_map(|batch| {
            batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}")).as_primitive::<T>().values().to_vec()
        })
        .collect()
}
