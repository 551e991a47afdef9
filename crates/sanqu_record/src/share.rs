use std::ops::Range;

use sanqu_model::SeqRanges;

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
    /// Rows that were appended and that no sync has been asked for yet.
    appended: SeqRanges,
    /// Rows that a sync is under way for.
    syncing: SeqRanges,
    /// Rows that the disk has cost so far: a failed sync may drop what was flushed before. Some of them may be read again.
    lost: SeqRanges,
}

impl Share {
    /// The share of a boot that may begin with a known row.
    pub(crate) fn beginning(begin: u64, is_fixed: bool) -> Self {
        Self { begin, is_fixed, ..Self::default() }
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
        }
        bound(&mut self.lost);
    }

    /// What the disk has cost since the last call.
    pub(crate) fn take_lost(&mut self) -> SeqRanges {
        std::mem::take(&mut self.lost)
    }
}

fn bound(set: &mut SeqRanges) {
    while set.len() > RANGES_MAX {
        let Some(gap) = set.iter().zip(set.iter().skip(1)).next().map(|(first, second)| first.end..second.start) else { return };
        set.insert(&gap);
    }
}
