use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use sanqu_ingest::{Intake, Request};
use sanqu_model::{EpisodeId, Id, Manifest};
use sanqu_store::{Decision, Store, StoreError, seal};
use tracing::{debug, info, warn};

use crate::RecordError;
use crate::engine::Inbox;

/// Jobs that wait for the sealer. A station makes one every few seconds at most, so this is hours of backlog.
const JOBS_MAX: usize = 1024;

/// The sealer's place in the system's scheduling, as with nice(1): recording goes first.
const NICENESS: i32 = 10;

/// Something to do with closed episodes, in order.
pub(crate) enum Job {
    /// Make the episode's files from its journal.
    Seal { station: Id, episode: EpisodeId, journal: PathBuf },
    /// Write a decision beside a sealed episode.
    Decide { station: Id, episode: EpisodeId, decision: Decision, request: Option<Request> },
}

/// The thread that seals, one episode after the other.
pub(crate) struct Sealer {
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
}

impl Sealer {
    pub(crate) fn start(store: Store, inbox: SyncSender<Inbox>, intake: Arc<Intake>) -> Result<Self, RecordError> {
        let (jobs, waiting) = sync_channel(JOBS_MAX);
        let work = move || run(&store, &waiting, &inbox, &intake);
        let thread = Builder::new().name("sealer".to_owned()).spawn(work);
        Ok(Self { jobs, thread: thread.map_err(|source| RecordError::Thread { name: "sealer", source })? })
    }

    /// False when too many jobs wait.
    pub(crate) fn push(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// Waits until every job is done.
    pub(crate) fn finish(self) {
        drop(self.jobs);
        if self.thread.join().is_err() {
            warn!("the sealer thread has panicked; its journals are kept");
        }
    }
}

fn run(store: &Store, jobs: &Receiver<Job>, inbox: &SyncSender<Inbox>, intake: &Intake) {
    // On Linux this sets the calling thread only, which is what is wanted.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        debug!(%error, "the sealer runs at normal priority");
    }
    for job in jobs {
        let done = match job {
            Job::Seal { station, episode, journal } => {
                let result = caught(&journal, || seal(store, &journal, &mut |progress| debug!(%episode, ?progress, "sealing")));
                if let Ok(manifest) = &result {
                    info!(%station, %episode, streams = manifest.streams.len(), "sealed");
                }
                Inbox::Sealed { station, episode, result: result.map(Box::new) }
            }
            Job::Decide { station, episode, decision, request } => {
                let result = store.find(&episode.to_string()).and_then(|found| found.append_decision(&decision));
                Inbox::Decided { station, episode, result, request }
            }
        };
        // The recorder empties its inbox all the time; when it is gone nobody wants to know.
        if inbox.send(done).is_err() {
            return;
        }
        intake.wake();
    }
}

/// A defect that one journal brings to light must not end the sealing of all others: nobody could stop the recorder in an
/// orderly way any more.
fn caught<T>(journal: &Path, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let panicked = || StoreError::Damaged { path: journal.to_path_buf(), reason: "sealing it panicked; see the log".to_owned() };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()))
}

/// What sealing gave.
pub(crate) type Sealed = Result<Box<Manifest>, StoreError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_seal_is_an_error_about_its_journal() {
        let error = caught(Path::new("x.0.mcap"), || -> Result<(), StoreError> { panic!("a defect") }).unwrap_err();
        assert!(error.to_string().contains("x.0.mcap"), "{error}");
        assert_eq!(caught(Path::new("x"), || Ok(1)).unwrap(), 1);
    }
}
