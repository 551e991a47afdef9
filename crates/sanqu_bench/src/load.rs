//! The generator: an own process that sends what its specification says, when it says so, whatever the sink does.
//!
//! Open loop: every sample has an instant at which it is due. A thread that cannot hand a sample over (the network is
//! congested) sends what became due meanwhile as soon as it can, as a robot's ring would; what waits for longer than
//! [`RING`] is given up and counted as offered and lost. Capture times are those of the schedule, so latencies count
//! from when a sample should have been captured.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use sanqu_ingest::{Node, RobotPublisher};
use sanqu_model::{Id, StreamName, now_ns};
use tokio::runtime::Handle;

use crate::histogram::Histogram;
use crate::plan::{Due, Kind, LoadSpec, ROWS_PER_PAYLOAD, StreamPlan};
use crate::pool::{Pool, description};
use crate::talk::{self, Event, Sent, StepSent, StreamSent};
use crate::trial::OWN_LAG_MAX_NS;

/// How long a sample may wait for a congested network before it is given up.
const RING: Duration = Duration::from_secs(2);
/// From the word to the first sample, so that all threads wait for the same instant.
const HEAD_START_NS: i64 = 300_000_000;
/// The longest sleep of a thread that might be told to stop.
const NAP: Duration = Duration::from_millis(100);

/// Payloads by kind, shared by all robots.
struct Pools {
    joint: Pool,
    motor: Pool,
    camera: Pool,
}

/// The streams of one robot that share a priority on the wire, and so block together.
struct Lane {
    publisher: Arc<RobotPublisher>,
    streams: Vec<StreamPlan>,
    pools: Arc<Pools>,
    account: Arc<Mutex<Account>>,
    stop: Arc<AtomicBool>,
    runtime: Handle,
}

/// What one lane has done.
#[derive(Default)]
struct Account {
    streams: BTreeMap<StreamName, StreamSent>,
    own_lag: Histogram,
    late: Histogram,
    put: Histogram,
}

/// A robot on the bus: its own session, as on a real field.
struct Robot {
    node: Node,
    publisher: Arc<RobotPublisher>,
    id: Id,
    accounts: Vec<Arc<Mutex<Account>>>,
}

/// Connects, waits for the word, sends, tells what was sent, and stays until stdin is closed: robots that are asked for
/// their final counts must be there.
pub(crate) async fn run(spec: LoadSpec) -> Result<()> {
    let mut words = talk::words()?;
    let field = spec.read_field()?;
    let pool = |kind| Pool::new(kind, spec.seed);
    let pools = Arc::new(Pools { joint: pool(Kind::Joint)?, motor: pool(Kind::Motor)?, camera: pool(Kind::Camera)? });
    let stop = Arc::new(AtomicBool::new(false));
    let (mut robots, mut lanes) = (Vec::new(), Vec::new());
    for (number, id) in spec.robots(&field).into_iter().enumerate() {
        let streams = spec.streams(&id, number)?;
        let descriptions = streams.iter().map(|plan| description(plan.kind, plan.stream.clone())).collect();
        let node = Node::client(&spec.connect).await?;
        // Below 2^53 and another one at every start.
        let boot = (now_ns().cast_unsigned() / 1_000_000) * 64 + number as u64;
        let publisher = Arc::new(RobotPublisher::declare(&node, &field.field, &id, boot, descriptions).await?);
        let mut robot = Robot { node, publisher, id, accounts: Vec::new() };
        let (pictures, rows): (Vec<_>, Vec<_>) = streams.into_iter().partition(|plan| plan.kind == Kind::Camera);
        for streams in [rows, pictures] {
            let lane = Lane {
                publisher: Arc::clone(&robot.publisher),
                account: Arc::new(Mutex::new(Account::new(&streams, boot, spec.steps.len()))),
                streams,
                pools: Arc::clone(&pools),
                stop: Arc::clone(&stop),
                runtime: Handle::current(),
            };
            robot.accounts.push(Arc::clone(&lane.account));
            lanes.push(lane);
        }
        robots.push(robot);
    }
    talk::say(&Event::Connected)?;
    match words.recv().await.as_deref() {
        Some(talk::GO) => {}
        other => bail!("expected the word {}, found {other:?}", talk::GO),
    }
    let start_ns = now_ns() + HEAD_START_NS;
    talk::say(&Event::Started { start_ns })?;
    let threads = lanes.into_iter().map(|lane| lane.start(start_ns)).collect::<Result<Vec<_>>>()?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    while !threads.iter().all(JoinHandle::is_finished) {
        tokio::select! {
            _ = words.recv() => stop.store(true, Ordering::Relaxed),
            _ = second.tick() => {
                let sent = total(&field.field, &robots);
                talk::say(&Event::Tick { own_lag_max_ns: sent.own_lag.max_ns })?;
                let is_lossy = sent.own_lag.max_ns > OWN_LAG_MAX_NS || sent.streams.values().any(|stream| stream.given_up() > 0);
                stop.fetch_or(spec.until_loss && is_lossy, Ordering::Relaxed);
            }
        }
    }
    talk::say(&Event::Sent(total(&field.field, &robots)))?;
    while words.recv().await.is_some() {}
    for robot in robots {
        drop(robot.publisher);
        robot.node.close().await?;
    }
    Ok(())
}

fn total(field: &Id, robots: &[Robot]) -> Sent {
    let mut sent = Sent::default();
    let (mut own_lag, mut late, mut put) = (Histogram::default(), Histogram::default(), Histogram::default());
    for robot in robots {
        for account in &robot.accounts {
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            own_lag.merge(&account.own_lag);
            late.merge(&account.late);
            put.merge(&account.put);
            for (stream, done) in &account.streams {
                sent.streams.insert(format!("sanqu/{field}/{}/{stream}", robot.id), done.clone());
            }
        }
    }
    (sent.own_lag, sent.late, sent.put) = (own_lag.quantiles(), late.quantiles(), put.quantiles());
    sent
}

impl Account {
    fn new(streams: &[StreamPlan], boot: u64, steps: usize) -> Self {
        let empty = |plan: &StreamPlan| {
            let stream = StreamSent { boot, rows_per_sample: plan.kind.rows(), steps: vec![StepSent::default(); steps] };
            (plan.stream.clone(), stream)
        };
        Self { streams: streams.iter().map(empty).collect(), ..Self::default() }
    }
}

impl Lane {
    fn start(self, start_ns: i64) -> Result<JoinHandle<()>> {
        let name = format!("lane {}", self.streams.first().map_or("", |plan| plan.robot.as_str()));
        std::thread::Builder::new().name(name).spawn(move || self.run(start_ns)).context("cannot start a thread")
    }

    fn run(&self, start_ns: i64) {
        let mut schedules: Vec<_> = self.streams.iter().map(|plan| plan.schedule.iter().peekable()).collect();
        let mut numbers = vec![0_u64; schedules.len()];
        let mut free_ns = start_ns;
        loop {
            let soonest = schedules.iter_mut().enumerate().filter_map(|(index, due)| Some((due.peek()?.after_ns, index))).min();
            let Some((_, index)) = soonest else { return };
            let Some(due) = schedules[index].next() else { return };
            if !self.wait_until(start_ns + due.after_ns) {
                return;
            }
            self.sample(&self.streams[index], start_ns, due, numbers[index], &mut free_ns);
            numbers[index] += 1;
        }
    }

    /// One sample whose time has come. `free_ns` is when the sample before it had been handed over.
    fn sample(&self, plan: &StreamPlan, start_ns: i64, due: Due, number: u64, free_ns: &mut i64) {
        let due_ns = start_ns + due.after_ns;
        let begun_ns = now_ns();
        let row_ns = due.period_ns / i64::from(ROWS_PER_PAYLOAD);
        // The last row of a payload is captured when the payload is due.
        let first_ns = due_ns - i64::from(plan.kind.rows() - 1) * row_ns;
        let pool = match plan.kind {
            Kind::Joint => &self.pools.joint,
            Kind::Motor => &self.pools.motor,
            Kind::Camera => &self.pools.camera,
        };
        let (payload, is_key) = pool.payload(number, first_ns, row_ns);
        let bytes = payload.len() as u64;
        let too_late = begun_ns - due_ns > i64::try_from(RING.as_nanos()).unwrap_or(i64::MAX);
        let put = (!too_late)
            .then(|| self.runtime.block_on(self.publisher.put(&plan.stream, plan.kind.rows(), first_ns, is_key, payload)).ok())
            .flatten();
        let handed_ns = now_ns();
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let (late_ns, own_lag_ns) = ((begun_ns - due_ns).max(0), (begun_ns - due_ns.max(*free_ns)).max(0));
        account.own_lag.add(own_lag_ns);
        account.late.add(late_ns);
        account.put.add(handed_ns - begun_ns);
        if let Some(step) = account.streams.get_mut(&plan.stream).and_then(|stream| stream.steps.get_mut(due.step)) {
            step.offered += 1;
            step.bytes += bytes;
            step.late_max_ns = step.late_max_ns.max(late_ns.cast_unsigned());
            step.own_lag_max_ns = step.own_lag_max_ns.max(own_lag_ns.cast_unsigned());
            match put {
                Some(seq) => step.next_seq = seq + u64::from(plan.kind.rows()),
                None => step.given_up += 1,
            }
        }
        *free_ns = handed_ns;
    }

    /// Waits; false when the run was stopped meanwhile.
    fn wait_until(&self, due_ns: i64) -> bool {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            let left_ns = due_ns - now_ns();
            if left_ns <= 0 {
                return true;
            }
            std::thread::park_timeout(Duration::from_nanos(left_ns.cast_unsigned()).min(NAP));
        }
    }
}
