//! Every change that a store makes on a disk, in one place: tests can write down what was done and in which order, make
//! any of it fail, hold it, and build what a crash would have left of it.
//!
//! A [`Disk`] is the operating system's. One that is [`watched`](Disk::watched) asks a [`Watch`] before each
//! [`Operation`]. Reading is not watched: what a reader does with damaged files is tested with damaged files.

use std::fs;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::panic::RefUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::StoreError;
use crate::error::IoContext;

/// What a store is written through. Cheap to clone; without a watch nothing stands between the store and the system.
#[derive(Clone, Default)]
pub struct Disk {
    watched: Option<Arc<Watched>>,
}

struct Watched {
    watch: Arc<dyn Watch>,
    files: AtomicU64,
}

/// Told of every operation before it is done.
pub trait Watch: Send + Sync + RefUnwindSafe {
    /// Says what becomes of the operation. A disk that hangs is one that does not return.
    fn before(&self, operation: &Operation<'_>) -> Verdict;
}

/// See [`Watch::before`].
#[derive(Debug)]
pub enum Verdict {
    /// It is done.
    Go,
    /// Nothing is done; the caller gets this error.
    Fail(io::Error),
    /// A write takes only so many bytes and says so, as on a disk that is nearly full. Other operations are done.
    Short(usize),
}

/// A change on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A file is opened for writing, made if it is not there, and emptied if `empty`.
    Open {
        /// Names the open file in later operations, whatever becomes of its path.
        file: u64,
        /// Where it is.
        path: &'a Path,
        /// Whether what was in it goes.
        empty: bool,
    },
    /// Bytes are written.
    Write {
        /// The open file.
        file: u64,
        /// Where it is.
        path: &'a Path,
        /// Where in the file.
        offset: u64,
        /// What.
        bytes: &'a [u8],
    },
    /// A file is cut off or grown.
    SetLength {
        /// The open file.
        file: u64,
        /// Where it is.
        path: &'a Path,
        /// The new length.
        bytes: u64,
    },
    /// A file's content is made durable.
    SyncFile {
        /// The open file.
        file: u64,
        /// Where it is.
        path: &'a Path,
    },
    /// A folder's entries are made durable.
    SyncFolder {
        /// The folder.
        path: &'a Path,
    },
    /// A file or folder gets another name.
    Rename {
        /// The old name.
        from: &'a Path,
        /// The new name.
        to: &'a Path,
    },
    /// A folder is made.
    CreateFolder {
        /// The folder.
        path: &'a Path,
    },
    /// A file is removed.
    RemoveFile {
        /// The file.
        path: &'a Path,
    },
    /// A folder is removed with everything in it.
    RemoveFolder {
        /// The folder.
        path: &'a Path,
    },
}

impl Operation<'_> {
    /// The file or folder that an error names.
    pub fn path(&self) -> &Path {
        match self {
            Self::Open { path, .. } | Self::Write { path, .. } | Self::SetLength { path, .. } | Self::SyncFile { path, .. } => path,
            Self::SyncFolder { path } | Self::CreateFolder { path } | Self::RemoveFile { path } | Self::RemoveFolder { path } => path,
            Self::Rename { from, .. } => from,
        }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.watched.is_some() { "Disk(watched)" } else { "Disk" })
    }
}

impl Disk {
    /// A disk that asks before each operation.
    pub fn watched(watch: Arc<dyn Watch>) -> Self {
        Self { watched: Some(Arc::new(Watched { watch, files: AtomicU64::new(0) })) }
    }

    /// Makes a file, or empties it.
    pub(crate) fn create(&self, path: &Path) -> Result<DiskFile, StoreError> {
        self.open_with(path, "create", true, fs::File::options().write(true).create(true).truncate(true))
    }

    /// Opens a file for reading and writing, and makes it if it is not there.
    pub(crate) fn open_or_create(&self, path: &Path) -> Result<DiskFile, StoreError> {
        self.open_with(path, "open", false, fs::File::options().read(true).write(true).create(true).truncate(false))
    }

    fn open_with(&self, path: &Path, action: &'static str, empty: bool, options: &fs::OpenOptions) -> Result<DiskFile, StoreError> {
        let number = self.watched.as_ref().map_or(0, |watched| watched.files.fetch_add(1, Ordering::Relaxed));
        self.ask(&Operation::Open { file: number, path, empty }).at(action, path)?;
        let file = options.open(path).at(action, path)?;
        Ok(DiskFile {
            open: Arc::new(OpenFile { disk: self.clone(), number, path: path.to_path_buf(), renamed: OnceLock::new(), file }),
            position: 0,
        })
    }

    /// Makes a folder whose parent is there.
    pub(crate) fn create_dir(&self, path: &Path) -> Result<(), StoreError> {
        self.ask(&Operation::CreateFolder { path }).and_then(|()| fs::create_dir(path)).at("create", path)
    }

    /// Makes a folder and those above it that are not there.
    pub(crate) fn create_dir_all(&self, path: &Path) -> Result<(), StoreError> {
        if path.is_dir() || path.as_os_str().is_empty() {
            return Ok(());
        }
        path.parent().map_or(Ok(()), |parent| self.create_dir_all(parent))?;
        match self.create_dir(path) {
            // Somebody else was faster.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.ask(&Operation::Rename { from, to }).and_then(|()| fs::rename(from, to)).at("rename", from)
    }

    /// Renames a file that is being written: later operations name its new place.
    pub(crate) fn rename_open(&self, file: &DiskFile, to: &Path) -> Result<(), StoreError> {
        self.rename(file.open.path(), to)?;
        // A file gets its name once.
        let _ = file.open.renamed.set(to.to_path_buf());
        Ok(())
    }

    pub(crate) fn remove_file(&self, path: &Path) -> Result<(), StoreError> {
        self.ask(&Operation::RemoveFile { path }).and_then(|()| fs::remove_file(path)).at("remove", path)
    }

    pub(crate) fn remove_dir_all(&self, path: &Path) -> Result<(), StoreError> {
        self.ask(&Operation::RemoveFolder { path }).and_then(|()| fs::remove_dir_all(path)).at("remove", path)
    }

    /// Makes a folder's entries durable.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<(), StoreError> {
        self.ask(&Operation::SyncFolder { path }).and_then(|()| fs::File::open(path)?.sync_all()).at("sync", path)
    }

    fn ask(&self, operation: &Operation<'_>) -> io::Result<()> {
        self.bytes_allowed(operation, usize::MAX).map(|_| ())
    }

    /// How many bytes of a write may be written.
    fn bytes_allowed(&self, operation: &Operation<'_>, bytes: usize) -> io::Result<usize> {
        match self.watched.as_ref().map(|watched| watched.watch.before(operation)) {
            None | Some(Verdict::Go) => Ok(bytes),
            Some(Verdict::Short(short)) => Ok(short.min(bytes)),
            Some(Verdict::Fail(error)) => Err(error),
        }
    }
}

/// A file that is being written. Its errors are the system's; callers add the path.
#[derive(Debug)]
pub(crate) struct DiskFile {
    open: Arc<OpenFile>,
    /// Where the next write goes.
    position: u64,
}

/// What a file's writer and those who sync it share.
#[derive(Debug)]
pub(crate) struct OpenFile {
    disk: Disk,
    number: u64,
    path: PathBuf,
    renamed: OnceLock<PathBuf>,
    file: fs::File,
}

impl OpenFile {
    fn path(&self) -> &Path {
        self.renamed.get().unwrap_or(&self.path)
    }

    /// Makes the content durable, and as much about it as is needed to find it.
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        self.disk.ask(&Operation::SyncFile { file: self.number, path: self.path() })?;
        self.file.sync_data()
    }
}

impl DiskFile {
    /// For those who sync the file while it is written.
    pub(crate) fn shared(&self) -> Arc<OpenFile> {
        Arc::clone(&self.open)
    }

    /// For what is no change: reading and locking.
    pub(crate) fn system(&self) -> &fs::File {
        &self.open.file
    }

    /// Makes content and length durable.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        self.open.disk.ask(&Operation::SyncFile { file: self.open.number, path: self.open.path() })?;
        self.open.file.sync_all()
    }

    /// Cuts the file off, or grows it with zeros.
    pub(crate) fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.open.disk.ask(&Operation::SetLength { file: self.open.number, path: self.open.path(), bytes })?;
        self.open.file.set_len(bytes)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let open = self.open.as_ref();
        let operation = Operation::Write { file: open.number, path: open.path(), offset: self.position, bytes };
        let allowed = open.disk.bytes_allowed(&operation, bytes.len())?;
        let written = (&open.file).write(&bytes[..allowed])?;
        self.position += written as u64;
        Ok(written)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.open.disk.watched.is_some() {
            return parts.iter().find(|part| !part.is_empty()).map_or(Ok(0), |part| self.write(part));
        }
        let written = (&self.open.file).write_vectored(parts)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for DiskFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = (&self.open.file).seek(to)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Lets the first operations pass, then fails.
    struct Script(Mutex<(Vec<String>, usize)>);

    impl Watch for Script {
        fn before(&self, operation: &Operation<'_>) -> Verdict {
            let mut script = self.0.lock().unwrap();
            script.0.push(match operation {
                Operation::Write { file, offset, bytes, .. } => format!("write {file} {offset} {}", bytes.len()),
                other => format!("{other:?}").split([' ', '{']).next().unwrap().to_owned(),
            });
            match (script.0.len().cmp(&script.1), operation) {
                (std::cmp::Ordering::Less, _) => Verdict::Go,
                (std::cmp::Ordering::Equal, Operation::Write { .. }) => Verdict::Short(2),
                _ => Verdict::Fail(io::Error::from(io::ErrorKind::StorageFull)),
            }
        }
    }

    fn script(allowed: usize) -> (tempfile::TempDir, Disk, Arc<Script>) {
        let script = Arc::new(Script(Mutex::new((Vec::new(), allowed))));
        (tempfile::tempdir().unwrap(), Disk::watched(Arc::clone(&script) as Arc<dyn Watch>), script)
    }

    #[test]
    fn the_watch_sees_every_change_with_its_place() {
        let (folder, disk, script) = script(usize::MAX);
        let inner = folder.path().join("a/b");
        disk.create_dir_all(&inner).unwrap();
        disk.create_dir_all(&inner).unwrap();
        let mut file = disk.create(&inner.join("x")).unwrap();
        file.write_all(b"hello").unwrap();
        file.seek(SeekFrom::Start(1)).unwrap();
        file.write_all(b"abc").unwrap();
        file.set_len(3).unwrap();
        file.shared().sync_data().unwrap();
        disk.sync_dir(&inner).unwrap();
        disk.rename_open(&file, &inner.join("y")).unwrap();
        assert_eq!(file.open.path(), inner.join("y"));
        assert_eq!(fs::read(inner.join("y")).unwrap(), b"hab");
        disk.remove_file(&inner.join("y")).unwrap();
        disk.remove_dir_all(&inner).unwrap();
        let seen = [
            "CreateFolder",
            "CreateFolder",
            "Open",
            "write 0 0 5",
            "write 0 1 3",
            "SetLength",
            "SyncFile",
            "SyncFolder",
            "Rename",
            "RemoveFile",
            "RemoveFolder",
        ];
        assert_eq!(script.0.lock().unwrap().0, seen);
    }

    #[test]
    fn a_disk_that_fails_takes_nothing_and_a_short_write_takes_a_part() {
        let (folder, disk, script) = script(2);
        let path = folder.path().join("x");
        let mut file = disk.create(&path).unwrap();
        assert_eq!(file.write_all(b"hello").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((fs::read(&path).unwrap(), script.0.lock().unwrap().0.len()), (b"he".to_vec(), 3));
        let error = disk.rename(&path, &folder.path().join("y")).unwrap_err();
        assert!(error.to_string().contains("x: cannot rename") && path.exists(), "{error}");
        assert!(file.shared().sync_data().is_err() && disk.remove_file(&path).is_err() && path.exists());
    }
}
