use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sanqu_ingest::Node;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

/// What a test waits for comes within this time, or not at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between a client and its router: passes everything on, but for its first so many connections, which stand: there it
/// reads nothing.
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    pub(crate) standing: watch::Sender<usize>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn start(router: &Node) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = router.locators()[0].strip_prefix("tcp/").unwrap().to_owned();
        let (standing, watched) = watch::channel(0);
        let this = Self { endpoint: format!("tcp/{}", listener.local_addr().unwrap()), standing, connections: Arc::default() };
        let connections = Arc::clone(&this.connections);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::Relaxed);
                let router = tokio::net::TcpStream::connect(&to).await.unwrap();
                let ((client_read, client_write), (router_read, router_write)) = (client.into_split(), router.into_split());
                tokio::spawn(pass(number, client_read, router_write, watched.clone()));
                tokio::spawn(pass(number, router_read, client_write, watched.clone()));
            }
        });
        this
    }

    /// The client dials again.
    pub(crate) async fn is_dialled_again(&self) {
        let dialled = async {
            while self.connections.load(Ordering::Relaxed) < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, dialled).await.expect("zenoh gives the link up");
    }
}

async fn pass(number: usize, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut standing: watch::Receiver<usize>) {
    let mut bytes = vec![0; 64 << 10];
    while standing.wait_for(|standing| number >= *standing).await.is_ok() {
        match from.read(&mut bytes).await {
            Ok(count) if count > 0 && to.write_all(&bytes[..count]).await.is_ok() => {}
            _ => return,
        }
    }
}
