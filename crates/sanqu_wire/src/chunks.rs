use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array};
use arrow_schema::{Field, Schema};
use sanqu_model::{Chunk, RUN, SEQ, StreamKey, T, T_RECV, VIDEO_DATA, VIDEO_KEYFRAME};

use crate::WireError;
use crate::rows::PAYLOAD_BYTES_MAX;

/// What the receiver adds to a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Receive time at the recorder, ns since the Unix epoch; the same for all rows of a payload.
    pub recv_ns: i64,
    /// Which boot of the publisher, from 0 in order of first arrival.
    pub run: u32,
    /// Sequence of the payload's first row.
    pub first_seq: u64,
}

/// The chunk of decoded rows ([`crate::decode_rows`]): adds receive time, sequence and run; copies no value.
///
/// # Errors
/// [`WireError::SequenceOverflow`]; [`WireError::Model`] when `rows` has no leading `t`.
pub fn rows_to_chunk(key: &Arc<StreamKey>, rows: &RecordBatch, stamp: Stamp) -> Result<Chunk, WireError> {
    let schema = rows.schema_ref();
    let mut columns = rows.columns().iter().cloned();
    let t = columns.next().ok_or_else(|| WireError::BadRows { reason: "no columns".to_owned() })?;
    let fields: Vec<Arc<Field>> = schema.fields().iter().skip(1).map(Arc::clone).collect();
    chunk(key, t, stamp, fields.into_iter().zip(columns).collect())
}

/// The chunk of one picture: `keyframe` and the payload verbatim as `data`.
///
/// # Errors
/// [`WireError::PayloadTooLarge`].
pub fn picture_to_chunk(key: &Arc<StreamKey>, payload: &[u8], t_ns: i64, keyframe: bool, stamp: Stamp) -> Result<Chunk, WireError> {
    bounded(payload)?;
    let keyframe: ArrayRef = Arc::new(BooleanArray::from(vec![keyframe]));
    let data: ArrayRef = Arc::new(BinaryArray::from_vec(vec![payload]));
    chunk(key, times(t_ns), stamp, vec![named(VIDEO_KEYFRAME, keyframe), named(VIDEO_DATA, data)])
}

/// The chunk of one JSON document (events): the text as `data`. The document itself is not judged.
///
/// # Errors
/// [`WireError::PayloadTooLarge`]; [`WireError::BadRows`] when the payload is no UTF-8.
pub fn text_to_chunk(key: &Arc<StreamKey>, payload: &[u8], t_ns: i64, stamp: Stamp) -> Result<Chunk, WireError> {
    bounded(payload)?;
    let text = std::str::from_utf8(payload).map_err(|e| WireError::BadRows { reason: format!("JSON text: {e}") })?;
    let data: ArrayRef = Arc::new(StringArray::from(vec![text]));
    chunk(key, times(t_ns), stamp, vec![named(VIDEO_DATA, data)])
}

fn bounded(payload: &[u8]) -> Result<(), WireError> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(WireError::PayloadTooLarge { bytes: payload.len(), bytes_max: PAYLOAD_BYTES_MAX });
    }
    Ok(())
}

fn times(t_ns: i64) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from(vec![t_ns]).with_timezone("UTC"))
}

fn named(name: &str, array: ArrayRef) -> (Arc<Field>, ArrayRef) {
    (Arc::new(Field::new(name, array.data_type().clone(), false)), array)
}

fn chunk(key: &Arc<StreamKey>, t: ArrayRef, stamp: Stamp, own: Vec<(Arc<Field>, ArrayRef)>) -> Result<Chunk, WireError> {
    let rows = t.len();
    let overflow = WireError::SequenceOverflow { first_seq: stamp.first_seq, rows };
    let Some(end_seq) = u64::try_from(rows).ok().and_then(|rows| stamp.first_seq.checked_add(rows)) else { return Err(overflow) };
    let t_recv = TimestampNanosecondArray::from_value(stamp.recv_ns, rows).with_timezone("UTC");
    let seq = UInt64Array::from_iter_values(stamp.first_seq..end_seq);
    let run = UInt32Array::from_value(stamp.run, rows);
    let leading = [named(T, t), named(T_RECV, Arc::new(t_recv)), named(SEQ, Arc::new(seq)), named(RUN, Arc::new(run))];
    let (fields, arrays): (Vec<_>, Vec<_>) = leading.into_iter().chain(own).unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    Ok(Chunk::new(Arc::clone(key), batch)?)
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    fn key() -> Arc<StreamKey> {
        Arc::new("sanqu/desk/kuavo-01/camera/head".parse().unwrap())
    }

    #[test]
    fn a_picture_is_one_row() {
        let stamp = Stamp { recv_ns: 20, run: 3, first_seq: 7 };
        let chunk = picture_to_chunk(&key(), b"\0\0\0\x01\x65", 10, true, stamp).unwrap();
        assert_eq!((chunk.t_ns(), chunk.t_recv_ns(), chunk.seq(), chunk.run()), (&[10][..], &[20][..], &[7][..], &[3][..]));
        let data = chunk.batch().column_by_name(VIDEO_DATA).unwrap();
        assert_eq!(data.as_binary::<i32>().value(0), b"\0\0\0\x01\x65");
        assert!(chunk.batch().column_by_name(VIDEO_KEYFRAME).unwrap().as_boolean().value(0));
    }

    #[test]
    fn text_must_be_text() {
        let stamp = Stamp { recv_ns: 20, run: 0, first_seq: 0 };
        let chunk = text_to_chunk(&key(), "{\"note\":\"三区\"}".as_bytes(), 10, stamp).unwrap();
        assert_eq!(chunk.batch().column(4).as_string::<i32>().value(0), "{\"note\":\"三区\"}");
        assert!(text_to_chunk(&key(), &[0xff], 10, stamp).unwrap_err().to_string().contains("utf-8"));
    }

    #[test]
    fn a_sequence_does_not_wrap() {
        let stamp = Stamp { recv_ns: 0, run: 0, first_seq: u64::MAX };
        assert!(matches!(text_to_chunk(&key(), b"", 0, stamp), Err(WireError::SequenceOverflow { .. })));
    }
}
