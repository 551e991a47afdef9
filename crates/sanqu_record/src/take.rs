use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::Arrived;
use sanqu_model::{DetectedBy, Id, LossCause, SeqRanges, StreamDescription, StreamKey, StreamName, now_ns};
use sanqu_store::{Control, EpisodeStart, JournalWriter, Sample, Store, StoreError};
use sanqu_wire::SampleHeader;
use tracing::{error, warn};

use crate::figures::Figures;
use crate::segment::{Rhythm, Segment};
use crate::share::Share;
use crate::stop::Stopping;
use crate::track::BootTrack;

/// Control records that are kept to be repeated in a new segment after a failed write.
const CONTROLS_MAX: usize = 1 << 16;

/// How often a new segment is tried while the disk takes nothing.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Boots of streams whose begin is written; a publisher that makes up more of them has begins that nobody has verified.
const BOOTS_MAX: usize = 1 << 14;

/// An open episode and its journal.
pub(crate) struct Take {
    pub(crate) start: EpisodeStart,
    pub(crate) stopping: Option<Stopping>,
    /// None after a failed write.
    segment: Option<Segment>,
    problem: Option<String>,
    /// Nobody was told of the problem yet.
    has_failed: bool,
    unwritten_samples: u64,
    /// When recording went on after a crash, ns since the Unix epoch.
    pub(crate) resumed_ns: Option<i64>,
    rhythm: Rhythm,
    /// No new segment is tried before this.
    next_try: Instant,
    described: BTreeMap<(Id, StreamName), StreamDescription>,
    controls: Vec<Control>,
    begins: usize,
}

/// Rows of a boot that the disk has cost.
pub(crate) type Lost = (Arc<StreamKey>, u64, SeqRanges);

/// What a commit has changed for the rows of the episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The sync that was under way has made its rows safe.
    pub(crate) is_synced: bool,
    /// The journal has failed: what is not safe is lost.
    pub(crate) has_failed: bool,
    /// A sync of all rows so far has begun.
    pub(crate) is_syncing: bool,
}

impl Take {
    /// Begins the journal; its start record is durable when this returns.
    pub(crate) fn begin(store: &Store, start: EpisodeStart, rhythm: Rhythm) -> Result<Self, StoreError> {
        Ok(Self {
            segment: Some(Segment::begin(JournalWriter::create(store, &start)?, rhythm)?),
            start,
            stopping: None,
            problem: None,
            has_failed: false,
            unwritten_samples: 0,
            resumed_ns: None,
            rhythm,
            next_try: Instant::now(),
            described: BTreeMap::new(),
            controls: Vec::new(),
            begins: 0,
        })
    }

    /// Remembers what an earlier recorder wrote into the journal.
    pub(crate) fn recall(&mut self, controls: &[Control]) {
        for control in controls {
            match control {
                Control::Describe { robot, description } => {
                    self.described.insert((robot.clone(), description.stream.clone()), description.clone());
                }
                Control::Baseline { .. } => self.begins += 1,
                _ => {}
            }
        }
    }

    /// Why nothing can be written at present.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(crate) fn unwritten_samples(&self) -> u64 {
        self.unwritten_samples
    }

    /// See [`Segment::forget_lags`].
    pub(crate) fn forget_lags(&mut self) {
        self.segment.iter_mut().for_each(Segment::forget_lags);
    }

    /// Bytes in the journal's present segment.
    pub(crate) fn journal_bytes(&self) -> u64 {
        self.segment.as_ref().map_or(0, |segment| segment.journal.bytes())
    }

    /// Whether a robot belongs to the episode.
    pub(crate) fn records(&self, robot: &Id) -> bool {
        self.start.robots.iter().any(|entry| &entry.robot == robot)
    }

    /// Writes where a boot begins, once, and again when rows from before it turn up.
    pub(crate) fn begin_boot(&mut self, key: &Arc<StreamKey>, boot: &mut BootTrack) {
        let share = boot.share.get_or_insert_with(|| Share::beginning(boot.baseline, false));
        if !share.is_fixed && boot.baseline < share.begin {
            (share.begin, share.is_written) = (boot.baseline, false);
        }
        if !share.is_written && self.begins < BOOTS_MAX {
            self.begins += 1;
            share.is_written = true;
            let (robot, stream) = (key.robot.clone(), key.stream.clone());
            self.control(Control::Baseline { robot, stream, boot: boot.boot, next_seq: share.begin });
        }
    }

    /// Writes a description unless the same one is there already.
    pub(crate) fn describe(&mut self, robot: &Id, description: &StreamDescription) {
        let key = (robot.clone(), description.stream.clone());
        if self.described.get(&key) != Some(description) {
            self.described.insert(key, description.clone());
            self.control(Control::Describe { robot: robot.clone(), description: description.clone() });
        }
    }

    /// Writes that rows are lost; no end is one that nobody knows.
    pub(crate) fn lost(
        &mut self,
        (key, boot): (&StreamKey, u64),
        from_seq: Option<u64>,
        to_seq: Option<u64>,
        why: (LossCause, DetectedBy),
    ) {
        let (robot, stream) = (key.robot.clone(), key.stream.clone());
        self.control(Control::Lost { robot, stream, boot, from_seq, to_seq, cause: why.0, detected_by: why.1 });
    }

    /// Writes the robot's own count at its end.
    pub(crate) fn final_count(&mut self, (key, boot): (&StreamKey, u64), next_seq: u64) {
        self.control(Control::Final { robot: key.robot.clone(), stream: key.stream.clone(), boot, next_seq });
    }

    /// Appends a sample of a boot, verbatim, if its rows belong to the episode.
    pub(crate) fn sample_of(&mut self, sample: &Arrived<'_>, header: &SampleHeader, boot: &mut BootTrack) {
        self.begin_boot(sample.key, boot);
        if let Some(absence) = boot.share.as_mut().filter(|_| !sample.resent).and_then(|share| share.end_of_absence(header.seq)) {
            let why = (LossCause::Recorder, DetectedBy::Repair);
            self.lost((sample.key, boot.boot), Some(absence.start), Some(absence.end), why);
        }
        if let Some(share) = boot.share.as_mut().filter(|share| share.takes(header.seq)) {
            let is_appended = self.sample(sample, Some(header.capture_ns));
            share.add(&(header.seq..header.next_seq()), is_appended);
        }
    }

    /// Appends a sample, verbatim; `capture_ns` where it is known. False when it was not.
    pub(crate) fn sample(&mut self, sample: &Arrived<'_>, capture_ns: Option<i64>) -> bool {
        let (key, encoding) = (&**sample.key, &**sample.encoding);
        let (attachment, payload, recv_ns) = (sample.attachment, sample.payload, sample.recv_ns);
        let is_written = self.write(|segment| segment.sample(&Sample { key, encoding, attachment, payload, recv_ns }, capture_ns));
        self.unwritten_samples += u64::from(!is_written);
        is_written
    }

    pub(crate) fn control(&mut self, control: Control) {
        let is_taken = self.write(|segment| segment.control(&control)) || self.problem.is_some();
        // Losses and events may be many; what says where streams begin and end is bounded by their boots.
        let is_bounded = !matches!(control, Control::Lost { .. } | Control::Event { .. });
        if is_taken && (is_bounded || self.controls.len() < CONTROLS_MAX) {
            self.controls.push(control);
        }
    }

    /// Writes out what was appended, and begins to make it durable when that is due. Nothing when nothing is new.
    pub(crate) fn commit(&mut self, now: Instant, figures: &mut Figures) -> Committed {
        let mut committed = Committed::default();
        self.write(|segment| {
            committed.is_synced = segment.poll(figures)?;
            segment.flush(figures)?;
            committed.is_syncing = segment.sync_if_due(now)?;
            Ok(())
        });
        committed.has_failed = std::mem::take(&mut self.has_failed);
        committed
    }

    fn write(&mut self, write: impl FnOnce(&mut Segment) -> Result<(), StoreError>) -> bool {
        let Some(segment) = &mut self.segment else { return false };
        match write(segment) {
            Ok(()) => true,
            Err(error @ (StoreError::Io { .. } | StoreError::WriterFailed { .. })) => {
                self.fail(&error);
                false
            }
            // Refused for what it is; the journal takes what follows.
            Err(error) => {
                error!(station = %self.start.station, episode = %self.start.episode, %error, "a record was not written");
                false
            }
        }
    }

    fn fail(&mut self, error: &StoreError) {
        error!(station = %self.start.station, episode = %self.start.episode, %error, "RECORDING STOPPED: the journal cannot be written");
        self.segment = None;
        self.problem = Some(error.to_string());
        self.has_failed = true;
        self.next_try = Instant::now() + RETRY_PERIOD;
        let text = format!("the journal could not be written: {error}");
        self.controls.push(Control::Event { t_ns: now_ns(), name: "write_failed".to_owned(), text });
    }

    /// Whether a new segment should be tried now, after the journal has failed.
    pub(crate) fn may_retry(&mut self, now: Instant) -> bool {
        let is_due = self.segment.is_none() && now >= self.next_try;
        if is_due {
            self.next_try = now + RETRY_PERIOD;
        }
        is_due
    }

    /// Begins a new segment after the journal has failed: it repeats the control records, and says that the disk has cost
    /// the `lost` rows, of which some may still come again.
    pub(crate) fn retry(&mut self, store: &Store, lost: Vec<Lost>) -> Result<(), StoreError> {
        let first = Instant::now() + self.rhythm.period;
        let segment = Segment::begin(self.next_segment(store)?, Rhythm { first, ..self.rhythm })?;
        warn!(station = %self.start.station, episode = %self.start.episode, "the disk takes data again; recording goes on");
        (self.segment, self.problem) = (Some(segment), None);
        self.write_lost(lost);
        self.control(Control::Event { t_ns: now_ns(), name: "recording_resumed".to_owned(), text: "the disk takes data again".to_owned() });
        Ok(())
    }

    fn write_lost(&mut self, lost: Vec<Lost>) {
        for (key, boot, rows) in lost {
            rows.iter().for_each(|rows| self.lost((&key, boot), Some(rows.start), Some(rows.end), (LossCause::Disk, DetectedBy::Write)));
        }
    }

    /// Ends the journal. After a failed write a new segment is tried, which repeats the control records and says what
    /// the disk cost: the `lost` rows.
    pub(crate) fn finish(mut self, store: &Store, stop_ns: i64, ended_by: &str, lost: Vec<Lost>) -> Result<PathBuf, StoreError> {
        self.write_lost(lost);
        let mut journal = match self.segment.take() {
            Some(segment) => segment.journal,
            None => self.next_segment(store)?,
        };
        journal.control(&Control::Stop { stop_ns, ended_by: ended_by.to_owned() })?;
        journal.finish()
    }

    fn next_segment(&self, store: &Store) -> Result<JournalWriter, StoreError> {
        let mut journal = JournalWriter::create(store, &self.start)?;
        for control in &self.controls {
            journal.control(control)?;
        }
        if self.unwritten_samples > 0 {
            // Samples without a header have no sequence that the ledger could name.
            let text = format!("{} samples were received while nothing could be written", self.unwritten_samples);
            journal.control(&Control::Event { t_ns: now_ns(), name: "samples_unwritten".to_owned(), text })?;
        }
        Ok(journal)
    }
}

#[cfg(test)]
mod tests;
