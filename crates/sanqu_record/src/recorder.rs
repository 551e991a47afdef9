use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};

use sanqu_ingest::{Intake, Node, Service};
use sanqu_model::{EpisodeId, Id, Manifest, control_key};
use sanqu_store::{Episode, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use crate::engine::{Engine, Inbox, Parts};
use crate::errand::{self, Desk};
use crate::sealer::Sealer;
use crate::{LastEpisode, RecordError, RecorderConfig, RecorderStatus, StationStatus};

/// Messages that wait for the recorder thread at most; it empties them between any two samples.
const INBOX_MAX: usize = 256;
/// Questions and replies that wait to be sent.
const ERRANDS_MAX: usize = 256;

/// A running recorder: it serves the stations of a field until [`Recorder::shutdown`].
///
/// Dropped without that, it ends at once and leaves its journals as a crash would, for `repair`.
pub struct Recorder {
    desk: Desk,
    thread: Option<JoinHandle<()>>,
    errands: Option<tokio::task::JoinHandle<()>>,
    service: tokio::task::JoinHandle<()>,
    status: watch::Receiver<RecorderStatus>,
}

impl Recorder {
    /// Locks the store, subscribes to the field and answers at its stations. Needs a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// [`RecordError::Store`] when another process writes into the store; [`RecordError::Config`] when it is not
    /// clear where unknown robots belong; [`RecordError::Ingest`]; [`RecordError::Thread`].
    pub async fn start(node: &Node, config: RecorderConfig) -> Result<Self, RecordError> {
        let home_of_unknown = config.home_of_unknown()?;
        let lock = config.store.lock()?;
        let left_behind = config.store.journals()?;
        if !left_behind.is_empty() {
            warn!(journals = left_behind.len(), store = %config.store.root().display(), "journals of an earlier crash wait for `sanqu repair`");
        }
        let last = last_episodes(&config.store, &left_behind)?;
        let field = config.field.field.clone();
        let snapshots = snapshots(&config);
        let intake = Arc::new(Intake::declare(node, &field, config.queue_bytes).await?);
        let stations: Vec<(String, Id)> =
            config.field.stations().map(|p| (control_key(&field, &p.station.id), p.station.id.clone())).collect();
        let keys: Vec<String> = stations.iter().map(|(key, _)| key.clone()).collect();
        let service = Service::declare(node, &keys).await?;

        let (inbox, messages) = sync_channel(INBOX_MAX);
        let desk = Desk { inbox, intake: Arc::clone(&intake) };
        let (errands, errand_queue) = mpsc::channel(ERRANDS_MAX);
        let (published, status) = watch::channel(RecorderStatus::default());
        let sealer = Sealer::start(config.store.clone(), desk.inbox.clone(), Arc::clone(&intake))?;
        let endpoints = if node.locators().is_empty() { "client".to_owned() } else { node.locators().join(",") };
        let facts = BTreeMap::from([("network.endpoints".to_owned(), endpoints)]);
        let parts = Parts { snapshots, facts, sealer, intake, inbox: messages, errands, published, home_of_unknown, last, lock };
        let engine = Engine::new(config, parts);
        let thread = Builder::new().name("recorder".to_owned()).spawn(move || engine.run());
        let thread = thread.map_err(|source| RecordError::Thread { name: "recorder", source })?;
        info!(%field, stations = stations.len(), "recorder ready");
        Ok(Self {
            errands: Some(tokio::spawn(errand::run(node.clone(), field, desk.clone(), errand_queue))),
            service: tokio::spawn(errand::serve(service, stations, desk.clone())),
            desk,
            thread: Some(thread),
            status,
        })
    }

    /// The stations as of a moment ago (250 ms at most).
    pub fn status(&self) -> Vec<StationStatus> {
        self.status.borrow().stations.clone()
    }

    /// Everything that is shown about a recorder, renewed every 250 ms and at every change: wait on it instead of polling.
    pub fn watch(&self) -> watch::Receiver<RecorderStatus> {
        self.status.clone()
    }

    /// Closes what is open as a stop would, waits until everything is sealed, and returns the manifests of the episodes
    /// that were open or waiting, sorted.
    ///
    /// # Errors
    /// [`RecordError::Unsealed`] when an episode could not be sealed; [`RecordError::Ended`] when the recorder thread
    /// is gone.
    pub async fn shutdown(mut self) -> Result<Vec<Manifest>, RecordError> {
        let (done, sealed) = oneshot::channel();
        // Waits for its place, unlike other messages: this one must not be turned away because there is much to do.
        let desk = self.desk.clone();
        let put = tokio::task::spawn_blocking(move || {
            let put = desk.inbox.send(Inbox::Shutdown { done });
            desk.intake.wake();
            put.is_ok()
        });
        if !put.await.is_ok_and(|put| put) {
            return Err(RecordError::Ended);
        }
        let sealed = sealed.await.map_err(|_| RecordError::Ended)?;
        if let Some(thread) = self.thread.take() {
            // It has said its last word; joining gives the store's lock back before this returns.
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
            if !joined.is_ok_and(|whole| whole) {
                return Err(RecordError::Ended);
            }
        }
        // Replies to operators are still on their way.
        if let Some(errands) = self.errands.take() {
            let _ = errands.await;
        }
        sealed
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.service.abort();
        if self.thread.is_some() {
            self.desk.put(Inbox::Abandon);
        }
    }
}

/// What was last sealed at each station, so that operators can still decide about it after a restart. Not where a crash
/// has left a later journal: the operator would mean that one.
fn last_episodes(store: &Store, journals: &[PathBuf]) -> Result<BTreeMap<Id, LastEpisode>, StoreError> {
    let episode_of = |path: &PathBuf| path.file_name()?.to_str()?.split('.').next()?.parse::<EpisodeId>().ok();
    let unsealed = journals.iter().filter_map(episode_of).max();
    let newest = store.newest_of_stations()?;
    let manifests = newest.iter().map(Episode::manifest).filter(|manifest| Some(manifest.episode) > unsealed);
    Ok(manifests.map(|manifest| (manifest.station.clone(), LastEpisode::sealed(manifest))).collect())
}

/// Snapshots the description of every model that stands at a station, so that starting an episode copies nothing.
fn snapshots(config: &RecorderConfig) -> BTreeMap<String, String> {
    let mut snapshots = BTreeMap::new();
    for robot in &config.field.robots {
        if robot.model.is_empty() || snapshots.contains_key(&robot.model) {
            continue;
        }
        let folder = config.robots_dir.join(&robot.model);
        match config.store.snapshot_robot(&folder) {
            Ok(hash) => _ = snapshots.insert(robot.model.clone(), hash),
            Err(error) => warn!(model = robot.model, %error, "episodes will not hold this robot's description"),
        }
    }
    snapshots
}
