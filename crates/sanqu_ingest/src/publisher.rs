use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sanqu_model::{Id, StreamDescription, StreamKey, StreamKind, StreamName};
use sanqu_wire::{FLAG_KEYFRAME, SampleHeader};
use tokio::task::JoinHandle;
use tracing::warn;
use zenoh::Session;
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::key_expr::keyexpr;
use zenoh::liveliness::LivelinessToken;

use crate::announce::{Counts, alive_key, counts_key, describe_key, resend_key};
use crate::error::reason;
use crate::held::{Held, Outage, RingConfig};
use crate::link::LinkWatch;
use crate::outbox::{Outbox, SAMPLE_OVERHEAD_BYTES};
use crate::resend::{RESEND_WAITING_MAX, Resender};
use crate::ring::Entry;
use crate::sender::{Lane, Robot, Stream};
use crate::{IngestError, Node, Service};

/// How often a robot says what it has numbered.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_millis(500);

/// How long [`RobotPublisher::close`] waits for a network that does not take what is left.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A robot's side of the bus: numbers its samples, keeps them for a while, sends them, and sends them again when it is
/// asked to; says that it is alive, describes its streams, and answers how much it has numbered.
///
/// Numbering never waits for the network. Threads of its own hand the samples over, one for each priority: pictures that
/// wait do not hold up joints. While there is no link to the router samples wait in the ring, and leave in order when it is
/// back. What was lost on the way can be asked for with [`crate::resend`]. What fell out of the ring before it ever left is
/// said in [`Counts::unsent`].
///
/// A robot may also join without any of this (a plain publisher on the right keys); then its streams are undeclared,
/// and without the sample header its losses cannot be accounted for.
pub struct RobotPublisher {
    robot: Arc<Robot>,
    index: BTreeMap<StreamName, usize>,
    /// Per stream; held while a sample is numbered, so that samples stand in the ring in the order of their numbers.
    order: Vec<Mutex<()>>,
    tasks: Vec<JoinHandle<()>>,
    tokens: Vec<LivelinessToken>,
    _link: Option<LinkWatch>,
    _open: Session,
}

impl RobotPublisher {
    /// Declares the robot with all its streams and a ring of the default size. `boot` is random per start of the publisher
    /// and below 2^53, so that a restart shows as a new run; sequences begin at 0.
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
        Self::with_ring(node, field, robot, boot, descriptions, RingConfig::default()).await
    }

    /// As [`RobotPublisher::declare`], with a ring of another size.
    ///
    /// # Errors
    /// As [`RobotPublisher::declare`].
    pub async fn with_ring(
        node: &Node,
        field: &Id,
        robot: &Id,
        boot: u64,
        descriptions: Vec<StreamDescription>,
        ring: RingConfig,
    ) -> Result<Self, IngestError> {
        let mut streams = Vec::with_capacity(descriptions.len());
        let mut index = BTreeMap::new();
        let mut encodings = BTreeMap::new();
        for description in &descriptions {
            let bad = |reason| IngestError::BadDescription { robot: robot.clone(), stream: description.stream.clone(), reason };
            if description.stream.kind() == StreamKind::Status {
                return Err(bad("the heartbeat's stream cannot be described"));
            }
            if index.insert(description.stream.clone(), streams.len()).is_some() {
                return Err(bad("it is described twice"));
            }
            encodings.insert(description.stream.clone(), (streams.len(), Encoding::from(description.encoding.as_str())));
            streams.push(declare(node, field, robot, description).await?);
        }

        let lane_of: Vec<usize> = streams.iter().map(|stream| stream.lane.index()).collect();
        // A router is on the bus by itself; a client is when it has a link.
        let is_client = node.locators().is_empty();
        let outbox = Arc::new(Outbox::new(ring, &lane_of, Lane::ALL.len(), !is_client));
        let link = if is_client { Some(LinkWatch::declare(node.session(), &outbox).await?) } else { None };
        let heart = Lane::Control.publisher(node, &format!("sanqu/{field}/{robot}/status"), sanqu_wire::ENCODING_JSON).await?;
        let order = streams.iter().map(|_| Mutex::new(())).collect();
        let shared = Arc::new(Robot {
            robot: robot.clone(),
            boot,
            streams,
            outbox: Arc::clone(&outbox),
            heart,
            is_cut_off: AtomicBool::new(false),
            _open: node.session().clone(),
        });
        let mut this =
            Self { robot: shared, index, order, tasks: Vec::new(), tokens: Vec::new(), _link: link, _open: node.session().clone() };

        // Who sees the tokens may ask at once, so the answers are declared first.
        let (describe, counts) = (describe_key(field, robot.as_str()), counts_key(field, robot.as_str()));
        let service = Service::declare(node, &[describe.clone(), counts.clone()]).await?;
        let described =
            serde_json::to_vec(&descriptions).map_err(|e| IngestError::Declare { key: describe.clone(), reason: e.to_string() })?;
        this.tasks.push(tokio::spawn(answer(service, describe, described, counts, Arc::clone(&this.robot))));
        let resender = Resender { key: resend_key(field, robot), boot, outbox, streams: encodings };
        let service = Service::with_limit(node, &[format!("{}/**", resender.key)], RESEND_WAITING_MAX).await?;
        this.tasks.push(tokio::spawn(resender.run(service)));
        this.robot.start()?;

        let alive = alive_key(field, robot.as_str());
        for key in std::iter::once(alive.clone()).chain(this.index.keys().map(|stream| format!("{alive}/{stream}"))) {
            let token = node.session().liveliness().declare_token(&key).await;
            this.tokens.push(token.map_err(|e| IngestError::Declare { key, reason: reason(&e) })?);
        }
        Ok(this)
    }

    /// Numbers one payload of `rows` rows whose first was captured at `capture_ns`, and puts it into the ring, from where
    /// it leaves as the network takes it; returns the sequence of the first row. Does not wait for anything. Samples of one
    /// stream leave in the order of their sequences.
    ///
    /// # Errors
    /// [`IngestError::UndeclaredStream`], [`IngestError::NoRows`]; [`IngestError::Send`] when the session was closed, after
    /// which nothing leaves any more.
    pub async fn put(
        &self,
        stream: &StreamName,
        rows: u32,
        capture_ns: i64,
        keyframe: bool,
        payload: impl Into<Bytes>,
    ) -> Result<u64, IngestError> {
        let unknown = || IngestError::UndeclaredStream { robot: self.robot.robot.clone(), stream: stream.clone() };
        let index = *self.index.get(stream).ok_or_else(unknown)?;
        let (Some(lane), Some(order)) = (self.robot.streams.get(index), self.order.get(index)) else { return Err(unknown()) };
        if rows == 0 {
            return Err(IngestError::NoRows { key: lane.key.clone() });
        }
        if self.robot.is_cut_off.load(Ordering::Relaxed) {
            return Err(IngestError::Send { key: lane.key.clone(), reason: "the session is closed".to_owned() });
        }
        let payload: Bytes = payload.into();
        let _order = order.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = lane.next_seq.fetch_add(u64::from(rows), Ordering::AcqRel);
        let header = SampleHeader {
            flags: if keyframe { FLAG_KEYFRAME } else { 0 },
            rows,
            boot: self.robot.boot,
            seq,
            capture_ns,
            clock: lane.clock,
            schema_id: lane.schema_id,
        };
        let entry = Entry {
            rows: seq..header.next_seq(),
            header: header.encode(&payload),
            since: Instant::now(),
            bytes: payload.len() + SAMPLE_OVERHEAD_BYTES,
            place: ZBytes::from(payload),
        };
        self.robot.outbox.push(index, lane.lane.index(), entry);
        Ok(seq)
    }

    /// What was numbered so far, what can be sent again, and what was given up.
    pub fn counts(&self) -> Counts {
        self.robot.counts(false)
    }

    /// What the ring holds.
    pub fn held(&self) -> Held {
        self.robot.outbox.held()
    }

    /// Makes the network fail on purpose, until it is set to [`Outage::None`] again.
    pub fn set_outage(&self, outage: Outage) {
        self.robot.outbox.set_outage(outage);
    }

    /// Lets what waits leave, for some seconds at most, and takes the robot off the bus with a last count, so that the end
    /// of this boot is known. What could not leave is said to be unsent. A publisher that is dropped instead leaves its end
    /// open, as a crash does.
    ///
    /// # Errors
    /// [`IngestError::Send`] when the last count cannot be sent; [`IngestError::Close`] when zenoh cannot undeclare.
    pub async fn close(mut self) -> Result<(), IngestError> {
        let robot = Arc::clone(&self.robot);
        let closing = tokio::task::spawn_blocking(move || {
            if !robot.outbox.drain(CLOSE_PATIENCE) {
                warn!(robot = %robot.robot, "the network did not take everything before the end");
            }
            robot.outbox.end();
            robot.beat(true)
        });
        closing.await.map_err(|error| IngestError::Close { reason: error.to_string() })??;
        for token in std::mem::take(&mut self.tokens) {
            token.undeclare().await.map_err(|e| IngestError::Close { reason: reason(&e) })?;
        }
        Ok(())
    }
}

impl Drop for RobotPublisher {
    fn drop(&mut self) {
        self.robot.outbox.end();
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn declare(node: &Node, field: &Id, robot: &Id, description: &StreamDescription) -> Result<Stream, IngestError> {
    let name = description.stream.clone();
    let key = StreamKey { field: field.clone(), robot: robot.clone(), stream: name.clone() }.to_string();
    let lane = Lane::of(name.kind());
    let publisher = lane.publisher(node, &key, &description.encoding).await?;
    let (clock, schema_id) = (description.clock, description.schema_id());
    Ok(Stream { name, key, publisher, lane, clock, schema_id, next_seq: AtomicU64::new(0) })
}

async fn answer(mut service: Service, describe: String, described: Vec<u8>, counts: String, robot: Arc<Robot>) {
    while let Some(request) = service.recv().await {
        if robot.outbox.outage() != Outage::None {
            continue;
        }
        let (key, payload) = if covers(request.key(), &counts) {
            (counts.clone(), serde_json::to_vec(&robot.counts(false)).unwrap_or_default())
        } else {
            (describe.clone(), described.clone())
        };
        // A congested network may hold an answer up: not this task.
        let replied = tokio::task::spawn_blocking(move || request.reply(&key, payload)).await;
        match replied {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "a question was not answered"),
            Err(_) => return,
        }
    }
}

/// Whether a question on `asked`, which may hold wildcards, is meant for `key`.
fn covers(asked: &str, key: &str) -> bool {
    matches!((keyexpr::new(asked), keyexpr::new(key)), (Ok(asked), Ok(key)) if asked.intersects(key))
}
