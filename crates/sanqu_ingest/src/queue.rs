use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanqu_model::StreamKey;
use sanqu_wire::SampleHeader;

use crate::batch::{Batch, Slot};
use crate::{Arrived, Received};

/// The most samples that wait in a queue, whatever their size.
pub const QUEUE_SAMPLES_MAX: usize = 1 << 18;

/// The most separate ranges that are remembered per stream and boot until they are taken; then the last one grows over
/// what lies between.
const RANGES_MAX: usize = 1024;

/// A queue that holds this much wakes its taker before its time, so that a burst is written while it comes in.
const WAKE_BYTES_MAX: usize = 4 << 20;

/// Emptied batches that wait to be filled again, and the largest that is kept: what is in use already is warm.
const SPARES_MAX: usize = 4;
const SPARE_BYTES_MAX: usize = 8 << 20;

/// Why a sample was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusedReason {
    /// The queue was full: the recorder was too slow.
    QueueFull,
    /// The payload was larger than [`sanqu_wire::PAYLOAD_BYTES_MAX`], or the attachment than any header.
    TooLarge,
}

/// Samples of one stream and boot that arrived and were not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The stream.
    pub key: Arc<StreamKey>,
    /// The publisher's boot; none when the samples carried no header.
    pub boot: Option<u64>,
    /// First row of the range; none without a header.
    pub from_seq: Option<u64>,
    /// One past the last row; none without a header.
    pub to_seq: Option<u64>,
    /// How many samples (payloads).
    pub samples: u64,
    /// Why.
    pub reason: RefusedReason,
}

/// What waits in a queue, and the most that ever did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Samples that wait.
    pub samples: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The most bytes that waited at any time.
    pub bytes_high: usize,
}

/// A queue bounded in bytes and in samples. Pushing never waits: what does not fit is counted. The taker takes everything
/// at once; the queues of several stations wake nobody for a sample, their takers come in their own time.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// What this queue may hold whatever the others do.
    share_bytes: usize,
    /// What is left for whoever needs more than its share.
    common_bytes: Arc<AtomicUsize>,
    wake_bytes: usize,
}

#[derive(Default)]
struct State {
    batch: Batch,
    spares: Vec<Batch>,
    bytes_high: usize,
    /// What batches held lately, so that the next one need not grow.
    usual_bytes: usize,
    /// Taken from `common_bytes` for what waits.
    borrowed_bytes: usize,
    woken: bool,
    refused: BTreeMap<(Arc<StreamKey>, Option<u64>, RefusedReason), Vec<Range>>,
}

struct Range {
    rows: Option<(u64, u64)>,
    samples: u64,
}

impl Queue {
    /// A queue by itself, of at most `bytes_max`, whose taker is woken for every sample.
    pub fn new(bytes_max: usize) -> Self {
        Self { wake_bytes: 1, ..Self::with(bytes_max, Arc::default()) }
    }

    /// `count` queues that hold `bytes_max` together: half of it is shared out evenly and nobody else's, the other half is
    /// lent to the queues that need more than that.
    pub(crate) fn several(count: usize, bytes_max: usize) -> Vec<Arc<Self>> {
        let share_bytes = bytes_max / 2 / count.max(1);
        let common_bytes = Arc::new(AtomicUsize::new(bytes_max - share_bytes * count));
        (0..count).map(|_| Arc::new(Self::with(share_bytes, Arc::clone(&common_bytes)))).collect()
    }

    fn with(share_bytes: usize, common_bytes: Arc<AtomicUsize>) -> Self {
        let wake_bytes = (share_bytes / 2).min(WAKE_BYTES_MAX);
        Self { state: Mutex::default(), changed: Condvar::new(), share_bytes, common_bytes, wake_bytes }
    }

    /// Nothing under this lock can panic half-way, so a poisoned lock still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample that somebody else received, such as one that was sent again.
    pub fn push(&self, sample: &Received, resent: bool) {
        let arrived = Arrived {
            key: &sample.key,
            encoding: &sample.encoding,
            attachment: &sample.attachment,
            payload: &sample.payload,
            recv_ns: sample.recv_ns,
            resent,
        };
        self.push_pieces(&arrived, sample.payload.len(), std::iter::once(&sample.payload[..]));
    }

    /// Takes a sample whose payload lies in `pieces` of `payload_bytes` together; the payload of `sample` is not looked at.
    pub(crate) fn push_pieces<'a>(&self, sample: &Arrived<'_>, payload_bytes: usize, pieces: impl Iterator<Item = &'a [u8]>) {
        let cost = size_of::<Slot>() + sample.attachment.len() + payload_bytes;
        let mut state = self.lock();
        if state.batch.len() >= QUEUE_SAMPLES_MAX || !self.find_room(&mut state, cost) {
            return state.refuse(sample.key, sample.attachment, RefusedReason::QueueFull);
        }
        let before = state.batch.bytes();
        state.batch.push(sample, pieces);
        let after = state.batch.bytes();
        state.bytes_high = state.bytes_high.max(after);
        drop(state);
        if before < self.wake_bytes && after >= self.wake_bytes {
            self.changed.notify_one();
        }
    }

    fn find_room(&self, state: &mut State, cost: usize) -> bool {
        let wanted = (state.batch.bytes() + cost).saturating_sub(self.share_bytes).saturating_sub(state.borrowed_bytes);
        let lend = |left: usize| left.checked_sub(wanted);
        if wanted > 0 && self.common_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, lend).is_err() {
            return false;
        }
        state.borrowed_bytes += wanted;
        true
    }

    pub(crate) fn refuse(&self, key: &Arc<StreamKey>, attachment: &[u8], reason: RefusedReason) {
        self.lock().refuse(key, attachment, reason);
    }

    /// Everything that waits, in order of arrival: after `wait`, or earlier when much waits or [`Queue::wake`] was called.
    pub fn take(&self, wait: Duration) -> Batch {
        let idle = |state: &mut State| state.batch.bytes() < self.wake_bytes && !state.woken;
        let waited = self.changed.wait_timeout_while(self.lock(), wait, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.woken = false;
        self.swap(&mut state)
    }

    /// Everything that waits now. Leaves a [`Queue::wake`] to the next [`Queue::take`].
    pub fn take_now(&self) -> Batch {
        self.swap(&mut self.lock())
    }

    fn swap(&self, state: &mut State) -> Batch {
        self.common_bytes.fetch_add(std::mem::take(&mut state.borrowed_bytes), Ordering::AcqRel);
        if state.batch.is_empty() {
            return Batch::default();
        }
        state.usual_bytes = state.batch.bytes().max(state.usual_bytes - state.usual_bytes / 16).min(SPARE_BYTES_MAX);
        let spare = state.spares.pop().filter(|spare| spare.room() >= state.usual_bytes);
        // Growing copies what is there again and again; another piece of memory does not.
        let empty = spare.unwrap_or_else(|| Batch::with_room(state.usual_bytes + state.usual_bytes / 8));
        std::mem::replace(&mut state.batch, empty)
    }

    /// Takes a batch back that is not needed any more, so that its memory is used again.
    pub fn give_back(&self, mut batch: Batch) {
        batch.clear();
        let mut state = self.lock();
        if state.spares.len() < SPARES_MAX && (state.usual_bytes..=2 * SPARE_BYTES_MAX).contains(&batch.room()) {
            state.spares.push(batch);
        }
    }

    /// Ends a running or the next [`Queue::take`] early, because there is something else to do.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_one();
    }

    /// What was refused since the last call, sorted by stream.
    pub fn take_refused(&self) -> Vec<Refused> {
        let taken = std::mem::take(&mut self.lock().refused);
        let flat = |((key, boot, reason), ranges): ((Arc<StreamKey>, Option<u64>, RefusedReason), Vec<Range>)| {
            ranges.into_iter().map(move |range| Refused {
                key: Arc::clone(&key),
                boot,
                from_seq: range.rows.map(|(from, _)| from),
                to_seq: range.rows.map(|(_, to)| to),
                samples: range.samples,
                reason,
            })
        };
        taken.into_iter().flat_map(flat).collect()
    }

    /// What waits.
    pub fn fill(&self) -> Fill {
        let state = self.lock();
        Fill { samples: state.batch.len(), bytes: state.batch.bytes(), bytes_high: state.bytes_high }
    }
}

impl State {
    fn refuse(&mut self, key: &Arc<StreamKey>, attachment: &[u8], reason: RefusedReason) {
        let header = SampleHeader::decode(attachment).ok();
        let rows = header.as_ref().map(|header| (header.seq, header.next_seq()));
        let ranges = self.refused.entry((Arc::clone(key), header.map(|header| header.boot), reason)).or_default();
        let full = ranges.len() >= RANGES_MAX;
        match (ranges.last_mut(), rows) {
            (Some(last @ Range { rows: None, .. }), None) => last.samples += 1,
            (Some(Range { rows: Some(last), samples }), Some(rows)) if last.1 == rows.0 || full => {
                *last = (last.0.min(rows.0), last.1.max(rows.1));
                *samples += 1;
            }
            _ => ranges.push(Range { rows, samples: 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn sample(seq: u64, rows: u32, payload: &'static [u8]) -> Received {
        let header = SampleHeader { boot: 7, seq, rows, ..SampleHeader::default() };
        let recv_ns = i64::try_from(seq).unwrap();
        Received {
            key: Arc::new("sanqu/desk/kuavo-01/joint".parse().unwrap()),
            encoding: "x".into(),
            attachment: Bytes::copy_from_slice(&header.encode(payload)),
            payload: Bytes::from_static(payload),
            recv_ns,
        }
    }

    fn cost() -> usize {
        size_of::<Slot>() + 48 + 5
    }

    fn push(queue: &Queue, seqs: impl IntoIterator<Item = u64>) {
        seqs.into_iter().for_each(|seq| queue.push(&sample(seq, 10, b"bytes"), false));
    }

    /// Which rows the queue has taken, and which ranges it has refused.
    #[track_caller]
    fn check(queue: &Queue, taken: &[i64], refused: &[(u64, u64)]) {
        let ranges: Vec<_> = queue.take_refused().iter().map(|r| (r.from_seq.unwrap(), r.to_seq.unwrap())).collect();
        assert_eq!(ranges, refused);
        let batch = queue.take_now();
        assert_eq!(batch.iter().map(|sample| sample.recv_ns).collect::<Vec<_>>(), taken);
        assert!(batch.iter().all(|sample| sample.payload == b"bytes" && sample.attachment.len() == 48));
        queue.give_back(batch);
    }

    #[test]
    fn what_does_not_fit_is_counted_by_range() {
        let queue = Queue::new(2 * cost());
        push(&queue, [0, 10, 20, 30, 50]);
        check(&queue, &[0, 10], &[(20, 40), (50, 60)]);
        push(&queue, [60]);
        check(&queue, &[60], &[]);
        assert_eq!((queue.fill().bytes, queue.fill().bytes_high), (0, 2 * cost()));
    }

    #[test]
    fn a_flooded_queue_leaves_the_others_their_share() {
        let queues = Queue::several(2, 8 * cost());
        push(&queues[0], (0..10).map(|n| n * 10));
        push(&queues[1], (0..4).map(|n| n * 10));
        check(&queues[1], &[0, 10], &[(20, 40)]);
        check(&queues[0], &[0, 10, 20, 30, 40, 50], &[(60, 100)]);
        // What was lent came back.
        push(&queues[1], (0..7).map(|n| n * 10));
        check(&queues[1], &[0, 10, 20, 30, 40, 50], &[(60, 70)]);
    }

    #[test]
    fn a_batch_has_room_for_what_came_last_time() {
        let queue = Queue::new(1 << 20);
        let fill = |samples: u64, room: usize| {
            push(&queue, (0..samples).map(|n| n * 10));
            let batch = queue.take_now();
            assert!(batch.room() >= room, "{} < {room}", batch.room());
            queue.give_back(batch);
        };
        fill(50, 0);
        // The batch in use was swapped in before anything was known.
        fill(1, 0);
        fill(1, 45 * cost());
        fill(0, 0);
        fill(1, 40 * cost());
    }

    #[test]
    fn samples_without_header_are_counted_without_range() {
        let queue = Queue::new(0);
        for _ in 0..3 {
            queue.push(&Received { attachment: Bytes::new(), ..sample(0, 1, b"") }, false);
        }
        let refused = queue.take_refused();
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].boot, refused[0].from_seq, refused[0].samples), (None, None, 3));
    }

    #[test]
    fn a_wake_or_a_burst_ends_the_wait_and_a_sample_does_not() {
        let queue = Queue::several(1, 200 * cost()).remove(0);
        push(&queue, [0]);
        assert_eq!(queue.take(Duration::from_millis(1)).len(), 1);
        queue.wake();
        assert_eq!((queue.take_now().len(), queue.take(Duration::from_secs(3600)).len()), (0, 0));
        push(&queue, (0..50).map(|n| n * 10));
        assert_eq!(queue.take(Duration::from_secs(3600)).len(), 50);
        let eager = Queue::new(cost());
        push(&eager, [0]);
        assert_eq!(eager.take(Duration::from_secs(3600)).len(), 1);
    }
}
