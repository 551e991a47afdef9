//! Encoded pictures of a film by number, and which of them decoding can begin at.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{BinaryArray, RecordBatch};
use sanqu_model::{StreamEntry, VIDEO_DATA, VIDEO_KEYFRAME};
use sanqu_store::Episode;
use sanqu_store::mp4::Mp4Reader;

use super::LiveFilm;

/// Units read from a Parquet file at once.
const READ_ROWS: usize = 16;

/// Where the units of a film are.
pub(super) enum Units {
    File(Box<Mp4Reader>),
    Rows(Box<Rows>),
    Live(Arc<LiveFilm>),
}

impl Units {
    /// The last picture at or before `row` that decoding can begin at.
    pub(super) fn keyframe_before(&self, row: usize) -> Result<usize, String> {
        match self {
            Self::File(reader) => {
                reader.keyframe_before(row).ok_or_else(|| format!("the film has {} frames, none of row {row}", reader.len()))
            }
            Self::Rows(rows) => rows.keyframe_before(row),
            Self::Live(film) => film.keyframe_before(row).ok_or_else(|| "its keyframe is not held".to_owned()),
        }
    }

    /// The unit of a picture; those behind it up to `last` will be asked for next.
    pub(super) fn unit(&mut self, row: usize, last: usize) -> Result<Vec<u8>, String> {
        match self {
            Self::File(reader) => reader.frame(row).map_err(|error| error.to_string()),
            Self::Rows(rows) => rows.unit(row, last),
            Self::Live(film) => film.frame(row).map(|bytes| bytes.to_vec()).ok_or_else(|| "it is not held any more".to_owned()),
        }
    }
}

/// Units in a column of the stream's Parquet file.
pub(super) struct Rows {
    episode: Episode,
    stream: StreamEntry,
    /// Rows that decoding can begin at, ascending.
    keyframes: Vec<usize>,
    rows: usize,
    /// Units that were read and not used yet, with their rows.
    read: VecDeque<(usize, Vec<u8>)>,
}

impl Rows {
    /// Reads which rows are keyframes.
    ///
    /// # Errors
    /// In words for the picture's place.
    pub(super) fn open(episode: &Episode, stream: &StreamEntry) -> Result<Self, String> {
        let (mut keyframes, mut rows) = (Vec::new(), 0);
        for batch in episode.read(stream, Some(&[VIDEO_KEYFRAME])).map_err(|error| error.to_string())? {
            let batch = batch.map_err(|error| error.to_string())?;
            let column = batch.column_by_name(VIDEO_KEYFRAME).and_then(|column| column.as_boolean_opt());
            let column = column.ok_or_else(|| format!("column {VIDEO_KEYFRAME} is not one of true and false"))?;
            keyframes.extend(column.iter().enumerate().filter(|(_, key)| *key == Some(true)).map(|(row, _)| rows + row));
            rows += batch.num_rows();
        }
        Ok(Self { episode: episode.clone(), stream: stream.clone(), keyframes, rows, read: VecDeque::new() })
    }

    fn keyframe_before(&self, row: usize) -> Result<usize, String> {
        if row >= self.rows {
            return Err(format!("the film has {} frames, none of row {row}", self.rows));
        }
        let before = self.keyframes.partition_point(|key| *key <= row).checked_sub(1);
        before.map(|index| self.keyframes[index]).ok_or_else(|| format!("frame {row}: no keyframe before it"))
    }

    /// The unit of `row`; reads it and those behind it up to `last`, and some more.
    fn unit(&mut self, row: usize, last: usize) -> Result<Vec<u8>, String> {
        while self.read.front().is_some_and(|(held, _)| *held < row) {
            self.read.pop_front();
        }
        if self.read.front().is_none_or(|(held, _)| *held != row) {
            let end = last.saturating_add(1).clamp(row + READ_ROWS, row + 4 * READ_ROWS).min(self.rows);
            self.read = units(&self.episode, &self.stream, row..end)?;
        }
        self.read.pop_front().map(|(_, unit)| unit).ok_or_else(|| format!("no row {row}"))
    }
}

fn units(episode: &Episode, stream: &StreamEntry, rows: Range<usize>) -> Result<VecDeque<(usize, Vec<u8>)>, String> {
    let mut units = VecDeque::with_capacity(rows.len());
    for batch in episode.read_rows(stream, Some(&[VIDEO_DATA]), rows.clone()).map_err(|error| error.to_string())? {
        for bytes in bytes_of(&batch.map_err(|error| error.to_string())?)?.iter() {
            let row = rows.start + units.len();
            units.push_back((row, bytes.ok_or_else(|| format!("no bytes in row {row}"))?.to_vec()));
        }
    }
    Ok(units)
}

/// The column of payloads.
pub(super) fn bytes_of(batch: &RecordBatch) -> Result<&BinaryArray, String> {
    let column = batch.column_by_name(VIDEO_DATA).and_then(|column| column.as_binary_opt::<i32>());
    column.ok_or_else(|| format!("column {VIDEO_DATA} holds no bytes"))
}
