use std::sync::Arc;

use sanqu_record::{StreamStatus, Verb};
use sanqu_store::Store;

use crate::lossy::{Fate, Gate, LossyRobot};
use crate::rig::{Rig, rows, stream};

/// Waits until the joint stream of the first station's robot is as wanted.
async fn joint(rig: &Rig, what: &str, wanted: impl Fn(&StreamStatus) -> bool) {
    rig.until(what, |status| {
        let mut streams = status.stations[0].robots.iter().flat_map(|robot| &robot.streams);
        streams.any(|joint| joint.stream.as_str() == "joint" && wanted(joint))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_lost_first_in_the_middle_and_last_comes_again() {
    let rig = Rig::new().await;
    let robot = LossyRobot::start(&rig, "kuavo-01", 4).await;
    robot.heartbeat(&rig).await;
    rig.heard("kuavo-01", 0, false).await;
    rig.done("a01", Verb::Start).await;
    for arrives in [false, true, false, false, true, false] {
        robot.ten_rows(&rig, arrives).await;
    }
    robot.heartbeat(&rig).await;
    joint(&rig, "the rows that were lost", |joint| joint.rows == 60 && joint.missing == 0).await;
    robot.ten_rows(&rig, false).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(70), 70, 0);
    assert_eq!(sealed.values(), (0..70).collect::<Vec<u64>>());
    assert_eq!(sealed.joint().duplicates, 0, "nothing is asked for that is there");
    let figures = rig.verb("a01", Verb::Status).await.station.unwrap().figures.resend;
    assert_eq!((figures.got_rows, figures.gone_rows), (50, 0), "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_ring_holds_is_lost_by_its_cause_and_the_stop_does_not_wait_for_it() {
    let rig = Rig::new().await;
    let robot = LossyRobot::start(&rig, "kuavo-01", 4).await;
    robot.heartbeat(&rig).await;
    rig.heard("kuavo-01", 0, false).await;
    rig.done("a01", Verb::Start).await;
    for arrives in [true, false, false, false, true, false] {
        robot.ten_rows(&rig, arrives).await;
    }
    // 10..20 never left; 20..30 was lost and fell out of the ring.
    robot.forget(30, &[(10, 20)]);
    robot.heartbeat(&rig).await;
    joint(&rig, "what the ring holds", |joint| joint.rows == 40 && joint.missing == 20).await;
    joint(&rig, "the causes", |joint| (joint.lost.unsent, joint.lost.total()) == (10, 10)).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(60), 40, 20);
    assert_eq!((sealed.joint().lost.unsent, sealed.joint().lost.network), (10, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_and_disorder_are_no_loss() {
    let rig = Rig::new().await;
    let robot = LossyRobot::start(&rig, "kuavo-01", 4).await;
    robot.heartbeat(&rig).await;
    rig.heard("kuavo-01", 0, false).await;
    rig.done("a01", Verb::Start).await;
    for _ in 0..6 {
        robot.ten_rows(&rig, false).await;
    }
    for seq in [50, 0, 20, 10, 20, 40, 30, 0] {
        robot.send(&rig, seq).await;
    }
    rig.heard("kuavo-01", 80, false).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(60), 60, 0);
    assert_eq!((sealed.values(), sealed.joint().duplicates), ((0..60).collect::<Vec<u64>>(), 20));
    assert_eq!(robot.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_sample_comes_again_whole() {
    let rig = Rig::new().await;
    let robot = LossyRobot::start(&rig, "kuavo-01", 4).await;
    robot.heartbeat(&rig).await;
    rig.heard("kuavo-01", 0, false).await;
    rig.done("a01", Verb::Start).await;
    robot.ten_rows(&rig, true).await;
    robot.ten_rows(&rig, false).await;
    robot.ten_rows(&rig, true).await;
    let header = sanqu_wire::SampleHeader { boot: 4, seq: 10, rows: 10, ..Default::default() };
    let put = rig.outside.session().put("sanqu/desk/kuavo-01/joint", rows(10, 10)).encoding(sanqu_wire::ENCODING_ARROW);
    put.attachment(header.encode(b"something else").to_vec()).await.unwrap();
    robot.heartbeat(&rig).await;
    joint(&rig, "the whole one", |joint| joint.rows == 31 && joint.missing == 0).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(30), 30, 0);
    assert_eq!(sealed.joint().facts["unparsed_samples"], "1");
    assert_eq!(rig.verb("a01", Verb::Status).await.station.unwrap().figures.corrupt_samples, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_at_one_station_delays_no_other_and_what_its_queue_refused_comes_again() {
    let gate = Arc::new(Gate::default());
    let rig = Rig::with(|config| {
        config.store = Store::clone(&config.store).on(gate.disk());
        config.queue_bytes = 300_000;
    })
    .await;
    let (one, two) = (rig.robot("kuavo-01", 1).await, rig.robot("kuavo-02", 2).await);
    rig.heard("kuavo-01", 0, true).await;
    rig.heard("kuavo-02", 0, true).await;
    let hanging = rig.done("a01", Verb::Start).await;
    rig.done("a02", Verb::Start).await;
    gate.set(hanging, Fate::Held);
    one.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(0, 10)).await.unwrap();
    while !gate.is_holding() {
        tokio::task::yield_now().await;
    }
    // Much more than its queue can hold.
    for n in 1..1000 {
        one.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(n * 10, 10)).await.unwrap();
        if n % 10 == 0 {
            two.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(n - 10, 10)).await.unwrap();
        }
    }
    rig.sealed("a02").await.check_joint(Some(990), 990, 0);
    gate.set(hanging, Fate::Written);
    joint(&rig, "what was refused", |joint| joint.missing == 0 && joint.rows >= 10_000).await;
    let station = rig.verb("a01", Verb::Status).await.station.unwrap();
    assert!(station.refused_samples > 0, "the queue was never full: {station:#?}");
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(10_000), 10_000, 0);
    assert_eq!(sealed.values(), (0..10_000).collect::<Vec<u64>>());
}
