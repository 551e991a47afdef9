use sanqu_ingest::Service;
use sanqu_record::Verb;

use crate::rig::{Rig, id, rows, stream};

#[tokio::test(flavor = "multi_thread")]
async fn skipped_sequences_are_the_networks_loss_and_nothing_else_is() {
    let rig = Rig::new().await;
    rig.send("kuavo-01", 3, 0, 10).await;
    rig.heard("kuavo-01", 10, false).await;
    rig.done("a01", Verb::Start).await;
    for seq in [10, 30, 40, 70] {
        rig.send("kuavo-01", 3, seq, 10).await;
    }
    rig.heard("kuavo-01", 50, false).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(80), 50, 30);
    assert_eq!(sealed.joint().lost.network, 30);
    let there = (0..20).chain(30..50).chain(70..80).collect::<Vec<u64>>();
    assert_eq!(sealed.values(), there);
    assert!(!sealed.joint().declared);
}

/// A robot that says it has sent `next_seq` rows, whatever it sent.
pub(crate) async fn count(rig: &Rig, robot: &str, boot: u64, next_seq: u64) -> tokio::task::JoinHandle<()> {
    let key = format!("sanqu/desk/{robot}/@counts");
    let mut service = Service::declare(&rig.outside, std::slice::from_ref(&key)).await.unwrap();
    let answering = tokio::spawn(async move {
        while let Some(request) = service.recv().await {
            let counts = format!(r#"{{"boot":{boot},"next_seq":{{"joint":{next_seq}}}}}"#);
            request.reply(&key, counts.into_bytes()).unwrap();
        }
    });
    let (field, robot) = (id("desk"), id(robot));
    while sanqu_ingest::final_counts(&rig.router, &field, &robot).await.unwrap().is_empty() {}
    answering
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_at_the_tail_is_found_by_the_final_count() {
    let rig = Rig::new().await;
    let answering = count(&rig, "kuavo-01", 4, 100).await;
    rig.done("a01", Verb::Start).await;
    rig.send("kuavo-01", 4, 0, 10).await;
    rig.send("kuavo-01", 4, 10, 10).await;
    rig.heard("kuavo-01", 20, false).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(100), 20, 80);
    assert_eq!((sealed.joint().lost.network, sealed.joint().lost.open_ended), (80, false));
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_lost_everything_still_has_its_row() {
    let rig = Rig::new().await;
    let heartbeat = |next: u64| format!(r#"{{"boot":9,"next_seq":{{"joint":{next}}}}}"#);
    let session = rig.outside.session();
    session.put("sanqu/desk/kuavo-01/status", heartbeat(0)).await.unwrap();
    rig.heard("kuavo-01", 0, false).await;
    let answering = count(&rig, "kuavo-01", 9, 50).await;
    rig.done("a01", Verb::Start).await;
    rig.sealed("a01").await.check_joint(Some(50), 0, 50);
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_queue_refuses_is_the_recorders_loss() {
    // Every tenth sample is larger than the whole queue; whether others are refused too depends on the machine.
    let rig = Rig::with(|config| config.queue_bytes = 20_000).await;
    let robot = rig.robot("kuavo-01", 5).await;
    rig.heard("kuavo-01", 0, true).await;
    rig.done("a01", Verb::Start).await;
    let (mut seq, mut large) = (0, 0);
    for n in 0..100 {
        let count = if n % 10 == 9 { 2000 } else { 10 };
        robot.put(&stream("joint"), count, sanqu_model::now_ns(), false, rows(seq, count)).await.unwrap();
        seq += u64::from(count);
        large += if count == 2000 { 2000 } else { 0 };
    }
    let sealed = rig.sealed("a01").await;
    let joint = sealed.joint();
    assert_eq!(joint.expected, Some(seq));
    assert_eq!((joint.received + joint.lost.recorder, joint.lost.total() - joint.lost.recorder), (seq, 0), "{joint:#?}");
    assert!(joint.lost.recorder >= large && joint.received > 0, "{joint:#?}");
    let station = rig.verb("a01", Verb::Status).await.station.unwrap();
    assert!(station.refused_samples >= 10, "{station:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_publisher_is_another_run() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 6).await;
    rig.heard("kuavo-01", 0, true).await;
    rig.done("a01", Verb::Start).await;
    for n in 0..10 {
        robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(n * 10, 10)).await.unwrap();
    }
    robot.close().await.unwrap();
    rig.heard("kuavo-01", 100, true).await;
    let robot = rig.robot("kuavo-01", 7).await;
    for n in 0..5 {
        robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(n * 10, 10)).await.unwrap();
    }
    rig.heard("kuavo-01", 150, true).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(150), 150, 0);
    assert_eq!(sealed.joint().boots, ["6", "7"]);
    assert!(!sealed.joint().lost.open_ended);
    assert_eq!(sealed.values(), (0..100).chain(0..50).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_dies_leaves_an_open_end() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 6).await;
    robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(0, 10)).await.unwrap();
    rig.heard("kuavo-01", 10, true).await;
    rig.done("a01", Verb::Start).await;
    robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(10, 10)).await.unwrap();
    rig.heard("kuavo-01", 20, true).await;
    // A heartbeat that says so, then silence.
    rig.until("a heartbeat", |status| status.stations[0].robots[0].streams[0].rows == 20).await;
    drop(robot);
    let (field, name) = (id("desk"), id("kuavo-01"));
    while !sanqu_ingest::final_counts(&rig.router, &field, &name).await.unwrap().is_empty() {}
    let sealed = rig.sealed("a01").await;
    let joint = sealed.joint();
    assert_eq!((joint.received, joint.expected, joint.lost.open_ended), (20, None, true), "{joint:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_header_the_rows_are_kept_and_the_account_is_unknown() {
    let rig = Rig::new().await;
    rig.outside.session().put("sanqu/desk/kuavo-01/joint", rows(0, 10)).encoding("application/vnd.apache.arrow.stream").await.unwrap();
    rig.heard("kuavo-01", 1, false).await;
    rig.done("a01", Verb::Start).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(None, 10, 0);
    assert!(!sealed.joint().declared);
}
