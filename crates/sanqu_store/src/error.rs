use std::io;
use std::path::{Path, PathBuf};

use sanqu_model::ModelError;
use thiserror::Error;

/// What can go wrong with a store. Every variant names the file; damage inside data is not an error of `verify` but an
/// [`Issue`](crate::Issue) of its report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: "open", "write", "rename", …
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A format version that this program does not know.
    #[error("{path}: written by a newer sanqu (format {found}, this program reads up to {supported})")]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this program reads.
        supported: u32,
    },
    /// Somebody else writes into the store.
    #[error("{path}: the store is in use by {holder}")]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it: "process 4711".
        holder: String,
    },
    /// The folder belongs to another field.
    #[error("{path}: this store belongs to field {found}, not {expected}")]
    OtherField {
        /// `sanqu.toml`.
        path: PathBuf,
        /// The field asked for.
        expected: String,
        /// The field of the store.
        found: String,
    },
    /// A file does not have the form that it must have.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A write failed earlier; nothing more is written to this file.
    #[error("{path}: writing stopped after an earlier failure: {reason}")]
    WriterFailed {
        /// The file.
        path: PathBuf,
        /// The first failure.
        reason: String,
    },
    /// A picture that an MP4 file cannot hold, or that cannot be read from one.
    #[error("{path}: frame {frame}: {reason}")]
    BadFrame {
        /// The MP4 file.
        path: PathBuf,
        /// Number of the picture, from 0.
        frame: usize,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A journal whose first control record is missing or unreadable: nobody knows which episode it is.
    #[error("{path}: the journal has no readable start record; it is kept as it is")]
    NoStart {
        /// The journal.
        path: PathBuf,
    },
    /// No episode has this id or prefix.
    #[error("{root}: no episode {wanted:?}")]
    NoEpisode {
        /// The store.
        root: PathBuf,
        /// What was asked for.
        wanted: String,
    },
    /// A prefix fits several episodes.
    #[error("{wanted:?} fits {} episodes: {}", candidates.len(), candidates.join(", "))]
    Ambiguous {
        /// The prefix.
        wanted: String,
        /// The ids that it fits.
        candidates: Vec<String>,
    },
    /// Rows do not add up: this program has a bug, nothing was sealed.
    #[error("stream {stream}: expected {expected} rows, but received {received} and lost {lost}")]
    Unbalanced {
        /// Robot and stream.
        stream: String,
        /// Rows numbered by the source.
        expected: u64,
        /// Distinct rows received.
        received: u64,
        /// Rows of the ledger.
        lost: u64,
    },
    /// What was written does not read back as it was meant; the journal is kept.
    #[error("{path}: reads back differently than written: {reason}")]
    ReadBack {
        /// The sealed file.
        path: PathBuf,
        /// The difference.
        reason: String,
    },
    /// A column or quantity that the stream does not have.
    #[error("{path}: no {what} {name:?}; there are: {}", known.join(", "))]
    NoColumn {
        /// The Parquet file.
        path: PathBuf,
        /// "column" or "quantity".
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A word is wrong: an id, a time zone, a description.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl StoreError {
    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// Adds path and action to a system error.
pub(crate) trait IoContext<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io { path: path.to_path_buf(), action, source })
    }
}
