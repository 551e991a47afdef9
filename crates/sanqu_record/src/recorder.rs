use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};

use sanqu_ingest::{Bulletin, Claim, Intake, Node, Place, Service};
use sanqu_model::{Id, Manifest, StationPlace, control_key, recorder_key};
use sanqu_store::{Episode, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{info, warn};

use crate::resume::LeftBehind;
use crate::station::{Context, Desk, Ended, INBOX_MAX, Message, Station};
use crate::{LastEpisode, RecordError, RecorderConfig, RecorderStatus, StationStatus, board, errand, sealer};

/// Questions and replies that wait to be sent.
const ERRANDS_MAX: usize = 256;

/// Robots that are recorded at most, where robots that the field does not know are recorded too: each has its pre-roll.
const ROBOTS_MAX: usize = 256;

/// A running recorder: it serves the stations of a field until [`Recorder::shutdown`].
///
/// Dropped without that, it ends at once and leaves its journals as a crash would, for `repair`.
pub struct Recorder {
    desks: Vec<Desk>,
    threads: Vec<JoinHandle<()>>,
    errands: Option<tokio::task::JoinHandle<()>>,
    /// Tasks that run until they are told to end.
    servants: [tokio::task::JoinHandle<()>; 3],
    status: watch::Receiver<RecorderStatus>,
    _claim: Claim,
}

impl Recorder {
    /// Locks the store, subscribes to the field and answers at its stations. Episodes that a crash has left open go on, or
    /// are sealed in the background. Needs a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// [`RecordError::Store`] when another process writes into the store; [`sanqu_ingest::IngestError::Claimed`] when
    /// another recorder on the bus serves one of the stations; [`RecordError::Config`] when it is not
    /// clear where unknown robots belong; [`RecordError::Ingest`]; [`RecordError::Thread`].
    pub async fn start(node: &Node, config: RecorderConfig) -> Result<Self, RecordError> {
        let place = places(&config)?;
        let lock = config.store.lock()?;
        let mut last = last_episodes(&config.store)?;
        let field = config.field.field.clone();
        let count = config.field.stations().count();
        let ids: Vec<Id> = config.field.stations().map(|place| place.station.id.clone()).collect();
        let claim = Claim::take(node, &field, &ids).await?;
        let looking = config.clone();
        let left_behind = tokio::task::spawn_blocking(move || LeftBehind::find(&looking)).await;
        let mut left_behind = left_behind.map_err(|_| RecordError::Ended)??;
        let intake = Arc::new(Intake::declare_queues(node, &field, (count, config.queue_bytes), place).await?);
        let (errands, errand_queue) = mpsc::channel(ERRANDS_MAX);
        let (board, status) = watch::channel(RecorderStatus::default());
        let (jobs, sealers) = sealer::start(&config.store, lock)?;
        let about = (config.store.clone(), config.refusals.clone());
        let bulletin = Bulletin::declare(node, recorder_key(&field)).await?;
        let endpoints = if node.locators().is_empty() { "client".to_owned() } else { node.locators().join(",") };
        let context = Arc::new(Context {
            snapshots: snapshots(&config),
            facts: BTreeMap::from([("network.endpoints".to_owned(), endpoints)]),
            stations: u32::try_from(count).unwrap_or(u32::MAX),
            intake: Arc::clone(&intake),
            config,
            jobs,
            errands,
            board: board.clone(),
        });

        let mut stations = Vec::with_capacity(count);
        for (index, place) in stations_of(&context.config).into_iter().enumerate() {
            let (inbox, messages) = sync_channel(INBOX_MAX);
            let desk = Desk { inbox, queue: Arc::clone(&intake.queues()[index]) };
            let id = &place.station.id;
            let mut station = Station::new(Arc::clone(&context), place, index, (desk, messages), last.remove(id));
            station.take_over(left_behind.closed.remove(id).unwrap_or_default(), left_behind.open.remove(id));
            stations.push(station);
        }
        drop(context);
        let first = stations.iter_mut().map(|station| station.status(std::time::Instant::now())).collect();
        board.send_modify(|status| status.stations = first);
        let desks: Vec<Desk> = stations.iter().map(|station| station.desk.clone()).collect();
        let keys: Vec<String> = stations.iter().map(|station| control_key(&field, &station.id)).collect();
        let service = Service::declare(node, &keys).await?;
        let mut threads: Vec<JoinHandle<()>> = sealers.into();
        for station in stations {
            let name = format!("station {}", station.id);
            let thread = Builder::new().name(name).spawn(move || station.serve());
            threads.push(thread.map_err(|source| RecordError::Thread { name: "station", source })?);
        }
        info!(%field, stations = count, "recorder ready");
        let serving = errand::serve(service, keys.into_iter().zip(desks.iter().cloned()).collect());
        Ok(Self {
            errands: Some(tokio::spawn(errand::run(node.clone(), field, errand_queue))),
            servants: [
                tokio::spawn(serving),
                tokio::spawn(board::keep(about, intake, board)),
                tokio::spawn(board::tell(bulletin, status.clone())),
            ],
            desks,
            threads,
            status,
            _claim: claim,
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
    /// [`RecordError::Unsealed`] when an episode could not be sealed; [`RecordError::Ended`] when a station's thread is
    /// gone.
    pub async fn shutdown(mut self) -> Result<Vec<Manifest>, RecordError> {
        let mut ending = Vec::new();
        for desk in self.desks.clone() {
            let (done, ended) = oneshot::channel();
            // All at once: a station that hangs must not keep the others from closing.
            let put = tokio::task::spawn_blocking(move || desk.put_waiting(Message::Shutdown(done)));
            ending.push((put, ended));
        }
        let mut all = Ended::default();
        let mut is_whole = true;
        for (put, ended) in ending {
            match (put.await, ended.await) {
                (Ok(true), Ok(mut ended)) => {
                    all.sealed.append(&mut ended.sealed);
                    all.failed.append(&mut ended.failed);
                }
                _ => is_whole = false,
            }
        }
        // They have said their last word; joining gives the store's lock back before this returns.
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok())).await;
        // Replies to operators are still on their way.
        if let Some(errands) = self.errands.take() {
            let _ = errands.await;
        }
        // What they have declared is gone when they are: the caller may close the session next.
        for servant in &mut self.servants {
            servant.abort();
            let _ = servant.await;
        }
        if !is_whole || !joined.is_ok_and(|whole| whole) {
            return Err(RecordError::Ended);
        }
        all.sealed.sort_by_key(|manifest| manifest.episode);
        all.failed.sort();
        let count = all.failed.len();
        match all.failed.into_iter().next() {
            Some((episode, reason)) => Err(RecordError::Unsealed { count, episode, reason }),
            None => Ok(all.sealed),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.servants.iter().for_each(tokio::task::JoinHandle::abort);
        if !self.threads.is_empty() {
            self.desks.iter().for_each(|desk| _ = desk.put(Message::Abandon));
        }
    }
}

/// The stations in the order of their queues: by id.
fn stations_of(config: &RecorderConfig) -> Vec<StationPlace<'_>> {
    let mut stations: Vec<StationPlace<'_>> = config.field.stations().collect();
    stations.sort_by_key(|place| &place.station.id);
    stations
}

/// Which robot belongs to which station's queue.
fn places(config: &RecorderConfig) -> Result<Place, RecordError> {
    let number = |id: &Id| stations_of(config).iter().position(|place| &place.station.id == id);
    let home_of_unknown = config.home_of_unknown()?.as_ref().and_then(number);
    let homes: BTreeMap<Id, usize> = stations_of(config)
        .iter()
        .enumerate()
        .flat_map(|(number, place)| place.station.robots.iter().map(move |robot| (robot.clone(), number)))
        .collect();
    let (name, mut placed) = (config.field.field.clone(), 0);
    let known: Vec<Id> = config.field.robots.iter().map(|robot| robot.id.clone()).collect();
    Ok(Box::new(move |robot| {
        let home = homes.get(robot).copied().or_else(|| home_of_unknown.filter(|_| !known.contains(robot) && placed < ROBOTS_MAX));
        placed += usize::from(home.is_some());
        home.ok_or_else(|| match (known.contains(robot), home_of_unknown) {
            (true, _) => format!("it stands at no station of field {name}"),
            (false, None) => format!("field {name} does not know it"),
            (false, Some(_)) => format!("field {name} does not know it, and {ROBOTS_MAX} robots are recorded already"),
        })
    }))
}

/// What was last sealed at each station, so that operators can still decide about it after a restart.
fn last_episodes(store: &Store) -> Result<BTreeMap<Id, LastEpisode>, StoreError> {
    let newest = store.newest_of_stations()?;
    let manifests = newest.iter().map(Episode::manifest);
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
