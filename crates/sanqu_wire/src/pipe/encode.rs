use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::SchemaRef;

use super::{PIPE_BODY_BYTES_MAX, PIPE_ITEMS_MAX, PipeItem, bad, schema};
use crate::WireError;
use crate::rows::PAYLOAD_BYTES_MAX;

/// Alignment of the buffers.
const ALIGNMENT_BYTES: usize = 8;
/// What an item costs beside its texts and payload: more than its fixed columns, validity and padding.
const ITEM_BYTES: usize = 128;

/// Makes the bytes of a pipe.
pub struct PipeEncoder {
    writer: StreamWriter<Vec<u8>>,
    schema: SchemaRef,
}

impl PipeEncoder {
    /// A pipe that begins.
    ///
    /// # Errors
    /// Arrow's; none are known.
    pub fn new() -> Result<Self, WireError> {
        let schema = Arc::new(schema());
        let options = IpcWriteOptions::try_new(ALIGNMENT_BYTES, false, MetadataVersion::V5)?;
        Ok(Self { writer: StreamWriter::try_new_with_options(Vec::new(), &schema, options)?, schema })
    }

    /// What a message of these items takes at most, bytes.
    pub fn cost(item: &PipeItem) -> usize {
        let name = |text: Option<&str>| text.map_or(0, str::len);
        let texts = name(item.robot.as_ref().map(|robot| robot.as_str())) + name(item.stream.as_ref().map(|stream| stream.as_str()));
        ITEM_BYTES + texts + item.encoding.len() + item.payload.len()
    }

    /// The bytes of one message; of the schema before it, when it is the first.
    ///
    /// # Errors
    /// [`WireError::BadPipe`] for no items, more than [`PIPE_ITEMS_MAX`] or more than [`PIPE_BODY_BYTES_MAX`];
    /// [`WireError::PayloadTooLarge`].
    pub fn encode(&mut self, items: &[PipeItem]) -> Result<Vec<u8>, WireError> {
        if items.is_empty() || items.len() > PIPE_ITEMS_MAX {
            return Err(bad("message", format!("{} items, expected 1 to {PIPE_ITEMS_MAX}", items.len())));
        }
        if let Some(bytes) = items.iter().map(|item| item.payload.len()).find(|bytes| *bytes > PAYLOAD_BYTES_MAX) {
            return Err(WireError::PayloadTooLarge { bytes, bytes_max: PAYLOAD_BYTES_MAX });
        }
        let cost = items.iter().map(Self::cost).fold(0_usize, usize::saturating_add);
        if cost > PIPE_BODY_BYTES_MAX {
            return Err(bad("message", format!("up to {cost} bytes, expected at most {PIPE_BODY_BYTES_MAX}")));
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns(items))?;
        self.writer.write(&batch)?;
        Ok(std::mem::take(self.writer.get_mut()))
    }

    /// The bytes that say that the pipe ends in order.
    ///
    /// # Errors
    /// Arrow's; none are known.
    pub fn finish(self) -> Result<Vec<u8>, WireError> {
        Ok(self.writer.into_inner()?)
    }
}

fn columns(items: &[PipeItem]) -> Vec<ArrayRef> {
    let text = |of: fn(&PipeItem) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(items.iter().map(of))) };
    let count = |of: fn(&PipeItem) -> Option<u64>| -> ArrayRef { Arc::new(items.iter().map(of).collect::<UInt64Array>()) };
    let time = |of: fn(&PipeItem) -> i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter_values(items.iter().map(of)).with_timezone("UTC"))
    };
    vec![
        text(|item| item.kind.as_str()),
        text(|item| item.robot.as_ref().map_or("", |robot| robot.as_str())),
        text(|item| item.stream.as_ref().map_or("", |stream| stream.as_str())),
        text(|item| &item.encoding),
        count(|item| item.boot),
        count(|item| item.seq),
        Arc::new(UInt32Array::from_iter_values(items.iter().map(|item| item.rows))),
        Arc::new(items.iter().map(|item| Some(item.keyframe)).collect::<BooleanArray>()),
        time(|item| item.t_ns),
        time(|item| item.recv_ns),
        Arc::new(Int64Array::from_iter_values(items.iter().map(|item| item.shift_ns))),
        count(|item| Some(item.dropped)),
        Arc::new(BinaryArray::from_iter_values(items.iter().map(|item| item.payload.as_slice()))),
    ]
}
