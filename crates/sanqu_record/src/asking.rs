use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use sanqu_ingest::Resent;
use sanqu_model::SeqRanges;

/// Rows are missed when they have not come this long after something told of them: they may have been overtaken.
pub(crate) const GRACE: Duration = Duration::from_millis(300);
/// How long one question may take.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// The most ranges of one boot that one errand asks for, one after the other.
pub(crate) const RANGES_MAX: usize = 64;
/// From an answer that says nothing to the next question, doubled each time up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// Decides which rows of one boot are asked for again, and when. Knows no network and no clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    /// Up to where rows were known to be sent, and since when.
    told: VecDeque<(Instant, u64)>,
    /// Rows below this have had their time to come.
    missed_to: u64,
    is_under_way: bool,
    /// No question before this.
    not_before: Option<Instant>,
    pause: Duration,
    /// Rows that will not come any more.
    gone: SeqRanges,
}

impl Asking {
    /// Something told at `now` that all rows below `frontier` were sent.
    pub(crate) fn tell(&mut self, now: Instant, frontier: u64) {
        if self.told.back().map_or(self.missed_to, |(_, to)| *to) < frontier {
            self.told.push_back((now, frontier));
        }
        while let Some((_, to)) = self.told.front().filter(|(since, _)| now.duration_since(*since) >= GRACE) {
            self.missed_to = *to;
            self.told.pop_front();
        }
    }

    /// What is missing of `span` and may still come from a ring that begins with `held_from`.
    pub(crate) fn missing(&self, kept: &SeqRanges, span: &Range<u64>, held_from: Option<u64>) -> Vec<Range<u64>> {
        let Some(held_from) = held_from else { return Vec::new() };
        let held = span.start.max(held_from)..span.end;
        kept.missing_in(&held).iter().flat_map(|range| self.gone.missing_in(range)).collect()
    }

    /// What to ask for now; empty when it is not time, or nothing is missing. Until [`Asking::answered`] nothing else is.
    pub(crate) fn plan(&mut self, now: Instant, kept: &SeqRanges, span: &Range<u64>, held_from: Option<u64>) -> Vec<Range<u64>> {
        if self.is_under_way || self.not_before.is_some_and(|time| now < time) {
            return Vec::new();
        }
        let mut missing = self.missing(kept, &(span.start..span.end.min(self.missed_to)), held_from);
        missing.truncate(RANGES_MAX);
        self.is_under_way = !missing.is_empty();
        missing
    }

    /// What was asked for has been answered, or not: `came` are the rows that were passed on. They may have been refused
    /// here; then they are asked for again. Nothing is written off for silence: a ring outlasts any outage that it has room for.
    pub(crate) fn answered(&mut self, now: Instant, asked: &[(Range<u64>, Resent)], came: &SeqRanges) {
        self.is_under_way = false;
        let is_reached = asked.iter().any(|(_, resent)| resent.complete || resent.samples > 0);
        for (range, _) in asked.iter().filter(|(_, resent)| resent.complete) {
            came.missing_in(range).iter().for_each(|range| self.gone.insert(range));
        }
        crate::share::bound(&mut self.gone);
        if is_reached {
            (self.pause, self.not_before) = (Duration::ZERO, None);
        } else {
            self.pause = (self.pause * 2).clamp(PAUSE, PAUSE_MAX);
            self.not_before = Some(now + self.pause);
        }
    }

    /// The question that was planned could not be asked.
    pub(crate) fn cancel(&mut self, now: Instant) {
        (self.is_under_way, self.not_before) = (false, Some(now + PAUSE));
    }

    /// Rows of which it is known that they will not come.
    pub(crate) fn give_up(&mut self, rows: &Range<u64>) {
        self.gone.insert(rows);
        crate::share::bound(&mut self.gone);
    }

    /// Rows that will not come any more, because the robot does not have them.
    pub(crate) fn gone(&self) -> &SeqRanges {
        &self.gone
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// A long one.
    const OUTAGE: Duration = Duration::from_secs(120);

    fn set(ranges: &[Range<u64>]) -> SeqRanges {
        let mut set = SeqRanges::default();
        ranges.iter().for_each(|range| set.insert(range));
        set
    }

    fn one(range: Range<u64>) -> SeqRanges {
        set(std::slice::from_ref(&range))
    }

    /// What is asked for now of the rows below 100.
    fn plan(asking: &mut Asking, now: Instant, kept: &SeqRanges, held_from: Option<u64>) -> Vec<(u64, u64)> {
        asking.plan(now, kept, &(0..100), held_from).into_iter().map(|range| (range.start, range.end)).collect()
    }

    fn complete(rows: u64) -> Resent {
        let mut resent = Resent::default();
        (resent.complete, resent.rows, resent.samples) = (true, rows, rows);
        resent
    }

    #[test]
    fn rows_are_missed_after_their_grace_and_asked_for_once() {
        let (mut asking, now, kept) = (Asking::default(), Instant::now(), set(&[0..10, 20..30]));
        asking.tell(now, 30);
        assert!(plan(&mut asking, now, &kept, Some(0)).is_empty());
        asking.tell(now + 200 * MS, 50);
        asking.tell(now + 300 * MS, 50);
        assert!(plan(&mut asking, now + 300 * MS, &kept, None).is_empty(), "nobody holds anything");
        assert_eq!(plan(&mut asking, now + 300 * MS, &kept, Some(0)), [(10, 20)]);
        asking.tell(now + 500 * MS, 50);
        assert!(plan(&mut asking, now + 500 * MS, &kept, Some(0)).is_empty(), "one question at a time");
        // 15..20 is not held any more.
        asking.answered(now + 500 * MS, &[(10..20, complete(5))], &one(10..15));
        assert_eq!(plan(&mut asking, now + 500 * MS, &set(&[0..15, 20..30]), Some(12)), [(30, 50)]);
        assert_eq!(asking.gone(), &one(15..20));
    }

    #[test]
    fn what_came_and_was_refused_here_is_asked_for_again() {
        let (mut asking, now) = (Asking::default(), Instant::now());
        asking.tell(now, 10);
        asking.tell(now + GRACE, 10);
        assert_eq!(plan(&mut asking, now + GRACE, &SeqRanges::default(), Some(0)), [(0, 10)]);
        asking.answered(now + GRACE, &[(0..10, complete(10))], &one(0..10));
        assert_eq!(plan(&mut asking, now + GRACE, &SeqRanges::default(), Some(0)), [(0, 10)]);
    }

    #[test]
    fn silence_is_asked_again_more_slowly_for_as_long_as_it_lasts() {
        let (mut asking, begin, kept) = (Asking::default(), Instant::now(), SeqRanges::default());
        asking.tell(begin, 10);
        let (mut now, mut times) = (begin + GRACE, Vec::new());
        asking.tell(now, 10);
        while now < begin + OUTAGE {
            if plan(&mut asking, now, &kept, Some(0)) == [(0, 10)] {
                times.push(now);
                asking.answered(now, &[(0..10, Resent::default())], &kept);
            }
            now += 10 * MS;
        }
        let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        assert_eq!(pauses[..6], [250, 500, 1000, 2000, 4000, 4000]);
        assert!(asking.gone().is_empty());
        assert!(*times.last().unwrap() >= begin + OUTAGE - PAUSE_MAX, "it is still asked for");
        let now = begin + OUTAGE + PAUSE_MAX;
        assert_eq!(plan(&mut asking, now, &kept, Some(0)), [(0, 10)]);
        asking.answered(now, &[(0..10, complete(10))], &one(0..10));
        assert_eq!(plan(&mut asking, now, &kept, Some(0)), [(0, 10)], "without a pause, as soon as somebody answers");
    }

    proptest! {
        /// A robot that answers honestly, loses answers and forgets; whatever happens, every row is there or gone in the end.
        #[test]
        fn every_row_comes_or_is_given_up(
            lost in prop::collection::vec((0u64..200, 1u64..20), 0..10),
            forgotten in 0u64..200,
            answers in prop::collection::vec(0u8..4, 0..8),
        ) {
            let (mut asking, begin, sent) = (Asking::default(), Instant::now(), 0..200u64);
            let mut kept = one(sent.clone());
            lost.iter().for_each(|(from, rows)| kept.remove(&(*from..(from + rows).min(200))));
            let held = one(forgotten..200);
            let mut answers = answers.into_iter();
            let mut now = begin;
            while now < begin + OUTAGE {
                asking.tell(now, 200);
                let asked = asking.plan(now, &kept, &sent, Some(0));
                for range in &asked {
                    prop_assert!(kept.missing_in(range) == [range.clone()], "only what is missing is asked for");
                    prop_assert!(asking.gone().missing_in(range) == [range.clone()], "nothing is asked for after it is gone");
                }
                if !asked.is_empty() {
                    let mut came = SeqRanges::default();
                    let mut outcome = Vec::new();
                    // 0: nobody answers; 1: only a part comes; 2: what comes is refused here; else all is well.
                    let answer = answers.next().unwrap_or(3);
                    for range in asked {
                        let mut resent = Resent::default();
                        if answer != 0 {
                            let has = held.missing_in(&range);
                            let mut there = one(range.clone());
                            has.iter().for_each(|gone| there.remove(gone));
                            if answer == 1 {
                                there.remove(&(range.start + 1..200));
                            }
                            resent.complete = answer != 1;
                            resent.samples = there.count();
                            there.iter().for_each(|range| came.insert(range));
                        }
                        outcome.push((range, resent));
                    }
                    if answer != 2 {
                        came.iter().for_each(|range| kept.insert(range));
                    }
                    asking.answered(now, &outcome, &came);
                }
                now += 50 * MS;
            }
            let mut settled = kept.clone();
            asking.gone().iter().for_each(|range| settled.insert(range));
            prop_assert!(settled.contains(&sent), "{:?} of {:?}", settled, kept);
            prop_assert!(asking.gone().iter().all(|range| range.end <= forgotten.max(1)), "{:?} was held", asking.gone());
            prop_assert!(asking.missing(&kept, &sent, Some(0)).is_empty());
        }
    }
}
