//! The files that belong to no single stream.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array};
use arrow_schema::{Field, Schema};
use sanqu_model::{LossRow, StreamEntry};

use super::stats::ClockPair;
use super::table::{Digest, Table};
use crate::disk::Disk;
use crate::{Control, StoreError};

/// Writes a small table in one batch.
fn write(disk: &Disk, path: &Path, columns: Vec<(&str, bool, ArrayRef)>) -> Result<Digest, StoreError> {
    let fields: Vec<Field> = columns.iter().map(|(name, null, array)| Field::new(*name, array.data_type().clone(), *null)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|e| StoreError::damaged(path, e))?;
    let mut table = Table::create(disk, path, &schema, 0.0)?;
    table.write(&batch)?;
    table.finish()
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn time(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter_values(values).with_timezone("UTC"))
}

/// `events.parquet`: `t`, `name`, `text`, in order of the journal.
pub(super) fn write_events(disk: &Disk, path: &Path, controls: &[Control]) -> Result<Digest, StoreError> {
    let events: Vec<(i64, &str, &str)> = controls
        .iter()
        .filter_map(|control| match control {
            Control::Event { t_ns, name, text } => Some((*t_ns, name.as_str(), text.as_str())),
            _ => None,
        })
        .collect();
    write(
        disk,
        path,
        vec![
            ("t", false, time(events.iter().map(|e| e.0))),
            ("name", false, text(events.iter().map(|e| e.1))),
            ("text", false, text(events.iter().map(|e| e.2))),
        ],
    )
}

/// `loss.parquet`: the loss ledger; a null sequence is an unknown one, a null end an open one.
pub(super) fn write_loss(disk: &Disk, path: &Path, rows: &[LossRow]) -> Result<Digest, StoreError> {
    write(
        disk,
        path,
        vec![
            ("robot", false, text(rows.iter().map(|r| r.robot.as_str()))),
            ("stream", false, text(rows.iter().map(|r| r.stream.as_str()))),
            ("run", false, Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.run)))),
            ("from_seq", true, Arc::new(rows.iter().map(|r| r.from_seq).collect::<UInt64Array>())),
            ("to_seq", true, Arc::new(rows.iter().map(|r| r.to_seq).collect::<UInt64Array>())),
            ("cause", false, text(rows.iter().map(|r| r.cause.as_str()))),
            ("detected_by", false, text(rows.iter().map(|r| r.detected_by.as_str()))),
        ],
    )
}

/// `clocks.parquet`: about once a second and stream, capture and receive time of the same sample.
pub(super) fn write_clocks(disk: &Disk, path: &Path, streams: &[(StreamEntry, Vec<ClockPair>)]) -> Result<Digest, StoreError> {
    let rows: Vec<(&StreamEntry, &ClockPair)> =
        streams.iter().flat_map(|(entry, pairs)| pairs.iter().map(move |pair| (entry, pair))).collect();
    write(
        disk,
        path,
        vec![
            ("robot", false, text(rows.iter().map(|(entry, _)| entry.robot.as_str()))),
            ("stream", false, text(rows.iter().map(|(entry, _)| entry.stream.as_str()))),
            ("run", false, Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(_, pair)| pair.run)))),
            ("t", false, time(rows.iter().map(|(_, pair)| pair.t_ns))),
            ("t_recv", false, time(rows.iter().map(|(_, pair)| pair.t_recv_ns))),
        ],
    )
}
