use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, FixedSizeListArray, PrimitiveArray, RecordBatch, TimestampNanosecondArray};
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use sanqu_model::{Quantity, StreamDescription};

use crate::WireError;
use crate::ipc_check::check_stream;

/// The largest payload of one sample, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// The largest number of rows of one payload.
pub const ROWS_MAX: usize = 65_536;

/// Alignment of the buffers in a payload. The default of 64 would nearly double small batches.
const ALIGNMENT_BYTES: usize = 8;

/// Encodes rows as an Arrow IPC stream of exactly one batch.
///
/// * `t_ns`: capture time of each row, ns since the Unix epoch.
/// * `columns`: one `FixedSizeList<T; n>` for each of `description.quantities`, in order, one entry a row; see
///   [`fixed_list`].
///
/// # Errors
/// [`WireError::BadRows`] for a wrong number of columns, no rows or more than [`ROWS_MAX`]; [`WireError::BadColumn`] for a
/// column of another type or length or with nulls; [`WireError::PayloadTooLarge`].
pub fn encode_rows(description: &StreamDescription, t_ns: &[i64], columns: Vec<ArrayRef>) -> Result<Vec<u8>, WireError> {
    if columns.len() != description.quantities.len() {
        let reason = format!("{} columns for the {} quantities of {}", columns.len(), description.quantities.len(), description.stream);
        return Err(WireError::BadRows { reason });
    }
    let t = TimestampNanosecondArray::from(t_ns.to_vec()).with_timezone("UTC");
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(t)];
    for (quantity, column) in description.quantities.iter().zip(&columns) {
        if column.len() != t_ns.len() {
            return Err(bad_column(&quantity.name, format!("{} rows", t_ns.len()), format!("{} rows", column.len())));
        }
        arrays.push(list_of_quantity(quantity, column)?);
    }
    let schema = Arc::new(description.payload_schema());
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    let options = IpcWriteOptions::try_new(ALIGNMENT_BYTES, false, MetadataVersion::V5)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options)?;
    writer.write(&batch)?;
    let payload = writer.into_inner()?;
    // Whoever sends must not be able to build what every receiver refuses.
    check_stream(&payload)?;
    Ok(payload)
}

/// Decodes one payload: `t` (Timestamp ns, UTC) and one `FixedSizeList<T; n>` per quantity, without nulls, values bit for
/// bit as they were sent.
///
/// A `t` without time zone is taken as UTC, and a plain numeric column becomes a list of one element that is named after
/// the column, so that ten lines of pyarrow are a publisher. Fields keep all their metadata.
///
/// # Errors
/// [`WireError::PayloadTooLarge`], [`WireError::BadRows`] and [`WireError::BadColumn`] for everything that is not one
/// batch of 1 to [`ROWS_MAX`] such rows: other types, dictionaries, compression, nulls, lengths that lead outside.
pub fn decode_rows(payload: &[u8]) -> Result<RecordBatch, WireError> {
    check_stream(payload)?;
    let mut reader = StreamReader::try_new(payload, None)?;
    let batch = reader.next().ok_or_else(|| WireError::BadRows { reason: "no record batch".to_owned() })??;
    let (mut fields, mut arrays) = (Vec::with_capacity(batch.num_columns()), Vec::with_capacity(batch.num_columns()));
    for (index, (field, column)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
        let (data_type, array, mut metadata) = if index == 0 {
            let t = column
                .as_primitive_opt::<TimestampNanosecondType>()
                .ok_or_else(|| bad_column(field.name(), "Timestamp(ns)", column.data_type()))?;
            let t = t.clone().with_timezone("UTC");
            (t.data_type().clone(), Arc::new(t) as ArrayRef, Default::default())
        } else {
            let quantity = quantity_of_field(field)?;
            let array = list_of_quantity(&quantity, column)?;
            (array.data_type().clone(), array, quantity.field().metadata().clone())
        };
        for (key, text) in field.metadata() {
            metadata.entry(key.clone()).or_insert_with(|| text.clone());
        }
        fields.push(Field::new(field.name(), data_type, false).with_metadata(metadata));
        arrays.push(array);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// A column for [`encode_rows`] from row-major values: `elements` values a row.
///
/// # Errors
/// [`WireError::BadRows`] when `elements` is not within 1 to [`Quantity::ELEMENTS_MAX`] or does not divide the number of
/// values.
pub fn fixed_list<T: ArrowPrimitiveType>(values: Vec<T::Native>, elements: usize) -> Result<ArrayRef, WireError> {
    let size = i32::try_from(elements).ok().filter(|_| (1..=Quantity::ELEMENTS_MAX).contains(&elements));
    let Some(size) = size.filter(|_| values.len().is_multiple_of(elements)) else {
        return Err(WireError::BadRows { reason: format!("{} values do not make rows of {elements} elements", values.len()) });
    };
    let item = Arc::new(Field::new("item", T::DATA_TYPE, false));
    let values = Arc::new(PrimitiveArray::<T>::from_iter_values(values));
    Ok(Arc::new(FixedSizeListArray::try_new(item, size, values, None)?))
}

/// The quantity that a field stands for; a plain number counts as a list of one.
fn quantity_of_field(field: &Field) -> Result<Quantity, WireError> {
    if matches!(field.data_type(), DataType::FixedSizeList(..)) {
        return Ok(Quantity::from_field(field)?);
    }
    let item = Arc::new(Field::new("item", field.data_type().clone(), false));
    let mut metadata = field.metadata().clone();
    metadata.entry("names".to_owned()).or_insert_with(|| field.name().clone());
    Ok(Quantity::from_field(&Field::new(field.name(), DataType::FixedSizeList(item, 1), false).with_metadata(metadata))?)
}

/// The same values under the model's own type: item called `item`, nothing nullable.
fn list_of_quantity(quantity: &Quantity, column: &ArrayRef) -> Result<ArrayRef, WireError> {
    let expected = quantity.field();
    let DataType::FixedSizeList(item, size) = expected.data_type() else {
        return Err(bad_column(&quantity.name, "FixedSizeList", expected.data_type()));
    };
    let (values, found_size) = match column.as_fixed_size_list_opt() {
        Some(list) => (list.values(), list.value_length()),
        None => (column, 1),
    };
    if values.data_type() != item.data_type() || found_size != *size {
        return Err(bad_column(&quantity.name, expected.data_type(), column.data_type()));
    }
    if column.null_count() > 0 || values.null_count() > 0 {
        return Err(bad_column(&quantity.name, expected.data_type(), "nulls"));
    }
    Ok(Arc::new(FixedSizeListArray::try_new(Arc::clone(item), *size, Arc::clone(values), None)?))
}

fn bad_column(column: &str, expected: impl ToString, found: impl ToString) -> WireError {
    WireError::BadColumn { column: column.to_owned(), expected: expected.to_string(), found: found.to_string() }
}

#[cfg(test)]
pub(crate) mod tests;
