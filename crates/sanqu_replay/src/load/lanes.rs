//! The rows of a stream and what its loss ledger says, as a [`Lane`].

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use sanqu_model::{LossRow, RUN, SEQ, StreamEntry, T};
use sanqu_store::Episode;

use crate::ReplayError;
use crate::track::{Breaks, Gap, gaps_of};

/// One row: run, sequence and time on the field timeline, ns.
type Number = (u32, u64, i64);

/// When the rows of a stream were captured, on the field timeline, and where it is broken.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Times on the field timeline in file order, ns; shared by all that go by them.
    pub(super) t_ns: Arc<Vec<i64>>,
    pub(super) breaks: Breaks,
}

/// Reads the numbers of a stream's rows and puts the ledger's losses between them.
pub(super) fn read(episode: &Episode, stream: &StreamEntry, ledger: &[LossRow]) -> Result<Rows, ReplayError> {
    let mut numbers: Vec<Number> = Vec::new();
    for batch in episode.read(stream, Some(&[T, SEQ, RUN]))? {
        let batch = batch?;
        let field_ns = episode.field_times(stream, &batch)?;
        let columns = columns(&field_ns, &batch).ok_or_else(|| ReplayError::Stream {
            robot: stream.robot.to_string(),
            stream: stream.stream.to_string(),
            reason: "expected columns t (timestamp ns), seq (uint64) and run (uint32)".to_owned(),
        })?;
        numbers.extend(columns);
    }
    let manifest = episode.manifest();
    let mine = ledger.iter().filter(|row| row.robot == stream.robot && row.stream == stream.stream);
    let gaps = placed(&numbers, mine, (manifest.start_ns, manifest.stop_ns));
    let restarts = numbers.windows(2).enumerate().filter(|(_, pair)| pair[0].0 != pair[1].0).map(|(row, _)| row + 1).collect();
    Ok(Rows { t_ns: Arc::new(numbers.iter().map(|(_, _, t_ns)| *t_ns).collect()), breaks: Breaks { gaps, restarts } })
}

fn columns(field_ns: &[i64], batch: &RecordBatch) -> Option<impl Iterator<Item = Number>> {
    let run = batch.column_by_name(RUN)?.as_primitive_opt::<UInt32Type>()?.values();
    let seq = batch.column_by_name(SEQ)?.as_primitive_opt::<UInt64Type>()?.values();
    Some(run.iter().zip(seq).zip(field_ns).map(|((run, seq), field_ns)| (*run, *seq, *field_ns)))
}

/// Gaps in the numbering, and the ledger's losses before the first and behind the last row of a run, which leave no gap in
/// the numbering. `span` is the episode's start and stop, ns. A loss without sequences has no place in time: it is left out here.
fn placed<'a>(numbers: &[Number], ledger: impl Iterator<Item = &'a LossRow>, span: (i64, i64)) -> Vec<Gap> {
    let mut gaps = gaps_of(numbers.iter().copied());
    let mut others = Vec::new();
    for loss in ledger {
        let Some(from_seq) = loss.from_seq else { continue };
        let gap = Gap { cause: Some(loss.cause), rows: loss.rows(), ..around(numbers, loss, from_seq, span) };
        let near = gaps.partition_point(|known| known.from_ns <= gap.from_ns).checked_sub(1);
        match near.and_then(|index| gaps.get_mut(index)).filter(|known| gap.to_ns <= known.to_ns) {
            Some(known) => known.cause = known.cause.or(gap.cause),
            None => others.push(gap),
        }
    }
    gaps.extend(others);
    joined(gaps)
}

/// From the last row before a loss to the first after it, or to the ends of the episode. Rows are sorted by run and sequence.
fn around(numbers: &[Number], loss: &LossRow, from_seq: u64, span: (i64, i64)) -> Gap {
    let before = numbers.partition_point(|(run, seq, _)| (*run, *seq) < (loss.run, from_seq));
    let after = match loss.to_seq {
        Some(to_seq) => numbers.partition_point(|(run, seq, _)| (*run, *seq) < (loss.run, to_seq)),
        None => numbers.partition_point(|(run, _, _)| *run <= loss.run),
    };
    let from_ns = before.checked_sub(1).map_or(span.0.saturating_sub(1), |row| numbers[row].2);
    let to_ns = numbers.get(after).map_or(span.1.saturating_add(1), |number| number.2);
    Gap { from_ns, to_ns: to_ns.max(from_ns), rows: None, cause: None }
}

/// Sorts gaps by time and makes one of those that overlap.
fn joined(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_by_key(|gap| (gap.from_ns, gap.to_ns));
    let mut joined: Vec<Gap> = Vec::with_capacity(gaps.len());
    for gap in gaps {
        match joined.last_mut().filter(|last| gap.from_ns < last.to_ns) {
            Some(last) => {
                last.to_ns = last.to_ns.max(gap.to_ns);
                last.rows = last.rows.zip(gap.rows).map(|(a, b)| a.saturating_add(b));
                last.cause = last.cause.or(gap.cause);
            }
            None => joined.push(gap),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use sanqu_model::{DetectedBy, LossCause};

    use super::*;

    fn loss(run: u32, from_seq: Option<u64>, to_seq: Option<u64>, cause: LossCause) -> LossRow {
        let detected_by = DetectedBy::Gap;
        LossRow { robot: "r".parse().unwrap(), stream: "joint".parse().unwrap(), run, from_seq, to_seq, cause, detected_by }
    }

    /// Gaps as `from-to rows cause`; rows are 100 ns apart, the episode is 0..2000.
    #[track_caller]
    fn check(numbers: &[(u32, u64)], ledger: &[LossRow], expect: &[&str]) {
        let numbers: Vec<Number> = numbers.iter().zip(1..).map(|((run, seq), place)| (*run, *seq, place * 100)).collect();
        let gaps = placed(&numbers, ledger.iter(), (0, 2000));
        let said = |gap: &Gap| {
            let rows = gap.rows.map_or("?".to_owned(), |rows| rows.to_string());
            format!("{}-{} {rows} {}", gap.from_ns, gap.to_ns, gap.cause.map_or("-", LossCause::as_str))
        };
        assert_eq!(gaps.iter().map(said).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn the_ledger_gives_gaps_their_cause() {
        use LossCause::{Disk, Network};
        check(&[(0, 0), (0, 1), (0, 5)], &[loss(0, Some(2), Some(5), Network)], &["200-300 3 network"]);
        check(&[(0, 0), (0, 5)], &[loss(0, Some(1), Some(3), Disk), loss(0, Some(3), Some(5), Network)], &["100-200 4 disk"]);
        check(&[(0, 0), (0, 5)], &[], &["100-200 4 -"]);
        check(&[(0, 0), (0, 1)], &[loss(0, None, None, Network)], &[]);
    }

    #[test]
    fn losses_that_leave_no_gap_in_the_numbering_have_their_place_too() {
        use LossCause::{Network, Recorder, Unknown};
        check(&[(0, 3), (0, 4)], &[loss(0, Some(0), Some(3), Network)], &["-1-100 3 network"]);
        check(&[(0, 0), (0, 1)], &[loss(0, Some(2), Some(9), Network)], &["200-2001 7 network"]);
        check(&[(0, 0), (1, 4)], &[loss(0, Some(1), None, Unknown)], &["100-200 ? unknown"]);
        let both = [loss(0, Some(1), Some(3), Recorder), loss(1, Some(0), Some(4), Network)];
        check(&[(0, 0), (1, 4)], &both, &["100-200 6 recorder"]);
    }
}
