//! The truth: what can be read back from what a sink left on disk, stream by stream, beside what was offered.

mod frames;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt64Type;
use sanqu_model::{SEQ, SeqRanges};
use sanqu_store::{Episode, Severity, Store, VerifyReport, verify};
use sanqu_wire::{HEADER_BYTES, SampleHeader};
use serde::{Deserialize, Serialize};

use crate::talk::{Sent, StepSent, StreamSent};

/// What was found of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FoundStream {
    /// Distinct rows.
    pub(crate) rows: u64,
    /// Which; none where only their number is known.
    pub(crate) ranges: Option<SeqRanges>,
}

/// What was found on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// By key.
    pub(crate) streams: BTreeMap<String, FoundStream>,
    /// Samples whose checksum is wrong.
    pub(crate) corrupt: u64,
    /// Rows that the recorder's own ledger calls lost.
    pub(crate) ledger_rows: u64,
    /// Streams whose ledger has an open end.
    pub(crate) open_ends: u64,
    /// What is damaged.
    pub(crate) damage: Vec<String>,
    /// Bytes behind the last whole record of a file.
    pub(crate) torn_bytes: u64,
}

/// What was offered and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Truth {
    /// Rows and pictures that were due.
    pub(crate) offered_rows: u64,
    /// Of those, what the network did not take in time, so that it never left the robot.
    pub(crate) unsent_rows: u64,
    /// Found on disk.
    pub(crate) found_rows: u64,
    /// Offered and not found.
    pub(crate) lost_rows: u64,
    /// Streams that have lost any.
    pub(crate) lossy_streams: u64,
    /// Samples on disk whose checksum is wrong.
    pub(crate) corrupt: u64,
    /// Rows that the sink's own ledger calls lost.
    pub(crate) ledger_rows: u64,
    /// Streams of which the sink's own ledger does not know the end.
    pub(crate) open_ends: u64,
    /// Files that are damaged.
    pub(crate) damage: Vec<String>,
}

impl Truth {
    /// Compares stream by stream, so that one stream's loss is not hidden by another's surplus.
    pub(crate) fn new(sent: &Sent, found: &Found) -> Self {
        let (corrupt, ledger_rows, open_ends) = (found.corrupt, found.ledger_rows, found.open_ends);
        let mut truth = Self { corrupt, ledger_rows, open_ends, damage: found.damage.clone(), ..Self::default() };
        for (key, stream) in &sent.streams {
            let rows = found.streams.get(key).map_or(0, |found| found.rows);
            let offered = stream.offered_rows();
            truth.offered_rows += offered;
            truth.unsent_rows += stream.unsent_rows();
            truth.found_rows += rows;
            truth.lost_rows += offered.saturating_sub(rows);
            truth.lossy_streams += u64::from(offered > rows);
        }
        truth
    }
}

/// Rows that were lost in each step of a run.
pub(crate) fn lost_by_step(sent: &Sent, found: &Found) -> Vec<u64> {
    let steps = sent.streams.values().map(|stream| stream.steps.len()).max().unwrap_or(0);
    let mut lost = vec![0; steps];
    for (key, stream) in &sent.streams {
        let none = FoundStream::default();
        let found = found.streams.get(key).unwrap_or(&none);
        for (lost, missing) in lost.iter_mut().zip(missing_by_step(stream, found)) {
            *lost += missing;
        }
    }
    lost
}

/// Where only the number of rows is known, those that left and are missing are taken for the last ones: what flatters the
/// sink.
fn missing_by_step(stream: &StreamSent, found: &FoundStream) -> Vec<u64> {
    let ranges = found.ranges.clone().unwrap_or_else(|| first_rows(stream, found.rows));
    let mut from = 0;
    let missing = |step: &StepSent| {
        let to = step.next_seq.max(from);
        let gaps = ranges.missing_in(&(from..to)).iter().map(|gap| gap.end - gap.start).sum();
        from = to;
        gaps
    };
    stream.steps.iter().map(missing).collect()
}

/// The first `rows` rows of those that left.
fn first_rows(stream: &StreamSent, rows: u64) -> SeqRanges {
    let mut ranges = SeqRanges::default();
    ranges.insert(&(0..stream.steps.iter().map(|step| step.next_seq).max().unwrap_or(0)));
    stream.unsent.iter().for_each(|(from, to)| ranges.remove(&(*from..*to)));
    let (mut first, mut left) = (SeqRanges::default(), rows);
    for range in ranges.iter() {
        let end = range.end.min(range.start + left);
        first.insert(&(range.start..end));
        left -= end - range.start;
    }
    first
}

/// Reads a store: the manifests of what is sealed, proven by `verify`, and the journals of what is not.
pub(crate) fn store(root: &Path) -> Result<Found> {
    let store = Store::open(root)?;
    let mut found = Found::default();
    for episode in store.episodes()? {
        found.add_episode(&episode)?;
    }
    found.add_report(&verify(root)?);
    for journal in store.journals()? {
        found.add_journal(&journal)?;
    }
    Ok(found)
}

/// Reads what the bare writer left.
pub(crate) fn bare(path: &Path) -> Result<Found> {
    let mut found = Found::default();
    found.torn_bytes = frames::read(path, &mut |topic, message| {
        let checked =
            message.split_at_checked(HEADER_BYTES).and_then(|(header, payload)| SampleHeader::decode_checked(header, payload).ok());
        match checked {
            Some(header) => found.add_sample(topic, &header),
            None => found.corrupt += 1,
        }
    })?;
    found.count();
    Ok(found)
}

impl Found {
    /// The sequences of each stream's own table; `verify` has proven the files against the manifest.
    fn add_episode(&mut self, episode: &Episode) -> Result<()> {
        let manifest = episode.manifest();
        for entry in &manifest.streams {
            let key = format!("sanqu/{}/{}/{}", manifest.field, entry.robot, entry.stream);
            let stream = self.streams.entry(key).or_default();
            let ranges = stream.ranges.get_or_insert_default();
            for batch in episode.read(entry, Some(&[SEQ]))? {
                let batch = batch?;
                let seqs = batch.column_by_name(SEQ).and_then(|column| column.as_primitive_opt::<UInt64Type>()).context("no sequences")?;
                seqs.values().iter().for_each(|seq| ranges.insert(&(*seq..seq + 1)));
            }
            stream.rows = ranges.count();
            self.ledger_rows += entry.lost.total();
            self.open_ends += u64::from(entry.lost.open_ended);
        }
        Ok(())
    }

    fn add_report(&mut self, report: &VerifyReport) {
        let damage = report.issues.iter().filter(|issue| issue.severity == Severity::Damage);
        self.damage.extend(damage.map(|issue| format!("{}: {}", issue.file.display(), issue.detail)));
    }

    /// A journal keeps the header of a sample as a message of its own, before the payload.
    fn add_journal(&mut self, path: &Path) -> Result<()> {
        let mut headers: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let torn_bytes = frames::read(path, &mut |topic, message| match topic.strip_suffix("#header") {
            Some(key) => drop(headers.insert(key.to_owned(), message.to_vec())),
            None => match headers.remove(topic).map(|header| SampleHeader::decode_checked(&header, message)) {
                Some(Ok(header)) => self.add_sample(topic, &header),
                Some(Err(_)) => self.corrupt += 1,
                None => {}
            },
        })?;
        self.torn_bytes += torn_bytes;
        self.count();
        Ok(())
    }

    fn add_sample(&mut self, key: &str, header: &SampleHeader) {
        if !self.streams.contains_key(key) {
            self.streams.insert(key.to_owned(), FoundStream::default());
        }
        if let Some(stream) = self.streams.get_mut(key) {
            stream.ranges.get_or_insert_default().insert(&(header.seq..header.next_seq()));
        }
    }

    fn count(&mut self) {
        for stream in self.streams.values_mut() {
            if let Some(ranges) = &stream.ranges {
                stream.rows = ranges.count();
            }
        }
    }

    /// Each stream by its name and the number of its samples.
    pub(crate) fn from_counts(counts: impl IntoIterator<Item = (String, u64)>, sent: &Sent) -> Result<Self> {
        let mut found = Self::default();
        for (key, samples) in counts {
            // Heartbeats are stored as well; nobody has counted them.
            let Some(stream) = sent.streams.get(&key) else { continue };
            let rows = samples.checked_mul(u64::from(stream.rows_per_sample)).with_context(|| format!("{key}: {samples} samples"))?;
            found.streams.insert(key, FoundStream { rows, ranges: None });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
