//! The test's own place on the bus, beside the real recorder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::Node;
use sanqu_model::{EpisodeId, Id};
use sanqu_record::{ControlReply, ControlRequest, EpisodeProgress, StationState, StationStatus, Verb, send_control};
use sanqu_store::Store;
use tokio::runtime::Runtime;

use crate::program::Running;

/// What a test waits for comes within this time, or not at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(20);

pub(crate) fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

/// A runtime for everything that the test itself does on the bus.
pub(crate) fn runtime() -> Arc<Runtime> {
    Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// Lets time pass: how long a fault lasts, or at which moment it comes.
pub(crate) fn pass(runtime: &Runtime, time: Duration) {
    runtime.block_on(async { tokio::time::sleep(time).await });
}

/// A real recorder on a store, and where it listens.
pub(crate) struct Recorder {
    pub(crate) running: Running,
    pub(crate) endpoint: String,
}

impl Recorder {
    /// Starts it on a free port.
    pub(crate) fn start(store: &Path) -> Self {
        Self::at(store, "tcp/127.0.0.1:0")
    }

    /// Starts it where another one listened.
    pub(crate) fn at(store: &Path, listen: &str) -> Self {
        Self::with(&["record", "--store", store.to_str().unwrap(), "--listen", listen])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::of(Running::start(arguments))
    }

    /// One that was just started.
    pub(crate) fn of(mut running: Running) -> Self {
        let line = running.line();
        let endpoint = line.split("listening on ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let endpoint =
            endpoint.or_else(|| line.split("connected to ").nth(1)?.split(';').next()).unwrap_or_else(|| panic!("no endpoint in {line:?}"));
        Self { endpoint: endpoint.trim().to_owned(), running }
    }
}

/// An operator at one station.
pub(crate) struct Operator {
    runtime: Arc<Runtime>,
    node: Node,
    station: Id,
}

impl Operator {
    pub(crate) fn join(runtime: &Arc<Runtime>, endpoint: &str, station: &str) -> Self {
        let node = runtime.block_on(Node::client(endpoint)).unwrap();
        Self { runtime: Arc::clone(runtime), node, station: id(station) }
    }

    fn ask(&self, verb: Verb) -> Option<ControlReply> {
        let request = ControlRequest::new(verb);
        self.runtime.block_on(send_control(&self.node, &id("desk"), &self.station, &request)).ok()
    }

    /// Begins an episode.
    pub(crate) fn start(&self) -> EpisodeId {
        let reply = self.ask(Verb::Start).expect("the recorder answers");
        assert!(reply.ok, "{reply:?}");
        reply.episode.unwrap()
    }

    /// Ends it.
    pub(crate) fn stop(&self) -> EpisodeId {
        let reply = self.ask(Verb::Stop).expect("the recorder answers");
        assert!(reply.ok, "{reply:?}");
        reply.episode.unwrap()
    }

    /// Ends the episode and waits until it is sealed.
    pub(crate) fn stop_and_seal(&self) -> EpisodeId {
        let episode = self.stop();
        self.wait_for("the seal", |station| {
            station.last.as_ref().is_some_and(|last| {
                assert_ne!(last.progress, EpisodeProgress::SealFailed, "{last:?}");
                last.episode == episode && last.progress == EpisodeProgress::Sealed
            })
        });
        episode
    }

    /// Asks for the station's status until it meets `condition`; a recorder that does not answer is asked again.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&StationStatus) -> bool) -> StationStatus {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            if let Some(station) = self.ask(Verb::Status).and_then(|reply| reply.station) {
                if condition(&station) {
                    return station;
                }
                last = Some(station);
            }
            assert!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}: {last:#?}");
            pass(&self.runtime, LOOK_PERIOD);
        }
    }

    /// Waits until the station records and every stream of `robot` has brought `rows` rows since the recorder began.
    #[track_caller]
    pub(crate) fn recording(&self, robot: &str, rows: u64) -> StationStatus {
        self.wait_for("rows of an open episode", |station| station.state == StationState::Recording && self.brings(station, robot, rows))
    }

    /// Waits until every stream of `robot` is heard.
    #[track_caller]
    pub(crate) fn heard(&self, robot: &str) -> StationStatus {
        self.wait_for("a robot", |station| self.brings(station, robot, 1))
    }

    fn brings(&self, station: &StationStatus, robot: &str, rows: u64) -> bool {
        let robot = station.robots.iter().find(|heard| heard.robot.as_str() == robot);
        robot
            .is_some_and(|heard| heard.described >= 2 && heard.streams.len() >= 2 && heard.streams.iter().all(|stream| stream.rows >= rows))
    }
}

/// A store in a folder of its own.
pub(crate) struct Shelf {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        Self { _folder: folder, path }
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.path).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// A generator of a test's choices, printed with the test's seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// SplitMix64's finish: every bit of the result depends on every bit of the number.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
