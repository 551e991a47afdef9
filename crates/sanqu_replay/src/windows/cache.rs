//! The windows of all sources of a replay, within one number of bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{ReadRows, Reading, RowValues, Unreadable, ahead};

/// Most bytes of values that a replay holds. 31 robots of 50 joints at 500 Hz show 31 MB and have as much read ahead. More is held
/// only where the windows of one instant are more, each of them at most [`WINDOW_VALUES_MAX`] values.
pub const WINDOW_BYTES_MAX: usize = 96 << 20;
/// Short pages are read together, up to so many rows: a reading has its price.
const WINDOW_ROWS_MIN: usize = 1_024;
/// Most values of a window: 2 MiB. Longer pages, and files that do not say where theirs are, are cut.
const WINDOW_VALUES_MAX: usize = 256 << 10;

type SourceId = u64;
/// A source and the number of one of its windows.
pub(super) type Place = (SourceId, usize);
pub(super) type Read = Result<Arc<Vec<f64>>, Unreadable>;

/// The windows that are held, and who reads them ahead.
#[derive(Debug)]
pub struct WindowCache {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    desk: Mutex<Desk>,
    pub(super) changed: Condvar,
    bytes_max: usize,
}

#[derive(Debug, Default)]
pub(super) struct Desk {
    sources: BTreeMap<SourceId, Source>,
    next_source: SourceId,
    held: HashMap<Place, Held>,
    bytes: usize,
    /// Bytes of two windows of every source: the longest, shown, and as long a one behind it.
    needed: usize,
    /// Counts uses: what was used last has the greatest number.
    uses: u64,
    pub(super) closing: bool,
}

#[derive(Debug)]
struct Source {
    file: Arc<File>,
    /// The row that is shown.
    shown: Option<usize>,
    /// The window that is to be read ahead.
    wanted: Option<usize>,
}

#[derive(Debug)]
struct Held {
    read: Read,
    bytes: usize,
    used: u64,
}

/// A file and its windows.
#[derive(Debug)]
pub(super) struct File {
    reader: Box<dyn ReadRows>,
    /// First row of each window, and the number of rows.
    starts: Vec<usize>,
    /// Bytes of the longest of them.
    bytes_max: usize,
}

impl File {
    fn new(reader: Box<dyn ReadRows>) -> Self {
        let rows_max = (WINDOW_VALUES_MAX / reader.width().max(1)).max(1);
        let starts = starts(reader.page_starts(), reader.rows(), rows_max);
        let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let bytes_max = longest * reader.width() * size_of::<f64>();
        Self { reader, starts, bytes_max }
    }

    fn window_of(&self, row: usize) -> usize {
        self.starts.partition_point(|start| *start <= row).saturating_sub(1)
    }

    fn windows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(super) fn read(&self, window: usize) -> Read {
        let rows = self.starts[window]..self.starts[window + 1];
        self.reader.read(rows).map(Arc::new).map_err(|error| Unreadable::from(error.to_string()))
    }
}

/// First rows of windows, and the number of rows behind them: windows of whole pages where these are not too long.
pub(super) fn starts(pages: &[usize], rows: usize, rows_max: usize) -> Vec<usize> {
    let mut starts = vec![0];
    let ends = pages.iter().copied().filter(|page| (1..rows).contains(page)).chain([rows]);
    let mut begin = 0;
    for end in ends {
        // A page is added to the window before it while that is short.
        if begin > 0 && end - starts.last().copied().unwrap_or(0) > WINDOW_ROWS_MIN.min(rows_max) {
            push(&mut starts, begin, rows_max);
        }
        begin = end;
    }
    push(&mut starts, rows, rows_max);
    starts
}

/// Adds a border behind the last one, and those that it takes to keep windows short.
fn push(starts: &mut Vec<usize>, border: usize, rows_max: usize) {
    while let Some(last) = starts.last().copied().filter(|last| *last < border) {
        starts.push(border.min(last + rows_max));
    }
}

impl WindowCache {
    /// A cache without sources.
    ///
    /// * `bytes_max`: as a rule [`WINDOW_BYTES_MAX`].
    ///
    /// # Errors
    /// When the thread that reads ahead cannot be started.
    pub fn new(bytes_max: usize) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared { desk: Mutex::default(), changed: Condvar::new(), bytes_max });
        let theirs = Arc::clone(&shared);
        let worker = std::thread::Builder::new().name("rows".to_owned()).spawn(move || ahead::work(&theirs))?;
        Ok(Arc::new(Self { shared, worker: Some(worker) }))
    }

    /// Adds a file.
    pub fn add(self: &Arc<Self>, reader: impl ReadRows + 'static) -> Windows {
        let file = Arc::new(File::new(Box::new(reader)));
        let mut desk = self.shared.lock();
        let source = desk.next_source;
        desk.next_source += 1;
        desk.needed += 2 * file.bytes_max;
        desk.sources.insert(source, Source { file: Arc::clone(&file), shown: None, wanted: None });
        Windows { cache: Arc::clone(self), source, file }
    }

    /// Bytes of values held now.
    pub fn bytes(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Waits until nothing is left to be read ahead.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        let mut desk = self.shared.lock();
        while !desk.closing && desk.sources.values().any(|source| source.wanted.is_some()) {
            desk = self.shared.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for WindowCache {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has said so itself.
            let _ = worker.join();
        }
    }
}

/// One file's rows, through the cache.
#[derive(Debug)]
pub struct Windows {
    cache: Arc<WindowCache>,
    source: SourceId,
    file: Arc<File>,
}

impl Windows {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.file.reader.rows()
    }

    /// The values of a row; none of them when there is no such row. A row that is `shown` keeps its window.
    pub(super) fn row(&self, row: usize, shown: bool) -> Result<RowValues<'static>, Unreadable> {
        if row >= self.rows() {
            return Ok(RowValues::Borrowed(&[]));
        }
        let (window, width) = (self.file.window_of(row), self.file.reader.width());
        let values = self.window(row, window, shown)?;
        let begin = (row - self.file.starts[window]) * width;
        Ok(RowValues::Window(values, begin..begin + width))
    }

    fn window(&self, row: usize, window: usize, shown: bool) -> Read {
        let mut desk = self.desk(row, shown);
        if let Some(read) = desk.take(&(self.source, window)) {
            return read;
        }
        drop(desk);
        let read = self.file.read(window);
        self.cache.shared.put((self.source, window), read.clone());
        read
    }

    /// The reading that a row needs which is not held.
    pub(super) fn missing(&self, row: usize, shown: bool) -> Option<Reading> {
        if row >= self.rows() {
            return None;
        }
        let place = (self.source, self.file.window_of(row));
        let held = self.desk(row, shown).held.contains_key(&place);
        (!held).then(|| Reading::new(Arc::clone(&self.cache.shared), place, Arc::clone(&self.file)))
    }

    /// The desk, which knows from now on that this row is shown, if it is.
    fn desk(&self, row: usize, shown: bool) -> MutexGuard<'_, Desk> {
        let mut desk = self.cache.shared.lock();
        // Only where that fits for every source, whatever is shown: else robots would push out each other's next windows.
        let ahead = desk.needed <= self.cache.shared.bytes_max;
        if shown && desk.show(self.source, row, ahead) {
            self.cache.shared.changed.notify_all();
        }
        desk
    }

    /// Why the row that is shown could not be read; none when it could.
    pub(super) fn problem(&self) -> Option<Unreadable> {
        let desk = self.cache.shared.lock();
        let window = self.file.window_of(desk.sources.get(&self.source)?.shown?);
        desk.held.get(&(self.source, window))?.read.as_ref().err().cloned()
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        let mut desk = self.cache.shared.lock();
        desk.sources.remove(&self.source);
        desk.needed -= 2 * self.file.bytes_max;
        let gone: Vec<Place> = desk.held.keys().filter(|place| place.0 == self.source).copied().collect();
        gone.iter().for_each(|place| desk.remove(place));
    }
}

impl Shared {
    /// The desk. A thread that panicked while it held the lock has left whole entries: nothing is changed in part.
    pub(super) fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what was read to the others.
    pub(super) fn put(&self, place: Place, read: Read) {
        self.lock().put(place, read, self.bytes_max);
    }

    /// Puts what was read ahead to the others.
    pub(super) fn put_ahead(&self, place: Place, read: Read) {
        let mut desk = self.lock();
        desk.put(place, read, self.bytes_max);
        if let Some(source) = desk.sources.get_mut(&place.0).filter(|source| source.wanted == Some(place.1)) {
            source.wanted = None;
        }
        drop(desk);
        self.changed.notify_all();
    }
}

impl Desk {
    /// Notes which row is shown. When rows follow each other, the next window is wanted: then true.
    fn show(&mut self, id: SourceId, row: usize, ahead: bool) -> bool {
        // The same row again, for whatever reason, changes nothing: what is being read ahead still is.
        let Some(source) = self.sources.get_mut(&id).filter(|source| source.shown != Some(row)) else { return false };
        let window = source.file.window_of(row);
        let before = source.shown.replace(row);
        let left = before.map(|before| (id, source.file.window_of(before))).filter(|left| left.1 != window);
        let follows = before.is_some_and(|before| before < row && source.file.window_of(before) + 1 >= window);
        let next = window + 1;
        let wants = ahead && follows && next < source.file.windows() && !self.held.contains_key(&(id, next));
        let already = source.wanted == Some(next);
        source.wanted = wants.then_some(next);
        // A window that could not be read is tried again when one comes back to it.
        if let Some(left) = left.filter(|left| self.held.get(left).is_some_and(|held| held.read.is_err())) {
            self.remove(&left);
        }
        wants && !already
    }

    /// What is held of a window.
    fn take(&mut self, place: &Place) -> Option<Read> {
        self.uses += 1;
        let held = self.held.get_mut(place)?;
        held.used = self.uses;
        Some(held.read.clone())
    }

    fn put(&mut self, place: Place, read: Read, bytes_max: usize) {
        // A source that is gone by now has nobody who would remove it.
        if !self.sources.contains_key(&place.0) {
            return;
        }
        self.remove(&place);
        self.uses += 1;
        let bytes = read.as_ref().map_or_else(|reason| reason.len(), |values| values.len() * size_of::<f64>());
        self.bytes += bytes;
        self.held.insert(place, Held { read, bytes, used: self.uses });
        while self.bytes > bytes_max {
            let free = self.held.iter().filter(|(held, _)| !self.is_needed(held));
            let Some(oldest) = free.min_by_key(|(_, held)| held.used).map(|(place, _)| *place) else { return };
            self.remove(&oldest);
        }
    }

    /// Whether a window is shown, or comes next.
    fn is_needed(&self, place: &Place) -> bool {
        let source = self.sources.get(&place.0);
        let shown = source.and_then(|source| Some(source.file.window_of(source.shown?)));
        shown.is_some_and(|shown| place.1 == shown || place.1 == shown + 1)
    }

    fn remove(&mut self, place: &Place) {
        if let Some(held) = self.held.remove(place) {
            self.bytes -= held.bytes;
        }
    }

    /// A window that is to be read ahead.
    pub(super) fn next_wanted(&self) -> Option<(Place, Arc<File>)> {
        let (id, source) = self.sources.iter().find(|(_, source)| source.wanted.is_some())?;
        Some(((*id, source.wanted?), Arc::clone(&source.file)))
    }
}
