//! A stream's line in the manifest, and its rows in the loss ledger.

use sanqu_model::{DetectedBy, LossCause, LossRow, LossTotals, Quantity, StreamDescription, StreamEntry, StreamKey};

use super::account::account;
use super::content::Form;
use super::plan::{Plan, Run};
use super::stats::{Stats, rate_hz};
use crate::StoreError;

/// Checks the invariant of the whole recorder: `expected = received + lost`, for a stream of a sealed episode.
///
/// Every row that the source numbered was received, or is lost for a stated cause; there is no third. `expected` is none
/// where nothing was numbered or where an end is open, and then nobody knows how many there were. Every received row is
/// stored. This is the one statement of what the ledger means: `seal` calls it before a manifest is written, `verify` calls
/// it, and so does every test of faults.
///
/// # Errors
/// [`StoreError::Unbalanced`] with the three numbers.
pub fn check_balance(entry: &StreamEntry) -> Result<(), StoreError> {
    let lost = entry.lost.total();
    let balanced = match entry.expected {
        Some(expected) => !entry.lost.open_ended && entry.received.checked_add(lost) == Some(expected),
        None => true,
    };
    if balanced && entry.rows == entry.received {
        return Ok(());
    }
    let stream = format!("{}/{}", entry.robot, entry.stream);
    Err(StoreError::Unbalanced { stream, expected: entry.expected.unwrap_or(entry.rows), received: entry.received, lost })
}

/// Makes the manifest's entry, without its files, and the stream's ledger.
pub(super) fn entry(
    key: &StreamKey,
    encoding: &str,
    description: Option<&StreamDescription>,
    plan: &Plan,
    stats: &Stats,
) -> Result<(StreamEntry, Vec<LossRow>), StoreError> {
    let ledger = Ledger::of(key, &plan.runs);
    let mut lost = LossTotals::default();
    ledger.rows.iter().for_each(|row| lost.add(row));
    let mut facts = description.map(|d| d.facts.clone()).unwrap_or_default();
    let mut note = |name: &str, text: String| drop(facts.insert(name.to_owned(), text));
    if ledger.front_unverified {
        note("front", "unverified: nothing says which row was the first of this journal".to_owned());
    }
    if ledger.tail_unverified {
        note("tail", "unverified: no final count, rows after the last one received are not known".to_owned());
    }
    for (name, count) in [("unparsed_samples", plan.asides.len() as u64), ("conflicting_samples", plan.conflicts)] {
        if count > 0 {
            note(name, count.to_string());
        }
    }
    let (quantities, contradicts): (Vec<Quantity>, bool) = match &plan.form {
        Form::Rows(layout) => (layout.stored.clone(), description.is_some_and(|d| layout.contradicts(d))),
        _ => (Vec::new(), false),
    };
    if contradicts {
        note("description", "contradicts the payloads, which were stored as they came".to_owned());
    }
    if description.is_none() {
        note("description", "undeclared".to_owned());
    }
    let entry = StreamEntry {
        robot: key.robot.clone(),
        stream: key.stream.clone(),
        encoding: encoding.to_owned(),
        declared: description.is_some() && !contradicts,
        quantities,
        nominal_rate_hz: description.map_or(0.0, |d| d.rate_hz),
        rows: stats.rows,
        rows_in_episode: stats.rows_in_episode,
        first_t_ns: stats.first_t_ns,
        last_t_ns: stats.last_t_ns,
        rate_hz: rate_hz(stats.rows, stats.first_t_ns.zip(stats.last_t_ns)),
        boots: plan.runs.iter().map(|run| run.boot.map(|boot| boot.to_string()).unwrap_or_default()).collect(),
        expected: ledger.expected,
        received: plan.runs.iter().map(|run| run.evidence.received.count()).sum(),
        lost,
        duplicates: plan.duplicates,
        clock: stats.clock_stats(plan.clock.or(description.map(|d| d.clock)).unwrap_or(0)),
        timeline: Vec::new(),
        files: Vec::new(),
        facts,
    };
    check_balance(&entry)?;
    Ok((entry, ledger.rows))
}

/// The accounts of all runs of a stream.
struct Ledger {
    expected: Option<u64>,
    rows: Vec<LossRow>,
    front_unverified: bool,
    tail_unverified: bool,
}

impl Ledger {
    fn of(key: &StreamKey, runs: &[Run]) -> Self {
        let mut ledger =
            Self { expected: (!runs.is_empty()).then_some(0), rows: Vec::new(), front_unverified: false, tail_unverified: false };
        for (number, run) in runs.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let row = |from_seq, to_seq, cause, detected_by| LossRow {
                robot: key.robot.clone(),
                stream: key.stream.clone(),
                run: number,
                from_seq,
                to_seq,
                cause,
                detected_by,
            };
            if run.boot.is_none() {
                // Without a header nobody counts: what is known to be gone has no size.
                ledger.expected = None;
                if !run.evidence.corrupt.is_empty() {
                    ledger.rows.push(row(None, None, LossCause::Corrupt, DetectedBy::Checksum));
                }
                if run.evidence.is_cut_off {
                    ledger.rows.push(row(None, None, LossCause::Recorder, DetectedBy::Repair));
                } else if run.evidence.is_damaged {
                    ledger.rows.push(row(None, None, LossCause::Unknown, DetectedBy::Repair));
                }
                continue;
            }
            let account = account(&run.evidence);
            // A sum that no number can hold is an unknown one.
            ledger.expected = ledger.expected.zip(account.expected).and_then(|(a, b)| a.checked_add(b));
            ledger.front_unverified |= account.front_unverified;
            ledger.tail_unverified |= account.tail_unverified;
            ledger.rows.extend(account.lost.iter().map(|lost| row(lost.from_seq, lost.to_seq, lost.cause, lost.detected_by)));
        }
        ledger
    }
}
