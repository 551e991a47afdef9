use sanqu_ingest::ask;
use sanqu_model::{FieldConfig, control_key};
use sanqu_record::{CONTROL_TIMEOUT, ControlReply, ControlRequest, Outcome, Recorder, RecorderConfig, StationState, Verb};
use sanqu_store::DecisionKind;

use crate::rig::{Rig, id, rows, stream};

#[track_caller]
fn refused(reply: &ControlReply, part: &str) {
    assert!(!reply.ok && reply.message.contains(part), "{reply:?} should refuse with {part:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_out_of_order_are_refused_with_a_sentence() {
    let rig = Rig::new().await;
    for verb in [Verb::Stop, Verb::Mark] {
        refused(&rig.verb("a01", verb).await, "no episode is open");
    }
    refused(&rig.verb("a01", Verb::Keep).await, "no episode was recorded");
    refused(&rig.verb("a03", Verb::Start).await, "no robot stands at station a03");
    let unknown_task = ControlRequest { task: Some(id("dancing")), ..ControlRequest::new(Verb::Start) };
    refused(&rig.ask("a01", &unknown_task).await, "no task dancing");

    let episode = rig.done("a01", Verb::Start).await;
    let second = rig.verb("a01", Verb::Start).await;
    refused(&second, "already being recorded");
    assert_eq!((second.episode, second.state), (Some(episode), StationState::Recording));
    refused(&rig.verb("a01", Verb::Discard).await, "stop it first");
    let status = rig.verb("a01", Verb::Status).await.station.unwrap();
    assert_eq!((status.state, status.episode), (StationState::Recording, Some(episode)));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_starts_at_once_make_one_episode() {
    let rig = Rig::new().await;
    let (one, two) = tokio::join!(rig.verb("a01", Verb::Start), rig.verb("a01", Verb::Start));
    assert_eq!([one.ok, two.ok].iter().filter(|ok| **ok).count(), 1, "{one:?} {two:?}");
    assert_eq!(rig.store.journals().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_with_what_is_wrong() {
    let rig = Rig::new().await;
    let key = control_key(&id("desk"), &id("a01"));
    for (json, part) in [(r#"{"verb":"dance"}"#, "dance"), ("{", "not understood"), ("", "not understood")] {
        let answers = ask(&rig.outside, &key, json.into(), CONTROL_TIMEOUT).await.unwrap();
        let reply: ControlReply = serde_json::from_slice(&answers[0].1).unwrap();
        refused(&reply, part);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_written_beside_the_episode() {
    let rig = Rig::new().await;
    let robot = rig.robot("kuavo-01", 1).await;
    rig.heard("kuavo-01", 0, true).await;
    rig.done("a01", Verb::Start).await;
    robot.put(&stream("joint"), 10, sanqu_model::now_ns(), false, rows(0, 10)).await.unwrap();
    let mark = ControlRequest { text: Some("a slip".to_owned()), ..ControlRequest::new(Verb::Mark) };
    assert!(rig.ask("a01", &mark).await.ok);
    let stop = ControlRequest { outcome: Some(Outcome::Success), ..ControlRequest::new(Verb::Stop) };
    let stopped = rig.ask("a01", &stop).await;
    assert!(stopped.ok, "{stopped:?}");
    // At once, while the episode is being sealed.
    let operator = Some(id("op-07"));
    let discard = ControlRequest { operator: operator.clone(), reason: Some("dropped".to_owned()), ..ControlRequest::new(Verb::Discard) };
    assert!(rig.ask("a01", &discard).await.ok);
    rig.until("the seal", |status| status.stations[0].last.as_ref().is_some_and(|last| last.rows == 10)).await;
    assert!(rig.ask("a01", &ControlRequest { operator, ..ControlRequest::new(Verb::Undo) }).await.ok);

    let episode = rig.store.find(&stopped.episode.unwrap().to_string()).unwrap();
    let decisions: Vec<_> = episode.decisions().unwrap().into_iter().map(|d| (d.kind, d.who, d.reason)).collect();
    assert_eq!(
        decisions,
        [
            (DecisionKind::Outcome, "station a01".to_owned(), "success".to_owned()),
            (DecisionKind::Discard, "op-07".to_owned(), "dropped".to_owned()),
            (DecisionKind::Undo, "op-07".to_owned(), String::new()),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_robots_are_refused_and_shown() {
    let rig = Rig::new().await;
    rig.send("stranger-01", 1, 0, 10).await;
    rig.send("kuavo-09", 1, 0, 10).await;
    let status = rig.until("two refused robots", |status| status.refused_robots.len() == 2).await;
    let reasons: Vec<_> = status.refused_robots.iter().map(|r| (r.robot.as_str(), r.samples, r.reason.as_str())).collect();
    let expected = [("kuavo-09", 1, "it stands at no station of field desk"), ("stranger-01", 1, "field desk does not know it")];
    assert_eq!(reasons, expected);
    assert_eq!(rig.verb("a01", Verb::Status).await.refused_robots, status.refused_robots);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_robots_are_recorded_where_the_configuration_says() {
    let rig = Rig::with(|config| {
        config.allow_unknown = true;
        config.unknown_station = Some(id("a03"));
    })
    .await;
    rig.send("stranger-01", 1, 0, 10).await;
    rig.heard("stranger-01", 10, false).await;
    rig.done("a03", Verb::Start).await;
    let sealed = rig.sealed("a03").await;
    sealed.check_joint(Some(10), 10, 0);
    assert_eq!((sealed.manifest.robots[0].robot.as_str(), sealed.manifest.robots[0].model.as_str()), ("stranger-01", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_unknown_robots_belong_must_be_clear() {
    let rig = Rig::new().await;
    let field = FieldConfig::parse(crate::rig::FIELD).unwrap();
    for (station, part) in [(None, "exactly one station"), (Some(id("z99")), "no station z99")] {
        let mut config = RecorderConfig::new(field.clone(), rig.dir.path().to_path_buf(), rig.store.clone());
        (config.allow_unknown, config.unknown_station) = (true, station);
        let error = Recorder::start(&rig.router, config).await.err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    }
}
