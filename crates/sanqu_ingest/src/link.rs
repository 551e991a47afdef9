//! Whether a client has its router. zenoh's `put` says nothing about it: without a router it succeeds into nowhere.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use zenoh::Session;
use zenoh::sample::SampleKind;
use zenoh::session::{LinkEventsListener, TransportEventsListener};

use crate::IngestError;
use crate::error::reason;
use crate::outbox::Outbox;

/// Tells an outbox whether its session has a link, for as long as it lives.
pub(crate) struct LinkWatch {
    _links: LinkEventsListener<()>,
    _transports: TransportEventsListener<()>,
}

/// Links by the zenoh id of the other side. A link is added after zenoh can route over it, a transport is announced before:
/// so the links say when sending begins. Either one's end says when it ends.
#[derive(Default)]
struct Links(BTreeSet<(String, String, String)>);

impl LinkWatch {
    pub(crate) async fn declare(session: &Session, outbox: &Arc<Outbox>) -> Result<Self, IngestError> {
        let failed = |e: zenoh::Error| IngestError::Declare { key: "a watch over the link".to_owned(), reason: reason(&e) };
        let links = Arc::new(Mutex::new(Links::default()));
        let (seen, told) = (Arc::clone(&links), Arc::clone(outbox));
        let info = session.info();
        let transports = info.transport_events_listener().history(true).callback(move |event| {
            if event.kind() == SampleKind::Delete {
                let gone = event.transport().zid().to_string();
                let mut links = seen.lock().unwrap_or_else(PoisonError::into_inner);
                links.0.retain(|(zid, ..)| *zid != gone);
                told.set_link(!links.0.is_empty());
            }
        });
        let _transports = transports.await.map_err(failed)?;
        let told = Arc::clone(outbox);
        let listener = info.link_events_listener().history(true).callback(move |event| {
            let link = event.link();
            let ends = (link.zid().to_string(), link.src().to_string(), link.dst().to_string());
            let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
            match event.kind() {
                SampleKind::Put => links.0.insert(ends),
                SampleKind::Delete => links.0.remove(&ends),
            };
            told.set_link(!links.0.is_empty());
        });
        let _links = listener.await.map_err(failed)?;
        Ok(Self { _links, _transports })
    }
}
