//! The second pass over a stream: its samples in order, decoded and written.

use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BinaryBuilder, BooleanBuilder, StringBuilder};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sanqu_model::{Quantity, StreamKey, VIDEO_DATA, VIDEO_KEYFRAME};
use sanqu_wire::RowsReader;

use super::columns::{Leading, Transposed, leading_fields, stored_schema};
use super::content::Form;
use super::piece::Piece;
use super::plan::Plan;
use super::stats::Stats;
use super::table::{Digest, Table};
use crate::StoreError;
use crate::disk::Disk;
use crate::journal::{Entry, Index, Merge, StreamIndex, Window};

/// Pictures and texts are written together up to this size.
const BATCH_BYTES: usize = 8 << 20;

/// A stream whose samples are to be written.
pub(super) struct Source<'a> {
    pub(super) disk: &'a Disk,
    pub(super) index: &'a Index,
    pub(super) key: &'a StreamKey,
    pub(super) stream: &'a StreamIndex,
    pub(super) plan: &'a Plan,
    /// Rows a second, for the length of pages; 0 when unknown.
    pub(super) rate_hz: f64,
}

impl<'a> Source<'a> {
    /// The samples that are kept, by run and sequence.
    pub(super) fn samples(&self) -> Result<Samples<'a>, StoreError> {
        let (pieces, window) = (self.plan.pieces.iter(&self.plan.scratch)?, Window::default());
        Ok(Samples { index: self.index, stream: self.stream, pieces, window, payload: Vec::new() })
    }

    /// The first pass has read the same bytes without an error.
    pub(super) fn changed(&self, sample: &Sample<'_>, reason: impl std::fmt::Display) -> StoreError {
        let reason = format!("sample {} of {} changed while it was sealed: {reason}", sample.piece.entry, self.key);
        StoreError::ReadBack { path: self.index.path(&sample.entry).to_path_buf(), reason }
    }
}

/// See [`Source::samples`].
pub(super) struct Samples<'a> {
    index: &'a Index,
    stream: &'a StreamIndex,
    pieces: Merge<'a, Piece>,
    window: Window<Entry>,
    payload: Vec<u8>,
}

/// A sample of which rows are stored.
pub(super) struct Sample<'s> {
    pub(super) piece: Piece,
    pub(super) entry: Entry,
    pub(super) payload: &'s [u8],
    /// Whether decoding can begin here: as the header says, and where there is none, as the picture's own bytes say.
    pub(super) keyframe: bool,
    /// Capture time of the first row, ns. Where nobody said it, the journal has the receive time.
    pub(super) t_ns: i64,
}

impl Samples<'_> {
    pub(super) fn next(&mut self) -> Result<Option<Sample<'_>>, StoreError> {
        let Some(piece) = self.pieces.next()? else { return Ok(None) };
        let entry = self.index.entry(self.stream, &mut self.window, piece.entry)?;
        self.index.payload(&entry, &mut self.payload)?;
        let header = self.index.header(&entry)?;
        let by_bytes = || sanqu_wire::is_keyframe(self.index.encoding(&entry), &self.payload);
        let (keyframe, t_ns) = (header.map_or_else(by_bytes, |h| h.keyframe()), header.map_or(entry.publish_ns, |h| h.capture_ns));
        Ok(Some(Sample { piece, entry, payload: &self.payload, keyframe, t_ns }))
    }
}

/// Writes everything but video: one Parquet file.
pub(super) fn write_table(source: &Source<'_>, path: &Path, stats: &mut Stats) -> Result<Digest, StoreError> {
    match &source.plan.form {
        Form::Rows(layout) => write_rows(source, &layout.payload, &layout.stored, path, stats),
        Form::Text | Form::Bytes | Form::Video(_) => write_payloads(source, path, stats),
    }
}

/// Rows of quantities.
///
/// * `quantities`: as the payloads have them.
fn write_rows(
    source: &Source<'_>,
    quantities: &[Quantity],
    stored: &[Quantity],
    path: &Path,
    stats: &mut Stats,
) -> Result<Digest, StoreError> {
    let mut table = Table::create(source.disk, path, &stored_schema(stored), source.rate_hz)?;
    let (mut leading, mut values) = (Leading::default(), Transposed::new(quantities));
    let (mut reader, mut fitting, mut samples) = (RowsReader::default(), None, source.samples()?);
    while let Some(sample) = samples.next()? {
        let Piece { run, seq, skip, rows: count, .. } = sample.piece;
        let rows = reader.read(sample.payload).map_err(|e| source.changed(&sample, e))?;
        if fitting.as_ref().is_none_or(|known| !Arc::ptr_eq(known, rows.quantities())) {
            if rows.quantities()[..] != *quantities {
                return Err(source.changed(&sample, "it has other columns"));
            }
            fitting = Some(Arc::clone(rows.quantities()));
        }
        let (skip, count) = (skip as usize, count as usize);
        if rows.rows() < skip + count {
            return Err(source.changed(&sample, format!("it has {} rows", rows.rows())));
        }
        let t_ns = || rows.t_ns().skip(skip).take(count);
        stats.add((run, seq), sample.entry.recv_ns, t_ns());
        leading.push(t_ns(), sample.entry.recv_ns, (run, seq));
        values.push(&rows, skip..skip + count);
        if leading.rows() >= table.page_rows() {
            table.write_columns(leading.finish().into_iter().chain(values.finish()))?;
        }
    }
    if leading.rows() > 0 {
        table.write_columns(leading.finish().into_iter().chain(values.finish()))?;
    }
    table.finish()
}

/// One row a payload, with the payload in it.
enum Own {
    Text(StringBuilder),
    Picture(BooleanBuilder, BinaryBuilder),
    Bytes(BinaryBuilder),
}

impl Own {
    fn of(source: &Source<'_>) -> Self {
        match &source.plan.form {
            Form::Text => Self::Text(StringBuilder::new()),
            _ if source.key.stream.kind().is_picture() => Self::Picture(BooleanBuilder::new(), BinaryBuilder::new()),
            _ => Self::Bytes(BinaryBuilder::new()),
        }
    }

    fn schema(&self) -> SchemaRef {
        let mut fields = leading_fields();
        fields.extend(matches!(self, Self::Picture(..)).then(|| Field::new(VIDEO_KEYFRAME, DataType::Boolean, false)));
        let data_type = if matches!(self, Self::Text(_)) { DataType::Utf8 } else { DataType::Binary };
        fields.push(Field::new(VIDEO_DATA, data_type, false));
        Arc::new(Schema::new(fields))
    }

    fn push(&mut self, sample: &Sample<'_>) -> Result<(), std::str::Utf8Error> {
        match self {
            Self::Text(texts) => texts.append_value(std::str::from_utf8(sample.payload)?),
            Self::Picture(keyframes, pictures) => {
                keyframes.append_value(sample.keyframe);
                pictures.append_value(sample.payload);
            }
            Self::Bytes(payloads) => payloads.append_value(sample.payload),
        }
        Ok(())
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        match self {
            Self::Text(texts) => vec![Arc::new(texts.finish())],
            Self::Picture(keyframes, pictures) => vec![Arc::new(keyframes.finish()), Arc::new(pictures.finish())],
            Self::Bytes(payloads) => vec![Arc::new(payloads.finish())],
        }
    }
}

fn write_payloads(source: &Source<'_>, path: &Path, stats: &mut Stats) -> Result<Digest, StoreError> {
    let (mut leading, mut own, mut bytes) = (Leading::default(), Own::of(source), 0);
    let mut table = Table::create(source.disk, path, &own.schema(), source.rate_hz)?;
    let mut samples = source.samples()?;
    while let Some(sample) = samples.next()? {
        let Piece { run, seq, .. } = sample.piece;
        own.push(&sample).map_err(|e| source.changed(&sample, e))?;
        stats.add((run, seq), sample.entry.recv_ns, std::iter::once(sample.t_ns));
        leading.push(std::iter::once(sample.t_ns), sample.entry.recv_ns, (run, seq));
        bytes += sample.payload.len();
        if leading.rows() >= table.page_rows() || bytes >= BATCH_BYTES {
            table.write_columns(leading.finish().into_iter().chain(own.finish()))?;
            bytes = 0;
        }
    }
    if leading.rows() > 0 {
        table.write_columns(leading.finish().into_iter().chain(own.finish()))?;
    }
    table.finish()
}
