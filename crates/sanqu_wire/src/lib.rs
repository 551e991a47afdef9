//! Payload bytes to and from [`Chunk`](sanqu_model::Chunk)s: the sample header, Arrow rows, H.264 access units,
//! ROS 1 messages.
//!
//! This crate does no IO and knows no bus: it is given bytes and gives values or an error that says what is wrong with
//! them. Every length read from bytes is bounded by a constant of this crate, and no input makes it panic.

pub mod av1;
mod chunks;
mod encoding;
mod error;
pub mod h264;
pub mod h265;
mod header;
mod ipc_check;
pub mod pipe;
pub mod ros1;
mod rows;
mod rows_reader;

pub use chunks::{Stamp, picture_to_chunk, rows_to_chunk, text_to_chunk};
pub use encoding::{
    ENCODING_ARROW, ENCODING_AV1, ENCODING_H264, ENCODING_H265, ENCODING_JPEG, ENCODING_JSON, ENCODING_PNG, ENCODING_ROS1, is_keyframe,
};
pub use error::WireError;
pub use header::{CLOCK_PTP, CLOCK_RECEIVER, CLOCK_ROBOT, CLOCK_UNKNOWN, FLAG_KEYFRAME, FLAG_LAST, HEADER_BYTES, SEQ_END, SampleHeader};
pub use ipc_check::{COLUMN_NAME_BYTES_MAX, COLUMNS_MAX, IPC_METADATA_BYTES_MAX, ROW_VALUES_MAX};
pub use rows::{PAYLOAD_BYTES_MAX, ROWS_MAX, decode_rows, encode_rows, fixed_list};
pub use rows_reader::{Rows, RowsReader};
