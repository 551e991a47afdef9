use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use sanqu_ingest::{BadKeys, Intake, Request};
use sanqu_model::{EpisodeId, Id, Manifest, StationPlace, StreamDescription, now_ns};
use sanqu_store::{StoreError, StoreLock};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use crate::errand::Errand;
use crate::robot::RobotWatch;
use crate::sealer::{Sealed, Sealer};
use crate::station::Station;
use crate::stop::Answer;
use crate::{EpisodeProgress, LastEpisode, RecordError, RecorderConfig, RecorderStatus, RefusedRobot};

/// How often the thread looks at its clocks while something is open.
const TICK: Duration = Duration::from_millis(10);
/// How often it does while nothing is.
const IDLE_TICK: Duration = Duration::from_millis(100);
/// How often the status is renewed.
const PUBLISH_PERIOD: Duration = Duration::from_millis(250);

/// What the recorder thread is told.
pub(crate) enum Inbox {
    /// An operator asks.
    Control { station: Id, request: Request },
    /// A robot has described its streams.
    Described { robot: Id, descriptions: Vec<StreamDescription> },
    /// The robots of a stopping episode have answered, or not.
    Settled { station: Id, episode: EpisodeId, answers: Vec<Answer> },
    /// An episode was sealed, or not.
    Sealed { station: Id, episode: EpisodeId, result: Sealed },
    /// A decision was written, or not.
    Decided { station: Id, episode: EpisodeId, result: Result<(), StoreError>, request: Option<Request> },
    /// Close everything, then say what was sealed.
    Shutdown { done: oneshot::Sender<Result<Vec<Manifest>, RecordError>> },
    /// End at once and leave the journals as they are.
    Abandon,
}

/// An orderly end.
struct Ending {
    done: oneshot::Sender<Result<Vec<Manifest>, RecordError>>,
    sealed: Vec<Manifest>,
    failed: Vec<(EpisodeId, String)>,
}

/// The recorder thread's whole state. Nothing else touches journals.
pub(crate) struct Engine {
    pub(crate) config: RecorderConfig,
    /// Description snapshots by robot model.
    pub(crate) snapshots: BTreeMap<String, String>,
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) stations: BTreeMap<Id, Station>,
    pub(crate) robots: BTreeMap<Id, RobotWatch>,
    pub(crate) sealer: Sealer,
    pub(crate) intake: Arc<Intake>,
    inbox: Receiver<Inbox>,
    errands: mpsc::Sender<Errand>,
    published: watch::Sender<RecorderStatus>,
    pub(crate) home_of_unknown: Option<Id>,
    pub(crate) refused_robots: BTreeMap<Id, RefusedRobot>,
    ending: Option<Ending>,
    /// Everything that was received before this was handled, ns.
    horizon_ns: i64,
    next_tick: Instant,
    next_publish: Instant,
    _lock: StoreLock,
}

/// What the engine is made with, beside its configuration.
pub(crate) struct Parts {
    pub(crate) snapshots: BTreeMap<String, String>,
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) sealer: Sealer,
    pub(crate) intake: Arc<Intake>,
    pub(crate) inbox: Receiver<Inbox>,
    pub(crate) errands: mpsc::Sender<Errand>,
    pub(crate) published: watch::Sender<RecorderStatus>,
    pub(crate) home_of_unknown: Option<Id>,
    /// What was last sealed at each station by earlier recorders.
    pub(crate) last: BTreeMap<Id, LastEpisode>,
    pub(crate) lock: StoreLock,
}

impl Engine {
    pub(crate) fn new(config: RecorderConfig, mut parts: Parts) -> Self {
        let mut station = |place: StationPlace<'_>| {
            let last = parts.last.remove(&place.station.id);
            (place.station.id.clone(), Station::new(place, last))
        };
        let stations = config.field.stations().map(&mut station).collect();
        let now = Instant::now();
        Self {
            config,
            snapshots: parts.snapshots,
            facts: parts.facts,
            stations,
            robots: BTreeMap::new(),
            sealer: parts.sealer,
            intake: parts.intake,
            inbox: parts.inbox,
            errands: parts.errands,
            published: parts.published,
            home_of_unknown: parts.home_of_unknown,
            refused_robots: BTreeMap::new(),
            ending: None,
            horizon_ns: 0,
            next_tick: now,
            next_publish: now,
            _lock: parts.lock,
        }
    }

    /// The thread's loop.
    pub(crate) fn run(mut self) {
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(Inbox::Abandon) | Err(TryRecvError::Disconnected) => return self.abandon(),
                    Ok(message) => self.handle(message),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let asked_ns = now_ns();
            let wait = self.next_tick.saturating_duration_since(Instant::now());
            match self.intake.recv_timeout(wait) {
                Some(sample) => {
                    self.horizon_ns = sample.recv_ns;
                    self.sample(&sample);
                }
                None => self.horizon_ns = asked_ns,
            }
            if Instant::now() >= self.next_tick && self.tick() {
                return self.end();
            }
        }
    }

    fn handle(&mut self, message: Inbox) {
        match message {
            Inbox::Control { station, request } => self.control(&station, request),
            Inbox::Described { robot, descriptions } => self.described(&robot, descriptions),
            Inbox::Settled { station, episode, answers } => self.settled(&station, episode, answers),
            Inbox::Sealed { station, episode, result } => self.sealed(&station, episode, result),
            Inbox::Decided { station, episode, result, request } => self.decided(&station, episode, result, request),
            Inbox::Shutdown { done } => {
                self.ending.get_or_insert(Ending { done, sealed: Vec::new(), failed: Vec::new() });
                let open: Vec<Id> = self.stations.values().filter(|s| s.take.is_some()).map(|s| s.id.clone()).collect();
                open.iter().for_each(|station| self.begin_stop(station, None, None));
            }
            Inbox::Abandon => {}
        }
        // Whoever watches the status sees the change at once.
        self.next_publish = Instant::now();
        self.next_tick = self.next_publish;
    }

    fn sealed(&mut self, station: &Id, episode: EpisodeId, result: Sealed) {
        let Some(station) = self.stations.get_mut(station) else { return };
        station.sealing = station.sealing.saturating_sub(1);
        if let Some(last) = station.last.as_mut().filter(|last| last.episode == episode) {
            match &result {
                Ok(manifest) => *last = LastEpisode { problem: last.problem.take(), ..LastEpisode::sealed(manifest) },
                Err(error) => {
                    last.progress = EpisodeProgress::SealFailed;
                    last.problem = Some(error.to_string());
                }
            }
        }
        if let Err(error) = &result {
            warn!(station = %station.id, %episode, %error, "the episode could not be sealed; its journal is kept for `sanqu repair`");
        }
        match (&mut self.ending, result) {
            (Some(ending), Ok(manifest)) => ending.sealed.push(*manifest),
            (Some(ending), Err(error)) => ending.failed.push((episode, error.to_string())),
            (None, _) => {}
        }
    }

    /// An episode that could not even be handed to the sealer.
    pub(crate) fn unsealed(&mut self, episode: EpisodeId, reason: String) {
        if let Some(ending) = &mut self.ending {
            ending.failed.push((episode, reason));
        }
    }

    /// Does what is due; true when the thread should end.
    fn tick(&mut self) -> bool {
        let now = Instant::now();
        self.take_refused();
        let flush = self.config.flush.saturating_sub(TICK);
        let sync = self.config.sync.saturating_sub(TICK);
        let mut over = Vec::new();
        for station in self.stations.values_mut() {
            let Some(take) = &mut station.take else { continue };
            take.tick(now, flush, sync);
            if take.stopping.as_ref().is_some_and(|stop| stop.is_over(self.horizon_ns, &self.robots)) {
                over.push(station.id.clone());
            }
        }
        over.iter().for_each(|station| self.finish(station));
        if now >= self.next_publish || !over.is_empty() {
            self.next_publish = now + PUBLISH_PERIOD;
            let status = self.status(now);
            self.published.send_replace(status);
        }
        let open = self.stations.values().any(|station| station.take.is_some());
        self.next_tick = now + if open { TICK } else { IDLE_TICK };
        self.ending.is_some() && !open && self.stations.values().all(|station| station.sealing == 0)
    }

    fn status(&mut self, now: Instant) -> RecorderStatus {
        let BadKeys { samples, keys } = self.intake.bad_keys();
        let (waiting_samples, waiting_bytes) = self.intake.fill();
        RecorderStatus {
            stations: self.stations.values().map(|station| station.status(&mut self.robots, now)).collect(),
            refused_robots: self.refused_robots(),
            stray_samples: samples,
            stray_keys: keys,
            waiting_samples,
            waiting_bytes,
        }
    }

    pub(crate) fn refused_robots(&self) -> Vec<RefusedRobot> {
        self.refused_robots.values().cloned().collect()
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    pub(crate) fn errand(&self, errand: Errand) {
        if self.errands.try_send(errand).is_err() {
            warn!("too many questions to robots and replies to operators wait; one was dropped");
        }
    }

    /// Ends without closing anything. The store stays locked until the sealer is done with what it has.
    fn abandon(self) {
        drop(self.inbox);
        self.sealer.finish();
    }

    fn end(self) {
        self.sealer.finish();
        let Some(mut ending) = self.ending else { return };
        ending.sealed.sort_by_key(|manifest| manifest.episode);
        let count = ending.failed.len();
        let result = match ending.failed.into_iter().next() {
            Some((episode, reason)) => Err(RecordError::Unsealed { count, episode, reason }),
            None => Ok(ending.sealed),
        };
        // Whoever asked may have stopped waiting.
        let _ = ending.done.send(result);
    }
}
