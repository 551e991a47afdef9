use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use sanqu_ingest::{BadKeys, Counts, Intake, Received, Request};
use sanqu_model::{EpisodeId, Id, Manifest, StreamDescription, StreamKind, now_ns};
use sanqu_store::{StoreError, StoreLock};
use sanqu_wire::SampleHeader;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use crate::config::PRE_ROLL_BYTES_MAX;
use crate::errand::Errand;
use crate::pre_roll::PreRoll;
use crate::robot::RobotWatch;
use crate::sealer::{Sealed, Sealer};
use crate::station::Station;
use crate::stop::Answer;
use crate::{EpisodeProgress, RecordError, RecorderConfig, RecorderStatus, RefusedRobot};

/// How often the thread looks at its clocks while something is open.
const TICK: Duration = Duration::from_millis(10);
/// How often it does while nothing is.
const IDLE_TICK: Duration = Duration::from_millis(100);
/// How often the status is renewed.
const PUBLISH_PERIOD: Duration = Duration::from_millis(250);
/// Robots that are refused by name; further ones are counted with the last.
const REFUSED_ROBOTS_MAX: usize = 1024;

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
    intake: Arc<Intake>,
    inbox: Receiver<Inbox>,
    errands: mpsc::Sender<Errand>,
    published: watch::Sender<RecorderStatus>,
    home_of_unknown: Option<Id>,
    refused_robots: BTreeMap<Id, RefusedRobot>,
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
    pub(crate) lock: StoreLock,
}

impl Engine {
    pub(crate) fn new(config: RecorderConfig, parts: Parts) -> Self {
        let stations = config.field.stations().map(|place| (place.station.id.clone(), Station::new(place))).collect();
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

    fn sample(&mut self, sample: &Received) {
        let robot = &sample.key.robot;
        if !self.robots.contains_key(robot) && !self.admit(robot) {
            return;
        }
        let Some(watch) = self.robots.get_mut(robot) else { return };
        let take = self.stations.get_mut(&watch.station).and_then(|station| station.take.as_mut());
        let ask = if sample.key.stream.kind() == StreamKind::Status {
            let Some(counts) = Counts::parse(&sample.payload) else { return };
            let ask = watch.heartbeat(&counts);
            if let Some(take) = take {
                for stream in counts.next_seq.keys() {
                    let Some(boot) = watch.streams.get(stream).and_then(|track| track.boot(counts.boot)) else { continue };
                    let key = sanqu_model::StreamKey { stream: stream.clone(), ..(*sample.key).clone() };
                    take.baseline(&Arc::new(key), counts.boot, boot.baseline);
                }
            }
            ask
        } else {
            let header = SampleHeader::decode(&sample.attachment).ok();
            let ask = watch.sample(sample, header);
            if let Some(take) = take {
                let boot = header.and_then(|header| watch.streams.get(&sample.key.stream)?.boot(header.boot));
                if let Some(boot) = boot {
                    take.baseline(&sample.key, boot.boot, boot.baseline);
                }
                let ours = |h: &SampleHeader| take.stopping.as_ref().is_none_or(|stop| stop.takes(&sample.key, h.boot, h.seq));
                if header.as_ref().is_none_or(ours) {
                    take.sample(sample, header.as_ref());
                }
            }
            ask
        };
        if ask {
            let robot = robot.clone();
            self.errand(Errand::Describe { robot });
        }
    }

    /// Whether a robot that was not heard before is recorded, and where.
    fn admit(&mut self, robot: &Id) -> bool {
        let known = self.config.field.robot(robot).is_some();
        let home = self.config.field.station_of(robot).map(|place| place.station.id.clone());
        let home = home.or_else(|| if known { None } else { self.home_of_unknown.clone() });
        if let Some(home) = home {
            if let Some(station) = self.stations.get_mut(&home)
                && let Err(place) = station.robots.binary_search(robot)
            {
                station.robots.insert(place, robot.clone());
            }
            let span_ns = i64::try_from(self.config.pre_roll.as_nanos()).unwrap_or(i64::MAX);
            self.robots.insert(robot.clone(), RobotWatch::new(home, PreRoll::new(span_ns, PRE_ROLL_BYTES_MAX)));
            return true;
        }
        if let Some(refused) = self.refused_robots.get_mut(robot) {
            refused.samples += 1;
        } else if self.refused_robots.len() < REFUSED_ROBOTS_MAX {
            let field = &self.config.field.field;
            let reason =
                if known { format!("it stands at no station of field {field}") } else { format!("field {field} does not know it") };
            warn!(%robot, reason, "this robot is not recorded");
            self.refused_robots.insert(robot.clone(), RefusedRobot { robot: robot.clone(), samples: 1, reason });
        }
        false
    }

    fn described(&mut self, robot: &Id, descriptions: Vec<StreamDescription>) {
        let Some(watch) = self.robots.get_mut(robot) else { return };
        let take = self.stations.get_mut(&watch.station).and_then(|station| station.take.as_mut());
        if let Some(take) = take.filter(|take| take.start.robots.iter().any(|entry| &entry.robot == robot)) {
            descriptions.iter().for_each(|description| take.describe(robot, description));
        }
        watch.descriptions = descriptions.into_iter().map(|description| (description.stream.clone(), description)).collect();
    }

    fn sealed(&mut self, station: &Id, episode: EpisodeId, result: Sealed) {
        let Some(station) = self.stations.get_mut(station) else { return };
        station.sealing = station.sealing.saturating_sub(1);
        if let Some(last) = station.last.as_mut().filter(|last| last.episode == episode) {
            match &result {
                Ok(manifest) => {
                    last.progress = EpisodeProgress::Sealed;
                    last.rows = manifest.streams.iter().map(|stream| stream.rows).sum();
                    last.lost = manifest.streams.iter().map(|stream| stream.lost.total()).sum();
                }
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

    /// Accounts for what the queue has refused so far.
    pub(crate) fn take_refused(&mut self) {
        for refused in self.intake.take_refused() {
            if !refused.key.stream.kind().is_recorded() {
                continue;
            }
            let robot = refused.key.robot.clone();
            if !self.robots.contains_key(&robot) && !self.admit(&robot) {
                continue;
            }
            let Some(watch) = self.robots.get_mut(&robot) else { continue };
            let track = watch.track(&refused.key.stream);
            if let (Some(boot), Some(from), Some(to)) = (refused.boot, refused.from_seq, refused.to_seq) {
                track.refused(boot, from, to);
            }
            let baseline = refused.boot.and_then(|boot| track.boot(boot)).map(|boot| (boot.boot, boot.baseline));
            let Some(station) = self.stations.get_mut(&watch.station) else { continue };
            warn!(key = %refused.key, samples = refused.samples, reason = ?refused.reason, "samples were refused");
            if let (Some(take), Some((boot, baseline))) = (&mut station.take, baseline) {
                take.baseline(&refused.key, boot, baseline);
            }
            station.refuse(now_ns(), refused);
        }
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
