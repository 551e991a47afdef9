use std::ops::Range;

/// A set of sequences: disjoint, non-touching, sorted ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    pub(super) fn insert(&mut self, new: &Range<u64>) {
        if new.is_empty() {
            return;
        }
        // Samples mostly arrive in order: touch only what the new range meets.
        let first = self.0.partition_point(|r| r.end < new.start);
        let behind = self.0.partition_point(|r| r.start <= new.end);
        let start = self.0.get(first).filter(|_| first < behind).map_or(new.start, |r| r.start.min(new.start));
        let end = behind.checked_sub(1).filter(|last| *last >= first).map_or(new.end, |last| self.0[last].end.max(new.end));
        self.0.splice(first..behind, std::iter::once(start..end));
    }

    /// The parts of `range` that are not in the set, in order.
    pub(super) fn missing_in(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        let mut from = range.start;
        let first = self.0.partition_point(|r| r.end <= range.start);
        for taken in self.0[first..].iter().take_while(|r| r.start < range.end) {
            if from < taken.start {
                missing.push(from..taken.start);
            }
            from = taken.end;
        }
        if from < range.end {
            missing.push(from..range.end);
        }
        missing
    }

    pub(super) fn start(&self) -> Option<u64> {
        self.0.first().map(|r| r.start)
    }

    pub(super) fn end(&self) -> Option<u64> {
        self.0.last().map(|r| r.end)
    }

    /// How many sequences are in the set.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|r| r.end - r.start).sum()
    }

    /// How many sequences below `end` are in the set.
    pub(super) fn count_below(&self, end: u64) -> u64 {
        self.0.iter().map(|r| r.end.min(end).saturating_sub(r.start)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set(inserts in prop::collection::vec((0u64..60, 0u64..8), 0..40), from in 0u64..70, length in 0u64..70) {
            let mut ranges = Ranges::default();
            let mut plain = std::collections::BTreeSet::new();
            for (start, length) in inserts {
                ranges.insert(&(start..start + length));
                plain.extend(start..start + length);
            }
            let window = from..from + length;
            let missing: Vec<u64> = ranges.missing_in(&window).into_iter().flatten().collect();
            prop_assert_eq!(missing, window.filter(|s| !plain.contains(s)).collect::<Vec<_>>());
            prop_assert_eq!(ranges.count(), plain.len() as u64);
            prop_assert_eq!(ranges.count_below(from), plain.range(..from).count() as u64);
            prop_assert_eq!((ranges.start(), ranges.end()), (plain.first().copied(), plain.last().map(|s| s + 1)));
            prop_assert!(ranges.0.windows(2).all(|w| w[0].end < w[1].start));
        }
    }
}
