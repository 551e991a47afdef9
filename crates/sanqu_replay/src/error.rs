use std::path::PathBuf;

use thiserror::Error;

/// Why an episode cannot be shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The store or an episode cannot be read.
    #[error(transparent)]
    Store(#[from] sanqu_store::StoreError),
    /// A robot description cannot be used.
    #[error("robot {robot}")]
    Robot {
        /// The robot's id.
        robot: String,
        /// What is wrong with its description.
        source: sanqu_robot::RobotError,
    },
    /// No description of a robot was found.
    #[error("robot {robot} (model {model:?}): no description; give one with --robot {robot}=FILE.urdf; looked for {}", looked_for.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    NoDescription {
        /// The robot's id.
        robot: String,
        /// Its model's name.
        model: String,
        /// The files that would have been accepted.
        looked_for: Vec<PathBuf>,
    },
    /// A field file cannot be used.
    #[error("field file {path}")]
    Field {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: sanqu_model::ModelError,
    },
    /// A stream lacks something that replay needs.
    #[error("robot {robot}, stream {stream}: {reason}")]
    Stream {
        /// The robot's id.
        robot: String,
        /// The stream's name.
        stream: String,
        /// What is missing.
        reason: String,
    },
    /// Nothing to show.
    #[error("none of the episodes has a robot with joint rows")]
    Empty,
    /// There is nothing to compare, or not as it was asked for.
    #[error("cannot compare: {reason}")]
    Compare {
        /// What is missing, and what there is.
        reason: String,
    },
    /// A joint was named that cannot be looked into.
    #[error("no drive to show for joint {name:?}: {reason}")]
    Joint {
        /// What was given.
        name: String,
        /// What would be accepted.
        reason: String,
    },
    /// An episode was named by id, but no store was given.
    #[error("{name:?} is no episode folder (it has no manifest.json); to name an episode by id or by `last`, give --store DIR")]
    NoStore {
        /// What was given.
        name: String,
    },
    /// A file cannot be read or written.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start the thread {name:?}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A robot's mesh file cannot be used.
    #[error("mesh file {path}: {reason}; expected {expected}")]
    Mesh {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
        /// What can be read.
        expected: &'static str,
    },
    /// The viewer's settings file cannot be used.
    #[error("settings file {path}: {reason}; it is left as it is and nothing is remembered until it is mended or removed")]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing to choose from.
    #[error("no episode named, and no store with episodes found ({}); name one with --store DIR, or make one: sanqu demo", looked_in.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    NothingToPick {
        /// Where stores were looked for.
        looked_in: Vec<PathBuf>,
    },
    /// The running field cannot be shown.
    #[error("live: {reason}")]
    Live {
        /// What is missing, and what to try.
        reason: String,
    },
    /// No graphics adapter.
    #[error(
        "no Vulkan adapter found; pictures without a graphics card need Mesa's software driver: apt-get install mesa-vulkan-drivers libvulkan1"
    )]
    NoAdapter,
    /// No display to open a window on.
    #[error("no display (DISPLAY is not set): use --render OUT.png or OUT.mp4 to draw without one")]
    NoDisplay,
    /// The renderer did not deliver a picture.
    #[error("the renderer gave no picture: {reason}")]
    Render {
        /// What happened.
        reason: String,
    },
    /// The film's encoder failed.
    #[error("H.264 encoder")]
    Encoder(#[from] openh264::Error),
    /// The picture's encoder failed.
    #[error("{path}: PNG encoder")]
    Png {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: png::EncodingError,
    },
}
