//! The live view: what robots publish over zenoh, drawn by rerun while it happens, and kept as an `.rrd` file if wanted.
//!
//! ```text
//! zenoh ──► Intake ──► one thread ──► queue (drop-oldest) ──► painter thread ──► rerun stream: file
//!                                └──► queue (drop-oldest) ──► painter thread ──► rerun stream: server
//! ```
//!
//! Instead of rerun's outputs, [`ArrowPipe`] writes the samples to a program that draws them itself (`sanqu-replay --live`).
//!
//! Everything here may lose data: it is for looking, the recorder is for keeping. rerun's sinks block their caller when a
//! viewer stalls, so every output has its own stream, queue and thread, and a stalled one delays nobody else. What a queue
//! had to drop is counted and said.

mod arrow_pipe;
mod batch;
mod body;
mod error;
mod layout;
mod outlet;
mod painter;
mod queue;
mod rows;
mod shapes;
mod stage;
mod view;

pub use arrow_pipe::{ArrowPipe, PipeReport};
pub use error::LiveError;
pub use outlet::{DEFAULT_PORT, OutletReport, Target};
pub use stage::Stage;
pub use view::LiveView;
