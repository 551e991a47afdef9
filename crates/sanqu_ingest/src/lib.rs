//! Sessions on the bus, the robot's publisher and the recorder's subscriber with its accounting. The only crate that
//! names zenoh; programs see bytes, keys and counts.
//!
//! ```text
//! robot:     RobotPublisher ── ring ── senders ──────►┐
//!            (answers @describe, @counts, @resend)    │ Node (router in the recorder, clients elsewhere)
//! recorder:  Intake ◄── byte-bounded queues ◄─────────┘
//!            Service ◄── control requests
//! ```

mod access;
mod announce;
mod batch;
mod bulletin;
mod claim;
mod error;
mod held;
mod intake;
mod keys;
mod link;
mod node;
mod outbox;
mod publisher;
mod queue;
mod refusal_layer;
mod refusals;
mod resend;
mod ring;
mod sender;
mod service;
mod spill;

pub use announce::{Counts, describe, describe_robot, final_counts, robot_counts, robots_alive};
pub use batch::{Arrived, Batch};
pub use bulletin::Bulletin;
pub use claim::Claim;
pub use error::IngestError;
pub use held::{Held, Outage, RING_BYTES_MAX, RING_HOLD, RingConfig, Spill};
pub use intake::{BadKeys, Intake, Place, Received, Unplaced};
pub use keys::{CA_FILE, CERT_FILE, Certificate, Holder, KEY_FILE, Keys, Role, field_organisation, holders_in};
pub use node::{CONNECT_TIMEOUT, Node};
pub use publisher::{HEARTBEAT_PERIOD, RobotPublisher};
pub use queue::{Fill, QUEUE_SAMPLES_MAX, Queue, Refused, RefusedReason};
pub use refusals::{Refusal, RefusalKind, RefusalReport, Refusals};
pub use resend::{RESEND_BYTES_MAX, Resent, resend};
pub use service::{Request, Service, ask};
