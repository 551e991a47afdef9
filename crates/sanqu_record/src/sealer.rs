use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use sanqu_ingest::Request;
use sanqu_model::{EpisodeId, Manifest};
use sanqu_store::{Decision, Store, StoreError, StoreLock, seal};
use tracing::{debug, info};

use crate::RecordError;
use crate::station::{Desk, Message};

/// Jobs that wait for the sealer. A station makes one every few seconds at most, so this is hours of backlog.
const JOBS_MAX: usize = 1024;

/// The sealer's place in the system's scheduling, as with nice(1): recording goes first.
const NICENESS: i32 = 10;

/// Something to do with closed episodes, in order; the station is told at its desk.
pub(crate) enum Job {
    /// Make the episode's files from its journal.
    Seal { episode: EpisodeId, journal: PathBuf, desk: Desk },
    /// Write a decision beside a sealed episode.
    Decide { episode: EpisodeId, decision: Decision, request: Option<Request>, desk: Desk },
}

/// Starts the thread that seals, one episode after the other. It holds the store's lock and ends, after its last job, when
/// nobody can send one any more.
///
/// # Errors
/// [`RecordError::Thread`].
pub(crate) fn start(store: Store, lock: StoreLock) -> Result<(SyncSender<Job>, JoinHandle<()>), RecordError> {
    let (jobs, waiting) = sync_channel(JOBS_MAX);
    let work = move || run(&store, &waiting, &lock);
    let thread = Builder::new().name("sealer".to_owned()).spawn(work);
    Ok((jobs, thread.map_err(|source| RecordError::Thread { name: "sealer", source })?))
}

fn run(store: &Store, jobs: &Receiver<Job>, _lock: &StoreLock) {
    // On Linux this sets the calling thread only, which is what is wanted.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        debug!(%error, "the sealer runs at normal priority");
    }
    for job in jobs {
        let (desk, done) = match job {
            Job::Seal { episode, journal, desk } => {
                let result = caught(&journal, || seal(store, &journal, &mut |progress| debug!(%episode, ?progress, "sealing")));
                if let Ok(manifest) = &result {
                    info!(station = %manifest.station, %episode, streams = manifest.streams.len(), "sealed");
                }
                (desk, Message::Sealed { episode, result: result.map(Box::new) })
            }
            Job::Decide { episode, decision, request, desk } => {
                let result = store.find(&episode.to_string()).and_then(|found| found.append_decision(&decision));
                (desk, Message::Decided { episode, result, request })
            }
        };
        // A station empties its inbox all the time; when it is gone nobody wants to know.
        desk.put_waiting(done);
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
