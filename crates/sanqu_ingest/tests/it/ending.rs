use sanqu_ingest::{Claim, Intake, Node, Service};
use sanqu_model::Id;

/// How many routers end. When the session could close while a handle of it was being undeclared, zenoh 1.10.2 panicked in
/// its tables within some 400 of them.
const ROUNDS: usize = 1500;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_may_end_while_what_was_declared_on_it_goes() {
    let field = Id::new("field", "desk").unwrap();
    let stations: Vec<Id> = (0..28).map(|n| Id::new("station", &format!("s{n}")).unwrap()).collect();
    for round in 0..ROUNDS {
        let node = Node::router("tcp/127.0.0.1:0").await.unwrap();
        let claim = Claim::take(&node, &field, &stations).await.unwrap();
        let intake = Intake::declare(&node, &field, 1 << 20).await.unwrap();
        let service = Service::declare(&node, &["sanqu/desk/@station/a/ctl".to_owned()]).await.unwrap();
        let parts: [Box<dyn FnOnce() + Send>; 4] =
            [Box::new(move || drop(node)), Box::new(move || drop(claim)), Box::new(move || drop(intake)), Box::new(move || drop(service))];
        let ready = std::sync::Arc::new(std::sync::Barrier::new(parts.len()));
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let ready = ready.clone();
                tokio::task::spawn_blocking(move || {
                    ready.wait();
                    part();
                })
            })
            .collect();
        for thread in threads {
            thread.await.unwrap_or_else(|e| panic!("round {round}: {e}"));
        }
    }
}
