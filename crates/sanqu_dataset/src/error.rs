use std::io;
use std::path::PathBuf;

use arrow_schema::ArrowError;
use sanqu_model::ModelError;
use sanqu_store::StoreError;
use sanqu_wire::WireError;
use thiserror::Error;

/// What can go wrong with catalog, import and export. Every variant names the file, episode or stream.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// A word is wrong: an id, a stream name.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// Rows could not be made or read.
    #[error(transparent)]
    Wire(Box<WireError>),
    /// A Parquet file of the dataset could not be written or read back.
    #[error("{path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The library's error.
        source: Box<parquet::errors::ParquetError>,
    },
    /// Arrow refused a column.
    #[error("{what}: {source}")]
    Arrow {
        /// The column or file.
        what: String,
        /// Arrow's error.
        source: Box<ArrowError>,
    },
    /// JSON could not be written or understood.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The library's error.
        source: serde_json::Error,
    },
    /// A query is wrong; the message is the query engine's.
    #[error("SQL: {message}")]
    Sql {
        /// What is wrong.
        message: String,
    },
    /// Rows could not be written out.
    #[error("the rows cannot be written: {source}")]
    Print {
        /// What is wrong: a value that has no text form, or the output's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The folder to export into holds something.
    #[error("{path}: exists and is not empty; choose another folder")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// An earlier export did not finish and left its unfinished folder.
    #[error("{path}: left by an export that did not finish; remove it and try again")]
    Leftover {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing is left to export.
    #[error("nothing to export: {reason}")]
    Nothing {
        /// Why.
        reason: String,
    },
    /// Episodes cannot share a dataset.
    #[error("episode {episode}, {what}: expected {expected} as in episode {first}, found {found}")]
    Differs {
        /// The episode that differs.
        episode: String,
        /// Robot, stream or property.
        what: String,
        /// The episode it was compared with.
        first: String,
        /// What that episode has.
        expected: String,
        /// What this episode has.
        found: String,
    },
    /// An episode cannot be exported.
    #[error("episode {episode}, {stream}: {reason}")]
    Episode {
        /// The episode.
        episode: String,
        /// Robot and stream, or "robots".
        stream: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A bag is damaged, or not a ROS 1 bag that this program reads.
    #[error("{path}: at byte {offset}: {reason}")]
    Bag {
        /// The bag.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A message of a bag does not have the form that its topic must have.
    #[error("{path}: topic {topic}, message {index}: {reason}")]
    Message {
        /// The bag.
        path: PathBuf,
        /// The topic.
        topic: String,
        /// Number of the message on its topic, from 0.
        index: u64,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// An outside dataset is damaged, or not one that this program reads.
    #[error("{path}: {reason}")]
    Dataset {
        /// The file or folder.
        path: PathBuf,
        /// Episode, row and field where they are known, what is wrong and what was expected.
        reason: String,
    },
    /// An option does not fit: an unknown robot, station or task.
    #[error("{option}: {reason}")]
    Option {
        /// The option: "robot", "station", …
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
}

const _: () = assert!(size_of::<DatasetError>() <= 128, "errors travel in every Result");

impl From<StoreError> for DatasetError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<ModelError> for DatasetError {
    fn from(error: ModelError) -> Self {
        Self::Model(Box::new(error))
    }
}

impl From<WireError> for DatasetError {
    fn from(error: WireError) -> Self {
        Self::Wire(Box::new(error))
    }
}

impl DatasetError {
    pub(crate) fn dataset(path: &std::path::Path, reason: impl Into<String>) -> Self {
        Self::Dataset { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn print(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Print { source: source.into() }
    }
}
