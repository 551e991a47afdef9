use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::{Counts, Request};
use sanqu_model::{DetectedBy, EpisodeId, Id, LossCause, StreamKey, StreamName, now_ns};
use sanqu_store::{Decision, DecisionKind};
use tracing::error;

use crate::errand::Errand;
use crate::robot::RobotWatch;
use crate::sealer::Seal;
use crate::station::{Station, nanos};
use crate::take::{Lost, Take};
use crate::track::BootTrack;
use crate::verb::Done;
use crate::{EpisodeProgress, LastEpisode, Outcome, STOP_GRACE};

/// A robot that was not heard for this long before the stop has nothing on its way.
const SILENCE_NS: i64 = 1_000_000_000;

/// The deadline is one of the wall clock, which may be set back; nobody waits longer than this for it.
const GIVE_UP: Duration = Duration::from_secs(60);

/// A recorder that cannot even ask gives up this much after the deadline.
const ANSWER_SLACK_NS: i64 = 1_500_000_000;

/// What a robot answered. Empty when it did not.
pub(crate) type Answer = (Id, Vec<Counts>);

/// An episode that is being closed.
pub(crate) struct Stopping {
    stop_ns: i64,
    /// Who waits for the reply; none when the recorder itself stops.
    request: Option<Request>,
    outcome: Option<(Outcome, String)>,
    /// By receive time: what arrives later is not waited for.
    deadline_ns: i64,
    /// When the robots had answered; none while they are being asked.
    answered_ns: Option<i64>,
    /// Whether a robot that was sending to the last did not say how much: then its last rows may still be on their way.
    has_stragglers: bool,
    /// Final counts of streams that were never heard.
    unheard: Vec<(Id, StreamName, u64, u64)>,
    began: Instant,
}

impl Station {
    /// Asks the robots for their final counts; the episode is closed when these have arrived.
    pub(crate) fn begin_stop(&mut self, request: Option<Request>, outcome: Option<(Outcome, String)>) {
        let robots = &self.robots;
        let Some(take) = self.take.as_mut().filter(|take| take.stopping.is_none()) else { return };
        let stop_ns = now_ns();
        let deadline_ns = stop_ns.saturating_add(nanos(STOP_GRACE));
        let began = Instant::now();
        let (answered_ns, has_stragglers, unheard) = (None, false, Vec::new());
        take.stopping = Some(Stopping { stop_ns, request, outcome, deadline_ns, answered_ns, has_stragglers, unheard, began });
        let heard: Vec<Id> = take.start.robots.iter().map(|entry| entry.robot.clone()).filter(|id| robots.contains_key(id)).collect();
        let undescribed = heard.iter().filter(|id| robots.get(id).is_some_and(|watch| watch.descriptions.is_empty())).cloned().collect();
        let episode = take.start.episode;
        self.context.errand(Errand::Settle { episode, robots: heard, undescribed, desk: self.desk.clone() });
    }

    /// Takes the robots' own counts. Rows that have arrived meanwhile count too: an answer may be overtaken.
    pub(crate) fn settled(&mut self, episode: EpisodeId, answers: Vec<Answer>) {
        let Some(take) = self.take.as_mut().filter(|take| take.start.episode == episode) else { return };
        let Some(stopping) = &mut take.stopping else { return };
        stopping.answered_ns = Some(now_ns());
        let silent_ns = stopping.stop_ns.saturating_sub(SILENCE_NS);
        for (robot, counts) in answers {
            let Some(watch) = self.robots.get_mut(&robot) else { continue };
            stopping.has_stragglers |= counts.is_empty() && watch.last_recv_ns().is_some_and(|last_ns| last_ns >= silent_ns);
            for counts in &counts {
                for (stream, next_seq) in counts.next_seq.iter().filter(|(stream, _)| stream.kind().is_recorded()) {
                    let track = watch.streams.get_mut(stream).filter(|track| track.has_heard(counts.boot));
                    let Some(track) = track else {
                        stopping.unheard.push((robot.clone(), stream.clone(), counts.boot, *next_seq));
                        continue;
                    };
                    let boot = track.heartbeat(counts, *next_seq, false);
                    if let Some(share) = &mut boot.share {
                        share.end = Some(boot.next_seq.max(*next_seq));
                    }
                }
            }
        }
    }

    /// Whether nothing more is waited for.
    pub(crate) fn is_stop_over(&mut self) -> bool {
        let horizon_ns = self.horizon_ns;
        let Some(stopping) = self.take.as_ref().and_then(|take| take.stopping.as_ref()) else { return false };
        if stopping.began.elapsed() >= GIVE_UP {
            return true;
        }
        let Some(answered_ns) = stopping.answered_ns else { return horizon_ns >= stopping.deadline_ns.saturating_add(ANSWER_SLACK_NS) };
        // Rows that nobody can send again have to come by themselves.
        let is_late = horizon_ns >= stopping.deadline_ns;
        let is_too_late = stopping.began.elapsed() >= self.context.config.resend_grace;
        let is_done = |boot: &BootTrack| match boot.share.as_ref().and_then(|share| Some((share, share.end?))) {
            Some((share, end)) if boot.held_from.is_some() => is_too_late || !share.may_get_more(&share.span(end), boot.held_from),
            Some((_, end)) => is_late || boot.next_seq >= end,
            None => true,
        };
        horizon_ns >= answered_ns
            && (is_late || !stopping.has_stragglers)
            && self.robots.values_mut().flat_map(RobotWatch::boots).all(|(_, boot)| is_done(boot))
    }

    /// Closes the journal of a stopping episode, answers, and hands the episode to the sealer.
    pub(crate) fn finish(&mut self) {
        // What was refused until now belongs to the episode.
        self.take_refused();
        let Some(mut take) = self.take.take() else { return };
        let Some(stopping) = take.stopping.take() else { return };
        let lost = self.account(&mut take, &stopping);
        let episode = take.start.episode;
        let problem = take.problem().map(str::to_owned);
        let mut done = match take.finish(&self.context.config.store, stopping.stop_ns, "stop", lost) {
            Ok(journal) => self.seal(episode, journal, problem),
            Err(error) => self.keep_unsealed(episode, format!("the journal cannot be closed: {error}")),
        };
        if let Some((outcome, who)) = stopping.outcome {
            let decision = Decision { kind: DecisionKind::Outcome, who, reason: outcome.as_str().to_owned(), at_ns: stopping.stop_ns };
            // Before the answer, which acknowledges it.
            if let Err(error) = self.context.config.store.append_decision(episode, &decision) {
                error!(station = %self.id, %episode, %error, "the outcome was not written");
                done = Err(format!("episode {episode} is closed, but its outcome was not written: {error}"));
            }
        }
        if let Some(request) = stopping.request {
            self.reply(request, done);
        }
    }

    /// Hands a closed journal to the sealer.
    pub(crate) fn seal(&mut self, episode: EpisodeId, journal: PathBuf, problem: Option<String>) -> Done {
        if self.context.jobs.seals.try_send(Seal { episode, journal, desk: self.desk.clone() }).is_err() {
            return self.keep_unsealed(episode, "too many episodes wait to be sealed".to_owned());
        }
        self.sealing += 1;
        let progress = EpisodeProgress::Sealing;
        self.last = Some(LastEpisode { episode, progress, rows: 0, lost: 0, open_ended: false, problem: problem.clone() });
        match problem {
            None => Ok((Some(episode), format!("episode {episode} is closed and being sealed"))),
            Some(problem) => Err(format!("episode {episode} is being sealed, but rows are missing: {problem}")),
        }
    }

    pub(crate) fn keep_unsealed(&mut self, episode: EpisodeId, reason: String) -> Done {
        error!(station = %self.id, %episode, reason, "the journal is kept for `sanqu repair`");
        let (progress, problem) = (EpisodeProgress::SealFailed, Some(reason.clone()));
        self.last = Some(LastEpisode { episode, progress, rows: 0, lost: 0, open_ended: false, problem });
        if let Some(ending) = &mut self.ending {
            ending.ended.failed.push((episode, reason.clone()));
        }
        Err(format!("episode {episode}: {reason}; its journal is kept for `sanqu repair`"))
    }

    /// Writes how the streams ended, and forgets the episode's shares of them. Returns what the disk has cost.
    fn account(&mut self, take: &mut Take, stopping: &Stopping) -> Vec<Lost> {
        for (key, boot) in self.robots.values_mut().flat_map(RobotWatch::boots) {
            write_end(take, key, boot);
        }
        // Without its begin the ledger says that nobody knows how much of it was sent during the episode.
        for (robot, stream, boot, next_seq) in &stopping.unheard {
            let key = StreamKey { field: take.start.field.clone(), robot: robot.clone(), stream: stream.clone() };
            take.final_count((&key, *boot), *next_seq);
        }
        let mut lost = Vec::new();
        for (key, boot) in self.robots.values_mut().flat_map(RobotWatch::boots) {
            let Some(mut share) = boot.share.take() else { continue };
            if take.problem().is_some() {
                share.fail();
                lost.push((Arc::clone(key), boot.boot, share.lost().clone()));
            }
        }
        lost
    }
}

/// Writes what is known about the end of a boot.
fn write_end(take: &mut Take, key: &Arc<StreamKey>, boot: &mut BootTrack) {
    let Some(share) = &boot.share else { return };
    let span = share.span(boot.frontier());
    for unsent in boot.unsent.iter().map(|rows| rows.start.max(span.start)..rows.end.min(span.end)) {
        for rows in share.kept().missing_in(&unsent) {
            take.lost((key, boot.boot), Some(rows.start), Some(rows.end), (LossCause::Unsent, DetectedBy::Heartbeat));
        }
    }
    if let Some(from) = share.absent_from() {
        // Nothing was heard of it since the recorder came back: what it sent meanwhile, nobody was there for.
        let to = share.end.or(boot.is_counted.then(|| boot.frontier())).filter(|to| *to >= from);
        if to != Some(from) {
            take.lost((key, boot.boot), Some(from), to, (LossCause::Recorder, DetectedBy::Repair));
        }
    }
    if let Some(end) = share.end {
        take.begin_boot(key, boot);
        return take.final_count((key, boot.boot), end);
    }
    if !share.is_written {
        return;
    }
    let end = boot.frontier();
    if boot.ended {
        take.final_count((key, boot.boot), end);
    } else if boot.is_counted {
        // It counted itself and then fell silent: what it sent last is lost for certain, and nobody knows how much more
        // it sent.
        if boot.heard > boot.next_seq {
            take.lost((key, boot.boot), Some(boot.next_seq), Some(end), (LossCause::Network, DetectedBy::Heartbeat));
        }
        take.lost((key, boot.boot), Some(end), None, (LossCause::Unknown, DetectedBy::FinalCount));
    }
}
