//! Tables that are read when a query scans them.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use sanqu_store::Store;

use super::{catalog, long};
use crate::DatasetError;

/// The column of a row's time on the field timeline, by which rows of several robots are compared.
pub(super) const T_FIELD: &str = "t_field";

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// See the module [`super`] for all of them.
    Episodes,
    Streams,
    Loss,
    Events,
    Joint,
    Motor,
    Frames,
}

/// Rows that are made batch by batch.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, DatasetError>> + Send>;

impl Table {
    /// Its name in queries.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Episodes => "episodes",
            Self::Streams => "streams",
            Self::Loss => "loss",
            Self::Events => "events",
            Self::Joint => "joint",
            Self::Motor => "motor",
            Self::Frames => "frames",
        }
    }

    fn schema(self) -> Schema {
        let time = || DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let (text, float, count) = (|| DataType::Utf8, || DataType::Float64, || DataType::UInt64);
        let columns: Vec<(&str, DataType)> = match self {
            Self::Episodes => {
                let mut columns: Vec<_> =
                    ["episode", "field", "zone", "station", "task", "prompt", "operator", "robots"].map(|c| (c, text())).to_vec();
                columns.extend([("start", time()), ("stop", time()), ("duration_secs", float())]);
                columns.extend(["outcome", "reason", "state", "verdict", "ended_by"].map(|c| (c, text())));
                columns.extend([("lost", count()), ("folder", text())]);
                columns
            }
            Self::Streams => {
                let mut columns: Vec<_> = ["episode", "robot", "stream", "encoding"].map(|c| (c, text())).to_vec();
                columns.extend([("rows", count()), ("rows_in_episode", count()), ("first_t", time()), ("last_t", time())]);
                columns.extend([("rate_hz", float()), ("nominal_rate_hz", float())]);
                columns.extend(["expected", "received", "lost", "duplicates", "bytes"].map(|c| (c, count())));
                columns.push(("sha256", text()));
                columns
            }
            Self::Loss => vec![
                ("episode", text()),
                ("robot", text()),
                ("stream", text()),
                ("run", DataType::UInt32),
                ("from_seq", count()),
                ("to_seq", count()),
                ("cause", text()),
                ("detected_by", text()),
            ],
            Self::Events => vec![("episode", text()), ("t", time()), ("name", text()), ("text", text())],
            Self::Joint | Self::Motor => {
                let mut columns = vec![("episode", text()), ("robot", text()), (self.name(), text())];
                columns.extend([("t", time()), (T_FIELD, time()), ("t_recv", time()), ("run", DataType::UInt32), ("seq", count())]);
                columns.extend(self.quantities().iter().map(|name| (*name, if *name == "err" { DataType::UInt32 } else { float() })));
                columns
            }
            Self::Frames => {
                let mut columns = vec![("episode", text()), ("robot", text()), ("camera", text())];
                columns.extend([("t", time()), (T_FIELD, time()), ("t_recv", time()), ("run", DataType::UInt32), ("seq", count())]);
                columns.extend([("pts_ns", DataType::Int64), ("keyframe", DataType::Boolean), ("bytes", count())]);
                columns
            }
        };
        Schema::new(columns.into_iter().map(|(name, arrow)| Field::new(name, arrow, true)).collect::<Vec<_>>())
    }

    /// Columns of the long forms that are quantities of the stream.
    pub(super) fn quantities(self) -> &'static [&'static str] {
        match self {
            Self::Joint => &["pos", "vel", "effort"],
            Self::Motor => &["pos", "vel", "current", "torque", "temp", "err"],
            _ => &[],
        }
    }

    fn batches(self, store: &Store, schema: &SchemaRef) -> Result<Batches, DatasetError> {
        let schema = Arc::clone(schema);
        match self {
            Self::Episodes => catalog::episodes(store, schema),
            Self::Streams => catalog::streams(store, schema),
            Self::Loss | Self::Events => catalog::side_files(store, self, schema),
            Self::Joint | Self::Motor => long::rows(store, self, schema),
            Self::Frames => long::frames(store, schema),
        }
    }
}

/// A table of a store.
#[derive(Debug)]
pub(super) struct Lazy {
    store: Store,
    table: Table,
    schema: SchemaRef,
}

impl Lazy {
    /// The table; nothing is read yet.
    pub(super) fn new(store: Store, table: Table) -> Self {
        Self { store, table, schema: Arc::new(table.schema()) }
    }

    /// Its columns.
    pub(super) fn table_schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl PartitionStream for Lazy {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = self.table.batches(&self.store, &self.schema).unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
        let batches = batches.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error))));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::iter(batches)))
    }
}
