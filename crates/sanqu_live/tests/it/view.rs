use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::rrd::Recording;
use arrow_array::types::{Float32Type, Float64Type};
use sanqu_ingest::{Node, RobotPublisher};
use sanqu_live::{LiveError, LiveView, OutletReport, Stage, Target};
use sanqu_model::{FieldConfig, Id, Quantity, StreamDescription, ValueType};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, ENCODING_JSON, encode_rows, fixed_list};

const PATIENCE: Duration = Duration::from_secs(20);
const START_NS: i64 = 1_763_740_800_000_000_000;
const ROWS: usize = 10;
const PAYLOADS: usize = 6;
const FIELD: &str = r#"
field = "desk"
name = "desk"
time_zone = "UTC"
[[robots]]
id = "arm-01"
name = "arm"
model = "arm"
[[zones]]
id = "industry"
name = "工业"
name_en = "Industry"
colour = [0.5, 0.5, 0.5]
[[zones.scenes]]
id = "bench"
name = "台"
name_en = "Bench"
[[zones.scenes.stations]]
id = "a01"
position_m = [2.0, 3.0]
heading_rad = 0.0
robots = ["arm-01"]
"#;
const URDF: &str = r#"<robot name="arm">
  <link name="base"><visual><geometry><box size="0.2 0.2 0.1"/></geometry></visual></link>
  <link name="upper"><visual><origin xyz="0 0 0.5"/><geometry><capsule radius="0.05" length="1.0"/></geometry></visual></link>
  <joint name="shoulder_joint" type="revolute"><parent link="base"/><child link="upper"/><origin xyz="0 0 0.1"/><axis xyz="0 1 0"/>
    <limit lower="-3" upper="3" velocity="1" effort="1"/></joint>
</robot>"#;

fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

fn descriptions() -> Vec<StreamDescription> {
    let names = ["shoulder".to_owned(), "finger".to_owned()];
    let temperature = Quantity { value_type: ValueType::F32, ..Quantity::f64("temp", "°C", &names[..1]) };
    let describe = |stream: &str, encoding: &str, quantities| StreamDescription {
        stream: stream.parse().unwrap(),
        encoding: encoding.into(),
        rate_hz: 500.0,
        clock: 1,
        quantities,
        facts: Default::default(),
    };
    vec![
        describe("joint", ENCODING_ARROW, vec![Quantity::f64("pos", "rad", &names), temperature]),
        describe("camera/head", ENCODING_H264, Vec::new()),
        describe("event", ENCODING_JSON, Vec::new()),
    ]
}

/// Position of the shoulder in row `row`, rad.
fn shoulder(row: usize) -> f64 {
    row as f64 * 0.01
}

fn joint_payload(first_row: usize) -> (i64, Vec<u8>) {
    let rows = first_row..first_row + ROWS;
    let t_ns: Vec<i64> = rows.clone().map(|row| START_NS + row as i64 * 10_000_000).collect();
    let pos = rows.clone().flat_map(|row| [shoulder(row), f64::NAN]).collect();
    let temp = rows.map(|row| 20.0 + row as f32).collect();
    let columns = vec![fixed_list::<Float64Type>(pos, 2).unwrap(), fixed_list::<Float32Type>(temp, 1).unwrap()];
    (t_ns[0], encode_rows(&descriptions()[0], &t_ns, columns).unwrap())
}

fn access_unit(frame: u8) -> Vec<u8> {
    let nal = if frame.is_multiple_of(4) { 0x65 } else { 0x41 };
    [&[0, 0, 0, 1, nal][..], &[frame; 40]].concat()
}

struct Bus {
    router: Node,
    robot: Node,
    view: LiveView,
}

impl Bus {
    async fn open(folder: &Path, targets: &[Target]) -> Self {
        let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
        let robot = Node::client(&router.locators()[0]).await.unwrap();
        let stage = Stage::load(&FieldConfig::parse(FIELD).unwrap(), folder).unwrap();
        let view = LiveView::start(&router, &id("desk"), stage, targets).await.unwrap();
        Self { router, robot, view }
    }

    /// Closes the view once it has seen `samples`.
    async fn close(self, samples: u64) -> Vec<Result<OutletReport, LiveError>> {
        let arrived = async {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            while self.view.samples() < samples {
                tick.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, arrived).await.unwrap_or_else(|_| panic!("{} of {samples} samples came", self.view.samples()));
        let reports = self.view.close();
        self.robot.close().await.unwrap();
        self.router.close().await.unwrap();
        reports
    }
}

async fn publish(node: &Node) -> u64 {
    let robot = RobotPublisher::declare(node, &id("desk"), &id("arm-01"), 7, descriptions()).await.unwrap();
    let mut samples = 0;
    for payload in 0..PAYLOADS {
        let (t_ns, bytes) = joint_payload(payload * ROWS);
        robot.put(&"joint".parse().unwrap(), u32::try_from(ROWS).unwrap(), t_ns, false, bytes).await.unwrap();
        let frame = u8::try_from(payload).unwrap();
        robot.put(&"camera/head".parse().unwrap(), 1, t_ns, frame.is_multiple_of(4), access_unit(frame)).await.unwrap();
        samples += 2;
    }
    robot.put(&"event".parse().unwrap(), 1, START_NS, false, r#"{"text":"抓取"}"#).await.unwrap();
    robot.close().await.unwrap();
    samples + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn what_robots_publish_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("arm")).unwrap();
    std::fs::write(folder.path().join("arm/robot.urdf"), URDF).unwrap();
    let file = folder.path().join("live.rrd");
    let bus = Bus::open(folder.path(), &[Target::File(file.clone())]).await;
    let samples = publish(&bus.robot).await;
    let report = bus.close(samples).await.remove(0).unwrap();
    let expected = (samples, (ROWS * PAYLOADS) as u64, PAYLOADS as u64, 0, 0);
    assert_eq!((report.samples, report.rows, report.pictures, report.dropped, report.unreadable), expected);

    let recording = Recording::read(&file);
    let positions = recording.doubles("/arm-01/joint/pos", "Scalars:scalars");
    assert_eq!(positions.len(), ROWS * PAYLOADS);
    for (row, (t_ns, values)) in positions.iter().enumerate() {
        assert_eq!((*t_ns, values[0], values[1].is_nan()), (START_NS + row as i64 * 10_000_000, shoulder(row), true));
    }
    assert_eq!(recording.doubles("/arm-01/joint/temp", "Scalars:scalars")[59].1, [79.0]);
    assert_eq!(recording.texts("/arm-01/joint/pos", "SeriesLines:names"), ["shoulder", "finger"]);
    assert_eq!(recording.texts("/arm-01/event", "TextLog:text"), [r#"{"text":"抓取"}"#]);
    let frames: Vec<Vec<u8>> = recording.blobs("/arm-01/camera/head", "VideoStream:sample");
    assert_eq!(frames, (0..6).map(access_unit).collect::<Vec<_>>());
    assert_eq!(recording.rows("/arm-01/body/base", "Boxes3D:half_sizes"), 1);
    assert_eq!(recording.rows("/arm-01/body/upper", "Capsules3D:lengths"), 1);
    assert!(recording.layouts() > 0, "no layout was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_stand_where_the_joints_put_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("arm")).unwrap();
    std::fs::write(folder.path().join("arm/robot.urdf"), URDF).unwrap();
    let file = folder.path().join("live.rrd");
    let bus = Bus::open(folder.path(), &[Target::File(file.clone())]).await;
    let samples = publish(&bus.robot).await;
    bus.close(samples).await.remove(0).unwrap();

    let recording = Recording::read(&file);
    let children = recording.texts("/arm-01/tf", "Transform3D:child_frame");
    let quaternions = recording.floats("/arm-01/tf", "Transform3D:quaternion");
    let translations = recording.floats("/arm-01/tf", "Transform3D:translation");
    assert_eq!(children, ["arm-01/base", "arm-01/upper"].repeat(PAYLOADS));
    for payload in 0..PAYLOADS {
        let (_, translation) = &translations[2 * payload + 1];
        assert_eq!(translation, &[2.0, 3.0, 0.1], "the shoulder is above the station");
        let half = shoulder(payload * ROWS + ROWS - 1) / 2.0;
        let (t_ns, quaternion) = &quaternions[2 * payload + 1];
        assert_eq!(*t_ns, START_NS + (payload * ROWS + ROWS - 1) as i64 * 10_000_000);
        let expected = [0.0, half.sin(), 0.0, half.cos()];
        let far = quaternion.iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).abs()).fold(0.0, f64::max);
        assert!(far < 1e-6, "{quaternion:?} is not {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_counted_and_the_rest_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("live.rrd");
    let bus = Bus::open(folder.path(), &[Target::File(file.clone())]).await;
    let session = bus.robot.session();
    let (_, payload) = joint_payload(0);
    session.put("sanqu/desk/arm-01/joint", payload.clone()).encoding(ENCODING_ARROW).await.unwrap();
    session.put("sanqu/desk/arm-01/joint", payload.clone()).encoding("application/cdr").await.unwrap();
    session.put("sanqu/desk/arm-01/joint", payload[..100].to_vec()).encoding(ENCODING_ARROW).await.unwrap();
    session.put("sanqu/desk/arm-01/joint", payload).encoding(ENCODING_ARROW).attachment(vec![1_u8; 48]).await.unwrap();
    let report = bus.close(4).await.remove(0).unwrap();
    assert_eq!((report.samples, report.rows, report.unreadable), (4, ROWS as u64, 3));
    assert_eq!(Recording::read(&file).doubles("/arm-01/joint/pos", "Scalars:scalars").len(), ROWS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_view_says_its_port_and_a_taken_port_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let bus = Bus::open(folder.path(), &[Target::Serve(loopback)]).await;
    let Target::Serve(address) = bus.view.targets()[0] else { panic!("not served") };
    TcpStream::connect(address).unwrap();
    let samples = publish(&bus.robot).await;
    let report = bus.close(samples).await.remove(0).unwrap();
    assert_eq!((report.target, report.samples, report.dropped), (Target::Serve(address), samples, 0));

    let holder = TcpListener::bind(loopback).unwrap();
    let taken = holder.local_addr().unwrap();
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let refused = LiveView::start(&router, &id("desk"), Stage::default(), &[Target::Serve(taken)]).await;
    let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains(&taken.to_string()) && error.contains("in use"), "{error:?}");
    router.close().await.unwrap();
}
