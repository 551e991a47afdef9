use sanqu_ingest::{Node, RingConfig, RobotPublisher};

use crate::proxy::{PATIENCE, Proxy};
use crate::ring::{Heard, put, robot, stream};

/// The router takes a robot's samples in the thread that passes them on to viewers. If it waited there for one of them, no
/// robot would be heard until zenoh has given that viewer up, 5 s later.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_does_not_read_holds_up_no_robot() {
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let (heard, _subscriber) = Heard::listen(&router);
    let proxy = Proxy::start(&router).await;
    let viewer = Node::client(&proxy.endpoint).await.unwrap();
    let (watched, _watching) = Heard::listen(&viewer);
    let client = Node::client(&router.locators()[0]).await.unwrap();
    let robot = robot(&client, RingConfig::default()).await;
    // The router has to hear of the viewer first.
    shown(&robot, &watched, 10).await;
    proxy.standing.send_replace(usize::MAX);
    // Far more than the sockets between router and viewer hold.
    put(&robot, "joint", 400, 10, 100_000).await;
    put(&robot, "camera/head", 100, 1, 100_000).await;
    let sent = robot.counts().next_seq[&stream("joint")];
    heard.all("joint", sent);
    heard.all("camera/head", 100);
    let transports: Vec<_> = router.session().info().transports().await.collect();
    assert_eq!(transports.len(), 2, "the viewer was given up: {transports:?}");
    // It goes on where it can, without what it missed.
    proxy.standing.send_replace(0);
    shown(&robot, &watched, sent + 10).await;
}

/// Sends until a viewer has been shown rows up to `end`.
async fn shown(robot: &RobotPublisher, watched: &Heard, end: u64) {
    let goes_on = async {
        while watched.rows("joint").end() < Some(end) {
            put(robot, "joint", 1, 10, 1000).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, goes_on).await.expect("it is shown something of now");
}
