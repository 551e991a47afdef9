//! Numbers over time: every quantity of every Arrow stream, one entity each, one line per element.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_schema::DataType;
use re_sdk::{EntityPath, RecordingStream};
use re_sdk_types::archetypes::{Scalars, SeriesLines};
use sanqu_model::Quantity;

use crate::LiveError;
use crate::batch::Batch;

/// One quantity of a payload as doubles, row-major.
pub(crate) struct Values {
    pub(crate) quantity: Quantity,
    pub(crate) values: Vec<f64>,
}

/// The capture times (ns) and quantities of decoded rows ([`sanqu_wire::decode_rows`]).
///
/// # Errors
/// A field that is no quantity; decoded rows have none.
pub(crate) fn split(batch: &RecordBatch) -> Result<(Vec<i64>, Vec<Values>), sanqu_model::ModelError> {
    let t_ns = batch.column(0).as_primitive::<TimestampNanosecondType>().values().to_vec();
    let mut all = Vec::new();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()).skip(1) {
        let quantity = Quantity::from_field(field)?;
        let list = column.as_fixed_size_list();
        let size = quantity.elements.len();
        let values = widened(list.values());
        // A sliced list keeps all its values; its offset says where it begins.
        let begin = list.offset() * size;
        all.push(Values { quantity, values: values.get(begin..begin + list.len() * size).unwrap_or_default().to_vec() });
    }
    Ok((t_ns, all))
}

fn widened(values: &ArrayRef) -> Vec<f64> {
    fn of<T: ArrowPrimitiveType>(values: &ArrayRef, widen: impl Fn(T::Native) -> f64) -> Vec<f64> {
        values.as_primitive::<T>().values().iter().map(|value| widen(*value)).collect()
    }
    match values.data_type() {
        DataType::Float64 => values.as_primitive::<Float64Type>().values().to_vec(),
        DataType::Float32 => of::<Float32Type>(values, f64::from),
        DataType::UInt8 => of::<UInt8Type>(values, f64::from),
        DataType::UInt16 => of::<UInt16Type>(values, f64::from),
        DataType::UInt32 => of::<UInt32Type>(values, f64::from),
        DataType::UInt64 => of::<UInt64Type>(values, |value| value as f64),
        DataType::Int8 => of::<Int8Type>(values, f64::from),
        DataType::Int16 => of::<Int16Type>(values, f64::from),
        DataType::Int32 => of::<Int32Type>(values, f64::from),
        DataType::Int64 => of::<Int64Type>(values, |value| value as f64),
        DataType::Boolean => values.as_boolean().values().iter().map(|value| f64::from(u8::from(value))).collect(),
        // The model has no other value types.
        _ => Vec::new(),
    }
}

/// One quantity's lines in one rerun stream.
pub(crate) struct Lines {
    path: EntityPath,
    elements: Vec<String>,
    batch: Batch<f64>,
}

impl Lines {
    pub(crate) fn new(path: EntityPath) -> Self {
        Self { path, elements: Vec::new(), batch: Batch::default() }
    }

    /// Adds the rows of one payload. Other elements than before begin new lines.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn push(&mut self, stream: &RecordingStream, t_ns: &[i64], quantity: &Quantity, values: &[f64]) -> Result<(), LiveError> {
        if self.elements != quantity.elements {
            self.send(stream, i64::MIN)?;
            stream
                .log_static(self.path.clone(), &SeriesLines::new().with_names(quantity.elements.iter().map(String::as_str)))
                .map_err(LiveError::rerun)?;
            self.elements.clone_from(&quantity.elements);
        }
        let size = self.elements.len();
        for (row, t) in t_ns.iter().enumerate() {
            self.batch.push(*t, values.get(row * size..(row + 1) * size).unwrap_or_default().iter().copied());
        }
        Ok(())
    }

    /// Sends what spans at least `span_ns`; everything for `i64::MIN`.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn send(&mut self, stream: &RecordingStream, span_ns: i64) -> Result<(), LiveError> {
        if !self.batch.is_due(span_ns) {
            return Ok(());
        }
        let Some((times, rows, values)) = self.batch.take() else { return Ok(()) };
        let columns = Scalars::update_fields().with_scalars(values).columns(vec![self.elements.len(); rows]).map_err(LiveError::rerun)?;
        stream.send_columns(self.path.clone(), [times], columns).map_err(LiveError::rerun)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Float32Type;
    use sanqu_model::{StreamDescription, ValueType};
    use sanqu_wire::{decode_rows, encode_rows, fixed_list};

    use super::*;

    #[test]
    fn every_number_type_becomes_lines() {
        let names = ["a".to_owned(), "b".to_owned()];
        let quantities = vec![
            Quantity::f64("pos", "rad", &names),
            Quantity { value_type: ValueType::F32, ..Quantity::f64("temp", "°C", &names) },
            Quantity { value_type: ValueType::U32, ..Quantity::f64("err", "", &names[..1]) },
            Quantity { value_type: ValueType::I64, ..Quantity::f64("ticks", "", &names[..1]) },
        ];
        let description = StreamDescription {
            stream: "motor".parse().unwrap(),
            encoding: sanqu_wire::ENCODING_ARROW.into(),
            rate_hz: 500.0,
            clock: 1,
            quantities,
            facts: Default::default(),
        };
        let columns = vec![
            fixed_list::<Float64Type>(vec![1.0, 2.0, 3.0, f64::NAN], 2).unwrap(),
            fixed_list::<Float32Type>(vec![0.5, 1.5, 2.5, 3.5], 2).unwrap(),
            fixed_list::<UInt32Type>(vec![7, 8], 1).unwrap(),
            fixed_list::<Int64Type>(vec![-7, -8], 1).unwrap(),
        ];
        let rows = decode_rows(&encode_rows(&description, &[10, 20], columns).unwrap()).unwrap();
        let (t_ns, all) = split(&rows).unwrap();
        assert_eq!(t_ns, [10, 20]);
        assert_eq!(all[0].values[..3], [1.0, 2.0, 3.0]);
        assert!(all[0].values[3].is_nan());
        let found: Vec<&[f64]> = all[1..].iter().map(|values| values.values.as_slice()).collect();
        assert_eq!(found, [&[0.5, 1.5, 2.5, 3.5][..], &[7.0, 8.0], &[-7.0, -8.0]]);
        let (_, second) = split(&rows.slice(1, 1)).unwrap();
        assert_eq!(second[1].values, [2.5, 3.5]);
    }
}
