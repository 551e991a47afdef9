//! Tables made of manifests, decisions, and the small files beside them.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array, new_null_array};
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::cast;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sanqu_model::{Manifest, StreamEntry};
use sanqu_store::{DecisionKind, Episode, EpisodeState, Store};

use super::lazy::{Batches, Table};
use crate::DatasetError;

/// The table `episodes`: everything that the store knows of, open ones included.
pub(super) fn episodes(store: &Store, schema: SchemaRef) -> Result<Batches, DatasetError> {
    let states = store.episode_states()?;
    let mut decided = Vec::new();
    for state in &states {
        decided.push(if state.open { Decided::default() } else { Decided::of(&Episode::open(&state.path)?)? });
    }
    let rows: Vec<(&EpisodeState, &Decided)> = states.iter().zip(&decided).collect();
    let manifest = |f: &dyn Fn(&Manifest) -> Option<String>| text(rows.iter().map(|(s, _)| s.manifest.as_ref().and_then(f)));
    let time = |f: &dyn Fn(&Manifest) -> i64| times(rows.iter().map(|(s, _)| s.manifest.as_ref().map(f)));
    let id = |id: &Option<sanqu_model::Id>| id.as_ref().map(ToString::to_string);
    let robots = |m: &Manifest| m.robots.iter().map(|r| r.robot.to_string()).collect::<Vec<_>>().join(",");
    let columns: Vec<ArrayRef> = vec![
        text(rows.iter().map(|(s, _)| Some(s.episode.to_string()))),
        text(rows.iter().map(|_| Some(store.field().to_string()))),
        manifest(&|m| id(&m.zone)),
        manifest(&|m| Some(m.station.to_string())),
        manifest(&|m| id(&m.task)),
        manifest(&|m| Some(m.prompt.clone())),
        manifest(&|m| id(&m.operator)),
        manifest(&|m| Some(robots(m))),
        time(&|m| m.start_ns),
        time(&|m| m.stop_ns),
        floats(rows.iter().map(|(s, _)| s.manifest.as_ref().map(|m| (m.stop_ns - m.start_ns) as f64 / 1e9))),
        text(rows.iter().map(|(_, d)| d.outcome.clone())),
        text(rows.iter().map(|(_, d)| d.reason.clone())),
        text(rows.iter().map(|(s, d)| Some(if s.open { "open" } else { d.state }.to_owned()))),
        text(rows.iter().map(|_| None)),
        manifest(&|m| Some(m.ended_by.clone())),
        counts(rows.iter().map(|(s, _)| s.manifest.as_ref().map(|m| m.streams.iter().map(|e| e.lost.total()).sum()))),
        text(rows.iter().map(|(s, _)| Some(s.path.display().to_string()))),
    ];
    one(schema, columns)
}

/// What the decisions about an episode come to.
struct Decided {
    state: &'static str,
    outcome: Option<String>,
    reason: Option<String>,
}

impl Default for Decided {
    fn default() -> Self {
        Self { state: "sealed", outcome: None, reason: None }
    }
}

impl Decided {
    fn of(episode: &Episode) -> Result<Self, DatasetError> {
        let mut decided = Self::default();
        let mut kept_or_discarded = Vec::new();
        for decision in episode.decisions()? {
            match decision.kind {
                DecisionKind::Keep => kept_or_discarded.push(("kept", decision.reason)),
                DecisionKind::Discard => kept_or_discarded.push(("discarded", decision.reason)),
                DecisionKind::Undo => {
                    kept_or_discarded.pop();
                }
                DecisionKind::Outcome => decided.outcome = Some(decision.reason),
            }
        }
        if let Some((state, reason)) = kept_or_discarded.pop() {
            decided.state = state;
            decided.reason = Some(reason).filter(|reason| !reason.is_empty());
        }
        Ok(decided)
    }
}

/// The table `streams`.
pub(super) fn streams(store: &Store, schema: SchemaRef) -> Result<Batches, DatasetError> {
    let episodes = store.episodes()?;
    let rows: Vec<(String, &StreamEntry)> =
        episodes.iter().flat_map(|e| e.manifest().streams.iter().map(|s| (e.manifest().episode.to_string(), s))).collect();
    let word = |f: &dyn Fn(&StreamEntry) -> String| text(rows.iter().map(|(_, s)| Some(f(s))));
    let count = |f: &dyn Fn(&StreamEntry) -> Option<u64>| counts(rows.iter().map(|(_, s)| f(s)));
    let columns: Vec<ArrayRef> = vec![
        text(rows.iter().map(|(episode, _)| Some(episode.clone()))),
        word(&|s| s.robot.to_string()),
        word(&|s| s.stream.to_string()),
        word(&|s| s.encoding.clone()),
        count(&|s| Some(s.rows)),
        count(&|s| Some(s.rows_in_episode)),
        times(rows.iter().map(|(_, s)| s.first_t_ns)),
        times(rows.iter().map(|(_, s)| s.last_t_ns)),
        floats(rows.iter().map(|(_, s)| Some(s.rate_hz))),
        floats(rows.iter().map(|(_, s)| Some(s.nominal_rate_hz))),
        count(&|s| s.expected),
        count(&|s| Some(s.received)),
        count(&|s| Some(s.lost.total())),
        count(&|s| Some(s.duplicates)),
        count(&|s| Some(s.files.iter().map(|f| f.bytes).sum())),
        word(&|s| s.files.iter().map(|f| f.sha256.as_str()).collect::<Vec<_>>().join(",")),
    ];
    one(schema, columns)
}

/// The tables `loss` and `events`: the file of that name of every episode, with the episode in front.
pub(super) fn side_files(store: &Store, table: Table, schema: SchemaRef) -> Result<Batches, DatasetError> {
    let name = format!("{}.parquet", table.name());
    let episodes: Vec<Episode> =
        store.episodes()?.into_iter().filter(|episode| episode.manifest().files.iter().any(|file| file.name == name)).collect();
    let batches = episodes.into_iter().flat_map(move |episode| -> Batches {
        let id = episode.manifest().episode.to_string();
        match side_file(&episode, &name) {
            Ok(found) => {
                let schema = Arc::clone(&schema);
                Box::new(found.into_iter().map(move |batch| shaped(&schema, &id, &[], &batch)))
            }
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    });
    Ok(Box::new(batches))
}

fn side_file(episode: &Episode, name: &str) -> Result<Vec<RecordBatch>, DatasetError> {
    let path = episode.dir().join(name);
    let file = File::open(&path).map_err(|source| DatasetError::Io { path: path.clone(), source })?;
    let damaged = |source| DatasetError::Parquet { path: path.clone(), source: Box::new(source) };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build()).map_err(damaged)?;
    reader
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| DatasetError::Arrow { what: path.display().to_string(), source: Box::new(source) })
}

/// A batch in the table's shape: the episode, the given constants, then the file's columns by name; null where the
/// file does not have one.
pub(super) fn shaped(
    schema: &SchemaRef,
    episode: &str,
    constants: &[(&str, &str)],
    batch: &RecordBatch,
) -> Result<RecordBatch, DatasetError> {
    let rows = batch.num_rows();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let constant = constants.iter().find(|(name, _)| name == field.name()).map(|(_, value)| *value);
        let constant = if field.name() == "episode" { Some(episode) } else { constant };
        let column: ArrayRef = match (constant, batch.column_by_name(field.name())) {
            (Some(value), _) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))),
            (None, Some(column)) if column.data_type() == field.data_type() => Arc::clone(column),
            (None, Some(column)) => cast(column, field.data_type()).map_err(|source| arrow_error(field.name(), source))?,
            (None, None) => new_null_array(field.data_type(), rows),
        };
        columns.push(column);
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|source| arrow_error(episode, source))
}

pub(super) fn arrow_error(what: &str, source: arrow_schema::ArrowError) -> DatasetError {
    DatasetError::Arrow { what: what.to_owned(), source: Box::new(source) }
}

fn one(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<Batches, DatasetError> {
    let batch = RecordBatch::try_new(schema, columns).map_err(|source| arrow_error("catalog", source))?;
    Ok(Box::new(std::iter::once(Ok(batch))))
}

fn text(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
}

fn floats(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

fn counts(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.collect::<UInt64Array>())
}
