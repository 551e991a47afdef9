use arrow_schema::ArrowError;
use sanqu_model::ModelError;
use thiserror::Error;

/// What can be wrong with bytes from the wire.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The attachment is no sample header of version 1.
    #[error("sample header: {field}: expected {expected}, found {found}")]
    BadHeader {
        /// The header's field, or "length".
        field: &'static str,
        /// What the wire contract says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Header and payload do not fit their checksum.
    #[error("sample checksum: the header says {expected:#010x}, the bytes give {found:#010x}")]
    Checksum {
        /// The checksum in the header.
        expected: u32,
        /// The checksum of what arrived.
        found: u32,
    },
    /// A payload is larger than any sample may be.
    #[error("payload of {bytes} bytes; at most {bytes_max} are allowed")]
    PayloadTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The payload is no Arrow IPC stream of exactly one record batch.
    #[error("Arrow payload: {reason}")]
    BadRows {
        /// What is wrong, naming the place.
        reason: String,
    },
    /// A column has a type, a length or nulls that rows cannot have.
    #[error("Arrow payload: column {column:?}: expected {expected}, found {found}")]
    BadColumn {
        /// The column's name.
        column: String,
        /// What was expected.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Arrow refused bytes or arrays.
    #[error("Arrow payload: {source}")]
    Arrow {
        /// Arrow's own error.
        #[from]
        source: ArrowError,
    },
    /// A quantity or a chunk is not what the model demands.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The sequence of a payload's last row does not fit 64 bits.
    #[error("sequence {first_seq} plus {rows} rows overflows")]
    SequenceOverflow {
        /// Sequence of the first row.
        first_seq: u64,
        /// Number of rows.
        rows: usize,
    },
    /// Bytes of a video stream are not what they should be.
    #[error("video: {what}: {reason}")]
    BadVideo {
        /// Which part: "access unit", "SPS", "length-prefixed sample".
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Bytes of the live view's pipe are not what they should be.
    #[error("live pipe: {place}: {reason}")]
    BadPipe {
        /// Robot and stream, or the part of the message.
        place: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A ROS 1 message definition cannot be understood.
    #[error("definition of {message_type}: {reason}")]
    BadDefinition {
        /// The message type whose definition it is.
        message_type: String,
        /// What is wrong, naming the line or the type.
        reason: String,
    },
    /// The bytes of a ROS 1 message do not fit its definition.
    #[error("{message_type} message: field {field:?} at byte {offset}: {reason}")]
    BadMessage {
        /// The message type.
        message_type: String,
        /// Path of the field, `joint_data.joint_q`; empty for the message as a whole.
        field: String,
        /// Offset in the message at which reading stopped.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
    /// A message has no such field, or the field has another type.
    #[error("{message_type} message: field {field:?}: expected {expected}, found {found}")]
    BadField {
        /// The message type.
        message_type: String,
        /// Path of the field that was asked for.
        field: String,
        /// What was asked for.
        expected: &'static str,
        /// What the definition has there.
        found: String,
    },
}
