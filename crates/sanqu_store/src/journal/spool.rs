//! Small records by the million: in memory while there are few, in one scratch file beyond that.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::StoreError;
use crate::disk::{Disk, DiskFile};
use crate::error::IoContext;

/// Records are read back in pieces of about this size, in bytes.
const WINDOW_BYTES: usize = 16 << 10;

/// How much of what grows with a journal's length is kept in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// What is known of samples, bytes, for all streams together.
    pub(crate) index_bytes: usize,
    /// Records that are sorted at once.
    pub(crate) sorted: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { index_bytes: 8 << 20, sorted: 1 << 16 }
    }
}

/// Something of fixed size that can be written down.
pub(crate) trait Record: Sized {
    const BYTES: usize;
    /// Appends exactly [`Record::BYTES`] bytes.
    fn encode(&self, to: &mut Vec<u8>);
    /// Reads what [`Record::encode`] has written.
    fn decode(from: &[u8]) -> Self;
}

/// A file for what is needed only until the work is done. It is made when something is written, and never made durable.
#[derive(Debug)]
pub(crate) struct Scratch {
    disk: Disk,
    path: PathBuf,
    file: Option<DiskFile>,
    end: u64,
}

impl Scratch {
    pub(crate) fn new(disk: Disk, path: PathBuf) -> Self {
        Self { disk, path, file: None, end: 0 }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<u64, StoreError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.disk.open_or_create(&self.path)?),
        };
        file.write_all(bytes).at("write", &self.path)?;
        let offset = self.end;
        self.end += bytes.len() as u64;
        Ok(offset)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), StoreError> {
        match &self.file {
            Some(file) => file.system().read_exact_at(bytes, offset).at("read", &self.path),
            None => Err(StoreError::damaged(&self.path, "nothing was written to it")),
        }
    }

    /// Removes the file, if there is one.
    pub(crate) fn remove(self) -> Result<(), StoreError> {
        if self.file.is_some() { self.disk.remove_file(&self.path) } else { Ok(()) }
    }
}

/// A list of records that only grows.
#[derive(Debug)]
pub(crate) struct Spool<R> {
    blocks: Vec<Block>,
    /// Records in the scratch file.
    written: u64,
    /// The last records, encoded.
    tail: Vec<u8>,
    record: PhantomData<R>,
}

/// Consecutive records in the scratch file.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u64,
    offset: u64,
}

impl<R> Default for Spool<R> {
    fn default() -> Self {
        Self { blocks: Vec::new(), written: 0, tail: Vec::new(), record: PhantomData }
    }
}

impl<R: Record> Spool<R> {
    pub(crate) fn len(&self) -> u64 {
        self.written + (self.tail.len() / R::BYTES) as u64
    }

    pub(crate) fn push(&mut self, record: &R) {
        record.encode(&mut self.tail);
    }

    /// Moves what is in memory to the scratch file.
    pub(crate) fn flush(&mut self, scratch: &mut Scratch) -> Result<(), StoreError> {
        if self.tail.is_empty() {
            return Ok(());
        }
        let block = Block { first: self.written, offset: scratch.append(&self.tail)? };
        self.written = self.len();
        self.blocks.push(block);
        self.tail = Vec::new();
        Ok(())
    }

    /// Records in the scratch file from `number` on, encoded, as many as fit a window.
    fn load(&self, scratch: &Scratch, number: u64, window: &mut Vec<u8>) -> Result<(), StoreError> {
        let at = self.blocks.partition_point(|block| block.first <= number).saturating_sub(1);
        let end = self.blocks.get(at + 1).map_or(self.written, |next| next.first);
        let Some(block) = self.blocks.get(at).filter(|_| number < end) else { return Ok(()) };
        let records = usize::try_from(end - number).unwrap_or(usize::MAX).min(WINDOW_BYTES / R::BYTES);
        window.resize(records * R::BYTES, 0);
        scratch.read(block.offset + (number - block.first) * R::BYTES as u64, window)
    }
}

/// Reads records of one [`Spool`] by number; neighbours cost nothing.
#[derive(Debug)]
pub(crate) struct Window<R> {
    first: u64,
    bytes: Vec<u8>,
    record: PhantomData<R>,
}

impl<R> Default for Window<R> {
    fn default() -> Self {
        Self { first: 0, bytes: Vec::new(), record: PhantomData }
    }
}

impl<R: Record> Window<R> {
    /// Reads a record. There is none with this number when the error says so.
    pub(crate) fn get(&mut self, spool: &Spool<R>, scratch: &Scratch, number: u64) -> Result<R, StoreError> {
        let place = |first: u64| usize::try_from(number.checked_sub(first)?).ok()?.checked_mul(R::BYTES);
        if let Some(record) = place(spool.written).and_then(|at| spool.tail.get(at..at + R::BYTES)) {
            return Ok(R::decode(record));
        }
        if place(self.first).is_none_or(|at| at >= self.bytes.len()) {
            self.bytes.clear();
            spool.load(scratch, number, &mut self.bytes)?;
            self.first = number;
        }
        match place(self.first).and_then(|at| self.bytes.get(at..at + R::BYTES)) {
            Some(record) => Ok(R::decode(record)),
            None => Err(StoreError::damaged(&scratch.path, format!("no record {number}, there are {}", spool.len()))),
        }
    }
}

/// Sorts any number of records in bounded memory.
#[derive(Debug)]
pub(crate) struct Sorter<R> {
    waiting: Vec<R>,
    sorted: Vec<Spool<R>>,
    sorted_max: usize,
}

impl<R: Record + Ord + Clone> Sorter<R> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { waiting: Vec::new(), sorted: Vec::new(), sorted_max: limits.sorted }
    }

    pub(crate) fn push(&mut self, record: R, scratch: &mut Scratch) -> Result<(), StoreError> {
        self.waiting.push(record);
        if self.waiting.len() < self.sorted_max {
            return Ok(());
        }
        self.waiting.sort_unstable();
        let mut sorted = Spool::default();
        self.waiting.drain(..).for_each(|record| sorted.push(&record));
        sorted.flush(scratch)?;
        self.sorted.push(sorted);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Sorted<R> {
        self.waiting.sort_unstable();
        Sorted { last: self.waiting, sorted: self.sorted }
    }
}

/// Records in order.
#[derive(Debug)]
pub(crate) struct Sorted<R> {
    last: Vec<R>,
    sorted: Vec<Spool<R>>,
}

impl<R: Record + Ord + Clone> Sorted<R> {
    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_empty() && self.sorted.is_empty()
    }

    /// From the smallest on.
    pub(crate) fn iter<'a>(&'a self, scratch: &'a Scratch) -> Result<Merge<'a, R>, StoreError> {
        let mut merge = Merge { of: self, scratch, windows: Vec::new(), next: BinaryHeap::new() };
        for list in 0..=self.sorted.len() {
            merge.windows.push(Window::default());
            merge.pull(list, 0)?;
        }
        Ok(merge)
    }
}

/// Merges what was sorted in parts.
#[derive(Debug)]
pub(crate) struct Merge<'a, R> {
    of: &'a Sorted<R>,
    scratch: &'a Scratch,
    windows: Vec<Window<R>>,
    /// The next record of each list, with the number of the list and of the record in it.
    next: BinaryHeap<Reverse<(R, usize, u64)>>,
}

impl<R: Record + Ord + Clone> Merge<'_, R> {
    /// The next record; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<R>, StoreError> {
        let Some(Reverse((record, list, number))) = self.next.pop() else { return Ok(None) };
        self.pull(list, number + 1)?;
        Ok(Some(record))
    }

    fn pull(&mut self, list: usize, number: u64) -> Result<(), StoreError> {
        let record = match self.of.sorted.get(list) {
            Some(spool) if number < spool.len() => Some(self.windows[list].get(spool, self.scratch, number)?),
            Some(_) => None,
            None => usize::try_from(number).ok().and_then(|at| self.of.last.get(at).cloned()),
        };
        self.next.extend(record.map(|record| Reverse((record, list, number))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Record for u64 {
        const BYTES: usize = 8;

        fn encode(&self, to: &mut Vec<u8>) {
            to.extend(self.to_le_bytes());
        }

        fn decode(from: &[u8]) -> Self {
            Self::from_le_bytes(std::array::from_fn(|i| from[i]))
        }
    }

    fn scratch() -> (tempfile::TempDir, Scratch) {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(Disk::default(), folder.path().join("scratch"));
        (folder, scratch)
    }

    proptest! {
        #[test]
        fn records_come_back_by_their_number(lists in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..3000), 1..5),
                                             asked in prop::collection::vec(any::<prop::sample::Index>(), 1..50), flush_last: bool) {
            let (_folder, mut scratch) = scratch();
            let (mut spool, mut other) = (Spool::default(), Spool::default());
            for (number, list) in lists.iter().enumerate() {
                list.iter().for_each(|record| spool.push(record));
                other.push(&7u64);
                if flush_last || number + 1 < lists.len() {
                    spool.flush(&mut scratch).unwrap();
                    other.flush(&mut scratch).unwrap();
                }
            }
            let all: Vec<u64> = lists.concat();
            prop_assert_eq!(spool.len(), all.len() as u64);
            let mut window = Window::default();
            let given: Vec<u64> = (0..spool.len()).map(|n| window.get(&spool, &scratch, n).unwrap()).collect();
            prop_assert_eq!(&given, &all);
            prop_assert!(window.get(&spool, &scratch, spool.len()).is_err());
            for index in asked.iter().filter(|_| !all.is_empty()) {
                let number = index.index(all.len());
                prop_assert_eq!(window.get(&spool, &scratch, number as u64).unwrap(), all[number]);
            }
        }

        #[test]
        fn what_is_sorted_in_parts_is_sorted(records in prop::collection::vec(any::<u64>(), 0..400), sorted_max in 1usize..90) {
            let (folder, mut scratch) = scratch();
            let mut sorter = Sorter::new(Limits { sorted: sorted_max, ..Limits::default() });
            records.iter().for_each(|record| sorter.push(*record, &mut scratch).unwrap());
            let sorted = sorter.finish();
            prop_assert_eq!(sorted.is_empty(), records.is_empty());
            for _ in 0..2 {
                let (mut found, mut merge) = (Vec::new(), sorted.iter(&scratch).unwrap());
                while let Some(record) = merge.next().unwrap() {
                    found.push(record);
                }
                let mut expect = records.clone();
                expect.sort_unstable();
                prop_assert_eq!(found, expect);
            }
            scratch.remove().unwrap();
            prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
