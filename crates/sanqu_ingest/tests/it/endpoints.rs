use std::time::{Duration, Instant};

use sanqu_ingest::{CONNECT_TIMEOUT, Node};

#[tokio::test(flavor = "multi_thread")]
async fn a_free_port_is_said_and_can_be_dialled() {
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let locators = router.locators();
    assert_eq!(locators.len(), 1);
    let port: u16 = locators[0].strip_prefix("tcp/127.0.0.1:").unwrap().parse().unwrap();
    assert_ne!(port, 0);
    let client = Node::client(&locators[0]).await.unwrap();
    assert!(client.locators().is_empty());
    client.close().await.unwrap();
    router.close().await.unwrap();
}

#[track_caller]
fn names(error: Result<Node, sanqu_ingest::IngestError>, endpoint: &str, part: &str) {
    let error = error.err().expect("an error").to_string();
    assert!(error.contains(endpoint) && error.contains(part) && !error.contains(".rs:"), "{error} should say {endpoint} and {part}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let endpoint = router.locators().remove(0);
    names(Node::router(&endpoint).await, &endpoint, "cannot listen");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_endpoints_are_named() {
    for endpoint in ["7447", "tcp/", "smoke/127.0.0.1:0", "tcp/127.0.0.1:99999", "tcp/no-such-host.invalid:7447"] {
        names(Node::router(endpoint).await, endpoint, "cannot listen");
    }
    names(Node::client("7447").await, "7447", "cannot connect");
    names(Node::client("smoke/127.0.0.1:0").await, "smoke/127.0.0.1:0", "cannot connect");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_said_in_time() {
    // A port that was just free: nobody listens on it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("tcp/{free}");
    let begun = Instant::now();
    names(Node::client(&endpoint).await, &endpoint, "nobody answered");
    assert!(begun.elapsed() < CONNECT_TIMEOUT * 2 + Duration::from_secs(2));
}
