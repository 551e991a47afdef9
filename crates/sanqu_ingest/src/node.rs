use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sanqu_model::FieldConfig;
use tokio::task::JoinHandle;
use tracing::{info, warn};
use zenoh::config::EndPoint;
use zenoh::sample::SampleKind;
use zenoh::session::LinkEvent;
use zenoh::{Config, Session};

use crate::access::{MESSAGE_BYTES_MAX, access_control, low_pass_filter};
use crate::error::reason;
use crate::keys::{CA_FILE, CERT_FILE, KEY_FILE};
use crate::refusals::log;
use crate::{IngestError, Keys, Refusals, Role};

/// How long a client tries to reach its router before it says that nobody answers.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a router passes on to others is dropped where they do not take it. Robots send with `Block`, and the threads that take
/// their samples also pass them on: a viewer that stands still would hold up every robot until zenoh gives it up, 5 s for
/// each priority. The recorder is in the router's own process: nothing is dropped on the way to it.
const VIEWERS_WAIT_FOR_NOTHING: &str = r#"[{ messages: ["put"], flows: ["egress"], overwrite: { congestion_control: "drop" } }]"#;

/// One session on the bus: the router inside the recorder, or a client of one.
///
/// Neither scouts: what is on the bus is what was configured. Needs a multi-threaded tokio runtime. Clones share the
/// session; closing one closes all. What is declared on it holds the session open until it goes itself, in a field `_open`
/// that is dropped last: zenoh 1.10 panics when a session closes in one thread while another undeclares something of it.
#[derive(Clone)]
pub struct Node {
    session: Session,
    locators: Vec<String>,
    refusals: Refusals,
    _log: Option<Arc<Task>>,
}

/// A task that ends with the last clone of its node.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Node {
    /// Opens a router in this process that listens on `listen`, a zenoh endpoint such as `tcp/0.0.0.0:7447`; port 0
    /// takes a free one, see [`Node::locators`]. Everybody who reaches it may do everything: for loopback, or see
    /// [`Node::secured_router`].
    ///
    /// # Errors
    /// [`IngestError::Listen`] naming the endpoint.
    pub async fn router(listen: &str) -> Result<Self, IngestError> {
        Self::listen(listen, Vec::new(), Refusals::default()).await
    }

    /// Opens a router that talks TLS only, to holders of certificates of the field's authority, and lets each of them do
    /// what the field file gives to it: a robot publishes its own streams, an operator controls their stations, a viewer
    /// reads. `listen` is an endpoint such as `tls/0.0.0.0:7447`.
    ///
    /// What is refused is counted in `refusals` and logged, if its layer is in the program's tracing subscriber. The rules
    /// guard links: this process itself may do everything.
    ///
    /// # Errors
    /// [`IngestError::Listen`] naming the endpoint; [`IngestError::Keys`] when they are not a recorder's or of another field.
    pub async fn secured_router(listen: &str, keys: &Keys, field: &FieldConfig, refusals: Refusals) -> Result<Self, IngestError> {
        let failed = |reason: &str| IngestError::Listen { endpoint: listen.to_owned(), reason: reason.to_owned() };
        if keys.holder().role != Role::Recorder {
            return Err(keys.refused(format!("these are the keys of {}; a router needs a recorder's", keys.holder())));
        }
        if keys.field() != &field.field {
            return Err(keys.refused(format!("these keys are of field {}, not of {}", keys.field(), field.field)));
        }
        is_tls(listen).map_err(failed)?;
        let mut settings = tls_settings(keys);
        settings.push(("access_control", access_control(field).to_string()));
        settings.push(("low_pass_filter", low_pass_filter(&field.field).to_string()));
        if refusals.shared.installed.load(Ordering::Acquire) {
            refusals.arm();
        } else {
            warn!("what the router refuses is not seen: this program does not watch zenoh's denials");
        }
        let mut node = Self::listen(listen, settings, refusals.clone()).await?;
        let names = refusals.clone();
        let links = node.session.info();
        let events = links.link_events_listener().history(true).callback(move |event| name_peer(&names, &event));
        events.background().await.map_err(|e| failed(&reason(&e)))?;
        node._log = Some(Arc::new(Task(tokio::spawn(log(refusals)))));
        Ok(node)
    }

    async fn listen(listen: &str, settings: Vec<(&str, String)>, refusals: Refusals) -> Result<Self, IngestError> {
        let failed = |reason: String| IngestError::Listen { endpoint: listen.to_owned(), reason };
        listen.parse::<EndPoint>().map_err(|e| failed(reason(&e)))?;
        let mut config = base("router").map_err(|e| failed(reason(&e)))?;
        let own = [
            ("listen/endpoints", endpoints(listen)),
            ("listen/timeout_ms", "0".to_owned()),
            ("listen/exit_on_failure", "true".to_owned()),
            // A router waits this long for scouted neighbours; there are none to wait for.
            ("scouting/delay", "0".to_owned()),
            ("qos/network", VIEWERS_WAIT_FOR_NOTHING.to_owned()),
        ];
        for (key, value) in own.into_iter().chain(settings) {
            config.insert_json5(key, &value).map_err(|e| failed(reason(&e)))?;
        }
        let session = zenoh::open(config).await.map_err(|e| failed(reason(&e)))?;
        let locators: Vec<String> = session.info().locators().await.iter().map(ToString::to_string).collect();
        if locators.is_empty() {
            return Err(failed("no address of this computer is bound".to_owned()));
        }
        Ok(Self { session, locators, refusals, _log: None })
    }

    /// Opens a client of the router at `connect`, a zenoh endpoint such as `tcp/10.0.0.1:7447`. The client reconnects by
    /// itself when the router comes back later.
    ///
    /// # Errors
    /// [`IngestError::Connect`] naming the endpoint, after [`CONNECT_TIMEOUT`] when nobody answers.
    pub async fn client(connect: &str) -> Result<Self, IngestError> {
        Self::connect(connect, Vec::new(), "nobody answered within").await
    }

    /// Opens a client that shows its certificate and trusts only a router that has one of the field's authority for the
    /// host named in `connect`, such as `tls/10.0.0.1:7447`.
    ///
    /// # Errors
    /// As [`Node::client`]. Why a router refuses a certificate is known to the router alone: its log says it.
    pub async fn secured_client(connect: &str, keys: &Keys) -> Result<Self, IngestError> {
        is_tls(connect).map_err(|reason| IngestError::Connect { endpoint: connect.to_owned(), reason: reason.to_owned() })?;
        let silent = format!(
            "nobody let {} in (its certificate or the router's may be refused: the recorder's log tells why, and RUST_LOG=zenoh=warn here) within",
            keys.holder()
        );
        Self::connect(connect, tls_settings(keys), &silent).await
    }

    async fn connect(connect: &str, settings: Vec<(&str, String)>, silence: &str) -> Result<Self, IngestError> {
        let failed = |reason: String| IngestError::Connect { endpoint: connect.to_owned(), reason };
        connect.parse::<EndPoint>().map_err(|e| failed(reason(&e)))?;
        let mut config = base("client").map_err(|e| failed(reason(&e)))?;
        let own = [
            ("connect/endpoints", endpoints(connect)),
            ("connect/timeout_ms", CONNECT_TIMEOUT.as_millis().to_string()),
            ("connect/exit_on_failure", "true".to_owned()),
        ];
        for (key, value) in own.into_iter().chain(settings) {
            config.insert_json5(key, &value).map_err(|e| failed(reason(&e)))?;
        }
        // A host that swallows packets makes the system's own connect outlast zenoh's limit.
        let opened = tokio::time::timeout(CONNECT_TIMEOUT * 2, zenoh::open(config)).await;
        let silent = || failed(format!("{silence} {} s", CONNECT_TIMEOUT.as_secs()));
        let session = opened.map_err(|_| silent())?.map_err(|e| match reason(&e) {
            text if text.contains("Timeout") => silent(),
            text => failed(text),
        })?;
        Ok(Self { session, locators: Vec::new(), refusals: Refusals::default(), _log: None })
    }

    /// Where a router really listens, with the port that was bound; empty for a client.
    pub fn locators(&self) -> Vec<String> {
        self.locators.clone()
    }

    /// Whether a router can be reached from other computers.
    pub fn is_exposed(&self) -> bool {
        self.locators.iter().any(|locator| !is_loopback(locator))
    }

    /// What a secured router refuses; stays empty elsewhere.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// The zenoh session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Closes the session after what was sent has left.
    ///
    /// # Errors
    /// [`IngestError::Close`].
    pub async fn close(self) -> Result<(), IngestError> {
        self.session.close().await.map_err(|e| IngestError::Close { reason: reason(&e) })
    }
}

fn name_peer(refusals: &Refusals, event: &LinkEvent) {
    let (link, left) = (event.link(), event.kind() == SampleKind::Delete);
    let name = link.auth_identifier();
    refusals.peer(link.zid().to_string(), name, left);
    info!(peer = name.unwrap_or("without a name"), address = %link.dst(), left, "a link");
}

fn base(mode: &str) -> zenoh::Result<Config> {
    let mut config = Config::default();
    config.insert_json5("mode", &format!("{mode:?}"))?;
    config.insert_json5("scouting/multicast/enabled", "false")?;
    config.insert_json5("scouting/gossip/enabled", "false")?;
    config.insert_json5("transport/link/rx/max_message_size", &MESSAGE_BYTES_MAX.to_string())?;
    Ok(config)
}

/// Both sides show a certificate; the router of a client must be who it was dialled as.
fn tls_settings(keys: &Keys) -> Vec<(&'static str, String)> {
    let text = |name: &str| serde_json::Value::from(keys.file(name)).to_string();
    vec![
        ("transport/link/tls/root_ca_certificate", text(CA_FILE)),
        ("transport/link/tls/listen_certificate", text(CERT_FILE)),
        ("transport/link/tls/listen_private_key", text(KEY_FILE)),
        ("transport/link/tls/connect_certificate", text(CERT_FILE)),
        ("transport/link/tls/connect_private_key", text(KEY_FILE)),
        ("transport/link/tls/enable_mtls", "true".to_owned()),
        ("transport/link/tls/verify_name_on_connect", "true".to_owned()),
        ("transport/link/tls/close_link_on_expiration", "true".to_owned()),
    ]
}

fn is_tls(endpoint: &str) -> Result<(), &'static str> {
    if !endpoint.starts_with("tls/") {
        return Err("with keys an endpoint begins with tls/");
    }
    // Settings in the endpoint would outrank those of the keys.
    if endpoint.contains(['#', '?']) { Err("with keys an endpoint carries no settings of its own") } else { Ok(()) }
}

fn is_loopback(locator: &str) -> bool {
    let host = locator.split_once('/').and_then(|(_, address)| address.rsplit_once(':')).map_or("", |(host, _)| host);
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn endpoints(endpoint: &str) -> String {
    serde_json::Value::from(vec![endpoint]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_not_exposed() {
        for (locator, loopback) in [
            ("tcp/127.0.0.1:7447", true),
            ("tls/localhost:7447", true),
            ("tcp/[::1]:7447", true),
            ("tcp/10.0.3.1:7447", false),
            ("tcp/0.0.0.0:7447", false),
            ("tls/recorder.lan:7447", false),
        ] {
            assert_eq!(is_loopback(locator), loopback, "{locator}");
        }
    }
}
