//! The threads that hand a robot's samples to the network, so that nobody else waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sanqu_model::{Id, StreamKind};
use tracing::warn;
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::{Session, Wait};

use crate::announce::Counts;
use crate::error::reason;
use crate::held::{Held, Outage};
use crate::outbox::{Job, Outbox, Turn};
use crate::publisher::HEARTBEAT_PERIOD;
use crate::resend::payload;
use crate::{IngestError, Node};

/// How long a sender leaves zenoh alone after it refused a sample.
const RETRY: Duration = Duration::from_secs(1);

/// Streams that leave one behind the other, because they share a priority of the network. Each lane has a thread: one
/// that waits for the network does not hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Events and heartbeats.
    Control,
    /// Joints, motors, commands and the like.
    Rows,
    /// Cameras and depth.
    Pictures,
    Preview,
}

impl Lane {
    pub(crate) const ALL: [Self; 4] = [Self::Control, Self::Rows, Self::Pictures, Self::Preview];

    pub(crate) fn of(kind: StreamKind) -> Self {
        match kind {
            StreamKind::Event | StreamKind::Status => Self::Control,
            StreamKind::Camera | StreamKind::Depth => Self::Pictures,
            StreamKind::Preview => Self::Preview,
            _ => Self::Rows,
        }
    }

    /// The lane's place in [`Lane::ALL`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Control => 0,
            Self::Rows => 1,
            Self::Pictures => 2,
            Self::Preview => 3,
        }
    }

    /// The quality of service that the wire contract gives. Everything recorded is `Block` (zenoh's default for puts is to
    /// drop), and pictures have another priority than joints, because `Block` stalls everything of its own priority.
    fn service(self) -> (Priority, CongestionControl) {
        match self {
            Self::Control => (Priority::InteractiveHigh, CongestionControl::Block),
            Self::Rows => (Priority::DataHigh, CongestionControl::Block),
            Self::Pictures => (Priority::DataLow, CongestionControl::Block),
            Self::Preview => (Priority::Background, CongestionControl::Drop),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Rows => "rows",
            Self::Pictures => "pictures",
            Self::Preview => "preview",
        }
    }

    /// A publisher with the lane's quality of service.
    pub(crate) async fn publisher(self, node: &Node, key: &str, encoding: &str) -> Result<Publisher<'static>, IngestError> {
        let (priority, congestion) = self.service();
        let declared = node.session().declare_publisher(key.to_owned()).priority(priority).congestion_control(congestion);
        let declared = declared.express(false).encoding(Encoding::from(encoding)).await;
        declared.map_err(|e| IngestError::Declare { key: key.to_owned(), reason: reason(&e) })
    }
}

/// One stream as its sender and its numbering see it.
pub(crate) struct Stream {
    pub(crate) name: sanqu_model::StreamName,
    pub(crate) key: String,
    pub(crate) publisher: Publisher<'static>,
    pub(crate) lane: Lane,
    pub(crate) clock: u16,
    pub(crate) schema_id: u32,
    /// The next sequence; written only under the publisher's lock of this stream.
    pub(crate) next_seq: AtomicU64,
}

/// What all threads of a robot share.
pub(crate) struct Robot {
    pub(crate) robot: Id,
    pub(crate) boot: u64,
    /// In the order of the outbox's numbers.
    pub(crate) streams: Vec<Stream>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) heart: Publisher<'static>,
    /// zenoh refused the last sample, which it does only when the session was closed.
    pub(crate) is_cut_off: AtomicBool,
    pub(crate) _open: Session,
}

impl Robot {
    pub(crate) fn counts(&self, last: bool) -> Counts {
        // The account first: what it says of a row must not be older than the count of rows.
        let account = self.outbox.account();
        let mut counts = Counts { boot: self.boot, last, ..Counts::default() };
        for (stream, (held_from, unsent)) in self.streams.iter().zip(account) {
            counts.next_seq.insert(stream.name.clone(), stream.next_seq.load(Ordering::Acquire));
            counts.held_from.extend(held_from.map(|seq| (stream.name.clone(), seq)));
            if !unsent.is_empty() {
                counts.unsent.insert(stream.name.clone(), unsent.iter().map(|range| (range.start, range.end)).collect());
            }
        }
        counts
    }

    /// Sends a heartbeat. Waits for the network when it is congested.
    pub(crate) fn beat(&self, last: bool) -> Result<(), IngestError> {
        // Strings and integers in memory always serialise.
        let payload = serde_json::to_vec(&self.counts(last)).unwrap_or_default();
        let begun = Instant::now();
        let put = self.heart.put(payload).wait();
        self.outbox.was_given_up(begun);
        put.map_err(|e| IngestError::Send { key: self.heart.key_expr().to_string(), reason: reason(&e) })
    }

    /// Starts a thread for each lane that has streams; the control lane also beats.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), IngestError> {
        let used = |lane: &Lane| *lane == Lane::Control || self.streams.iter().any(|stream| stream.lane == *lane);
        for lane in Lane::ALL.into_iter().filter(used) {
            let this = Arc::clone(self);
            self.thread(lane.name(), move || this.send(lane))?;
        }
        if let Some(spill) = self.outbox.config().spill.clone() {
            let this = Arc::clone(self);
            let name = format!("{}-{}", self.robot, self.boot);
            self.thread("spill", move || crate::spill::run(&this.outbox, spill, &name))?;
        }
        Ok(())
    }

    fn thread(&self, what: &str, body: impl FnOnce() + Send + 'static) -> Result<(), IngestError> {
        let name = format!("{} {what}", self.robot);
        let failed = |error: std::io::Error| IngestError::Declare { key: name.clone(), reason: error.to_string() };
        std::thread::Builder::new().name(name.clone()).spawn(body).map_err(failed).map(drop)
    }

    /// Hands over a lane's samples as they come, until the outbox ends.
    fn send(&self, lane: Lane) {
        let mut beat_due = (lane == Lane::Control).then(Instant::now);
        let mut reported = Held::default();
        loop {
            match self.outbox.turn(lane.index(), beat_due) {
                Turn::End => return,
                Turn::Due => {
                    self.outbox.let_go();
                    self.report(&mut reported);
                    let muted = self.outbox.outage() != Outage::None;
                    if let Err(error) = if muted { Ok(()) } else { self.beat(false) } {
                        warn!(robot = %self.robot, %error, "a heartbeat was not sent");
                    }
                    beat_due = Some(Instant::now() + HEARTBEAT_PERIOD);
                }
                Turn::Send(job) => {
                    let begun = Instant::now();
                    let taken = self.hand_over(&job);
                    if self.outbox.was_given_up(begun) || taken.is_err() {
                        self.outbox.untake(&job);
                    }
                    if let Err(error) = taken {
                        warn!(robot = %self.robot, %error, "a sample was refused; it waits");
                        std::thread::park_timeout(RETRY);
                    }
                }
            }
        }
    }

    fn hand_over(&self, job: &Job) -> Result<(), IngestError> {
        let Some(stream) = self.streams.get(job.stream).filter(|_| !job.lose) else { return Ok(()) };
        let Some(payload) = payload(job) else {
            self.outbox.give_up(job);
            return Ok(());
        };
        let put = stream.publisher.put(payload).attachment(ZBytes::from(job.header)).wait();
        self.is_cut_off.store(put.is_err(), Ordering::Relaxed);
        put.map_err(|e| IngestError::Send { key: stream.key.clone(), reason: reason(&e) })
    }

    /// Says it when more was lost since the last time.
    fn report(&self, reported: &mut Held) {
        let held = self.outbox.held();
        if held.unsent_rows > reported.unsent_rows {
            let rows = held.unsent_rows;
            warn!(robot = %self.robot, rows, "rows were given up before they left: the network stood longer than the ring holds");
        }
        if held.spill_lost_samples > reported.spill_lost_samples {
            let samples = held.spill_lost_samples;
            warn!(robot = %self.robot, samples, "samples left the ring before their time: the spill is full, slow, or fails");
        }
        *reported = held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stream: &str, lane: Lane) {
        let kind = stream.parse::<sanqu_model::StreamName>().unwrap().kind();
        assert_eq!(Lane::ALL[Lane::of(kind).index()], lane, "{stream}");
    }

    #[test]
    fn joints_do_not_wait_behind_pictures() {
        check("joint", Lane::Rows);
        check("motor", Lane::Rows);
        check("imu/waist", Lane::Rows);
        check("command", Lane::Rows);
        check("camera/head", Lane::Pictures);
        check("depth/head", Lane::Pictures);
        check("event", Lane::Control);
        check("preview/head", Lane::Preview);
        let priorities = Lane::ALL.map(|lane| lane.service().0 as u8);
        assert!(priorities.windows(2).all(|pair| pair[0] < pair[1]), "each lane has its own: {priorities:?}");
    }
}
