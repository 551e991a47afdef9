//! A robot whose clock is wrong.

use std::time::Duration;

use arrow_array::types::Float64Type;
use sanqu_ingest::RobotPublisher;
use sanqu_model::now_ns;
use sanqu_record::Verb;
use sanqu_wire::{encode_rows, fixed_list};

use crate::rig::{Rig, joint, stream};

const ROWS: u32 = 10;

/// Sends samples of ten rows at the pace at which they are captured.
async fn put(robot: &RobotPublisher, samples: std::ops::Range<u64>, wrong_ns: i64) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for seq in samples.map(|n| n * u64::from(ROWS)) {
        ticks.tick().await;
        // The last row is captured now.
        let t_ns: Vec<i64> = (0..i64::from(ROWS)).map(|row| now_ns() + wrong_ns - (i64::from(ROWS) - 1 - row) * 1000).collect();
        let values: Vec<f64> = (seq..seq + u64::from(ROWS)).flat_map(|n| [n as f64, -(n as f64)]).collect();
        let payload = encode_rows(&joint(), &t_ns, vec![fixed_list::<Float64Type>(values, 2).unwrap()]).unwrap();
        robot.put(&stream("joint"), ROWS, t_ns[0], false, payload).await.unwrap();
    }
}

/// Nothing is late here by more than what it takes, and each part was received before the operator went on: whatever the
/// fastest row took, none can cross start or stop.
#[tokio::test(flavor = "multi_thread")]
async fn the_episode_has_exactly_the_rows_between_start_and_stop() {
    for wrong_ns in [300_000_000_000, -300_000_000_000] {
        let rig = Rig::new().await;
        let robot = rig.robot("kuavo-01", 1).await;
        put(&robot, 0..10, wrong_ns).await;
        rig.heard("kuavo-01", 100, true).await;
        rig.done("a01", Verb::Start).await;
        put(&robot, 10..50, wrong_ns).await;
        rig.heard("kuavo-01", 500, true).await;
        let episode = rig.done("a01", Verb::Stop).await;
        put(&robot, 50..52, wrong_ns).await;
        let sealed = rig.seal_of(episode).await;

        let joint = sealed.joint();
        let received = joint.received;
        assert!((500..=520).contains(&received), "rows behind the stop may have come before the journal was closed: {joint:#?}");
        sealed.check_joint(Some(received), received, 0);
        let series = sealed.episode.series(joint, "pos").unwrap();
        let span = sealed.manifest.start_ns..sealed.manifest.stop_ns;
        let within: Vec<u64> =
            sealed.values().into_iter().zip(&series.t_ns).filter(|(_, t_ns)| span.contains(t_ns)).map(|(n, _)| n).collect();
        assert_eq!(within, (100..500).collect::<Vec<u64>>(), "{joint:#?}");
        assert_eq!(joint.rows_in_episode, 400);
        let [offset] = joint.timeline[..] else { panic!("{joint:#?}") };
        let error_ns = offset.offset_ns + wrong_ns;
        assert!((0..250_000_000).contains(&error_ns) && offset.is_known(), "off by what the fastest row took: {offset:?}");
    }
}
