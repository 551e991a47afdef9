//! The journal: what the recorder writes while it records. MCAP, append-only, payloads verbatim.

mod classes;
mod entry;
mod format;
mod index;
mod parse;
mod reader;
mod segment;
mod spool;
mod survey;
mod sync;
mod writer;

use std::path::Path;

use sanqu_model::EpisodeId;
use sanqu_wire::PAYLOAD_BYTES_MAX;

pub(crate) use classes::Class;
pub(crate) use entry::{Entry, Fields, Grade};
pub(crate) use index::{Contents, Index, StreamIndex, find_start};
pub(crate) use spool::{Limits, Merge, Record, Scratch, Sorted, Sorter, Window};
pub use survey::{Survey, survey};
pub use sync::JournalSyncer;
pub use writer::{JournalWriter, ROS1_DEFINITION, ROS1_TYPE, SEGMENT_BYTES_TARGET};

/// In every channel's metadata: a random number of the segment. What looks like a chunk and does not have it was never one,
/// but part of somebody's payload.
const SEGMENT_MARK: &str = "segment";

/// Appended to a stream's topic for the channel that keeps the sample headers.
pub(crate) const HEADER_SUFFIX: &str = "#header";

/// The episode and the number of a journal segment `<episode>.<n>.mcap`.
pub(crate) fn parse_name(name: &str) -> Option<(EpisodeId, u32)> {
    let (episode, segment) = name.strip_suffix(".mcap")?.split_once('.')?;
    Some((episode.parse().ok()?, segment.parse().ok()?))
}

/// As [`parse_name`], for a path.
pub(crate) fn parse_path(path: &Path) -> Option<(EpisodeId, u32)> {
    parse_name(path.file_name()?.to_str()?)
}
