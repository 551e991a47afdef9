use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use sanqu_store::disk::{Disk, Operation, Verdict, Watch};

/// The disk is full.
pub const ENOSPC: i32 = 28;
/// The disk is broken.
pub const EIO: i32 = 5;

/// Something that was done on a disk, with its bytes: an [`Operation`] to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// See [`Operation::Open`].
    Open {
        /// The open file's number.
        file: u64,
        /// The file.
        path: PathBuf,
        /// Whether what was in it went.
        empty: bool,
    },
    /// See [`Operation::Write`].
    Write {
        /// The open file's number.
        file: u64,
        /// Where in the file.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// See [`Operation::SetLength`].
    SetLength {
        /// The open file's number.
        file: u64,
        /// The new length.
        bytes: u64,
    },
    /// See [`Operation::SyncFile`].
    SyncFile {
        /// The open file's number.
        file: u64,
    },
    /// See [`Operation::SyncFolder`].
    SyncFolder(PathBuf),
    /// See [`Operation::Rename`].
    Rename(PathBuf, PathBuf),
    /// See [`Operation::CreateFolder`].
    CreateFolder(PathBuf),
    /// See [`Operation::RemoveFile`].
    RemoveFile(PathBuf),
    /// See [`Operation::RemoveFolder`].
    RemoveFolder(PathBuf),
}

impl Step {
    fn of(operation: &Operation<'_>) -> Self {
        match *operation {
            Operation::Open { file, path, empty } => Self::Open { file, path: path.to_path_buf(), empty },
            Operation::Write { file, offset, bytes, .. } => Self::Write { file, offset, bytes: bytes.to_vec() },
            Operation::SetLength { file, bytes, .. } => Self::SetLength { file, bytes },
            Operation::SyncFile { file, .. } => Self::SyncFile { file },
            Operation::SyncFolder { path } => Self::SyncFolder(path.to_path_buf()),
            Operation::Rename { from, to } => Self::Rename(from.to_path_buf(), to.to_path_buf()),
            Operation::CreateFolder { path } => Self::CreateFolder(path.to_path_buf()),
            Operation::RemoveFile { path } => Self::RemoveFile(path.to_path_buf()),
            Operation::RemoveFolder { path } => Self::RemoveFolder(path.to_path_buf()),
        }
    }
}

/// A disk under a test's control: it writes down what is done, fails when told to, and can be held.
///
/// Operations are counted from 0. What fails is not written down as a [`Step`], but counts.
#[derive(Debug, Default)]
pub struct TestDisk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    steps: Vec<Step>,
    count: usize,
    fault: Option<Fault>,
    hold: Option<Hold>,
    held: usize,
}

/// What hangs.
#[derive(Debug)]
struct Hold {
    /// Operations before this one go on.
    from: usize,
    path: PathBuf,
    which: fn(&Operation<'_>) -> bool,
}

/// What goes wrong, from which operation on.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The first operation that may fail.
    pub at: usize,
    /// The system's error: [`ENOSPC`], [`EIO`].
    pub errno: i32,
    /// Whether all later ones fail as well, until [`TestDisk::mend`]. A full disk still opens
    /// what is there, syncs folders, renames and removes.
    pub stays: bool,
    /// A write takes this many bytes before the next one fails.
    pub short: Option<usize>,
}

impl TestDisk {
    /// A disk that does as it is asked.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// For [`sanqu_store::Store::on`].
    pub fn disk(self: &Arc<Self>) -> Disk {
        Disk::watched(Arc::clone(self) as Arc<dyn Watch>)
    }

    /// Makes operations fail.
    pub fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Ends all failing.
    pub fn mend(&self) {
        self.state().fault = None;
    }

    /// Holds operations of a kind at or below `path` from the next one on, like a disk that hangs, until
    /// [`TestDisk::release`].
    pub fn hold(&self, path: &Path, which: fn(&Operation<'_>) -> bool) {
        let mut state = self.state();
        state.hold = Some(Hold { from: state.count, path: path.to_path_buf(), which });
    }

    /// Waits until an operation is held.
    pub fn wait_held(&self) {
        drop(self.changed.wait_while(self.state(), |state| state.held == 0).unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets what is held go on.
    pub fn release(&self) {
        self.state().hold = None;
        self.changed.notify_all();
    }

    /// How many operations were asked for.
    pub fn count(&self) -> usize {
        self.state().count
    }

    /// What was done, in order.
    pub fn steps(&self) -> Vec<Step> {
        self.state().steps.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for TestDisk {
    fn before(&self, operation: &Operation<'_>) -> Verdict {
        let mut state = self.state();
        let number = state.count;
        state.count += 1;
        if is_held(&state, operation, number) {
            state.held += 1;
            self.changed.notify_all();
            let waited = self.changed.wait_while(state, |state| is_held(state, operation, number));
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.held -= 1;
        }
        match state.fault.and_then(|fault| fault.verdict(number, operation)) {
            Some(Verdict::Short(bytes)) => {
                if let Operation::Write { file, offset, bytes: all, .. } = *operation {
                    state.steps.push(Step::Write { file, offset, bytes: all[..bytes].to_vec() });
                }
                Verdict::Short(bytes)
            }
            Some(verdict) => verdict,
            None => {
                state.steps.push(Step::of(operation));
                Verdict::Go
            }
        }
    }
}

fn is_held(state: &State, operation: &Operation<'_>, number: usize) -> bool {
    state.hold.as_ref().is_some_and(|hold| number >= hold.from && operation.path().starts_with(&hold.path) && (hold.which)(operation))
}

impl Fault {
    /// One operation fails.
    pub fn once(at: usize, errno: i32) -> Self {
        Self { at, errno, stays: false, short: None }
    }

    /// An operation and all that follow fail.
    pub fn from(at: usize, errno: i32) -> Self {
        Self { at, errno, stays: true, short: None }
    }

    fn verdict(self, number: usize, operation: &Operation<'_>) -> Option<Verdict> {
        let takes_no_room = match operation {
            Operation::Open { path, .. } => path.exists(),
            Operation::SyncFolder { .. } | Operation::Rename { .. } | Operation::RemoveFile { .. } | Operation::RemoveFolder { .. } => true,
            _ => false,
        };
        let is_hit = if self.stays { number >= self.at && !(self.errno == ENOSPC && takes_no_room) } else { number == self.at };
        match (self.short, operation) {
            (Some(short), Operation::Write { bytes, .. }) if number == self.at && bytes.len() > short => Some(Verdict::Short(short)),
            // The rest of a short write is the next operation.
            (Some(_), _) if number == self.at => None,
            (Some(_), _) if number == self.at + 1 => Some(Verdict::Fail(io::Error::from_raw_os_error(self.errno))),
            _ => is_hit.then(|| Verdict::Fail(io::Error::from_raw_os_error(self.errno))),
        }
    }
}
