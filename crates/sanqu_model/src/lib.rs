//! The words of sanqu: ids, keys, time, stream schemas, [`Chunk`], manifest, loss ledger, field configuration.
//!
//! Everything here is plain data. This crate does no IO and knows neither zenoh nor Parquet; every other crate speaks
//! in its types. There are no structs for messages: telemetry is Arrow columns, and a [`Chunk`] is some rows of a stream.

mod chunk;
mod error;
mod field;
mod id;
mod json;
mod key;
mod loss;
mod manifest;
mod ranges;
mod schema;
mod time;

pub use chunk::{Chunk, RUN, SEQ, T, T_RECV, VIDEO_DATA, VIDEO_KEYFRAME};
pub use error::ModelError;
pub use field::{FieldConfig, OperatorConfig, RobotConfig, Scene, Station, StationPlace, Task, ViewerConfig, Zone};
pub use id::{EpisodeId, Id};
pub use json::canonical_json;
pub use key::{STREAM_NAME_BYTES_MAX, StreamKey, StreamKind, StreamName, control_key, recorder_key};
pub use loss::{DetectedBy, LossCause, LossRow, LossTotals};
pub use manifest::{ClockOffset, ClockStats, FORMAT_VERSION, FileEntry, Manifest, RobotEntry, StreamEntry};
pub use ranges::SeqRanges;
pub use schema::{Quantity, StreamDescription, ValueType};
pub use time::{date_in_zone, display_local, now_ns};
