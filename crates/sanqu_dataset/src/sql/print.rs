use std::io::Write;

use arrow_array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::WriterBuilder;
use datafusion::arrow::json::writer::JsonArray;
use datafusion::arrow::util::pretty::pretty_format_batches;
use parquet::arrow::ArrowWriter;

use crate::DatasetError;

/// Writes rows as a table for people.
///
/// # Errors
/// [`DatasetError::Print`] when a value cannot be shown or the output is gone.
pub fn write_table(rows: &[RecordBatch], out: &mut impl Write) -> Result<(), DatasetError> {
    let text = pretty_format_batches(rows).map_err(DatasetError::print)?;
    writeln!(out, "{text}").map_err(DatasetError::print)
}

/// Writes rows as CSV with a header line; times in RFC 3339.
///
/// # Errors
/// As [`write_table`].
pub fn write_csv(rows: &[RecordBatch], out: &mut impl Write) -> Result<(), DatasetError> {
    let mut writer = csv::Writer::new(out);
    rows.iter().try_for_each(|batch| writer.write(batch)).map_err(DatasetError::print)
}

/// Writes rows as one JSON array of objects; columns that are null are written as `null`.
///
/// # Errors
/// As [`write_table`].
pub fn write_json(rows: &[RecordBatch], out: &mut impl Write) -> Result<(), DatasetError> {
    let mut written = || -> Result<(), ArrowError> {
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut *out);
        writer.write_batches(&rows.iter().collect::<Vec<_>>())?;
        writer.finish()
    };
    written().map_err(DatasetError::print)?;
    writeln!(out).map_err(DatasetError::print)
}

/// Writes rows as a Parquet file.
///
/// # Errors
/// As [`write_table`].
pub fn write_parquet(rows: &[RecordBatch], out: &mut impl Write) -> Result<(), DatasetError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut writer = ArrowWriter::try_new(Vec::new(), first.schema(), None).map_err(DatasetError::print)?;
    rows.iter().try_for_each(|batch| writer.write(batch)).map_err(DatasetError::print)?;
    let file = writer.into_inner().map_err(DatasetError::print)?;
    out.write_all(&file).map_err(DatasetError::print)
}
