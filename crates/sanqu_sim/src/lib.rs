//! The simulated field: robots that move, drives that wind up, cameras that draw.
//!
//! [`SimRobot`] is deterministic: the same [`SimSpec`] and start time give the same bytes, pictures included, however
//! often it is asked. It knows no clock. [`run`] paces it against the wall clock and publishes what it makes;
//! [`EpisodeFeed`] does the same with samples that were recorded.
//!
//! Nothing here was measured on a robot: every stream says `evidence = simulated` in its facts. Joint positions are
//! smooth demonstrations within the description's limits; speeds are their exact derivatives; efforts come from point
//! masses; the motor side follows through linkage, ratio and a model of each drive (`sanqu_robot::simulate`), faults included.

mod body;
mod camera;
mod canvas;
mod drives;
mod error;
mod fault;
mod feed;
mod gesture;
mod motion;
mod noise;
mod pace;
mod robot;
mod rows;
mod run;
mod scene;
mod solid;
pub mod strip;
mod telemetry;
mod view;

pub use camera::GOP;
pub use error::SimError;
pub use fault::PlannedFault;
pub use feed::{EpisodeFeed, FeedItem};
pub use pace::RunReport;
pub use robot::{CameraSpec, SimRobot, SimSample, SimSpec};
pub use run::run;
