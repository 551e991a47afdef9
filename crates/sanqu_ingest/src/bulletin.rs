use zenoh::Session;
use zenoh::bytes::Encoding;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};

use crate::error::reason;
use crate::{IngestError, Node};

/// Says something again and again to whoever listens, such as a recorder's status. The newest counts: what the network
/// does not take at once is dropped, so it never holds up anything.
pub struct Bulletin {
    key: String,
    publisher: Publisher<'static>,
    _open: Session,
}

impl Bulletin {
    /// Declares JSON on `key`.
    ///
    /// # Errors
    /// [`IngestError::Declare`].
    pub async fn declare(node: &Node, key: String) -> Result<Self, IngestError> {
        let declared = node.session().declare_publisher(key.clone());
        let declared = declared.priority(Priority::Background).congestion_control(CongestionControl::Drop);
        let publisher = declared.encoding(Encoding::APPLICATION_JSON).await;
        let publisher = publisher.map_err(|e| IngestError::Declare { key: key.clone(), reason: reason(&e) })?;
        Ok(Self { key, publisher, _open: node.session().clone() })
    }

    /// Says it.
    ///
    /// # Errors
    /// [`IngestError::Send`].
    pub async fn put(&self, json: Vec<u8>) -> Result<(), IngestError> {
        self.publisher.put(json).await.map_err(|e| IngestError::Send { key: self.key.clone(), reason: reason(&e) })
    }
}
