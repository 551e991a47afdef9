//! The files of an episode that belong to no single stream, read back.

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use sanqu_model::{LossRow, T};
use serde::de::DeserializeOwned;

use crate::episode::read_parquet;
use crate::{Episode, StoreError};

/// The loss ledger's file, and that of the events.
const LOSS_FILE: &str = "loss.parquet";
const EVENTS_FILE: &str = "events.parquet";

/// Something that was said while an episode was recorded: a mark, a refused stream, a disk that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeEvent {
    /// When, ns since the Unix epoch, on the recorder's clock.
    pub t_ns: i64,
    /// What kind: `mark`, `write_failed`, ….
    pub name: String,
    /// What happened, in words.
    pub text: String,
}

impl Episode {
    /// The loss ledger: which rows of which stream are missing, and why; empty when the episode has none.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::Damaged`] naming column and what was expected.
    pub fn loss(&self) -> Result<Vec<LossRow>, StoreError> {
        self.rows_of(LOSS_FILE, loss_rows)
    }

    /// The events, in the order of the journal; empty when the episode has none.
    ///
    /// # Errors
    /// As [`Episode::loss`].
    pub fn events(&self) -> Result<Vec<EpisodeEvent>, StoreError> {
        self.rows_of(EVENTS_FILE, event_rows)
    }

    fn rows_of<R>(&self, name: &str, rows: fn(&RecordBatch) -> Result<Vec<R>, String>) -> Result<Vec<R>, StoreError> {
        if !self.manifest().files.iter().any(|file| file.name == name) {
            return Ok(Vec::new());
        }
        let path = self.dir().join(name);
        let mut found = Vec::new();
        for batch in read_parquet(&path, None)? {
            found.extend(rows(&batch?).map_err(|reason| StoreError::damaged(&path, reason))?);
        }
        Ok(found)
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("no column {name}"))
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<Vec<&'a str>, String> {
    let column = column(batch, name)?;
    let texts = column.as_string_opt::<i32>().ok_or_else(|| format!("column {name} has type {}, expected text", column.data_type()))?;
    Ok(texts.iter().map(Option::unwrap_or_default).collect())
}

fn sequences(batch: &RecordBatch, name: &str) -> Result<Vec<Option<u64>>, String> {
    let column = column(batch, name)?;
    let numbers = column.as_primitive_opt::<UInt64Type>();
    Ok(numbers.ok_or_else(|| format!("column {name} has type {}, expected uint64", column.data_type()))?.iter().collect())
}

fn word<W: DeserializeOwned>(column: &str, text: &str) -> Result<W, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("column {column} says {text:?}, which is no word of the ledger"))
}

fn loss_rows(batch: &RecordBatch) -> Result<Vec<LossRow>, String> {
    let (robots, streams) = (texts(batch, "robot")?, texts(batch, "stream")?);
    let (causes, noticed) = (texts(batch, "cause")?, texts(batch, "detected_by")?);
    let (from, to) = (sequences(batch, "from_seq")?, sequences(batch, "to_seq")?);
    let runs = column(batch, "run")?.as_primitive_opt::<UInt32Type>().ok_or("column run is not uint32")?;
    (0..batch.num_rows())
        .map(|row| {
            Ok(LossRow {
                robot: robots[row].parse().map_err(|e| format!("column robot: {e}"))?,
                stream: streams[row].parse().map_err(|e| format!("column stream: {e}"))?,
                run: runs.value(row),
                from_seq: from[row],
                to_seq: to[row],
                cause: word("cause", causes[row])?,
                detected_by: word("detected_by", noticed[row])?,
            })
        })
        .collect()
}

fn event_rows(batch: &RecordBatch) -> Result<Vec<EpisodeEvent>, String> {
    let times = column(batch, T)?.as_primitive_opt::<TimestampNanosecondType>().ok_or("column t is no time in ns")?;
    let (names, words) = (texts(batch, "name")?, texts(batch, "text")?);
    let event = |row: usize| EpisodeEvent { t_ns: times.value(row), name: names[row].to_owned(), text: words[row].to_owned() };
    Ok((0..batch.num_rows()).map(event).collect())
}
