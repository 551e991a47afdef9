//! Samples once more: `@resend` as a robot answers it, and as a recorder asks it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sanqu_model::{StreamKey, StreamName, now_ns};
use sanqu_wire::{ENCODING_JSON, HEADER_BYTES, PAYLOAD_BYTES_MAX, SampleHeader};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tracing::{debug, warn};
use zenoh::Wait;
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::{ConsolidationMode, Query, QueryTarget, Reply};
use zenoh::sample::Sample;

use crate::announce::resend_key;
use crate::error::reason;
use crate::held::Outage;
use crate::outbox::{Found, Job, Outbox, Place};
use crate::service::Service;
use crate::{IngestError, Node, Received};

/// The most bytes that a robot answers to one question, but one sample always. The asker asks again for the rest.
pub const RESEND_BYTES_MAX: usize = 8 << 20;

/// The most samples that a robot answers to one question.
const RESEND_SAMPLES_MAX: usize = 1024;

/// The most questions for samples that wait for one robot; it answers one at a time. More are turned away.
pub(crate) const RESEND_WAITING_MAX: usize = 8;

/// The longest last word of an answer, in bytes.
const CLOSING_BYTES_MAX: usize = 1024;

/// The last word of an answer, as JSON without attachment: tells "nothing more is held" from an answer that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Closing {
    /// The robot's boot now; nothing of another one is held.
    boot: u64,
    /// The lowest sequence of this boot and stream that is held.
    held_from: Option<u64>,
    /// The range has further samples than these.
    more: bool,
}

/// What came of asking for samples again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resent {
    /// Samples passed on.
    pub samples: u64,
    /// Their rows.
    pub rows: u64,
    /// Their payloads' bytes.
    pub bytes: u64,
    /// Replies that were not what was asked for: of another boot, outside the range, out of order, damaged, or no samples.
    pub wrong: u64,
    /// The robot said that this is all it has of the range: what did not come will not come. False when it was not reached,
    /// the time was over, or its publisher cannot say so; then it may be worth asking once more.
    pub complete: bool,
    /// The lowest sequence of this boot and stream that the robot still holds, as far as it said so.
    pub held_from: Option<u64>,
}

/// What a robot needs to answer.
pub(crate) struct Resender {
    pub(crate) key: String,
    pub(crate) boot: u64,
    pub(crate) outbox: Arc<Outbox>,
    /// Each stream's number and encoding.
    pub(crate) streams: BTreeMap<StreamName, (usize, Encoding)>,
}

impl Resender {
    /// Answers until the service ends, one question at a time and on a thread that may wait for the network.
    pub(crate) async fn run(self, mut service: Service) {
        let this = Arc::new(self);
        while let Some(request) = service.recv().await {
            let this = Arc::clone(&this);
            let answered = tokio::task::spawn_blocking(move || {
                if let Err(error) = this.answer(request.query()) {
                    warn!(key = this.key, %error, "samples were not sent again");
                }
            });
            if answered.await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, query: &Query) -> Result<(), zenoh::Error> {
        let key = query.key_expr();
        let name = key.as_str().strip_prefix(self.key.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let stream = name.and_then(|name| self.streams.get(&name.parse::<StreamName>().ok()?));
        let number = |name: &str| query.parameters().get(name).and_then(|text| text.parse::<u64>().ok());
        let (Some((stream, encoding)), Some(boot), Some(from), Some(to)) = (stream, number("boot"), number("from"), number("to")) else {
            debug!(%key, parameters = %query.parameters(), "no question for samples of a stream");
            return Ok(());
        };
        if self.outbox.outage() != Outage::None {
            return Ok(());
        }
        let mut found = Found::default();
        if boot == self.boot {
            found = self.outbox.find(*stream, &(from..to), RESEND_BYTES_MAX, RESEND_SAMPLES_MAX);
        }
        for job in found.samples {
            // What the disk does not give back whole is as good as not held.
            let Some(payload) = payload(&job) else { continue };
            let begun = Instant::now();
            query.reply(key, payload).encoding(encoding.clone()).attachment(ZBytes::from(job.header)).wait()?;
            if self.outbox.was_given_up(begun) {
                return Ok(());
            }
        }
        let closing = Closing { boot: self.boot, held_from: found.held_from, more: found.more };
        // Numbers in memory always serialise.
        let closing = serde_json::to_vec(&closing).unwrap_or_default();
        query.reply(key, closing).encoding(ENCODING_JSON).wait()
    }
}

/// A sample's payload, read back and compared if it was on disk.
pub(crate) fn payload(job: &Job) -> Option<ZBytes> {
    let spot = match &job.place {
        Place::Memory(payload) => return Some(payload.clone()),
        Place::Disk(spot) => spot,
    };
    let read = spot.read().map_err(|error| error.to_string());
    let whole = read.and_then(|payload| match SampleHeader::decode_checked(&job.header, &payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(error.to_string()),
    });
    whole.map(ZBytes::from).map_err(|error| warn!(from = job.rows.start, to = job.rows.end, error, "the ring's spill lost a sample")).ok()
}

/// Asks a robot to send samples of `range` once more and passes on what comes, in order, as if it had just arrived. Asks
/// again for what does not fit into one answer, for `timeout` in all.
///
/// # Errors
/// [`IngestError::Send`] when the question cannot be asked. A robot that is not there is no error: nothing comes, and the
/// answer is not [`Resent::complete`].
pub async fn resend(
    node: &Node,
    key: &Arc<StreamKey>,
    boot: u64,
    range: Range<u64>,
    timeout: Duration,
    take: &mut (dyn FnMut(Received) + Send),
) -> Result<Resent, IngestError> {
    let until = Instant::now() + timeout;
    let mut asker = Asker { key, boot, left: range, encoding: None, resent: Resent::default() };
    loop {
        let (from, left) = (asker.left.start, until.saturating_duration_since(Instant::now()));
        if left.is_zero() || asker.left.is_empty() {
            asker.resent.complete |= asker.left.is_empty();
            return Ok(asker.resent);
        }
        let (replies, lost) = ask(node, &asker, left).await?;
        asker.resent.complete = false;
        let more = asker.listen(replies, take).await;
        asker.resent.wrong += u64::try_from(lost.load(Ordering::Relaxed)).unwrap_or(u64::MAX);
        if asker.left.start == from || !more {
            return Ok(asker.resent);
        }
    }
}

type Replies = mpsc::Receiver<Reply>;

/// One question. zenoh's threads only hand over, and no more than an honest robot would send.
async fn ask(node: &Node, asker: &Asker<'_>, timeout: Duration) -> Result<(Replies, Arc<AtomicUsize>), IngestError> {
    let key = format!("{}/{}", resend_key(&asker.key.field, &asker.key.robot), asker.key.stream);
    let (sender, replies) = mpsc::channel(RESEND_SAMPLES_MAX + 1);
    let (lost, bytes) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let counted = Arc::clone(&lost);
    let hand_over = move |reply: Reply| {
        let size = reply.result().map_or_else(|error| error.payload().len(), |sample| sample.payload().len());
        let size = bytes.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        if size > RESEND_BYTES_MAX + PAYLOAD_BYTES_MAX || sender.try_send(reply).is_err() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    };
    let selector = format!("{key}?boot={};from={};to={}", asker.boot, asker.left.start, asker.left.end);
    // Answers take the question's priority: samples of now come before samples of then.
    let get = node.session().get(selector).target(QueryTarget::All).consolidation(ConsolidationMode::None);
    let get = get.priority(Priority::DataLow).congestion_control(CongestionControl::Block).timeout(timeout);
    get.callback(hand_over).await.map_err(|e| IngestError::Send { key, reason: reason(&e) })?;
    Ok((replies, lost))
}

struct Asker<'a> {
    key: &'a Arc<StreamKey>,
    boot: u64,
    /// What has not come yet.
    left: Range<u64>,
    encoding: Option<(Encoding, Arc<str>)>,
    resent: Resent,
}

impl Asker<'_> {
    /// Passes one answer on; true when asking again may bring more.
    async fn listen(&mut self, mut replies: Replies, take: &mut (dyn FnMut(Received) + Send)) -> bool {
        let mut closing = None;
        while let Some(reply) = replies.recv().await {
            let Ok(sample) = reply.result() else {
                self.resent.wrong += 1;
                continue;
            };
            if let Some(received) = self.sample(sample) {
                take(received);
            } else if let Some(last) = closing_of(sample) {
                closing = Some(last);
            } else {
                self.resent.wrong += 1;
            }
        }
        let Some(closing) = closing else { return true };
        self.resent.complete = !closing.more;
        self.resent.held_from = closing.held_from.filter(|_| closing.boot == self.boot);
        closing.more
    }

    /// The sample of a reply, if it is one that was asked for.
    fn sample(&mut self, sample: &Sample) -> Option<Received> {
        let attachment = sample.attachment().filter(|attachment| attachment.len() == HEADER_BYTES)?.to_bytes().into_owned();
        if sample.payload().len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        let payload = sample.payload().to_bytes().into_owned();
        let header = SampleHeader::decode_checked(&attachment, &payload).ok()?;
        let is_asked = header.boot == self.boot && header.next_seq() > self.left.start && header.seq < self.left.end;
        if !is_asked || header.rows == 0 {
            return None;
        }
        self.left.start = header.next_seq();
        self.resent.samples += 1;
        self.resent.rows += u64::from(header.rows);
        self.resent.bytes += payload.len() as u64;
        let encoding = match &self.encoding {
            Some((known, text)) if known == sample.encoding() => Arc::clone(text),
            _ => {
                let text: Arc<str> = Arc::from(sample.encoding().to_string());
                self.encoding = Some((sample.encoding().clone(), Arc::clone(&text)));
                text
            }
        };
        let (attachment, payload) = (Bytes::from(attachment), Bytes::from(payload));
        Some(Received { key: Arc::clone(self.key), encoding, attachment, payload, recv_ns: now_ns() })
    }
}

fn closing_of(sample: &Sample) -> Option<Closing> {
    let is_closing = sample.attachment().is_none() && sample.payload().len() <= CLOSING_BYTES_MAX;
    is_closing.then(|| serde_json::from_slice(&sample.payload().to_bytes()).ok()).flatten()
}
