//! The generator: an own process that sends what its specification says, when it says so, whatever the sink does.
//!
//! Open loop: every sample has an instant at which it is due. It is numbered and put into its robot's ring then, which
//! waits for nobody; the ring's own threads hand it to the network. What the network does not take for [`RING`] falls out
//! of the ring and counts as offered and lost. Capture times are those of the schedule, so latencies count from when a
//! sample should have been captured.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use sanqu_ingest::{Node, RingConfig, RobotPublisher};
use sanqu_model::{Id, now_ns};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::interval;

use crate::histogram::Histogram;
use crate::plan::{CAMERAS, Due, Kind, LoadSpec, ROWS_PER_PAYLOAD, SAMPLES_PER_S, StreamPlan};
use crate::pool::{Pool, description};
use crate::talk::{self, Event, Sent, StepSent, StreamSent};
use crate::trial::OWN_LAG_MAX_NS;

/// What a robot's ring has room for. Real robots keep 30 s; here a sink that is too slow is to show.
const RING: Duration = Duration::from_secs(2);
/// From the word to the first sample, so that all threads wait for the same instant.
const HEAD_START_NS: i64 = 300_000_000;
/// The longest sleep of a thread that might be told to stop.
const NAP: Duration = Duration::from_millis(100);
/// How often the rings are looked into.
const GLANCE: Duration = Duration::from_millis(100);
/// How long the network may take what is left in the rings.
const DRAIN: Duration = Duration::from_secs(60);
/// Robots whose samples one thread makes.
const ROBOTS_PER_HAND: usize = 16;

/// Payloads by kind, shared by all robots.
struct Pools {
    joint: Pool,
    motor: Pool,
    camera: Pool,
}

/// A robot on the bus: its own session, as on a real field.
struct Robot {
    node: Node,
    publisher: RobotPublisher,
    id: Id,
}

/// One stream and what was made of it.
struct Made {
    robot: usize,
    plan: StreamPlan,
    steps: Vec<StepSent>,
}

/// What a thread shares with those who watch.
#[derive(Default)]
struct Account {
    streams: Vec<Made>,
    /// By step.
    own_lag: Vec<Histogram>,
}

/// A thread that makes the samples of some robots.
struct Hand {
    robots: Arc<Vec<Robot>>,
    pools: Arc<Pools>,
    account: Arc<Mutex<Account>>,
    stop: Arc<AtomicBool>,
    runtime: Handle,
}

/// Everything that runs.
struct Load {
    spec: LoadSpec,
    field: Id,
    robots: Arc<Vec<Robot>>,
    accounts: Vec<Arc<Mutex<Account>>>,
    stop: Arc<AtomicBool>,
    /// By step, the longest time that samples waited in a ring.
    backlog_max_ns: Vec<u64>,
}

/// Connects, waits for the word, sends, tells what was sent, and stays until stdin is closed: robots that are asked for
/// their final counts must be there.
pub(crate) async fn run(spec: LoadSpec) -> Result<()> {
    let mut words = talk::words()?;
    let field = spec.read_field()?;
    let pool = |kind| Pool::new(kind, spec.seed);
    let pools = Arc::new(Pools { joint: pool(Kind::Joint)?, motor: pool(Kind::Motor)?, camera: pool(Kind::Camera)? });
    let ring = RingConfig { hold: RING, bytes_max: ring_bytes(&spec, &pools), spill: None };
    let mut robots = Vec::new();
    for (number, id) in spec.robots(&field).into_iter().enumerate() {
        let described = spec.streams(&id, number)?.into_iter().map(|plan| description(plan.kind, plan.stream));
        let node = Node::client(&spec.connect).await?;
        // Below 2^53 and another one at every start.
        let boot = (now_ns().cast_unsigned() / 1_000_000) * 64 + number as u64;
        let publisher = RobotPublisher::with_ring(&node, &field.field, &id, boot, described.collect(), ring.clone()).await?;
        robots.push(Robot { node, publisher, id });
    }
    talk::say(&Event::Connected)?;
    match words.recv().await.as_deref() {
        Some(talk::GO) => {}
        other => bail!("expected the word {}, found {other:?}", talk::GO),
    }
    let mut load = Load {
        backlog_max_ns: vec![0; spec.steps.len()],
        spec,
        field: field.field,
        robots: Arc::new(robots),
        accounts: Vec::new(),
        stop: Arc::default(),
    };
    let start_ns = now_ns() + HEAD_START_NS;
    talk::say(&Event::Started { start_ns })?;
    let hands = load.hands(&pools, start_ns)?;
    load.watch(&hands, start_ns, &mut words).await?;
    talk::say(&Event::Sent(load.total()))?;
    while words.recv().await.is_some() {}
    for robot in Arc::into_inner(load.robots).context("a thread still sends")? {
        drop(robot.publisher);
        robot.node.close().await?;
    }
    Ok(())
}

/// Room for [`RING`] of one robot at the fastest step.
fn ring_bytes(spec: &LoadSpec, pools: &Pools) -> usize {
    let per_second =
        |pool: &Pool, kind: Kind| pool.payload(1, 0, 0).0.len() * 1_000_000_000 / usize::try_from(kind.period_ns()).unwrap_or(1);
    let cameras = CAMERAS.len() * per_second(&pools.camera, Kind::Camera);
    let nominal = per_second(&pools.joint, Kind::Joint) + per_second(&pools.motor, Kind::Motor) + cameras;
    let permille = spec.steps.iter().map(|step| step.permille).max().unwrap_or(1000);
    nominal / 1000 * usize::try_from(permille).unwrap_or(1000) * usize::try_from(RING.as_secs()).unwrap_or(1)
}

impl Load {
    /// Starts the threads that make samples.
    fn hands(&mut self, pools: &Arc<Pools>, start_ns: i64) -> Result<Vec<JoinHandle<()>>> {
        let mut threads = Vec::new();
        let numbers: Vec<usize> = (0..self.robots.len()).collect();
        for own in numbers.chunks(ROBOTS_PER_HAND) {
            let mut account = Account { own_lag: vec![Histogram::default(); self.spec.steps.len()], ..Account::default() };
            for number in own {
                for plan in self.spec.streams(&self.robots[*number].id, *number)? {
                    account.streams.push(Made { robot: *number, plan, steps: vec![StepSent::default(); self.spec.steps.len()] });
                }
            }
            let account = Arc::new(Mutex::new(account));
            self.accounts.push(Arc::clone(&account));
            let hand = Hand {
                robots: Arc::clone(&self.robots),
                pools: Arc::clone(pools),
                account,
                stop: Arc::clone(&self.stop),
                runtime: Handle::current(),
            };
            let thread = std::thread::Builder::new().name("hand".to_owned()).spawn(move || hand.run(start_ns));
            threads.push(thread.context("cannot start a thread")?);
        }
        Ok(threads)
    }

    /// Looks at lags and rings until everything is made and has left, or was given up.
    async fn watch(&mut self, hands: &[JoinHandle<()>], start_ns: i64, words: &mut mpsc::Receiver<String>) -> Result<()> {
        let (mut second, mut glance) = (interval(Duration::from_secs(1)), interval(GLANCE));
        let mut made_at: Option<Instant> = None;
        loop {
            tokio::select! {
                word = words.recv() => {
                    self.stop.store(true, Ordering::Relaxed);
                    if word.is_none() {
                        return Ok(());
                    }
                }
                _ = second.tick() => {
                    let sent = self.total();
                    talk::say(&Event::Tick { own_lag_max_ns: sent.own_lag.max_ns })?;
                    let is_late = sent.own_lag_by_step.iter().any(|own_lag| own_lag.p99_ns > OWN_LAG_MAX_NS);
                    let is_lossy = is_late || self.robots.iter().any(|robot| robot.publisher.held().unsent_rows > 0);
                    self.stop.fetch_or(self.spec.until_loss && is_lossy, Ordering::Relaxed);
                }
                _ = glance.tick() => {
                    let waiting = self.glance(now_ns() - start_ns);
                    if hands.iter().all(JoinHandle::is_finished) {
                        let since = made_at.get_or_insert_with(Instant::now).elapsed();
                        if waiting == 0 || since > DRAIN {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    /// Notes how long samples wait in the rings; returns how many do.
    fn glance(&mut self, after_ns: i64) -> usize {
        let mut end_ns = 0;
        let ends = self.spec.steps.iter().map(|step| {
            end_ns += i64::from(step.millis) * 1_000_000;
            end_ns
        });
        let step = ends.take_while(|end_ns| *end_ns <= after_ns).count().min(self.spec.steps.len().saturating_sub(1));
        let permille = self.spec.steps.get(step).map_or(1000, |step| u64::from(step.permille.max(1)));
        let waiting: Vec<usize> = self.robots.iter().map(|robot| robot.publisher.held().waiting_samples).collect();
        let most = waiting.iter().max().copied().unwrap_or(0) as u64;
        let backlog_ns = most * 1_000_000_000 * 1000 / (SAMPLES_PER_S * permille);
        if let Some(max_ns) = self.backlog_max_ns.get_mut(step) {
            *max_ns = backlog_ns.max(*max_ns);
        }
        waiting.iter().sum()
    }

    fn total(&self) -> Sent {
        let mut sent = Sent { backlog_max_ns: self.backlog_max_ns.clone(), ..Sent::default() };
        let counts: Vec<_> = self.robots.iter().map(|robot| robot.publisher.counts()).collect();
        let (mut own_lag, mut by_step) = (Histogram::default(), vec![Histogram::default(); self.spec.steps.len()]);
        for account in &self.accounts {
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            by_step.iter_mut().zip(&account.own_lag).for_each(|(all, of)| all.merge(of));
            for made in &account.streams {
                let counts = &counts[made.robot];
                let stream = StreamSent {
                    boot: counts.boot,
                    rows_per_sample: made.plan.kind.rows(),
                    steps: made.steps.clone(),
                    unsent: counts.unsent.get(&made.plan.stream).cloned().unwrap_or_default(),
                };
                sent.streams.insert(made.plan.key(&self.field), stream);
            }
        }
        by_step.iter().for_each(|of_step| own_lag.merge(of_step));
        (sent.own_lag, sent.own_lag_by_step) = (own_lag.quantiles(), by_step.iter().map(Histogram::quantiles).collect());
        sent
    }
}

impl Hand {
    fn run(&self, start_ns: i64) {
        let plans: Vec<StreamPlan> = self.account().streams.iter().map(|made| made.plan.clone()).collect();
        let mut schedules: Vec<_> = plans.iter().map(|plan| plan.schedule.iter()).collect();
        let mut next: BinaryHeap<_> = BinaryHeap::new();
        for (index, schedule) in schedules.iter_mut().enumerate() {
            next.extend(schedule.next().map(|due| Reverse((due.after_ns, index, due, 0))));
        }
        while let Some(Reverse((after_ns, index, due, number))) = next.pop() {
            if !self.wait_until(start_ns + after_ns) {
                return;
            }
            self.sample(index, &plans[index], start_ns, due, number);
            next.extend(schedules[index].next().map(|due| Reverse((due.after_ns, index, due, number + 1))));
        }
    }

    /// One sample whose time has come.
    fn sample(&self, index: usize, plan: &StreamPlan, start_ns: i64, due: Due, number: u64) {
        let due_ns = start_ns + due.after_ns;
        let own_lag_ns = (now_ns() - due_ns).max(0);
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
        let mut account = self.account();
        let Some(robot) = account.streams.get(index).and_then(|made| self.robots.get(made.robot)) else { return };
        // Numbering waits for nothing; the future is ready at once.
        let put = self.runtime.block_on(robot.publisher.put(&plan.stream, plan.kind.rows(), first_ns, is_key, payload));
        if let Some(own_lag) = account.own_lag.get_mut(due.step) {
            own_lag.add(own_lag_ns);
        }
        if let Some(step) = account.streams.get_mut(index).and_then(|made| made.steps.get_mut(due.step)) {
            step.offered += 1;
            step.bytes += bytes;
            if let Ok(seq) = put {
                step.next_seq = seq + u64::from(plan.kind.rows());
            }
        }
    }

    fn account(&self) -> std::sync::MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
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
