//! What is allowed works over TLS as it does without, and nothing of it is taken for a refusal.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use sanqu_ingest::{Intake, Keys, Node, Refusal, RobotPublisher, Service, ask, describe, final_counts, resend, robots_alive};
use sanqu_model::{StreamDescription, control_key, now_ns};
use sanqu_wire::ENCODING_JSON;

use crate::authority::{Authority, PATIENCE, field, id, watch};

const QUEUE_BYTES: usize = 64 << 20;

fn event() -> StreamDescription {
    StreamDescription {
        stream: "event".parse().unwrap(),
        encoding: ENCODING_JSON.to_owned(),
        rate_hz: 0.0,
        clock: 1,
        quantities: Vec::new(),
        facts: Default::default(),
    }
}

async fn robot(authority: &Authority, endpoint: &str) -> (Node, RobotPublisher) {
    let node = authority.client("robot:kuavo-01", endpoint).await;
    let robot = RobotPublisher::declare(&node, &id("desk"), &id("kuavo-01"), 7, vec![event()]).await.unwrap();
    (node, robot)
}

#[track_caller]
fn nothing_was_refused() {
    let rows: Vec<Refusal> = watch().0.report().rows;
    assert!(rows.is_empty(), "{rows:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_is_recorded_and_answers() {
    let authority = Authority::new();
    let (router, endpoint) = authority.router().await;
    let intake = Intake::declare(&router, &id("desk"), QUEUE_BYTES).await.unwrap();
    let (node, robot) = robot(&authority, &endpoint).await;
    let stream = "event".parse().unwrap();
    // A client sends only what it was told that somebody subscribes to: once its heartbeats come, everything does.
    while intake.recv_timeout(PATIENCE).expect("a heartbeat").key.stream.as_str() != "status" {}
    for _ in 0..300 {
        robot.put(&stream, 1, 0, false, b"{}".to_vec()).await.unwrap();
    }
    let mut events = 0;
    while events < 300 {
        let sample = intake.recv_timeout(PATIENCE).expect("a sample");
        events += u32::from(sample.key.stream == stream);
    }
    assert_eq!(final_counts(&router, &id("desk"), &id("kuavo-01")).await.unwrap(), [(stream, 7, 300)]);
    let key = Arc::new("sanqu/desk/kuavo-01/event".parse().unwrap());
    let mut again = 0;
    let resent = resend(&router, &key, 7, 100..200, PATIENCE, &mut |_| again += 1).await.unwrap();
    assert!(resent.complete && again == 100, "{resent:?}, {again} samples");
    assert_eq!(describe(&router, &id("desk")).await.unwrap(), [(id("kuavo-01"), event())]);
    assert_eq!(robots_alive(&router, &id("desk")).await.unwrap(), [id("kuavo-01")]);
    robot.close().await.unwrap();
    node.close().await.unwrap();
    nothing_was_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_controls_their_station() {
    let authority = Authority::new();
    let (router, endpoint) = authority.router().await;
    let mut stations = Service::declare(&router, &["a01", "a02"].map(|station| control_key(&id("desk"), &id(station)))).await.unwrap();
    let operator = authority.client("operator:op-07", &endpoint).await;
    let key = control_key(&id("desk"), &id("a01"));
    let answering = tokio::spawn(async move {
        let request = stations.recv().await.unwrap();
        assert_eq!(request.payload(), b"start");
        request.reply(request.key(), b"started".to_vec()).unwrap();
        stations
    });
    assert_eq!(ask(&operator, &key, b"start".to_vec(), PATIENCE).await.unwrap(), [(key, b"started".to_vec())]);
    drop(answering.await.unwrap());
    operator.close().await.unwrap();
    nothing_was_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads() {
    let authority = Authority::new();
    let (_router, endpoint) = authority.router().await;
    let viewer = authority.client("viewer:wall-1", &endpoint).await;
    let (seen, samples) = sync_channel(1000);
    let see = move |sample: zenoh::sample::Sample| drop(seen.try_send(sample.key_expr().to_string()));
    let _subscriber = viewer.session().declare_subscriber("sanqu/desk/**").callback(see).await.unwrap();
    let (alive, tokens) = sync_channel(1000);
    let liveliness = viewer.session().liveliness();
    let see = move |sample: zenoh::sample::Sample| drop(alive.try_send(sample.key_expr().to_string()));
    let _liveliness = liveliness.declare_subscriber("sanqu/desk/*/@alive/**").history(true).callback(see).await.unwrap();

    let (node, robot) = robot(&authority, &endpoint).await;
    assert_eq!(tokens.recv_timeout(PATIENCE).unwrap(), "sanqu/desk/kuavo-01/@alive");
    // Asked while declarations are on their way, zenoh's answer can be empty (without TLS as well): ask again.
    let deadline = std::time::Instant::now() + PATIENCE;
    while robots_alive(&viewer, &id("desk")).await.unwrap() != [id("kuavo-01")] {
        assert!(std::time::Instant::now() < deadline, "the robot is not alive");
    }
    while describe(&viewer, &id("desk")).await.unwrap() != [(id("kuavo-01"), event())] {
        assert!(std::time::Instant::now() < deadline, "the robot is not described");
    }
    robot.put(&"event".parse().unwrap(), 1, 0, false, b"{}".to_vec()).await.unwrap();
    while samples.recv_timeout(PATIENCE).unwrap() != "sanqu/desk/kuavo-01/event" {}
    robot.close().await.unwrap();
    node.close().await.unwrap();
    viewer.close().await.unwrap();
    nothing_was_refused();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_takes_only_keys_of_its_own_field_and_role() {
    let authority = Authority::new();
    let robot = authority.keys("robot:kuavo-01");
    let refused = Node::secured_router("tls/127.0.0.1:0", &robot, &field(), watch().0.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("robot:kuavo-01") && refused.contains("a recorder's"), "{refused}");
    let recorder = authority.keys("recorder:rec-1");
    let mut other = field();
    other.field = id("qingdao");
    let refused = Node::secured_router("tls/127.0.0.1:0", &recorder, &other, watch().0.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("field desk") && refused.contains("qingdao"), "{refused}");
    for endpoint in ["tcp/127.0.0.1:0", "tls/127.0.0.1:0#enable_mtls=false"] {
        let refused = Node::secured_router(endpoint, &recorder, &field(), watch().0.clone()).await.err().unwrap().to_string();
        assert!(refused.contains("with keys an endpoint"), "{refused}");
    }
    // A router that anybody with a certificate could pretend to be would be no router to trust.
    let (_router, endpoint) = authority.router_of("robot:kuavo-02").await;
    let refused = Node::secured_client(&endpoint, &robot).await.err().unwrap().to_string();
    assert!(refused.contains("robot:kuavo-01") && refused.contains("recorder's log"), "{refused}");
}

#[test]
fn keys_are_found_by_role_and_checked() {
    let authority = Authority::new();
    let recorder = authority.folder("recorder:rec-1", -1..30);
    let robot = authority.folder("robot:kuavo-01", -1..30);
    let all = recorder.parent().unwrap();
    let find = |role, id: Option<&sanqu_model::Id>| Keys::find(all, role, id, now_ns());
    assert_eq!(find(sanqu_ingest::Role::Recorder, None).unwrap().holder().to_string(), "recorder:rec-1");
    assert_eq!(find(sanqu_ingest::Role::Robot, Some(&id("kuavo-01"))).unwrap().field(), &id("desk"));
    let complains = |found: Result<Keys, sanqu_ingest::IngestError>, parts: &[&str]| {
        let error = found.err().unwrap().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error} should say {parts:?}");
    };
    complains(find(sanqu_ingest::Role::Robot, Some(&id("kuavo-02"))), &["robot kuavo-02", "sanqu keys robot"]);
    complains(Keys::find(&robot, sanqu_ingest::Role::Viewer, None, now_ns()), &["robot:kuavo-01", "a viewer"]);
    authority.folder("robot:kuavo-02", -30..-1);
    complains(find(sanqu_ingest::Role::Robot, Some(&id("kuavo-02"))), &["cert.pem", "expired", "renew"]);
    complains(find(sanqu_ingest::Role::Robot, None), &["several", "robot-kuavo-01"]);
    authority.folder("viewer:wall-1", 2..30);
    complains(find(sanqu_ingest::Role::Viewer, None), &["not valid before", "clock"]);
    let key = robot.join(sanqu_ingest::KEY_FILE);
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    complains(Keys::load(&robot, now_ns()), &["key.pem", "640", "chmod 600"]);
}
