use serde::{Deserialize, Serialize};

use crate::{Id, StreamName};

/// Why rows are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// Sent by the robot, never arrived.
    Network,
    /// Arrived, but the recorder's queue was full or the recorder died.
    Recorder,
    /// Arrived, but could not be written.
    Disk,
    /// Numbered by the robot but never sent.
    Unsent,
    /// Arrived, but the bytes do not fit their checksum or their form; kept in `unparsed.mcap`.
    Corrupt,
    /// Nothing says why.
    Unknown,
}

impl LossCause {
    /// Every cause, in the order of the ledger's totals.
    pub const ALL: [Self; 6] = [Self::Network, Self::Recorder, Self::Disk, Self::Unsent, Self::Corrupt, Self::Unknown];

    /// The word used in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Recorder => "recorder",
            Self::Disk => "disk",
            Self::Unsent => "unsent",
            Self::Corrupt => "corrupt",
            Self::Unknown => "unknown",
        }
    }
}

/// How a loss was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectedBy {
    /// A jump in the sequence between two samples.
    Gap,
    /// The robot's heartbeat said that more had been sent.
    Heartbeat,
    /// The robot's final counts at the end of the episode.
    FinalCount,
    /// The recorder counted what its full queue refused.
    Queue,
    /// The checksum, the header or the payload did not fit.
    Checksum,
    /// The writer failed.
    Write,
    /// `sanqu repair` found a journal that was never closed.
    Repair,
}

impl DetectedBy {
    /// The word used in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Heartbeat => "heartbeat",
            Self::FinalCount => "final_count",
            Self::Queue => "queue",
            Self::Checksum => "checksum",
            Self::Write => "write",
            Self::Repair => "repair",
        }
    }
}

/// One row of the loss ledger: rows `from_seq..to_seq` of a run of a stream are missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LossRow {
    /// The robot.
    pub robot: Id,
    /// The stream.
    pub stream: StreamName,
    /// Which boot of the stream's publisher, counted from 0 in order of first arrival.
    pub run: u32,
    /// First missing sequence; none where the source carries no sequence.
    pub from_seq: Option<u64>,
    /// One past the last missing sequence; none when the end is open (nobody knows how many followed).
    pub to_seq: Option<u64>,
    /// Why.
    pub cause: LossCause,
    /// How it was noticed.
    pub detected_by: DetectedBy,
}

impl LossRow {
    /// How many rows are missing; none when that is unknown.
    pub fn rows(&self) -> Option<u64> {
        Some(self.to_seq?.saturating_sub(self.from_seq?))
    }
}

/// Rows lost, by cause. The sum is a stream's `lost`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossTotals {
    /// See [`LossCause::Network`].
    pub network: u64,
    /// See [`LossCause::Recorder`].
    pub recorder: u64,
    /// See [`LossCause::Disk`].
    pub disk: u64,
    /// See [`LossCause::Unsent`].
    pub unsent: u64,
    /// See [`LossCause::Corrupt`].
    pub corrupt: u64,
    /// See [`LossCause::Unknown`].
    pub unknown: u64,
    /// A loss whose size nobody knows: the true total is larger than the sum.
    pub open_ended: bool,
}

impl LossTotals {
    /// Adds a ledger row.
    pub fn add(&mut self, row: &LossRow) {
        self.add_range(row.cause, row.from_seq, row.to_seq);
    }

    /// Adds the rows `from_seq..to_seq`; an end that nobody knows makes the totals open-ended.
    pub fn add_range(&mut self, cause: LossCause, from_seq: Option<u64>, to_seq: Option<u64>) {
        let slot = match cause {
            LossCause::Network => &mut self.network,
            LossCause::Recorder => &mut self.recorder,
            LossCause::Disk => &mut self.disk,
            LossCause::Unsent => &mut self.unsent,
            LossCause::Corrupt => &mut self.corrupt,
            LossCause::Unknown => &mut self.unknown,
        };
        match from_seq.zip(to_seq) {
            // A robot's count may be anything: sums stay at the largest number instead of wrapping.
            Some((from, to)) => *slot = slot.saturating_add(to.saturating_sub(from)),
            None => self.open_ended = true,
        }
    }

    /// Adds other totals.
    pub fn add_totals(&mut self, other: &Self) {
        for cause in LossCause::ALL {
            self.add_range(cause, Some(0), Some(other.of(cause)));
        }
        self.open_ended |= other.open_ended;
    }

    /// Rows lost by one cause.
    pub fn of(&self, cause: LossCause) -> u64 {
        match cause {
            LossCause::Network => self.network,
            LossCause::Recorder => self.recorder,
            LossCause::Disk => self.disk,
            LossCause::Unsent => self.unsent,
            LossCause::Corrupt => self.corrupt,
            LossCause::Unknown => self.unknown,
        }
    }

    /// All causes together.
    pub fn total(&self) -> u64 {
        [self.network, self.recorder, self.disk, self.unsent, self.corrupt, self.unknown].into_iter().fold(0, u64::saturating_add)
    }
}
