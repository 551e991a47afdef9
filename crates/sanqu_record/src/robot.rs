use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use sanqu_ingest::Counts;
use sanqu_model::{Id, StreamDescription, StreamKey, StreamName};

use crate::RobotStatus;
use crate::track::{BootTrack, StreamTrack};

/// Boots after whose first sample a robot is asked for its descriptions again; more would be a flood.
const ASKED_MAX: usize = 64;

/// The most streams of one robot. Names are free within their kinds, and each stream is a track, a channel and a file.
pub(crate) const STREAMS_MAX: usize = 256;

/// One robot as the recorder hears it.
#[derive(Default)]
pub(crate) struct RobotWatch {
    pub(crate) streams: BTreeMap<StreamName, StreamTrack>,
    pub(crate) descriptions: BTreeMap<StreamName, StreamDescription>,
    /// The boot of the last heartbeat; none for a publisher that sends none.
    announced: Option<u64>,
    /// A stream was one too many.
    pub(crate) is_crowded: bool,
    /// Boots (none: samples without header) that descriptions were asked for.
    asked: BTreeSet<Option<u64>>,
}

impl RobotWatch {
    /// True when the robot should be asked what it sends, because nobody has since this boot's first sample.
    pub(crate) fn asks_for(&mut self, boot: Option<u64>) -> bool {
        self.asked.len() < ASKED_MAX && self.asked.insert(boot)
    }

    /// Notes the robot's own counts; `each` sees what they are about. True when the robot should be asked what it sends:
    /// declarations and samples travel on their own, so the first question may have come too early.
    pub(crate) fn heartbeat(&mut self, heart: &StreamKey, counts: &Counts, mut each: impl FnMut(&Arc<StreamKey>, &mut BootTrack)) -> bool {
        let restarted = self.announced.is_some_and(|boot| boot != counts.boot);
        self.announced = Some(counts.boot);
        for (stream, next_seq) in &counts.next_seq {
            if stream.kind().is_recorded() && self.has_place(stream) {
                let track = self.track(heart, stream);
                let key = Arc::clone(&track.key);
                each(&key, track.heartbeat(counts, *next_seq, restarted));
            }
        }
        self.descriptions.is_empty() || restarted
    }

    /// Whether a stream is known, or may become so.
    pub(crate) fn has_place(&self, stream: &StreamName) -> bool {
        self.streams.len() < STREAMS_MAX || self.streams.contains_key(stream)
    }

    /// When anything was last heard, ns since the Unix epoch.
    pub(crate) fn last_recv_ns(&self) -> Option<i64> {
        self.streams.values().map(StreamTrack::last_recv_ns).max()
    }

    /// A stream of the robot that sent on the key `other`.
    pub(crate) fn track(&mut self, other: &StreamKey, stream: &StreamName) -> &mut StreamTrack {
        self.streams.entry(stream.clone()).or_insert_with(|| {
            let (field, robot) = (other.field.clone(), other.robot.clone());
            StreamTrack::new(Arc::new(StreamKey { field, robot, stream: stream.clone() }))
        })
    }

    /// Every boot of every stream.
    pub(crate) fn boots(&mut self) -> impl Iterator<Item = (&Arc<StreamKey>, &mut BootTrack)> {
        self.streams.values_mut().flat_map(|track| track.boots.iter_mut().map(|boot| (&track.key, boot)))
    }

    pub(crate) fn status(&mut self, robot: &Id, now: Instant) -> RobotStatus {
        let streams = self.streams.values_mut().map(|track| track.status(now)).collect();
        RobotStatus { robot: robot.clone(), described: self.descriptions.len(), streams }
    }
}
