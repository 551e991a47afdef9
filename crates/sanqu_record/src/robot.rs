use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use sanqu_ingest::{Counts, Received};
use sanqu_model::{Id, StreamDescription, StreamName};
use sanqu_wire::SampleHeader;

use crate::RobotStatus;
use crate::pre_roll::{Held, PreRoll};
use crate::track::StreamTrack;

/// Boots after whose first sample a robot is asked for its descriptions again; more would be a flood.
const ASKED_MAX: usize = 64;

/// The most streams of one robot. Names are free within their kinds, and each stream is a track, a channel and a file.
pub(crate) const STREAMS_MAX: usize = 256;

/// One robot as the recorder hears it.
pub(crate) struct RobotWatch {
    /// Where it is recorded.
    pub(crate) station: Id,
    pub(crate) streams: BTreeMap<StreamName, StreamTrack>,
    pub(crate) pre_roll: PreRoll,
    pub(crate) descriptions: BTreeMap<StreamName, StreamDescription>,
    /// The boot of the last heartbeat; none for a publisher that sends none.
    pub(crate) announced: Option<u64>,
    /// A stream was one too many.
    pub(crate) is_crowded: bool,
    /// Boots (none: samples without header) that descriptions were asked for.
    asked: BTreeSet<Option<u64>>,
}

impl RobotWatch {
    pub(crate) fn new(station: Id, pre_roll: PreRoll) -> Self {
        Self {
            station,
            streams: BTreeMap::new(),
            pre_roll,
            descriptions: BTreeMap::new(),
            announced: None,
            is_crowded: false,
            asked: BTreeSet::new(),
        }
    }

    /// Counts a sample and holds it back for the next episode. True when the robot should be asked what it sends.
    pub(crate) fn sample(&mut self, sample: &Received, header: Option<SampleHeader>) -> bool {
        self.track(&sample.key.stream).sample(header.as_ref(), sample.payload.len(), sample.recv_ns);
        self.pre_roll.push(Held { sample: sample.clone(), header });
        self.asked.len() < ASKED_MAX && self.asked.insert(header.map(|header| header.boot))
    }

    /// Notes the robot's own counts. True when the robot should be asked what it sends: declarations and samples travel
    /// on their own, so the first question may have come too early.
    pub(crate) fn heartbeat(&mut self, counts: &Counts) -> bool {
        let restarted = self.announced.is_some_and(|boot| boot != counts.boot);
        self.announced = Some(counts.boot);
        for (stream, next_seq) in &counts.next_seq {
            if stream.kind().is_recorded() && self.has_place(stream) {
                self.track(stream).heartbeat(counts.boot, *next_seq, restarted, counts.last);
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

    pub(crate) fn track(&mut self, stream: &StreamName) -> &mut StreamTrack {
        self.streams.entry(stream.clone()).or_insert_with(|| StreamTrack::new(Instant::now()))
    }

    pub(crate) fn status(&mut self, robot: &Id, now: Instant) -> RobotStatus {
        let streams = self.streams.iter_mut().map(|(stream, track)| track.status(stream, now)).collect();
        RobotStatus { robot: robot.clone(), described: self.descriptions.len(), streams }
    }
}
