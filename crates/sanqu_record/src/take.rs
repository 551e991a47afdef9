use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::Received;
use sanqu_model::{DetectedBy, Id, LossCause, StreamDescription, StreamKey, StreamName};
use sanqu_store::{Control, EpisodeStart, JournalWriter, Sample, Store, StoreError};
use sanqu_wire::SampleHeader;
use tracing::error;

use crate::stop::Stopping;
use crate::track;

/// Control records that are kept to be repeated in a new segment after a failed write.
const CONTROLS_MAX: usize = 1 << 16;

/// Boots of streams that are accounted for with where they begin and end; a publisher that makes up more of them has
/// ends that nobody has verified.
const BOOTS_MAX: usize = 1 << 14;

/// One boot of one stream.
pub(crate) type StreamBoot = (Arc<StreamKey>, u64);

/// An open episode and its journal.
pub(crate) struct Take {
    pub(crate) start: EpisodeStart,
    pub(crate) stopping: Option<Stopping>,
    /// None after a failed write.
    journal: Option<JournalWriter>,
    problem: Option<String>,
    unwritten_samples: u64,
    /// Spans of rows that may be lost with the disk: appended since the last sync (a failed one may drop what was flushed
    /// before), and everything after a failure. Rows of a span that can be read again do not count as lost, so one span
    /// per boot is enough.
    unsynced: BTreeMap<StreamBoot, (u64, u64)>,
    unwritten: BTreeMap<StreamBoot, (u64, u64)>,
    baselines: BTreeMap<StreamBoot, Baseline>,
    described: BTreeMap<(Id, StreamName), StreamDescription>,
    controls: Vec<Control>,
    dirty_since: Option<Instant>,
    unsynced_since: Option<Instant>,
    bytes: u64,
}

/// Where a boot's rows begin to belong to the episode.
struct Baseline {
    next_seq: u64,
    /// Set at the start, from what was heard before; what arrives from before it is not ours.
    fixed: bool,
    written: bool,
}

impl Take {
    /// Begins the journal; its start record is durable when this returns.
    pub(crate) fn begin(store: &Store, start: EpisodeStart) -> Result<Self, StoreError> {
        Ok(Self {
            journal: Some(JournalWriter::create(store, &start)?),
            start,
            stopping: None,
            problem: None,
            unwritten_samples: 0,
            unsynced: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            baselines: BTreeMap::new(),
            described: BTreeMap::new(),
            controls: Vec::new(),
            dirty_since: None,
            unsynced_since: None,
            bytes: 0,
        })
    }

    /// Why nothing can be written any more.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(crate) fn unwritten_samples(&self) -> u64 {
        self.unwritten_samples
    }

    pub(crate) fn journal_bytes(&self) -> u64 {
        self.bytes
    }

    /// Says what was heard before the start, so that it does not count as missing.
    pub(crate) fn fix_baseline(&mut self, stream_boot: StreamBoot, next_seq: u64) {
        self.baselines.insert(stream_boot, Baseline { next_seq, fixed: true, written: false });
    }

    /// Writes where a boot begins, once, and again when rows from before it turn up; `next_seq` is what the track knows.
    pub(crate) fn baseline(&mut self, key: &Arc<StreamKey>, boot: u64, next_seq: u64) {
        let new = || Baseline { next_seq, fixed: false, written: false };
        if self.baselines.len() >= BOOTS_MAX && !self.baselines.contains_key(&(Arc::clone(key), boot)) {
            return;
        }
        let baseline = self.baselines.entry((Arc::clone(key), boot)).or_insert_with(new);
        if !baseline.fixed && next_seq < baseline.next_seq {
            *baseline = new();
        }
        if !baseline.written {
            baseline.written = true;
            let next_seq = baseline.next_seq;
            self.control(Control::Baseline { robot: key.robot.clone(), stream: key.stream.clone(), boot, next_seq });
        }
    }

    /// Whether a robot belongs to the episode.
    pub(crate) fn records(&self, robot: &Id) -> bool {
        self.start.robots.iter().any(|entry| &entry.robot == robot)
    }

    /// First sequence of a boot that belongs to the episode; none for a boot that was not heard.
    pub(crate) fn first_seq(&self, stream_boot: &StreamBoot) -> Option<u64> {
        self.baselines.get(stream_boot).map(|baseline| baseline.next_seq)
    }

    /// The boots that have, or should have, rows in the episode.
    pub(crate) fn boots(&self) -> Vec<StreamBoot> {
        self.baselines.iter().filter(|(_, baseline)| baseline.written).map(|(stream_boot, _)| stream_boot.clone()).collect()
    }

    /// Writes a description unless the same one is there already.
    pub(crate) fn describe(&mut self, robot: &Id, description: &StreamDescription) {
        let key = (robot.clone(), description.stream.clone());
        if self.described.get(&key) != Some(description) {
            self.described.insert(key, description.clone());
            self.control(Control::Describe { robot: robot.clone(), description: description.clone() });
        }
    }

    pub(crate) fn lost(&mut self, (key, boot): StreamBoot, from_seq: Option<u64>, to_seq: Option<u64>, why: (LossCause, DetectedBy)) {
        let (robot, stream) = (key.robot.clone(), key.stream.clone());
        self.control(Control::Lost { robot, stream, boot, from_seq, to_seq, cause: why.0, detected_by: why.1 });
    }

    /// Appends a sample, verbatim.
    pub(crate) fn sample(&mut self, sample: &Received, header: Option<&SampleHeader>) {
        if let Some(header) = header {
            let spans = if self.journal.is_some() { &mut self.unsynced } else { &mut self.unwritten };
            widen(spans, (Arc::clone(&sample.key), header.boot), (header.seq, track::end(header)));
        }
        let written = self.write(|journal| {
            journal.append(&Sample {
                key: &sample.key,
                encoding: &sample.encoding,
                attachment: &sample.attachment,
                payload: &sample.payload,
                recv_ns: sample.recv_ns,
            })
        });
        self.unwritten_samples += u64::from(!written);
    }

    pub(crate) fn control(&mut self, control: Control) {
        let is_taken = self.write(|journal| journal.control(&control)) || self.problem.is_some();
        // Losses and events may be many; what says where streams begin and end is bounded by their boots.
        let is_bounded = !matches!(control, Control::Lost { .. } | Control::Event { .. });
        if is_taken && (is_bounded || self.controls.len() < CONTROLS_MAX) {
            self.controls.push(control);
        }
    }

    /// Writes out and makes durable what has waited for `flush` and `sync`; nothing when nothing is new.
    pub(crate) fn tick(&mut self, now: Instant, flush: Duration, sync: Duration) {
        let due = |since: Option<Instant>, after: Duration| since.is_some_and(|since| now.duration_since(since) >= after);
        if due(self.unsynced_since, sync) {
            if self.write(JournalWriter::sync) {
                (self.dirty_since, self.unsynced_since) = (None, None);
                self.unsynced.clear();
            }
        } else if due(self.dirty_since, flush) && self.write(JournalWriter::flush) {
            self.dirty_since = None;
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut JournalWriter) -> Result<(), StoreError>) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        let written = write(journal);
        self.bytes = journal.bytes();
        match written {
            Ok(()) => {
                let now = Instant::now();
                self.dirty_since.get_or_insert(now);
                self.unsynced_since.get_or_insert(now);
                true
            }
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
        self.journal = None;
        self.problem = Some(error.to_string());
        for (stream_boot, span) in std::mem::take(&mut self.unsynced) {
            widen(&mut self.unwritten, stream_boot, span);
        }
        let text = format!("the journal could not be written: {error}");
        self.controls.push(Control::Event { t_ns: sanqu_model::now_ns(), name: "write_failed".to_owned(), text });
    }

    /// Ends the journal. After a failed write a new segment is tried, which repeats the control records and says what
    /// the disk cost.
    pub(crate) fn finish(mut self, store: &Store, stop_ns: i64, ended_by: &str) -> Result<PathBuf, StoreError> {
        let mut journal = match self.journal.take() {
            Some(journal) => journal,
            None => self.next_segment(store)?,
        };
        journal.control(&Control::Stop { stop_ns, ended_by: ended_by.to_owned() })?;
        journal.finish()
    }

    fn next_segment(&mut self, store: &Store) -> Result<JournalWriter, StoreError> {
        let mut journal = JournalWriter::create(store, &self.start)?;
        for control in &self.controls {
            journal.control(control)?;
        }
        for ((key, boot), (from_seq, to_seq)) in std::mem::take(&mut self.unwritten) {
            journal.control(&Control::Lost {
                robot: key.robot.clone(),
                stream: key.stream.clone(),
                boot,
                from_seq: Some(from_seq),
                to_seq: Some(to_seq),
                cause: LossCause::Disk,
                detected_by: DetectedBy::Write,
            })?;
        }
        if self.unwritten_samples > 0 {
            // Samples without a header have no sequence that the ledger could name.
            let text = format!("{} samples were received and not written", self.unwritten_samples);
            journal.control(&Control::Event { t_ns: sanqu_model::now_ns(), name: "samples_unwritten".to_owned(), text })?;
        }
        Ok(journal)
    }
}

fn widen(spans: &mut BTreeMap<StreamBoot, (u64, u64)>, stream_boot: StreamBoot, (from, to): (u64, u64)) {
    if spans.len() >= BOOTS_MAX && !spans.contains_key(&stream_boot) {
        return;
    }
    let span = spans.entry(stream_boot).or_insert((from, to));
    *span = (span.0.min(from), span.1.max(to));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use sanqu_model::{EpisodeId, RobotEntry};

    const MS: Duration = Duration::from_millis(1);

    fn id(text: &str) -> Id {
        Id::new("id", text).unwrap()
    }

    fn take(dir: &std::path::Path) -> (Store, Take) {
        let store = Store::open_or_create(dir, &id("desk"), "UTC").unwrap();
        let start_ns = 1_763_740_800_000_000_000;
        let start = EpisodeStart {
            episode: EpisodeId::new(start_ns, 1),
            field: id("desk"),
            zone: None,
            station: id("a01"),
            task: None,
            prompt: String::new(),
            operator: None,
            robots: vec![RobotEntry { robot: id("kuavo-01"), model: String::new(), description: None }],
            start_ns,
            pre_roll_ns: start_ns,
            recorder: "test".to_owned(),
            facts: BTreeMap::new(),
        };
        let take = Take::begin(&store, start).unwrap();
        (store, take)
    }

    fn event(take: &mut Take, seq: u64) {
        let header = SampleHeader { rows: 1, boot: 7, seq, ..SampleHeader::default() };
        let payload = Bytes::from_static(b"{\"text\":\"x\"}");
        let sample = Received {
            key: Arc::new("sanqu/desk/kuavo-01/event".parse().unwrap()),
            encoding: sanqu_wire::ENCODING_JSON.into(),
            attachment: Bytes::copy_from_slice(&header.encode(&payload)),
            payload,
            recv_ns: 1_763_740_800_000_000_000,
        };
        take.baseline(&sample.key, 7, 0);
        take.sample(&sample, Some(&header));
    }

    #[test]
    fn a_failed_write_is_the_disks_loss_and_the_rest_is_kept() {
        let dir = tempfile::TempDir::new().unwrap();
        let (store, mut take) = take(dir.path());
        (0..5).for_each(|seq| event(&mut take, seq));
        take.tick(Instant::now() + 10 * MS, MS, 1000 * MS);
        // Not flushed, then the disk fails, then more arrives.
        (5..7).for_each(|seq| event(&mut take, seq));
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        take.fail(&StoreError::Io { path: dir.path().to_owned(), action: "write", source: full });
        (7..10).for_each(|seq| event(&mut take, seq));
        assert_eq!((take.unwritten_samples(), take.problem().is_some()), (3, true));
        take.control(Control::Final { robot: id("kuavo-01"), stream: "event".parse().unwrap(), boot: 7, next_seq: 12 });

        let journal = take.finish(&store, 1_763_740_801_000_000_000, "stop").unwrap();
        assert_eq!(store.journals().unwrap().len(), 2, "a second segment says what the first could not hold");
        let manifest = sanqu_store::seal(&store, &journal, &mut |_| {}).unwrap();
        let event = &manifest.streams[0];
        assert_eq!((event.expected, event.received), (Some(12), 5), "{event:#?}");
        assert_eq!((event.lost.disk, event.lost.network), (5, 2), "{event:#?}");
    }

    #[test]
    fn what_was_flushed_and_not_synced_is_the_disks_loss_when_it_is_gone() {
        let dir = tempfile::TempDir::new().unwrap();
        let (store, mut take) = take(dir.path());
        (0..5).for_each(|seq| event(&mut take, seq));
        take.tick(Instant::now() + 2000 * MS, MS, 1000 * MS);
        let path = store.journals().unwrap().remove(0);
        let synced_bytes = std::fs::metadata(&path).unwrap().len();
        (5..8).for_each(|seq| event(&mut take, seq));
        take.tick(Instant::now() + 10 * MS, MS, 1000 * MS);
        // The system drops the pages that it could not write.
        std::fs::File::options().write(true).open(&path).unwrap().set_len(synced_bytes).unwrap();
        take.fail(&StoreError::Io { path, action: "sync", source: std::io::Error::from(std::io::ErrorKind::Other) });
        take.control(Control::Final { robot: id("kuavo-01"), stream: "event".parse().unwrap(), boot: 7, next_seq: 8 });
        let journal = take.finish(&store, 1_763_740_801_000_000_000, "stop").unwrap();
        let manifest = sanqu_store::seal(&store, &journal, &mut |_| {}).unwrap();
        assert_eq!((manifest.streams[0].received, manifest.streams[0].lost.disk), (5, 3), "{:#?}", manifest.streams[0]);
    }

    #[test]
    fn a_record_that_is_too_long_does_not_stop_the_recording() {
        let dir = tempfile::TempDir::new().unwrap();
        let (store, mut take) = take(dir.path());
        let text = "x".repeat(Control::BYTES_MAX);
        take.control(Control::Event { t_ns: 0, name: "mark".to_owned(), text });
        event(&mut take, 0);
        assert_eq!(take.problem(), None);
        let journal = take.finish(&store, 1_763_740_801_000_000_000, "stop").unwrap();
        assert_eq!(sanqu_store::seal(&store, &journal, &mut |_| {}).unwrap().streams[0].rows, 1);
    }

    /// Whether something waits for flush and for sync after a look at the clock `after` the write.
    #[track_caller]
    fn check(take: &mut Take, after: Duration, waits: (bool, bool)) {
        take.tick(Instant::now() + after, 100 * MS, 1000 * MS);
        assert_eq!((take.dirty_since.is_some(), take.unsynced_since.is_some()), waits);
    }

    #[test]
    fn flush_and_sync_come_in_time_and_only_when_something_is_new() {
        let dir = tempfile::TempDir::new().unwrap();
        let (_, mut take) = take(dir.path());
        check(&mut take, 5000 * MS, (false, false));
        event(&mut take, 0);
        check(&mut take, Duration::ZERO, (true, true));
        check(&mut take, 100 * MS, (false, true));
        check(&mut take, 1000 * MS, (false, false));
        event(&mut take, 1);
        check(&mut take, 1000 * MS, (false, false));
    }
}
