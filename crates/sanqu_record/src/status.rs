use std::collections::BTreeMap;

use sanqu_ingest::RefusalReport;
use sanqu_model::{EpisodeId, Id, LossTotals, Manifest, StreamName};
use serde::{Deserialize, Serialize};

use crate::{Quantiles, Room};

/// What a station is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StationState {
    /// Nothing is recorded.
    #[default]
    Idle,
    /// An episode is open.
    Recording,
    /// The episode is being closed: the last rows are waited for.
    Stopping,
    /// An episode is open, but nothing can be written at present; it goes on when the disk takes data again.
    Failed,
}

/// How far the last episode of a station is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeProgress {
    /// Closed; its files are being made.
    Sealing,
    /// Done.
    Sealed,
    /// Could not be sealed; its journal is kept for `sanqu repair`.
    SealFailed,
}

/// The last episode that was closed at a station.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastEpisode {
    /// The episode.
    pub episode: EpisodeId,
    /// How far it is.
    pub progress: EpisodeProgress,
    /// Rows in all its streams, once sealed.
    pub rows: u64,
    /// Rows that are missing, once sealed.
    pub lost: u64,
    /// More may be missing than `lost`: the end of a stream is not known.
    #[serde(default)]
    pub open_ended: bool,
    /// What went wrong.
    pub problem: Option<String>,
}

impl LastEpisode {
    pub(crate) fn sealed(manifest: &Manifest) -> Self {
        Self {
            episode: manifest.episode,
            progress: EpisodeProgress::Sealed,
            rows: manifest.streams.iter().map(|stream| stream.rows).sum(),
            lost: manifest.streams.iter().map(|stream| stream.lost.total()).fold(0, u64::saturating_add),
            open_ended: manifest.streams.iter().any(|stream| stream.lost.open_ended),
            problem: None,
        }
    }
}

/// A stream as the recorder hears it, since the recorder began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// The stream.
    pub stream: StreamName,
    /// Rows received (samples, where there is no header).
    pub rows: u64,
    /// Payload bytes received.
    pub bytes: u64,
    /// Capture time of the newest sample, ns; none without a header.
    pub last_capture_ns: Option<i64>,
    /// Receive time of the newest sample, ns.
    pub last_recv_ns: i64,
    /// Rows a second over the last second or so.
    pub rate_hz: f64,
    /// Rows that the robot has numbered and that have not arrived so far, of the open episode if there is one; some may be
    /// on their way, or be asked for again.
    pub missing: u64,
    /// Of the open episode, rows that will not come any more, by cause as far as it is known.
    #[serde(default)]
    pub lost: LossTotals,
    /// Samples without a readable header: losses among them cannot be seen.
    pub unnumbered: u64,
}

/// A robot as the recorder hears it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobotStatus {
    /// The robot.
    pub robot: Id,
    /// How many of its streams have described themselves.
    pub described: usize,
    /// Its streams, sorted.
    pub streams: Vec<StreamStatus>,
}

/// A station.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StationStatus {
    /// The station.
    pub station: Id,
    /// What it is doing.
    pub state: StationState,
    /// The open episode.
    pub episode: Option<EpisodeId>,
    /// Its task.
    pub task: Option<Id>,
    /// Its operator.
    pub operator: Option<Id>,
    /// Its start, ns since the Unix epoch.
    pub start_ns: Option<i64>,
    /// When its recording went on after the recorder had crashed, ns since the Unix epoch.
    #[serde(default)]
    pub resumed_ns: Option<i64>,
    /// Bytes in its journal's present segment.
    pub journal_bytes: u64,
    /// Why nothing can be written.
    pub problem: Option<String>,
    /// Samples that could not be written since.
    pub unwritten_samples: u64,
    /// Samples of the station's robots that the full queue refused, since the recorder began.
    pub refused_samples: u64,
    /// Episodes that wait to be sealed or are being sealed.
    pub sealing: usize,
    /// The last episode that was closed.
    pub last: Option<LastEpisode>,
    /// The robots that stand here and were heard, sorted.
    pub robots: Vec<RobotStatus>,
    /// What the station measures of its own work.
    #[serde(default)]
    pub figures: StationFigures,
}

/// What a station measures of its own work, since the recorder began unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StationFigures {
    /// Samples that wait in the station's queue now.
    pub queue_samples: usize,
    /// Their bytes.
    pub queue_bytes: usize,
    /// The most bytes that waited at any time.
    pub queue_bytes_high: usize,
    /// Bytes of samples and control records that were written to journals.
    pub written_bytes: u64,
    /// Of these, the bytes that were made durable while recording; closing a journal makes the rest durable.
    pub durable_bytes: u64,
    /// From a sample's receipt until it was written to the journal's file.
    pub written_lag: Quantiles,
    /// From a sample's capture, by the robot's clock, until it was durable.
    pub durable_lag: Quantiles,
    /// How long fdatasync took.
    pub sync: Quantiles,
    /// Samples whose header or checksum did not fit; kept as they came.
    pub corrupt_samples: u64,
    /// What was asked of robots again.
    pub resend: ResendFigures,
    /// Rows in the ledgers of the episodes that were sealed.
    pub lost: LossTotals,
    /// How long the last seal took, ms; 0 before the first.
    pub last_seal_ms: u64,
    /// How long the episode was that it sealed, pre-roll included, ms.
    pub last_sealed_ms: u64,
}

/// Rows that a station asked robots to send again, since the recorder began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResendFigures {
    /// Questions.
    pub questions: u64,
    /// Rows asked for; what did not come may be asked for several times.
    pub asked_rows: u64,
    /// Rows that came.
    pub got_rows: u64,
    /// Rows of which a robot said that it has them no more, or that nobody answered for as long as a ring holds them.
    pub gone_rows: u64,
}

/// A robot that is heard and not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRobot {
    /// Its id.
    pub robot: Id,
    /// Samples so far.
    pub samples: u64,
    /// Why.
    pub reason: String,
}

/// Everything about a recorder at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecorderStatus {
    /// The stations, sorted by id.
    pub stations: Vec<StationStatus>,
    /// Robots that are heard and not recorded, sorted.
    pub refused_robots: Vec<RefusedRobot>,
    /// Samples on keys that are no streams.
    pub stray_samples: u64,
    /// The first of those keys, with what is wrong.
    pub stray_keys: BTreeMap<String, String>,
    /// Samples that wait between network and recorder.
    pub waiting_samples: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
    /// Bytes that are free where the store is; none when the system does not say.
    #[serde(default)]
    pub disk_free_bytes: Option<u64>,
    /// How many minutes of recording that is enough for, at the rate of the last seconds; none while nothing is recorded.
    #[serde(default)]
    pub disk_minutes_left: Option<u64>,
    /// What a secured router has refused.
    #[serde(default)]
    pub refusals: RefusalReport,
}

impl RecorderStatus {
    /// The room that is left where the store is.
    pub fn room(&self) -> Room {
        Room { free_bytes: self.disk_free_bytes, minutes_left: self.disk_minutes_left }
    }
}
