use std::ops::Range;
use std::time::Instant;

use sanqu_model::{LossCause, LossTotals, SeqRanges};

use crate::asking::Asking;

/// Separate ranges that are told apart in one set; beyond it the oldest gap is taken for filled.
const RANGES_MAX: usize = 4096;

/// What the open episode holds of one boot of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Share {
    /// First sequence that belongs to the episode.
    pub(crate) begin: u64,
    /// The begin was set at the start, from what was heard before: rows from before it are not the episode's.
    pub(crate) is_fixed: bool,
    /// Whether the journal has the begin.
    pub(crate) is_written: bool,
    /// One past the last sequence that belongs to the episode, once the robot has said so at its end.
    pub(crate) end: Option<u64>,
    /// Rows that the journal has, or is about to have.
    kept: SeqRanges,
    /// What is asked for again of what it does not have.
    pub(crate) asking: Asking,
    /// Rows that were appended and that no sync has been asked for yet.
    appended: SeqRanges,
    /// Rows that a sync is under way for.
    syncing: SeqRanges,
    /// Rows that the disk has cost so far: a failed sync may drop what was flushed before. Some of them may be read again.
    lost: SeqRanges,
    /// Rows that the full queue has refused so far, or that nobody was there for. Some of them may have come again.
    refused: SeqRanges,
    /// Where the rows began that were sent while no recorder was there; none when it is known where they end.
    down_from: Option<u64>,
}

impl Share {
    /// The share of a boot that may begin with a known row.
    pub(crate) fn beginning(begin: u64, is_fixed: bool) -> Self {
        Self { begin, is_fixed, ..Self::default() }
    }

    /// The share of a boot in an episode that goes on after a crash: `kept` is what its journal has.
    pub(crate) fn resumed(begin: u64, mut kept: SeqRanges) -> Self {
        let down_from = kept.end();
        bound(&mut kept);
        Self { begin, is_fixed: true, is_written: true, kept, down_from, ..Self::default() }
    }

    /// The robot sends rows from `seq` on: what lies before was sent while no recorder was there. Returned once.
    pub(crate) fn end_of_absence(&mut self, seq: u64) -> Option<Range<u64>> {
        let absence = self.down_from.take()?..seq;
        self.refused.insert(&absence);
        Some(absence).filter(|rows| !rows.is_empty())
    }

    /// Where rows begin of which nobody has heard since the recorder came back.
    pub(crate) fn absent_from(&self) -> Option<u64> {
        self.down_from
    }

    /// Whether a row belongs to the episode.
    pub(crate) fn takes(&self, seq: u64) -> bool {
        self.end.is_none_or(|end| seq < end)
    }

    /// Rows were appended to the journal, or could not be.
    pub(crate) fn add(&mut self, rows: &Range<u64>, is_appended: bool) {
        let set = if is_appended { &mut self.appended } else { &mut self.lost };
        set.insert(rows);
        bound(set);
        if is_appended {
            self.kept.insert(rows);
            bound(&mut self.kept);
        }
    }

    /// The full queue has refused rows.
    pub(crate) fn refuse(&mut self, rows: &Range<u64>) {
        self.refused.insert(rows);
        bound(&mut self.refused);
    }

    /// The rows that the journal has.
    pub(crate) fn kept(&self) -> &SeqRanges {
        &self.kept
    }

    /// The rows that belong to the episode, as far as `frontier`.
    pub(crate) fn span(&self, frontier: u64) -> Range<u64> {
        self.begin..self.end.unwrap_or(frontier).max(self.begin)
    }

    /// What of the journal's gaps is to be asked for now: see [`Asking::plan`].
    pub(crate) fn plan(&mut self, now: Instant, span: &Range<u64>, held_from: Option<u64>) -> Vec<Range<u64>> {
        self.asking.plan(now, &self.kept, span, held_from)
    }

    /// Whether a row of `span` is missing that may still come from a ring.
    pub(crate) fn may_get_more(&self, span: &Range<u64>, held_from: Option<u64>) -> bool {
        !self.asking.missing(&self.kept, span, held_from).is_empty()
    }

    /// What the journal does not have of `span` and will not get any more, by cause; `unsent` is what the robot says.
    pub(crate) fn lost_so_far(&self, span: &Range<u64>, unsent: &SeqRanges) -> LossTotals {
        let mut totals = LossTotals::default();
        let mut gone = SeqRanges::default();
        for range in self.kept.missing_in(span) {
            let rest = self.asking.gone().missing_in(&range);
            gone.insert(&range);
            rest.iter().for_each(|rest| gone.remove(rest));
        }
        for (set, cause) in [(&self.refused, LossCause::Recorder), (&self.lost, LossCause::Disk), (unsent, LossCause::Unsent)] {
            for range in set.iter() {
                let there = gone.count();
                gone.remove(range);
                totals.add_range(cause, Some(gone.count()), Some(there));
            }
        }
        totals.add_range(LossCause::Network, Some(0), Some(gone.count()));
        totals
    }

    /// A sync begins.
    pub(crate) fn sync(&mut self) {
        self.syncing = std::mem::take(&mut self.appended);
    }

    /// The sync is over: what it was about is safe.
    pub(crate) fn synced(&mut self) {
        self.syncing = SeqRanges::default();
    }

    /// The journal failed: what is not safe is lost.
    pub(crate) fn fail(&mut self) {
        for rows in std::mem::take(&mut self.appended).iter().chain(std::mem::take(&mut self.syncing).iter()) {
            self.lost.insert(rows);
            self.kept.remove(rows);
        }
        bound(&mut self.lost);
    }

    /// Rows that the disk has cost so far. Some of them may have come again.
    pub(crate) fn lost(&self) -> &SeqRanges {
        &self.lost
    }

    /// Whether rows belong to the episode and are not all in the journal.
    pub(crate) fn misses(&self, rows: &Range<u64>) -> bool {
        rows.start >= self.begin && self.takes(rows.start) && !self.kept.contains(rows)
    }
}

/// Keeps the memory of a set bounded.
pub(crate) fn bound(set: &mut SeqRanges) {
    while set.len() > RANGES_MAX {
        let Some(gap) = set.iter().zip(set.iter().skip(1)).next().map(|(first, second)| first.end..second.start) else { return };
        set.insert(&gap);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sanqu_ingest::Resent;

    use super::*;

    fn ranges(ranges: &[Range<u64>]) -> SeqRanges {
        let mut set = SeqRanges::default();
        ranges.iter().for_each(|range| set.insert(range));
        set
    }

    fn one(range: Range<u64>) -> SeqRanges {
        ranges(std::slice::from_ref(&range))
    }

    /// A share of the rows from 0 on whose journal has these.
    fn kept(rows: &SeqRanges) -> Share {
        let mut share = Share::beginning(0, true);
        rows.iter().for_each(|rows| share.add(rows, true));
        share
    }

    /// Asks for all that is missing below `to`, and hears that the robot has none of it.
    fn ask_in_vain(share: &mut Share, to: u64) {
        let now = Instant::now();
        share.asking.tell(now, to);
        share.asking.tell(now + Duration::from_secs(1), to);
        let asked = share.plan(now + Duration::from_secs(1), &(0..to), Some(0));
        let mut nothing = Resent::default();
        nothing.complete = true;
        let outcome: Vec<_> = asked.into_iter().map(|range| (range, nothing)).collect();
        share.asking.answered(now + Duration::from_secs(1), &outcome, &SeqRanges::default());
    }

    #[test]
    fn what_will_not_come_is_counted_once_and_by_its_cause() {
        let mut share = kept(&ranges(&[0..10, 60..70]));
        share.refuse(&(5..20));
        share.add(&(15..30), false);
        let unsent = one(25..40);
        assert_eq!(share.lost_so_far(&(0..80), &unsent), LossTotals::default(), "everything may still come");
        ask_in_vain(&mut share, 70);
        let lost = share.lost_so_far(&(0..80), &unsent);
        assert_eq!((lost.recorder, lost.disk, lost.unsent, lost.network), (10, 10, 10, 20));
        assert!(!share.may_get_more(&(0..70), Some(0)) && share.may_get_more(&(0..80), Some(0)));
        assert!(!share.may_get_more(&(0..80), None), "nobody holds anything");
    }

    #[test]
    fn a_failed_journal_costs_what_no_sync_has_made_safe() {
        let mut share = kept(&one(0..10));
        share.sync();
        share.synced();
        share.fail();
        assert!(share.kept() == &one(0..10) && share.lost().is_empty(), "it is safe");
        share.add(&(10..20), true);
        share.sync();
        share.add(&(20..30), true);
        share.fail();
        assert_eq!((share.kept(), share.lost()), (&one(0..10), &one(10..30)));
        share.fail();
        assert_eq!(share.lost().count(), 20, "what was lost is lost once");
        assert!(share.misses(&(10..20)) && !share.misses(&(0..10)));
    }

    #[test]
    fn an_end_and_a_begin_bound_what_belongs_to_the_episode() {
        let mut share = Share::beginning(100, true);
        assert_eq!((share.span(90), share.span(150)), (100..100, 100..150));
        assert!(share.takes(u64::MAX) && share.misses(&(100..101)) && !share.misses(&(99..101)));
        share.end = Some(120);
        assert_eq!(share.span(150), 100..120);
        assert!(share.takes(119) && !share.takes(120) && !share.misses(&(120..130)));
    }

    #[test]
    fn what_was_sent_while_no_recorder_was_there_is_told_once() {
        let mut share = Share::resumed(0, ranges(&[0..10, 20..30]));
        assert!(share.is_written && share.is_fixed);
        assert_eq!((share.absent_from(), share.end_of_absence(45)), (Some(30), Some(30..45)));
        assert_eq!((share.absent_from(), share.end_of_absence(60)), (None, None));
        ask_in_vain(&mut share, 45);
        let lost = share.lost_so_far(&(0..45), &SeqRanges::default());
        assert_eq!((lost.recorder, lost.network), (15, 10));
        let mut unbroken = Share::resumed(0, one(0..10));
        assert_eq!((unbroken.end_of_absence(10), unbroken.absent_from()), (None, None), "nothing was missed");
    }

    #[test]
    fn sets_stay_small_whatever_comes() {
        let every_other = || (0..2 * RANGES_MAX as u64).map(|place| place * 2..place * 2 + 1);
        let mut share = Share::beginning(0, true);
        every_other().for_each(|rows| share.add(&rows, true));
        every_other().for_each(|rows| share.add(&rows, false));
        every_other().for_each(|rows| share.refuse(&rows));
        for set in [share.kept(), share.lost(), &share.appended, &share.refused] {
            assert_eq!(set.len(), RANGES_MAX);
            assert!(every_other().all(|rows| set.contains(&rows)), "what is in it stays in it");
        }
    }
}
