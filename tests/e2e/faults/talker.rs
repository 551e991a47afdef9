//! A robot that keeps its own account: everything it sends follows from boot and sequence, and when it was captured.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::types::Float64Type;
use sanqu_ingest::{Node, RobotPublisher};
use sanqu_model::{Quantity, StreamDescription, now_ns};
use sanqu_wire::{CLOCK_ROBOT, ENCODING_ARROW, ENCODING_JPEG, encode_rows, fixed_list};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::bus::{id, mixed};

pub(crate) const JOINT: &str = "joint";
pub(crate) const CAMERA: &str = "camera/head";
/// 500 rows a second, five at a time.
const ROWS: u32 = 5;
const ROW_NS: i64 = 2_000_000;
pub(crate) const PERIOD: Duration = Duration::from_millis(10);
/// A picture with every third sample of joints.
const PICTURE_EVERY: u64 = 3;

/// A sample that was handed to the publisher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) stream: &'static str,
    pub(crate) boot: u64,
    pub(crate) seq: u64,
    pub(crate) rows: u64,
    /// Of the first row, as the robot's clock said it; the next are [`ROW_NS`] apart.
    pub(crate) capture_ns: i64,
    /// By how much the robot's clock was ahead.
    pub(crate) wrong_ns: i64,
    /// By the test's clock, just before it was numbered.
    pub(crate) put_ns: i64,
}

impl Sent {
    pub(crate) fn capture_ns(&self, seq: u64) -> i64 {
        self.capture_ns + i64::try_from(seq - self.seq).unwrap() * ROW_NS
    }

    /// When a row was captured in truth.
    pub(crate) fn true_ns(&self, seq: u64) -> i64 {
        self.capture_ns(seq) - self.wrong_ns
    }
}

/// What a robot sent, over all its boots.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Sent>>>);

impl Log {
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.0.lock().unwrap().clone()
    }

    fn add(&self, sent: Sent) {
        self.0.lock().unwrap().push(sent);
    }
}

/// The bits of the two joints' positions of a row: anything a float can be, which must come back as it was.
pub(crate) fn position_bits(boot: u64, seq: u64) -> [u64; 2] {
    [mixed(boot ^ seq.rotate_left(32)), mixed(seq ^ boot.rotate_left(17))]
}

/// The bytes of a picture.
pub(crate) fn picture(boot: u64, seq: u64) -> Vec<u8> {
    let words = 256 + mixed(boot ^ !seq) % 512;
    (0..words).flat_map(|word| mixed(boot.rotate_left(7) ^ seq ^ (word << 40)).to_le_bytes()).collect()
}

fn descriptions() -> Vec<StreamDescription> {
    let quantities = vec![Quantity::f64("pos", "rad", &["l_knee_joint".into(), "r_knee_joint".into()])];
    let describe = |stream: &str, encoding: &str, rate_hz, quantities| StreamDescription {
        stream: stream.parse().unwrap(),
        encoding: encoding.to_owned(),
        rate_hz,
        clock: CLOCK_ROBOT,
        quantities,
        facts: Default::default(),
    };
    vec![describe(JOINT, ENCODING_ARROW, 500.0, quantities), describe(CAMERA, ENCODING_JPEG, 100.0 / 3.0, Vec::new())]
}

/// A joint sample's payload.
pub(crate) fn joint_payload(boot: u64, seq: u64, rows: u32, capture_ns: i64) -> Vec<u8> {
    let t_ns: Vec<i64> = (0..i64::from(rows)).map(|row| capture_ns + row * ROW_NS).collect();
    let values = (seq..seq + u64::from(rows)).flat_map(|seq| position_bits(boot, seq).map(f64::from_bits)).collect();
    encode_rows(&descriptions()[0], &t_ns, vec![fixed_list::<Float64Type>(values, 2).unwrap()]).unwrap()
}

/// A robot that sends until it is told to end.
pub(crate) struct Talker {
    runtime: Arc<Runtime>,
    /// Gives the publisher back when it ends.
    task: Option<JoinHandle<RobotPublisher>>,
    ending: Arc<tokio::sync::Notify>,
    clock_step_ns: Arc<AtomicI64>,
    node: Node,
}

impl Talker {
    /// Joins the bus as `robot` and begins to send.
    pub(crate) fn start(runtime: &Arc<Runtime>, endpoint: &str, of: (&str, u64), log: &Log) -> Self {
        Self::start_wrong(runtime, endpoint, of, (log, 0))
    }

    /// As [`start`](Self::start), with a clock that is ahead by so much from the beginning.
    pub(crate) fn start_wrong(runtime: &Arc<Runtime>, endpoint: &str, (robot, boot): (&str, u64), (log, wrong_ns): (&Log, i64)) -> Self {
        let node = runtime.block_on(Node::client(endpoint)).unwrap();
        let (field, robot) = (id("desk"), id(robot));
        let publisher = runtime.block_on(RobotPublisher::declare(&node, &field, &robot, boot, descriptions())).unwrap();
        let (ending, clock_step_ns) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicI64::new(wrong_ns)));
        let talk = talk(publisher, boot, log.clone(), Arc::clone(&ending), Arc::clone(&clock_step_ns));
        Self { task: Some(runtime.spawn(talk)), runtime: Arc::clone(runtime), ending, clock_step_ns, node }
    }

    /// From now on the robot's clock is off by this much.
    pub(crate) fn set_clock_step(&self, step_ns: i64) {
        self.clock_step_ns.store(step_ns, Ordering::Relaxed);
    }

    /// Stops sending; the robot stays on the bus and answers.
    pub(crate) fn fall_silent(&mut self) -> RobotPublisher {
        self.ending.notify_one();
        self.runtime.block_on(self.task.take().unwrap()).unwrap()
    }

    /// Says farewell.
    pub(crate) fn close(mut self) {
        let publisher = self.fall_silent();
        self.runtime.block_on(publisher.close()).unwrap();
        self.runtime.block_on(self.node.clone().close()).unwrap();
    }

    /// Ends as a crash would: no last count, whatever waits is gone.
    pub(crate) fn crash(mut self) {
        drop(self.fall_silent());
        self.runtime.block_on(self.node.clone().close()).unwrap();
    }
}

async fn talk(
    publisher: RobotPublisher,
    boot: u64,
    log: Log,
    ending: Arc<tokio::sync::Notify>,
    clock_step_ns: Arc<AtomicI64>,
) -> RobotPublisher {
    let (joint, camera) = (JOINT.parse().unwrap(), CAMERA.parse().unwrap());
    let (mut seq, mut pictures) = (0, 0);
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = ending.notified() => return publisher,
            _ = ticks.tick() => {}
        }
        let wrong_ns = clock_step_ns.load(Ordering::Relaxed);
        let capture_ns = now_ns() + wrong_ns;
        let payload = joint_payload(boot, seq, ROWS, capture_ns);
        // Logged first: a row that nobody has written down must not be recorded.
        log.add(Sent { stream: JOINT, boot, seq, rows: ROWS.into(), capture_ns, wrong_ns, put_ns: now_ns() });
        let numbered = publisher.put(&joint, ROWS, capture_ns, false, payload).await.unwrap();
        assert_eq!(numbered, seq);
        seq += u64::from(ROWS);
        if seq / u64::from(ROWS) % PICTURE_EVERY == 0 {
            log.add(Sent { stream: CAMERA, boot, seq: pictures, rows: 1, capture_ns, wrong_ns, put_ns: now_ns() });
            let numbered = publisher.put(&camera, 1, capture_ns, true, picture(boot, pictures)).await.unwrap();
            assert_eq!(numbered, pictures);
            pictures += 1;
        }
    }
}
