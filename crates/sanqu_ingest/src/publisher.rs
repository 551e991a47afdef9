use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sanqu_model::{Id, StreamDescription, StreamKey, StreamKind, StreamName};
use sanqu_wire::{FLAG_KEYFRAME, SampleHeader};
use tokio::task::JoinHandle;
use tracing::warn;
use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::key_expr::keyexpr;
use zenoh::liveliness::LivelinessToken;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};

use crate::announce::{Counts, alive_key, counts_key, describe_key};
use crate::error::reason;
use crate::{IngestError, Node, Service};

/// How often a robot says what it has sent.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_millis(500);

/// A robot's side of the bus: numbers and sends its samples, says that it is alive, describes its streams, and answers
/// how much it has sent.
///
/// A robot may also join without any of this (a plain publisher on the right keys); then its streams are undeclared,
/// and without the sample header its losses cannot be accounted for.
pub struct RobotPublisher {
    robot: Id,
    lanes: Arc<Lanes>,
    heart: Arc<Heart>,
    tasks: Vec<JoinHandle<()>>,
    tokens: Vec<LivelinessToken>,
}

/// One stream's publisher and counter.
struct Lane {
    key: String,
    publisher: Publisher<'static>,
    clock: u16,
    schema_id: u32,
    /// The next sequence; written only under `order`.
    next_seq: AtomicU64,
    /// Held while a sample is handed to zenoh, so that samples leave in the order of their numbers. Heartbeats and answers
    /// do without it: they must not wait for a congested network.
    order: Mutex<()>,
}

struct Lanes {
    boot: u64,
    streams: BTreeMap<StreamName, Lane>,
}

impl Lanes {
    fn counts(&self) -> Counts {
        let next = |lane: &Lane| lane.next_seq.load(Ordering::Acquire);
        let next_seq = self.streams.iter().map(|(stream, lane)| (stream.clone(), next(lane))).collect();
        Counts { boot: self.boot, next_seq, last: false }
    }
}

impl RobotPublisher {
    /// Declares the robot with all its streams. `boot` is random per start of the publisher and below 2^53, so that
    /// a restart shows as a new run; sequences begin at 0.
    ///
    /// # Errors
    /// [`IngestError::BadDescription`] for a stream named twice or `status`, which is the heartbeat's;
    /// [`IngestError::Declare`].
    pub async fn declare(
        node: &Node,
        field: &Id,
        robot: &Id,
        boot: u64,
        descriptions: Vec<StreamDescription>,
    ) -> Result<Self, IngestError> {
        let mut streams = BTreeMap::new();
        for description in &descriptions {
            let bad = |reason| IngestError::BadDescription { robot: robot.clone(), stream: description.stream.clone(), reason };
            if description.stream.kind() == StreamKind::Status {
                return Err(bad("the heartbeat's stream cannot be described"));
            }
            let lane = Lane::declare(node, field, robot, description).await?;
            if streams.insert(description.stream.clone(), lane).is_some() {
                return Err(bad("it is described twice"));
            }
        }
        let lanes = Arc::new(Lanes { boot, streams });

        // Who sees the tokens may ask at once, so the answers are declared first.
        let (describe, counts) = (describe_key(field, robot.as_str()), counts_key(field, robot.as_str()));
        let service = Service::declare(node, &[describe.clone(), counts.clone()]).await?;
        let described =
            serde_json::to_vec(&descriptions).map_err(|e| IngestError::Declare { key: describe.clone(), reason: e.to_string() })?;
        let answering = tokio::spawn(answer(service, describe, described, counts, Arc::clone(&lanes)));
        let heart = Arc::new(Heart::declare(node, field, robot, Arc::clone(&lanes)).await?);
        let beating = tokio::spawn(beat(Arc::clone(&heart)));

        let alive = alive_key(field, robot.as_str());
        let mut tokens = Vec::with_capacity(lanes.streams.len() + 1);
        for key in std::iter::once(alive.clone()).chain(lanes.streams.keys().map(|stream| format!("{alive}/{stream}"))) {
            let token = node.session().liveliness().declare_token(&key).await;
            tokens.push(token.map_err(|e| IngestError::Declare { key, reason: reason(&e) })?);
        }
        Ok(Self { robot: robot.clone(), lanes, heart, tasks: vec![answering, beating], tokens })
    }

    /// Numbers and sends one payload of `rows` rows whose first was captured at `capture_ns`; returns the sequence of
    /// the first row. Samples of one stream leave in the order of their sequences.
    ///
    /// Waits for the network when it is congested (up to zenoh's limit of 5 s, then the link is closed and reopened).
    ///
    /// # Errors
    /// [`IngestError::UndeclaredStream`], [`IngestError::NoRows`]; [`IngestError::Send`], after which the sequences are
    /// used up: the recorder sees and accounts for the gap.
    pub async fn put(&self, stream: &StreamName, rows: u32, capture_ns: i64, keyframe: bool, payload: Vec<u8>) -> Result<u64, IngestError> {
        let unknown = || IngestError::UndeclaredStream { robot: self.robot.clone(), stream: stream.clone() };
        let lane = self.lanes.streams.get(stream).ok_or_else(unknown)?;
        if rows == 0 {
            return Err(IngestError::NoRows { key: lane.key.clone() });
        }
        let _order = lane.order.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = lane.next_seq.fetch_add(u64::from(rows), Ordering::AcqRel);
        let header = SampleHeader {
            flags: if keyframe { FLAG_KEYFRAME } else { 0 },
            rows,
            boot: self.lanes.boot,
            seq,
            capture_ns,
            clock: lane.clock,
            schema_id: lane.schema_id,
        };
        let attachment = header.encode(&payload).to_vec();
        let sent = lane.publisher.put(payload).attachment(attachment).wait();
        sent.map_err(|e| IngestError::Send { key: lane.key.clone(), reason: reason(&e) })?;
        Ok(seq)
    }

    /// What was numbered so far.
    pub fn counts(&self) -> Counts {
        self.lanes.counts()
    }

    /// Takes the robot off the bus with a last count, so that the end of this boot is known. What was sent before still
    /// leaves. A publisher that is dropped instead leaves its end open, as a crash does.
    ///
    /// # Errors
    /// [`IngestError::Send`] when the last count cannot be sent; [`IngestError::Close`] when zenoh cannot undeclare.
    pub async fn close(mut self) -> Result<(), IngestError> {
        for task in &self.tasks {
            task.abort();
        }
        self.heart.beat(true).await?;
        for token in std::mem::take(&mut self.tokens) {
            token.undeclare().await.map_err(|e| IngestError::Close { reason: reason(&e) })?;
        }
        Ok(())
    }
}

impl Drop for RobotPublisher {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Lane {
    async fn declare(node: &Node, field: &Id, robot: &Id, description: &StreamDescription) -> Result<Self, IngestError> {
        let key = StreamKey { field: field.clone(), robot: robot.clone(), stream: description.stream.clone() }.to_string();
        let publisher = publisher(node, &key, description.stream.kind(), &description.encoding).await?;
        Ok(Self {
            key,
            publisher,
            clock: description.clock,
            schema_id: description.schema_id(),
            next_seq: AtomicU64::new(0),
            order: Mutex::new(()),
        })
    }
}

/// A publisher with the quality of service that the wire contract gives to the kind. Everything recorded is `Block`
/// (zenoh's default for puts is to drop), and pictures have another priority than joints, because `Block` stalls
/// everything of its own priority.
async fn publisher(node: &Node, key: &str, kind: StreamKind, encoding: &str) -> Result<Publisher<'static>, IngestError> {
    let (priority, congestion) = match kind {
        StreamKind::Event | StreamKind::Status => (Priority::InteractiveHigh, CongestionControl::Block),
        StreamKind::Camera | StreamKind::Depth => (Priority::DataLow, CongestionControl::Block),
        StreamKind::Preview => (Priority::Background, CongestionControl::Drop),
        _ => (Priority::DataHigh, CongestionControl::Block),
    };
    let declared = node.session().declare_publisher(key.to_owned()).priority(priority).congestion_control(congestion);
    let declared = declared.express(false).encoding(Encoding::from(encoding)).await;
    declared.map_err(|e| IngestError::Declare { key: key.to_owned(), reason: reason(&e) })
}

struct Heart {
    key: String,
    publisher: Publisher<'static>,
    lanes: Arc<Lanes>,
}

impl Heart {
    async fn declare(node: &Node, field: &Id, robot: &Id, lanes: Arc<Lanes>) -> Result<Self, IngestError> {
        let key = format!("sanqu/{field}/{robot}/status");
        let publisher = publisher(node, &key, StreamKind::Status, "application/json").await?;
        Ok(Self { key, publisher, lanes })
    }

    async fn beat(&self, last: bool) -> Result<(), IngestError> {
        let counts = Counts { last, ..self.lanes.counts() };
        // Strings and integers in memory always serialise.
        let payload = serde_json::to_vec(&counts).unwrap_or_default();
        self.publisher.put(payload).await.map_err(|e| IngestError::Send { key: self.key.clone(), reason: reason(&e) })
    }
}

async fn beat(heart: Arc<Heart>) {
    let mut due = tokio::time::interval(HEARTBEAT_PERIOD);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        if let Err(error) = heart.beat(false).await {
            warn!(%error, "a heartbeat was not sent");
        }
    }
}

async fn answer(mut service: Service, describe: String, described: Vec<u8>, counts: String, lanes: Arc<Lanes>) {
    while let Some(request) = service.recv().await {
        let (key, payload) = if covers(request.key(), &counts) {
            (&counts, serde_json::to_vec(&lanes.counts()).unwrap_or_default())
        } else {
            (&describe, described.clone())
        };
        if let Err(error) = request.reply(key, payload) {
            warn!(%error, "a question was not answered");
        }
    }
}

/// Whether a question on `asked`, which may hold wildcards, is meant for `key`.
fn covers(asked: &str, key: &str) -> bool {
    matches!((keyexpr::new(asked), keyexpr::new(key)), (Ok(asked), Ok(key)) if asked.intersects(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_robot_answers_while_a_sample_waits_for_the_network() {
        let node = Node::router("tcp/127.0.0.1:0").await.unwrap();
        let id = |text: &str| Id::new("id", text).unwrap();
        let stream: StreamName = "event".parse().unwrap();
        let description = StreamDescription {
            stream: stream.clone(),
            encoding: sanqu_wire::ENCODING_JSON.to_owned(),
            rate_hz: 0.0,
            clock: 1,
            quantities: Vec::new(),
            facts: BTreeMap::new(),
        };
        let robot = RobotPublisher::declare(&node, &id("desk"), &id("kuavo-01"), 7, vec![description]).await.unwrap();
        robot.put(&stream, 1, 0, false, b"{}".to_vec()).await.unwrap();
        let congested = robot.lanes.streams[&stream].order.lock().unwrap();
        assert_eq!(robot.counts().next_seq[&stream], 1);
        drop(congested);
    }
}
