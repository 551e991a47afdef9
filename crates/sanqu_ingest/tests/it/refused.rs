//! What is not allowed is refused, and seen in the counters and in the log.

use sanqu_ingest::{Counts, Intake, Node, RefusalKind, RefusedReason, Service, ask};
use sanqu_model::control_key;
use sanqu_wire::{PAYLOAD_BYTES_MAX, SampleHeader};
use zenoh::qos::CongestionControl::Block;

use crate::authority::{Authority, PATIENCE, id, raw_client, refused, watch};

const QUEUE_BYTES: usize = 64 << 20;

/// Tries to open a session and, where TLS 1.3 lets the client believe for a moment that it is in, to use it.
async fn knocks(config: zenoh::Config) {
    assert!(zenoh::open(config).await.is_err(), "it was let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_need_a_valid_certificate_of_this_authority() {
    let authority = Authority::new();
    let (router, endpoint) = authority.router().await;
    let intake = Intake::declare(&router, &id("desk"), QUEUE_BYTES).await.unwrap();
    let good = authority.folder("robot:kuavo-01", -1..30);

    knocks(raw_client(&endpoint, &good, None)).await;
    refused(RefusalKind::Connection, &["no certificates"]);

    let strangers = Authority::new();
    let foreign = strangers.folder("robot:kuavo-01", -1..30);
    knocks(raw_client(&endpoint, &good, Some(&foreign))).await;
    refused(RefusalKind::Connection, &["invalid peer certificate"]);

    let expired = authority.folder("robot:kuavo-02", -30..-1);
    knocks(raw_client(&endpoint, &good, Some(&expired))).await;
    refused(RefusalKind::Connection, &["certificate expired"]);

    let plain = endpoint.replace("tls/", "tcp/");
    assert!(Node::client(&plain).await.is_err(), "without TLS");
    assert!(intake.recv_timeout(std::time::Duration::ZERO).is_none());
    // The same client with a good certificate is let in.
    zenoh::open(raw_client(&endpoint, &good, Some(&good))).await.unwrap().close().await.unwrap();
}

/// Sends a marker that is allowed and waits for it: what was sent before it would have come before.
async fn nothing_but_the_marker_comes(intake: &Intake, robot: &Node, robot_id: &str) {
    let marker = format!("sanqu/desk/{robot_id}/event");
    robot.session().put(&marker, "{}").congestion_control(Block).await.unwrap();
    let sample = intake.recv_timeout(PATIENCE).expect("the marker");
    assert_eq!(sample.key.to_string(), marker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_cannot_write_as_another() {
    let authority = Authority::new();
    let (router, endpoint) = authority.router().await;
    let intake = Intake::declare(&router, &id("desk"), QUEUE_BYTES).await.unwrap();
    let robot = authority.client("robot:kuavo-02", &endpoint).await;
    for _ in 0..5 {
        robot.session().put("sanqu/desk/kuavo-01/joint", "stolen").congestion_control(Block).await.unwrap();
    }
    let publisher = robot.session().declare_publisher("sanqu/desk/kuavo-01/motor").congestion_control(Block).await.unwrap();
    publisher.put("stolen").await.unwrap();
    robot.session().delete("sanqu/desk/kuavo-02/joint").await.unwrap();
    let _token = robot.session().liveliness().declare_token("sanqu/desk/kuavo-01/@alive").await.unwrap();
    let _answers = robot.session().declare_queryable("sanqu/desk/kuavo-01/@counts").callback(|_| {}).await.unwrap();
    let _listens = robot.session().declare_subscriber("sanqu/desk/**").callback(|_| {}).await.unwrap();
    nothing_but_the_marker_comes(&intake, &robot, "kuavo-02").await;

    let who = "robot:kuavo-02 may not";
    let put = refused(RefusalKind::Access, &[who, "put sanqu/desk/kuavo-01/joint"]);
    assert_eq!((put.who.as_str(), put.count), ("robot:kuavo-02", 5));
    refused(RefusalKind::Access, &[who, "put sanqu/desk/kuavo-01/motor"]);
    refused(RefusalKind::Access, &[who, "delete sanqu/desk/kuavo-02/joint"]);
    refused(RefusalKind::Access, &[who, "liveliness token sanqu/desk/kuavo-01/@alive"]);
    refused(RefusalKind::Access, &[who, "declare queryable sanqu/desk/kuavo-01/@counts"]);
    refused(RefusalKind::Access, &[who, "declare subscriber sanqu/desk/**"]);
    assert!(sanqu_ingest::robots_alive(&router, &id("desk")).await.unwrap().is_empty());
    assert_eq!(watch().0.report().rows.len(), 6, "{:#?}", watch().0.report());
}

#[tokio::test(flavor = "multi_thread")]
async fn control_is_the_operators_of_the_station() {
    let authority = Authority::new();
    let (router, endpoint) = authority.router().await;
    let keys = ["a01", "a02"].map(|station| control_key(&id("desk"), &id(station)));
    let mut control = Service::declare(&router, &keys).await.unwrap();
    for (who, key) in
        [("operator:op-07", &*keys[1]), ("viewer:wall-1", &*keys[0]), ("robot:kuavo-01", &*keys[0]), ("operator:op-99", &*keys[0])]
    {
        let node = authority.client(who, &endpoint).await;
        assert!(ask(&node, key, b"start".to_vec(), PATIENCE).await.is_err(), "{who} was answered");
        if who == "operator:op-99" {
            refused(RefusalKind::Stranger, &[who, "field file"]);
        } else {
            refused(RefusalKind::Access, &[&format!("{who} may not query {key}")]);
        }
        // All stations at once is not the way round either.
        let all = keys[0].replace("a01", "*");
        assert!(ask(&node, &all, b"start".to_vec(), PATIENCE).await.is_err(), "{who} was answered");
        node.close().await.unwrap();
    }
    let nothing = tokio::time::timeout(std::time::Duration::ZERO, control.recv()).await;
    assert!(nothing.is_err(), "a question came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_cannot_publish() {
    let authority = Authority::new();
    let (router, endpoint) = authority.router().await;
    let intake = Intake::declare(&router, &id("desk"), QUEUE_BYTES).await.unwrap();
    let viewer = authority.client("viewer:wall-1", &endpoint).await;
    viewer.session().put("sanqu/desk/kuavo-01/joint", "drawn").congestion_control(Block).await.unwrap();
    refused(RefusalKind::Access, &["viewer:wall-1 may not put sanqu/desk/kuavo-01/joint"]);
    let robot = authority.client("robot:kuavo-01", &endpoint).await;
    nothing_but_the_marker_comes(&intake, &robot, "kuavo-01").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_at_three_walls() {
    let authority = Authority::new();
    let (router, endpoint) = authority.router().await;
    let intake = Intake::declare(&router, &id("desk"), QUEUE_BYTES).await.unwrap();
    let robot = authority.client("robot:kuavo-01", &endpoint).await;
    let send = async |stream: &str, bytes: usize| {
        let header = SampleHeader { flags: 0, rows: 10, boot: 7, seq: 40, capture_ns: 0, clock: 1, schema_id: 0 };
        let put = robot.session().put(format!("sanqu/desk/kuavo-01/{stream}"), vec![0; bytes]).congestion_control(Block);
        put.attachment(header.encode(b"").to_vec()).await.unwrap();
    };
    // The recorder's own: it knows the stream and the rows.
    send("joint", PAYLOAD_BYTES_MAX + 1).await;
    let deadline = std::time::Instant::now() + PATIENCE;
    let own = loop {
        let own = intake.take_refused();
        if !own.is_empty() {
            break own;
        }
        assert!(std::time::Instant::now() < deadline, "nothing was refused");
        intake.recv_timeout(std::time::Duration::from_millis(10));
    };
    assert_eq!((own[0].reason, own[0].from_seq, own[0].to_seq), (RefusedReason::TooLarge, Some(40), Some(50)));
    // The router's, by kind of key.
    send("status", Counts::BYTES_MAX + 1).await;
    refused(RefusalKind::TooLarge, &["larger than its key allows"]);
    // While it arrives.
    send("camera/head", 2 * PAYLOAD_BYTES_MAX + 1).await;
    refused(RefusalKind::TooLarge, &["larger than 33554432 bytes"]);
    nothing_but_the_marker_comes(&intake, &robot, "kuavo-01").await;
}
