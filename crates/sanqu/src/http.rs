//! What a running recorder tells over HTTP: `/metrics` for Prometheus, `/status` as JSON. Reads only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sanqu_record::{RecorderStatus, prometheus_text};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

/// Questions that are answered at the same time; the next ones wait.
const CONNECTIONS_MAX: usize = 16;
/// The longest head of a request that is read, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// From a connection that could not be accepted to the next attempt.
const RETRY_PERIOD: Duration = Duration::from_millis(100);

/// A server that answers until it is dropped.
pub(crate) struct Http {
    /// Where it listens, with the port that was bound.
    pub(crate) address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Http {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Listens on `address` (`127.0.0.1:9100`; port 0 takes a free one).
///
/// # Errors
/// When the address is malformed, taken or not ours.
pub(crate) async fn serve(address: &str, status: watch::Receiver<RecorderStatus>) -> Result<Http> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("--http {address}: cannot listen there"))?;
    let address = listener.local_addr()?;
    Ok(Http { address, serving: tokio::spawn(accept(listener, status)) })
}

async fn accept(listener: TcpListener, status: watch::Receiver<RecorderStatus>) {
    let places = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Mostly too many open files, which does not pass at once.
                warn!(%error, "a connection was not accepted");
                tokio::time::sleep(RETRY_PERIOD).await;
                continue;
            }
        };
        let status = status.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let response = answer(&request, &status.borrow());
                async move { Ok::<_, Infallible>(response) }
            });
            let mut connection = http1::Builder::new();
            connection.timer(TokioTimer::new()).max_buf_size(HEAD_BYTES_MAX).keep_alive(false);
            if let Err(error) = connection.serve_connection(TokioIo::new(stream), answer).await {
                debug!(%error, "a question over HTTP was not answered");
            }
            drop(place);
        });
    }
}

fn answer(request: &Request<Incoming>, status: &RecorderStatus) -> Response<Full<Bytes>> {
    let (code, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(status)),
        (&Method::GET, "/status") => match serde_json::to_string_pretty(status) {
            Ok(text) => (StatusCode::OK, "application/json", text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        },
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "text/plain", "sanqu recorder: /metrics (Prometheus), /status (JSON)\n".to_owned()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
