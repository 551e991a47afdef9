use sanqu_ingest::IngestError;
use sanqu_model::EpisodeId;
use sanqu_store::StoreError;
use thiserror::Error;

/// What can go wrong with the recorder as a whole. A station's trouble is in its status instead.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The store is locked, unreadable or full.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The configuration cannot be recorded with.
    #[error("recorder configuration: {reason}")]
    Config {
        /// What is wrong, naming the entry.
        reason: String,
    },
    /// The system would not start a thread.
    #[error("cannot start the {name} thread: {source}")]
    Thread {
        /// Which thread.
        name: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// The recorder has ended already.
    #[error("the recorder is not running any more")]
    Ended,
    /// Episodes were closed but could not be sealed; their journals are kept for `sanqu repair`.
    #[error("{count} episodes could not be sealed; the first is {episode}: {reason}")]
    Unsealed {
        /// How many.
        count: usize,
        /// The first of them.
        episode: EpisodeId,
        /// Why.
        reason: String,
    },
    /// A station answered with something that is no reply.
    #[error("{key}: the answer is not a control reply: {reason}")]
    BadReply {
        /// The key asked.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}
