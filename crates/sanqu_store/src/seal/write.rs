//! The second pass over a stream: its samples in order, decoded and written.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use sanqu_model::{Chunk, StreamKey, VIDEO_DATA, VIDEO_KEYFRAME};
use sanqu_wire::{SampleHeader, Stamp, decode_rows, picture_to_chunk, rows_to_chunk, text_to_chunk};

use super::columns::{leading_fields, stored_schema, transpose};
use super::content::Form;
use super::plan::{Piece, Plan};
use super::stats::Stats;
use super::table::{Digest, Table};
use crate::StoreError;
use crate::disk::Disk;
use crate::journal::{Index, StreamIndex};

/// Rows that are transposed and written together.
const BATCH_ROWS: usize = 4096;
/// Pictures are written together up to this size.
const BATCH_BYTES: usize = 16 << 20;

/// A stream whose samples are to be written.
pub(super) struct Source<'a> {
    pub(super) disk: &'a Disk,
    pub(super) index: &'a Index,
    pub(super) key: &'a Arc<StreamKey>,
    pub(super) stream: &'a StreamIndex,
    pub(super) plan: &'a Plan,
    /// Rows a second, for the length of pages; 0 when unknown.
    pub(super) rate_hz: f64,
}

/// Columns of a stream that is kept in one Parquet file.
fn schema(source: &Source<'_>) -> SchemaRef {
    let mut fields = leading_fields();
    match &source.plan.form {
        Form::Rows(layout) => return stored_schema(&layout.stored),
        Form::Text => fields.push(Field::new(VIDEO_DATA, DataType::Utf8, false)),
        Form::Bytes | Form::Video(_) => {
            if source.key.stream.kind().is_picture() {
                fields.push(Field::new(VIDEO_KEYFRAME, DataType::Boolean, false));
            }
            fields.push(Field::new(VIDEO_DATA, DataType::Binary, false));
        }
    }
    Arc::new(Schema::new(fields))
}

/// Writes everything but video: one Parquet file.
pub(super) fn write_table(source: &Source<'_>, path: &Path, stats: &mut Stats) -> Result<Digest, StoreError> {
    let schema = schema(source);
    let mut table = Table::create(source.disk, path, &schema, source.rate_hz)?;
    let (mut waiting, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for piece in &source.plan.pieces {
        let chunk = chunk(source, piece)?;
        stats.add(&chunk);
        rows += chunk.rows();
        bytes += source.stream.entries[piece.entry].payload_bytes;
        waiting.push(chunk.batch().clone());
        if rows >= BATCH_ROWS || bytes >= BATCH_BYTES {
            write_waiting(&mut table, &schema, &mut waiting, path)?;
            (rows, bytes) = (0, 0);
        }
    }
    write_waiting(&mut table, &schema, &mut waiting, path)?;
    table.finish()
}

fn write_waiting(table: &mut Table, schema: &SchemaRef, waiting: &mut Vec<RecordBatch>, path: &Path) -> Result<(), StoreError> {
    let Some(first) = waiting.first() else { return Ok(()) };
    let batch = concat_batches(&first.schema(), waiting.iter())
        .and_then(|rows| transpose(&rows, schema))
        .map_err(|e| StoreError::damaged(path, e))?;
    waiting.clear();
    table.write(&batch)
}

/// Decodes the rows of a piece.
pub(super) fn chunk(source: &Source<'_>, piece: &Piece) -> Result<Chunk, StoreError> {
    let entry = &source.stream.entries[piece.entry];
    let payload = source.index.payload(entry)?;
    let header = SampleHeader::decode(&entry.attachment).ok();
    // Without a header nobody said when it was captured: the journal has the receive time there.
    let t_ns = header.map_or(entry.publish_ns, |h| h.capture_ns);
    let stamp = Stamp { recv_ns: entry.recv_ns, run: piece.run, first_seq: piece.seq };
    let chunk = match &source.plan.form {
        Form::Rows(_) => decode_rows(&payload).and_then(|rows| rows_to_chunk(source.key, &rows.slice(piece.skip, piece.rows), stamp)),
        Form::Text => text_to_chunk(source.key, &payload, t_ns, stamp),
        Form::Bytes | Form::Video(_) => picture_to_chunk(source.key, &payload, t_ns, header.is_none_or(|h| h.keyframe()), stamp),
    };
    // The first pass has read the same bytes without an error.
    let changed = |e: &dyn std::fmt::Display| {
        let reason = format!("sample {} of {} changed while it was sealed: {e}", piece.entry, source.key);
        StoreError::ReadBack { path: source.index.path(entry).to_path_buf(), reason }
    };
    let chunk = chunk.map_err(|e| changed(&e))?;
    if source.key.stream.kind().is_picture() || !matches!(source.plan.form, Form::Bytes) {
        return Ok(chunk);
    }
    // A message that is no picture has no keyframes.
    let columns: Vec<usize> = (0..chunk.batch().num_columns()).filter(|i| *i != leading_fields().len()).collect();
    let batch = chunk.batch().project(&columns).map_err(|e| changed(&e))?;
    Ok(Chunk::new(Arc::clone(source.key), batch)?)
}
