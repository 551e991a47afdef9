use std::collections::BTreeSet;
use std::time::Duration;

use sanqu_model::Id;
use zenoh::Session;
use zenoh::liveliness::LivelinessToken;

use crate::error::reason;
use crate::{IngestError, Node};

/// How long others have to say what they claim.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The right of one recorder to serve some stations of a field, seen by everybody on the bus. It ends when it is dropped,
/// or with the session.
pub struct Claim {
    _tokens: Vec<LivelinessToken>,
    _open: Session,
}

impl Claim {
    /// Claims stations for the recorder on `node`.
    ///
    /// # Errors
    /// [`IngestError::Claimed`] when another recorder serves one of them; [`IngestError::Declare`], [`IngestError::Send`].
    pub async fn take(node: &Node, field: &Id, stations: &[Id]) -> Result<Self, IngestError> {
        let own = node.session().zid().to_string();
        let taken = |found: BTreeSet<(Id, String)>, is_rival: &dyn Fn(&str) -> bool| {
            let mut rivals = found.into_iter().filter(|(station, by)| stations.contains(station) && is_rival(by));
            rivals.next().map_or(Ok(()), |(station, by)| Err(IngestError::Claimed { field: field.clone(), station, by }))
        };
        taken(claims(node, field).await?, &|_| true)?;
        let mut tokens = Vec::with_capacity(stations.len());
        for station in stations {
            let key = format!("sanqu/{field}/@recorder/{station}/{own}");
            let token = node.session().liveliness().declare_token(&key).await;
            tokens.push(token.map_err(|e| IngestError::Declare { key, reason: reason(&e) })?);
        }
        // Two that come at the same time see each other now; one of them goes.
        taken(claims(node, field).await?, &|by| by < own.as_str())?;
        Ok(Self { _tokens: tokens, _open: node.session().clone() })
    }
}

/// The stations that are claimed, and by which session.
async fn claims(node: &Node, field: &Id) -> Result<BTreeSet<(Id, String)>, IngestError> {
    let key = format!("sanqu/{field}/@recorder/*/*");
    let failed = |e: zenoh::Error| IngestError::Send { key: key.clone(), reason: reason(&e) };
    let replies = node.session().liveliness().get(&key).timeout(ANSWER_TIMEOUT).await.map_err(failed)?;
    let mut found = BTreeSet::new();
    while let Ok(reply) = replies.recv_async().await {
        let Ok(sample) = reply.result() else { continue };
        let mut parts = sample.key_expr().as_str().split('/').skip(3);
        if let (Some(station), Some(by)) = (parts.next().and_then(|id| Id::new("station", id).ok()), parts.next()) {
            found.insert((station, by.to_owned()));
        }
    }
    Ok(found)
}
