use std::sync::Arc;

use sanqu_ingest::{BadKeys, Intake};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::station::PUBLISH_PERIOD;
use crate::{RecorderStatus, RefusedRobot};

/// The robots that are heard and that no station takes.
pub(crate) fn refused_robots(intake: &Intake) -> Vec<RefusedRobot> {
    let refused = intake.unplaced().into_iter();
    refused.map(|(robot, unplaced)| RefusedRobot { robot, samples: unplaced.samples, reason: unplaced.reason }).collect()
}

/// Keeps up to date what the status says beside the stations, which write their own places.
pub(crate) async fn keep(intake: Arc<Intake>, board: watch::Sender<RecorderStatus>) {
    let mut ticks = interval(PUBLISH_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
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
