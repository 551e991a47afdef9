use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use sanqu_ingest::{Refused, RefusedReason};
use sanqu_model::{DetectedBy, Id, LossCause, StationPlace, StreamKey, now_ns};
use sanqu_store::Control;
use tracing::warn;

use crate::robot::{RobotWatch, STREAMS_MAX};
use crate::take::Take;
use crate::{LastEpisode, StationState, StationStatus};

/// Refused ranges that are remembered for the pre-roll of the next episode.
const REFUSED_MAX: usize = 4096;

/// A station: its robots, and the episode that is open there.
pub(crate) struct Station {
    pub(crate) id: Id,
    pub(crate) zone: Id,
    /// Sorted.
    pub(crate) robots: Vec<Id>,
    pub(crate) take: Option<Take>,
    pub(crate) sealing: usize,
    pub(crate) last: Option<LastEpisode>,
    refused_samples: u64,
    /// What the queue refused lately, by when that was noticed.
    refused: VecDeque<(i64, Refused)>,
}

impl Station {
    pub(crate) fn new(place: StationPlace<'_>, last: Option<LastEpisode>) -> Self {
        let mut robots = place.station.robots.clone();
        robots.sort();
        Self {
            id: place.station.id.clone(),
            zone: place.zone.id.clone(),
            robots,
            take: None,
            sealing: 0,
            last,
            refused_samples: 0,
            refused: VecDeque::new(),
        }
    }

    pub(crate) fn state(&self) -> StationState {
        match &self.take {
            None => StationState::Idle,
            Some(take) if take.stopping.is_some() => StationState::Stopping,
            Some(take) if take.problem().is_some() => StationState::Failed,
            Some(_) => StationState::Recording,
        }
    }

    /// Accounts for what the full queue refused: in the open episode, and for the pre-roll of the next one.
    pub(crate) fn refuse(&mut self, now_ns: i64, refused: Refused) {
        self.refused_samples += refused.samples;
        if let Some(take) = self.take.as_mut().filter(|take| take.records(&refused.key.robot)) {
            write_refused(take, &refused);
        }
        if self.refused.len() >= REFUSED_MAX {
            self.refused.pop_front();
        }
        self.refused.push_back((now_ns, refused));
    }

    /// Counts a sample of a stream that is one too many; `is_first` of its robot.
    pub(crate) fn refuse_stream(&mut self, key: &StreamKey, is_first: bool) {
        self.refused_samples += 1;
        if is_first {
            let text = format!("{key} and further streams are not recorded: a robot has at most {STREAMS_MAX}");
            warn!(text);
            if let Some(take) = &mut self.take {
                take.control(Control::Event { t_ns: now_ns(), name: "streams_refused".to_owned(), text });
            }
        }
    }

    /// Writes into the episode that has just begun what was refused since `since_ns`.
    pub(crate) fn repeat_refused(&mut self, since_ns: i64) {
        self.refused.retain(|(noticed_ns, _)| *noticed_ns >= since_ns);
        if let Some(take) = &mut self.take {
            self.refused.iter().for_each(|(_, refused)| write_refused(take, refused));
        }
    }

    pub(crate) fn status(&self, robots: &mut BTreeMap<Id, RobotWatch>, now: Instant) -> StationStatus {
        let take = self.take.as_ref();
        let start = take.map(|take| &take.start);
        StationStatus {
            station: self.id.clone(),
            state: self.state(),
            episode: start.map(|start| start.episode),
            task: start.and_then(|start| start.task.clone()),
            operator: start.and_then(|start| start.operator.clone()),
            start_ns: start.map(|start| start.start_ns),
            journal_bytes: take.map_or(0, Take::journal_bytes),
            problem: take.and_then(Take::problem).map(str::to_owned),
            unwritten_samples: take.map_or(0, Take::unwritten_samples),
            refused_samples: self.refused_samples,
            sealing: self.sealing,
            last: self.last.clone(),
            robots: self.robots.iter().filter_map(|id| Some(robots.get_mut(id)?.status(id, now))).collect(),
        }
    }
}

fn write_refused(take: &mut Take, refused: &Refused) {
    match refused.boot {
        Some(boot) => {
            let stream_boot = (refused.key.clone(), boot);
            // What lies before the episode's first row is not the episode's loss.
            if take.first_seq(&stream_boot).is_none_or(|first| refused.to_seq.is_none_or(|to| to > first)) {
                take.lost(stream_boot, refused.from_seq, refused.to_seq, (LossCause::Recorder, DetectedBy::Queue));
            }
        }
        // Without a header there is no sequence that a ledger row could name.
        None => {
            let why = match refused.reason {
                RefusedReason::QueueFull => "the recorder's queue was full",
                RefusedReason::TooLarge => "the payload was too large",
            };
            let text = format!("{} samples of {} without sequence were refused: {why}", refused.samples, refused.key);
            take.control(Control::Event { t_ns: now_ns(), name: "samples_refused".to_owned(), text });
        }
    }
}
