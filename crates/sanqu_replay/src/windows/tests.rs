use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sanqu_store::StoreError;

use super::*;

/// A file of `rows` rows of two values, the row's number and its half, in pages of [`PAGE`] rows.
#[derive(Debug)]
struct Double {
    rows: usize,
    pages: Vec<usize>,
    read: Arc<Mutex<Vec<Range<usize>>>>,
    broken: Arc<AtomicBool>,
    /// In which reading the file breaks off, if it does.
    failing: Arc<AtomicUsize>,
}

impl Double {
    /// So many pages that can be read.
    fn whole(pages: usize) -> Self {
        let pages: Vec<usize> = (0..pages).map(|page| page * PAGE).collect();
        Self { rows: pages.len() * PAGE, pages, read: Arc::default(), broken: Arc::default(), failing: Arc::default() }
    }
}

const PAGE: usize = 2_000;
const PAGE_BYTES: usize = PAGE * 16;

impl ReadRows for Double {
    fn width(&self) -> usize {
        2
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn page_starts(&self) -> &[usize] {
        &self.pages
    }

    fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, StoreError> {
        self.read.lock().unwrap().push(rows.clone());
        if self.broken.load(Ordering::Relaxed) && rows.contains(&self.failing.load(Ordering::Relaxed)) {
            return Err(StoreError::Damaged { path: Path::new("joint.parquet").to_path_buf(), reason: "cut off".to_owned() });
        }
        Ok(rows.flat_map(values).collect())
    }
}

fn values(row: usize) -> [f64; 2] {
    let row = f64::from(u32::try_from(row).unwrap());
    [row, row / 2.0]
}

struct Bench {
    cache: Arc<WindowCache>,
    source: RowSource,
    read: Arc<Mutex<Vec<Range<usize>>>>,
    broken: Arc<AtomicBool>,
    failing: Arc<AtomicUsize>,
}

/// A source of `pages` pages with room for `room` of them.
fn bench(pages: usize, room: usize) -> Bench {
    let cache = WindowCache::new(room * PAGE_BYTES).unwrap();
    let double = Double::whole(pages);
    let (read, broken, failing) = (Arc::clone(&double.read), Arc::clone(&double.broken), Arc::clone(&double.failing));
    let source = RowSource::Windows(cache.add(double));
    Bench { cache, source, read, broken, failing }
}

impl Bench {
    fn row(&self, row: usize) -> Vec<f64> {
        self.source.row(row).unwrap().to_vec()
    }

    /// Pages that were read since the last call, in order.
    fn pages_read(&self) -> Vec<usize> {
        std::mem::take(&mut *self.read.lock().unwrap()).into_iter().map(|rows| rows.start / PAGE).collect()
    }
}

#[test]
fn a_recording_larger_than_the_budget_is_played_within_it() {
    let bench = bench(40, 5);
    for row in 0..bench.source.rows() {
        assert_eq!(bench.row(row), values(row));
        assert!(bench.cache.bytes() <= 5 * PAGE_BYTES, "row {row}: {} bytes", bench.cache.bytes());
    }
    bench.cache.settle();
    let mut read = bench.pages_read();
    read.sort_unstable();
    read.dedup();
    assert_eq!(read, (0..40).collect::<Vec<_>>());
    assert_eq!(bench.cache.bytes(), 5 * PAGE_BYTES, "what was read stays as long as there is room");
}

#[test]
fn the_next_window_is_read_ahead_only_while_rows_follow_each_other() {
    let bench = bench(10, 5);
    bench.row(3 * PAGE + 700);
    bench.row(8 * PAGE);
    bench.row(5 * PAGE);
    bench.row(5 * PAGE);
    bench.cache.settle();
    assert_eq!(bench.pages_read(), [3, 8, 5], "seeks and a picture that stands");
    bench.row(5 * PAGE + 1);
    bench.cache.settle();
    assert_eq!(bench.pages_read(), [6], "the scene plays");
    bench.row(5 * PAGE + 2);
    bench.cache.settle();
    assert!(bench.pages_read().is_empty(), "what is held is not read again");
    assert_eq!(bench.row(6 * PAGE), values(6 * PAGE));
    bench.cache.settle();
    assert_eq!(bench.pages_read(), [7], "and goes on in the next window, without waiting for it");
    bench.row(10 * PAGE - 2);
    bench.row(10 * PAGE - 1);
    bench.cache.settle();
    assert_eq!(bench.pages_read(), [9], "behind the last there is none");
}

#[test]
fn a_row_that_is_asked_for_twice_still_has_its_next_window_read() {
    // Often: whoever reads ahead may have begun before the second question.
    for page in 1..60 {
        let bench = bench(page + 2, page + 2);
        bench.row(page * PAGE);
        bench.row(page * PAGE + 1);
        bench.row(page * PAGE + 1);
        bench.cache.settle();
        assert_eq!(bench.pages_read(), [page, page + 1]);
    }
}

#[test]
fn without_room_for_two_windows_nothing_is_read_ahead_and_rows_are_the_same() {
    let bench = bench(6, 1);
    for row in [10, 11, PAGE - 1, PAGE, PAGE + 1] {
        assert_eq!(bench.row(row), values(row));
    }
    bench.cache.settle();
    assert_eq!((bench.pages_read(), bench.cache.bytes()), (vec![0, 1], PAGE_BYTES));
    assert_eq!(bench.source.row_after(2 * PAGE - 1).unwrap().to_vec(), values(2 * PAGE));
    assert_eq!(bench.row(2 * PAGE - 1), values(2 * PAGE - 1));
    assert_eq!(bench.pages_read(), [2], "the row behind does not push out the window shown");
}

#[test]
fn windows_looked_at_last_stay_and_those_shown_always() {
    let bench = bench(10, 3);
    let still = RowSource::Windows(bench.cache.add(Double::whole(1)));
    assert_eq!(still.row(7).unwrap().to_vec(), values(7));
    for page in [1, 4, 1, 7] {
        bench.row(page * PAGE);
    }
    bench.row(PAGE);
    assert_eq!(bench.pages_read(), [1, 4, 7], "1 was looked at after 4");
    bench.row(4 * PAGE);
    assert_eq!(bench.pages_read(), [4], "4 has gone for 7, not what the other source shows");
    drop(still);
    assert_eq!(bench.cache.bytes(), 2 * PAGE_BYTES, "a source that goes takes its windows with it");
    bench.row(4 * PAGE + 1);
    bench.cache.settle();
    assert_eq!(bench.pages_read(), [5], "and leaves its room to read ahead");
}

#[test]
fn what_was_read_ahead_is_not_pushed_out_by_another_source() {
    let bench = bench(10, 4);
    let other = RowSource::Windows(bench.cache.add(Double::whole(10)));
    bench.row(0);
    bench.row(1);
    bench.cache.settle();
    assert_eq!(bench.pages_read(), [0, 1]);
    for page in [3, 5, 7] {
        assert_eq!(other.row(page * PAGE).unwrap().to_vec(), values(page * PAGE));
    }
    assert_eq!(bench.source.peek(PAGE).unwrap().to_vec(), values(PAGE));
    assert_eq!((bench.pages_read(), bench.cache.bytes()), (vec![], 4 * PAGE_BYTES));
}

/// A file whose readings ahead say that they have begun, and wait until they may go on.
#[derive(Debug)]
struct Gated {
    file: Double,
    begun: SyncSender<usize>,
    go: Arc<Mutex<Receiver<()>>>,
}

impl ReadRows for Gated {
    fn width(&self) -> usize {
        self.file.width()
    }

    fn rows(&self) -> usize {
        self.file.rows()
    }

    fn page_starts(&self) -> &[usize] {
        self.file.page_starts()
    }

    fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, StoreError> {
        if std::thread::current().name() == Some("rows") {
            self.begun.send(rows.start / PAGE).unwrap();
            self.go.lock().unwrap().recv().unwrap();
        }
        self.file.read(rows)
    }
}

#[test]
fn a_reading_that_comes_too_late_changes_nothing() {
    let cache = WindowCache::new(20 * PAGE_BYTES).unwrap();
    let ((begun, begins), (go, goes)) = (sync_channel(9), sync_channel(9));
    let goes = Arc::new(Mutex::new(goes));
    let source = || RowSource::Windows(cache.add(Gated { file: Double::whole(4), begun: begun.clone(), go: Arc::clone(&goes) }));
    let (first, second) = (source(), source());
    let begun = || begins.recv_timeout(Duration::from_secs(60)).unwrap();
    for row in [0, 1] {
        assert_eq!(first.row(row).unwrap().to_vec(), values(row));
    }
    assert_eq!(begun(), 1);
    // Nobody waits for it; then it comes a second time, while another is wanted.
    assert_eq!(first.row(PAGE).unwrap().to_vec(), values(PAGE));
    go.send(()).unwrap();
    assert_eq!((begun(), cache.bytes()), (2, 2 * PAGE_BYTES));
    // Nobody is there any more for whom this one is.
    drop(first);
    for row in [0, 1] {
        assert_eq!(second.row(row).unwrap().to_vec(), values(row));
    }
    go.send(()).unwrap();
    assert_eq!((begun(), cache.bytes()), (1, PAGE_BYTES));
    go.send(()).unwrap();
}

#[test]
fn a_file_without_rows_and_one_without_pages_have_windows_too() {
    assert!(bench(0, 1).row(0).is_empty());
    let bench = bench(1, 1);
    let whole = Double { rows: 200_000, pages: Vec::new(), ..Double::whole(1) };
    let read = Arc::clone(&whole.read);
    let source = RowSource::Windows(bench.cache.add(whole));
    assert_eq!(source.row(150_000).unwrap().to_vec(), values(150_000));
    assert_eq!(read.lock().unwrap().first(), Some(&(131_072..200_000)), "at most 2 MiB at once");
}

#[test]
fn what_cannot_be_read_is_an_error_until_one_comes_back_to_it() {
    let bench = bench(6, 4);
    bench.failing.store(2 * PAGE + 5, Ordering::Relaxed);
    bench.broken.store(true, Ordering::Relaxed);
    assert_eq!((bench.row(PAGE), bench.source.problem()), (values(PAGE).to_vec(), None));
    bench.row(PAGE + 1);
    bench.cache.settle();
    assert_eq!((bench.source.problem(), bench.pages_read()), (None, vec![1, 2]), "read ahead, but not shown");
    let reason = bench.source.row(2 * PAGE).unwrap_err();
    assert_eq!((reason.as_ref(), bench.source.problem()), ("joint.parquet: cut off", Some(reason.clone())));
    assert!(bench.source.row(2 * PAGE + 1).is_err());
    bench.cache.settle();
    assert_eq!(bench.pages_read(), [3], "not tried again for every picture; the next one may be good");
    bench.broken.store(false, Ordering::Relaxed);
    assert_eq!((bench.row(3 * PAGE), bench.source.problem()), (values(3 * PAGE).to_vec(), None));
    assert_eq!(bench.row(2 * PAGE), values(2 * PAGE), "tried again");
}

/// A file whose reading ends when another one of its kind is read at the same time.
#[derive(Debug)]
struct Meeting {
    double: Double,
    met: Arc<(Mutex<usize>, Condvar)>,
}

impl ReadRows for Meeting {
    fn width(&self) -> usize {
        self.double.width()
    }

    fn rows(&self) -> usize {
        self.double.rows()
    }

    fn page_starts(&self) -> &[usize] {
        self.double.page_starts()
    }

    fn read(&self, rows: Range<usize>) -> Result<Vec<f64>, StoreError> {
        let (count, come) = &*self.met;
        let mut count = count.lock().unwrap();
        *count += 1;
        come.notify_all();
        let (_count, alone) = come.wait_timeout_while(count, Duration::from_secs(20), |count| *count < 2).unwrap();
        assert!(!alone.timed_out(), "nobody reads beside it");
        self.double.read(rows)
    }
}

#[test]
fn windows_of_one_jump_are_read_at_the_same_time() {
    let (cache, met) = (WindowCache::new(9 * PAGE_BYTES).unwrap(), Arc::default());
    let meeting = |_| RowSource::Windows(cache.add(Meeting { double: Double::whole(2), met: Arc::clone(&met) }));
    let sources: Vec<RowSource> = (0..2).map(meeting).collect();
    let readings: Vec<Reading> = sources.iter().filter_map(|source| source.announce(PAGE + 3)).collect();
    jump::read_by(&readings, 2);
    assert!(sources.iter().all(|source| source.row(PAGE + 3).unwrap().to_vec() == values(PAGE + 3)));
    assert_eq!(*met.0.lock().unwrap(), 2, "what was read for the jump is not read again");
    assert!(sources.iter().all(|source| source.announce(PAGE + 4).is_none() && source.announce(2 * PAGE).is_none()));
}

#[test]
fn jumps_show_the_same_however_many_read_and_however_little_room_there_is() {
    for (readers, room) in [(1, 20), (2, 20), (3, 2), (8, 20)] {
        let cache = WindowCache::new(room * PAGE_BYTES).unwrap();
        let doubles: Vec<Double> = (0..7).map(|_| Double::whole(5)).collect();
        let broken = Arc::clone(&doubles[4].broken);
        doubles[4].failing.store(3 * PAGE + 1, Ordering::Relaxed);
        broken.store(true, Ordering::Relaxed);
        let sources: Vec<RowSource> = doubles.into_iter().map(|double| RowSource::Windows(cache.add(double))).collect();
        for page in [0, 3, 1, 3, 4] {
            // On the border of two pages, so that a source needs both; each source is elsewhere.
            let row = |source: usize| (page * PAGE + PAGE - 1 + source / 6) % (5 * PAGE);
            let mut readings = Vec::new();
            for (index, source) in sources.iter().enumerate() {
                readings.extend(source.announce(row(index)));
                readings.extend(source.announce_peek(row(index) + 1));
            }
            jump::read_by(&readings, readers);
            for (index, source) in sources.iter().enumerate() {
                let shown = source.row(row(index)).map(|values| values.to_vec());
                if index == 4 && page == 3 {
                    assert_eq!(shown.unwrap_err().as_ref(), "joint.parquet: cut off");
                } else {
                    assert_eq!(shown.unwrap(), values(row(index)), "{readers} readers, source {index}, page {page}");
                }
                assert_eq!(source.problem().is_some(), index == 4 && page == 3);
            }
            assert!(cache.bytes() <= PAGE_BYTES * room.max(2 * sources.len()), "{} bytes", cache.bytes());
        }
    }
}

#[track_caller]
fn windows(pages: &[usize], rows: usize, rows_max: usize, expect: &[usize]) {
    assert_eq!(cache::starts(pages, rows, rows_max), expect, "{pages:?} of {rows} rows, at most {rows_max}");
}

#[test]
fn windows_are_whole_pages_neither_short_nor_long() {
    windows(&[0, 2_500, 5_000], 6_000, 5_000, &[0, 2_500, 5_000, 6_000]);
    windows(&[0, 500, 1_000, 1_500, 2_000], 2_100, 5_000, &[0, 1_000, 2_000, 2_100]);
    windows(&[0], 10_000, 4_000, &[0, 4_000, 8_000, 10_000]);
    windows(&[0, 7_000], 9_000, 4_000, &[0, 4_000, 7_000, 9_000]);
    windows(&[], 30, 4_000, &[0, 30]);
    windows(&[0], 0, 4_000, &[0]);
    windows(&[0, 300, 600], 900, 200, &[0, 200, 300, 500, 600, 800, 900]);
}
