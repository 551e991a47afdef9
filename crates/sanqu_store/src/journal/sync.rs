use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::StoreError;
use crate::disk::OpenFile;
use crate::error::IoContext;

/// Makes durable what a [`JournalWriter`](crate::JournalWriter) has flushed, from another thread: the writer goes on
/// appending while the disk is busy.
#[derive(Clone, Debug)]
pub struct JournalSyncer {
    shared: Arc<Shared>,
}

/// What a writer and its syncers share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The first failure, after which nothing more is written.
    failed: OnceLock<String>,
    current: Mutex<(Arc<OpenFile>, PathBuf)>,
}

impl JournalSyncer {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// Makes durable (fdatasync) what was flushed before the call; what is flushed meanwhile may or may not be.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the disk refuses, which fails the writer as well, because the system may have dropped the
    /// pages; [`StoreError::WriterFailed`] after an earlier failure of the writer or of a sync.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.shared.sync()
    }
}

impl Shared {
    pub(super) fn new(file: Arc<OpenFile>, path: PathBuf) -> Self {
        Self { failed: OnceLock::new(), current: Mutex::new((file, path)) }
    }

    /// The file that is written from now on. The one before it is durable.
    pub(super) fn replace(&self, file: Arc<OpenFile>, path: PathBuf) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = (file, path);
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let (file, path) = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(reason) = self.failed.get() {
            return Err(StoreError::WriterFailed { path, reason: reason.clone() });
        }
        file.sync_data().at("sync", &path).inspect_err(|error| self.fail(error))
    }

    pub(super) fn fail(&self, error: &StoreError) {
        // The first failure is the one that counts.
        let _ = self.failed.set(error.to_string());
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failed.get().map(String::as_str)
    }
}
