use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanqu_model::StreamKey;
use sanqu_wire::SampleHeader;

use crate::Received;

/// The most samples that wait in an intake, whatever their size.
pub const QUEUE_SAMPLES_MAX: usize = 1 << 18;

/// The most separate ranges that are remembered per stream and boot until they are taken; then the last one grows over
/// what lies between.
const RANGES_MAX: usize = 1024;

/// What a sample costs beside its bytes: queue entry and reference counts.
const SAMPLE_OVERHEAD_BYTES: usize = 192;

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

/// A queue bounded in bytes and in samples. Pushing never waits: what does not fit is counted.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    bytes_max: usize,
}

#[derive(Default)]
struct State {
    samples: VecDeque<Received>,
    bytes: usize,
    woken: bool,
    refused: BTreeMap<(Arc<StreamKey>, Option<u64>, RefusedReason), Vec<Range>>,
}

struct Range {
    rows: Option<(u64, u64)>,
    samples: u64,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), bytes_max }
    }

    /// Nothing under this lock can panic half-way, so a poisoned lock still guards a whole state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, sample: Received) {
        let cost = sample.payload.len() + sample.attachment.len() + SAMPLE_OVERHEAD_BYTES;
        let mut state = self.lock();
        if state.bytes + cost > self.bytes_max || state.samples.len() >= QUEUE_SAMPLES_MAX {
            state.refuse(sample.key, &sample.attachment, RefusedReason::QueueFull);
            return;
        }
        state.bytes += cost;
        state.samples.push_back(sample);
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn refuse(&self, key: Arc<StreamKey>, attachment: &[u8], reason: RefusedReason) {
        self.lock().refuse(key, attachment, reason);
        self.changed.notify_one();
    }

    pub(crate) fn pop(&self, wait: Duration) -> Option<Received> {
        let mut state = self.lock();
        if state.samples.is_empty() && !state.woken {
            let idle = |state: &mut State| state.samples.is_empty() && !state.woken;
            state = self.changed.wait_timeout_while(state, wait, idle).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.woken = false;
        let sample = state.samples.pop_front()?;
        state.bytes -= sample.payload.len() + sample.attachment.len() + SAMPLE_OVERHEAD_BYTES;
        Some(sample)
    }

    pub(crate) fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_one();
    }

    pub(crate) fn take_refused(&self) -> Vec<Refused> {
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

    /// Waiting samples and their bytes.
    pub(crate) fn fill(&self) -> (usize, usize) {
        let state = self.lock();
        (state.samples.len(), state.bytes)
    }
}

impl State {
    fn refuse(&mut self, key: Arc<StreamKey>, attachment: &[u8], reason: RefusedReason) {
        let header = SampleHeader::decode(attachment).ok();
        let rows = header.as_ref().map(|header| (header.seq, header.seq.saturating_add(u64::from(header.rows))));
        let ranges = self.refused.entry((key, header.map(|header| header.boot), reason)).or_default();
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
    use super::*;
    use bytes::Bytes;

    fn sample(seq: u64, rows: u32, payload: &'static [u8]) -> Received {
        let header = SampleHeader { flags: 0, rows, boot: 7, seq, capture_ns: 0, clock: 1, schema_id: 0 };
        Received {
            key: Arc::new("sanqu/desk/kuavo-01/joint".parse().unwrap()),
            encoding: "x".into(),
            attachment: Bytes::copy_from_slice(&header.encode(payload)),
            payload: Bytes::from_static(payload),
            recv_ns: 0,
        }
    }

    #[test]
    fn overflow_is_counted_in_ranges() {
        let queue = Queue::new(2 * (48 + 4 + SAMPLE_OVERHEAD_BYTES));
        for seq in [0, 10, 20, 30, 50] {
            queue.push(sample(seq, 10, b"four"));
        }
        assert_eq!(queue.fill().0, 2, "two samples fit");
        let refused = queue.take_refused();
        let ranges: Vec<_> = refused.iter().map(|r| (r.boot, r.from_seq, r.to_seq, r.samples, r.reason)).collect();
        let full = RefusedReason::QueueFull;
        assert_eq!(ranges, [(Some(7), Some(20), Some(40), 2, full), (Some(7), Some(50), Some(60), 1, full)]);
        assert!(queue.take_refused().is_empty(), "taken once");
        assert_eq!(queue.pop(Duration::ZERO).map(|s| s.recv_ns), Some(0));
        queue.push(sample(60, 10, b"four"));
        assert!(queue.take_refused().is_empty(), "there is room again");
    }

    #[test]
    fn samples_without_header_are_counted_without_range() {
        let queue = Queue::new(0);
        for _ in 0..3 {
            queue.push(Received { attachment: Bytes::new(), ..sample(0, 1, b"") });
        }
        let refused = queue.take_refused();
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].boot, refused[0].from_seq, refused[0].samples), (None, None, 3));
    }

    #[test]
    fn waking_ends_the_wait_without_a_sample() {
        let queue = Queue::new(1024);
        queue.wake();
        assert!(queue.pop(Duration::from_secs(3600)).is_none());
    }
}
