//! Columns of a dataset's Parquet files, whatever type their writer chose.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use datafusion::arrow::compute::concat;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use sanqu_model::ValueType;

use crate::DatasetError;

/// Rows of one Parquet file.
const FILE_ROWS_MAX: usize = 200_000_000;
/// Rows that are read at once.
const BATCH_ROWS: usize = 8192;
/// Lists in lists.
const DEPTH_MAX: usize = 6;

/// One column of some rows.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Type of each value.
    pub(super) value_type: ValueType,
    /// Values a row.
    pub(super) width: usize,
    /// Row-major, without nulls.
    pub(super) values: ArrayRef,
}

fn parquet_error(path: &Path, source: parquet::errors::ParquetError) -> DatasetError {
    DatasetError::Parquet { path: path.to_owned(), source: Box::new(source) }
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, DatasetError> {
    let file = File::open(path).map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|source| parquet_error(path, source))?;
    let rows = builder.metadata().file_metadata().num_rows();
    match usize::try_from(rows) {
        Ok(rows) if rows <= FILE_ROWS_MAX => Ok(builder),
        _ => Err(DatasetError::dataset(path, format!("{rows} rows; at most {FILE_ROWS_MAX} are read"))),
    }
}

/// The names of a file's columns.
pub(super) fn column_names(path: &Path) -> Result<Vec<String>, DatasetError> {
    Ok(open(path)?.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// Reads some columns, all rows or some, as one array each, in the order asked for; none for a column that is not there.
pub(super) fn read(path: &Path, columns: &[&str], rows: Option<Range<usize>>) -> Result<Vec<Option<ArrayRef>>, DatasetError> {
    let mut builder = open(path)?.with_batch_size(BATCH_ROWS);
    let known: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let wanted = known.iter().enumerate().filter(|(_, name)| columns.contains(&name.as_str())).map(|(index, _)| index);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    builder = builder.with_projection(mask);
    if let Some(rows) = rows {
        builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(std::iter::once(rows), total));
    }
    let reader = builder.build().map_err(|source| parquet_error(path, source))?;
    let arrow = |source| DatasetError::Arrow { what: path.display().to_string(), source: Box::new(source) };
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().map_err(arrow)?;
    let one = |name: &&str| -> Result<Option<ArrayRef>, DatasetError> {
        let parts: Vec<&dyn Array> = batches.iter().filter_map(|batch| Some(batch.column_by_name(name)?.as_ref())).collect();
        if parts.is_empty() { Ok(None) } else { concat(&parts).map(Some).map_err(arrow) }
    };
    columns.iter().map(one).collect()
}

/// Takes lists apart until plain values are left.
///
/// # Errors
/// The row with a null or with a list of another length, or the type that is not supported.
pub(super) fn numbers(array: &ArrayRef) -> Result<Column, String> {
    let (mut array, mut width) = (array.clone(), 1usize);
    let rows = array.len();
    for _ in 0..DEPTH_MAX {
        if let Some(at) = first_null(array.as_ref()) {
            return Err(format!("row {}: no value (null)", at / width.max(1)));
        }
        let (values, size) = match array.data_type() {
            DataType::FixedSizeList(_, size) => {
                (array.as_fixed_size_list().values().clone(), usize::try_from(*size).map_err(|_| "a list of negative size")?)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                even(list.offsets().iter().map(|offset| i64::from(*offset)), list.values(), width)?
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                even(list.offsets().iter().copied(), list.values(), width)?
            }
            other => {
                let value_type = ValueType::from_arrow(other).ok_or_else(|| format!("values of type {other} are not supported"))?;
                return Ok(Column { value_type, width, values: array });
            }
        };
        width = width
            .checked_mul(size)
            .filter(|width| width.checked_mul(rows).is_some_and(|all| all == values.len()))
            .ok_or_else(|| format!("lists of {size} elements do not make the {} values that are there", values.len()))?;
        array = values;
    }
    Err(format!("lists deeper than {DEPTH_MAX}"))
}

fn first_null(array: &dyn Array) -> Option<usize> {
    array.nulls().filter(|nulls| nulls.null_count() > 0)?.iter().position(|valid| !valid)
}

/// The values of lists that must all have the same length, and that length.
fn even(mut offsets: impl Iterator<Item = i64>, values: &ArrayRef, width: usize) -> Result<(ArrayRef, usize), String> {
    let outside = || "lists that lead outside of their values".to_owned();
    let first = offsets.next().unwrap_or(0);
    let (mut last, mut size) = (first, None);
    for (row, offset) in offsets.enumerate() {
        let length = offset - last;
        let expected = *size.get_or_insert(length);
        if length != expected {
            return Err(format!("row {}: a list of {length} elements, expected {expected} as in the first row", row / width.max(1)));
        }
        last = offset;
    }
    let (from, count) = (usize::try_from(first).map_err(|_| outside())?, usize::try_from(last - first).map_err(|_| outside())?);
    if from.checked_add(count).is_none_or(|end| end > values.len()) {
        return Err(outside());
    }
    Ok((values.slice(from, count), usize::try_from(size.unwrap_or(0)).map_err(|_| outside())?))
}

/// One whole number a row.
///
/// # Errors
/// As [`numbers`]; a list; a type that is no whole number; a number beyond 63 bits.
pub(super) fn integers(array: &ArrayRef) -> Result<Vec<i64>, String> {
    let Column { width, values, .. } = scalar(array)?;
    macro_rules! widen {
        ($($arrow:ident => $kind:ty),*) => {
            match values.data_type() {
                $(DataType::$arrow => values.as_primitive::<$kind>().values().iter().map(|value| i64::from(*value)).collect(),)*
                DataType::UInt64 => {
                    let values = values.as_primitive::<UInt64Type>().values().iter();
                    values.map(|value| i64::try_from(*value).map_err(|_| format!("{value} is too large"))).collect::<Result<_, _>>()?
                }
                other => return Err(format!("expected whole numbers, found {other} ({width} a row)")),
            }
        };
    }
    Ok(widen!(Int64 => Int64Type, Int32 => Int32Type, Int16 => Int16Type, Int8 => Int8Type,
        UInt32 => UInt32Type, UInt16 => UInt16Type, UInt8 => UInt8Type))
}

/// One number a row, as float64.
///
/// # Errors
/// As [`numbers`]; a list; a type that is no number.
pub(super) fn floats(array: &ArrayRef) -> Result<Vec<f64>, String> {
    let Column { values, .. } = scalar(array)?;
    Ok(match values.data_type() {
        DataType::Float32 => values.as_primitive::<Float32Type>().values().iter().map(|value| f64::from(*value)).collect(),
        DataType::Float64 => values.as_primitive::<Float64Type>().values().to_vec(),
        other => return Err(format!("expected floating-point numbers, found {other}")),
    })
}

fn scalar(array: &ArrayRef) -> Result<Column, String> {
    let column = numbers(array)?;
    // Some writers store a shape of [1] as a list of one.
    if column.width == 1 { Ok(column) } else { Err(format!("expected one value a row, found {}", column.width)) }
}

/// One text a row; empty where there is none.
///
/// # Errors
/// The type that is no text.
pub(super) fn texts(array: &dyn Array) -> Result<Vec<String>, String> {
    let own = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(own).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(own).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(own).collect(),
        other => return Err(format!("expected text, found {other}")),
    })
}

/// A list of texts a row; empty where there is none.
///
/// # Errors
/// The type that is no list of texts.
pub(super) fn text_lists(array: &ArrayRef) -> Result<Vec<Vec<String>>, String> {
    (0..array.len())
        .map(|row| match array.data_type() {
            DataType::List(_) => texts(array.as_list::<i32>().value(row).as_ref()),
            DataType::LargeList(_) => texts(array.as_list::<i64>().value(row).as_ref()),
            other => Err(format!("expected lists of text, found {other}")),
        })
        .collect()
}

/// The first value that is no number: its place among the values, and how many there are.
pub(super) fn not_a_number(column: &Column) -> Option<(usize, usize)> {
    let places = |mut odd: Box<dyn Iterator<Item = usize> + '_>| odd.next().map(|first| (first, 1 + odd.count()));
    match column.values.data_type() {
        DataType::Float32 => {
            let values = column.values.as_primitive::<Float32Type>().values().iter().enumerate();
            places(Box::new(values.filter(|(_, value)| !value.is_finite()).map(|(at, _)| at)))
        }
        DataType::Float64 => {
            let values = column.values.as_primitive::<Float64Type>().values().iter().enumerate();
            places(Box::new(values.filter(|(_, value)| !value.is_finite()).map(|(at, _)| at)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
    use arrow_array::{Float32Array, Int32Array, UInt64Array};

    use super::*;

    fn lists(rows: &[&[f32]]) -> ArrayRef {
        let mut builder = ListBuilder::new(Float32Builder::new());
        rows.iter().for_each(|row| builder.append_value(row.iter().copied().map(Some)));
        Arc::new(builder.finish())
    }

    #[track_caller]
    fn check(array: &ArrayRef, expect: Result<(usize, &[f32]), &str>) {
        match (numbers(array), expect) {
            (Ok(column), Ok((width, values))) => {
                assert_eq!((column.width, &column.values.as_primitive::<Float32Type>().values()[..]), (width, values));
            }
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (found, expect) => panic!("{found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn vectors_are_read_from_any_kind_of_list() {
        check(&lists(&[&[1.0, 2.0], &[3.0, 4.0]]), Ok((2, &[1.0, 2.0, 3.0, 4.0])));
        check(&lists(&[&[1.0, 2.0], &[3.0, 4.0], &[5.0, 6.0]]).slice(1, 2), Ok((2, &[3.0, 4.0, 5.0, 6.0])));
        check(&lists(&[&[1.0, 2.0], &[3.0]]), Err("row 1: a list of 1 elements, expected 2"));
        let mut fixed = FixedSizeListBuilder::new(Float32Builder::new(), 2);
        for row in [[1.0, 2.0], [3.0, 4.0]] {
            fixed.values().append_slice(&row);
            fixed.append(true);
        }
        let fixed: ArrayRef = Arc::new(fixed.finish());
        check(&fixed, Ok((2, &[1.0, 2.0, 3.0, 4.0])));
        check(&fixed.slice(1, 1), Ok((2, &[3.0, 4.0])));
        let holes: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.0), None]));
        check(&holes, Err("row 1: no value"));
    }

    #[test]
    fn whole_numbers_are_read_from_any_type() {
        assert_eq!(integers(&(Arc::new(Int32Array::from(vec![-3])) as ArrayRef)).unwrap(), [-3]);
        assert!(integers(&(Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef)).unwrap_err().contains("too large"));
        assert!(integers(&lists(&[&[1.0]])).unwrap_err().contains("expected whole numbers"));
    }
}
