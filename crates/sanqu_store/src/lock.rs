use std::fs::TryLockError;
use std::io::{Read, Write};
use std::path::Path;

use crate::StoreError;
use crate::disk::{Disk, DiskFile};

/// The right to write into a store. Dropping it, or the end of the process, gives it back.
#[derive(Debug)]
pub struct StoreLock {
    _file: DiskFile,
}

impl StoreLock {
    pub(crate) fn take(disk: &Disk, root: &Path) -> Result<Self, StoreError> {
        let path = root.join(".lock");
        let mut file = disk.open_or_create(&path)?;
        match file.system().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let known = file.system().take(64).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if known { holder.trim().to_owned() } else { "another process".to_owned() };
                return Err(StoreError::Locked { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::Io { path, action: "lock", source }),
        }
        // The holder's name is for the error message of others only; the lock itself is the system's. On a full disk
        // there must still be a repair.
        if let Err(error) = file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id())) {
            tracing::warn!(path = %path.display(), %error, "the lock does not say whose it is");
        }
        Ok(Self { _file: file })
    }
}
