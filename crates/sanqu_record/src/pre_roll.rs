use std::collections::{BTreeMap, VecDeque};

use sanqu_ingest::Received;
use sanqu_model::StreamName;
use sanqu_wire::{ENCODING_H264, ENCODING_H265, SampleHeader};

/// Video without a key frame within this time before the pre-roll is cut like everything else.
const GOP_REACH_NS: i64 = 5_000_000_000;

/// The last seconds of one robot, so that an episode can begin before it was started.
///
/// Bounded in time and in bytes. Video reaches back to the last key frame before the bound, because nothing after it
/// could be decoded without it.
pub(crate) struct PreRoll {
    span_ns: i64,
    bytes_max: usize,
    bytes: usize,
    streams: BTreeMap<StreamName, VecDeque<Held>>,
}

/// A sample that is held back.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) sample: Received,
    pub(crate) header: Option<SampleHeader>,
}

impl PreRoll {
    pub(crate) fn new(span_ns: i64, bytes_max: usize) -> Self {
        Self { span_ns, bytes_max, bytes: 0, streams: BTreeMap::new() }
    }

    pub(crate) fn push(&mut self, held: Held) {
        let now_ns = held.sample.recv_ns;
        self.bytes += cost(&held);
        if !self.streams.contains_key(&held.sample.key.stream) {
            self.streams.insert(held.sample.key.stream.clone(), VecDeque::new());
        }
        if let Some(stream) = self.streams.get_mut(&held.sample.key.stream) {
            stream.push_back(held);
            self.bytes -= trim(stream, now_ns - self.span_ns);
        }
        while self.bytes > self.bytes_max {
            let oldest = self.streams.values_mut().min_by_key(|stream| stream.front().map_or(i64::MAX, |held| held.sample.recv_ns));
            let Some(dropped) = oldest.and_then(VecDeque::pop_front) else { break };
            self.bytes -= cost(&dropped);
        }
    }

    /// What belongs to an episode that starts at `start_ns`, in order of arrival.
    pub(crate) fn at(&mut self, start_ns: i64) -> Vec<Held> {
        for stream in self.streams.values_mut() {
            self.bytes -= trim(stream, start_ns - self.span_ns);
        }
        let mut held: Vec<Held> = self.streams.values().flatten().cloned().collect();
        held.sort_by_key(|held| held.sample.recv_ns);
        held
    }
}

fn cost(held: &Held) -> usize {
    held.sample.payload.len() + held.sample.attachment.len() + size_of::<Held>()
}

/// Drops what is older than `cutoff_ns` and not needed to decode what follows; returns the bytes that were given back.
fn trim(stream: &mut VecDeque<Held>, cutoff_ns: i64) -> usize {
    let recv_ns = |held: &Held| held.sample.recv_ns;
    let mut keep_from = stream.iter().position(|held| recv_ns(held) >= cutoff_ns).unwrap_or(stream.len());
    let needs_key = keep_from < stream.len() && stream.front().is_some_and(is_predicted);
    if needs_key {
        let reach = |held: &Held| recv_ns(held) >= cutoff_ns - GOP_REACH_NS;
        let is_key = |held: &Held| held.header.is_some_and(|header| header.keyframe());
        // A key frame that is the first within the bound needs nothing before it.
        let last = if is_key(&stream[keep_from]) { None } else { (0..keep_from).rev().find(|i| is_key(&stream[*i]) && reach(&stream[*i])) };
        keep_from = last.unwrap_or(keep_from);
    }
    stream.drain(..keep_from).map(|held| cost(&held)).sum()
}

fn is_predicted(held: &Held) -> bool {
    matches!(&*held.sample.encoding, ENCODING_H264 | ENCODING_H265)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use sanqu_wire::FLAG_KEYFRAME;

    fn held(stream: &str, recv_ns: i64, keyframe: bool) -> Held {
        let encoding = if stream.starts_with("camera") { ENCODING_H264 } else { "x" };
        let key = format!("sanqu/desk/kuavo-01/{stream}").parse().unwrap();
        let sample = Received {
            key: std::sync::Arc::new(key),
            encoding: encoding.into(),
            attachment: Bytes::new(),
            payload: Bytes::from_static(b"0123456789"),
            recv_ns,
        };
        let flags = if keyframe { FLAG_KEYFRAME } else { 0 };
        Held { sample, header: Some(SampleHeader { flags, rows: 1, ..SampleHeader::default() }) }
    }

    /// Samples are `<stream> <receive time> [key]`; the span is 100 ns.
    #[track_caller]
    fn check(samples: &[(&str, i64, bool)], start_ns: i64, expect: &[i64]) {
        let mut pre_roll = PreRoll::new(100, usize::MAX);
        for (stream, recv_ns, keyframe) in samples {
            pre_roll.push(held(stream, *recv_ns, *keyframe));
        }
        let kept: Vec<i64> = pre_roll.at(start_ns).iter().map(|held| held.sample.recv_ns).collect();
        assert_eq!(kept, expect);
        assert_eq!(pre_roll.bytes, kept.len() * cost(&held("joint", 0, false)));
    }

    #[test]
    fn rows_are_kept_by_time_in_order_of_arrival() {
        check(&[("joint", 0, false), ("motor", 50, false), ("joint", 100, false), ("motor", 149, false)], 150, &[50, 100, 149]);
        check(&[("joint", 0, false)], 1000, &[]);
    }

    #[test]
    fn video_reaches_back_to_its_key_frame() {
        let frames = [("camera/head", 0, true), ("camera/head", 30, true), ("camera/head", 60, false), ("camera/head", 120, false)];
        check(&frames, 180, &[30, 60, 120]);
        check(&frames, 160, &[30, 60, 120]);
        let aligned = [("camera/head", 0, true), ("camera/head", 60, true), ("camera/head", 120, false)];
        check(&aligned, 160, &[60, 120]);
        check(&frames, 221, &[]);
        let no_key = [("camera/head", 0, false), ("camera/head", 60, false)];
        check(&no_key, 140, &[60]);
    }

    #[test]
    fn bytes_are_bounded_and_the_oldest_go_first() {
        let one = cost(&held("joint", 0, false));
        let mut pre_roll = PreRoll::new(1000, 2 * one);
        for (stream, recv_ns) in [("joint", 1), ("motor", 2), ("joint", 3), ("joint", 4)] {
            pre_roll.push(held(stream, recv_ns, false));
        }
        assert_eq!(pre_roll.at(5).iter().map(|held| held.sample.recv_ns).collect::<Vec<_>>(), [3, 4]);
    }
}
