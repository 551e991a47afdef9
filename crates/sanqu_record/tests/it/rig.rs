use std::path::Path;
use std::time::Duration;

use arrow_array::types::Float64Type;
use sanqu_ingest::{Node, RobotPublisher};
use sanqu_model::{EpisodeId, FieldConfig, Id, Manifest, Quantity, StreamDescription, StreamEntry, StreamName};
use sanqu_record::{ControlReply, ControlRequest, EpisodeProgress, Recorder, RecorderConfig, RecorderStatus, Verb, send_control};
use sanqu_store::{Episode, Severity, Store};
use sanqu_wire::{CLOCK_ROBOT, ENCODING_ARROW, SampleHeader, encode_rows, fixed_list};
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// `a01` has kuavo-01, `a02` has kuavo-02, `a03` has nobody; kuavo-09 stands nowhere.
pub(crate) const FIELD: &str = r#"
    field = "desk"
    name = "桌面"
    time_zone = "Asia/Shanghai"
    [[zones]]
    id = "industry"
    name = "工业智造"
    name_en = "Industry"
    colour = [0.2, 0.4, 0.8]
    [[zones.scenes]]
    id = "vehicle-inspection"
    name = "整车质检"
    name_en = "Vehicle inspection"
    stations = [
        { id = "a01", position_m = [0.0, 0.0], heading_rad = 0.0, robots = ["kuavo-01"] },
        { id = "a02", position_m = [2.0, 0.0], heading_rad = 0.0, robots = ["kuavo-02"] },
        { id = "a03", position_m = [4.0, 0.0], heading_rad = 0.0 },
    ]
    [[robots]]
    id = "kuavo-01"
    name = "夸父 01"
    model = "kuavo"
    [[robots]]
    id = "kuavo-02"
    name = "夸父 02"
    model = "kuavo"
    [[robots]]
    id = "kuavo-09"
    name = "夸父 09"
    model = "kuavo"
    [[tasks]]
    id = "door-gap"
    prompt = "Check the door gap"
    prompt_zh = "检查门缝"
    target_count = 10
    duration_min_secs = 1.0
    duration_max_secs = 60.0
"#;

pub(crate) fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

pub(crate) fn stream(name: &str) -> StreamName {
    name.parse().unwrap()
}

pub(crate) fn joint() -> StreamDescription {
    let quantities = vec![Quantity::f64("pos", "rad", &["l_knee_joint".into(), "r_knee_joint".into()])];
    let encoding = ENCODING_ARROW.to_owned();
    StreamDescription { stream: stream("joint"), encoding, rate_hz: 500.0, clock: CLOCK_ROBOT, quantities, facts: Default::default() }
}

/// `rows` rows that begin at sequence `seq`; the values are the sequence, so that rows can be told apart.
pub(crate) fn rows(seq: u64, rows: u32) -> Vec<u8> {
    let t_ns: Vec<i64> = (0..i64::from(rows)).map(|n| sanqu_model::now_ns() + n).collect();
    let values: Vec<f64> = (seq..seq + u64::from(rows)).flat_map(|n| [n as f64, -(n as f64)]).collect();
    encode_rows(&joint(), &t_ns, vec![fixed_list::<Float64Type>(values, 2).unwrap()]).unwrap()
}

/// A recorder in a fresh store, its router, and a client for robots and operators.
pub(crate) struct Rig {
    pub(crate) router: Node,
    pub(crate) outside: Node,
    pub(crate) recorder: Recorder,
    pub(crate) store: Store,
    pub(crate) dir: TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut RecorderConfig)) -> Self {
        let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
        let outside = Node::client(&router.locators()[0]).await.unwrap();
        let dir = TempDir::new().unwrap();
        let (recorder, store) = start(&router, dir.path(), change).await;
        Self { router, outside, recorder, store, dir }
    }

    pub(crate) async fn robot(&self, robot: &str, boot: u64) -> RobotPublisher {
        RobotPublisher::declare(&self.outside, &id("desk"), &id(robot), boot, vec![joint()]).await.unwrap()
    }

    /// Sends a sample as a publisher of ten lines would, with a header of its own making.
    pub(crate) async fn send(&self, robot: &str, boot: u64, seq: u64, count: u32) {
        let payload = rows(seq, count);
        let schema_id = joint().schema_id();
        let header = SampleHeader { boot, seq, rows: count, capture_ns: sanqu_model::now_ns(), clock: CLOCK_ROBOT, schema_id, flags: 0 };
        let put = self.outside.session().put(format!("sanqu/desk/{robot}/joint"), payload.clone()).encoding(ENCODING_ARROW);
        put.attachment(header.encode(&payload).to_vec()).await.unwrap();
    }

    pub(crate) async fn ask(&self, station: &str, request: &ControlRequest) -> ControlReply {
        send_control(&self.outside, &id("desk"), &id(station), request).await.unwrap()
    }

    pub(crate) async fn verb(&self, station: &str, verb: Verb) -> ControlReply {
        self.ask(station, &ControlRequest::new(verb)).await
    }

    /// A verb that must be done.
    pub(crate) async fn done(&self, station: &str, verb: Verb) -> EpisodeId {
        let reply = self.verb(station, verb).await;
        assert!(reply.ok, "{reply:?}");
        reply.episode.unwrap()
    }

    /// Waits until the recorder's status is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl FnMut(&RecorderStatus) -> bool) -> RecorderStatus {
        let mut watch = self.recorder.watch();
        let reached = tokio::time::timeout(PATIENCE, watch.wait_for(wanted)).await.map(|status| status.unwrap().clone());
        reached.unwrap_or_else(|_| panic!("not reached: {what}; {:#?}", self.recorder.status()))
    }

    /// Waits until a station's robot has described itself and `rows` joint rows of it were received.
    pub(crate) async fn heard(&self, robot: &str, rows: u64, described: bool) {
        let heard = |status: &RecorderStatus| {
            let mut robots = status.stations.iter().flat_map(|station| &station.robots);
            robots.any(|heard| {
                let joint = heard.streams.iter().find(|s| s.stream.as_str() == "joint").map_or(0, |joint| joint.rows);
                heard.robot.as_str() == robot && (heard.described > 0) == described && joint >= rows
            })
        };
        self.until(&format!("{rows} rows of {robot}"), heard).await;
    }

    /// Stops a station and waits for the sealed episode.
    pub(crate) async fn sealed(&self, station: &str) -> Sealed {
        let episode = self.done(station, Verb::Stop).await;
        self.seal_of(episode).await
    }

    /// Waits for an episode that was stopped.
    pub(crate) async fn seal_of(&self, episode: EpisodeId) -> Sealed {
        self.until("the seal", |status| {
            status.stations.iter().filter_map(|station| station.last.as_ref()).any(|last| {
                assert_ne!(last.progress, EpisodeProgress::SealFailed, "{last:?}");
                last.episode == episode && last.progress == EpisodeProgress::Sealed
            })
        })
        .await;
        Sealed::open(&self.store, episode)
    }
}

pub(crate) async fn start(router: &Node, dir: &Path, change: impl FnOnce(&mut RecorderConfig)) -> (Recorder, Store) {
    let field = FieldConfig::parse(FIELD).unwrap();
    let store = Store::open_or_create(&dir.join("store"), &field.field, &field.time_zone).unwrap();
    let robots = dir.join("robots");
    std::fs::create_dir_all(robots.join("kuavo")).unwrap();
    std::fs::write(robots.join("kuavo/robot.urdf"), "<robot name=\"kuavo\"><link name=\"base\"/></robot>").unwrap();
    let mut config = RecorderConfig::new(field, robots, store.clone());
    change(&mut config);
    (Recorder::start(router, config).await.unwrap(), store)
}

/// A sealed episode and its joint stream.
pub(crate) struct Sealed {
    pub(crate) episode: Episode,
    pub(crate) manifest: Manifest,
}

impl Sealed {
    pub(crate) fn open(store: &Store, episode: EpisodeId) -> Self {
        let episode = store.find(&episode.to_string()).unwrap();
        let report = sanqu_store::verify(episode.dir()).unwrap();
        // A loss is what the test is about; anything else would be a defect.
        let defects: Vec<_> = report.issues.iter().filter(|issue| issue.severity != Severity::Loss).collect();
        assert!(defects.is_empty(), "{defects:?}");
        Self { manifest: episode.manifest().clone(), episode }
    }

    pub(crate) fn joint(&self) -> &StreamEntry {
        self.manifest.streams.iter().find(|entry| entry.stream.as_str() == "joint").unwrap()
    }

    /// `(expected, received, lost)` of the joint stream.
    #[track_caller]
    pub(crate) fn check_joint(&self, expected: Option<u64>, received: u64, lost: u64) {
        let joint = self.joint();
        assert_eq!((joint.expected, joint.received, joint.lost.total()), (expected, received, lost), "{joint:#?}");
        assert_eq!(joint.rows, received);
    }

    /// The values of the joint rows, which are their sequences.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole numbers by construction")]
    pub(crate) fn values(&self) -> Vec<u64> {
        let series = self.episode.series(self.joint(), "pos").unwrap();
        series.values.iter().step_by(2).map(|value| *value as u64).collect()
    }
}
