use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why a live view cannot be started or kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The subscription failed.
    #[error(transparent)]
    Bus(#[from] sanqu_ingest::IngestError),
    /// A robot description is there but cannot be used.
    #[error("description of robot {robot}: {source}")]
    Description {
        /// The robot's id.
        robot: String,
        /// What is wrong, naming the file.
        source: sanqu_robot::RobotError,
    },
    /// The recording file cannot be created or written.
    #[error("cannot write the rerun recording {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What rerun says.
        reason: String,
    },
    /// The address to serve on cannot be had.
    #[error("cannot serve on {address}: {reason}")]
    Serve {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// No viewer could be started.
    #[error(
        "cannot start the rerun viewer: {reason}; install it (pip install rerun-sdk==0.36.3), or use --serve and open its address elsewhere"
    )]
    Spawn {
        /// What rerun says.
        reason: String,
    },
    /// rerun did not take what was given to it.
    #[error("rerun: {reason}")]
    Rerun {
        /// What rerun says.
        reason: String,
    },
    /// The pipe to a viewer failed.
    #[error("the Arrow pipe: {reason}")]
    Pipe {
        /// What is wrong.
        reason: String,
    },
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl LiveError {
    /// Wraps why the pipe failed.
    pub(crate) fn pipe(error: impl std::fmt::Display) -> Self {
        Self::Pipe { reason: error.to_string() }
    }

    /// Wraps what rerun says.
    pub(crate) fn rerun(error: impl std::fmt::Display) -> Self {
        Self::Rerun { reason: error.to_string() }
    }
}
