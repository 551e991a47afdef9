use std::collections::BTreeSet;
use std::path::PathBuf;

use sanqu_model::{StreamDescription, StreamKey};
use sanqu_wire::{SampleHeader, h264};

use super::account::{Corrupt, Evidence, Lost};
use super::content::{Form, check_payload};
use super::piece::Piece;
use crate::disk::Disk;
use crate::journal::{Class, Entry, Grade, Index, Limits, Scratch, Sorted, Sorter, StreamIndex, Window};
use crate::{Control, StoreError};

/// What becomes of a stream's samples.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) form: Form,
    /// Runs in order of first arrival.
    pub(super) runs: Vec<Run>,
    /// What is stored, sorted by run and sequence.
    pub(super) pieces: Sorted<Piece>,
    /// What of the pieces does not fit into memory.
    pub(super) scratch: Scratch,
    /// Rows of all pieces.
    pub(super) rows: u64,
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

/// A sample that is kept aside, and why.
#[derive(Debug)]
pub(super) struct Aside {
    /// Number of the sample in order of arrival.
    pub(super) entry: u64,
    pub(super) reason: String,
}

/// The stream that is planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) index: &'a Index,
    pub(super) key: &'a StreamKey,
    pub(super) stream: &'a StreamIndex,
    /// Whether the journal was closed in an orderly way.
    pub(super) closed: bool,
    pub(super) limits: Limits,
}

/// Judges every sample of a stream in order of arrival. Memory grows with what came late, twice or not at all.
pub(super) fn plan(subject: Subject<'_>, disk: &Disk, scratch: PathBuf) -> Result<Plan, StoreError> {
    let Subject { index, key, stream, .. } = subject;
    let descriptions: Vec<&StreamDescription> = descriptions(index, key).collect();
    let encoding = encoding(index, stream, descriptions.last().copied());
    let mut planner = Planner {
        subject,
        encoding,
        number: index.encoding_number(encoding),
        form: find_form(subject, encoding, &descriptions)?,
        fitting: None,
        window: Window::default(),
        payload: Vec::new(),
        pieces: Sorter::new(subject.limits),
        scratch: Scratch::new(disk.clone(), scratch),
        runs: Vec::new(),
        rows: 0,
        asides: Vec::new(),
        clock: None,
        again: Vec::new(),
        doubtful: Vec::new(),
        foreign: false,
    };
    for entry in 0..stream.entries.len() {
        planner.judge(entry)?;
    }
    planner.believe_doubtful();
    planner.add_controls();
    planner.finish()
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
pub(super) fn encoding<'a>(index: &Index, stream: &'a StreamIndex, description: Option<&'a StreamDescription>) -> &'a str {
    let declared = description.map(|d| d.encoding.as_str());
    let is_used = |declared: &&str| stream.entries.len() == 0 || stream.has(index.encoding_number(declared));
    declared.filter(is_used).unwrap_or(&stream.encoding)
}

/// The form that the first readable sample asks for which keeps to a description. Only when none does it is the first
/// readable one's: a single wrong payload at the beginning must not decide against all that follow.
fn find_form(subject: Subject<'_>, encoding: &str, descriptions: &[&StreamDescription]) -> Result<Form, StoreError> {
    let Subject { index, stream, .. } = subject;
    let (mut window, mut payload, mut refused) = (Window::default(), Vec::new(), BTreeSet::new());
    let (mut first, number) = (None, index.encoding_number(encoding));
    for entry in 0..stream.entries.len() {
        let entry = index.entry(stream, &mut window, entry)?;
        if Some(entry.encoding) != number {
            continue;
        }
        if let Grade::Bare { class, .. } | Grade::Whole { class, .. } = entry.grade {
            // Payloads of one class ask for the same.
            if !refused.insert(class) {
                continue;
            }
            index.payload(&entry, &mut payload)?;
        } else {
            index.payload(&entry, &mut payload)?;
            let attachment = index.attachment(&entry)?;
            if !attachment.is_empty() && SampleHeader::decode_checked(&attachment, &payload).is_err() {
                continue;
            }
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
    subject: Subject<'a>,
    encoding: &'a str,
    /// The number of the encoding, if any sample has it.
    number: Option<u32>,
    form: Form,
    /// The last class of rows that was found to fit.
    fitting: Option<u16>,
    window: Window<Entry>,
    payload: Vec<u8>,
    pieces: Sorter<Piece>,
    scratch: Scratch,
    runs: Vec<Run>,
    rows: u64,
    asides: Vec<Aside>,
    clock: Option<u16>,
    /// Samples of which rows had come before.
    again: Vec<Again>,
    /// Headers of samples whose checksum fails: believed only once the stream's boots are known.
    doubtful: Vec<Option<SampleHeader>>,
    /// Whether the last parameter sets were of another picture format: frames that follow cannot be shown with ours.
    foreign: bool,
}

/// A sample of which rows had come before: byte-equal, or in conflict with what came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Again {
    run: u32,
    seq: u64,
    entry: u64,
    rows: u64,
}

impl Planner<'_> {
    fn judge(&mut self, number: u64) -> Result<(), StoreError> {
        let entry = self.subject.index.entry(self.subject.stream, &mut self.window, number)?;
        match &entry.grade {
            Grade::Bare { class, rows } if self.fits(&entry, *class) => self.keep_unnumbered(number, *rows),
            Grade::Whole { class, header } if self.fits(&entry, *class) => {
                let run = self.meet(header);
                self.keep(number, run, header)
            }
            _ => self.judge_closely(number, &entry),
        }
    }

    /// Whether payloads of a class can be stored without a closer look.
    fn fits(&mut self, entry: &Entry, class: u16) -> bool {
        if Some(entry.encoding) != self.number {
            return false;
        }
        match (&self.form, self.subject.stream.classes.get(class)) {
            (Form::Rows(_), _) if self.fitting == Some(class) => true,
            (Form::Rows(layout), Some(Class::Rows(quantities))) => {
                let fits = layout.payload[..] == quantities[..];
                self.fitting = fits.then_some(class);
                fits
            }
            (Form::Video(sets), Some(Class::Video(found))) => {
                if sets.differ(found.iter().map(Vec::as_slice)) {
                    return false;
                }
                // An SPS alone says nothing about what follows.
                let kinds = |kind: u8| found.iter().any(|set| set.first().is_some_and(|first| first & 0x1f == kind));
                self.foreign &= !(kinds(7) && kinds(8));
                !self.foreign
            }
            (Form::Text, Some(Class::Text)) | (Form::Bytes, Some(_)) => true,
            _ => false,
        }
    }

    /// Notes what a readable header says besides its rows. Returns the number of its run.
    fn meet(&mut self, header: &SampleHeader) -> usize {
        self.clock.get_or_insert(header.clock);
        let run = self.run(Some(header.boot));
        if header.last() {
            let evidence = &mut self.runs[run].evidence;
            evidence.final_seq = evidence.final_seq.max(Some(header.next_seq()));
        }
        run
    }

    fn judge_closely(&mut self, number: u64, entry: &Entry) -> Result<(), StoreError> {
        let mut payload = std::mem::take(&mut self.payload);
        self.subject.index.payload(entry, &mut payload)?;
        let attachment = self.subject.index.attachment(entry)?;
        let judged = self.judge_bytes(number, entry, &attachment, &payload);
        self.payload = payload;
        judged
    }

    fn judge_bytes(&mut self, number: u64, entry: &Entry, attachment: &[u8], payload: &[u8]) -> Result<(), StoreError> {
        if attachment.is_empty() {
            match self.count_rows(entry, payload) {
                Ok(rows) => return self.keep_unnumbered(number, rows),
                Err(reason) => {
                    let run = self.run(None);
                    self.runs[run].evidence.corrupt.push(Corrupt { rows: 0..0, is_trusted: false });
                    self.asides.push(Aside { entry: number, reason });
                }
            }
            return Ok(());
        }
        let header = match SampleHeader::decode_checked(attachment, payload) {
            Ok(header) => header,
            Err(error) => {
                self.doubtful.push(SampleHeader::decode(attachment).ok());
                self.asides.push(Aside { entry: number, reason: error.to_string() });
                return Ok(());
            }
        };
        let run = self.meet(&header);
        let counted = self.count_rows(entry, payload).and_then(|rows| match rows {
            rows if rows == header.rows => Ok(()),
            rows => Err(format!("the header says {} rows, the payload has {rows}", header.rows)),
        });
        match counted {
            Ok(()) => self.keep(number, run, &header),
            Err(reason) => {
                self.runs[run].evidence.add_unreadable(header.seq..header.next_seq());
                self.asides.push(Aside { entry: number, reason });
                Ok(())
            }
        }
    }

    fn count_rows(&mut self, entry: &Entry, payload: &[u8]) -> Result<u32, String> {
        if Some(entry.encoding) != self.number {
            return Err(format!("its encoding is {:?}, the stream's is {:?}", self.subject.index.encoding(entry), self.encoding));
        }
        if let Form::Video(sets) = &self.form {
            if h264::parameter_sets(payload).is_some() {
                self.foreign = sets.differ(h264::all_parameter_sets(payload));
            } else if self.foreign {
                return Err("it continues frames of another picture format".to_owned());
            }
        }
        let rows = check_payload(&self.form, payload)?;
        u32::try_from(rows).map_err(|_| format!("{rows} rows"))
    }

    fn keep_unnumbered(&mut self, entry: u64, rows: u32) -> Result<(), StoreError> {
        let run = self.run(None);
        let received = &mut self.runs[run].evidence.received;
        let seq = received.end().unwrap_or(0);
        received.insert(&(seq..seq + u64::from(rows)));
        self.store(Piece { run: run_number(run), seq, entry, skip: 0, rows })
    }

    fn store(&mut self, piece: Piece) -> Result<(), StoreError> {
        self.rows += u64::from(piece.rows);
        self.pieces.push(piece, &mut self.scratch)
    }

    /// Keeps the rows that are new.
    fn keep(&mut self, number: u64, run: usize, header: &SampleHeader) -> Result<(), StoreError> {
        let rows = header.seq..header.next_seq();
        let received = &mut self.runs[run].evidence.received;
        let missing = received.missing_in(&rows);
        received.insert(&rows);
        let run = run_number(run);
        if missing != [rows.clone()] && !rows.is_empty() {
            self.again.push(Again { run, seq: header.seq, entry: number, rows: rows.end - rows.start });
        }
        for part in missing {
            // A sample has at most as many rows as fit 32 bits.
            let to_u32 = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            let (skip, count) = (to_u32(part.start - rows.start), to_u32(part.end - part.start));
            self.store(Piece { run, seq: part.start, entry: number, skip, rows: count })?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Plan, StoreError> {
        let (again, pieces) =
            (std::mem::take(&mut self.again), std::mem::replace(&mut self.pieces, Sorter::new(self.subject.limits)).finish());
        let (mut duplicates, mut conflicts) = (0, 0);
        for (again, is_equal) in self.compare_again(again, &pieces)? {
            if is_equal {
                duplicates += again.rows;
                continue;
            }
            conflicts += 1;
            let Again { run, seq, entry, rows } = again;
            let reason = format!("sequences {seq}..{} of run {run} came before with other content", seq + rows);
            self.asides.push(Aside { entry, reason });
        }
        self.asides.sort_by_key(|aside| aside.entry);
        let Self { form, runs, scratch, rows, asides, clock, .. } = self;
        Ok(Plan { form, runs, pieces, scratch, rows, asides, duplicates, conflicts, clock })
    }

    /// Whether each sample that came again is byte-equal to a sample that was kept whole.
    fn compare_again(&mut self, mut again: Vec<Again>, pieces: &Sorted<Piece>) -> Result<Vec<(Again, bool)>, StoreError> {
        if again.is_empty() {
            return Ok(Vec::new());
        }
        again.sort_unstable();
        let mut compared = Vec::with_capacity(again.len());
        let mut merge = pieces.iter(&self.scratch)?;
        let mut piece = merge.next()?;
        for again in again {
            // Both are sorted, so one pass over the pieces finds all.
            while piece.is_some_and(|piece| (piece.run, piece.seq) < (again.run, again.seq)) {
                piece = merge.next()?;
            }
            let same = piece.filter(|piece| (piece.run, piece.seq, piece.skip) == (again.run, again.seq, 0) && piece.entry != again.entry);
            let is_equal = match same {
                Some(first) => is_equal(self.subject, &mut self.window, first.entry, again.entry)?,
                None => false,
            };
            compared.push((again, is_equal));
        }
        Ok(compared)
    }

    /// The number of a boot's run, which begins when the boot is first seen.
    fn run(&mut self, boot: Option<u64>) -> usize {
        if let Some(run) = self.runs.iter().position(|run| run.boot == boot) {
            return run;
        }
        let is_first = !self.runs.iter().any(|run| run.boot.is_some());
        let is_damaged = self.subject.index.damage.bad_chunks + self.subject.index.damage.orphans > 0;
        self.runs.push(Run { boot, evidence: Evidence { is_first, is_damaged, ..Evidence::default() } });
        self.runs.len() - 1
    }

    /// A header whose checksum fails may still say which rows it was for, if its boot is one that sent other samples.
    fn believe_doubtful(&mut self) {
        for header in std::mem::take(&mut self.doubtful) {
            let known = header.filter(|h| self.runs.is_empty() || self.runs.iter().any(|run| run.boot == Some(h.boot)));
            let (run, rows) = match known {
                Some(header) => (self.run(Some(header.boot)), header.seq..header.next_seq()),
                None if self.runs.is_empty() => (self.run(None), 0..0),
                // The gap that it left is in the ledger of its run.
                None => continue,
            };
            self.runs[run].evidence.corrupt.push(Corrupt { rows, is_trusted: false });
        }
    }

    fn add_controls(&mut self) {
        let Subject { index, key, closed, .. } = self.subject;
        for control in &index.controls {
            let Some((boot, apply)) = about(control, key) else { continue };
            let run = self.run(Some(boot));
            apply(&mut self.runs[run].evidence);
        }
        // A boot is over when a later one has begun.
        let last = self.runs.iter().rposition(|run| run.boot.is_some());
        for (number, run) in self.runs.iter_mut().enumerate() {
            run.evidence.is_cut_off = !closed && (run.boot.is_none() || Some(number) == last);
        }
    }
}

/// Whether two samples are the same, byte for byte.
fn is_equal(subject: Subject<'_>, window: &mut Window<Entry>, first: u64, second: u64) -> Result<bool, StoreError> {
    let index = subject.index;
    let (first, second) = (index.entry(subject.stream, window, first)?, index.entry(subject.stream, window, second)?);
    if first.payload.bytes != second.payload.bytes || index.attachment(&first)? != index.attachment(&second)? {
        return Ok(false);
    }
    let (mut one, mut other) = (Vec::new(), Vec::new());
    index.payload(&first, &mut one)?;
    index.payload(&second, &mut other)?;
    Ok(one == other)
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
    let mut keys: BTreeSet<StreamKey> = index.keys().filter(|key| key.field == start.field).cloned().collect();
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
