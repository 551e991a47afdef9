//! Samples in the order in which they were numbered, found again by stream and sequence. No clock, no lock, no network.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use sanqu_wire::HEADER_BYTES;

/// A sample that is held: in memory or on disk, as `P` says.
#[derive(Clone, Debug)]
pub(crate) struct Entry<P> {
    /// First row, and one past the last.
    pub(crate) rows: Range<u64>,
    pub(crate) header: [u8; HEADER_BYTES],
    /// When it was handed to the network, or, before that, numbered.
    pub(crate) since: Instant,
    /// What it costs.
    pub(crate) bytes: usize,
    pub(crate) place: P,
}

/// What left the ring at its old end.
#[derive(Debug)]
pub(crate) struct Popped<P> {
    pub(crate) stream: usize,
    pub(crate) entry: Entry<P>,
    /// It was never handed to the network.
    pub(crate) pending: bool,
}

/// All streams of one robot, oldest sample out first, whichever stream it is of. Streams and lanes are numbered by who
/// makes the ring; a lane is the streams that leave one behind the other. Everything but a search costs O(1).
#[derive(Debug)]
pub(crate) struct Ring<P> {
    shelves: Vec<Shelf<P>>,
    /// Per lane: the stream of each pending sample, oldest first.
    lanes: Vec<VecDeque<usize>>,
    /// The stream of each sample, oldest first.
    order: VecDeque<usize>,
    popped: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Shelf<P> {
    lane: usize,
    entries: VecDeque<Entry<P>>,
    /// How many of the newest have not left.
    pending: usize,
}

impl<P> Ring<P> {
    /// `lane_of` has the lane of each stream.
    pub(crate) fn new(lane_of: &[usize]) -> Self {
        let lanes = lane_of.iter().max().map_or(0, |last| last + 1);
        let shelf = |lane: &usize| Shelf { lane: *lane, entries: VecDeque::new(), pending: 0 };
        Self {
            shelves: lane_of.iter().map(shelf).collect(),
            lanes: (0..lanes).map(|_| VecDeque::new()).collect(),
            order: VecDeque::new(),
            popped: 0,
            bytes: 0,
        }
    }

    /// Adds the youngest sample of its stream.
    pub(crate) fn push(&mut self, stream: usize, entry: Entry<P>, pending: bool) {
        let Some(shelf) = self.shelves.get_mut(stream) else { return };
        self.bytes += entry.bytes;
        self.order.push_back(stream);
        shelf.entries.push_back(entry);
        if pending {
            shelf.pending += 1;
            self.lanes[shelf.lane].push_back(stream);
        }
    }

    /// The oldest sample of all, and whether it is pending.
    pub(crate) fn front(&self) -> Option<(&Entry<P>, bool)> {
        let shelf = &self.shelves[*self.order.front()?];
        Some((shelf.entries.front()?, shelf.pending == shelf.entries.len()))
    }

    /// Lets the oldest sample go.
    pub(crate) fn pop(&mut self) -> Option<Popped<P>> {
        let stream = self.order.pop_front()?;
        let shelf = &mut self.shelves[stream];
        let pending = shelf.pending == shelf.entries.len();
        let entry = shelf.entries.pop_front()?;
        if pending {
            shelf.pending -= 1;
            // The oldest of all is the oldest of its lane.
            self.lanes[shelf.lane].pop_front();
        }
        self.popped += 1;
        self.bytes -= entry.bytes;
        Some(Popped { stream, entry, pending })
    }

    /// The oldest pending sample of a lane, which from now on counts as gone to the network.
    pub(crate) fn take(&mut self, lane: usize, now: Instant) -> Option<(usize, &Entry<P>)> {
        let stream = self.lanes.get_mut(lane)?.pop_front()?;
        let shelf = &mut self.shelves[stream];
        let index = shelf.entries.len() - shelf.pending;
        let entry = shelf.entries.get_mut(index)?;
        entry.since = now;
        shelf.pending -= 1;
        Some((stream, entry))
    }

    /// The last sample taken of this stream did not leave after all; false when it is no longer held.
    pub(crate) fn untake(&mut self, stream: usize, seq: u64) -> bool {
        let Some(shelf) = self.shelves.get_mut(stream) else { return false };
        let taken = shelf.entries.len().checked_sub(shelf.pending + 1).and_then(|index| shelf.entries.get(index));
        let held = taken.is_some_and(|entry| entry.rows.start == seq);
        if held {
            shelf.pending += 1;
            self.lanes[shelf.lane].push_front(stream);
        }
        held
    }

    pub(crate) fn is_pending(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| !lane.is_empty())
    }

    /// How many samples have not left.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// The rows of a stream that have not left: one range, because a stream leaves in order.
    pub(crate) fn pending_rows(&self, stream: usize) -> Option<Range<u64>> {
        let shelf = self.shelves.get(stream)?;
        let first = shelf.entries.get(shelf.entries.len() - shelf.pending)?;
        Some(first.rows.start..shelf.entries.back()?.rows.end)
    }

    /// The samples of a stream that have rows of `range`, in order.
    pub(crate) fn find(&self, stream: usize, range: &Range<u64>) -> impl Iterator<Item = &Entry<P>> {
        let entries = self.shelves.get(stream).map(|shelf| &shelf.entries);
        let first = entries.map_or(0, |entries| entries.partition_point(|entry| entry.rows.end <= range.start));
        let end = range.end;
        entries.into_iter().flat_map(move |entries| entries.range(first..)).take_while(move |entry| entry.rows.start < end)
    }

    /// The lowest row of a stream that is held.
    pub(crate) fn held_from(&self, stream: usize) -> Option<u64> {
        Some(self.shelves.get(stream)?.entries.front()?.rows.start)
    }

    /// All samples, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<P>> {
        let mut next = vec![0; self.shelves.len()];
        self.order.iter().filter_map(move |stream| {
            let index = next[*stream];
            next[*stream] += 1;
            self.shelves[*stream].entries.get(index)
        })
    }

    /// How many samples have left at the old end: the number of the oldest one held, counted from the beginning.
    pub(crate) fn popped(&self) -> u64 {
        self.popped
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// The same in the plainest way: `(stream, first row, rows, has left)`.
    #[derive(Default)]
    struct Plain {
        samples: VecDeque<(usize, u64, u64, bool)>,
        next: [u64; 3],
        popped: u64,
    }

    const LANES: [usize; 3] = [0, 1, 0];

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize, u64, bool),
        Pop,
        Take(usize),
        Untake,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0usize..3, 1u64..5, any::<bool>()).prop_map(|(stream, rows, pending)| Step::Push(stream, rows, pending)),
            2 => Just(Step::Pop),
            3 => (0usize..2).prop_map(Step::Take),
            1 => Just(Step::Untake),
        ]
    }

    proptest! {
        #[test]
        fn the_ring_is_a_queue_of_all_streams(steps in prop::collection::vec(step(), 0..120), from in 0u64..60, length in 0u64..20) {
            let (mut ring, mut plain) = (Ring::new(&LANES), Plain::default());
            let mut taken: Option<(usize, u64)> = None;
            // Once something of a stream waits, all that follows waits: so does the outbox.
            for step in steps {
                match step {
                    Step::Push(stream, rows, pending) => {
                        let waits = plain.samples.iter().any(|s| s.0 == stream && !s.3);
                        let (pending, seq) = (pending || waits, plain.next[stream]);
                        let entry = Entry { rows: seq..seq + rows, header: [0; HEADER_BYTES], since: Instant::now(), bytes: 10, place: seq };
                        ring.push(stream, entry, pending);
                        plain.samples.push_back((stream, seq, rows, !pending));
                        plain.next[stream] += rows;
                    }
                    Step::Pop => {
                        prop_assert_eq!(ring.front().map(|(entry, pending)| (entry.place, pending)), plain.samples.front().map(|s| (s.1, !s.3)));
                        let popped = ring.pop().map(|popped| (popped.stream, popped.entry.place, popped.pending));
                        let expected = plain.samples.pop_front();
                        plain.popped += u64::from(expected.is_some());
                        prop_assert_eq!(popped, expected.map(|s| (s.0, s.1, !s.3)));
                    }
                    Step::Take(lane) => {
                        let expected = plain.samples.iter_mut().find(|s| LANES[s.0] == lane && !s.3);
                        taken = ring.take(lane, Instant::now()).map(|(stream, entry)| (stream, entry.place));
                        prop_assert_eq!(taken, expected.as_ref().map(|s| (s.0, s.1)));
                        expected.into_iter().for_each(|s| s.3 = true);
                    }
                    Step::Untake => {
                        let Some((stream, seq)) = taken.take() else { continue };
                        // Only the last one of its stream can come back, and only before its successors have left.
                        let last = plain.samples.iter().rev().find(|s| s.0 == stream && s.3).is_some_and(|s| s.1 == seq);
                        prop_assert_eq!(ring.untake(stream, seq), last);
                        plain.samples.iter_mut().filter(|s| last && s.0 == stream && s.1 == seq).for_each(|s| s.3 = false);
                    }
                }
                prop_assert_eq!((ring.len(), ring.bytes(), ring.popped()), (plain.samples.len(), plain.samples.len() * 10, plain.popped));
                prop_assert_eq!(ring.waiting(), plain.samples.iter().filter(|s| !s.3).count());
            }
            prop_assert_eq!(ring.iter().map(|entry| entry.place).collect::<Vec<_>>(), plain.samples.iter().map(|s| s.1).collect::<Vec<_>>());
            for stream in 0..3 {
                let mut of = plain.samples.iter().filter(|s| s.0 == stream);
                prop_assert_eq!(ring.held_from(stream), of.clone().next().map(|s| s.1));
                let waiting: Vec<_> = of.clone().filter(|s| !s.3).collect();
                let ends = waiting.first().zip(waiting.last()).map(|(first, last)| first.1..last.1 + last.2);
                prop_assert_eq!(ring.pending_rows(stream), ends);
                let found: Vec<u64> = ring.find(stream, &(from..from + length)).map(|entry| entry.place).collect();
                let expected: Vec<u64> = of.by_ref().filter(|s| s.1 + s.2 > from && s.1 < from + length).map(|s| s.1).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
