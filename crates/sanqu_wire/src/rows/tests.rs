use std::collections::BTreeMap;

use arrow_array::types::{Float32Type, Float64Type, UInt32Type};
use arrow_array::{BooleanArray, Float64Array, Int32Array, StringArray};
use arrow_schema::TimeUnit;
use proptest::prelude::*;
use sanqu_model::ValueType;

use super::*;
use crate::{ENCODING_ARROW, Stamp, rows_to_chunk};

fn description(quantities: Vec<Quantity>) -> StreamDescription {
    let stream = "joint".parse().unwrap();
    StreamDescription { stream, encoding: ENCODING_ARROW.into(), rate_hz: 500.0, clock: 1, quantities, facts: BTreeMap::new() }
}

pub(crate) fn knees() -> StreamDescription {
    let names = ["l_knee".to_owned(), "r_knee".to_owned()];
    let err = Quantity { value_type: ValueType::U32, ..Quantity::f64("err", "", &names) };
    let temp = Quantity { value_type: ValueType::F32, frame: "base_link".into(), ..Quantity::f64("temp", "°C", &names[..1]) };
    description(vec![Quantity::f64("pos", "rad", &names), err, temp])
}

pub(crate) fn knee_columns(rows: usize) -> Vec<ArrayRef> {
    vec![
        fixed_list::<Float64Type>((0..rows * 2).map(|i| i as f64 * 0.1).collect(), 2).unwrap(),
        fixed_list::<UInt32Type>((0..).take(rows * 2).collect(), 2).unwrap(),
        fixed_list::<Float32Type>(vec![f32::from_bits(0x7fc0_1234); rows], 1).unwrap(),
    ]
}

/// A stream as any publisher might write it: default options, any schema.
pub(crate) fn foreign(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn t(rows: usize) -> (&'static str, ArrayRef) {
    ("t", Arc::new(TimestampNanosecondArray::from_iter_values(0..rows as i64)))
}

#[track_caller]
fn refuses(columns: Vec<(&str, ArrayRef)>, part: &str) {
    let error = decode_rows(&foreign(&batch(columns))).unwrap_err().to_string();
    assert!(error.contains(part), "{error} should say {part:?}");
}

#[test]
fn rows_come_back_bit_for_bit() {
    let (description, columns) = (knees(), knee_columns(10));
    let t_ns: Vec<i64> = (0..10).map(|i| 1_745_041_096_000_000_000 + i * 2_000_000).collect();
    let payload = encode_rows(&description, &t_ns, columns.clone()).unwrap();
    let rows = decode_rows(&payload).unwrap();
    assert_eq!(rows.schema_ref().as_ref(), &description.payload_schema());
    assert_eq!(rows.column(0).as_primitive::<TimestampNanosecondType>().values(), &t_ns);
    for (column, expected) in rows.columns()[1..].iter().zip(&columns) {
        // NaN payloads too: compare the bytes, not the numbers.
        assert_eq!(column.to_data().child_data()[0].buffers(), expected.to_data().child_data()[0].buffers());
    }
    let key = Arc::new("sanqu/desk/kuavo-01/joint".parse().unwrap());
    let chunk = rows_to_chunk(&key, &rows, Stamp { recv_ns: 5, run: 1, first_seq: 40 }).unwrap();
    assert_eq!((chunk.t_ns(), chunk.seq()[9], chunk.run()[9]), (&t_ns[..], 49, 1));
    let (quantity, _) = chunk.quantity("temp").unwrap().unwrap();
    assert_eq!(quantity, description.quantities[2]);
}

#[test]
fn parts_of_columns_are_sent_as_parts() {
    let part: Vec<ArrayRef> = knee_columns(10).iter().map(|column| column.slice(4, 3)).collect();
    let rows = decode_rows(&encode_rows(&knees(), &[4, 5, 6], part).unwrap()).unwrap();
    let errors = rows.column(2).as_fixed_size_list().values().as_primitive::<UInt32Type>();
    assert_eq!(errors.values(), &[8, 9, 10, 11, 12, 13]);
}

/// Plain columns instead of lists, one of them of bits.
pub(crate) fn plain() -> RecordBatch {
    let battery = Arc::new(Float64Array::from(vec![0.5, -0.0]));
    let flag = Arc::new(BooleanArray::from(vec![true, false]));
    batch(vec![t(2), ("battery", battery), ("estop", flag)])
}

#[test]
fn a_python_publisher_may_be_short() {
    let rows = decode_rows(&foreign(&plain())).unwrap();
    assert_eq!(rows.schema_ref().field(0).data_type(), &DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())));
    let quantity = Quantity::from_field(rows.schema_ref().field(1)).unwrap();
    assert_eq!((quantity.name.as_str(), quantity.elements.as_slice()), ("battery", &["battery".to_owned()][..]));
    let values = rows.column(1).as_fixed_size_list().values().as_primitive::<Float64Type>();
    assert_eq!(values.value(1).to_bits(), (-0.0f64).to_bits());
    assert!(!rows.column(2).as_fixed_size_list().values().as_boolean().value(1));
}

#[test]
fn what_is_no_row_is_refused_by_column() {
    let one = || Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    refuses(vec![("pos", one()), t(1)], "first column \"t\"");
    refuses(vec![("t", Arc::new(arrow_array::TimestampMicrosecondArray::from(vec![1])))], "MICROSECOND");
    let berlin = TimestampNanosecondArray::from(vec![1]).with_timezone("Europe/Berlin");
    refuses(vec![("t", Arc::new(berlin))], "Europe/Berlin");
    refuses(vec![t(1), ("note", Arc::new(StringArray::from(vec!["a"])))], "column \"note\"");
    refuses(vec![t(1), ("seq", one())], "\"seq\" is the recorder's own name");
    refuses(vec![t(1), ("a", one()), ("a", one())], "\"a\" appears twice");
    refuses(vec![t(1), ("a", Arc::new(Int32Array::from(vec![None])))], "nulls");
    refuses(vec![t(0)], "no rows");
    let dictionary: arrow_array::DictionaryArray<arrow_array::types::Int8Type> = vec!["x"].into_iter().collect();
    refuses(vec![t(1), ("d", Arc::new(dictionary))], "dictionary");
    let wide = fixed_list::<Float64Type>(vec![0.0; 1024], 1024).unwrap();
    assert_eq!(decode_rows(&foreign(&batch(vec![t(1), ("wide", Arc::clone(&wide))]))).unwrap().num_rows(), 1);
    refuses(vec![t(1), ("a", Arc::clone(&wide)), ("b", wide), ("c", one())], "2049 values in a row; at most 2048");
    refuses(vec![t(ROWS_MAX + 1)], "row count 65537");
}

#[test]
fn exactly_one_batch() {
    let one = batch(vec![t(1)]);
    let mut writer = StreamWriter::try_new(Vec::new(), one.schema_ref()).unwrap();
    writer.write(&one).unwrap();
    writer.write(&one).unwrap();
    let two = writer.into_inner().unwrap();
    assert!(decode_rows(&two).unwrap_err().to_string().contains("exactly one batch"));
    let none = StreamWriter::try_new(Vec::new(), one.schema_ref()).unwrap().into_inner().unwrap();
    assert!(decode_rows(&none).is_err());
    assert!(decode_rows(&vec![0; PAYLOAD_BYTES_MAX + 1]).unwrap_err().to_string().contains("at most 16777216"));
}

#[test]
fn the_sender_is_told_first() {
    let refuses = |description: StreamDescription, t_ns: &[i64], columns, part: &str| {
        let error = encode_rows(&description, t_ns, columns).unwrap_err().to_string();
        assert!(error.contains(part), "{error} should say {part:?}");
    };
    refuses(knees(), &[1], knee_columns(1)[..2].to_vec(), "2 columns for the 3 quantities of joint");
    refuses(knees(), &[1, 2], knee_columns(1), "\"pos\": expected 2 rows, found 1 rows");
    let mut swapped = knee_columns(1);
    swapped.swap(0, 1);
    refuses(knees(), &[1], swapped, "\"pos\": expected");
    refuses(knees(), &[], knee_columns(0), "no rows");
    let reserved = description(vec![Quantity::f64("run", "", &["a".to_owned()])]);
    refuses(reserved, &[1], vec![fixed_list::<Float64Type>(vec![0.0], 1).unwrap()], "recorder's own name");
    assert!(fixed_list::<Float64Type>(vec![0.0; 3], 2).is_err());
    assert!(fixed_list::<Float64Type>(vec![], 0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_bytes_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut payload = encode_rows(&knees(), &[1, 2, 3], knee_columns(3)).unwrap();
        for (at, byte) in edits {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        if let Ok(rows) = decode_rows(&payload) {
            prop_assert!(rows.num_rows() >= 1 && rows.num_rows() <= ROWS_MAX);
        }
    }

    #[test]
    fn cut_bytes_never_panic(end in any::<prop::sample::Index>()) {
        let payload = encode_rows(&knees(), &[1], knee_columns(1)).unwrap();
        let cut = &payload[..end.index(payload.len())];
        // Without its last eight bytes only the end marker is missing, which Arrow allows.
        prop_assert_eq!(decode_rows(cut).is_ok(), cut.len() == payload.len() - 8);
    }

    #[test]
    fn hostile_words_never_panic(at in any::<prop::sample::Index>(), word in prop::sample::select(vec![-1i32, i32::MIN, i32::MAX, 0, 1, 1 << 20])) {
        let mut payload = encode_rows(&knees(), &[1, 2, 3], knee_columns(3)).unwrap();
        let at = at.index(payload.len() / 4) * 4;
        payload[at..at + 4].copy_from_slice(&word.to_le_bytes());
        let _ = decode_rows(&payload);
    }
}
