use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use sanqu_model::now_ns;
use sanqu_store::StoreError;

/// Makes one journal segment durable on a thread of its own, so that a slow disk delays no flush. One sync is under way
/// at most; the thread ends with the `Syncer`, after it.
pub(crate) struct Syncer {
    requests: SyncSender<Vec<i64>>,
    results: Receiver<Synced>,
    is_busy: bool,
}

/// A sync that is over.
pub(crate) struct Synced {
    /// What it was about: the capture times that were handed over with it.
    pub(crate) captured_ns: Vec<i64>,
    /// When it was over, ns since the Unix epoch.
    pub(crate) done_ns: i64,
    pub(crate) took: Duration,
    pub(crate) result: Result<(), StoreError>,
}

impl Syncer {
    /// `sync` makes durable what was flushed before it is called.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub(crate) fn start(mut sync: impl FnMut() -> Result<(), StoreError> + Send + 'static) -> std::io::Result<Self> {
        let (requests, waiting) = sync_channel::<Vec<i64>>(1);
        let (done, results) = sync_channel(1);
        Builder::new().name("journal sync".to_owned()).spawn(move || {
            for captured_ns in waiting {
                let began = Instant::now();
                let result = sync();
                if done.send(Synced { captured_ns, done_ns: now_ns(), took: began.elapsed(), result }).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests, results, is_busy: false })
    }

    /// Whether a sync is under way, or its result was not fetched yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Begins a sync, for samples with these capture times; not while one is under way. False when there is no thread to
    /// do it any more.
    pub(crate) fn request(&mut self, captured_ns: Vec<i64>) -> bool {
        self.is_busy = self.requests.try_send(captured_ns).is_ok();
        self.is_busy
    }

    /// The sync that was under way, once it is over.
    pub(crate) fn poll(&mut self) -> Option<Synced> {
        let synced = match self.results.try_recv() {
            Ok(synced) => synced,
            Err(TryRecvError::Disconnected) if self.is_busy => {
                let result =
                    Err(StoreError::Io { path: PathBuf::new(), action: "sync", source: std::io::Error::other("the sync panicked") });
                Synced { captured_ns: Vec::new(), done_ns: now_ns(), took: Duration::ZERO, result }
            }
            Err(_) => return None,
        };
        self.is_busy = false;
        Some(synced)
    }
}
