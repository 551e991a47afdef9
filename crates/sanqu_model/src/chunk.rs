use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, FixedSizeListArray, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use crate::{ModelError, Quantity, StreamKey};

/// Column: capture time, ns since the Unix epoch, as the stream's clock said it.
pub const T: &str = "t";
/// Column: receive time at the recorder, ns since the Unix epoch.
pub const T_RECV: &str = "t_recv";
/// Column: sequence of the row within its run, from 0.
pub const SEQ: &str = "seq";
/// Column: which boot of the publisher, from 0 in order of first arrival.
pub const RUN: &str = "run";
/// Column of camera chunks: the access unit or picture, verbatim.
pub const VIDEO_DATA: &str = "data";
/// Column of camera chunks: whether decoding can begin here.
pub const VIDEO_KEYFRAME: &str = "keyframe";

/// Rows of one stream with their times and numbers: what decoding a payload gives, whatever the stream.
///
/// The batch has `t` and `t_recv` (Timestamp ns, UTC), `seq` (UInt64) and `run` (UInt32), in this order, none of them
/// null, then the stream's own columns: `FixedSizeList<T; n>` for each [`Quantity`], or `keyframe` (Boolean) and `data`
/// (Binary) for pictures, or `data` (Utf8) for events. Cheap to clone (columns are reference-counted).
#[derive(Clone, Debug)]
pub struct Chunk {
    key: Arc<StreamKey>,
    batch: RecordBatch,
}

impl Chunk {
    /// Wraps a batch after checking the four leading columns.
    ///
    /// # Errors
    /// [`ModelError::BadColumn`] naming the column that is missing, of another type, or has nulls.
    pub fn new(key: Arc<StreamKey>, batch: RecordBatch) -> Result<Self, ModelError> {
        let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        for (index, (name, expected)) in
            [(T, time.clone()), (T_RECV, time), (SEQ, DataType::UInt64), (RUN, DataType::UInt32)].into_iter().enumerate()
        {
            let found = match batch.schema_ref().fields().get(index) {
                Some(field) if field.name() != name => format!("column {:?}", field.name()),
                Some(field) if field.data_type() != &expected => field.data_type().to_string(),
                Some(_) if batch.column(index).null_count() > 0 => "nulls".to_owned(),
                Some(_) => continue,
                None => "nothing".to_owned(),
            };
            return Err(ModelError::BadColumn { stream: key.to_string(), column: name.to_owned(), expected: expected.to_string(), found });
        }
        Ok(Self { key, batch })
    }

    /// The stream.
    pub fn key(&self) -> &Arc<StreamKey> {
        &self.key
    }

    /// All columns.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Capture times, ns.
    pub fn t_ns(&self) -> &[i64] {
        self.batch.column(0).as_primitive::<TimestampNanosecondType>().values()
    }

    /// Receive times, ns.
    pub fn t_recv_ns(&self) -> &[i64] {
        self.batch.column(1).as_primitive::<TimestampNanosecondType>().values()
    }

    /// Sequences.
    pub fn seq(&self) -> &[u64] {
        self.batch.column(2).as_primitive::<UInt64Type>().values()
    }

    /// Runs.
    pub fn run(&self) -> &[u32] {
        self.batch.column(3).as_primitive::<UInt32Type>().values()
    }

    /// A quantity with its values; none when the stream does not have it.
    ///
    /// # Errors
    /// [`ModelError::BadDescription`] when the column exists but is no quantity.
    pub fn quantity(&self, name: &str) -> Result<Option<(Quantity, &FixedSizeListArray)>, ModelError> {
        let Some((index, field)) = self.batch.schema_ref().column_with_name(name) else { return Ok(None) };
        let quantity = Quantity::from_field(field)?;
        Ok(Some((quantity, self.batch.column(index).as_fixed_size_list())))
    }
}
