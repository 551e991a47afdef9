use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sanqu_ingest::{Arrived, Batch};
use sanqu_model::StreamKey;
use sanqu_wire::{ENCODING_H264, ENCODING_H265, SampleHeader};

/// Video without a key frame within this time before the pre-roll is cut like everything else.
const GOP_REACH_NS: i64 = 5_000_000_000;

/// The last seconds of a station, so that an episode can begin before it was started: whole batches, as they were taken.
///
/// Bounded in time and in bytes. Video reaches back to the last key frame before the bound, because nothing after it
/// could be decoded without it.
pub(crate) struct PreRoll {
    span_ns: i64,
    bytes_max: usize,
    bytes: usize,
    batches: VecDeque<Held>,
    /// Receive times of the key frames of each video stream, from the last one before the span on.
    keyframes: BTreeMap<Arc<StreamKey>, VecDeque<i64>>,
}

/// A batch that is held back, with what was found out about its samples.
pub(crate) struct Held {
    batch: Batch,
    marks: Vec<Mark>,
    /// The newest receive time.
    last_ns: i64,
}

/// What is known about a sample.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    /// None without one that can be believed.
    pub(crate) header: Option<SampleHeader>,
    /// Whether it belongs into an episode.
    pub(crate) is_data: bool,
}

impl PreRoll {
    pub(crate) fn new(span_ns: i64, bytes_max: usize) -> Self {
        Self { span_ns, bytes_max, bytes: 0, batches: VecDeque::new(), keyframes: BTreeMap::new() }
    }

    /// Holds a batch back; returns those that are not needed any more. There are as many marks as samples.
    pub(crate) fn push(&mut self, batch: Batch, marks: Vec<Mark>) -> impl Iterator<Item = Batch> {
        for (sample, mark) in batch.iter().zip(&marks) {
            if is_predicted(&sample) && mark.header.is_some_and(|header| header.keyframe()) {
                self.keyframes.entry(Arc::clone(sample.key)).or_default().push_back(sample.recv_ns);
            }
        }
        let last_ns = batch.iter().map(|sample| sample.recv_ns).max().unwrap_or(i64::MIN);
        self.bytes += cost(&batch);
        self.batches.push_back(Held { batch, marks, last_ns });
        let needed_ns = self.needed_from(last_ns.saturating_sub(self.span_ns));
        let mut gone = 0;
        for held in &self.batches {
            if held.last_ns >= needed_ns && self.bytes <= self.bytes_max {
                break;
            }
            self.bytes -= cost(&held.batch);
            gone += 1;
        }
        self.batches.drain(..gone).map(|held| held.batch)
    }

    /// Where the oldest stream begins that is needed for rows from `cutoff_ns` on.
    fn needed_from(&mut self, cutoff_ns: i64) -> i64 {
        let mut needed_ns = cutoff_ns;
        self.keyframes.retain(|_, times| {
            while times.get(1).is_some_and(|second| *second <= cutoff_ns) {
                times.pop_front();
            }
            times.front().is_some_and(|first| {
                if *first < cutoff_ns - GOP_REACH_NS {
                    return false;
                }
                needed_ns = needed_ns.min(*first);
                true
            })
        });
        needed_ns
    }

    /// Everything that is still there, in order of arrival.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Arrived<'_>, &Mark)> {
        self.batches.iter().flat_map(|held| held.batch.iter().zip(&held.marks)).filter(|(_, mark)| mark.is_data)
    }

    /// What belongs to an episode that starts at `start_ns`, in order of arrival.
    pub(crate) fn at(&self, start_ns: i64) -> Vec<(Arrived<'_>, &Mark)> {
        let cutoff_ns = start_ns.saturating_sub(self.span_ns);
        let mut streams: BTreeMap<&Arc<StreamKey>, Vec<(i64, bool, bool)>> = BTreeMap::new();
        for (sample, mark) in self.all() {
            let is_key = mark.header.is_some_and(|header| header.keyframe());
            streams.entry(sample.key).or_default().push((sample.recv_ns, is_predicted(&sample), is_key));
        }
        // How many samples of each stream are left out.
        let mut skip: BTreeMap<&Arc<StreamKey>, usize> =
            streams.into_iter().map(|(key, stream)| (key, begin(&stream, cutoff_ns))).collect();
        let is_kept = |(sample, _): &(Arrived<'_>, &Mark)| match skip.get_mut(sample.key) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        };
        self.all().filter(is_kept).collect()
    }
}

fn cost(batch: &Batch) -> usize {
    batch.bytes() + batch.len() * size_of::<Mark>()
}

/// The first sample of a stream that is not older than `cutoff_ns`, or is needed to decode what follows. Samples are
/// receive time, whether they are video, whether they are key frames.
fn begin(stream: &[(i64, bool, bool)], cutoff_ns: i64) -> usize {
    let first = stream.iter().position(|(recv_ns, ..)| *recv_ns >= cutoff_ns).unwrap_or(stream.len());
    match stream.get(first) {
        // A key frame that is the first within the bound needs nothing before it.
        Some((_, true, false)) => {
            let reaches = |(recv_ns, _, is_key): &(i64, bool, bool)| *is_key && *recv_ns >= cutoff_ns - GOP_REACH_NS;
            stream[..first].iter().rposition(reaches).unwrap_or(first)
        }
        _ => first,
    }
}

fn is_predicted(sample: &Arrived<'_>) -> bool {
    matches!(&**sample.encoding, ENCODING_H264 | ENCODING_H265)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sanqu_ingest::Received;
    use sanqu_wire::FLAG_KEYFRAME;

    use super::*;
    use crate::testing::batch_of;

    fn held(stream: &str, recv_ns: i64, keyframe: bool) -> (Batch, Vec<Mark>) {
        let encoding = if stream.starts_with("camera") { ENCODING_H264 } else { "x" };
        let sample = Received {
            key: Arc::new(format!("sanqu/desk/kuavo-01/{stream}").parse().unwrap()),
            encoding: encoding.into(),
            attachment: Bytes::new(),
            payload: Bytes::from_static(b"0123456789"),
            recv_ns,
        };
        let flags = if keyframe { FLAG_KEYFRAME } else { 0 };
        let mark = Mark { header: Some(SampleHeader { flags, rows: 1, ..SampleHeader::default() }), is_data: true };
        (batch_of(&[sample]), vec![mark])
    }

    /// Samples are `<stream> <receive time> [key]`, a batch each; the span is 100 ns. `kept` is how many batches are left.
    #[track_caller]
    fn check(samples: &[(&str, i64, bool)], start_ns: i64, expect: &[i64], kept: usize) {
        let mut pre_roll = PreRoll::new(100, usize::MAX);
        for (stream, recv_ns, keyframe) in samples {
            let (batch, marks) = held(stream, *recv_ns, *keyframe);
            pre_roll.push(batch, marks).for_each(drop);
        }
        assert_eq!(pre_roll.at(start_ns).iter().map(|(sample, _)| sample.recv_ns).collect::<Vec<_>>(), expect);
        assert_eq!(pre_roll.batches.len(), kept);
        assert_eq!(pre_roll.bytes, kept * cost(&held("joint", 0, false).0));
    }

    #[test]
    fn rows_are_kept_by_time_in_order_of_arrival() {
        check(&[("joint", 0, false), ("motor", 50, false), ("joint", 100, false), ("motor", 149, false)], 150, &[50, 100, 149], 3);
        check(&[("joint", 0, false)], 1000, &[], 1);
    }

    #[test]
    fn video_reaches_back_to_its_key_frame() {
        let frames = [("camera/head", 0, true), ("camera/head", 30, true), ("camera/head", 60, false), ("camera/head", 120, false)];
        check(&frames, 180, &[30, 60, 120], 4);
        check(&frames, 160, &[30, 60, 120], 4);
        let aligned = [("camera/head", 0, true), ("camera/head", 60, true), ("camera/head", 120, false)];
        check(&aligned, 160, &[60, 120], 3);
        check(&frames, 221, &[], 4);
        let no_key = [("camera/head", 0, false), ("camera/head", 60, false)];
        check(&no_key, 140, &[60], 2);
        let long_gone = [("camera/head", 0, true), ("camera/head", GOP_REACH_NS + 200, false), ("joint", GOP_REACH_NS + 310, false)];
        check(&long_gone, GOP_REACH_NS + 310, &[GOP_REACH_NS + 310], 1);
    }

    #[test]
    fn bytes_are_bounded_and_the_oldest_go_first() {
        let one = cost(&held("joint", 0, false).0);
        let mut pre_roll = PreRoll::new(1000, 2 * one);
        for (stream, recv_ns) in [("joint", 1), ("motor", 2), ("joint", 3), ("joint", 4)] {
            let (batch, marks) = held(stream, recv_ns, false);
            pre_roll.push(batch, marks).for_each(drop);
        }
        assert_eq!(pre_roll.at(5).iter().map(|(sample, _)| sample.recv_ns).collect::<Vec<_>>(), [3, 4]);
    }
}
