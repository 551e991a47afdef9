//! Catalog, SQL, import and export of datasets.
//!
//! [`sql`] asks questions over a store, [`export_lerobot`] turns episodes into a dataset that LeRobot trains on,
//! [`import_rosbag`] turns ROS 1 bags into episodes, [`import_lerobot`] LeRobot datasets of other people.

mod error;
mod lerobot;
mod outside;
mod rosbag;
mod sql;

pub use error::DatasetError;
pub use lerobot::{
    ActionSource, ImportProblem, ImportedEpisode, JointMap, LerobotImportOptions, LerobotImportProgress, LerobotImportReport,
    LerobotOptions, LerobotProgress, LerobotReport, SourceReport, UNDATED_NS, export_lerobot, import_lerobot,
};
pub use rosbag::{DEFAULT_ROBOT, RosbagOptions, RosbagProgress, import_rosbag};
pub use sql::{filter, sql, write_csv, write_json, write_parquet, write_table};
