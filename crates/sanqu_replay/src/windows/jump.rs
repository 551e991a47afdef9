//! The windows that a jump needs, read at the same time.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

use super::cache::{File, Place, Shared};

/// Most threads that read for one jump, the one that asks included.
const READERS_MAX: usize = 8;

/// A window that is to be shown and is not held.
#[derive(Debug)]
pub struct Reading {
    shared: Arc<Shared>,
    place: Place,
    file: Arc<File>,
}

/// The same window.
impl PartialEq for Reading {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place && Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Reading {
    pub(super) fn new(shared: Arc<Shared>, place: Place, file: Arc<File>) -> Self {
        Self { shared, place, file }
    }

    /// Reads and holds the window, or why it cannot be read.
    fn run(&self) {
        self.shared.put(self.place, self.file.read(self.place.1));
    }
}

/// Reads windows, on all processors when they are several. Who asks for their rows afterwards finds them held; where there is no room
/// for all, or a thread cannot be started, rows are read when they are asked for, as ever.
pub fn read_all(readings: &[Reading]) {
    read_by(readings, available_parallelism().map_or(1, NonZero::get).min(READERS_MAX));
}

/// As [`read_all`], by so many threads, this one included.
pub(super) fn read_by(readings: &[Reading], readers: usize) {
    // One is read by who asks for it.
    if readings.len() < 2 || readers < 2 {
        return;
    }
    let next = AtomicUsize::new(0);
    let read = || {
        while let Some(reading) = readings.get(next.fetch_add(1, Ordering::Relaxed)) {
            reading.run();
        }
    };
    scope(|scope| {
        for _ in 1..readers.min(readings.len()) {
            if Builder::new().name("rows of a jump".to_owned()).spawn_scoped(scope, read).is_err() {
                break;
            }
        }
        read();
    });
}
