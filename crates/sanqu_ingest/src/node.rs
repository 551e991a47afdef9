use std::time::Duration;

use zenoh::config::EndPoint;
use zenoh::{Config, Session};

use crate::IngestError;
use crate::error::reason;

/// How long a client tries to reach its router before it says that nobody answers.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One session on the bus: the router inside the recorder, or a client of one.
///
/// Neither scouts: what is on the bus is what was configured. Needs a multi-threaded tokio runtime. Clones share the
/// session; closing one closes all.
#[derive(Clone)]
pub struct Node {
    session: Session,
    locators: Vec<String>,
}

impl Node {
    /// Opens a router in this process that listens on `listen`, a zenoh endpoint such as `tcp/0.0.0.0:7447`; port 0
    /// takes a free one, see [`Node::locators`].
    ///
    /// # Errors
    /// [`IngestError::Listen`] naming the endpoint.
    pub async fn router(listen: &str) -> Result<Self, IngestError> {
        let failed = |reason: String| IngestError::Listen { endpoint: listen.to_owned(), reason };
        listen.parse::<EndPoint>().map_err(|e| failed(reason(&e)))?;
        let mut config = base("router").map_err(|e| failed(reason(&e)))?;
        for (key, value) in [
            ("listen/endpoints", endpoints(listen)),
            ("listen/timeout_ms", "0".to_owned()),
            ("listen/exit_on_failure", "true".to_owned()),
            // A router waits this long for scouted neighbours; there are none to wait for.
            ("scouting/delay", "0".to_owned()),
        ] {
            config.insert_json5(key, &value).map_err(|e| failed(reason(&e)))?;
        }
        let session = zenoh::open(config).await.map_err(|e| failed(reason(&e)))?;
        let locators: Vec<String> = session.info().locators().await.iter().map(ToString::to_string).collect();
        if locators.is_empty() {
            return Err(failed("no address of this computer is bound".to_owned()));
        }
        Ok(Self { session, locators })
    }

    /// Opens a client of the router at `connect`, a zenoh endpoint such as `tcp/10.0.0.1:7447`. The client reconnects by
    /// itself when the router comes back later.
    ///
    /// # Errors
    /// [`IngestError::Connect`] naming the endpoint, after [`CONNECT_TIMEOUT`] when nobody answers.
    pub async fn client(connect: &str) -> Result<Self, IngestError> {
        let failed = |reason: String| IngestError::Connect { endpoint: connect.to_owned(), reason };
        connect.parse::<EndPoint>().map_err(|e| failed(reason(&e)))?;
        let mut config = base("client").map_err(|e| failed(reason(&e)))?;
        for (key, value) in [
            ("connect/endpoints", endpoints(connect)),
            ("connect/timeout_ms", CONNECT_TIMEOUT.as_millis().to_string()),
            ("connect/exit_on_failure", "true".to_owned()),
        ] {
            config.insert_json5(key, &value).map_err(|e| failed(reason(&e)))?;
        }
        // A host that swallows packets makes the system's own connect outlast zenoh's limit.
        let opened = tokio::time::timeout(CONNECT_TIMEOUT * 2, zenoh::open(config)).await;
        let silent = || failed(format!("nobody answered within {} s", CONNECT_TIMEOUT.as_secs()));
        let session = opened.map_err(|_| silent())?.map_err(|e| match reason(&e) {
            text if text.contains("Timeout") => silent(),
            text => failed(text),
        })?;
        Ok(Self { session, locators: Vec::new() })
    }

    /// Where a router really listens, with the port that was bound; empty for a client.
    pub fn locators(&self) -> Vec<String> {
        self.locators.clone()
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

fn base(mode: &str) -> zenoh::Result<Config> {
    let mut config = Config::default();
    config.insert_json5("mode", &format!("{mode:?}"))?;
    config.insert_json5("scouting/multicast/enabled", "false")?;
    config.insert_json5("scouting/gossip/enabled", "false")?;
    Ok(config)
}

fn endpoints(endpoint: &str) -> String {
    serde_json::Value::from(vec![endpoint]).to_string()
}
