use std::path::PathBuf;

use sanqu_ingest::IngestError;
use sanqu_model::{Id, ModelError, StreamName};
use sanqu_robot::RobotError;
use sanqu_wire::WireError;
use thiserror::Error;

/// Why a simulated robot cannot be made, or cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimError {
    /// The robot's description cannot be used.
    #[error("description in {}: {source}", folder.display())]
    Description {
        /// The folder with `robot.urdf` and `drives.toml`.
        folder: PathBuf,
        /// What is wrong.
        source: Box<RobotError>,
    },
    /// The description lacks something that a simulation needs.
    #[error("description in {} has no {what}", folder.display())]
    Missing {
        /// The folder with `robot.urdf` and `drives.toml`.
        folder: PathBuf,
        /// What was looked for.
        what: String,
    },
    /// A setting is out of range.
    #[error("robot {robot}: {setting} is {value}: expected {expected}")]
    BadSetting {
        /// The robot.
        robot: Id,
        /// Which setting, with its camera where it has one.
        setting: String,
        /// The value given.
        value: String,
        /// What would have been accepted.
        expected: String,
    },
    /// Forward kinematics or a drive refused a position.
    #[error("kinematics: {0}")]
    Robot(#[from] RobotError),
    /// A stream's name or description is not one of the contract's.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Rows could not be encoded.
    #[error("stream {stream}: {source}")]
    Encode {
        /// The stream.
        stream: StreamName,
        /// What the encoder says.
        source: WireError,
    },
    /// The H.264 encoder failed.
    #[error("stream {stream}, frame {frame}: H.264 encoder: {reason}")]
    Video {
        /// The camera's stream.
        stream: StreamName,
        /// The frame's number.
        frame: u32,
        /// What the encoder says.
        reason: String,
    },
    /// Publishing failed.
    #[error(transparent)]
    Publish(#[from] IngestError),
    /// The thread that draws and encodes pictures could not be started or did not end by itself.
    #[error("the camera thread of robot {robot} failed: {reason}")]
    CameraThread {
        /// The robot.
        robot: Id,
        /// What happened.
        reason: String,
    },
    /// An episode's samples are not in the order of their times.
    #[error("stream {stream}: a sample due at {due_ns} ns follows one due at {before_ns} ns")]
    OutOfOrder {
        /// The stream of the later sample.
        stream: StreamName,
        /// When it is due.
        due_ns: i64,
        /// When the sample before it was due.
        before_ns: i64,
    },
    /// The episode that is fed could not be read further.
    #[error("episode: {source}")]
    Source {
        /// What the reader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
