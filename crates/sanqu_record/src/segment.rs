use std::time::{Duration, Instant};

use sanqu_model::now_ns;
use sanqu_store::{Control, JournalWriter, Sample, StoreError};

use crate::figures::Figures;
use crate::syncer::Syncer;

/// Samples whose times are remembered until they are written and durable, at most: a second of a busy station is some
/// thousands. What is beyond is not in the figures.
const TIMES_MAX: usize = 1 << 16;

/// When a station's journal is made durable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// From one sync to the next.
    pub(crate) period: Duration,
    /// When the first one is due. Stations that begin together do not sync together.
    pub(crate) first: Instant,
}

/// The part of an episode's journal that is being written.
pub(crate) struct Segment {
    pub(crate) journal: JournalWriter,
    syncer: Syncer,
    period: Duration,
    next_sync: Instant,
    /// Appended since the last flush, with the samples' receive times.
    is_dirty: bool,
    unwritten_ns: Vec<i64>,
    /// Appended since the last sync began, with the samples' capture times.
    is_unsynced: bool,
    undurable_ns: Vec<i64>,
    written_bytes: u64,
    syncing_bytes: u64,
    durable_bytes: u64,
}

impl Segment {
    pub(crate) fn begin(journal: JournalWriter, rhythm: Rhythm) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Io { path: journal.path().to_path_buf(), action: "sync", source };
        let journal_syncer = journal.syncer();
        let syncer = Syncer::start(move || journal_syncer.sync()).map_err(failed)?;
        Ok(Self::with(journal, syncer, rhythm))
    }

    pub(crate) fn with(journal: JournalWriter, syncer: Syncer, rhythm: Rhythm) -> Self {
        Self {
            journal,
            syncer,
            period: rhythm.period,
            next_sync: rhythm.first,
            is_dirty: false,
            unwritten_ns: Vec::new(),
            is_unsynced: false,
            undurable_ns: Vec::new(),
            written_bytes: 0,
            syncing_bytes: 0,
            durable_bytes: 0,
        }
    }

    pub(crate) fn sample(&mut self, sample: &Sample<'_>, capture_ns: Option<i64>) -> Result<(), StoreError> {
        self.journal.append(sample)?;
        self.is_dirty = true;
        if self.unwritten_ns.len() < TIMES_MAX {
            self.unwritten_ns.push(sample.recv_ns);
        }
        if self.undurable_ns.len() < TIMES_MAX {
            self.undurable_ns.extend(capture_ns);
        }
        Ok(())
    }

    /// What was appended so far was held back on purpose: its lag would say nothing about disk and network.
    pub(crate) fn forget_lags(&mut self) {
        self.unwritten_ns.clear();
        self.undurable_ns.clear();
    }

    pub(crate) fn control(&mut self, control: &Control) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.journal.control(control)
    }

    /// Fetches the sync that was under way; true when it has just ended well.
    pub(crate) fn poll(&mut self, figures: &mut Figures) -> Result<bool, StoreError> {
        let Some(synced) = self.syncer.poll() else { return Ok(false) };
        synced.result?;
        figures.sync.add(synced.took);
        synced.captured_ns.iter().for_each(|captured_ns| figures.durable_lag.add_between(*captured_ns, synced.done_ns));
        figures.durable_bytes += self.syncing_bytes - self.durable_bytes;
        self.durable_bytes = self.syncing_bytes;
        Ok(true)
    }

    /// Writes what was appended to the file.
    pub(crate) fn flush(&mut self, figures: &mut Figures) -> Result<(), StoreError> {
        if !self.is_dirty {
            return Ok(());
        }
        self.journal.flush()?;
        (self.is_dirty, self.is_unsynced) = (false, true);
        let now_ns = now_ns();
        self.unwritten_ns.drain(..).for_each(|recv_ns| figures.written_lag.add_between(recv_ns, now_ns));
        let bytes = self.journal.bytes();
        figures.written_bytes += bytes - self.written_bytes;
        self.written_bytes = bytes;
        Ok(())
    }

    /// Begins to make durable what was flushed, when it is time and the last sync is over; true when it did.
    pub(crate) fn sync_if_due(&mut self, now: Instant) -> Result<bool, StoreError> {
        if !self.is_unsynced || self.syncer.is_busy() || now < self.next_sync {
            return Ok(false);
        }
        self.next_sync = (self.next_sync + self.period).max(now);
        if !self.syncer.request(std::mem::take(&mut self.undurable_ns)) {
            let path = self.journal.path().to_path_buf();
            return Err(StoreError::WriterFailed { path, reason: "the thread that makes it durable has ended".to_owned() });
        }
        self.is_unsynced = false;
        self.syncing_bytes = self.written_bytes;
        Ok(true)
    }
}
