//! Values of a stream by spans of rows: what is asked for is read, not the file.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetStatisticsPolicy};
use sanqu_model::StreamEntry;

use crate::episode::{META_ELEMENT, META_QUANTITY, to_f64};
use crate::error::IoContext;
use crate::{Episode, StoreError};

/// A value column of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueColumn {
    /// `pos`, `vel`, …
    pub quantity: String,
    /// The element's name as the stream gave it (`l_knee_pitch_joint`).
    pub element: String,
}

/// Some value columns of a stream, ready to be read by rows. The file's directory is read once and kept; the file itself is
/// opened for each reading, so that several threads may read at the same time.
#[derive(Clone, Debug)]
pub struct RowReader {
    path: PathBuf,
    directory: ArrowReaderMetadata,
    mask: ProjectionMask,
    columns: Vec<ValueColumn>,
    /// Where each row group begins, and behind the last of them the number of rows.
    group_starts: Vec<usize>,
    page_starts: Vec<usize>,
}

impl Episode {
    /// The value columns of a stream that `wanted` (quantity, element) accepts, to be read by rows; no value is read here.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`]; [`StoreError::NoColumn`] when no column is wanted.
    pub fn row_reader(&self, entry: &StreamEntry, wanted: impl Fn(&str, &str) -> bool) -> Result<RowReader, StoreError> {
        let path = self.parquet(entry)?;
        let file = File::open(&path).at("open", &path)?;
        // Of a long recording the statistics would be the larger part of the directory, and nobody asks for them here.
        let options = ArrowReaderOptions::new()
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let directory = ArrowReaderMetadata::load(&file, options).map_err(|e| StoreError::damaged(&path, e))?;
        let fields = directory.schema().fields();
        let column = |index: usize| {
            let meta = |key: &str| fields[index].metadata().get(key).cloned();
            Some(ValueColumn { quantity: meta(META_QUANTITY)?, element: meta(META_ELEMENT).unwrap_or_default() })
        };
        let picked: Vec<(usize, ValueColumn)> = (0..fields.len()).filter_map(|index| Some((index, column(index)?))).collect();
        let picked: Vec<_> = picked.into_iter().filter(|(_, column)| wanted(&column.quantity, &column.element)).collect();
        let Some((first, _)) = picked.first() else {
            let known = entry.quantities.iter().map(|q| q.name.clone()).collect();
            return Err(StoreError::NoColumn { path, what: "quantity", name: "the values asked for".to_owned(), known });
        };
        let page_starts = page_starts(&directory, *first);
        let group_starts = group_starts(&directory);
        let mask = ProjectionMask::roots(directory.parquet_schema(), picked.iter().map(|(index, _)| *index));
        let columns = picked.into_iter().map(|(_, column)| column).collect();
        Ok(RowReader { path, directory, mask, columns, group_starts, page_starts })
    }
}

impl RowReader {
    /// The columns, in the order of a row's values.
    pub fn columns(&self) -> &[ValueColumn] {
        &self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.group_starts.last().copied().unwrap_or(0)
    }

    /// Rows at which pages of the file begin, ascending, the first 0: readings that begin and end there decode nothing in vain.
    /// Where the file does not say, those at which its row groups begin.
    pub fn page_starts(&self) -> &[usize] {
        &self.page_starts
    }

    /// Values of the rows `rows`, row-major, as f64.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::Damaged`] when the file cannot be decoded, or has not all of these rows.
    pub fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, StoreError> {
        let wrong = |reason: String| StoreError::damaged(&self.path, format!("rows {} to {}: {reason}", rows.start, rows.end));
        if rows.start > rows.end || rows.end > self.rows() {
            return Err(wrong(format!("there are {} rows", self.rows())));
        }
        let mut values = Vec::with_capacity(rows.len() * self.columns.len());
        if rows.is_empty() {
            return Ok(values);
        }
        let first = self.group_starts.partition_point(|start| *start <= rows.start).saturating_sub(1);
        let behind = self.group_starts.partition_point(|start| *start < rows.end);
        let file = File::open(&self.path).at("open", &self.path)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.directory.clone())
            .with_row_groups((first..behind).collect())
            .with_projection(self.mask.clone())
            .with_offset(rows.start - self.group_starts[first])
            .with_limit(rows.len())
            .with_batch_size(rows.len())
            .build()
            .map_err(|e| wrong(e.to_string()))?;
        for batch in reader {
            append(&mut values, &batch.map_err(|e| wrong(e.to_string()))?).map_err(wrong)?;
        }
        if values.len() != rows.len() * self.columns.len() {
            return Err(wrong(format!("{} values instead of {} x {}", values.len(), rows.len(), self.columns.len())));
        }
        Ok(values)
    }
}

/// Appends a batch row by row.
fn append(values: &mut Vec<f64>, batch: &RecordBatch) -> Result<(), String> {
    let named = batch.schema_ref().fields().iter().zip(batch.columns());
    let columns =
        named.map(|(field, column)| to_f64(column).ok_or_else(|| format!("column {} has type {}", field.name(), field.data_type())));
    let columns: Vec<Vec<f64>> = columns.collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        values.extend(columns.iter().map(|column| column[row]));
    }
    Ok(())
}

fn group_starts(directory: &ArrowReaderMetadata) -> Vec<usize> {
    let counts = directory.metadata().row_groups().iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0));
    let mut starts = vec![0];
    for count in counts {
        starts.push(starts.last().copied().unwrap_or(0) + count);
    }
    starts
}

fn page_starts(directory: &ArrowReaderMetadata, column: usize) -> Vec<usize> {
    let groups = group_starts(directory);
    let mut starts: Vec<usize> = groups.iter().copied().take(groups.len() - 1).collect();
    for (begin, pages) in groups.iter().zip(directory.metadata().offset_index().into_iter().flatten()) {
        let of_column = pages.get(column).map_or(&[][..], |index| index.page_locations().as_slice());
        starts.extend(of_column.iter().filter_map(|page| Some(begin + usize::try_from(page.first_row_index).ok()?)));
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}
