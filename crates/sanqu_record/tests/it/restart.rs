use std::time::Duration;

use sanqu_ingest::{IngestError, Node};
use sanqu_model::EpisodeId;
use sanqu_record::{EpisodeProgress, RecordError, Recorder, RecorderConfig, StationState, Verb};
use sanqu_store::Store;

use crate::lossy::LossyRobot;
use crate::rig::{PATIENCE, Rig, Sealed, id, rows, start, stream};

/// Ends the recorder as a crash would, lets `meanwhile` happen, and starts another one on the same store.
async fn restart(rig: Rig, meanwhile: impl AsyncFnOnce(&Node), change: impl FnOnce(&mut RecorderConfig)) -> Rig {
    let Rig { router, outside, recorder, store, dir } = rig;
    drop(recorder);
    let free = tokio::time::timeout(PATIENCE, async {
        loop {
            match store.lock() {
                Ok(lock) => return drop(lock),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    free.await.expect("the recorder gives its lock back");
    meanwhile(&outside).await;
    let (recorder, store) = start(&router, dir.path(), change).await;
    Rig { router, outside, recorder, store, dir }
}

fn events(sealed: &Sealed) -> Vec<u8> {
    std::fs::read(sealed.episode.dir().join("events.parquet")).unwrap()
}

fn names(sealed: &Sealed, event: &str) -> bool {
    events(sealed).windows(event.len()).any(|window| window == event.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_goes_on_after_a_crash_and_loses_nothing_that_the_ring_holds() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 5).await;
    rig.heard("kuavo-01", 0, true).await;
    let episode = rig.done("a01", Verb::Start).await;
    let put = async |samples: std::ops::Range<u64>| {
        for n in samples {
            robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(n * 10, 10)).await.unwrap();
        }
    };
    put(0..20).await;
    rig.heard("kuavo-01", 200, true).await;
    let rig = restart(rig, async |_| put(20..40).await, |_| {}).await;

    let status = rig.verb("a01", Verb::Status).await.station.unwrap();
    assert_eq!((status.state, status.episode, status.resumed_ns.is_some()), (StationState::Recording, Some(episode), true));
    let second = rig.verb("a01", Verb::Start).await;
    assert!(!second.ok && second.message.contains(&episode.to_string()), "{second:?}");
    assert_eq!(second.episode, Some(episode));
    put(40..60).await;
    let sealed = rig.sealed("a01").await;
    assert_eq!((sealed.manifest.episode, sealed.manifest.ended_by.as_str()), (episode, "stop"));
    sealed.check_joint(Some(600), 600, 0);
    assert_eq!(sealed.values(), (0..600).collect::<Vec<u64>>());
    assert!(names(&sealed, "recorder_restarted"));
    assert_eq!(rig.done("a01", Verb::Discard).await, episode);
    assert_eq!(rig.store.decisions(episode).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_was_there_for_is_the_recorders_loss() {
    let rig = Rig::new().await;
    let robot = LossyRobot::start(&rig, "kuavo-01", 4).await;
    robot.heartbeat(&rig).await;
    rig.heard("kuavo-01", 0, false).await;
    rig.done("a01", Verb::Start).await;
    robot.ten_rows(&rig, true).await;
    rig.until("the first rows on disk", |status| status.stations[0].figures.written_lag.count == 1).await;
    let meanwhile = async |_: &Node| {
        for _ in 0..3 {
            robot.lose_ten_rows();
        }
        // The ring holds the last of the three only.
        robot.forget(30, &[]);
    };
    let rig = restart(rig, meanwhile, |_| {}).await;
    robot.ten_rows(&rig, true).await;
    robot.heartbeat(&rig).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(50), 30, 20);
    assert_eq!(sealed.joint().lost.recorder, 20);
    assert_eq!(sealed.values(), (0..10).chain(30..50).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_is_gone_after_the_crash_leaves_an_open_end() {
    let rig = Rig::new().await;
    rig.done("a01", Verb::Start).await;
    rig.send("kuavo-01", 3, 0, 10).await;
    rig.until("the rows on disk", |status| status.stations[0].figures.written_lag.count == 1).await;
    let rig = restart(rig, async |_| {}, |_| {}).await;
    let sealed = rig.sealed("a01").await;
    let joint = sealed.joint();
    assert_eq!((joint.received, joint.expected, joint.lost.open_ended), (10, None, true), "{joint:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_episode_is_sealed_by_itself_and_the_station_is_free() {
    let rig = Rig::new().await;
    let episode = rig.done("a01", Verb::Start).await;
    rig.send("kuavo-01", 3, 0, 10).await;
    rig.until("the rows on disk", |status| status.stations[0].figures.written_lag.count == 1).await;
    let rig = restart(rig, async |_| {}, |config| config.resume_within = Duration::ZERO).await;
    rig.until("the seal", |status| {
        let last = status.stations[0].last.as_ref();
        last.is_some_and(|last| (last.episode, last.progress) == (episode, EpisodeProgress::Sealed))
    })
    .await;
    let sealed = Sealed::open(&rig.store, episode);
    assert_eq!((sealed.manifest.ended_by.as_str(), sealed.joint().received), ("recovered", 10));
    assert_eq!(rig.done("a01", Verb::Keep).await, episode);
    let next: EpisodeId = rig.done("a01", Verb::Start).await;
    assert_ne!(next, episode);
    assert!(rig.sealed("a01").await.manifest.streams.iter().all(|entry| entry.received == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_has_one_recorder_on_the_bus() {
    let rig = Rig::new().await;
    let other = Node::client(&rig.router.locators()[0]).await.unwrap();
    let field = sanqu_model::FieldConfig::parse(crate::rig::FIELD).unwrap();
    let store = Store::open_or_create(&rig.dir.path().join("other"), &field.field, &field.time_zone).unwrap();
    let config = RecorderConfig::new(field, rig.dir.path().to_path_buf(), store);
    for node in [&other, &rig.router] {
        let error = Recorder::start(node, config.clone()).await.err().unwrap();
        let RecordError::Ingest(IngestError::Claimed { field, station, .. }) = &error else { panic!("{error}") };
        assert_eq!((field, station), (&id("desk"), &id("a01")));
    }
    let Rig { recorder, .. } = rig;
    recorder.shutdown().await.unwrap();
    drop(Recorder::start(&other, config).await.expect("the stations are free again"));
}
