use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

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
pub(crate) struct Seal {
    pub(crate) episode: EpisodeId,
    /// Any segment of its journal.
    pub(crate) journal: PathBuf,
    pub(crate) desk: Desk,
}

/// A decision that is to be written, durably, before its asker is answered.
pub(crate) struct Decide {
    pub(crate) episode: EpisodeId,
    pub(crate) decision: Decision,
    pub(crate) request: Request,
    pub(crate) desk: Desk,
}

/// Where work on closed episodes is handed in.
pub(crate) struct Jobs {
    pub(crate) seals: SyncSender<Seal>,
    /// Not behind the seals: an operator waits.
    pub(crate) decisions: SyncSender<Decide>,
}

/// Starts the thread that seals, one episode after the other, and the one that writes decisions. They hold the store's
/// lock and end, after their last job, when nobody can send one any more.
///
/// # Errors
/// [`RecordError::Thread`].
pub(crate) fn start(store: &Store, lock: StoreLock) -> Result<(Jobs, [JoinHandle<()>; 2]), RecordError> {
    let (seals, sealing) = sync_channel(JOBS_MAX);
    let (decisions, deciding) = sync_channel(JOBS_MAX);
    let lock = Arc::new(lock);
    let work = [(store.clone(), Arc::clone(&lock)), (store.clone(), lock)];
    let [(seal_store, seal_lock), (decide_store, decide_lock)] = work;
    let sealer = spawn("sealer", move || run(&seal_store, &sealing, &seal_lock))?;
    let clerk = spawn("decisions", move || decide(&decide_store, &deciding, &decide_lock))?;
    Ok((Jobs { seals, decisions }, [sealer, clerk]))
}

fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, RecordError> {
    Builder::new().name(name.to_owned()).spawn(work).map_err(|source| RecordError::Thread { name, source })
}

fn decide(store: &Store, jobs: &Receiver<Decide>, _lock: &StoreLock) {
    for Decide { episode, decision, request, desk } in jobs {
        let result = store.append_decision(episode, &decision);
        desk.put_waiting(Message::Decided { episode, result, request });
    }
}

fn run(store: &Store, jobs: &Receiver<Seal>, _lock: &StoreLock) {
    // On Linux this sets the calling thread only, which is what is wanted.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        debug!(%error, "the sealer runs at normal priority");
    }
    for Seal { episode, journal, desk } in jobs {
        let began = Instant::now();
        let result = caught(&journal, || seal(store, &journal, &mut |progress| debug!(%episode, ?progress, "sealing")));
        if let Ok(manifest) = &result {
            info!(station = %manifest.station, %episode, streams = manifest.streams.len(), "sealed");
        }
        // A station empties its inbox all the time; when it is gone nobody wants to know.
        desk.put_waiting(Message::Sealed { episode, result: result.map(Box::new), took: began.elapsed() });
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
