use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::disk::Disk;
use crate::error::IoContext;
use crate::{StoreError, files};

/// Most files of one robot description.
const FILES_MAX: usize = 4096;
/// Deepest folder below a description.
const DEPTH_MAX: usize = 8;

/// See [`crate::Store::snapshot_robot`].
pub(crate) fn take(disk: &Disk, robots: &Path, source: &Path) -> Result<String, StoreError> {
    let found = list(source)?;
    let hash = hash_files(&found)?;
    let target = robots.join(&hash);
    if target.is_dir() {
        return Ok(hash);
    }
    let unfinished = robots.join(format!("{hash}{}", crate::store::UNFINISHED));
    if unfinished.exists() {
        disk.remove_dir_all(&unfinished)?;
    }
    for (name, path) in &found {
        let copy = unfinished.join(name);
        let folder = copy.parent().unwrap_or(&unfinished);
        disk.create_dir_all(folder)?;
        let mut from = File::open(path).at("open", path)?;
        let mut to = disk.create(&copy)?;
        io::copy(&mut from, &mut to).at("copy", &copy)?;
        to.sync_all().at("sync", &copy)?;
    }
    // Every folder, also those that hold folders only.
    let mut folders: Vec<&Path> = found.iter().filter_map(|(name, _)| Path::new(name).parent()).flat_map(Path::ancestors).collect();
    folders.sort();
    folders.dedup();
    folders.iter().try_for_each(|folder| disk.sync_dir(&unfinished.join(folder)))?;
    disk.rename(&unfinished, &target)?;
    disk.sync_dir(robots)?;
    Ok(hash)
}

/// The hash that a snapshot's folder is named after.
pub(crate) fn hash(folder: &Path) -> Result<String, StoreError> {
    hash_files(&list(folder)?)
}

fn hash_files(found: &[(String, PathBuf)]) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    for (name, path) in found {
        let proof = files::prove(path, name)?;
        hash.update(format!("{}\n{}\n{}\n", proof.name, proof.bytes, proof.sha256));
    }
    Ok(files::hex(&hash.finalize()))
}

fn list(source: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    list_below(source, "", 0, &mut found)?;
    if found.is_empty() {
        return Err(StoreError::damaged(source, "the robot description has no files"));
    }
    Ok(found)
}

/// Every file below `dir` with its name relative to the top, sorted.
fn list_below(dir: &Path, prefix: &str, depth: usize, found: &mut Vec<(String, PathBuf)>) -> Result<(), StoreError> {
    if depth > DEPTH_MAX {
        return Err(StoreError::damaged(dir, format!("folders deeper than {DEPTH_MAX}")));
    }
    // A missing folder must be an error here, not an empty description.
    fs::metadata(dir).at("open", dir)?;
    for name in files::names(dir)? {
        let path = dir.join(&name);
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            list_below(&path, &format!("{name}/"), depth + 1, found)?;
        } else {
            found.push((name, path));
        }
        if found.len() > FILES_MAX {
            return Err(StoreError::damaged(dir, format!("more than {FILES_MAX} files")));
        }
    }
    Ok(())
}
