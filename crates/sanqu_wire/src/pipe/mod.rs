//! The live view's pipe: samples of the bus from `sanqu-live --arrow` to a viewer that knows no bus, as one Arrow IPC stream.
//!
//! Its schema is fixed and every row is one [`PipeItem`], so `pyarrow.ipc.open_stream(sys.stdin.buffer)` reads it. Rows of
//! joints and motors travel in `payload` as the robot's own Arrow IPC stream, bit for bit, and are checked where they are
//! read like every payload ([`crate::RowsReader`]); pictures are their access unit or JPEG. `docs/live-pipe.md` is the
//! format's page.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use sanqu_model::{Id, StreamName};

pub use decode::PipeDecoder;
pub use encode::PipeEncoder;

use crate::WireError;
use crate::rows::PAYLOAD_BYTES_MAX;

/// The most items of one message (record batch).
pub const PIPE_ITEMS_MAX: usize = 1024;
/// The largest body of one message: one largest payload, and room for what stands beside it.
pub const PIPE_BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + (4 << 20);
/// The largest metadata of one message. The schema is fixed, so this is far above what any writer needs.
pub const PIPE_METADATA_BYTES_MAX: usize = 64 << 10;

/// What a [`PipeItem`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PipeKind {
    /// A sample of a stream.
    #[default]
    Sample,
    /// Once a second, also when nothing comes: `dropped` is what the pipe had to drop so far, of all streams. The robots that
    /// announce themselves at this moment follow.
    Pulse,
    /// A robot announces itself.
    Alive,
    /// What a robot says of a stream: lines `name=text` in `payload`, among them `rate_hz`.
    Described,
    /// What cannot be passed on, in words in `payload`; said once for each stream.
    Trouble,
}

impl PipeKind {
    const ALL: [Self; 5] = [Self::Sample, Self::Pulse, Self::Alive, Self::Described, Self::Trouble];

    /// Its word in the pipe.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Pulse => "pulse",
            Self::Alive => "alive",
            Self::Described => "described",
            Self::Trouble => "trouble",
        }
    }
}

/// One row of the pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipeItem {
    /// What it is; what has no meaning for a kind is empty, none or 0.
    pub kind: PipeKind,
    /// The robot.
    pub robot: Option<Id>,
    /// Its stream.
    pub stream: Option<StreamName>,
    /// The payload's encoding, as the robot wrote it.
    pub encoding: String,
    /// The publisher's start; none for publishers without sample header.
    pub boot: Option<u64>,
    /// Sequence of the payload's first row; none for publishers without sample header.
    pub seq: Option<u64>,
    /// Rows in the payload, as the header says; 0 without one.
    pub rows: u32,
    /// Whether decoding can begin at this picture.
    pub keyframe: bool,
    /// Capture time of the first row as the robot's clock said it, ns since the Unix epoch; the receive time for publishers
    /// without sample header.
    pub t_ns: i64,
    /// When it was received, ns since the Unix epoch.
    pub recv_ns: i64,
    /// What to add to capture times to be on the field timeline, ns: 0 while the robot's clock is right, as far as known.
    pub shift_ns: i64,
    /// Samples of this stream that the pipe had to drop since the one before.
    pub dropped: u64,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Columns of the pipe, in order.
fn schema() -> Schema {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let column = |name: &str, data_type| Field::new(name, data_type, false);
    let columns = vec![
        column("kind", DataType::Utf8),
        column("robot", DataType::Utf8),
        column("stream", DataType::Utf8),
        column("encoding", DataType::Utf8),
        Field::new("boot", DataType::UInt64, true),
        Field::new("seq", DataType::UInt64, true),
        column("rows", DataType::UInt32),
        column("keyframe", DataType::Boolean),
        column("t", time.clone()),
        column("t_recv", time),
        column("shift_ns", DataType::Int64),
        column("dropped", DataType::UInt64),
        column("payload", DataType::Binary),
    ];
    let version = [("sanqu.pipe".to_owned(), "1".to_owned())];
    Schema::new(columns.into_iter().map(Arc::new).collect::<Vec<_>>()).with_metadata(version.into())
}

fn bad(place: impl ToString, reason: impl Into<String>) -> WireError {
    WireError::BadPipe { place: place.to_string(), reason: reason.into() }
}
