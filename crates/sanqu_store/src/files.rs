//! Writing files so that they are there after a power loss, and proving what is in them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sanqu_model::FileEntry;
use sha2::{Digest, Sha256};

use crate::StoreError;
use crate::disk::Disk;
use crate::error::IoContext;

/// The largest text file (manifest, decisions, store file) that is read, in bytes.
pub(crate) const TEXT_BYTES_MAX: u64 = 64 << 20;

const READ_BYTES: usize = 1 << 20;

/// Writes a small file beside its place, then moves it there: readers see the old or the new content, never a part.
pub(crate) fn write_atomic(disk: &Disk, path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    write_synced(disk, &temporary, content)?;
    disk.rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |parent| disk.sync_dir(parent))
}

/// Writes a file and makes its content durable.
pub(crate) fn write_synced(disk: &Disk, path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = disk.create(path)?;
    file.write_all(content).at("write", path)?;
    file.sync_all().at("sync", path)
}

/// Reads a text file of bounded size.
pub(crate) fn read_text(path: &Path) -> Result<String, StoreError> {
    let file = File::open(path).at("open", path)?;
    let mut bytes = Vec::new();
    file.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes).at("read", path)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(StoreError::damaged(path, format!("more than {TEXT_BYTES_MAX} bytes of text")));
    }
    String::from_utf8(bytes).map_err(|e| StoreError::damaged(path, format!("not UTF-8: {e}")))
}

/// Size and SHA-256 of a file; `name` is how the manifest calls it.
pub(crate) fn prove(path: &Path, name: &str) -> Result<FileEntry, StoreError> {
    let mut file = File::open(path).at("open", path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer).at("read", path)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        bytes += n as u64;
    }
    Ok(FileEntry { name: name.to_owned(), bytes, sha256: hex(&hash.finalize()) })
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

/// The names in a folder, sorted; none when the folder does not exist.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Io { path: dir.to_path_buf(), action: "list", source }),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A name that is not UTF-8 is none of ours.
        if let Ok(name) = entry.at("list", dir)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
