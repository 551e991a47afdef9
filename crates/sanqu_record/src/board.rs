use std::sync::Arc;
use std::time::{Duration, Instant};

use sanqu_ingest::{BadKeys, Bulletin, Intake, Refusals};
use sanqu_store::Store;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::station::PUBLISH_PERIOD;
use crate::{RecorderStatus, RefusedRobot};

/// How often the disk is looked at; the rate of recording is measured over as long.
const DISK_PERIOD: Duration = Duration::from_secs(2);

/// How often the status is said on the bus.
const TELL_PERIOD: Duration = Duration::from_secs(1);

/// The robots that are heard and that no station takes.
pub(crate) fn refused_robots(intake: &Intake) -> Vec<RefusedRobot> {
    let refused = intake.unplaced().into_iter();
    refused.map(|(robot, unplaced)| RefusedRobot { robot, samples: unplaced.samples, reason: unplaced.reason }).collect()
}

/// Bytes that are free where a store is, as far as the system says.
pub(crate) fn free_bytes(store: &Store) -> Option<u64> {
    let about = rustix::fs::statvfs(store.root()).ok()?;
    about.f_bavail.checked_mul(about.f_frsize)
}

/// Keeps up to date what the status says beside the stations, which write their own places.
pub(crate) async fn keep((store, refusals): (Store, Refusals), intake: Arc<Intake>, board: watch::Sender<RecorderStatus>) {
    let mut ticks = interval(PUBLISH_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = 0;
    let mut looked: Option<(Instant, u64)> = None;
    loop {
        ticks.tick().await;
        if looked.is_none_or(|(at, _)| at.elapsed() >= DISK_PERIOD) {
            let written = board.borrow().stations.iter().map(|station| station.figures.written_bytes).sum();
            let rate = looked.map(|(at, before)| per_minute(written - before, at.elapsed()));
            looked = Some((Instant::now(), written));
            let store = store.clone();
            // A disk that hangs holds up this task and nothing else.
            let free = tokio::task::spawn_blocking(move || free_bytes(&store)).await.ok().flatten();
            board.send_modify(|status| {
                status.disk_free_bytes = free;
                status.disk_minutes_left = free.zip(rate).and_then(|(free, rate)| free.checked_div(rate));
            });
        }
        let report = refusals.report();
        if report.total != told {
            told = report.total;
            board.send_modify(|status| status.refusals = report);
        }
        let BadKeys { samples: stray_samples, keys } = intake.bad_keys();
        let refused = refused_robots(&intake);
        let waiting = intake.fill();
        board.send_if_modified(|status| {
            let before = (status.stray_samples, (status.waiting_samples, status.waiting_bytes));
            let has_changed = before != (stray_samples, waiting) || status.refused_robots != refused;
            (status.stray_samples, (status.waiting_samples, status.waiting_bytes)) = (stray_samples, waiting);
            (status.stray_keys, status.refused_robots) = (keys, refused);
            has_changed
        });
    }
}

/// Says the status on the bus, for whoever watches from elsewhere.
pub(crate) async fn tell(bulletin: Bulletin, status: watch::Receiver<RecorderStatus>) {
    let mut ticks = interval(TELL_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let json = serde_json::to_vec(&*status.borrow());
        match json {
            Ok(json) => {
                if let Err(error) = bulletin.put(json).await {
                    warn!(%error, "the recorder's status was not told");
                }
            }
            Err(error) => warn!(%error, "the recorder's status cannot be written as JSON"),
        }
    }
}

fn per_minute(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(60_000) / millis
}
