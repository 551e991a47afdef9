use arrow_array::types::Float64Type;
use sanqu_model::Quantity;
use sanqu_record::{StationState, Verb};
use sanqu_store::DecisionKind;
use sanqu_wire::{CLOCK_ROBOT, ENCODING_ARROW, ENCODING_JPEG, ENCODING_JSON, SEQ_END, SampleHeader, encode_rows, fixed_list};

use crate::loss::count;
use crate::rig::{Rig, id, joint, rows, start, stream};

/// Ten rows of three joints, where two are declared.
fn three_joints() -> Vec<u8> {
    let mut description = joint();
    description.quantities = vec![Quantity::f64("pos", "rad", &["l_knee_joint".into(), "r_knee_joint".into(), "head".into()])];
    let values = fixed_list::<Float64Type>(vec![0.5; 30], 3).unwrap();
    encode_rows(&description, &[sanqu_model::now_ns(); 10], vec![values]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_with_another_number_of_joints_are_corrupt_and_kept() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 1).await;
    rig.heard("kuavo-01", 0, true).await;
    rig.done("a01", Verb::Start).await;
    let wrong = three_joints();
    for (n, payload) in [wrong.clone(), rows(10, 10), wrong.clone(), rows(30, 10)].into_iter().enumerate() {
        let seq = robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, payload).await.unwrap();
        assert_eq!(seq, n as u64 * 10);
    }
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(40), 20, 20);
    assert_eq!((sealed.joint().lost.corrupt, sealed.joint().declared), (20, true), "{:#?}", sealed.joint());
    assert_eq!(sealed.values(), (10..20).chain(30..40).collect::<Vec<u64>>());
    let unparsed = std::fs::read(sealed.episode.dir().join("unparsed.mcap")).unwrap();
    assert_eq!(unparsed.windows(wrong.len()).filter(|bytes| *bytes == wrong).count(), 2, "both payloads are kept, verbatim");
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_and_heartbeats_are_not_recorded() {
    let rig = Rig::new().await;
    rig.done("a01", Verb::Start).await;
    let session = rig.outside.session();
    session.put("sanqu/desk/kuavo-01/preview/head", vec![1, 2, 3]).encoding(ENCODING_JPEG).await.unwrap();
    let counts = r#"{"boot":3,"next_seq":{"joint":0,"preview/head":7}}"#;
    session.put("sanqu/desk/kuavo-01/status", counts).encoding(ENCODING_JSON).await.unwrap();
    rig.send("kuavo-01", 3, 0, 10).await;
    rig.heard("kuavo-01", 10, false).await;
    let sealed = rig.sealed("a01").await;
    assert_eq!(sealed.manifest.streams.iter().map(|entry| entry.stream.as_str()).collect::<Vec<_>>(), ["joint"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn absurd_counts_and_damaged_headers_do_not_move_the_account() {
    let rig = Rig::new().await;
    let session = rig.outside.session();
    for (boot, next_seq) in [(1, u64::MAX), (2, u64::MAX), (3, u64::MAX), (3, SEQ_END), (4, SEQ_END), (5, 0)] {
        let counts = format!(r#"{{"boot":{boot},"next_seq":{{"joint":{next_seq}}}}}"#);
        session.put("sanqu/desk/kuavo-02/status", counts).encoding(ENCODING_JSON).await.unwrap();
    }
    let answering = count(&rig, "kuavo-01", 5, 30).await;
    rig.done("a01", Verb::Start).await;
    rig.send("kuavo-01", 5, 0, 10).await;
    let payload = rows(10, 10);
    let header = SampleHeader { boot: 5, seq: 10, rows: 10, clock: CLOCK_ROBOT, ..SampleHeader::default() };
    let mut attachment = header.encode(&payload).to_vec();
    // A flipped bit: sequence 2^40 + 10.
    attachment[21] ^= 1;
    session.put("sanqu/desk/kuavo-01/joint", payload).encoding(ENCODING_ARROW).attachment(attachment).await.unwrap();
    rig.send("kuavo-01", 5, 20, 10).await;
    rig.heard("kuavo-01", 21, false).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(30), 20, 10);
    assert_eq!(sealed.joint().facts["unparsed_samples"], "1");
    assert!(rig.verb("a02", Verb::Status).await.ok, "the recorder is alive");
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_cannot_invent_streams_without_end() {
    let rig = Rig::new().await;
    rig.done("a01", Verb::Start).await;
    for number in 0..300 {
        rig.outside.session().put(format!("sanqu/desk/kuavo-01/hand/h{number}"), "{}").encoding(ENCODING_JSON).await.unwrap();
    }
    rig.until("44 refused samples", |status| status.stations[0].refused_samples == 44).await;
    assert_eq!(rig.sealed("a01").await.manifest.streams.len(), 256);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_rows_of_a_robot_that_does_not_count_are_waited_for() {
    let rig = Rig::new().await;
    rig.send("kuavo-01", 3, 0, 10).await;
    rig.heard("kuavo-01", 10, false).await;
    let episode = rig.done("a01", Verb::Start).await;
    let late = async {
        rig.until("the stop", |status| status.stations[0].state == StationState::Stopping).await;
        rig.send("kuavo-01", 3, 10, 10).await;
    };
    let (sealed, ()) = tokio::join!(rig.sealed("a01"), late);
    assert_eq!((sealed.manifest.episode, sealed.joint().received), (episode, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_robot_belongs_to_the_next_episode() {
    let rig = Rig::with(|config| {
        config.allow_unknown = true;
        config.unknown_station = Some(id("a01"));
    })
    .await;
    rig.done("a01", Verb::Start).await;
    rig.send("stranger-01", 1, 0, 10).await;
    rig.heard("stranger-01", 10, false).await;
    assert!(rig.sealed("a01").await.manifest.streams.is_empty(), "it is none of the episode's robots");
    rig.done("a01", Verb::Start).await;
    let second = rig.sealed("a01").await;
    assert_eq!((second.manifest.robots.len(), second.joint().received), (2, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_reach_the_last_episode_of_an_earlier_recorder() {
    let rig = Rig::new().await;
    rig.done("a01", Verb::Start).await;
    rig.send("kuavo-01", 3, 0, 10).await;
    rig.heard("kuavo-01", 10, false).await;
    let sealed = rig.sealed("a01").await;
    let Rig { router, outside, recorder, dir, .. } = rig;
    recorder.shutdown().await.unwrap();
    let (recorder, store) = start(&router, dir.path(), |_| {}).await;
    let rig = Rig { router, outside, recorder, store, dir };
    let reply = rig.verb("a01", Verb::Keep).await;
    assert_eq!((reply.ok, reply.episode), (true, Some(sealed.manifest.episode)), "{reply:?}");
    assert_eq!(sealed.episode.decisions().unwrap()[0].kind, DecisionKind::Keep);
    assert!(!rig.verb("a02", Verb::Keep).await.ok, "nothing was ever recorded there");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_robots_do_not_come_without_end() {
    let rig = Rig::with(|config| {
        config.allow_unknown = true;
        config.unknown_station = Some(id("a03"));
    })
    .await;
    for number in 0..300 {
        rig.outside.session().put(format!("sanqu/desk/stranger-{number}/event"), "{}").encoding(ENCODING_JSON).await.unwrap();
    }
    let status = rig.until("44 refused robots", |status| status.refused_robots.len() == 44).await;
    assert!(status.refused_robots[0].reason.contains("256 robots"), "{:?}", status.refused_robots[0]);
}
