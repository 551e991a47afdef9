use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sanqu_model::{Id, StreamKey, StreamKind, now_ns};
use sanqu_wire::PAYLOAD_BYTES_MAX;
use tracing::warn;
use zenoh::Session;
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::pubsub::Subscriber;
use zenoh::sample::{Sample, SampleKind};

use crate::error::reason;
use crate::{Arrived, IngestError, Node, Queue, Refused, RefusedReason};

/// The most keys that are remembered; a field has some hundreds. Further ones are parsed each time.
const KEYS_MAX: usize = 4096;

/// The most robots that are remembered as not taken; further ones count as strays.
const UNPLACED_MAX: usize = 1024;

/// The longest attachment that is taken; the sample header has 48 bytes.
const ATTACHMENT_BYTES_MAX: usize = 4096;

/// One sample as it came: what the journal keeps, byte for byte.
#[derive(Clone, Debug)]
pub struct Received {
    /// The stream.
    pub key: Arc<StreamKey>,
    /// The payload's encoding, as the publisher wrote it.
    pub encoding: Arc<str>,
    /// The sample header's 48 bytes, unchecked; empty when there was none.
    pub attachment: Bytes,
    /// The payload, unchecked.
    pub payload: Bytes,
    /// When it arrived here, ns since the Unix epoch.
    pub recv_ns: i64,
}

/// Samples on keys that are not streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadKeys {
    /// How many samples.
    pub samples: u64,
    /// The first keys, with what is wrong.
    pub keys: BTreeMap<String, String>,
}

impl BadKeys {
    /// The most keys that are named.
    pub const KEYS_MAX: usize = 64;
}

/// A robot whose samples nobody takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    /// Samples so far.
    pub samples: u64,
    /// Why.
    pub reason: String,
}

/// Says where a robot's samples go: the number of a queue, or why nobody takes them. Asked when a robot is first heard.
pub type Place = Box<dyn FnMut(&Id) -> Result<usize, String> + Send>;

/// A subscriber for every stream of a field, with byte-bounded queues: one for each station of a recorder.
///
/// zenoh's threads only look up the key, take the time and copy the sample into its queue; they never wait and never call
/// the network. What a queue cannot take is counted by stream, boot and sequence. Previews are left out: they are made to
/// be lost.
pub struct Intake {
    shared: Arc<Shared>,
    /// For those who take samples one by one.
    taken: Mutex<VecDeque<Received>>,
    _subscriber: Subscriber<()>,
    _open: Session,
}

struct Shared {
    queues: Vec<Arc<Queue>>,
    routes: Mutex<Routes>,
}

struct Routes {
    known: HashMap<String, Route>,
    place: Place,
    placed: BTreeMap<Id, usize>,
    unplaced: BTreeMap<Id, Unplaced>,
    bad: BadKeys,
}

/// What is known about a key, so that it is parsed once.
struct Route {
    goal: Goal,
    encoding: (Encoding, Arc<str>),
}

enum Goal {
    Queue(usize, Arc<StreamKey>),
    /// The robot is taken by nobody.
    Unplaced(Id),
    Preview,
    /// The key is no stream.
    Bad,
}

impl Intake {
    /// Subscribes to everything of the field, into one queue of at most `queue_bytes`; see [`Intake::recv_timeout`].
    ///
    /// # Errors
    /// [`IngestError::Declare`].
    pub async fn declare(node: &Node, field: &Id, queue_bytes: usize) -> Result<Self, IngestError> {
        Self::subscribe(node, field, vec![Arc::new(Queue::new(queue_bytes))], Box::new(|_| Ok(0))).await
    }

    /// As [`Intake::declare`], into several queues of at most so many bytes together, which their owners empty: see
    /// [`Intake::queues`]. Half of the bytes is shared out evenly and kept for each, the other half is lent to those that
    /// need more. `place` says which robot belongs to which.
    ///
    /// # Errors
    /// [`IngestError::Declare`].
    pub async fn declare_queues(node: &Node, field: &Id, (count, bytes_max): (usize, usize), place: Place) -> Result<Self, IngestError> {
        Self::subscribe(node, field, Queue::several(count, bytes_max), place).await
    }

    async fn subscribe(node: &Node, field: &Id, queues: Vec<Arc<Queue>>, mut place: Place) -> Result<Self, IngestError> {
        let count = queues.len();
        let place = move |robot: &Id| {
            place(robot).and_then(|queue| if queue < count { Ok(queue) } else { Err(format!("there is no queue {queue}")) })
        };
        let routes = Routes {
            known: HashMap::new(),
            place: Box::new(place),
            placed: BTreeMap::new(),
            unplaced: BTreeMap::new(),
            bad: BadKeys::default(),
        };
        let shared = Arc::new(Shared { queues, routes: Mutex::new(routes) });
        let key = format!("sanqu/{field}/**");
        let taking = Arc::clone(&shared);
        let subscriber = node.session().declare_subscriber(&key).callback(move |sample| taking.take(&sample)).await;
        let _subscriber = subscriber.map_err(|e| IngestError::Declare { key, reason: reason(&e) })?;
        Ok(Self { shared, taken: Mutex::default(), _subscriber, _open: node.session().clone() })
    }

    /// The queues, by number.
    pub fn queues(&self) -> &[Arc<Queue>] {
        &self.shared.queues
    }

    /// Of one queue, the next sample in order of arrival; none after `wait`, or at once after [`Intake::wake`].
    pub fn recv_timeout(&self, wait: Duration) -> Option<Received> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.is_empty() {
            let queue = self.shared.queues.first()?;
            let batch = queue.take(wait);
            taken.extend(batch.iter().map(Arrived::to_received));
            queue.give_back(batch);
        }
        taken.pop_front()
    }

    /// Ends a running or the next [`Intake::recv_timeout`] early, because there is something else to do.
    pub fn wake(&self) {
        self.shared.queues.iter().for_each(|queue| queue.wake());
    }

    /// What was refused since the last call, sorted by queue and stream.
    pub fn take_refused(&self) -> Vec<Refused> {
        self.shared.queues.iter().flat_map(|queue| queue.take_refused()).collect()
    }

    /// Samples and bytes that wait.
    pub fn fill(&self) -> (usize, usize) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let fills = self.shared.queues.iter().map(|queue| queue.fill());
        let taken = (taken.len(), taken.iter().map(|sample| sample.payload.len()).sum());
        fills.fold(taken, |sum, fill| (sum.0 + fill.samples, sum.1 + fill.bytes))
    }

    /// Samples so far on keys that are not streams of the wire contract.
    pub fn bad_keys(&self) -> BadKeys {
        self.shared.lock().bad.clone()
    }

    /// The robots that were heard and that nobody takes.
    pub fn unplaced(&self) -> BTreeMap<Id, Unplaced> {
        self.shared.lock().unplaced.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, sample: &Sample) {
        let recv_ns = now_ns();
        if sample.kind() != SampleKind::Put {
            return;
        }
        let Some((queue, key, encoding)) = self.lock().of_sample(sample) else { return };
        let Some(queue) = self.queues.get(queue) else { return };
        let attachment = sample.attachment().map_or(Cow::Borrowed(&[][..]), ZBytes::to_bytes);
        let (payload, payload_bytes) = (sample.payload(), sample.payload().len());
        if payload_bytes > PAYLOAD_BYTES_MAX || attachment.len() > ATTACHMENT_BYTES_MAX {
            return queue.refuse(&key, &attachment, RefusedReason::TooLarge);
        }
        let arrived = Arrived { key: &key, encoding: &encoding, attachment: &attachment, payload: &[], recv_ns, resent: false };
        queue.push_pieces(&arrived, payload_bytes, payload.slices());
    }
}

impl Routes {
    /// Queue, stream and encoding of a sample; none when it is not taken, which is then counted.
    fn of_sample(&mut self, sample: &Sample) -> Option<(usize, Arc<StreamKey>, Arc<str>)> {
        let text = sample.key_expr().as_str();
        if let Some(route) = self.known.get_mut(text) {
            if route.encoding.0 != *sample.encoding() {
                route.encoding = named(sample.encoding());
            }
            return route.go(&mut self.unplaced, &mut self.bad);
        }
        let route = Route { goal: self.goal(text), encoding: named(sample.encoding()) };
        let gone = route.go(&mut self.unplaced, &mut self.bad);
        if self.known.len() < KEYS_MAX {
            self.known.insert(text.to_owned(), route);
        }
        gone
    }

    fn goal(&mut self, text: &str) -> Goal {
        let key = match text.parse::<StreamKey>() {
            Ok(key) if key.stream.kind() == StreamKind::Preview => return Goal::Preview,
            Ok(key) => key,
            Err(error) => {
                if self.bad.keys.len() < BadKeys::KEYS_MAX && self.bad.keys.insert(text.to_owned(), error.to_string()).is_none() {
                    warn!(key = text, %error, "samples on this key are not recorded");
                }
                return Goal::Bad;
            }
        };
        if let Some(queue) = self.placed.get(&key.robot) {
            return Goal::Queue(*queue, Arc::new(key));
        }
        if self.unplaced.contains_key(&key.robot) {
            return Goal::Unplaced(key.robot);
        }
        match (self.place)(&key.robot) {
            Ok(queue) => {
                self.placed.insert(key.robot.clone(), queue);
                Goal::Queue(queue, Arc::new(key))
            }
            Err(_) if self.unplaced.len() >= UNPLACED_MAX => Goal::Bad,
            Err(reason) => {
                warn!(robot = %key.robot, reason, "this robot is not recorded");
                self.unplaced.insert(key.robot.clone(), Unplaced { samples: 0, reason });
                Goal::Unplaced(key.robot)
            }
        }
    }
}

impl Route {
    fn go(&self, unplaced: &mut BTreeMap<Id, Unplaced>, bad: &mut BadKeys) -> Option<(usize, Arc<StreamKey>, Arc<str>)> {
        match &self.goal {
            Goal::Queue(queue, key) => return Some((*queue, Arc::clone(key), Arc::clone(&self.encoding.1))),
            Goal::Unplaced(robot) => unplaced.get_mut(robot)?.samples += 1,
            Goal::Preview => {}
            Goal::Bad => bad.samples += 1,
        }
        None
    }
}

/// Made anew from its text: a clone would hold on to the buffer that the sample came in, which zenoh reuses for all samples
/// of a link, and would have to allocate for each of them from then on.
fn named(encoding: &Encoding) -> (Encoding, Arc<str>) {
    let text = encoding.to_string();
    (Encoding::from(text.as_str()), Arc::from(text))
}
