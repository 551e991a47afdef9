use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanqu_ingest::Received;
use sanqu_model::{StreamKey, StreamKind};
use sanqu_wire::{ENCODING_H264, ENCODING_H265, SampleHeader};

/// Bytes a sample costs beside its payload.
const SAMPLE_OVERHEAD_BYTES: usize = 256;

/// The most streams whose numbering is followed; a field has some hundreds.
const FOLLOWED_MAX: usize = 4096;

/// Samples on their way to one output, bounded in bytes. When it is full the oldest go; of a video stream everything up to
/// the next keyframe goes with them, because it could not be decoded. So it does where samples did not come: a router
/// drops what a viewer's line does not take.
pub(crate) struct Queue {
    bytes_max: usize,
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Default)]
struct State {
    samples: VecDeque<Received>,
    bytes: usize,
    /// Video streams that wait for a keyframe.
    broken: BTreeSet<Arc<StreamKey>>,
    dropped: BTreeMap<Arc<StreamKey>, u64>,
    /// Boot and next sequence of each stream.
    expected: BTreeMap<Arc<StreamKey>, (u64, u64)>,
    missing_rows: u64,
    closed: bool,
}

/// What [`Queue::pop`] found.
pub(crate) enum Popped {
    /// The oldest sample.
    Sample(Received),
    /// Nothing came in time.
    Idle,
    /// Nothing is left and nothing will come.
    Closed,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default(), ready: Condvar::new() }
    }

    /// Appends a sample; never waits.
    pub(crate) fn push(&self, sample: Received) {
        let mut state = self.lock();
        if state.misses_before(&sample) && is_video(&sample) {
            state.broken.insert(Arc::clone(&sample.key));
        }
        if is_video(&sample) && state.broken.contains(&sample.key) {
            if !is_keyframe(&sample) {
                state.count(&sample.key);
                return;
            }
            state.broken.remove(&sample.key);
        }
        state.bytes += cost(&sample);
        state.samples.push_back(sample);
        while state.bytes > self.bytes_max && state.samples.len() > 1 {
            state.drop_oldest();
        }
        drop(state);
        self.ready.notify_one();
    }

    /// The oldest sample; waits for one up to `wait`.
    pub(crate) fn pop(&self, wait: Duration) -> Popped {
        let state = self.lock();
        let (mut state, _) = self
            .ready
            .wait_timeout_while(state, wait, |state| state.samples.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match state.samples.pop_front() {
            Some(sample) => {
                state.bytes -= cost(&sample);
                Popped::Sample(sample)
            }
            None if state.closed => Popped::Closed,
            None => Popped::Idle,
        }
    }

    /// Ends the queue: what waits is still handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Samples dropped so far.
    pub(crate) fn dropped_total(&self) -> u64 {
        self.lock().dropped.values().sum()
    }

    /// Samples of one stream dropped so far.
    pub(crate) fn dropped_of(&self, key: &Arc<StreamKey>) -> u64 {
        self.lock().dropped.get(key).copied().unwrap_or(0)
    }

    /// Rows that did not come, as the numbering of what came tells.
    pub(crate) fn missing_rows(&self) -> u64 {
        self.lock().missing_rows
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether samples of this stream are missing just before this one; they are counted.
    fn misses_before(&mut self, sample: &Received) -> bool {
        let Ok(header) = SampleHeader::decode(&sample.attachment) else { return false };
        let before = self.expected.get(&sample.key).copied();
        let known = before.filter(|(boot, _)| *boot == header.boot).map(|(_, next)| next);
        if before.is_some() || self.expected.len() < FOLLOWED_MAX {
            // What comes twice, as it may where a link was replaced, is no step back.
            let next = known.unwrap_or(0).max(header.next_seq());
            self.expected.insert(Arc::clone(&sample.key), (header.boot, next));
        }
        let Some(next) = known else { return false };
        let missing = header.seq.saturating_sub(next);
        self.missing_rows = self.missing_rows.saturating_add(missing);
        missing > 0
    }

    fn count(&mut self, key: &Arc<StreamKey>) {
        *self.dropped.entry(Arc::clone(key)).or_default() += 1;
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.samples.pop_front() else { return };
        self.bytes -= cost(&oldest);
        self.count(&oldest.key);
        if !is_video(&oldest) {
            return;
        }
        let mut waiting = true;
        let (mut bytes, mut count) = (0, 0);
        self.samples.retain(|sample| {
            if !waiting || sample.key != oldest.key {
                return true;
            }
            waiting = !is_keyframe(sample);
            if waiting {
                bytes += cost(sample);
                count += 1;
            }
            !waiting
        });
        self.bytes -= bytes;
        *self.dropped.entry(Arc::clone(&oldest.key)).or_default() += count;
        if waiting {
            self.broken.insert(oldest.key);
        }
    }
}

fn cost(sample: &Received) -> usize {
    sample.payload.len() + SAMPLE_OVERHEAD_BYTES
}

fn is_video(sample: &Received) -> bool {
    sample.key.stream.kind() == StreamKind::Camera && [ENCODING_H264, ENCODING_H265].contains(&&*sample.encoding)
}

/// Whether decoding can begin with this access unit: as the header says, or as the bytes say where there is no header.
pub(crate) fn is_keyframe(sample: &Received) -> bool {
    match SampleHeader::decode(&sample.attachment) {
        Ok(header) => header.keyframe(),
        Err(_) => sanqu_wire::h264::is_keyframe(&sample.payload),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sanqu_wire::FLAG_KEYFRAME;

    use super::*;

    fn sample(stream: &str, seq: u64, keyframe: bool) -> Received {
        let payload = vec![0; 1024 - SAMPLE_OVERHEAD_BYTES];
        let flags = if keyframe { FLAG_KEYFRAME } else { 0 };
        let header = SampleHeader { flags, rows: 1, boot: 1, seq, capture_ns: 0, clock: 1, schema_id: 0 };
        let encoding = if stream.starts_with("camera") { ENCODING_H264 } else { sanqu_wire::ENCODING_ARROW };
        Received {
            key: Arc::new(format!("sanqu/desk/kuavo-01/{stream}").parse().unwrap()),
            encoding: encoding.into(),
            attachment: Bytes::copy_from_slice(&header.encode(&payload)),
            payload: payload.into(),
            recv_ns: 0,
        }
    }

    /// Pushes into a queue of `slots` samples and checks what is left, the drops, and that nothing was missing on the way.
    #[track_caller]
    fn check(slots: usize, samples: &[(&str, u64, bool)], left: &[(&str, u64)], dropped: u64) {
        check_missing(slots, samples, left, (dropped, 0));
    }

    #[track_caller]
    fn check_missing(slots: usize, samples: &[(&str, u64, bool)], left: &[(&str, u64)], counts: (u64, u64)) {
        let queue = Queue::new(slots * 1024);
        for (stream, seq, keyframe) in samples {
            queue.push(sample(stream, *seq, *keyframe));
        }
        queue.close();
        let mut found = Vec::new();
        while let Popped::Sample(sample) = queue.pop(Duration::ZERO) {
            found.push((sample.key.stream.to_string(), SampleHeader::decode(&sample.attachment).unwrap().seq));
        }
        let left: Vec<(String, u64)> = left.iter().map(|(stream, seq)| ((*stream).to_owned(), *seq)).collect();
        assert_eq!(found, left);
        assert_eq!((queue.dropped_total(), queue.missing_rows()), counts);
    }

    #[test]
    fn what_did_not_come_is_counted() {
        check_missing(
            9,
            &[("joint", 7, false), ("joint", 8, false), ("joint", 12, false)],
            &[("joint", 7), ("joint", 8), ("joint", 12)],
            (0, 3),
        );
    }

    #[test]
    fn what_came_twice_hides_and_makes_no_hole() {
        let twice = [("joint", 7, false), ("joint", 8, false), ("joint", 7, false), ("joint", 9, false)];
        check_missing(9, &twice, &[("joint", 7), ("joint", 8), ("joint", 7), ("joint", 9)], (0, 0));
    }

    #[test]
    fn video_with_a_hole_waits_for_a_keyframe() {
        let samples = [("camera/head", 0, true), ("camera/head", 2, false), ("camera/head", 3, false), ("camera/head", 4, true)];
        check_missing(9, &samples, &[("camera/head", 0), ("camera/head", 4)], (2, 1));
        let hole_before_keyframe = [("camera/head", 0, true), ("camera/head", 2, true), ("camera/head", 3, false)];
        check_missing(9, &hole_before_keyframe, &[("camera/head", 0), ("camera/head", 2), ("camera/head", 3)], (0, 1));
    }

    #[test]
    fn another_start_of_a_robot_misses_nothing() {
        let queue = Queue::new(9 * 1024);
        queue.push(sample("joint", 7, false));
        let mut anew = sample("joint", 50, false);
        let header = SampleHeader { boot: 2, ..SampleHeader::decode(&anew.attachment).unwrap() };
        anew.attachment = Bytes::copy_from_slice(&header.encode(&anew.payload));
        queue.push(anew);
        assert_eq!(queue.missing_rows(), 0);
    }

    #[test]
    fn the_oldest_rows_go_first() {
        check(2, &[("joint", 0, false), ("joint", 1, false), ("joint", 2, false)], &[("joint", 1), ("joint", 2)], 1);
    }

    #[test]
    fn a_broken_picture_group_goes_as_a_whole() {
        let group =
            [("camera/head", 0, true), ("joint", 0, false), ("camera/head", 1, false), ("camera/head", 2, true), ("joint", 1, false)];
        check(4, &group, &[("joint", 0), ("camera/head", 2), ("joint", 1)], 2);
    }

    #[test]
    fn a_broken_stream_waits_for_a_keyframe() {
        let samples =
            [("camera/head", 0, true), ("joint", 0, false), ("joint", 1, false), ("camera/head", 1, false), ("camera/head", 2, true)];
        check(2, &samples, &[("joint", 1), ("camera/head", 2)], 3);
    }

    #[test]
    fn an_open_queue_is_idle_not_closed() {
        let queue = Queue::new(1024);
        assert!(matches!(queue.pop(Duration::ZERO), Popped::Idle));
        queue.close();
        assert!(matches!(queue.pop(Duration::from_secs(60)), Popped::Closed));
    }
}
