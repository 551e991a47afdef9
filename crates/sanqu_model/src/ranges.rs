use std::ops::Range;

/// A set of sequences: disjoint, non-touching, sorted ranges. What arrived of one boot of a stream; its gaps are what is
/// missing. Costs memory by gaps, not by rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeqRanges(Vec<Range<u64>>);

impl SeqRanges {
    /// Adds the sequences of `new`. Near O(1) for what follows the last range.
    pub fn insert(&mut self, new: &Range<u64>) {
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

    /// Takes the sequences of `gone` out.
    pub fn remove(&mut self, gone: &Range<u64>) {
        let first = self.0.partition_point(|r| r.end <= gone.start);
        let behind = self.0.partition_point(|r| r.start < gone.end);
        if gone.is_empty() || first >= behind {
            return;
        }
        let kept = [self.0[first].start..gone.start, gone.end..self.0[behind - 1].end];
        self.0.splice(first..behind, kept.into_iter().filter(|r| !r.is_empty()));
    }

    /// The ranges, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }

    /// How many separate ranges there are: one more than gaps.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no sequence is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of `range` is in the set.
    pub fn contains(&self, range: &Range<u64>) -> bool {
        self.missing_in(range).is_empty()
    }

    /// The parts of `range` that are not in the set, in order.
    pub fn missing_in(&self, range: &Range<u64>) -> Vec<Range<u64>> {
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

    /// The lowest sequence.
    pub fn start(&self) -> Option<u64> {
        self.0.first().map(|r| r.start)
    }

    /// One past the highest sequence.
    pub fn end(&self) -> Option<u64> {
        self.0.last().map(|r| r.end)
    }

    /// How many sequences are in the set.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|r| r.end - r.start).sum()
    }

    /// How many sequences below `end` are in the set.
    pub fn count_below(&self, end: u64) -> u64 {
        self.0.iter().map(|r| r.end.min(end).saturating_sub(r.start)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set(changes in prop::collection::vec((0u64..60, 0u64..8, any::<bool>()), 0..40), from in 0u64..70, length in 0u64..70) {
            let mut ranges = SeqRanges::default();
            let mut plain = std::collections::BTreeSet::new();
            for (start, length, is_insert) in changes {
                if is_insert {
                    ranges.insert(&(start..start + length));
                    plain.extend(start..start + length);
                } else {
                    ranges.remove(&(start..start + length));
                    plain.retain(|s| !(start..start + length).contains(s));
                }
            }
            let window = from..from + length;
            let missing: Vec<u64> = ranges.missing_in(&window).into_iter().flatten().collect();
            prop_assert_eq!(ranges.contains(&window), missing.is_empty());
            prop_assert_eq!(missing, window.filter(|s| !plain.contains(s)).collect::<Vec<_>>());
            prop_assert_eq!(ranges.count(), plain.len() as u64);
            prop_assert_eq!(ranges.count_below(from), plain.range(..from).count() as u64);
            prop_assert_eq!((ranges.start(), ranges.end()), (plain.first().copied(), plain.last().map(|s| s + 1)));
            prop_assert_eq!(ranges.iter().cloned().flatten().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(ranges.is_empty(), plain.is_empty());
            prop_assert!(ranges.0.windows(2).all(|w| w[0].end < w[1].start));
        }
    }
}
