use std::collections::BTreeMap;

use sanqu_model::{DetectedBy, EpisodeId, Id, LossCause, RobotEntry, StreamDescription, StreamName};
use serde::{Deserialize, Serialize};

/// Topic of the control records in a journal.
pub const CONTROL_TOPIC: &str = "sanqu/control";

/// What is known when an episode begins: the journal's first record, copied into the manifest at seal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeStart {
    /// The episode.
    pub episode: EpisodeId,
    /// The field.
    pub field: Id,
    /// The zone of the station, if any.
    pub zone: Option<Id>,
    /// The station.
    pub station: Id,
    /// The task.
    pub task: Option<Id>,
    /// The task's prompt in English.
    pub prompt: String,
    /// The operator's pseudonym.
    pub operator: Option<Id>,
    /// The robots.
    pub robots: Vec<RobotEntry>,
    /// First instant of the episode (inclusive), ns since the Unix epoch.
    pub start_ns: i64,
    /// Where rows kept from before the start may begin, ns; equal to `start_ns` without pre-roll.
    pub pre_roll_ns: i64,
    /// Name and version of the recording program.
    pub recorder: String,
    /// Free facts for the manifest.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// A control record: what the recorder knows besides the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Control {
    /// The first record of every journal segment; written by [`JournalWriter::create`](crate::JournalWriter::create).
    Start(EpisodeStart),
    /// A stream described itself.
    Describe {
        /// The robot.
        robot: Id,
        /// Its stream.
        description: StreamDescription,
    },
    /// Rows of this boot before `next_seq` were sent before the journal began and are not missing.
    Baseline {
        /// The robot.
        robot: Id,
        /// The stream.
        stream: StreamName,
        /// The publisher's boot id.
        boot: u64,
        /// First sequence that belongs to this journal.
        next_seq: u64,
    },
    /// The recorder knows that rows are missing, and why. Rows of the range that did arrive are not counted.
    Lost {
        /// The robot.
        robot: Id,
        /// The stream.
        stream: StreamName,
        /// The publisher's boot id.
        boot: u64,
        /// First missing sequence; none when unknown.
        from_seq: Option<u64>,
        /// One past the last missing sequence; none when the end is open.
        to_seq: Option<u64>,
        /// Why.
        cause: LossCause,
        /// How it was noticed.
        detected_by: DetectedBy,
    },
    /// The robot's own count at the end: it sent `0..next_seq` in this boot.
    Final {
        /// The robot.
        robot: Id,
        /// The stream.
        stream: StreamName,
        /// The publisher's boot id.
        boot: u64,
        /// One past the last sequence that was sent.
        next_seq: u64,
    },
    /// Something happened that people want to see on the time axis: a mark, a fault, an operator's note.
    Event {
        /// When, ns since the Unix epoch.
        t_ns: i64,
        /// A short word: `mark`, `disk_full`, ….
        name: String,
        /// One sentence.
        text: String,
    },
    /// The episode was closed in an orderly way.
    Stop {
        /// End of the episode (exclusive), ns since the Unix epoch.
        stop_ns: i64,
        /// `stop`, `import`, ….
        ended_by: String,
    },
}

impl Control {
    /// The longest control record that is read, in bytes.
    pub const BYTES_MAX: usize = 4 << 20;
}

/// A message for the journal, as it came from the bus: nothing of it is parsed here except the 48-byte header.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The stream.
    pub key: &'a sanqu_model::StreamKey,
    /// The payload's zenoh encoding.
    pub encoding: &'a str,
    /// The 48-byte sample header, verbatim; empty when the publisher sent none.
    pub attachment: &'a [u8],
    /// The payload, verbatim.
    pub payload: &'a [u8],
    /// Receive time at the recorder, ns since the Unix epoch.
    pub recv_ns: i64,
}
