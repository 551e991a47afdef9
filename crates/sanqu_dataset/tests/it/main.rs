//! Through real stores: journals are written, sealed, asked and exported.

mod bags;
mod lerobot;
mod recording;
mod rosbag;
mod sql;
