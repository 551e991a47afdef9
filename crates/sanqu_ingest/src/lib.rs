//! Sessions on the bus, the robot's publisher and the recorder's subscriber with its accounting. The only crate that
//! names zenoh; programs see bytes, keys and counts.
//!
//! ```text
//! robot:     RobotPublisher ── samples, heartbeats ──►┐
//!            (answers @describe, @counts, @alive)     │ Node (router in the recorder, clients elsewhere)
//! recorder:  Intake ◄── byte-bounded queue ◄──────────┘
//!            Service ◄── control requests
//! ```

mod announce;
mod error;
mod intake;
mod node;
mod publisher;
mod queue;
mod service;

pub use announce::{Counts, describe, describe_robot, final_counts, robots_alive};
pub use error::IngestError;
pub use intake::{BadKeys, Intake, Received};
pub use node::{CONNECT_TIMEOUT, Node};
pub use publisher::{HEARTBEAT_PERIOD, RobotPublisher};
pub use queue::{QUEUE_SAMPLES_MAX, Refused, RefusedReason};
pub use service::{Request, Service, ask};
