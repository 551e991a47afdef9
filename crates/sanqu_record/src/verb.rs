use std::time::Instant;

use sanqu_ingest::Request;
use sanqu_model::{EpisodeId, Id, now_ns};
use sanqu_store::{Control, Decision, DecisionKind, StoreError};
use tracing::error;

use crate::engine::Engine;
use crate::errand::Errand;
use crate::sealer::Job;
use crate::stop::{Answer, Stopping};
use crate::take::Take;
use crate::{ControlReply, ControlRequest, EpisodeProgress, LastEpisode, Outcome, STOP_GRACE, StationState, Verb};

/// Done, with the episode and a sentence; or not, with the reason.
pub(crate) type Done = Result<(Option<EpisodeId>, String), String>;

impl Engine {
    /// Does what an operator asks and answers, except for a stop, which answers when the episode is closed.
    pub(crate) fn control(&mut self, station: &Id, request: Request) {
        let asked = match ControlRequest::parse(&request.payload()) {
            Ok(asked) => asked,
            Err(reason) => return self.reply(station, request, Err(reason)),
        };
        let who = asked.operator.as_ref().map_or_else(|| format!("station {station}"), ToString::to_string);
        let done = match asked.verb {
            Verb::Start => self.start(station, &asked),
            Verb::Stop => match self.open(station) {
                Ok(_) => return self.begin_stop(station, Some(request), asked.outcome.map(|outcome| (outcome, who))),
                Err(reason) => Err(reason),
            },
            Verb::Mark => self.mark(station, &asked),
            Verb::Status => return self.reply_status(station, request),
            Verb::Keep | Verb::Discard | Verb::Undo | Verb::Outcome => match decision(&asked, who) {
                Ok(decision) => return self.decide(station, decision, request),
                Err(reason) => Err(reason),
            },
        };
        self.reply(station, request, done);
    }

    fn open(&mut self, station: &Id) -> Result<&mut Take, String> {
        let take = self.stations.get_mut(station).and_then(|station| station.take.as_mut());
        let take = take.ok_or_else(|| format!("no episode is open at station {station}"))?;
        if take.stopping.is_some() { Err(format!("episode {} is still being closed", take.start.episode)) } else { Ok(take) }
    }

    fn mark(&mut self, station: &Id, asked: &ControlRequest) -> Done {
        let take = self.open(station)?;
        let text = asked.text.clone().unwrap_or_default();
        take.control(Control::Event { t_ns: now_ns(), name: "mark".to_owned(), text });
        Ok((Some(take.start.episode), "marked".to_owned()))
    }

    /// Asks the robots for their final counts; the episode is closed when these have arrived.
    pub(crate) fn begin_stop(&mut self, station: &Id, request: Option<Request>, outcome: Option<(Outcome, String)>) {
        let robots = &self.robots;
        let Some(take) = self.stations.get_mut(station).and_then(|station| station.take.as_mut()) else { return };
        if take.stopping.is_some() {
            return;
        }
        let stop_ns = now_ns();
        let grace_ns = i64::try_from(STOP_GRACE.as_nanos()).unwrap_or(i64::MAX);
        take.stopping = Some(Stopping::new(stop_ns, stop_ns.saturating_add(grace_ns), request, outcome));
        let heard: Vec<Id> = take.start.robots.iter().map(|entry| entry.robot.clone()).filter(|id| robots.contains_key(id)).collect();
        let undescribed = heard.iter().filter(|id| robots.get(id).is_some_and(|watch| watch.descriptions.is_empty())).cloned().collect();
        let episode = take.start.episode;
        self.errand(Errand::Settle { station: station.clone(), episode, robots: heard, undescribed });
    }

    pub(crate) fn settled(&mut self, station: &Id, episode: EpisodeId, answers: Vec<Answer>) {
        let take = self.stations.get_mut(station).and_then(|station| station.take.as_mut());
        if let Some(take) = take.filter(|take| take.start.episode == episode)
            && let Some(stopping) = &mut take.stopping
        {
            stopping.settle(now_ns(), &self.config.field.field, answers, &self.robots);
        }
    }

    /// Closes the journal of a stopping episode, answers, and hands the episode to the sealer.
    pub(crate) fn finish(&mut self, id: &Id) {
        // What was refused until now belongs to the episode.
        self.take_refused();
        let Some(station) = self.stations.get_mut(id) else { return };
        let Some(mut take) = station.take.take() else { return };
        let Some(stopping) = take.stopping.take() else { return };
        stopping.account(&mut take, &self.robots);
        let episode = take.start.episode;
        let problem = take.problem().map(str::to_owned);
        let finished = take.finish(&self.config.store, stopping.stop_ns, "stop");
        let mut last =
            LastEpisode { episode, progress: EpisodeProgress::Sealing, rows: 0, lost: 0, open_ended: false, problem: problem.clone() };
        let sealing = finished.map_err(|e: StoreError| format!("the journal cannot be closed: {e}")).and_then(|journal| {
            let job = Job::Seal { station: id.clone(), episode, journal };
            if self.sealer.push(job) { Ok(()) } else { Err("too many episodes wait to be sealed".to_owned()) }
        });
        let done = match sealing {
            Ok(()) => {
                station.sealing += 1;
                match problem {
                    None => Ok((Some(episode), format!("episode {episode} is closed and being sealed"))),
                    Some(problem) => Err(format!("episode {episode} is being sealed, but rows are missing: {problem}")),
                }
            }
            Err(reason) => {
                error!(station = %id, %episode, reason, "the journal is kept for `sanqu repair`");
                (last.progress, last.problem) = (EpisodeProgress::SealFailed, Some(reason.clone()));
                Err(format!("episode {episode}: {reason}; its journal is kept for `sanqu repair`"))
            }
        };
        station.last = Some(last);
        if let Err(reason) = &done {
            self.unsealed_unless_queued(id, episode, reason);
        }
        if let Some((outcome, who)) = stopping.outcome {
            let decision = Decision { kind: DecisionKind::Outcome, who, reason: outcome.as_str().to_owned(), at_ns: stopping.stop_ns };
            if !self.sealer.push(Job::Decide { station: id.clone(), episode, decision, request: None }) {
                error!(station = %id, %episode, "the outcome was not written: too many episodes wait to be sealed");
            }
        }
        if let Some(request) = stopping.request {
            self.reply(id, request, done);
        }
    }

    fn unsealed_unless_queued(&mut self, station: &Id, episode: EpisodeId, reason: &str) {
        let last = self.stations.get(station).and_then(|station| station.last.as_ref());
        if last.is_some_and(|last| last.progress == EpisodeProgress::SealFailed) {
            self.unsealed(episode, reason.to_owned());
        }
    }

    /// Decisions are written by the sealer, in order after the seal of what they are about.
    fn decide(&self, id: &Id, decision: Decision, request: Request) {
        let Some(station) = self.stations.get(id) else { return };
        let last = match (&station.take, &station.last) {
            (Some(take), _) => {
                let open = format!("episode {} is still open at station {id}; stop it first", take.start.episode);
                return self.reply(id, request, Err(open));
            }
            (None, None) => {
                return self.reply(id, request, Err(format!("no episode was recorded at station {id}")));
            }
            (None, Some(last)) => last.clone(),
        };
        // The operator need not wait for the seal.
        let now = last.progress == EpisodeProgress::Sealed;
        let (later, with_job) = if now { (None, Some(request)) } else { (Some(request), None) };
        let job = Job::Decide { station: id.clone(), episode: last.episode, decision, request: with_job };
        let done = if self.sealer.push(job) {
            Ok((Some(last.episode), "noted; it will be written when the episode is sealed".to_owned()))
        } else {
            Err("too many episodes wait to be sealed".to_owned())
        };
        if let Some(request) = later {
            self.reply(id, request, done);
        }
    }

    pub(crate) fn decided(&self, station: &Id, episode: EpisodeId, result: Result<(), StoreError>, request: Option<Request>) {
        if let Err(error) = &result {
            error!(%station, %episode, %error, "a decision was not written");
        }
        if let Some(request) = request {
            let done = result.map(|()| (Some(episode), format!("written beside episode {episode}"))).map_err(|e| e.to_string());
            self.reply(station, request, done);
        }
    }

    fn reply_status(&mut self, id: &Id, request: Request) {
        let refused_robots = self.refused_robots();
        let Some(station) = self.stations.get(id) else { return };
        let status = station.status(&mut self.robots, Instant::now());
        let (state, episode) = (status.state, status.episode);
        let reply = ControlReply { ok: true, message: String::new(), episode, state, station: Some(status), refused_robots };
        self.send(id, request, &reply);
    }

    fn reply(&self, id: &Id, request: Request, done: Done) {
        let state = self.stations.get(id).map_or(StationState::Idle, crate::station::Station::state);
        let (ok, episode, message) = match done {
            Ok((episode, message)) => (true, episode, message),
            Err(reason) => (false, self.stations.get(id).and_then(|s| Some(s.take.as_ref()?.start.episode)), reason),
        };
        self.send(id, request, &ControlReply { ok, message, episode, state, station: None, refused_robots: Vec::new() });
    }

    fn send(&self, id: &Id, request: Request, reply: &ControlReply) {
        match serde_json::to_vec(reply) {
            Ok(reply) => self.errand(Errand::Reply { request, station: id.clone(), reply }),
            Err(error) => error!(%error, "a reply cannot be written as JSON"),
        }
    }
}

fn decision(asked: &ControlRequest, who: String) -> Result<Decision, String> {
    let reason = asked.reason.clone().unwrap_or_default();
    let (kind, reason) = match asked.verb {
        Verb::Discard => (DecisionKind::Discard, reason),
        Verb::Undo => (DecisionKind::Undo, reason),
        Verb::Outcome => {
            let outcome = asked.outcome.ok_or("outcome: success or failure is needed")?;
            (DecisionKind::Outcome, outcome.as_str().to_owned())
        }
        _ => (DecisionKind::Keep, reason),
    };
    Ok(Decision { kind, who, reason, at_ns: now_ns() })
}
