//! What is computed from an episode afterwards, and the columns that such work reads.

use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use sanqu_model::{RUN, SEQ, StreamEntry, T};

use crate::episode::{META_ELEMENT, META_QUANTITY, read_parquet, to_f64};
use crate::seal::write_whole;
use crate::store::UNFINISHED;
use crate::{Episode, StoreError, StoreLock};

/// The folder of an episode that holds what can be computed again.
pub(crate) const DERIVED_FOLDER: &str = "derived";

/// Some values of a stream over its rows, in file order (run, then sequence), each in a list of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Capture times, ns; a stream's clock may have stepped back.
    pub t_ns: Vec<i64>,
    /// Boot of the stream, counted from 0.
    pub run: Vec<u32>,
    /// Sequence: a jump within a run is a loss.
    pub seq: Vec<u64>,
    /// As they were asked for; NaN where a row has no value.
    pub values: Vec<Vec<f64>>,
}

impl Columns {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.t_ns.len()
    }

    /// Whether a row follows the one before it in the same run without a loss.
    pub fn follows(&self, row: usize) -> bool {
        row > 0 && row < self.rows() && self.run[row] == self.run[row - 1] && self.seq[row].checked_sub(1) == Some(self.seq[row - 1])
    }
}

impl Episode {
    /// Values of a stream as f64, picked by element and quantity; at most the first `rows_max` rows. Memory is that of what was
    /// picked.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`] for a pick that the stream does not have; [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn columns(&self, entry: &StreamEntry, picks: &[(&str, &str)], rows_max: usize) -> Result<Columns, StoreError> {
        let path = self.parquet(entry)?;
        let schema = self.schema(entry)?;
        let name_of = |(element, quantity): &(&str, &str)| {
            let meta = |key: &str, field: &arrow_schema::Field| field.metadata().get(key).cloned().unwrap_or_default();
            let found =
                schema.fields().iter().find(|field| meta(META_ELEMENT, field) == *element && meta(META_QUANTITY, field) == *quantity);
            let known = || schema.fields().iter().map(|field| field.name().clone()).collect();
            let name = format!("{element}.{quantity}");
            found.map(|field| field.name().clone()).ok_or_else(|| StoreError::NoColumn {
                path: path.clone(),
                what: "column",
                name,
                known: known(),
            })
        };
        let names: Vec<String> = picks.iter().map(name_of).collect::<Result<_, _>>()?;
        let wanted: Vec<&str> = [T, RUN, SEQ].into_iter().chain(names.iter().map(String::as_str)).collect();
        let mut columns = Columns { values: vec![Vec::new(); picks.len()], ..Columns::default() };
        for batch in read_parquet(&path, Some(&wanted))? {
            let batch = batch?;
            let batch = batch.slice(0, batch.num_rows().min(rows_max - columns.rows()));
            append(&mut columns, &names, &batch).map_err(|reason| StoreError::damaged(&path, reason))?;
            if columns.rows() >= rows_max {
                break;
            }
        }
        Ok(columns)
    }

    /// Writes `derived/<name>.parquet` whole: readers see the old or the new table, and after a crash one of them is there. The
    /// same rows give the same bytes. What was sealed is not touched.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process writes there; [`StoreError::Io`], [`StoreError::ReadBack`].
    pub fn write_derived(&self, name: &'static str, rows: &RecordBatch) -> Result<PathBuf, StoreError> {
        let folder = self.dir().join(DERIVED_FOLDER);
        let disk = self.disk();
        disk.create_dir_all(&folder)?;
        disk.sync_dir(self.dir())?;
        let _lock = StoreLock::take(disk, &folder)?;
        let path = folder.join(format!("{name}.parquet"));
        let unfinished = folder.join(format!("{name}.parquet{UNFINISHED}"));
        write_whole(disk, &unfinished, rows)?;
        disk.rename(&unfinished, &path)?;
        disk.sync_dir(&folder)?;
        Ok(path)
    }
}

fn append(columns: &mut Columns, names: &[String], batch: &RecordBatch) -> Result<(), String> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("no column {name}"));
    let bad = |name: &str| format!("column {name} has another type");
    columns.t_ns.extend_from_slice(column(T)?.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(|| bad(T))?.values());
    columns.run.extend_from_slice(column(RUN)?.as_primitive_opt::<UInt32Type>().ok_or_else(|| bad(RUN))?.values());
    columns.seq.extend_from_slice(column(SEQ)?.as_primitive_opt::<UInt64Type>().ok_or_else(|| bad(SEQ))?.values());
    for (values, name) in columns.values.iter_mut().zip(names) {
        let array = column(name)?;
        let found = to_f64(array).ok_or_else(|| bad(name))?;
        values.extend(found.into_iter().enumerate().map(|(row, value)| if array.is_null(row) { f64::NAN } else { value }));
    }
    Ok(())
}
