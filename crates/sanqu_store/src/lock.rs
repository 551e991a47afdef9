use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::StoreError;
use crate::error::IoContext;

/// The right to write into a store. Dropping it, or the end of the process, gives it back.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl StoreLock {
    pub(crate) fn take(root: &Path) -> Result<Self, StoreError> {
        let path = root.join(".lock");
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path).at("open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let known = (&file).take(64).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if known { holder.trim().to_owned() } else { "another process".to_owned() };
                return Err(StoreError::Locked { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::Io { path, action: "lock", source }),
        }
        // The holder's name is for the error message of others only; the lock itself is the system's.
        file.set_len(0).at("write", &path)?;
        file.rewind().at("write", &path)?;
        writeln!(file, "process {}", std::process::id()).at("write", &path)?;
        Ok(Self { _file: file })
    }
}
