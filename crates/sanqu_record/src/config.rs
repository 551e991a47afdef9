use std::path::PathBuf;
use std::time::Duration;

use sanqu_ingest::Refusals;
use sanqu_model::{FieldConfig, Id};
use sanqu_store::Store;

use crate::RecordError;

/// How long a stop waits, after the robots were asked for their final counts, for rows that are still on their way and
/// cannot be asked for again.
pub const STOP_GRACE: Duration = Duration::from_millis(1500);

/// The most bytes that a station's pre-roll keeps alive for each robot that stands there.
pub(crate) const PRE_ROLL_BYTES_MAX: usize = 64 << 20;

/// What the recorder needs to know. See [`RecorderConfig::new`] for the usual values.
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    /// The field: its stations are served, its robots are recorded.
    pub field: FieldConfig,
    /// The folder with one robot description per model (`assets/robots`).
    pub robots_dir: PathBuf,
    /// Where episodes go.
    pub store: Store,
    /// What was received is written to the journal's file at most this much later, its time in the queue included: what a
    /// crash can cost.
    pub flush: Duration,
    /// Making durable what was received begins at most this much later, or when the sync before it has ended: what a power
    /// loss can cost.
    pub sync: Duration,
    /// How far an episode reaches back before its start. Video reaches back further, to the key frame before.
    pub pre_roll: Duration,
    /// An episode that a crash has left open goes on when the recorder starts again, if its last sample is younger than
    /// this; else it is closed and sealed.
    pub resume_within: Duration,
    /// How long a stop waits at most for rows that a robot still holds and was asked for again.
    pub resend_grace: Duration,
    /// The most bytes that wait between network and stations; beyond it samples are refused and counted. Half of it is
    /// shared out evenly: a station can have its part of that whatever the others do. The other half is lent to the
    /// stations that need more. What a station is just writing, and its pre-roll, come on top.
    pub queue_bytes: usize,
    /// What the secured router refuses, where there is one: shown in the status.
    pub refusals: Refusals,
    /// Record robots that the field does not know, at [`RecorderConfig::unknown_station`].
    pub allow_unknown: bool,
    /// The station at which unknown robots are recorded: they belong to the episodes that start there after they were
    /// first heard. None means the field's only station.
    pub unknown_station: Option<Id>,
}

impl RecorderConfig {
    /// Flush after 100 ms, fdatasync after 1 s, 2 s of pre-roll, resume within 60 s, 5 s for rows that come again at a
    /// stop, queues of 256 MiB, unknown robots refused.
    pub fn new(field: FieldConfig, robots_dir: PathBuf, store: Store) -> Self {
        Self {
            field,
            robots_dir,
            store,
            flush: Duration::from_millis(100),
            sync: Duration::from_secs(1),
            pre_roll: Duration::from_secs(2),
            resume_within: Duration::from_secs(60),
            resend_grace: Duration::from_secs(5),
            queue_bytes: 256 << 20,
            refusals: Refusals::default(),
            allow_unknown: false,
            unknown_station: None,
        }
    }

    /// Where unknown robots are recorded; none when they are refused.
    pub(crate) fn home_of_unknown(&self) -> Result<Option<Id>, RecordError> {
        if !self.allow_unknown {
            return Ok(None);
        }
        let bad = |reason: String| RecordError::Config { reason };
        if let Some(station) = &self.unknown_station {
            let known = self.field.station(station).is_some();
            return if known {
                Ok(Some(station.clone()))
            } else {
                Err(bad(format!("field {} has no station {station}", self.field.field)))
            };
        }
        let mut stations = self.field.stations();
        match (stations.next(), stations.next()) {
            (Some(only), None) => Ok(Some(only.station.id.clone())),
            _ => Err(bad("unknown robots are allowed, but the field does not have exactly one station: name theirs".to_owned())),
        }
    }
}
