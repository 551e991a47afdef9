//! The recorder: joins the bus and the store.
//!
//! One thread takes samples from the intake, keeps a pre-roll of every robot, appends to the journals of open episodes
//! and accounts for what is missing; it never parses a payload and never waits for the network. Around it: tasks that
//! ask robots and answer operators, and one thread that seals.
//!
//! ```text
//! Intake ──► recorder thread ──► journal ──► sealer thread ──► episode folder
//!               ▲        │
//!   station ctl ┘        └► errands (descriptions, final counts, replies)
//! ```

mod config;
mod control;
mod engine;
mod errand;
mod error;
mod hear;
mod pre_roll;
mod recorder;
mod robot;
mod sealer;
mod start;
mod station;
mod status;
mod stop;
mod take;
mod track;
mod verb;

pub use config::{RecorderConfig, STOP_GRACE};
pub use control::{CONTROL_TIMEOUT, ControlReply, ControlRequest, Outcome, Verb, send_control};
pub use error::RecordError;
pub use recorder::Recorder;
pub use status::{EpisodeProgress, LastEpisode, RecorderStatus, RefusedRobot, RobotStatus, StationState, StationStatus, StreamStatus};
