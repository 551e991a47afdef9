//! The store: journal, seal, episode folder, cursor, verify and repair.
//!
//! A recorder appends samples verbatim to a [`JournalWriter`] (MCAP). When the episode ends, [`seal`] decodes the journal
//! once, accounts for every row, writes Parquet and MP4, reads them back and only then removes the journal. [`Episode`],
//! [`Series`] and [`Cursor`] read what was sealed; [`verify`] proves that it is still whole; [`repair`] seals what a crash
//! left behind. Every change on the disk goes through [`disk`]. This crate knows no bus and runs no threads.

mod control;
mod decision;
mod derived;
mod describe;
pub mod disk;
mod episode;
mod error;
mod files;
mod journal;
mod lock;
pub mod mp4;
mod notes;
mod repair;
mod rows;
mod seal;
mod series;
mod snapshot;
mod store;
mod verify;

pub use control::{CONTROL_TOPIC, Control, EpisodeStart, Sample};
pub use decision::{Decision, DecisionKind};
pub use derived::Columns;
pub use describe::describe_file;
pub use episode::Episode;
pub use error::StoreError;
pub use journal::{JournalSyncer, JournalWriter, ROS1_DEFINITION, ROS1_TYPE, SEGMENT_BYTES_TARGET, Survey, survey};
pub use lock::StoreLock;
pub use notes::EpisodeEvent;
pub use repair::{Repaired, repair, repair_under};
pub use rows::{RowReader, ValueColumn};
pub use seal::{IMPORTED, SealProgress, SealStage, check_balance, seal};
pub use series::{Cursor, Sampled, Series};
pub use store::{EpisodeState, Store};
pub use verify::{Issue, Severity, VerifyReport, verify};
