//! Replay of what is happening: the running field, some tenths of a second behind.
//!
//! ```text
//! sanqu-live --arrow (a child) ──pipe──► Inbox (a thread) ──► LiveField ──► Replay (tracks and lanes grow, old rows go)
//!                                                     Follow: the playhead stays `delay` behind the newest rows
//! ```
//!
//! The child subscribes, so this crate knows no bus (`docs/live-pipe.md` is the pipe's format). A viewer that is slow makes
//! the child drop what is oldest, and be told; a child that ends leaves its last state, which grows old and grey. Beyond that a
//! live replay is a replay: the same tracks, gaps, lanes and panels, whose rows are in memory and bounded.

mod child;
mod drives;
mod field;
mod follow;
mod gather;
mod inbox;
mod marks;
mod numbering;
mod plugin;
mod ring;
mod stage;
mod widen;

pub use child::{Child, ChildOptions, PROGRAM};
pub(crate) use drives::LiveDrives;
pub use field::LiveField;
pub use follow::{Follow, LIVE_DELAY_SECS, LIVE_DELAY_SECS_MAX};
pub use gather::{Gather, Gathered, gather};
pub use inbox::{INBOX_BYTES_MAX, Inbox};
pub use plugin::{LivePlugin, LiveSource};
pub use ring::{HOLD_SECS, RING_BYTES_MAX, RingLimits};
pub use stage::{LiveStage, stage};
