//! Rows of recorded numbers, held in memory or read from their file in windows of some seconds.
//!
//! Values of a long recording do not fit into memory; a robot shows one row at a time. [`RowSource`] is what tracks ask for
//! rows. Behind it are rows in memory, or [`Windows`] of a file: one [`WindowCache`] for all robots of a replay holds the windows
//! shown, the next ones and those looked at last, up to a number of bytes. What is not there is read at once: what is shown
//! never depends on what was held.

mod ahead;
mod cache;
mod jump;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::ops::{Deref, Range};
use std::sync::Arc;

use sanqu_store::{RowReader, Series, StoreError};

pub use cache::{WINDOW_BYTES_MAX, WindowCache, Windows};
pub use jump::{Reading, read_all};

/// Rows that can be read by spans: a file, or a test's double of it.
pub trait ReadRows: Debug + Send + Sync {
    /// Values a row.
    fn width(&self) -> usize;
    /// Number of rows.
    fn rows(&self) -> usize;
    /// Rows at which a reading costs least to begin, ascending.
    fn page_starts(&self) -> &[usize];
    /// Values of these rows, row-major.
    ///
    /// # Errors
    /// When they cannot be read; fewer rows are an error too.
    fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, StoreError>;
}

impl ReadRows for RowReader {
    fn width(&self) -> usize {
        self.columns().len()
    }

    fn rows(&self) -> usize {
        self.rows()
    }

    fn page_starts(&self) -> &[usize] {
        self.page_starts()
    }

    fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, StoreError> {
        self.read(rows)
    }
}

/// Where rows come from. A further source is a further variant: it answers in [`RowSource::rows`], [`RowSource::row`] and
/// [`RowSource::row_after`]; tracks know nothing else of it.
#[derive(Debug)]
pub enum RowSource {
    /// Rows in memory.
    Memory {
        /// Values a row.
        width: usize,
        /// Row-major.
        values: Vec<f64>,
    },
    /// Rows of a file.
    Windows(Windows),
}

/// The values of one row.
#[derive(Clone, Debug)]
pub enum RowValues<'a> {
    /// Held in memory for as long as their source.
    Borrowed(&'a [f64]),
    /// Part of a window.
    Window(Arc<Vec<f64>>, Range<usize>),
}

impl Deref for RowValues<'_> {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        match self {
            Self::Borrowed(values) => values,
            Self::Window(values, range) => values.get(range.clone()).unwrap_or(&[]),
        }
    }
}

/// Why rows cannot be read, in words.
pub type Unreadable = Arc<str>;

impl RowSource {
    /// The rows of a series, in memory.
    pub fn of_series(series: &Series) -> Self {
        Self::Memory { width: series.names.len(), values: series.values.clone() }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Memory { width: 0, .. } => 0,
            Self::Memory { width, values } => values.len() / width,
            Self::Windows(windows) => windows.rows(),
        }
    }

    /// The values of a row that is shown; none of them when there is no such row.
    ///
    /// # Errors
    /// When the row cannot be read, the reason.
    pub fn row(&self, row: usize) -> Result<RowValues<'_>, Unreadable> {
        self.get(row, true)
    }

    /// The values of the row behind `row`, which stays the one that is shown.
    ///
    /// # Errors
    /// When the row cannot be read, the reason.
    pub fn row_after(&self, row: usize) -> Result<RowValues<'_>, Unreadable> {
        self.peek(row + 1)
    }

    /// The values of a row that is looked at beside the one shown, as a curve does; none of them when there is no such row.
    ///
    /// # Errors
    /// When the row cannot be read, the reason.
    pub fn peek(&self, row: usize) -> Result<RowValues<'_>, Unreadable> {
        self.get(row, false)
    }

    /// Says that a row is about to be shown. When it is not held, the reading that would get it: for [`read_all`], with those of
    /// other sources. Who does not read it loses only time.
    pub fn announce(&self, row: usize) -> Option<Reading> {
        self.missing(row, true)
    }

    /// As [`Self::announce`], for a row that is only looked at, as by [`Self::row_after`].
    pub fn announce_peek(&self, row: usize) -> Option<Reading> {
        self.missing(row, false)
    }

    fn missing(&self, row: usize, shown: bool) -> Option<Reading> {
        match self {
            Self::Memory { .. } => None,
            Self::Windows(windows) => windows.missing(row, shown),
        }
    }

    fn get(&self, row: usize, shown: bool) -> Result<RowValues<'_>, Unreadable> {
        match self {
            Self::Memory { width, values } => {
                let range = row.checked_mul(*width).map(|start| start..start + width);
                Ok(RowValues::Borrowed(range.and_then(|range| values.get(range)).unwrap_or(&[])))
            }
            Self::Windows(windows) => windows.row(row, shown),
        }
    }

    /// Why the row that was last shown could not be read; none when it could.
    pub fn problem(&self) -> Option<Unreadable> {
        match self {
            Self::Memory { .. } => None,
            Self::Windows(windows) => windows.problem(),
        }
    }
}
