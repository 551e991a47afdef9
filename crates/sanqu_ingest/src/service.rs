use std::time::Duration;

use tokio::sync::mpsc;
use tracing::warn;
use zenoh::query::{ConsolidationMode, Query, QueryTarget, Queryable};
use zenoh::{Session, Wait};

use crate::error::reason;
use crate::{IngestError, Node};

/// Questions that wait for one [`Service`] at most; more are turned away, the asker then hears nothing.
const WAITING_MAX: usize = 64;

/// Answers questions on some keys: station control, a robot's description.
///
/// zenoh's threads only hand over; the owner of the service takes the requests in its own time.
pub struct Service {
    requests: mpsc::Receiver<Request>,
    _queryables: Vec<Queryable<()>>,
    _open: Session,
}

impl Service {
    /// Begins to answer on `keys`.
    ///
    /// # Errors
    /// [`IngestError::Declare`].
    pub async fn declare(node: &Node, keys: &[String]) -> Result<Self, IngestError> {
        Self::with_limit(node, keys, WAITING_MAX).await
    }

    /// As [`Service::declare`]; at most `waiting_max` questions wait.
    pub(crate) async fn with_limit(node: &Node, keys: &[String], waiting_max: usize) -> Result<Self, IngestError> {
        let (sender, requests) = mpsc::channel(waiting_max);
        let mut queryables = Vec::with_capacity(keys.len());
        for key in keys {
            let sender = sender.clone();
            let take = move |query: Query| {
                if let Err(refused) = sender.try_send(Request { query }) {
                    warn!(key = refused.into_inner().key(), "too many questions wait; this one is turned away");
                }
            };
            let declared = node.session().declare_queryable(key).complete(true).callback(take).await;
            queryables.push(declared.map_err(|e| IngestError::Declare { key: key.clone(), reason: reason(&e) })?);
        }
        Ok(Self { requests, _queryables: queryables, _open: node.session().clone() })
    }

    /// The next question; none after the session was closed.
    pub async fn recv(&mut self) -> Option<Request> {
        self.requests.recv().await
    }
}

/// One question. Dropping it tells the asker that there is no answer.
pub struct Request {
    query: Query,
}

impl Request {
    /// The key that was asked; may hold wildcards of the asker.
    pub fn key(&self) -> &str {
        self.query.key_expr().as_str()
    }

    /// What came with the question; empty when nothing did.
    pub fn payload(&self) -> Vec<u8> {
        self.query.payload().map(|payload| payload.to_bytes().into_owned()).unwrap_or_default()
    }

    /// The zenoh query, to be answered with samples.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// Answers under `key` (a wildcard cannot be answered under itself). Waits for the network when it is congested.
    ///
    /// # Errors
    /// [`IngestError::Send`].
    pub fn reply(&self, key: &str, payload: Vec<u8>) -> Result<(), IngestError> {
        self.query.reply(key, payload).wait().map_err(|e| IngestError::Send { key: key.to_owned(), reason: reason(&e) })
    }
}

/// Asks on `key` and collects every answer with the key it came under, until all have answered or `timeout` is over.
///
/// # Errors
/// [`IngestError::NoAnswer`] when there was none, [`IngestError::Send`] when the question cannot be asked.
pub async fn ask(node: &Node, key: &str, payload: Vec<u8>, timeout: Duration) -> Result<Vec<(String, Vec<u8>)>, IngestError> {
    let get = node.session().get(key).target(QueryTarget::All).consolidation(ConsolidationMode::None);
    let replies = get.payload(payload).timeout(timeout).await;
    let replies = replies.map_err(|e| IngestError::Send { key: key.to_owned(), reason: reason(&e) })?;
    let mut answers = Vec::new();
    while let Ok(reply) = replies.recv_async().await {
        match reply.result() {
            Ok(sample) => answers.push((sample.key_expr().to_string(), sample.payload().to_bytes().into_owned())),
            Err(error) => warn!(key, reason = %error.payload().try_to_string().unwrap_or_default(), "an answer is an error"),
        }
    }
    if answers.is_empty() { Err(IngestError::NoAnswer { key: key.to_owned(), timeout_ms: timeout.as_millis() }) } else { Ok(answers) }
}
