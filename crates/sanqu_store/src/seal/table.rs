//! Parquet files that are the same bytes for the same rows, and the proof that they read back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::disk::{Disk, DiskFile};
use crate::error::IoContext;
use crate::{StoreError, episode};

const CREATED_BY: &str = "sanqu_store format 1";
/// Pages of about this long: long enough that hundreds of columns do not drown in page headers, short enough that a seek
/// reads little (docs/adr/0010).
const PAGE_SECS: f64 = 5.0;
/// Row groups of about a minute.
const PAGES_A_GROUP: usize = 12;
const PAGE_ROWS_MIN: f64 = 32.0;
const PAGE_ROWS_MAX: f64 = 20_000.0;
/// Pictures make row groups large: they are closed at this size.
const GROUP_BYTES_MAX: usize = 64 << 20;

/// A Parquet file that is being written.
pub(super) struct Table {
    path: PathBuf,
    writer: ArrowWriter<DiskFile>,
    digest: Digest,
    page_rows: usize,
}

/// Checksums of every column's values, independent of how they are cut into batches and pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    rows: u64,
    columns: Vec<u32>,
    schema: SchemaRef,
}

impl Table {
    /// Creates the file. `rate_hz` sets the length of pages and row groups; 0 when there is no fixed rate.
    pub(super) fn create(disk: &Disk, path: &Path, schema: &SchemaRef, rate_hz: f64) -> Result<Self, StoreError> {
        let (file, page_rows) = (disk.create(path)?, page_rows(rate_hz));
        let writer =
            ArrowWriter::try_new(file, Arc::clone(schema), Some(properties(schema, page_rows))).map_err(|e| write_error(path, e))?;
        Ok(Self { path: path.to_path_buf(), writer, digest: Digest::new(schema), page_rows })
    }

    /// Rows that one page holds; best written in batches of so many.
    pub(super) fn page_rows(&self) -> usize {
        self.page_rows
    }

    /// Writes rows, given as all their columns.
    pub(super) fn write_columns(&mut self, columns: impl Iterator<Item = ArrayRef>) -> Result<(), StoreError> {
        let schema = Arc::clone(&self.digest.schema);
        let batch = RecordBatch::try_new(schema, columns.collect()).map_err(|e| StoreError::damaged(&self.path, e))?;
        self.write(&batch)
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.digest.add(batch);
        self.writer.write(batch).map_err(|e| write_error(&self.path, e))?;
        if self.writer.in_progress_size() > GROUP_BYTES_MAX {
            self.writer.flush().map_err(|e| write_error(&self.path, e))?;
        }
        Ok(())
    }

    /// Writes the footer, makes the file durable and returns what must be read back from it.
    pub(super) fn finish(mut self) -> Result<Digest, StoreError> {
        // Not `into_inner`, which makes text of a full disk's error.
        self.writer.finish().map_err(|e| write_error(&self.path, e))?;
        self.writer.inner().sync_all().at("sync", &self.path)?;
        Ok(self.digest)
    }
}

/// Writes one batch as a whole file, durable, and reads it back.
pub(crate) fn write_whole(disk: &Disk, path: &Path, batch: &RecordBatch) -> Result<(), StoreError> {
    let mut table = Table::create(disk, path, &batch.schema(), 0.0)?;
    table.write(batch)?;
    table.finish()?.compare(path)
}

/// Parquet wraps the system's errors; a full disk must still be told from damage.
fn write_error(path: &Path, error: parquet::errors::ParquetError) -> StoreError {
    match error {
        parquet::errors::ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(source) => StoreError::Io { path: path.to_path_buf(), action: "write", source: *source },
            Err(other) => StoreError::damaged(path, other),
        },
        other => StoreError::damaged(path, other),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small positive range")]
fn page_rows(rate_hz: f64) -> usize {
    let rate_hz = if rate_hz.is_finite() && rate_hz > 0.0 { rate_hz } else { PAGE_ROWS_MIN };
    (rate_hz * PAGE_SECS).clamp(PAGE_ROWS_MIN, PAGE_ROWS_MAX) as usize
}

fn properties(schema: &SchemaRef, page_rows: usize) -> WriterProperties {
    let group_rows = page_rows.saturating_mul(PAGES_A_GROUP);
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(page_rows)
        // Limits are looked at between write batches only.
        .set_write_batch_size(page_rows)
        .set_max_row_group_row_count(Some(group_rows));
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().as_str().to_owned());
        let encoding = match field.data_type() {
            DataType::Float64 | DataType::Float32 => Encoding::BYTE_STREAM_SPLIT,
            DataType::Timestamp(..) | DataType::UInt64 | DataType::Int64 => Encoding::DELTA_BINARY_PACKED,
            // Codes that hardly ever change are next to nothing after zstd, also without a dictionary.
            whole if whole.is_integer() => Encoding::PLAIN,
            DataType::Binary => Encoding::PLAIN,
            _ => continue,
        };
        // Where in time a page lies is what seeks ask for; of values it is enough to know it by the minute.
        let by_page = matches!(encoding, Encoding::DELTA_BINARY_PACKED);
        let statistics = if by_page { EnabledStatistics::Page } else { EnabledStatistics::Chunk };
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column.clone(), encoding)
            .set_column_statistics_enabled(column.clone(), statistics);
        if field.data_type() == &DataType::Binary {
            // Pictures are compressed already, and their smallest and largest bytes say nothing.
            properties = properties
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                .set_column_statistics_enabled(column, EnabledStatistics::None);
        }
    }
    properties.build()
}

impl Digest {
    fn new(schema: &SchemaRef) -> Self {
        Self { rows: 0, columns: vec![0; schema.fields().len()], schema: Arc::clone(schema) }
    }

    fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (crc, column) in self.columns.iter_mut().zip(batch.columns()) {
            let mut hasher = crc32fast::Hasher::new_with_initial(*crc);
            hash_values(&mut hasher, column.as_ref());
            *crc = hasher.finalize();
        }
    }

    /// Reads a Parquet file and compares it with what was written.
    pub(super) fn compare(&self, path: &Path) -> Result<(), StoreError> {
        let differs = |reason: String| StoreError::ReadBack { path: path.to_path_buf(), reason };
        let schema = Arc::clone(episode::open_parquet(path)?.schema());
        if schema.fields() != self.schema.fields() {
            return Err(differs("its columns are not those that were written".to_owned()));
        }
        let mut found = Self::new(&self.schema);
        for batch in episode::read_parquet(path, None)? {
            found.add(&batch?);
        }
        if found.rows != self.rows {
            return Err(differs(format!("{} rows instead of {}", found.rows, self.rows)));
        }
        match self.columns.iter().zip(&found.columns).position(|(a, b)| a != b) {
            Some(column) => Err(differs(format!("column {}: other values", self.schema.field(column).name()))),
            None => Ok(()),
        }
    }
}

/// Feeds a column's values: fixed-width values by their bytes, text and binary with their lengths, nulls as a mark.
fn hash_values(hasher: &mut crc32fast::Hasher, column: &dyn Array) {
    if column.null_count() > 0 {
        for row in 0..column.len() {
            hasher.update(&[u8::from(column.is_null(row))]);
        }
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().values().iter().for_each(|bit| hasher.update(&[u8::from(bit)])),
        DataType::Binary => column.as_binary::<i32>().iter().for_each(|value| hash_bytes(hasher, value.unwrap_or_default())),
        DataType::Utf8 => column.as_string::<i32>().iter().for_each(|value| hash_bytes(hasher, value.unwrap_or_default().as_bytes())),
        fixed => {
            let (width, data) = (fixed.primitive_width().unwrap_or(0), column.to_data());
            let range = data.offset() * width..(data.offset() + data.len()) * width;
            if let Some(bytes) = data.buffers().first().and_then(|buffer| buffer.as_slice().get(range)) {
                // What lies under a null is not a value.
                for (row, value) in bytes.chunks_exact(width.max(1)).enumerate().filter(|_| column.null_count() > 0) {
                    hasher.update(if column.is_null(row) { &[] } else { value });
                }
                if column.null_count() == 0 {
                    hasher.update(bytes);
                }
            }
        }
    }
}

fn hash_bytes(hasher: &mut crc32fast::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
