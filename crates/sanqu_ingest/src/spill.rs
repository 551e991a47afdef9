use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::warn;
use zenoh::bytes::ZBytes;

use crate::held::Spill;
use crate::outbox::Outbox;
use crate::ring::Entry;

/// How long the disk is left alone after it failed or was full.
const RETRY: Duration = Duration::from_secs(1);

/// Files of a spill: the room of one is free again when its last sample has gone.
const FILES: u64 = 8;

/// A payload in a spill file.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    file: Arc<SpillFile>,
    offset: u64,
    bytes: usize,
}

impl Spot {
    /// The payload; the caller compares its checksum.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut payload = vec![0; self.bytes];
        self.file.file.read_exact_at(&mut payload, self.offset)?;
        Ok(payload)
    }

    /// Whether both are in the same file.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }
}

/// A file without a name: its room is free again when nobody holds it any more, and after the end of the process, however
/// that comes about.
#[derive(Debug)]
struct SpillFile {
    file: File,
    bytes: AtomicU64,
    /// Of all files together.
    used: Arc<AtomicU64>,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Moves the oldest samples of a full memory to disk, until the outbox ends.
pub(crate) fn run(outbox: &Outbox, spill: Spill, name: &str) {
    let mut disk = Disk { spill, name: name.to_owned(), files: 0, used: Arc::default(), current: None };
    let mut is_well = true;
    while let Some((first, batch)) = outbox.to_spill() {
        match disk.write(outbox, &batch) {
            Ok(spots) => {
                outbox.spilled(first, spots);
                is_well = true;
            }
            Err(error) => {
                if is_well {
                    let folder = disk.spill.folder.display();
                    warn!(%folder, robot = name, %error, "the ring's spill fails: samples that memory cannot keep are lost to resending");
                }
                is_well = false;
                std::thread::park_timeout(RETRY);
            }
        }
    }
}

struct Disk {
    spill: Spill,
    name: String,
    /// How many were made.
    files: u64,
    used: Arc<AtomicU64>,
    current: Option<(Arc<SpillFile>, u64)>,
}

impl Disk {
    /// Appends payloads; where the disk's bound asks for it, the oldest ones go first.
    fn write(&mut self, outbox: &Outbox, batch: &[Entry<ZBytes>]) -> io::Result<Vec<Spot>> {
        let bytes: u64 = batch.iter().map(|entry| entry.place.len() as u64).sum();
        while self.used.load(Ordering::Relaxed) + bytes > self.spill.bytes_max {
            let before = self.used.load(Ordering::Relaxed);
            outbox.drop_oldest_file();
            // The last file's room is free only when it is not written any more, and any file's when it is not read.
            if self.used.load(Ordering::Relaxed) == before && self.current.take().is_none() {
                return Err(io::Error::new(io::ErrorKind::StorageFull, format!("{bytes} bytes do not fit into {}", self.spill.bytes_max)));
            }
        }
        if self.current.as_ref().is_none_or(|(_, end)| *end >= self.spill.bytes_max / FILES) {
            self.current = Some((self.make()?, 0));
        }
        let Some((file, end)) = self.current.as_mut() else { return Ok(Vec::new()) };
        let mut spots = Vec::with_capacity(batch.len());
        // Before the bytes are written: a failed write may have used their room as well.
        file.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.used.fetch_add(bytes, Ordering::Relaxed);
        let written = append(file, end, batch, &mut spots);
        if let Err(error) = written {
            self.current = None;
            return Err(error);
        }
        Ok(spots)
    }

    fn make(&mut self) -> io::Result<Arc<SpillFile>> {
        fs::create_dir_all(&self.spill.folder)?;
        let path: PathBuf = self.spill.folder.join(format!("{}-{}.spill", self.name, self.files));
        self.files += 1;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        fs::remove_file(&path)?;
        Ok(Arc::new(SpillFile { file, bytes: AtomicU64::new(0), used: Arc::clone(&self.used) }))
    }
}

fn append(file: &Arc<SpillFile>, end: &mut u64, batch: &[Entry<ZBytes>], spots: &mut Vec<Spot>) -> io::Result<()> {
    for entry in batch {
        let offset = *end;
        for slice in entry.place.slices() {
            (&file.file).write_all(slice)?;
        }
        *end += entry.place.len() as u64;
        spots.push(Spot { file: Arc::clone(file), offset, bytes: entry.place.len() });
    }
    Ok(())
}
