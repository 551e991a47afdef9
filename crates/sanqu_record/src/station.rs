use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use sanqu_ingest::{Intake, Queue, Refused, Request};
use sanqu_model::{EpisodeId, Id, Manifest, StationPlace, StreamDescription, now_ns};
use sanqu_store::StoreError;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, warn};

use crate::config::PRE_ROLL_BYTES_MAX;
use crate::errand::{Errand, Resends};
use crate::figures::Figures;
use crate::pre_roll::PreRoll;
use crate::robot::RobotWatch;
use crate::sealer::{Jobs, Sealed};
use crate::segment::Rhythm;
use crate::stop::Answer;
use crate::take::Take;
use crate::{EpisodeProgress, LastEpisode, RecorderConfig, RecorderStatus, StationFigures, StationState, StationStatus};

/// How often a station looks whether the last rows of a closing episode have come.
const STOPPING_PERIOD: Duration = Duration::from_millis(10);
/// How often it looks at what came while nothing is recorded; and how often its status is renewed.
pub(crate) const PUBLISH_PERIOD: Duration = Duration::from_millis(250);

/// A journal that has failed goes on when the disk has this much room.
const RETRY_BYTES_MIN: u64 = 16 << 20;

/// Messages that wait for a station at most; it empties them every time it wakes.
pub(crate) const INBOX_MAX: usize = 256;

/// What a station is told.
pub(crate) enum Message {
    /// An operator asks.
    Control(Request),
    /// A robot has described its streams.
    Described { robot: Id, descriptions: Vec<StreamDescription> },
    /// The robots of a stopping episode have answered, or not.
    Settled { episode: EpisodeId, answers: Vec<Answer> },
    /// Rows were asked for again; what came was put into the queue before.
    Resent(Resends),
    /// An episode was sealed, or not.
    Sealed { episode: EpisodeId, result: Sealed, took: Duration },
    /// A decision was written, or not.
    Decided { episode: EpisodeId, result: Result<(), StoreError>, request: Request },
    /// Close what is open, then say what was sealed.
    Shutdown(oneshot::Sender<Ended>),
    /// End at once and leave the journal as it is.
    Abandon,
}

/// What a station did after it was told to end: what it sealed, and what it could not.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) sealed: Vec<Manifest>,
    pub(crate) failed: Vec<(EpisodeId, String)>,
}

/// Hands messages to a station.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) inbox: SyncSender<Message>,
    pub(crate) queue: Arc<Queue>,
}

impl Desk {
    /// True unless the station is swamped or gone.
    pub(crate) fn put(&self, message: Message) -> bool {
        let put = match self.inbox.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                warn!("a station has too much to do; a message to it was dropped");
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        };
        self.queue.wake();
        put
    }

    /// As [`Desk::put`], but waits for its place: what must not be turned away because there is much to do.
    pub(crate) fn put_waiting(&self, message: Message) -> bool {
        let put = self.inbox.send(message).is_ok();
        self.queue.wake();
        put
    }
}

/// What all stations of a recorder share.
pub(crate) struct Context {
    pub(crate) config: RecorderConfig,
    /// Description snapshots by robot model.
    pub(crate) snapshots: BTreeMap<String, String>,
    pub(crate) facts: BTreeMap<String, String>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) jobs: Jobs,
    pub(crate) errands: mpsc::Sender<Errand>,
    pub(crate) board: watch::Sender<RecorderStatus>,
    /// How many stations there are.
    pub(crate) stations: u32,
}

impl Context {
    /// False when too much waits already; nothing will come of it then.
    pub(crate) fn errand(&self, errand: Errand) -> bool {
        let is_taken = self.errands.try_send(errand).is_ok();
        if !is_taken {
            warn!("too many questions to robots and replies to operators wait; one was dropped");
        }
        is_taken
    }
}

/// A station: its robots, and the episode that is open there. One thread owns it; nothing else touches its journal.
pub(crate) struct Station {
    pub(crate) id: Id,
    pub(crate) zone: Id,
    pub(crate) context: Arc<Context>,
    pub(crate) desk: Desk,
    /// Its number among the stations.
    index: usize,
    pub(crate) inbox: Receiver<Message>,
    /// The robots that stand here, sorted; those that were heard have a watch.
    pub(crate) names: Vec<Id>,
    pub(crate) robots: BTreeMap<Id, RobotWatch>,
    pub(crate) pre_roll: PreRoll,
    pub(crate) take: Option<Take>,
    pub(crate) sealing: usize,
    pub(crate) last: Option<LastEpisode>,
    pub(crate) figures: Figures,
    pub(crate) asks_under_way: usize,
    pub(crate) refused_samples: u64,
    /// What the queue refused lately, by when that was noticed.
    pub(crate) refused: VecDeque<(i64, Refused)>,
    pub(crate) ending: Option<Ending>,
    /// Why it records no more, since its thread panicked.
    pub(crate) fallen: Option<String>,
    /// Everything that was received before this was handled, ns.
    pub(crate) horizon_ns: i64,
    next_publish: Instant,
}

/// An orderly end.
pub(crate) struct Ending {
    done: oneshot::Sender<Ended>,
    pub(crate) ended: Ended,
}

impl Station {
    pub(crate) fn new(
        context: Arc<Context>,
        place: StationPlace<'_>,
        index: usize,
        (desk, inbox): (Desk, Receiver<Message>),
        last: Option<LastEpisode>,
    ) -> Self {
        let mut names = place.station.robots.clone();
        names.sort();
        let pre_roll = PreRoll::new(nanos(context.config.pre_roll), PRE_ROLL_BYTES_MAX * names.len().max(1));
        Self {
            id: place.station.id.clone(),
            zone: place.zone.id.clone(),
            context,
            desk,
            index,
            inbox,
            names,
            robots: BTreeMap::new(),
            pre_roll,
            take: None,
            sealing: 0,
            last,
            figures: Figures::new(),
            asks_under_way: 0,
            refused_samples: 0,
            refused: VecDeque::new(),
            ending: None,
            fallen: None,
            horizon_ns: 0,
            next_publish: Instant::now(),
        }
    }

    /// The thread's loop: sleeps until something is due or said, then takes everything that came meanwhile at once.
    pub(crate) fn run(&mut self) {
        let queue = Arc::clone(&self.desk.queue);
        loop {
            let before_ns = now_ns();
            let batch = queue.take(self.wait());
            self.hear(batch);
            self.horizon_ns = before_ns;
            let messages: Vec<Message> = self.inbox.try_iter().take(INBOX_MAX).collect();
            if !messages.is_empty() {
                // What came before a message is handled before it.
                let asked_ns = now_ns();
                let batch = queue.take_now();
                self.hear(batch);
                self.horizon_ns = asked_ns;
            }
            for message in messages {
                if matches!(message, Message::Abandon) {
                    return;
                }
                self.handle(message);
            }
            if self.tick() {
                return;
            }
        }
    }

    /// How long nothing needs to be done, unless something is said.
    fn wait(&self) -> Duration {
        let to_publish = self.next_publish.saturating_duration_since(Instant::now());
        match &self.take {
            Some(take) if take.stopping.is_some() => STOPPING_PERIOD.min(to_publish),
            Some(_) => self.flush_period().min(to_publish),
            None => to_publish,
        }
    }

    /// What came is written this often, which leaves some time for the writing.
    fn flush_period(&self) -> Duration {
        (self.context.config.flush * 3 / 4).max(Duration::from_millis(1))
    }

    /// Syncs that begin this often begin in time for whatever was written just after the last one began.
    pub(crate) fn rhythm(&self) -> Rhythm {
        let period = self.context.config.sync.saturating_sub(self.flush_period());
        let place = u32::try_from(self.index + 1).unwrap_or(1);
        Rhythm { period, first: Instant::now() + period * place.min(self.context.stations) / self.context.stations.max(1) }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Control(request) => self.control(request),
            Message::Described { robot, descriptions } => self.described(&robot, descriptions),
            Message::Settled { episode, answers } => self.settled(episode, answers),
            Message::Resent(resends) => return self.resent(&resends),
            Message::Sealed { episode, result, took } => self.sealed(episode, result, took),
            Message::Decided { episode, result, request } => self.decided(episode, result, request),
            Message::Shutdown(done) => {
                self.ending.get_or_insert(Ending { done, ended: Ended::default() });
                if self.take.is_some() {
                    self.begin_stop(None, None);
                }
            }
            Message::Abandon => {}
        }
        // Whoever watches the status sees the change at once.
        self.next_publish = Instant::now();
    }

    /// Does what is due; true when the thread should end.
    fn tick(&mut self) -> bool {
        let now = Instant::now();
        self.take_refused();
        self.commit(now);
        self.ask_again(now);
        if self.is_stop_over() {
            self.finish();
            self.next_publish = now;
        }
        if now >= self.next_publish {
            self.publish(now);
        }
        self.ending.is_some() && self.take.is_none() && self.sealing == 0
    }

    /// Renews the station's status on the board.
    pub(crate) fn publish(&mut self, now: Instant) {
        self.next_publish = now + PUBLISH_PERIOD;
        let status = self.status(now);
        self.context.board.send_modify(|board| {
            if let Some(place) = board.stations.get_mut(self.index) {
                *place = status;
            }
        });
    }

    /// Writes out what came, and keeps account of what is safe.
    fn commit(&mut self, now: Instant) {
        self.retry(now);
        let Some(take) = &mut self.take else { return };
        let committed = take.commit(now, &mut self.figures);
        if committed == crate::take::Committed::default() {
            return;
        }
        for share in self.robots.values_mut().flat_map(RobotWatch::boots).filter_map(|(_, boot)| boot.share.as_mut()) {
            if committed.is_synced {
                share.synced();
            }
            if committed.has_failed {
                share.fail();
            }
            if committed.is_syncing {
                share.sync();
            }
        }
    }

    /// Tries whether a disk that took nothing takes data again, and gives it what is still in memory. The rest is asked for.
    fn retry(&mut self, now: Instant) {
        let store = &self.context.config.store;
        let Some(take) = self.take.as_mut().filter(|take| take.stopping.is_none()) else { return };
        // A segment that takes a breath and then fails would be one more file every second.
        if !take.may_retry(now) || crate::board::free_bytes(store).is_some_and(|free| free < RETRY_BYTES_MIN) {
            return;
        }
        let mut lost = Vec::new();
        for (key, boot) in self.robots.values_mut().flat_map(RobotWatch::boots) {
            let Some(share) = &boot.share else { continue };
            lost.push((Arc::clone(key), boot.boot, share.lost().clone()));
        }
        if let Err(error) = take.retry(store, lost) {
            return debug!(station = %self.id, %error, "the disk takes nothing yet");
        }
        for (sample, mark) in self.pre_roll.all() {
            let track = self.robots.get_mut(&sample.key.robot).and_then(|watch| watch.streams.get_mut(&sample.key.stream));
            let Some((header, boot)) = mark.header.as_ref().and_then(|header| Some((header, track?.boot(header.boot)?))) else { continue };
            if boot.share.as_ref().is_some_and(|share| share.misses(&(header.seq..header.next_seq()))) {
                take.sample_of(&sample, header, boot);
            }
        }
    }

    pub(crate) fn sealed(&mut self, episode: EpisodeId, result: Sealed, took: Duration) {
        self.sealing = self.sealing.saturating_sub(1);
        if let Ok(manifest) = &result {
            let length_ns = manifest.stop_ns.saturating_sub(manifest.pre_roll_ns);
            manifest.streams.iter().for_each(|stream| self.figures.lost.add_totals(&stream.lost));
            self.figures.last_seal = (took, Duration::from_nanos(u64::try_from(length_ns).unwrap_or(0)));
        }
        if let Some(last) = self.last.as_mut().filter(|last| last.episode == episode) {
            match &result {
                Ok(manifest) => *last = LastEpisode { problem: last.problem.take(), ..LastEpisode::sealed(manifest) },
                Err(error) => {
                    last.progress = EpisodeProgress::SealFailed;
                    last.problem = Some(error.to_string());
                }
            }
        }
        if let Err(error) = &result {
            warn!(station = %self.id, %episode, %error, "the episode could not be sealed; its journal is kept for `sanqu repair`");
        }
        match (&mut self.ending, result) {
            (Some(ending), Ok(manifest)) => ending.ended.sealed.push(*manifest),
            (Some(ending), Err(error)) => ending.ended.failed.push((episode, error.to_string())),
            (None, _) => {}
        }
    }

    pub(crate) fn state(&self) -> StationState {
        match &self.take {
            _ if self.fallen.is_some() => StationState::Failed,
            None => StationState::Idle,
            Some(take) if take.stopping.is_some() => StationState::Stopping,
            Some(take) if take.problem().is_some() => StationState::Failed,
            Some(_) => StationState::Recording,
        }
    }

    pub(crate) fn status(&mut self, now: Instant) -> StationStatus {
        let take = self.take.as_ref();
        let start = take.map(|take| &take.start);
        let (fill, figures) = (self.desk.queue.fill(), &self.figures);
        StationStatus {
            station: self.id.clone(),
            state: self.state(),
            episode: start.map(|start| start.episode),
            task: start.and_then(|start| start.task.clone()),
            operator: start.and_then(|start| start.operator.clone()),
            start_ns: start.map(|start| start.start_ns),
            resumed_ns: take.and_then(|take| take.resumed_ns),
            journal_bytes: take.map_or(0, Take::journal_bytes),
            problem: self.fallen.clone().or_else(|| take.and_then(Take::problem).map(str::to_owned)),
            unwritten_samples: take.map_or(0, Take::unwritten_samples),
            refused_samples: self.refused_samples,
            sealing: self.sealing,
            last: self.last.clone(),
            robots: self.names.iter().filter_map(|id| Some(self.robots.get_mut(id)?.status(id, now))).collect(),
            figures: StationFigures {
                queue_samples: fill.samples,
                queue_bytes: fill.bytes,
                queue_bytes_high: fill.bytes_high,
                written_bytes: figures.written_bytes,
                durable_bytes: figures.durable_bytes,
                written_lag: figures.written_lag.quantiles(),
                durable_lag: figures.durable_lag.quantiles(),
                sync: figures.sync.quantiles(),
                corrupt_samples: figures.corrupt_samples,
                resend: figures.resend,
                lost: figures.lost.clone(),
                last_seal_ms: millis(figures.last_seal.0),
                last_sealed_ms: millis(figures.last_seal.1),
            },
        }
    }

    /// Says the last word to whoever wants it.
    pub(crate) fn end(self) {
        if let Some(ending) = self.ending {
            // Whoever asked may have stopped waiting.
            let _ = ending.done.send(ending.ended);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// As the wall clock counts.
pub(crate) fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
