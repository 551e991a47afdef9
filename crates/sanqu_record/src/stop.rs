use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::Request;
use sanqu_model::{DetectedBy, Id, LossCause, StreamKey, StreamName};
use sanqu_store::Control;

use crate::Outcome;
use crate::robot::RobotWatch;
use crate::take::{StreamBoot, Take};

/// What a robot answered: each stream's boot and next sequence. Empty when it did not answer.
pub(crate) type Answer = (Id, Vec<(StreamName, u64, u64)>);

/// An episode that is being closed.
pub(crate) struct Stopping {
    pub(crate) stop_ns: i64,
    /// Who waits for the reply; none when the recorder itself stops.
    pub(crate) request: Option<Request>,
    pub(crate) outcome: Option<(Outcome, String)>,
    /// By receive time: what arrives later is not waited for.
    pub(crate) deadline_ns: i64,
    /// When the robots had answered; none while they are being asked.
    answered_ns: Option<i64>,
    /// One past the last row of each boot that belongs to the episode.
    finals: BTreeMap<StreamBoot, u64>,
    /// Whether a robot that was sending to the last did not say how much: then its last rows may still be on their way.
    has_stragglers: bool,
    began: Instant,
}

impl Stopping {
    pub(crate) fn new(stop_ns: i64, deadline_ns: i64, request: Option<Request>, outcome: Option<(Outcome, String)>) -> Self {
        Self {
            stop_ns,
            request,
            outcome,
            deadline_ns,
            answered_ns: None,
            finals: BTreeMap::new(),
            has_stragglers: false,
            began: Instant::now(),
        }
    }

    /// Takes the robots' own counts. Rows that have arrived meanwhile count too: an answer may be overtaken.
    pub(crate) fn settle(&mut self, now_ns: i64, field: &Id, answers: Vec<Answer>, robots: &BTreeMap<Id, RobotWatch>) {
        self.answered_ns = Some(now_ns);
        for (robot, counts) in answers {
            if counts.is_empty() {
                let last_ns = robots.get(&robot).and_then(RobotWatch::last_recv_ns);
                self.has_stragglers |= last_ns.is_some_and(|last_ns| last_ns >= self.stop_ns.saturating_sub(SILENCE_NS));
            }
            for (stream, boot, next_seq) in counts {
                if !stream.kind().is_recorded() {
                    continue;
                }
                let arrived = boot_of(robots, &robot, &stream, boot).map_or(0, |track| track.next_seq);
                let key = Arc::new(StreamKey { field: field.clone(), robot: robot.clone(), stream });
                self.finals.insert((key, boot), next_seq.max(arrived));
            }
        }
    }

    /// Whether a row still belongs to the episode.
    pub(crate) fn takes(&self, key: &Arc<StreamKey>, boot: u64, seq: u64) -> bool {
        self.finals.get(&(Arc::clone(key), boot)).is_none_or(|end| seq < *end)
    }

    /// Whether nothing more is waited for. `horizon_ns`: everything that arrived before was handled.
    pub(crate) fn is_over(&self, horizon_ns: i64, robots: &BTreeMap<Id, RobotWatch>) -> bool {
        if self.began.elapsed() >= GIVE_UP {
            return true;
        }
        let Some(answered_ns) = self.answered_ns else { return horizon_ns >= self.deadline_ns.saturating_add(ANSWER_SLACK_NS) };
        let arrived = |((key, boot), end): (&StreamBoot, &u64)| {
            *end == 0 || boot_of(robots, &key.robot, &key.stream, *boot).is_some_and(|track| track.next_seq >= *end)
        };
        horizon_ns >= self.deadline_ns || (!self.has_stragglers && horizon_ns >= answered_ns && self.finals.iter().all(arrived))
    }

    /// Writes what the robots said about the ends of their streams.
    pub(crate) fn account(&self, take: &mut Take, robots: &BTreeMap<Id, RobotWatch>) {
        for ((key, boot), end) in &self.finals {
            let known = boot_of(robots, &key.robot, &key.stream, *boot);
            let stream_boot = (Arc::clone(key), *boot);
            let begin = take.first_seq(&stream_boot).or(known.map(|track| track.baseline)).unwrap_or(0);
            take.baseline(key, *boot, begin);
            final_count(take, stream_boot, *end);
        }
        for stream_boot in take.boots() {
            let (key, boot) = &stream_boot;
            if self.finals.contains_key(&stream_boot) {
                continue;
            }
            let Some(watch) = robots.get(&key.robot) else { continue };
            let Some(track) = watch.streams.get(&key.stream).and_then(|stream| stream.boot(*boot)) else { continue };
            let end = track.next_seq.max(track.heard);
            if track.ended {
                final_count(take, stream_boot, end);
            } else if track.heard > 0 {
                // It counted itself and then fell silent: what it sent last is lost for certain, and nobody knows
                // how much more it sent.
                if track.heard > track.next_seq {
                    let why = (LossCause::Network, DetectedBy::Heartbeat);
                    take.lost(stream_boot.clone(), Some(track.next_seq), Some(end), why);
                }
                take.lost(stream_boot, Some(end), None, (LossCause::Unknown, DetectedBy::FinalCount));
            }
        }
    }
}

/// A robot that was not heard for this long before the stop has nothing on its way.
const SILENCE_NS: i64 = 1_000_000_000;

/// The deadline is one of the wall clock, which may be set back; nobody waits longer than this for it.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A recorder that cannot even ask gives up this much after the deadline.
const ANSWER_SLACK_NS: i64 = 1_500_000_000;

fn boot_of<'a>(robots: &'a BTreeMap<Id, RobotWatch>, robot: &Id, stream: &StreamName, boot: u64) -> Option<&'a crate::track::BootTrack> {
    robots.get(robot)?.streams.get(stream)?.boot(boot)
}

fn final_count(take: &mut Take, (key, boot): StreamBoot, next_seq: u64) {
    take.control(Control::Final { robot: key.robot.clone(), stream: key.stream.clone(), boot, next_seq });
}
