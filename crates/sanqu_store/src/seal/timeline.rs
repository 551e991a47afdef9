//! The field timeline: capture times, moved where a robot's clock was wrong.
//!
//! A row arrives after it was captured, by what transport takes. A clock is called wrong where that would be more than
//! [`TRANSPORT_MAX_NS`], or less than nothing. Nothing is guessed silently: what is added to capture times is in the
//! manifest with its uncertainty, and where the rows do not say enough they are left alone and the manifest says that.

use std::ops::Range;
use std::path::Path;

use sanqu_model::{ClockOffset, Id, RUN, SEQ, StreamEntry, T};

use super::clock::{Clock, STRETCHES_MAX, Stretch, TRANSPORT_MAX_NS};
use crate::StoreError;
use crate::episode::{field_times, read_parquet};

/// Streams of one clock agree about it when their fastest rows took times that differ by no more than this, ns: a camera
/// may need half a second for what a joint needs a millisecond.
const AGREE_NS: i64 = 1_000_000_000;
/// Doubts about one stream that are spelled out.
const DOUBTS_MAX: usize = 3;

/// A stream whose clock was followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Followed<'a> {
    pub(super) robot: &'a Id,
    /// Clock id of its headers.
    pub(super) id: u16,
    pub(super) clock: &'a Clock,
}

impl Followed<'_> {
    /// Clocks without an id may each be another one.
    fn has_clock_of(&self, other: &Self) -> bool {
        std::ptr::eq(self.clock, other.clock) || ((self.robot, self.id) == (other.robot, other.id) && self.id != 0)
    }
}

/// What becomes of the capture times of one stream.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// Empty where capture times are the field timeline.
    pub(super) offsets: Vec<ClockOffset>,
    /// What is not certain about it, in words.
    pub(super) doubts: Option<String>,
}

/// How a clock sat against the recorder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Right,
    /// The fastest rows seem to have taken `least_ns`.
    Off {
        least_ns: i64,
        uncertainty_ns: i64,
    },
    /// Nobody can say, and why.
    Unrelated(&'static str),
}

impl Verdict {
    /// How much longer the fastest row of a stretch took than the verdict explains, ns.
    fn late_ns(self, stretch: &Stretch) -> Option<i64> {
        match self {
            Self::Right => Some(stretch.least_ns),
            Self::Off { least_ns, .. } => Some(stretch.least_ns.saturating_sub(least_ns)),
            Self::Unrelated(_) => None,
        }
    }
}

/// Finds where the clock of a stream was wrong.
///
/// All streams of a robot that have the same clock are looked at together: one slow camera or one stream of planned times
/// does not make the clock wrong, and if it is wrong they must all be moved alike to stay together.
///
/// * `all`: all streams of the episode.
pub(super) fn lay(of: Followed<'_>, all: &[Followed<'_>]) -> Laid {
    if of.id == sanqu_wire::CLOCK_RECEIVER {
        // It cannot be wrong against itself.
        return Laid::default();
    }
    let same_clock = all.iter().filter(|other| other.has_clock_of(&of));
    let evidence: Vec<&Stretch> = same_clock.flat_map(|other| &other.clock.stretches).filter(|other| other.is_evidence()).collect();
    // What transport takes, so that nothing jumps where the clock was set right.
    let took_ns = middle(evidence.iter().filter(|other| other.is_right()).map(|other| other.least_ns)).unwrap_or(0);
    let (mut laid, mut doubts) = (Laid::default(), Vec::new());
    for (number, stretch) in of.clock.stretches.iter().enumerate() {
        let verdict = match judge(stretch, &evidence) {
            _ if of.clock.is_crowded && number + 1 == STRETCHES_MAX => Verdict::Unrelated("the clock stepped too often to be followed"),
            verdict => verdict,
        };
        let Stretch { run, from_seq, .. } = *stretch;
        if let Some(doubt) = doubt(stretch, verdict) {
            doubts.push(format!("from row {from_seq} of run {run}: {doubt}"));
        }
        let (offset_ns, uncertainty_ns) = match verdict {
            Verdict::Right => (0, Some(TRANSPORT_MAX_NS)),
            Verdict::Off { least_ns, uncertainty_ns } => (least_ns.saturating_sub(took_ns), Some(uncertainty_ns)),
            Verdict::Unrelated(_) => (0, None),
        };
        let before = laid.offsets.last().filter(|last| last.run == run).map_or((0, true), |last| (last.offset_ns, last.is_known()));
        if (offset_ns, uncertainty_ns.is_some()) != before {
            laid.offsets.push(ClockOffset { run, from_seq, offset_ns, uncertainty_ns });
        }
    }
    laid.doubts = in_words(&doubts);
    laid
}

fn judge(stretch: &Stretch, evidence: &[&Stretch]) -> Verdict {
    let near: Vec<&Stretch> = evidence.iter().copied().filter(|other| stretch.is_within(other)).collect();
    let verdict = if near.is_empty() {
        // As it was at other times, if it was always the same.
        match agreement(evidence) {
            _ if evidence.is_empty() => Verdict::Unrelated("too few rows, or all of them late, to say how far the clock is off"),
            (agreeing, verdict) if agreeing == evidence.len() => verdict,
            _ => Verdict::Unrelated("the clock stepped, and too few rows say where it was here"),
        }
    } else {
        agreement(&near).1
    };
    match verdict.late_ns(stretch) {
        Some(late_ns) if late_ns < -AGREE_NS => Verdict::Unrelated("its times lie ahead of those of the robot's other streams"),
        Some(late_ns) if late_ns > AGREE_NS && stretch.is_evidence() => {
            Verdict::Unrelated("its times lie behind those of the robot's other streams")
        }
        _ => verdict,
    }
}

/// How many of the stretches agree, and about what. A clock that may be right is called right.
fn agreement(stretches: &[&Stretch]) -> (usize, Verdict) {
    let Some(middle_ns) = middle(stretches.iter().map(|other| other.least_ns)) else { return (0, Verdict::Right) };
    let apart_ns = |other: &Stretch| other.least_ns.saturating_sub(middle_ns).saturating_abs();
    let agreeing: Vec<&Stretch> = stretches.iter().copied().filter(|other| apart_ns(other) <= AGREE_NS).collect();
    let has_majority = 2 * agreeing.len() > stretches.len();
    let heard = if has_majority { agreeing.as_slice() } else { stretches };
    let verdict = if heard.iter().any(|other| other.is_right()) {
        Verdict::Right
    } else if has_majority {
        let spread_ns = agreeing.iter().find(|other| other.least_ns == middle_ns).map_or(0, |other| other.spread_ns());
        let uncertainty_ns = agreeing.iter().map(|other| apart_ns(other)).max().unwrap_or(0).max(spread_ns);
        Verdict::Off { least_ns: middle_ns, uncertainty_ns }
    } else {
        Verdict::Unrelated("the robot's streams disagree about its clock")
    };
    (agreeing.len(), verdict)
}

/// What is not certain about a stretch.
fn doubt(stretch: &Stretch, verdict: Verdict) -> Option<String> {
    if let Verdict::Unrelated(reason) = verdict {
        return Some(format!("{reason}; its capture times are taken as they are"));
    }
    let late_ns = verdict.late_ns(stretch).filter(|late_ns| *late_ns > AGREE_NS)?;
    Some(format!("every row came more than {} s late and is taken for one that was sent again", late_ns / 1_000_000_000))
}

fn in_words(doubts: &[String]) -> Option<String> {
    let more = doubts.len().saturating_sub(DOUBTS_MAX);
    let told = doubts.iter().take(DOUBTS_MAX).cloned().chain((more > 0).then(|| format!("and {more} more"))).collect::<Vec<_>>();
    (!told.is_empty()).then(|| format!("unverified: {}", told.join("; ")))
}

/// The value in the middle, of two the smaller.
fn middle(values: impl Iterator<Item = i64>) -> Option<i64> {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// The rows of a sealed stream on the field timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OnTimeline {
    /// How many are within the episode.
    pub(super) within: u64,
    /// Times of the first and the last row in file order, ns.
    pub(super) ends_ns: Option<(i64, i64)>,
}

/// Reads the times of a sealed stream back.
pub(super) fn on_timeline(episode_ns: &Range<i64>, entry: &StreamEntry, parquet: &Path) -> Result<OnTimeline, StoreError> {
    let mut found = OnTimeline::default();
    for batch in read_parquet(parquet, Some(&[T, SEQ, RUN]))? {
        let field_ns = field_times(entry, &batch?).map_err(|reason| StoreError::damaged(parquet, reason))?;
        found.within += field_ns.iter().filter(|t_ns| episode_ns.contains(t_ns)).count() as u64;
        if let (Some(first), Some(last)) = (field_ns.first(), field_ns.last()) {
            found.ends_ns = Some((found.ends_ns.map_or(*first, |(first, _)| first), *last));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
