use sanqu_ingest::{IngestError, Node, RobotPublisher};
use sanqu_record::{ControlRequest, RecordError, Recorder, RecorderConfig, StationState, Verb, send_control};
use sanqu_store::StoreError;

use crate::rig::{Rig, Sealed, id, rows, start, stream};

async fn put(robot: &RobotPublisher, samples: std::ops::Range<u64>) {
    for n in samples {
        let seq = robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(n * 10, 10)).await.unwrap();
        assert_eq!(seq, n * 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_sent_is_in_the_episode() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 1).await;
    put(&robot, 0..20).await;
    rig.heard("kuavo-01", 200, true).await;

    let request = ControlRequest { task: Some(id("door-gap")), operator: Some(id("op-07")), ..ControlRequest::new(Verb::Start) };
    let reply = rig.ask("a01", &request).await;
    assert!(reply.ok && reply.state == StationState::Recording, "{reply:?}");
    put(&robot, 20..120).await;
    let sealed = rig.sealed("a01").await;

    sealed.check_joint(Some(1200), 1200, 0);
    assert_eq!(sealed.values(), (0..1200).collect::<Vec<u64>>());
    let manifest = &sealed.manifest;
    assert_eq!(
        (Some(manifest.episode), manifest.ended_by.as_str(), manifest.prompt.as_str()),
        (reply.episode, "stop", "Check the door gap")
    );
    assert_eq!((manifest.operator.clone(), manifest.zone.clone()), (Some(id("op-07")), Some(id("industry"))));
    assert!(sealed.joint().declared && !sealed.joint().lost.open_ended);
    assert!(sealed.joint().rows_in_episode < 1200 && manifest.pre_roll_ns < manifest.start_ns, "20 samples are pre-roll");
    let snapshot = manifest.robots[0].description.as_ref().expect("a description snapshot");
    assert!(rig.store.robot_folder(snapshot).join("robot.urdf").exists());
    assert_eq!(rig.store.journals().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_back_before_the_start_says_nothing_about_lags() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 1).await;
    put(&robot, 0..20).await;
    rig.heard("kuavo-01", 200, true).await;
    rig.done("a01", Verb::Start).await;
    // The pre-roll alone has this many bytes.
    let bytes = rows(0, 10).len() as u64 * 20;
    let status = rig.until("the pre-roll on disk", |status| status.stations[0].figures.written_bytes >= bytes).await;
    assert_eq!(status.stations[0].figures.written_lag.count, 0, "{:#?}", status.stations[0].figures);
    put(&robot, 20..21).await;
    rig.until("a row on disk", |status| status.stations[0].figures.written_lag.count == 1).await;
    rig.sealed("a01").await.check_joint(Some(210), 210, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stations_record_side_by_side() {
    let rig = Rig::new().await;
    let (one, two) = (rig.robot("kuavo-01", 1).await, rig.robot("kuavo-02", 2).await);
    rig.heard("kuavo-01", 0, true).await;
    rig.heard("kuavo-02", 0, true).await;
    rig.done("a01", Verb::Start).await;
    rig.done("a02", Verb::Start).await;
    put(&one, 0..30).await;
    put(&two, 0..50).await;
    rig.sealed("a01").await.check_joint(Some(300), 300, 0);
    put(&two, 50..60).await;
    rig.sealed("a02").await.check_joint(Some(600), 600, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_episodes_share_the_pre_roll_and_nothing_else() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 1).await;
    rig.heard("kuavo-01", 0, true).await;
    rig.done("a01", Verb::Start).await;
    put(&robot, 0..10).await;
    rig.sealed("a01").await.check_joint(Some(100), 100, 0);
    rig.done("a01", Verb::Start).await;
    put(&robot, 10..20).await;
    let second = rig.sealed("a01").await;
    let values = second.values();
    assert_eq!(values, (values[0]..200).collect::<Vec<u64>>());
    second.check_joint(Some(values.len() as u64), values.len() as u64, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_comes_late_misses_nothing_of_its_own_time() {
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let outside = Node::client(&router.locators()[0]).await.unwrap();
    let robot = RobotPublisher::declare(&outside, &id("desk"), &id("kuavo-01"), 5, vec![crate::rig::joint()]).await.unwrap();
    put(&robot, 0..50).await;
    let dir = tempfile::TempDir::new().unwrap();
    let (recorder, store) = start(&router, dir.path(), |_| {}).await;
    let rig = Rig { router, outside, recorder, store, dir };
    rig.heard("kuavo-01", 0, true).await;
    rig.done("a01", Verb::Start).await;
    put(&robot, 50..80).await;
    let sealed = rig.sealed("a01").await;
    // Some of the first fifty may still have been on their way when the recorder came; then they are in the pre-roll.
    let values = sealed.values();
    let first = values[0];
    assert!(first <= 500, "the episode begins at row {first}");
    assert_eq!(values, (first..800).collect::<Vec<u64>>());
    sealed.check_joint(Some(800 - first), 800 - first, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_closes_and_seals_what_is_open() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 1).await;
    rig.heard("kuavo-01", 0, true).await;
    let episode = rig.done("a01", Verb::Start).await;
    put(&robot, 0..40).await;
    let Rig { recorder, store, router, .. } = rig;
    let manifests = recorder.shutdown().await.unwrap();
    assert_eq!(manifests.iter().map(|m| (m.episode, m.ended_by.as_str())).collect::<Vec<_>>(), [(episode, "stop")]);
    Sealed::open(&store, episode).check_joint(Some(400), 400, 0);
    drop(store.lock().expect("the store is free again"));
    let silent = send_control(&router, &id("desk"), &id("a01"), &ControlRequest::new(Verb::Status)).await;
    assert!(matches!(silent, Err(RecordError::Ingest(IngestError::NoAnswer { .. }))), "{silent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_that_dies_leaves_a_journal_that_can_be_repaired() {
    let rig = Rig::with(|config| config.flush = std::time::Duration::from_millis(20)).await;
    let robot = rig.robot("kuavo-01", 1).await;
    rig.heard("kuavo-01", 0, true).await;
    let episode = rig.done("a01", Verb::Start).await;
    put(&robot, 0..40).await;
    rig.heard("kuavo-01", 400, true).await;
    // The status is renewed every 250 ms: after two renewals the flush of 20 ms is over for certain.
    let mut watch = rig.recorder.watch();
    for _ in 0..3 {
        watch.changed().await.unwrap();
    }
    let Rig { recorder, store, .. } = rig;
    drop(recorder);
    let lock = tokio::time::timeout(crate::rig::PATIENCE, async {
        loop {
            match store.lock() {
                Ok(lock) => return lock,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    drop(lock.await.expect("the recorder gives its lock back"));
    let repaired = sanqu_store::repair(&store).unwrap();
    let manifest = repaired.into_iter().find_map(|repaired| repaired.manifest).expect("a sealed episode");
    assert_eq!((manifest.episode, manifest.ended_by.as_str()), (episode, "recovered"));
    let sealed = Sealed::open(&store, episode);
    assert_eq!(sealed.joint().received, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_recorder_a_store() {
    let rig = Rig::new().await;
    let field = sanqu_model::FieldConfig::parse("field = \"desk\"\nname = \"x\"\ntime_zone = \"UTC\"").unwrap();
    let config = RecorderConfig::new(field, rig.dir.path().to_path_buf(), rig.store.clone());
    let second = Recorder::start(&rig.router, config).await.err().unwrap();
    assert!(matches!(second, RecordError::Store(StoreError::Locked { .. })), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_at_one_station_costs_the_others_nothing() {
    let rig = Rig::with(|config| config.queue_bytes = 600_000).await;
    let (one, two) = (rig.robot("kuavo-01", 1).await, rig.robot("kuavo-02", 2).await);
    rig.heard("kuavo-01", 0, true).await;
    rig.heard("kuavo-02", 0, true).await;
    rig.done("a01", Verb::Start).await;
    rig.done("a02", Verb::Start).await;
    // More in one sample than what all stations may hold together, again and again, beside a stream that is in order.
    let large = rows(0, 20_000);
    for n in 0..40 {
        one.put(&stream("joint"), 20_000, sanqu_model::now_ns(), false, large.clone()).await.unwrap();
        put(&two, n..n + 1).await;
    }
    rig.sealed("a02").await.check_joint(Some(400), 400, 0);
    let flooded = rig.sealed("a01").await;
    flooded.check_joint(Some(800_000), 0, 800_000);
    assert_eq!(flooded.joint().lost.recorder, 800_000);
}
