use std::sync::Arc;

use sanqu_model::Quantity;

use crate::WireError;
use crate::ipc_check::{Column, Places, check_head, check_rest};
use crate::rows::decode_rows;

/// Schemas that are remembered: a stream has one, and another after each change of its robot's program.
const SCHEMAS_MAX: usize = 8;

/// Reads the rows of many payloads where they lie: the schema, which every payload repeats, is decoded when it changes.
///
/// It takes and refuses exactly what [`decode_rows`] takes and refuses.
#[derive(Debug, Default)]
pub struct RowsReader {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    /// The bytes that the payload begins with.
    head: Vec<u8>,
    columns: Vec<Column>,
    quantities: Arc<[Quantity]>,
}

/// The rows of one payload.
#[derive(Debug)]
pub struct Rows<'p> {
    payload: &'p [u8],
    quantities: Arc<[Quantity]>,
    places: Places,
}

impl RowsReader {
    /// Finds the rows in a payload.
    ///
    /// # Errors
    /// As [`decode_rows`].
    pub fn read<'p>(&mut self, payload: &'p [u8]) -> Result<Rows<'p>, WireError> {
        let known = match self.known.iter().position(|known| payload.starts_with(&known.head)) {
            Some(at) => at,
            None => self.learn(payload)?,
        };
        let Known { head, columns, quantities } = &self.known[known];
        Ok(Rows { payload, quantities: Arc::clone(quantities), places: check_rest(payload, head.len(), columns)? })
    }

    fn learn(&mut self, payload: &[u8]) -> Result<usize, WireError> {
        let batch = decode_rows(payload)?;
        let (columns, head_bytes) = check_head(payload)?;
        let fields = batch.schema();
        let quantities = fields.fields().iter().skip(1).map(|field| Quantity::from_field(field)).collect::<Result<_, _>>()?;
        if self.known.len() >= SCHEMAS_MAX {
            self.known.remove(0);
        }
        self.known.push(Known { head: payload[..head_bytes].to_vec(), columns, quantities });
        Ok(self.known.len() - 1)
    }
}

impl<'p> Rows<'p> {
    /// Number of rows; at least 1.
    pub fn rows(&self) -> usize {
        self.places.rows
    }

    /// What the columns behind `t` hold. The same `Arc` for payloads with the same schema, as long as it is remembered.
    pub fn quantities(&self) -> &Arc<[Quantity]> {
        &self.quantities
    }

    /// Capture times, ns.
    pub fn t_ns(&self) -> impl ExactSizeIterator<Item = i64> + use<'p> {
        let (times, _) = self.bytes(0).as_chunks();
        times.iter().map(|time| i64::from_le_bytes(*time))
    }

    /// The values of a quantity as they were sent: row by row, little-endian; booleans as bits, the lowest first.
    pub fn values(&self, quantity: usize) -> &'p [u8] {
        self.bytes(quantity + 1)
    }

    fn bytes(&self, column: usize) -> &'p [u8] {
        self.places.values.get(column).and_then(|place| self.payload.get(place.clone())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampNanosecondType;
    use proptest::prelude::*;
    use sanqu_model::ValueType;

    use super::*;
    use crate::rows::tests::{foreign, knee_columns, knees, plain};
    use crate::{encode_rows, fixed_list};

    /// Both ways to read a payload must agree, whatever is in it.
    #[track_caller]
    fn check(reader: &mut RowsReader, payload: &[u8]) -> bool {
        let (expect, found) = (decode_rows(payload), reader.read(payload));
        let (Ok(expect), Ok(found)) = (&expect, &found) else {
            assert!(expect.is_err() && found.is_err(), "{expect:?} and {found:?}");
            return false;
        };
        assert_eq!(expect.num_rows(), found.rows());
        assert_eq!(expect.column(0).as_primitive::<TimestampNanosecondType>().values().to_vec(), found.t_ns().collect::<Vec<_>>());
        assert_eq!(expect.num_columns(), found.quantities().len() + 1);
        for (number, quantity) in found.quantities().iter().enumerate() {
            assert_eq!(&Quantity::from_field(expect.schema_ref().field(number + 1)).unwrap(), quantity);
            let list = expect.column(number + 1).as_fixed_size_list();
            let values = list.values().to_data();
            let bits = if quantity.value_type == ValueType::Bool { 1 } else { 8 * values.data_type().primitive_width().unwrap() };
            let bytes = (found.rows() * quantity.elements.len() * bits).div_ceil(8);
            assert_eq!(&values.buffers()[0].as_slice()[..bytes], found.values(number));
        }
        true
    }

    #[test]
    fn rows_are_those_that_arrow_decodes() {
        let mut reader = RowsReader::default();
        let payload = encode_rows(&knees(), &[5, 6, 7], knee_columns(3)).unwrap();
        assert!(check(&mut reader, &payload) && check(&mut reader, &payload));
        let again = encode_rows(&knees(), &[8], knee_columns(1)).unwrap();
        assert!(check(&mut reader, &again));
        assert_eq!(reader.known.len(), 1, "the schema is the same");
        assert!(Arc::ptr_eq(reader.read(&payload).unwrap().quantities(), reader.read(&again).unwrap().quantities()));
        assert!(check(&mut reader, &foreign(&plain())) && check(&mut reader, &payload));
    }

    #[test]
    fn a_robot_of_many_schemas_costs_no_memory() {
        let mut reader = RowsReader::default();
        for name in 0..3 * SCHEMAS_MAX {
            let mut description = knees();
            description.quantities.truncate(1);
            description.quantities[0].name = format!("pos{name}");
            let values = fixed_list::<arrow_array::types::Float64Type>(vec![0.5, 1.5], 2).unwrap();
            assert!(check(&mut reader, &encode_rows(&description, &[1], vec![values]).unwrap()));
        }
        assert_eq!(reader.known.len(), SCHEMAS_MAX);
    }

    fn payload(rows: usize, other: bool) -> Vec<u8> {
        let t_ns: Vec<i64> = (0..).take(rows).collect();
        if other { foreign(&plain()) } else { encode_rows(&knees(), &t_ns, knee_columns(rows)).unwrap() }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn damaged_bytes_are_judged_alike(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), other: bool,
                                          cut in prop::option::weighted(0.1, any::<prop::sample::Index>())) {
            let mut reader = RowsReader::default();
            check(&mut reader, &payload(3, other));
            let mut damaged = payload(2, other);
            for (at, byte) in edits {
                let at = at.index(damaged.len());
                damaged[at] = byte;
            }
            if let Some(cut) = cut {
                damaged.truncate(cut.index(damaged.len()));
            }
            check(&mut reader, &damaged);
            check(&mut reader, &damaged);
        }

        #[test]
        fn hostile_words_are_judged_alike(at in any::<prop::sample::Index>(), word in prop::sample::select(vec![-1i32, i32::MIN, i32::MAX, 0, 1, 8, 1 << 20]),
                                          other: bool) {
            let mut reader = RowsReader::default();
            check(&mut reader, &payload(3, other));
            let mut damaged = payload(3, other);
            let at = at.index(damaged.len() / 4) * 4;
            damaged[at..at + 4].copy_from_slice(&word.to_le_bytes());
            check(&mut reader, &damaged);
        }
    }
}
