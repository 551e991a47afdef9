//! Robots, routers and clocks that do not stay as they were.

use std::sync::Arc;
use std::time::Duration;

use sanqu_ingest::Node;
use tokio::runtime::Runtime;

use super::bus::{Operator, Recorder, Shelf, pass, runtime};
use super::talker::{CAMERA, JOINT, Log, Talker};
use super::truth::{check, check_cut, check_nothing_lost};
use crate::program::sanqu;

#[test]
fn a_robot_that_crashes_and_comes_back_is_a_second_run_of_the_same_streams() {
    let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
    let recorder = Recorder::start(&shelf.path);
    let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
    let talker = Talker::start(&runtime, &recorder.endpoint, ("kuavo-01", 71), &log);
    operator.heard("kuavo-01");
    let episode = operator.start();
    operator.recording("kuavo-01", 100);
    talker.crash();
    let again = Talker::start(&runtime, &recorder.endpoint, ("kuavo-01", 72), &log);
    let rows = |station: &sanqu_record::StationStatus| station.robots.iter().flat_map(|r| &r.streams).map(|s| s.rows).min().unwrap_or(0);
    let before = rows(&operator.heard("kuavo-01"));
    operator.wait_for("rows of the second boot", |station| rows(station) > before + 10);
    operator.stop_and_seal();
    again.close();

    let checked = check(&shelf.store(), &log).remove(0);
    assert_eq!(checked.manifest.episode, episode);
    for name in [JOINT, CAMERA] {
        let stream = &checked.streams[name];
        assert_eq!(stream.entry.boots, ["71", "72"], "{name}");
        assert!(stream.received[&71].count() >= 30 && stream.received[&72].start() == Some(0), "{name}: {:?}", stream.received);
    }
    assert!([0, 3].contains(&sanqu(["verify", shelf.text()]).code));
}

/// A router that is neither the recorder's nor a robot's.
struct Router {
    runtime: Arc<Runtime>,
    node: Option<Node>,
    endpoint: String,
}

impl Router {
    fn open(runtime: &Arc<Runtime>) -> Self {
        let node = runtime.block_on(Node::router("tcp/127.0.0.1:0")).unwrap();
        Self { endpoint: node.locators()[0].clone(), node: Some(node), runtime: Arc::clone(runtime) }
    }

    /// Ends every session through it and opens it again in the same place.
    fn restart(&mut self) {
        self.runtime.block_on(self.node.take().unwrap().close()).unwrap();
        self.node = Some(self.runtime.block_on(Node::router(&self.endpoint)).unwrap());
    }
}

#[test]
fn a_router_that_restarts_costs_nothing() {
    let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
    let mut router = Router::open(&runtime);
    let _recorder = Recorder::with(&["record", "--store", shelf.text(), "--connect", &router.endpoint]);
    let operator = Operator::join(&runtime, &router.endpoint, "c01");
    let talker = Talker::start(&runtime, &router.endpoint, ("kuavo-01", 73), &log);
    operator.heard("kuavo-01");
    let episode = operator.start();
    operator.recording("kuavo-01", 50);
    router.restart();
    let newest = log.sent().len();
    operator.wait_for("rows of after the restart", |station| {
        let sent_ns = log.sent()[newest - 1].capture_ns;
        station.robots.iter().flat_map(|robot| &robot.streams).all(|stream| stream.last_capture_ns > Some(sent_ns))
    });
    operator.stop_and_seal();
    talker.close();
    check_nothing_lost(&shelf.store(), episode, &log);
}

const FIVE_MINUTES_NS: i64 = 300_000_000_000;

#[test]
fn a_robots_clock_that_jumps_loses_no_row_and_moves_no_cut() {
    let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
    let recorder = Recorder::start(&shelf.path);
    let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
    let talker = Talker::start(&runtime, &recorder.endpoint, ("kuavo-01", 74), &log);
    operator.heard("kuavo-01");
    let episode = operator.start();
    operator.recording("kuavo-01", 50);
    // How long each wrong clock lasts.
    for step_ns in [FIVE_MINUTES_NS, -FIVE_MINUTES_NS, 0] {
        talker.set_clock_step(step_ns);
        pass(&runtime, Duration::from_millis(1000));
    }
    operator.stop_and_seal();
    talker.close();

    let checked = check_nothing_lost(&shelf.store(), episode, &log);
    for (name, stream) in &checked.streams {
        let received = &stream.received[&74];
        assert_eq!(received.len(), 1, "{name}: rows were left out: {received:?}");
        let steps = stream.entry.timeline.iter().zip([-FIVE_MINUTES_NS, FIVE_MINUTES_NS, 0]);
        let are_near = steps.map(|(offset, step_ns)| (offset.offset_ns - step_ns).abs() < 250_000_000).collect::<Vec<_>>();
        assert_eq!(are_near, [true; 3], "{name}: {:#?}", stream.entry);
    }
    // At both ends the clock was right.
    check_cut(&checked, &log, 0);
    sanqu(["verify", shelf.text()]).exits(0);
}

#[test]
fn a_robots_clock_that_is_minutes_off_moves_no_cut() {
    for wrong_ns in [FIVE_MINUTES_NS, -FIVE_MINUTES_NS] {
        let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
        let recorder = Recorder::start(&shelf.path);
        let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
        let talker = Talker::start_wrong(&runtime, &recorder.endpoint, ("kuavo-01", 75), (&log, wrong_ns));
        operator.heard("kuavo-01");
        let episode = operator.start();
        operator.recording("kuavo-01", 50);
        operator.stop_and_seal();
        talker.close();

        let checked = check_nothing_lost(&shelf.store(), episode, &log);
        for (name, stream) in &checked.streams {
            let [offset] = stream.entry.timeline[..] else { panic!("{name}: {:#?}", stream.entry) };
            assert!((offset.offset_ns + wrong_ns).abs() < 250_000_000 && offset.is_known(), "{name}: {offset:?}");
            assert!(stream.entry.rows_in_episode > 0 && stream.entry.rows_in_episode < stream.entry.rows, "{name}: {:#?}", stream.entry);
        }
        // Samples are there 8 ms before their last row; what the fastest of them took is not known.
        check_cut(&checked, &log, 60_000_000);
        sanqu(["verify", shelf.text()]).exits(0);
        let info = sanqu(["info", "last", "--store", shelf.text()]).exits(0).stdout;
        assert!(info.contains("clock of kuavo-01/joint: ") && info.contains(" is added from row 0 of run 0 on (within "), "{info}");
    }
}
