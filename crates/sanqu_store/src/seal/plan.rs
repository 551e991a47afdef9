//! The first pass over a stream: every payload is read once and judged; what is kept, in which order, and what is missing.

use std::collections::{BTreeMap, BTreeSet};

use sanqu_model::{StreamDescription, StreamKey};
use sanqu_wire::{SampleHeader, h264};

use super::account::{Corrupt, Evidence, Lost};
use super::content::{Form, check_payload};
use crate::journal::{Entry, Index, StreamIndex};
use crate::{Control, StoreError};

/// What becomes of a stream's samples.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) form: Form,
    /// Runs in order of first arrival.
    pub(super) runs: Vec<Run>,
    /// What is stored, sorted by run and sequence.
    pub(super) pieces: Vec<Piece>,
    /// Samples for `unparsed.mcap`, in order of arrival.
    pub(super) asides: Vec<Aside>,
    /// Rows that arrived again, byte for byte the same.
    pub(super) duplicates: u64,
    /// Samples that repeat sequences with other content.
    pub(super) conflicts: u64,
    /// Clock id of the first header.
    pub(super) clock: Option<u16>,
}

/// One boot of a stream's publisher, or the samples without a header.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// None for samples without a header.
    pub(super) boot: Option<u64>,
    pub(super) evidence: Evidence,
}

/// Consecutive rows of one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) run: u32,
    /// Sequence of the first row that is kept.
    pub(super) seq: u64,
    /// Index of the sample in order of arrival.
    pub(super) entry: usize,
    /// Rows of the payload before the first kept one.
    pub(super) skip: usize,
    pub(super) rows: usize,
}

/// A sample that is kept aside, and why.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) entry: usize,
    pub(super) reason: String,
}

/// Judges every sample of a stream in order of arrival.
pub(super) fn plan(index: &Index, key: &StreamKey, stream: &StreamIndex, closed: bool) -> Result<Plan, StoreError> {
    let descriptions: Vec<&StreamDescription> = descriptions(index, key).collect();
    let encoding = encoding(stream, descriptions.last().copied());
    let form = find_form(index, stream, encoding, &descriptions)?;
    let mut planner = Planner {
        index,
        stream,
        encoding,
        plan: Plan { form, runs: Vec::new(), pieces: Vec::new(), asides: Vec::new(), duplicates: 0, conflicts: 0, clock: None },
        whole: BTreeMap::new(),
        doubtful: Vec::new(),
        foreign: false,
    };
    for entry in 0..stream.entries.len() {
        planner.judge(entry)?;
    }
    planner.believe_doubtful();
    planner.add_controls(key, closed);
    let mut plan = planner.plan;
    plan.pieces.sort_by_key(|piece| (piece.run, piece.seq));
    Ok(plan)
}

/// The stream's last description.
pub(super) fn description<'a>(index: &'a Index, key: &'a StreamKey) -> Option<&'a StreamDescription> {
    descriptions(index, key).next_back()
}

fn descriptions<'a>(index: &'a Index, key: &'a StreamKey) -> impl DoubleEndedIterator<Item = &'a StreamDescription> {
    index.controls.iter().filter_map(|control| match control {
        Control::Describe { robot, description } if (robot, &description.stream) == (&key.robot, &key.stream) => Some(description),
        _ => None,
    })
}

/// The stream's payload encoding: the declared one if any sample has it, else the first sample's.
pub(super) fn encoding<'a>(stream: &'a StreamIndex, description: Option<&'a StreamDescription>) -> &'a str {
    let declared = description.map(|d| d.encoding.as_str());
    let is_used = |declared: &&str| stream.entries.is_empty() || stream.entries.iter().any(|entry| *entry.encoding == **declared);
    declared.filter(is_used).unwrap_or(&stream.encoding)
}

/// The form that the first readable sample asks for which keeps to a description. Only when none does it is the first
/// readable one's: a single wrong payload at the beginning must not decide against all that follow.
fn find_form(index: &Index, stream: &StreamIndex, encoding: &str, descriptions: &[&StreamDescription]) -> Result<Form, StoreError> {
    let mut first = None;
    for entry in &stream.entries {
        let payload = index.payload(entry)?;
        let whole = entry.attachment.is_empty() || SampleHeader::decode_checked(&entry.attachment, &payload).is_ok();
        if !whole || entry.encoding.as_ref() != encoding {
            continue;
        }
        let Ok(Some(form)) = Form::of_payload(encoding, &payload, descriptions) else { continue };
        if form.keeps_to_one_of(descriptions) {
            return Ok(form);
        }
        first.get_or_insert(form);
    }
    Ok(first.unwrap_or_else(|| Form::of_description(descriptions.last().copied(), encoding)))
}

struct Planner<'a> {
    index: &'a Index,
    stream: &'a StreamIndex,
    encoding: &'a str,
    plan: Plan,
    /// Samples kept whole, by run and first sequence.
    whole: BTreeMap<(u32, u64), usize>,
    /// Headers of samples whose checksum fails: believed only once the stream's boots are known.
    doubtful: Vec<Option<SampleHeader>>,
    /// Whether the last parameter sets were of another picture format: frames that follow cannot be shown with ours.
    foreign: bool,
}

impl Planner<'_> {
    fn judge(&mut self, number: usize) -> Result<(), StoreError> {
        let entry = &self.stream.entries[number];
        let payload = self.index.payload(entry)?;
        if entry.attachment.is_empty() {
            match self.count_rows(entry, &payload) {
                Ok(rows) => self.keep_unnumbered(number, rows),
                Err(reason) => {
                    let run = self.run(None);
                    self.plan.runs[run].evidence.corrupt.push(Corrupt { rows: 0..0, is_trusted: false });
                    self.plan.asides.push(Aside { entry: number, reason });
                }
            }
            return Ok(());
        }
        let header = match SampleHeader::decode_checked(&entry.attachment, &payload) {
            Ok(header) => header,
            Err(error) => {
                self.doubtful.push(SampleHeader::decode(&entry.attachment).ok());
                self.plan.asides.push(Aside { entry: number, reason: error.to_string() });
                return Ok(());
            }
        };
        self.plan.clock.get_or_insert(header.clock);
        let run = self.run(Some(header.boot));
        if header.last() {
            let evidence = &mut self.plan.runs[run].evidence;
            evidence.final_seq = evidence.final_seq.max(Some(header.next_seq()));
        }
        let counted = self.count_rows(entry, &payload).and_then(|rows| match u32::try_from(rows) {
            Ok(count) if count == header.rows => Ok(rows),
            _ => Err(format!("the header says {} rows, the payload has {rows}", header.rows)),
        });
        match counted {
            Ok(_) => self.keep(number, run, &header, &payload),
            Err(reason) => {
                let corrupt = Corrupt { rows: header.seq..header.next_seq(), is_trusted: true };
                self.plan.runs[run].evidence.corrupt.push(corrupt);
                self.plan.asides.push(Aside { entry: number, reason });
                Ok(())
            }
        }
    }

    fn count_rows(&mut self, entry: &Entry, payload: &[u8]) -> Result<usize, String> {
        if entry.encoding.as_ref() != self.encoding {
            return Err(format!("its encoding is {:?}, the stream's is {:?}", entry.encoding, self.encoding));
        }
        if let Form::Video(sets) = &self.plan.form {
            if h264::parameter_sets(payload).is_some() {
                self.foreign = sets.differ(payload);
            } else if self.foreign {
                return Err("it continues frames of another picture format".to_owned());
            }
        }
        check_payload(&self.plan.form, payload)
    }

    fn keep_unnumbered(&mut self, entry: usize, rows: usize) {
        let run = self.run(None);
        let received = &mut self.plan.runs[run].evidence.received;
        let seq = received.end().unwrap_or(0);
        received.insert(&(seq..seq + rows as u64));
        self.plan.pieces.push(Piece { run: run_number(run), seq, entry, skip: 0, rows });
    }

    /// Keeps the rows that are new; a repetition must be byte-equal, else it is kept aside.
    fn keep(&mut self, number: usize, run: usize, header: &SampleHeader, payload: &[u8]) -> Result<(), StoreError> {
        let rows = header.seq..header.next_seq();
        let received = &mut self.plan.runs[run].evidence.received;
        let missing = received.missing_in(&rows);
        received.insert(&rows);
        let number_of_run = run_number(run);
        if missing == [rows.clone()] {
            self.whole.insert((number_of_run, header.seq), number);
        } else if !rows.is_empty() {
            let earlier = self.whole.get(&(number_of_run, header.seq)).map(|first| &self.stream.entries[*first]);
            let attachment = &self.stream.entries[number].attachment;
            if let Some(earlier) = earlier.filter(|e| e.attachment == *attachment && e.payload_bytes == payload.len())
                && self.index.payload(earlier)? == payload
            {
                self.plan.duplicates += rows.end - rows.start;
                return Ok(());
            }
            self.plan.conflicts += 1;
            let reason = format!("sequences {}..{} of run {run} came before with other content", rows.start, rows.end);
            self.plan.asides.push(Aside { entry: number, reason });
        }
        for part in missing {
            let to_usize = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            let (skip, count) = (to_usize(part.start - rows.start), to_usize(part.end - part.start));
            self.plan.pieces.push(Piece { run: number_of_run, seq: part.start, entry: number, skip, rows: count });
        }
        Ok(())
    }

    /// The number of a boot's run, which begins when the boot is first seen.
    fn run(&mut self, boot: Option<u64>) -> usize {
        if let Some(run) = self.plan.runs.iter().position(|run| run.boot == boot) {
            return run;
        }
        let is_first = !self.plan.runs.iter().any(|run| run.boot.is_some());
        let is_damaged = self.index.damage.bad_chunks + self.index.damage.orphans > 0;
        self.plan.runs.push(Run { boot, evidence: Evidence { is_first, is_damaged, ..Evidence::default() } });
        self.plan.runs.len() - 1
    }

    /// A header whose checksum fails may still say which rows it was for, if its boot is one that sent other samples.
    fn believe_doubtful(&mut self) {
        for header in std::mem::take(&mut self.doubtful) {
            let known = header.filter(|h| self.plan.runs.is_empty() || self.plan.runs.iter().any(|run| run.boot == Some(h.boot)));
            let (run, rows) = match known {
                Some(header) => (self.run(Some(header.boot)), header.seq..header.next_seq()),
                None if self.plan.runs.is_empty() => (self.run(None), 0..0),
                // The gap that it left is in the ledger of its run.
                None => continue,
            };
            self.plan.runs[run].evidence.corrupt.push(Corrupt { rows, is_trusted: false });
        }
    }

    fn add_controls(&mut self, key: &StreamKey, closed: bool) {
        for control in &self.index.controls {
            let Some((boot, apply)) = about(control, key) else { continue };
            let run = self.run(Some(boot));
            apply(&mut self.plan.runs[run].evidence);
        }
        // A boot is over when a later one has begun.
        let last = self.plan.runs.iter().rposition(|run| run.boot.is_some());
        for (number, run) in self.plan.runs.iter_mut().enumerate() {
            run.evidence.is_cut_off = !closed && (run.boot.is_none() || Some(number) == last);
        }
    }
}

type Apply<'a> = Box<dyn Fn(&mut Evidence) + 'a>;

/// What a control record says about a boot of this stream.
fn about<'a>(control: &'a Control, key: &StreamKey) -> Option<(u64, Apply<'a>)> {
    let (robot, stream, boot, apply): (_, _, _, Apply<'a>) = match control {
        Control::Baseline { robot, stream, boot, next_seq } => {
            // A second segment may repeat it later in the boot: the earliest counts.
            (robot, stream, boot, Box::new(|e| e.baseline = Some(e.baseline.map_or(*next_seq, |known| known.min(*next_seq)))))
        }
        Control::Final { robot, stream, boot, next_seq } => {
            (robot, stream, boot, Box::new(|e| e.final_seq = e.final_seq.max(Some(*next_seq))))
        }
        Control::Lost { robot, stream, boot, from_seq, to_seq, cause, detected_by } => {
            let lost = Lost { from_seq: *from_seq, to_seq: *to_seq, cause: *cause, detected_by: *detected_by };
            (robot, stream, boot, Box::new(move |e| e.lost.push(lost.clone())))
        }
        _ => return None,
    };
    ((robot, stream) == (&key.robot, &key.stream)).then_some((*boot, apply))
}

/// Every stream of the episode's field that the journal knows, with or without samples.
pub(super) fn streams(index: &Index, start: &crate::EpisodeStart) -> BTreeSet<StreamKey> {
    let mut keys: BTreeSet<StreamKey> = index.streams.keys().filter(|key| key.field == start.field).cloned().collect();
    for control in &index.controls {
        let (robot, stream) = match control {
            Control::Describe { robot, description } => (robot, &description.stream),
            Control::Baseline { robot, stream, .. } | Control::Final { robot, stream, .. } | Control::Lost { robot, stream, .. } => {
                (robot, stream)
            }
            _ => continue,
        };
        if stream.kind().is_recorded() {
            keys.insert(StreamKey { field: start.field.clone(), robot: robot.clone(), stream: stream.clone() });
        }
    }
    keys
}

fn run_number(run: usize) -> u32 {
    u32::try_from(run).unwrap_or(u32::MAX)
}
