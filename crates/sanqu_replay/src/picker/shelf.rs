//! The episodes to choose from.

use std::path::{Path, PathBuf};

use sanqu_model::{Manifest, display_local};
use sanqu_store::Store;

use crate::ReplayError;
use crate::timeline::seconds;

/// How deep below a folder stores are looked for.
const DEPTH_MAX: usize = 4;
/// How many folders are looked into.
const FOLDERS_MAX: usize = 4096;

/// An episode of a store, as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its store.
    pub store: PathBuf,
    /// Its folder.
    pub dir: PathBuf,
    /// Its id.
    pub episode: String,
    /// When it began, ns.
    pub start_ns: i64,
    /// How long it is, ns.
    pub length_ns: i64,
    /// Where.
    pub station: String,
    /// The robots.
    pub robots: String,
    /// The task, if one was named.
    pub task: String,
    /// Rows that are known to be lost.
    pub lost_rows: u64,
}

/// The columns of the list.
pub const COLUMNS: usize = 7;

impl Entry {
    fn new(store: &Path, dir: &Path, manifest: &Manifest) -> Self {
        let robots: Vec<&str> = manifest.robots.iter().map(|robot| robot.robot.as_str()).collect();
        Self {
            store: store.to_path_buf(),
            dir: dir.to_path_buf(),
            episode: manifest.episode.to_string(),
            start_ns: manifest.start_ns,
            length_ns: manifest.stop_ns - manifest.start_ns,
            station: manifest.station.to_string(),
            robots: robots.join(" "),
            task: manifest.task.as_ref().map(ToString::to_string).unwrap_or_default(),
            lost_rows: manifest.streams.iter().map(|stream| stream.lost.total()).sum(),
        }
    }

    /// What stands in the columns: start (local time, to the second), length, station, robots, task, lost rows, id.
    pub fn columns(&self) -> [String; COLUMNS] {
        let start = display_local(self.start_ns);
        [
            start.split('.').next().unwrap_or(&start).to_owned(),
            format!("{:.1} s", seconds(self.length_ns)),
            self.station.clone(),
            self.robots.clone(),
            self.task.clone(),
            if self.lost_rows == 0 { String::new() } else { self.lost_rows.to_string() },
            self.episode.clone(),
        ]
    }
}

/// The sealed episodes of `stores`, newest first.
///
/// # Errors
/// Those of [`Store::open`] and [`Store::episodes`].
pub fn read(stores: &[PathBuf]) -> Result<Vec<Entry>, ReplayError> {
    let mut entries = Vec::new();
    for root in stores {
        let episodes = Store::open(root)?.episodes()?;
        entries.extend(episodes.iter().map(|episode| Entry::new(root, episode.dir(), episode.manifest())));
    }
    entries.sort_by(|a, b| (b.start_ns, &b.episode).cmp(&(a.start_ns, &a.episode)));
    Ok(entries)
}

/// The stores in `folder` and a few levels below; folders whose name begins with a dot are not looked into.
pub fn stores_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut level = vec![folder.to_path_buf()];
    let mut looked = 0;
    for _ in 0..=DEPTH_MAX {
        let mut next = Vec::new();
        for folder in level {
            looked += 1;
            if looked > FOLDERS_MAX {
                return found;
            }
            if Store::open(&folder).is_ok() {
                found.push(folder);
                continue;
            }
            // A folder that cannot be listed has no store for this user.
            let Ok(inside) = std::fs::read_dir(&folder) else { continue };
            let is_hidden = |entry: &std::fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
            let folders = inside.flatten().filter(|entry| !is_hidden(entry) && entry.file_type().is_ok_and(|kind| kind.is_dir()));
            next.extend(folders.map(|entry| entry.path()));
        }
        next.sort();
        level = next;
    }
    found
}
