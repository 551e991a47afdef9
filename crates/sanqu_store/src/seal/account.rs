//! The loss ledger of one boot of one stream: which rows are missing, and why.

use std::ops::Range;

use sanqu_model::{DetectedBy, LossCause, SeqRanges};

/// Everything the journal says about one boot of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// First sequence that belongs to this journal, where a control record says so.
    pub(super) baseline: Option<u64>,
    /// One past the last sequence ever sent, where the robot says so (final count or its last-sample flag).
    pub(super) final_seq: Option<u64>,
    /// Rows that arrived whole.
    pub(super) received: SeqRanges,
    /// Rows that arrived, but cannot be read.
    pub(super) corrupt: Vec<Corrupt>,
    /// What the recorder knows to be missing.
    pub(super) lost: Vec<Lost>,
    /// Whether the stream had no earlier boot in this journal: then the boot may be older than the journal.
    pub(super) is_first: bool,
    /// Whether the journal ends while this boot was still sending.
    pub(super) is_cut_off: bool,
    /// Whether chunks of the journal itself are damaged: then a gap need not be the network's.
    pub(super) is_damaged: bool,
}

impl Evidence {
    /// Notes rows that arrived with a header whose checksum holds, but cannot be read.
    pub(super) fn add_unreadable(&mut self, rows: Range<u64>) {
        match self.corrupt.last_mut() {
            // A robot may send nothing else for hours.
            Some(last) if last.is_trusted && last.rows.end == rows.start => last.rows.end = rows.end,
            _ => self.corrupt.push(Corrupt { rows, is_trusted: true }),
        }
    }
}

/// A sample that cannot be read and the rows that its header claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Corrupt {
    pub(super) rows: Range<u64>,
    /// Whether the header's checksum holds, so that the claim is the robot's own.
    pub(super) is_trusted: bool,
}

/// A loss that the recorder reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) from_seq: Option<u64>,
    pub(super) to_seq: Option<u64>,
    pub(super) cause: LossCause,
    pub(super) detected_by: DetectedBy,
}

/// The outcome for one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Rows numbered by the source; none where an end is open.
    pub(super) expected: Option<u64>,
    /// The ledger, sorted.
    pub(super) lost: Vec<Lost>,
    /// Whether nothing proves that the first received row was the first one of this journal.
    pub(super) front_unverified: bool,
    /// Whether nothing proves that the last received row was the last one sent.
    pub(super) tail_unverified: bool,
}

/// Accounts for every row between the boot's first and last sequence.
pub(super) fn account(evidence: &Evidence) -> Account {
    let Some(start) = start_of(evidence) else { return nothing_numbered(evidence) };
    let end = end_of(evidence, start);
    let mut ledger: Vec<Lost> = Vec::new();
    for gap in evidence.received.missing_in(&(start..end)) {
        explain(evidence, gap, start..end, &mut ledger);
    }
    let mut expected = Some((end - start).saturating_add(evidence.received.count_below(start)));
    if evidence.final_seq.is_none()
        && let Some(open) = open_end(evidence, end)
    {
        ledger.push(open);
        expected = None;
    }
    Account {
        expected,
        lost: ledger,
        front_unverified: evidence.baseline.is_none() && start > 0,
        tail_unverified: evidence.final_seq.is_none() && !evidence.is_cut_off,
    }
}

/// First sequence that belongs to this journal.
fn start_of(evidence: &Evidence) -> Option<u64> {
    if evidence.baseline.is_some() {
        return evidence.baseline;
    }
    if !evidence.is_first {
        return Some(0);
    }
    let lost = evidence.lost.iter().filter_map(|lost| lost.from_seq);
    let trusted = evidence.corrupt.iter().filter(|c| c.is_trusted).map(|c| c.rows.start);
    let mut start = lost.chain(trusted).chain(evidence.received.start()).min()?;
    // A sample whose checksum fails is believed where it fits seamlessly.
    let mut claims: Vec<&Range<u64>> = evidence.corrupt.iter().filter(|c| !c.is_trusted).map(|c| &c.rows).collect();
    claims.sort_by_key(|rows| std::cmp::Reverse(rows.end));
    for rows in claims {
        if rows.end == start {
            start = rows.start;
        }
    }
    Some(start)
}

/// One past the last sequence that is known to have been sent.
fn end_of(evidence: &Evidence, start: u64) -> u64 {
    let lost = evidence.lost.iter().filter_map(|lost| lost.to_seq);
    let trusted = evidence.corrupt.iter().filter(|c| c.is_trusted).map(|c| c.rows.end);
    let known = [Some(start), evidence.final_seq, evidence.received.end()];
    let mut end = lost.chain(trusted).chain(known.into_iter().flatten()).max().unwrap_or(start);
    let mut claims: Vec<&Range<u64>> = evidence.corrupt.iter().filter(|c| !c.is_trusted).map(|c| &c.rows).collect();
    claims.sort_by_key(|rows| rows.start);
    for rows in claims {
        if rows.start == end {
            end = rows.end;
        }
    }
    end
}

/// Splits a gap by what is known about its parts: unreadable samples first, then the recorder's reports, then the rest.
fn explain(evidence: &Evidence, gap: Range<u64>, whole: Range<u64>, ledger: &mut Vec<Lost>) {
    let corrupt = evidence.corrupt.iter().map(|c| (c.rows.clone(), LossCause::Corrupt, DetectedBy::Checksum));
    let reported = evidence
        .lost
        .iter()
        .map(|lost| (lost.from_seq.unwrap_or(whole.start)..lost.to_seq.unwrap_or(whole.end), lost.cause, lost.detected_by));
    let mut unexplained = vec![gap];
    let mut found: Vec<Lost> = Vec::new();
    for (range, cause, detected_by) in corrupt.chain(reported) {
        let mut rest = Vec::new();
        for part in unexplained {
            let (from, to) = (part.start.max(range.start), part.end.min(range.end));
            if from >= to {
                rest.push(part);
                continue;
            }
            found.push(Lost { from_seq: Some(from), to_seq: Some(to), cause, detected_by });
            rest.extend([part.start..from, to..part.end].into_iter().filter(|r| !r.is_empty()));
        }
        unexplained = rest;
    }
    let cause = if evidence.is_damaged { LossCause::Unknown } else { LossCause::Network };
    let received_end = evidence.received.end().unwrap_or(0);
    for part in unexplained {
        let detected_by = if part.start >= received_end { DetectedBy::FinalCount } else { DetectedBy::Gap };
        found.push(Lost { from_seq: Some(part.start), to_seq: Some(part.end), cause, detected_by });
    }
    found.sort_by_key(|lost| lost.from_seq);
    for lost in found {
        match ledger.last_mut() {
            Some(last) if last.to_seq == lost.from_seq && (last.cause, last.detected_by) == (lost.cause, lost.detected_by) => {
                last.to_seq = lost.to_seq;
            }
            _ => ledger.push(lost),
        }
    }
}

/// The row for what may have followed and nobody can count.
fn open_end(evidence: &Evidence, end: u64) -> Option<Lost> {
    if evidence.is_cut_off {
        let (cause, detected_by) = (LossCause::Recorder, DetectedBy::Repair);
        return Some(Lost { from_seq: Some(end), to_seq: None, cause, detected_by });
    }
    if let Some(open) = evidence.lost.iter().find(|lost| lost.to_seq.is_none()) {
        return Some(Lost { from_seq: Some(end), to_seq: None, ..open.clone() });
    }
    // What cannot be read of the journal may have been the last rows and the robot's count of them.
    let (cause, detected_by) = (LossCause::Unknown, DetectedBy::Repair);
    evidence.is_damaged.then_some(Lost { from_seq: Some(end), to_seq: None, cause, detected_by })
}

/// No sequence at all is known to belong to the journal.
fn nothing_numbered(evidence: &Evidence) -> Account {
    let whole = match evidence.final_seq {
        // The robot counted nothing.
        Some(0) => return Account { expected: Some(0), ..Account::default() },
        // It sent rows, but how many of them after the journal began?
        Some(end) => Some((Some(end), LossCause::Network, DetectedBy::FinalCount)),
        None if evidence.is_cut_off => Some((None, LossCause::Recorder, DetectedBy::Repair)),
        None if evidence.is_damaged => Some((None, LossCause::Unknown, DetectedBy::Repair)),
        None => None,
    };
    let mut lost: Vec<Lost> = evidence.lost.clone();
    lost.extend(whole.map(|(to_seq, cause, detected_by)| Lost { from_seq: None, to_seq, cause, detected_by }));
    if !evidence.corrupt.is_empty() {
        lost.push(Lost { from_seq: None, to_seq: None, cause: LossCause::Corrupt, detected_by: DetectedBy::Checksum });
    }
    Account { expected: None, lost, front_unverified: true, tail_unverified: evidence.final_seq.is_none() }
}

#[cfg(test)]
mod tests;
