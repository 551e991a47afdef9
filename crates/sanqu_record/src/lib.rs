//! The recorder: joins the bus and the store.
//!
//! Every station has a thread. It sleeps until something is due, takes everything that came meanwhile from its own
//! byte-bounded queue, appends it to the open journal, writes it out and keeps it as pre-roll for the next episode; it
//! never parses a payload and never waits for the network. A second thread per open journal makes it durable. Around them:
//! tasks that ask robots and answer operators, and one thread that seals.
//!
//! ```text
//! Intake ──► queue ──► station thread ──► journal ──► sealer thread ──► episode folder
//!                         ▲        │         └► sync thread
//!             station ctl ┘        └► errands (descriptions, final counts, replies)
//! ```

mod again;
mod asking;
mod board;
mod config;
mod control;
mod errand;
mod error;
mod fallen;
mod figures;
mod hear;
mod lamp;
mod metrics;
mod pre_roll;
mod recorder;
mod resume;
mod robot;
mod sealer;
mod segment;
mod share;
mod start;
mod station;
mod status;
mod stop;
mod syncer;
mod take;
#[cfg(test)]
mod testing;
mod track;
mod verb;

pub use config::{RecorderConfig, STOP_GRACE};
pub use control::{CONTROL_TIMEOUT, ControlReply, ControlRequest, Outcome, Verb, send_control};
pub use error::RecordError;
pub use figures::Quantiles;
pub use lamp::{Lamp, Light, Room, lamps, silent};
pub use metrics::prometheus_text;
pub use recorder::Recorder;
pub use status::{
    EpisodeProgress, LastEpisode, RecorderStatus, RefusedRobot, ResendFigures, RobotStatus, StationFigures, StationState, StationStatus,
    StreamStatus,
};
