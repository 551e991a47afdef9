//! `derived/drive_health.parquet`: one row a number.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::read::RobotDrives;
use sanqu_store::Episode;

/// The table's name in `derived/`.
pub(super) const TABLE: &str = "drive_health";

/// Writes the numbers of all drives of an episode. The same episode and program give the same bytes.
///
/// # Errors
/// When the episode's folder cannot be written, or another process writes there.
pub(super) fn write(episode: &Episode, robots: &[RobotDrives]) -> Result<PathBuf> {
    Ok(episode.write_derived(TABLE, &rows(episode, robots)?)?)
}

fn rows(episode: &Episode, robots: &[RobotDrives]) -> Result<RecordBatch> {
    let lines: Vec<_> = robots
        .iter()
        .flat_map(|robot| robot.drives.iter().map(move |drive| (robot, drive)))
        .flat_map(|(robot, drive)| drive.health.quantities().into_iter().map(move |line| (robot, drive, line)))
        .collect();
    let text = |of: &dyn Fn(usize) -> Option<String>| -> ArrayRef { Arc::new((0..lines.len()).map(of).collect::<StringArray>()) };
    let number = |of: &dyn Fn(usize) -> Option<f64>| -> ArrayRef { Arc::new((0..lines.len()).map(of).collect::<Float64Array>()) };
    let found = |at: usize| lines[at].2.answer.as_ref().ok();
    let refusal = |at: usize| lines[at].2.answer.as_ref().err();
    let words = |at: usize| found(at).map(|found| found.doubts.iter().map(|doubt| doubt.code()).collect::<Vec<_>>().join(","));
    let samples: UInt64Array = (0..lines.len()).map(|at| found(at).map(|found| found.samples as u64)).collect();
    let start = TimestampNanosecondArray::from(vec![episode.manifest().start_ns; lines.len()]).with_timezone("UTC");
    let tool = concat!("sanqu ", env!("CARGO_PKG_VERSION"));
    let columns: [(&str, bool, ArrayRef); 17] = [
        ("t", false, Arc::new(start)),
        ("episode", false, text(&|_| Some(episode.manifest().episode.to_string()))),
        ("robot", false, text(&|at| Some(lines[at].0.robot.clone()))),
        ("model", false, text(&|at| Some(lines[at].0.model.clone()))),
        ("motor", false, text(&|at| Some(lines[at].1.motor.clone()))),
        ("joints", false, text(&|at| Some(lines[at].1.joints.join(",")))),
        ("serial", true, text(&|at| lines[at].1.serial.clone())),
        ("quantity", false, text(&|at| Some(lines[at].2.name.to_owned()))),
        ("order", true, number(&|at| lines[at].2.order)),
        ("unit", false, text(&|at| Some(lines[at].1.unit(&lines[at].2).to_owned()))),
        ("value", true, number(&|at| found(at).map(|found| found.value))),
        ("sigma", true, number(&|at| found(at).map(|found| found.sigma))),
        ("samples", true, Arc::new(samples)),
        ("reason", true, text(&|at| refusal(at).map(|refusal| refusal.code().to_owned()))),
        ("reason_text", true, text(&|at| refusal(at).map(ToString::to_string))),
        ("doubts", true, text(&words)),
        ("tool", false, text(&|_| Some(tool.to_owned()))),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, nullable, column)| Field::new(*name, type_of(column), *nullable)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, _, column)| column).collect())?)
}

fn type_of(column: &ArrayRef) -> DataType {
    match column.data_type() {
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        other => other.clone(),
    }
}
