use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::{
    Counts, IngestError, Intake, Node, Received, Refused, RefusedReason, RobotPublisher, describe, describe_robot, final_counts,
    robots_alive,
};
use sanqu_model::{Id, Quantity, StreamDescription, StreamName};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, PAYLOAD_BYTES_MAX, SampleHeader};

const PATIENCE: Duration = Duration::from_secs(20);
const QUEUE_BYTES: usize = 64 << 20;

fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

fn stream(name: &str) -> StreamName {
    name.parse().unwrap()
}

fn description(name: &str, encoding: &str) -> StreamDescription {
    let quantities = if encoding == ENCODING_ARROW { vec![Quantity::f64("pos", "rad", &["l_knee".into()])] } else { Vec::new() };
    StreamDescription { stream: stream(name), encoding: encoding.into(), rate_hz: 500.0, clock: 1, quantities, facts: Default::default() }
}

struct Bus {
    router: Node,
    robot: Node,
    intake: Intake,
}

impl Bus {
    async fn open(queue_bytes: usize) -> Self {
        let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
        let intake = Intake::declare(&router, &id("desk"), queue_bytes).await.unwrap();
        let robot = Node::client(&router.locators()[0]).await.unwrap();
        Self { router, robot, intake }
    }

    /// The next data sample; heartbeats are passed over.
    fn next(&self) -> Received {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.intake.recv_timeout(PATIENCE) {
                Some(sample) if sample.key.stream.as_str() != "status" => return sample,
                _ => {}
            }
        }
        panic!("no sample came");
    }

    /// Waits until something was refused.
    fn refused(&self) -> Vec<Refused> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let refused = self.intake.take_refused();
            if !refused.is_empty() {
                return refused;
            }
            self.intake.recv_timeout(Duration::from_millis(10));
        }
        panic!("nothing was refused");
    }

    async fn robot(&self, boot: u64) -> RobotPublisher {
        let streams = vec![description("joint", ENCODING_ARROW), description("camera/head", ENCODING_H264)];
        RobotPublisher::declare(&self.robot, &id("desk"), &id("kuavo-01"), boot, streams).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_arrive_in_order_with_their_header() {
    let bus = Bus::open(QUEUE_BYTES).await;
    let robot = bus.robot(17).await;
    for n in 0..200_u32 {
        let payload = vec![u8::try_from(n).unwrap_or(255); 700];
        assert_eq!(robot.put(&stream("joint"), 10, i64::from(n), false, payload).await.unwrap(), u64::from(n) * 10);
    }
    let picture = vec![9; 300_000];
    robot.put(&stream("camera/head"), 1, 5, true, picture.clone()).await.unwrap();

    let (mut joints, mut pictures) = (Vec::new(), Vec::new());
    while joints.len() < 200 || pictures.is_empty() {
        let sample = bus.next();
        let header = SampleHeader::decode_checked(&sample.attachment, &sample.payload).unwrap();
        assert_eq!((header.boot, header.clock), (17, 1));
        match sample.key.stream.as_str() {
            "joint" => {
                assert_eq!((&*sample.encoding, header.rows), (ENCODING_ARROW, 10));
                joints.push(header.seq);
            }
            _ => {
                assert_eq!((&*sample.encoding, header.keyframe(), &sample.payload[..]), (ENCODING_H264, true, &picture[..]));
                pictures.push(header.seq);
            }
        }
    }
    assert_eq!(joints, (0..200).map(|n| n * 10).collect::<Vec<u64>>());
    assert!(bus.intake.take_refused().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_describes_and_counts_itself() {
    let bus = Bus::open(QUEUE_BYTES).await;
    let (field, name) = (id("desk"), id("kuavo-01"));
    assert_eq!(describe(&bus.router, &field).await.unwrap(), [], "nobody is there yet");
    let robot = bus.robot(18).await;
    robot.put(&stream("joint"), 3, 0, false, vec![1]).await.unwrap();

    let camera = description("camera/head", ENCODING_H264);
    let joint = description("joint", ENCODING_ARROW);
    let expected = [(name.clone(), camera.clone()), (name.clone(), joint.clone())];
    // Declarations travel on their own: until they have arrived nobody answers.
    tokio::time::timeout(PATIENCE, async { while describe(&bus.router, &field).await.unwrap() != expected {} }).await.unwrap();
    assert_eq!(describe_robot(&bus.router, &field, &name).await.unwrap(), [camera, joint]);
    assert_eq!(final_counts(&bus.router, &field, &name).await.unwrap(), [(stream("camera/head"), 18, 0), (stream("joint"), 18, 3)]);
    assert_eq!(robots_alive(&bus.router, &field).await.unwrap(), std::slice::from_ref(&name));
    robot.close().await.unwrap();
    assert_eq!(final_counts(&bus.router, &field, &id("kuavo-02")).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_count_what_was_sent() {
    let bus = Bus::open(QUEUE_BYTES).await;
    let robot = bus.robot(19).await;
    robot.put(&stream("joint"), 4, 0, false, vec![1]).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "no heartbeat counted the sample");
        let Some(sample) = bus.intake.recv_timeout(PATIENCE) else { continue };
        if sample.key.stream.as_str() == "status" {
            let counts = Counts::parse(&sample.payload).unwrap();
            assert_eq!(counts.boot, 19);
            if counts == robot.counts() {
                assert_eq!(counts.next_seq[&stream("joint")], 4);
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_publisher_is_heard_and_strays_are_counted() {
    let bus = Bus::open(QUEUE_BYTES).await;
    let session = bus.robot.session();
    session.put("sanqu/desk/kuavo-02/preview/head", "small picture").await.unwrap();
    for _ in 0..3 {
        session.put("sanqu/desk/kuavo-02/wheels", "?").await.unwrap();
    }
    let block = zenoh::qos::CongestionControl::Block;
    session.put("sanqu/desk/kuavo-02/joint", vec![0; PAYLOAD_BYTES_MAX + 1]).congestion_control(block).await.unwrap();
    session.put("sanqu/desk/kuavo-02/joint", "plain").encoding(ENCODING_ARROW).congestion_control(block).await.unwrap();

    let sample = bus.next();
    assert_eq!((sample.key.robot.as_str(), &sample.payload[..], sample.attachment.len()), ("kuavo-02", &b"plain"[..], 0));
    assert!(sample.recv_ns > 0);
    let bad = bus.intake.bad_keys();
    assert_eq!((bad.samples, bad.keys.len()), (3, 1), "{bad:?}");
    let refused = bus.refused();
    assert_eq!((refused.len(), refused[0].reason, refused[0].samples), (1, RefusedReason::TooLarge, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_counts_by_sequence() {
    let bus = Bus::open(10_000).await;
    let robot = bus.robot(20).await;
    for n in 0..100 {
        robot.put(&stream("joint"), 2, n, false, vec![0; 1000]).await.unwrap();
    }
    // A heartbeat may find the queue full as well.
    let refused_rows = || -> u64 {
        let of_joint = bus.intake.take_refused().into_iter().filter(|refused| refused.key.stream.as_str() != "status");
        of_joint
            .map(|refused| {
                assert_eq!((refused.boot, refused.key.robot.as_str()), (Some(20), "kuavo-01"));
                refused.to_seq.unwrap() - refused.from_seq.unwrap()
            })
            .sum()
    };
    let (mut lost, mut taken) = (0, 0);
    // Nobody takes anything out before the queue is full.
    while lost == 0 {
        tokio::task::yield_now().await;
        lost += refused_rows();
    }
    // Whatever is not in the queue is in the refusals, and the other way round.
    while lost + taken < 200 {
        lost += refused_rows();
        if let Some(sample) = bus.intake.recv_timeout(Duration::from_millis(10)).filter(|s| s.key.stream.as_str() == "joint") {
            taken += u64::from(SampleHeader::decode(&sample.attachment).unwrap().rows);
        }
    }
    assert_eq!(lost + taken, 200);
    assert!(lost > 0 && taken > 0, "lost {lost}, taken {taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn misuse_is_refused_by_name() {
    let bus = Bus::open(QUEUE_BYTES).await;
    let robot = bus.robot(21).await;
    let error = robot.put(&stream("motor"), 1, 0, false, Vec::new()).await.unwrap_err();
    assert!(matches!(&error, IngestError::UndeclaredStream { stream, .. } if stream.as_str() == "motor"), "{error}");
    let error = robot.put(&stream("joint"), 0, 0, false, Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("sanqu/desk/kuavo-01/joint"), "{error}");
    for streams in [vec!["joint", "joint"], vec!["status"]] {
        let streams: Vec<_> = streams.into_iter().map(|name| description(name, ENCODING_ARROW)).collect();
        let error = RobotPublisher::declare(&bus.robot, &id("desk"), &id("kuavo-03"), 1, streams).await.err().unwrap();
        assert!(matches!(&error, IngestError::BadDescription { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_putters_of_one_stream_keep_the_order() {
    let bus = Bus::open(QUEUE_BYTES).await;
    let robot = Arc::new(bus.robot(22).await);
    let putters: Vec<_> = (0..4)
        .map(|_| {
            let robot = Arc::clone(&robot);
            tokio::spawn(async move {
                for _ in 0..50 {
                    robot.put(&stream("joint"), 1, 0, false, vec![0; 10]).await.unwrap();
                }
            })
        })
        .collect();
    for putter in putters {
        putter.await.unwrap();
    }
    let seqs: Vec<u64> = (0..200).map(|_| SampleHeader::decode(&bus.next().attachment).unwrap().seq).collect();
    assert_eq!(seqs, (0..200).collect::<Vec<u64>>());
}
