//! Through real stores: journals are written, sealed, asked and exported.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

mod bags;
mod import;
mod lerobot;
mod recording;
mod rosbag;
mod sets;
mod sql;
