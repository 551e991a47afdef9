use std::path::PathBuf;

use sanqu_model::{Id, StreamName};
use thiserror::Error;

/// What can go wrong on the bus.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The router could not listen: the port is taken, the address is not ours, or the endpoint is malformed.
    #[error("cannot listen on {endpoint}: {reason}")]
    Listen {
        /// The endpoint asked for.
        endpoint: String,
        /// What zenoh or the system said.
        reason: String,
    },
    /// Nobody answered at the endpoint within [`crate::CONNECT_TIMEOUT`], or it is malformed.
    #[error("cannot connect to {endpoint}: {reason}")]
    Connect {
        /// The endpoint asked for.
        endpoint: String,
        /// What zenoh or the system said.
        reason: String,
    },
    /// A publisher, subscriber, queryable or token could not be declared.
    #[error("cannot declare {key}: {reason}")]
    Declare {
        /// The key.
        key: String,
        /// What zenoh said.
        reason: String,
    },
    /// A robot described a stream twice, or one that it may not describe.
    #[error("robot {robot}: stream {stream}: {reason}")]
    BadDescription {
        /// The robot.
        robot: Id,
        /// The stream.
        stream: StreamName,
        /// What is wrong.
        reason: &'static str,
    },
    /// A sample for a stream that was not described when the publisher was declared.
    #[error("robot {robot} has not declared stream {stream}")]
    UndeclaredStream {
        /// The robot.
        robot: Id,
        /// The stream.
        stream: StreamName,
    },
    /// A sample with no rows: it would have no place in the sequence.
    #[error("{key}: a sample needs at least one row")]
    NoRows {
        /// The stream's key.
        key: String,
    },
    /// A sample, heartbeat, question or reply could not be handed to the network.
    #[error("cannot send on {key}: {reason}")]
    Send {
        /// The key.
        key: String,
        /// What zenoh said.
        reason: String,
    },
    /// Another recorder serves a station already.
    #[error("station {station} of field {field} is served by another recorder (zenoh session {by}); end that one first")]
    Claimed {
        /// The field.
        field: Id,
        /// The station.
        station: Id,
        /// The other recorder's session.
        by: String,
    },
    /// Nobody answered a question in time.
    #[error("nobody answered on {key} within {timeout_ms} ms; is the recorder running and connected?")]
    NoAnswer {
        /// The key asked.
        key: String,
        /// How long was waited.
        timeout_ms: u128,
    },
    /// Keys that cannot be used: absent, expired, somebody else's, or readable by others.
    #[error("{}: {reason}", path.display())]
    Keys {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The session could not be closed in order.
    #[error("cannot close the session: {reason}")]
    Close {
        /// What zenoh said.
        reason: String,
    },
}

/// zenoh's errors wrap the sentence that people need: `<what> [<sentence> at <source line>.] at <source line>.`
pub(crate) fn reason(error: &zenoh::Error) -> String {
    let text = error.to_string();
    let outer = text.split(" at /").next().unwrap_or(&text);
    let sentence = outer.rsplit_once(": [").map_or(outer, |(_, inner)| inner);
    sentence.trim_end_matches(['.', ' ', '!']).to_owned()
}

const _: () = assert!(size_of::<IngestError>() <= 96);
