use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sanqu_model::{Id, StreamKey, StreamKind, now_ns};
use sanqu_wire::PAYLOAD_BYTES_MAX;
use tracing::warn;
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::pubsub::Subscriber;
use zenoh::sample::{Sample, SampleKind};

use crate::error::reason;
use crate::queue::Queue;
use crate::{IngestError, Node, Refused, RefusedReason};

/// The most keys that are remembered; a field has some hundreds. Further ones are parsed each time.
const KEYS_MAX: usize = 4096;

/// A received payload shares a network buffer of 64 KiB with its neighbours. Smaller ones are copied out of it: held
/// in place, a kilobyte in the pre-roll would keep 64 KiB alive, and no limit in bytes would mean anything.
const KEEP_IN_PLACE_BYTES_MIN: usize = 32 * 1024;

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

/// The recorder's subscriber: every stream of a field into one byte-bounded queue.
///
/// zenoh's threads only look up the key, take the time and push; they never wait and never call the network. What the
/// queue cannot take is counted by stream, boot and sequence. Previews are left out: they are made to be lost.
pub struct Intake {
    shared: Arc<Shared>,
    _subscriber: Subscriber<()>,
}

struct Shared {
    queue: Queue,
    routes: Mutex<Routes>,
}

#[derive(Default)]
struct Routes {
    known: HashMap<String, Route>,
    bad: BadKeys,
}

/// What is known about a key, so that it is parsed once.
struct Route {
    /// None for keys that are not taken.
    key: Option<Arc<StreamKey>>,
    bad: bool,
    encoding: (Encoding, Arc<str>),
}

impl Intake {
    /// Subscribes to everything of the field. The queue holds at most `queue_bytes`.
    ///
    /// # Errors
    /// [`IngestError::Declare`].
    pub async fn declare(node: &Node, field: &Id, queue_bytes: usize) -> Result<Self, IngestError> {
        let shared = Arc::new(Shared { queue: Queue::new(queue_bytes), routes: Mutex::default() });
        let key = format!("sanqu/{field}/**");
        let taking = Arc::clone(&shared);
        let subscriber = node.session().declare_subscriber(&key).callback(move |sample| taking.take(&sample)).await;
        let _subscriber = subscriber.map_err(|e| IngestError::Declare { key, reason: reason(&e) })?;
        Ok(Self { shared, _subscriber })
    }

    /// The next sample in order of arrival; none after `wait`, or at once after [`Intake::wake`].
    pub fn recv_timeout(&self, wait: Duration) -> Option<Received> {
        self.shared.queue.pop(wait)
    }

    /// Ends a running or the next [`Intake::recv_timeout`] early, because there is something else to do.
    pub fn wake(&self) {
        self.shared.queue.wake();
    }

    /// What was refused since the last call, sorted by stream.
    pub fn take_refused(&self) -> Vec<Refused> {
        self.shared.queue.take_refused()
    }

    /// Samples so far on keys that are not streams of the wire contract.
    pub fn bad_keys(&self) -> BadKeys {
        self.shared.routes.lock().unwrap_or_else(PoisonError::into_inner).bad.clone()
    }

    /// Samples and bytes that wait.
    pub fn fill(&self) -> (usize, usize) {
        self.shared.queue.fill()
    }
}

impl Shared {
    fn take(&self, sample: &Sample) {
        let recv_ns = now_ns();
        if sample.kind() != SampleKind::Put {
            return;
        }
        let Some((key, encoding)) = self.route(sample) else { return };
        let attachment = sample.attachment().map(bytes_of).unwrap_or_default();
        if sample.payload().len() > PAYLOAD_BYTES_MAX || attachment.len() > ATTACHMENT_BYTES_MAX {
            self.queue.refuse(key, &attachment, RefusedReason::TooLarge);
            return;
        }
        self.queue.push(Received { key, encoding, attachment, payload: bytes_of(sample.payload()), recv_ns });
    }

    /// The stream and encoding of a sample; none when it is not taken, which is then counted.
    fn route(&self, sample: &Sample) -> Option<(Arc<StreamKey>, Arc<str>)> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let Routes { known, bad } = &mut *routes;
        let text = sample.key_expr().as_str();
        if !known.contains_key(text) {
            let route = Route::new(text, sample.encoding(), bad);
            if known.len() >= KEYS_MAX {
                bad.samples += u64::from(route.bad);
                return route.key.map(|key| (key, route.encoding.1));
            }
            known.insert(text.to_owned(), route);
        }
        let route = known.get_mut(text)?;
        bad.samples += u64::from(route.bad);
        if route.encoding.0 != *sample.encoding() {
            route.encoding = named(sample.encoding());
        }
        Some((Arc::clone(route.key.as_ref()?), Arc::clone(&route.encoding.1)))
    }
}

impl Route {
    fn new(text: &str, encoding: &Encoding, bad: &mut BadKeys) -> Self {
        let encoding = named(encoding);
        match text.parse::<StreamKey>() {
            Ok(key) if key.stream.kind() == StreamKind::Preview => Self { key: None, bad: false, encoding },
            Ok(key) => Self { key: Some(Arc::new(key)), bad: false, encoding },
            Err(error) => {
                if bad.keys.len() < BadKeys::KEYS_MAX && bad.keys.insert(text.to_owned(), error.to_string()).is_none() {
                    warn!(key = text, %error, "samples on this key are not recorded");
                }
                Self { key: None, bad: true, encoding }
            }
        }
    }
}

fn named(encoding: &Encoding) -> (Encoding, Arc<str>) {
    (encoding.clone(), Arc::from(encoding.to_string()))
}

/// A payload that lies in one piece of a network buffer.
struct InPlace(ZBytes);

impl AsRef<[u8]> for InPlace {
    fn as_ref(&self) -> &[u8] {
        self.0.slices().next().unwrap_or_default()
    }
}

fn bytes_of(payload: &ZBytes) -> Bytes {
    match payload.to_bytes() {
        // Came in fragments and was put together just now: nothing to copy again.
        Cow::Owned(bytes) => Bytes::from(bytes),
        Cow::Borrowed(bytes) if bytes.len() < KEEP_IN_PLACE_BYTES_MIN => Bytes::copy_from_slice(bytes),
        Cow::Borrowed(_) => Bytes::from_owner(InPlace(payload.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[Vec<u8>]) {
        let mut writer = ZBytes::writer();
        for piece in pieces {
            writer.append(ZBytes::from(piece.clone()));
        }
        assert_eq!(bytes_of(&writer.finish()), pieces.concat());
    }

    #[test]
    fn payloads_keep_their_bytes_however_they_lie() {
        check(&[]);
        check(&[vec![1; 100]]);
        check(&[vec![2; KEEP_IN_PLACE_BYTES_MIN]]);
        check(&[vec![3; 40_000], vec![4; 40_000]]);
    }
}
