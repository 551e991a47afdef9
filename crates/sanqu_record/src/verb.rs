use std::sync::mpsc::TrySendError;
use std::time::Instant;

use sanqu_ingest::Request;
use sanqu_model::{EpisodeId, now_ns};
use sanqu_store::{Control, Decision, DecisionKind, StoreError};
use tracing::error;

use crate::board::refused_robots;
use crate::errand::Errand;
use crate::sealer::Decide;
use crate::station::Station;
use crate::take::Take;
use crate::{ControlReply, ControlRequest, Verb, lamps};

/// Done, with the episode and a sentence; or not, with the reason.
pub(crate) type Done = Result<(Option<EpisodeId>, String), String>;

impl Station {
    /// Does what an operator asks and answers, except for a stop, which answers when the episode is closed.
    pub(crate) fn control(&mut self, request: Request) {
        let asked = match ControlRequest::parse(&request.payload()) {
            Ok(asked) => asked,
            Err(reason) => return self.reply(request, Err(reason)),
        };
        let who = asked.operator.as_ref().map_or_else(|| format!("station {}", self.id), ToString::to_string);
        let done = match asked.verb {
            Verb::Start => self.start(&asked),
            Verb::Stop => match self.open() {
                Ok(_) => return self.begin_stop(Some(request), asked.outcome.map(|outcome| (outcome, who))),
                Err(reason) => Err(reason),
            },
            Verb::Mark => self.mark(&asked),
            Verb::Status => return self.reply_status(request),
            Verb::Keep | Verb::Discard | Verb::Undo | Verb::Outcome => match decision(&asked, who) {
                Ok(decision) => return self.decide(decision, request),
                Err(reason) => Err(reason),
            },
        };
        self.reply(request, done);
    }

    fn open(&mut self) -> Result<&mut Take, String> {
        let take = self.take.as_mut().ok_or_else(|| format!("no episode is open at station {}", self.id))?;
        if take.stopping.is_some() { Err(format!("episode {} is still being closed", take.start.episode)) } else { Ok(take) }
    }

    fn mark(&mut self, asked: &ControlRequest) -> Done {
        let take = self.open()?;
        let text = asked.text.clone().unwrap_or_default();
        take.control(Control::Event { t_ns: now_ns(), name: "mark".to_owned(), text });
        Ok((Some(take.start.episode), "marked".to_owned()))
    }

    /// Decisions are answered when they are durable, whether or not the episode is sealed.
    fn decide(&self, decision: Decision, request: Request) {
        let id = &self.id;
        let episode = match (&self.take, &self.last) {
            (Some(take), _) => {
                let open = format!("episode {} is still open at station {id}; stop it first", take.start.episode);
                return self.reply(request, Err(open));
            }
            (None, None) => return self.reply(request, Err(format!("no episode was recorded at station {id}"))),
            (None, Some(last)) => last.episode,
        };
        let job = Decide { episode, decision, request, desk: self.desk.clone() };
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = self.context.jobs.decisions.try_send(job) {
            self.reply(job.request, Err("too many decisions wait to be written".to_owned()));
        }
    }

    pub(crate) fn decided(&self, episode: EpisodeId, result: Result<(), StoreError>, request: Request) {
        if let Err(error) = &result {
            error!(station = %self.id, %episode, %error, "a decision was not written");
        }
        let done = result.map(|()| (Some(episode), format!("written beside episode {episode}"))).map_err(|e| e.to_string());
        self.reply(request, done);
    }

    pub(crate) fn reply_status(&mut self, request: Request) {
        let refused_robots = refused_robots(&self.context.intake);
        let status = self.status(Instant::now());
        let (state, episode) = (status.state, status.episode);
        let lamps = lamps(&status, &self.names, self.context.board.borrow().room());
        let (ok, message, station) = (true, String::new(), Some(status));
        self.send(request, &ControlReply { ok, message, episode, state, station, refused_robots, lamps });
    }

    pub(crate) fn reply(&self, request: Request, done: Done) {
        let (ok, episode, message) = match done {
            Ok((episode, message)) => (true, episode, message),
            Err(reason) => (false, self.take.as_ref().map(|take| take.start.episode), reason),
        };
        self.send(
            request,
            &ControlReply { ok, message, episode, state: self.state(), station: None, refused_robots: Vec::new(), lamps: Vec::new() },
        );
    }

    fn send(&self, request: Request, reply: &ControlReply) {
        match serde_json::to_vec(reply) {
            Ok(reply) => _ = self.context.errand(Errand::Reply { request, station: self.id.clone(), reply }),
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
