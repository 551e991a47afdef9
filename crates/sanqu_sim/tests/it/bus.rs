use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sanqu_ingest::{Intake, Node, RobotPublisher};
use sanqu_model::{Id, StreamDescription, now_ns};
use sanqu_sim::{EpisodeFeed, FeedItem, RunReport, SimError, SimRobot};
use sanqu_wire::SampleHeader;
use tokio::sync::watch;

use crate::support::{ROBOTS, SECOND_NS, START_NS, cameras, robot, spec};

const BOOT: u64 = 77;

struct Bus {
    node: Node,
    publisher: RobotPublisher,
    intake: Arc<Intake>,
}

async fn bus(robot: &Id, descriptions: Vec<StreamDescription>) -> Bus {
    let node = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let field = Id::new("field", "desk").unwrap();
    let intake = Arc::new(Intake::declare(&node, &field, 64 << 20).await.unwrap());
    let publisher = RobotPublisher::declare(&node, &field, robot, BOOT, descriptions).await.unwrap();
    Bus { node, publisher, intake }
}

/// Takes samples until `enough` says so, then stops the run; returns the headers per stream.
fn collect(
    intake: Arc<Intake>,
    stop: watch::Sender<bool>,
    enough: impl Fn(&BTreeMap<String, Vec<SampleHeader>>) -> bool + Send + 'static,
) -> tokio::task::JoinHandle<BTreeMap<String, Vec<SampleHeader>>> {
    tokio::task::spawn_blocking(move || {
        let mut headers: BTreeMap<String, Vec<SampleHeader>> = BTreeMap::new();
        while !enough(&headers) {
            let received = intake.recv_timeout(Duration::from_secs(10)).expect("a sample within ten seconds");
            if received.key.stream.as_str() == "status" {
                continue;
            }
            let header = SampleHeader::decode_checked(&received.attachment, &received.payload).unwrap();
            headers.entry(received.key.stream.to_string()).or_default().push(header);
        }
        stop.send_replace(true);
        headers
    })
}

fn can_be_spawned<F: Future + Send>(_: &F) {}

fn check_contiguous(headers: &BTreeMap<String, Vec<SampleHeader>>) {
    for (stream, headers) in headers {
        let mut next = 0;
        for header in headers {
            assert_eq!((header.boot, header.seq), (BOOT, next), "{stream}");
            next += u64::from(header.rows);
        }
        assert!(headers.windows(2).all(|pair| pair[0].capture_ns < pair[1].capture_ns), "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_on_the_bus_keeps_the_order_of_every_stream() {
    let spec = spec(ROBOTS[1], &cameras(160, 120));
    let begun_ns = now_ns();
    let robot = SimRobot::new(spec.clone(), begun_ns).unwrap();
    let streams = robot.descriptions().len();
    let bus = bus(&spec.robot, robot.descriptions()).await;
    let (stop, stopped) = watch::channel(false);
    let received =
        collect(bus.intake, stop, move |headers| headers.len() == streams && headers.values().all(|headers| headers.len() >= 20));
    let running = sanqu_sim::run(robot, &bus.publisher, stopped);
    can_be_spawned(&running);
    let report: RunReport = running.await.unwrap();
    let headers = received.await.unwrap();
    check_contiguous(&headers);
    assert!(headers["joint"][0].capture_ns == begun_ns, "the schedule begins at the robot's own start");
    assert!(headers["camera/head"].iter().step_by(15).all(SampleHeader::keyframe));
    // Open loop: what was captured lies in the time that went by.
    assert!(headers.values().flatten().all(|header| header.capture_ns <= now_ns()));
    assert!(report.samples >= headers.values().map(|headers| headers.len() as u64).sum::<u64>());
    bus.node.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_fed_at_its_own_pace_and_in_order() {
    let mut robot = robot(ROBOTS[0], &cameras(96, 64)[..1]);
    let samples = robot.advance(START_NS + SECOND_NS / 2).unwrap();
    let (count, span_ns) = (samples.len(), samples.last().unwrap().due_ns - samples[0].due_ns);
    let bus = bus(&robot.spec().robot, robot.descriptions()).await;
    let (stop, stopped) = watch::channel(false);
    let received = collect(bus.intake, stop, move |headers| headers.values().map(Vec::len).sum::<usize>() == count);
    let begun_ns = now_ns();
    let items = samples.clone().into_iter().map(Ok::<FeedItem, SimError>);
    let running = EpisodeFeed::new(items).run(&bus.publisher, stopped);
    can_be_spawned(&running);
    let report = running.await.unwrap();
    assert!(now_ns() - begun_ns >= span_ns, "it was faster than the recording");
    let headers = received.await.unwrap();
    check_contiguous(&headers);
    assert_eq!(report.samples, count as u64);
    assert_eq!(headers["joint"][0].capture_ns, START_NS, "capture times stay as they are");
    bus.node.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_out_of_order_or_unreadable_is_refused() {
    let mut robot = robot(ROBOTS[0], &[]);
    let mut samples = robot.advance(START_NS + SECOND_NS / 10).unwrap();
    let bus = bus(&robot.spec().robot, robot.descriptions()).await;
    let (_stop, stopped) = watch::channel(false);
    samples.reverse();
    let items = samples.clone().into_iter().map(Ok::<FeedItem, SimError>);
    let error = EpisodeFeed::new(items).run(&bus.publisher, stopped.clone()).await.unwrap_err();
    assert!(matches!(error, SimError::OutOfOrder { .. }), "{error}");
    let items = vec![Ok(samples.pop().unwrap()), Err(std::io::Error::other("row group 3 is damaged"))];
    let error = EpisodeFeed::new(items.into_iter()).run(&bus.publisher, stopped).await.unwrap_err();
    assert!(error.to_string().contains("row group 3 is damaged"), "{error}");
    bus.node.close().await.unwrap();
}
