//! Publishing to a schedule that nothing slows down.

use std::fmt;
use std::time::Duration;

use sanqu_ingest::RobotPublisher;
use sanqu_model::now_ns;
use tokio::sync::watch;
use tracing::warn;

use crate::{SimError, SimSample};

/// A sample that leaves later than this after it was due counts as late, ns.
const LATE_NS: i64 = 50_000_000;
/// The least time between two warnings about lateness, ns.
const WARN_EVERY_NS: i64 = 1_000_000_000;

/// What was published, and how well the schedule was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunReport {
    /// Payloads published.
    pub samples: u64,
    /// Rows and pictures in them.
    pub rows: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// Payloads that left more than 50 ms after they were due: this computer or the network was too slow.
    pub late_samples: u64,
    /// The longest delay, ns.
    pub latest_ns: i64,
}

impl RunReport {
    /// Adds what another run of the same robot did.
    pub fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.late_samples += other.late_samples;
        self.latest_ns = self.latest_ns.max(other.latest_ns);
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latest = Duration::from_nanos(u64::try_from(self.latest_ns).unwrap_or(0));
        write!(f, "{} samples, {} rows, {} bytes published", self.samples, self.rows, self.bytes)?;
        write!(f, "; {} late, at most {latest:.1?} after they were due", self.late_samples)
    }
}

/// Counts while it publishes.
pub(crate) struct Pace<'a> {
    publisher: &'a RobotPublisher,
    /// What the wall clock is ahead of the samples' times, ns.
    ahead_ns: i64,
    warned_ns: i64,
    pub(crate) report: RunReport,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(publisher: &'a RobotPublisher, ahead_ns: i64) -> Self {
        Self { publisher, ahead_ns, warned_ns: i64::MIN, report: RunReport::default() }
    }

    /// The present on the samples' time line, ns.
    pub(crate) fn now_ns(&self) -> i64 {
        now_ns() - self.ahead_ns
    }

    /// Publishes one sample whose time has come; late ones too.
    pub(crate) async fn publish(&mut self, sample: SimSample) -> Result<(), SimError> {
        let late_ns = self.now_ns().saturating_sub(sample.due_ns);
        self.report.samples += 1;
        self.report.rows += u64::from(sample.rows);
        self.report.bytes += sample.payload.len() as u64;
        self.report.latest_ns = self.report.latest_ns.max(late_ns);
        if late_ns > LATE_NS {
            self.report.late_samples += 1;
            let now_ns = now_ns();
            if now_ns.saturating_sub(self.warned_ns) > WARN_EVERY_NS {
                self.warned_ns = now_ns;
                warn!(stream = %sample.stream, late_ms = late_ns / 1_000_000, late_samples = self.report.late_samples, "the simulation is late");
            }
        }
        self.publisher.put(&sample.stream, sample.rows, sample.capture_ns, sample.keyframe, sample.payload).await?;
        Ok(())
    }

    /// Waits until `due_ns` on the samples' time line.
    pub(crate) async fn wait(&self, due_ns: i64) {
        tokio::time::sleep(until(self.now_ns(), due_ns)).await;
    }
}

/// Time from `now_ns` to `due_ns`; zero when it is over.
pub(crate) fn until(now_ns: i64, due_ns: i64) -> Duration {
    Duration::from_nanos(u64::try_from(due_ns.saturating_sub(now_ns)).unwrap_or(0))
}

/// Returns when the receiver is true, or its sender is gone: nobody could stop the run any more.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender was dropped, which ends the run as well.
    let _gone = stop.wait_for(|stop| *stop).await.is_err();
}
