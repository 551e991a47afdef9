//! Where a payload's rows belong among those of its stream.

use sanqu_wire::pipe::PipeItem;

use crate::track::{Gap, Growth};

/// A clock that steps back by more than this begins the stream anew, ns. Less is bridged, as in recordings.
const STEP_BACK_NS: i64 = 1_000_000_000;

/// How far a stream's numbers and times are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbering {
    boot: Option<u64>,
    /// The number that the next row should have.
    next: Option<u64>,
    last_ns: Option<i64>,
}

/// What is to be done with a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its rows follow.
    Next(Growth),
    /// Its rows follow, but its clock is far behind the rows before, which cannot be shown beside them.
    Anew(Growth),
    /// Its rows were there before.
    Repeated,
}

impl Numbering {
    /// Places rows that were captured at these times (field timeline, ns; at least one).
    pub(super) fn place(&mut self, item: &PipeItem, t_ns: Vec<i64>) -> Place {
        let (Some(first_ns), Some(newest_ns)) = (t_ns.first().copied(), t_ns.iter().copied().max()) else { return Place::Repeated };
        let same_boot = self.boot == item.boot;
        if let (true, Some(seq), Some(next)) = (same_boot, item.seq, self.next)
            && seq < next
        {
            return Place::Repeated;
        }
        let before = self.last_ns;
        let gap = before.and_then(|from_ns| {
            let rows = match (same_boot, item.seq, self.next) {
                (true, Some(seq), Some(next)) => Some(seq - next),
                // What another start of the source lost nobody knows, nor what a source without numbers did.
                (true, _, _) if item.dropped == 0 => Some(0),
                _ => None,
            };
            (rows != Some(0)).then(|| Gap { from_ns, to_ns: first_ns.max(from_ns), rows, cause: None })
        });
        let restart = before.is_some() && !same_boot;
        self.boot = item.boot;
        self.next = item.seq.map(|seq| seq.saturating_add(t_ns.len() as u64));
        self.last_ns = Some(before.map_or(newest_ns, |before| before.max(newest_ns)));
        if before.is_some_and(|before| first_ns < before.saturating_sub(STEP_BACK_NS)) {
            self.last_ns = Some(newest_ns);
            return Place::Anew(Growth { t_ns, gap: None, restart: false });
        }
        Place::Next(Growth { t_ns, gap, restart })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn item(boot: Option<u64>, seq: Option<u64>, dropped: u64) -> PipeItem {
        PipeItem { boot, seq, dropped, ..PipeItem::default() }
    }

    fn gap(from_ms: i64, to_ms: i64, rows: Option<u64>) -> Option<Gap> {
        Some(Gap { from_ns: from_ms * MS, to_ns: to_ms * MS, rows, cause: None })
    }

    /// Places payloads of two rows, 1 ms apart, and returns what became of the last.
    fn last(payloads: &[(PipeItem, i64)]) -> Place {
        let mut numbering = Numbering::default();
        let mut placed = payloads.iter().map(|(item, at)| numbering.place(item, vec![at * MS, (at + 1) * MS]));
        let first = placed.next().unwrap();
        placed.last().unwrap_or(first)
    }

    #[track_caller]
    fn next(payloads: &[(PipeItem, i64)], gap: Option<Gap>, restart: bool) {
        match last(payloads) {
            Place::Next(growth) => assert_eq!((growth.gap, growth.restart), (gap, restart)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn holes_in_the_numbering_are_gaps() {
        let numbered = |seq| item(Some(7), Some(seq), 0);
        next(&[(numbered(40), 0)], None, false);
        next(&[(numbered(0), 0), (numbered(2), 2)], None, false);
        next(&[(numbered(0), 0), (numbered(5), 9)], gap(1, 9, Some(3)), false);
        next(&[(numbered(0), 0), (numbered(2), 10), (numbered(5), 4)], gap(11, 11, Some(1)), false);
        assert_eq!(last(&[(numbered(2), 0), (numbered(0), 2)]), Place::Repeated);
        assert_eq!(last(&[(numbered(0), 0), (numbered(0), 0)]), Place::Repeated);
    }

    #[test]
    fn another_start_is_a_break_of_unknown_size() {
        next(&[(item(Some(7), Some(50), 0), 0), (item(Some(8), Some(0), 0), 30)], gap(1, 30, None), true);
        next(&[(item(Some(7), Some(50), 0), 0), (item(None, None, 0), 30)], gap(1, 30, None), true);
    }

    #[test]
    fn without_numbers_only_what_is_told_is_missing() {
        next(&[(item(None, None, 0), 0), (item(None, None, 0), 30)], None, false);
        next(&[(item(None, None, 0), 0), (item(None, None, 4), 30)], gap(1, 30, None), false);
    }

    #[test]
    fn a_clock_far_behind_begins_anew() {
        let numbered = |seq| item(Some(7), Some(seq), 0);
        next(&[(numbered(0), 5000), (numbered(2), 4500)], None, false);
        next(&[(numbered(0), 5000), (numbered(2), 4500), (numbered(5), 4510)], gap(5001, 5001, Some(1)), false);
        assert!(matches!(last(&[(numbered(0), 5000), (numbered(2), 3000)]), Place::Anew(growth) if growth.t_ns == [3000 * MS, 3001 * MS]));
        next(&[(numbered(0), 5000), (numbered(2), 3000), (numbered(5), 3010)], gap(3001, 3010, Some(1)), false);
    }

    #[test]
    fn a_gap_begins_at_the_newest_row_wherever_it_is_in_its_payload() {
        let mut numbering = Numbering::default();
        let mut place = |seq: u64, t_ms: [i64; 2]| numbering.place(&item(Some(7), Some(seq), 0), t_ms.map(|t_ms| t_ms * MS).to_vec());
        place(0, [8, 5]);
        let placed = place(4, [20, 21]);
        assert!(matches!(&placed, Place::Next(growth) if growth.gap == gap(8, 20, Some(2))), "{placed:?}");
    }
}
