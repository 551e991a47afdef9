use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sanqu_model::{EpisodeId, FORMAT_VERSION, Id, Manifest, date_in_zone};
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::{Episode, StoreError, StoreLock, files, journal};

/// Suffix of a folder that is still being written.
pub(crate) const UNFINISHED: &str = ".tmp";

const STORE_FILE: &str = "sanqu.toml";

/// A folder of episodes. Cheap to clone; holds no open files.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    about: About,
    disk: Disk,
}

/// `sanqu.toml`. Unknown keys are accepted, because a later program may add some within the same format version.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    format_version: u32,
    field: Id,
    time_zone: String,
}

/// An episode as `ls` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeState {
    /// The episode.
    pub episode: EpisodeId,
    /// Whether only its journal exists: being recorded, or left behind by a crash.
    pub open: bool,
    /// What was recorded; none while open.
    pub manifest: Option<Manifest>,
    /// The folder, or the first journal segment while open.
    pub path: PathBuf,
}

impl Store {
    /// Opens a store, or makes one in an empty or missing folder.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::OtherField`] when the folder is another field's store.
    pub fn open_or_create(root: &Path, field: &Id, time_zone: &str) -> Result<Self, StoreError> {
        Self::open_or_create_on(Disk::default(), root, field, time_zone)
    }

    /// As [`Store::open_or_create`], on a disk that tests watch.
    ///
    /// # Errors
    /// As [`Store::open_or_create`].
    pub fn open_or_create_on(disk: Disk, root: &Path, field: &Id, time_zone: &str) -> Result<Self, StoreError> {
        let path = root.join(STORE_FILE);
        if !path.exists() {
            date_in_zone(0, time_zone)?;
            let missing: Vec<&Path> = root.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).collect();
            disk.create_dir_all(root)?;
            for above in missing.iter().filter_map(|made| made.parent()) {
                disk.sync_dir(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
            }
            let about = About { format_version: FORMAT_VERSION, field: field.clone(), time_zone: time_zone.to_owned() };
            let text = toml::to_string(&about).map_err(|e| StoreError::damaged(&path, e))?;
            files::write_atomic(&disk, &path, text.as_bytes())?;
        }
        let store = Self::open(root)?.on(disk);
        if &store.about.field != field {
            let (expected, found) = (field.to_string(), store.about.field.to_string());
            return Err(StoreError::OtherField { path, expected, found });
        }
        for folder in ["journals", "episodes", "robots"] {
            let folder = root.join(folder);
            store.disk.create_dir_all(&folder)?;
        }
        // The first journal is only as durable as the folder that it is in.
        store.disk.sync_dir(root)?;
        Ok(store)
    }

    /// The same store, written through another disk.
    #[must_use]
    pub fn on(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// Opens a store. Nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Io`] when there is none, [`StoreError::NewerFormat`] when a later program wrote it,
    /// [`StoreError::Damaged`] when `sanqu.toml` cannot be understood.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let path = root.join(STORE_FILE);
        let text = files::read_text(&path)?;
        // The version first: everything else in the file may mean something else in another version.
        let Version { format_version } = toml::from_str(&text).map_err(|e| StoreError::damaged(&path, e))?;
        check_version(&path, format_version)?;
        let about: About = toml::from_str(&text).map_err(|e| StoreError::damaged(&path, e))?;
        date_in_zone(0, &about.time_zone)?;
        Ok(Self { root: root.to_path_buf(), about, disk: Disk::default() })
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The field.
    pub fn field(&self) -> &Id {
        &self.about.field
    }

    /// IANA time zone that the dates of folders are in.
    pub fn time_zone(&self) -> &str {
        &self.about.time_zone
    }

    /// Makes the caller the store's one writer until the lock is dropped.
    ///
    /// # Errors
    /// [`StoreError::Locked`] naming who writes.
    pub fn lock(&self) -> Result<StoreLock, StoreError> {
        StoreLock::take(&self.disk, &self.root)
    }

    /// The journal segments that are not yet sealed, sorted by episode and segment.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn journals(&self) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.journal_folder();
        let mut found: Vec<(EpisodeId, u32, PathBuf)> = Vec::new();
        for name in files::names(&folder)? {
            if let Some((episode, segment)) = journal::parse_name(&name) {
                found.push((episode, segment, folder.join(name)));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, _, path)| path).collect())
    }

    /// The sealed episodes, sorted by id. A folder whose manifest cannot be read is left out and reported by `verify`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folders cannot be listed.
    pub fn episodes(&self) -> Result<Vec<Episode>, StoreError> {
        let mut episodes = Vec::new();
        for dir in self.episode_folders()? {
            match self.open_episode(&dir) {
                Ok(episode) => episodes.push(episode),
                Err(error) => tracing::error!(%error, "episode left out"),
            }
        }
        episodes.sort_by_key(|episode| episode.manifest().episode);
        Ok(episodes)
    }

    /// Sealed and open episodes, sorted by id.
    ///
    /// # Errors
    /// As [`Store::episodes`] and [`Store::journals`].
    pub fn episode_states(&self) -> Result<Vec<EpisodeState>, StoreError> {
        let mut states: Vec<EpisodeState> = self
            .episodes()?
            .into_iter()
            .map(|e| EpisodeState {
                episode: e.manifest().episode,
                open: false,
                manifest: Some(e.manifest().clone()),
                path: e.dir().to_path_buf(),
            })
            .collect();
        for path in self.journals()? {
            let Some((episode, _)) = journal::parse_path(&path) else { continue };
            if !states.iter().any(|state| state.episode == episode) {
                states.push(EpisodeState { episode, open: true, manifest: None, path });
            }
        }
        states.sort_by_key(|state| state.episode);
        Ok(states)
    }

    /// A sealed episode by the beginning of its id, or `last` for the newest.
    ///
    /// # Errors
    /// [`StoreError::NoEpisode`]; [`StoreError::Ambiguous`] listing the candidates; as [`Episode::open`].
    pub fn find(&self, id_prefix_or_last: &str) -> Result<Episode, StoreError> {
        let none = || StoreError::NoEpisode { root: self.root.clone(), wanted: id_prefix_or_last.to_owned() };
        if id_prefix_or_last == "last" {
            return self.newest(self.episode_folders()?).ok_or_else(none);
        }
        let prefix = id_prefix_or_last.to_ascii_uppercase();
        // By the folders' names: a store of many episodes has far too many manifests to read for one.
        let mut found: Vec<(EpisodeId, PathBuf)> =
            self.episode_folders()?.into_iter().filter_map(|dir| Some((parse_folder(&dir)?, dir))).collect();
        found.retain(|(episode, _)| !prefix.is_empty() && episode.to_string().starts_with(&prefix));
        found.sort();
        match found.as_slice() {
            [] => Err(none()),
            [(_, dir)] => self.open_episode(dir),
            several => {
                let candidates = several.iter().map(|(episode, _)| episode.to_string()).collect();
                Err(StoreError::Ambiguous { wanted: id_prefix_or_last.to_owned(), candidates })
            }
        }
    }

    /// The newest sealed episode of every station that has one.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folders cannot be listed.
    pub fn newest_of_stations(&self) -> Result<Vec<Episode>, StoreError> {
        let mut stations: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
        for dir in self.episode_folders()? {
            let station = dir.parent().and_then(Path::file_name).map(OsString::from).unwrap_or_default();
            stations.entry(station).or_default().push(dir);
        }
        Ok(stations.into_values().filter_map(|folders| self.newest(folders)).collect())
    }

    /// Copies a robot description (URDF, `drives.toml`, meshes) into `robots/<hash>/` unless it is there, and returns the
    /// hash: SHA-256 over the names and contents of its files.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::Damaged`] when the folder holds no file or far too many.
    pub fn snapshot_robot(&self, folder: &Path) -> Result<String, StoreError> {
        crate::snapshot::take(&self.disk, &self.root.join("robots"), folder)
    }

    /// The folder of a description snapshot.
    pub fn robot_folder(&self, hash: &str) -> PathBuf {
        self.root.join("robots").join(hash)
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(crate) fn journal_folder(&self) -> PathBuf {
        self.root.join("journals")
    }

    /// Where an episode that starts at `start_ns` is or will be.
    pub(crate) fn episode_folder(&self, episode: EpisodeId, station: &Id, start_ns: i64) -> Result<PathBuf, StoreError> {
        let date = date_in_zone(start_ns, &self.about.time_zone)?;
        Ok(self.root.join("episodes").join(format!("date={date}")).join(format!("station={station}")).join(episode.to_string()))
    }

    fn open_episode(&self, dir: &Path) -> Result<Episode, StoreError> {
        Ok(Episode::open(dir)?.on(&self.disk))
    }

    /// The newest episode whose manifest can be read.
    fn newest(&self, mut folders: Vec<PathBuf>) -> Option<Episode> {
        folders.sort_by_key(|dir| parse_folder(dir));
        folders.iter().rev().find_map(|dir| self.open_episode(dir).inspect_err(|error| tracing::error!(%error, "episode left out")).ok())
    }

    /// Folders named as sealed episodes, whether or not they can be read.
    pub(crate) fn episode_folders(&self) -> Result<Vec<PathBuf>, StoreError> {
        Ok(self.folders_below_stations()?.into_iter().filter(|dir| parse_folder(dir).is_some()).collect())
    }

    /// Folders that a seal left unfinished.
    pub(crate) fn unfinished_folders(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut found = self.folders_below_stations()?;
        found.retain(|dir| dir.extension().is_some_and(|e| e == "tmp"));
        Ok(found)
    }

    fn folders_below_stations(&self) -> Result<Vec<PathBuf>, StoreError> {
        let root = self.root.join("episodes");
        let mut found = Vec::new();
        for date in files::names(&root)?.into_iter().filter(|n| n.starts_with("date=")) {
            let date = root.join(date);
            for station in files::names(&date)?.into_iter().filter(|n| n.starts_with("station=")) {
                let station = date.join(station);
                found.extend(files::names(&station)?.into_iter().map(|name| station.join(name)).filter(|dir| dir.is_dir()));
            }
        }
        Ok(found)
    }
}

/// The episode that a folder is named after.
pub(crate) fn parse_folder(dir: &Path) -> Option<EpisodeId> {
    dir.file_name()?.to_str()?.parse().ok()
}

/// Refuses what a later program wrote.
pub(crate) fn check_version(path: &Path, found: u32) -> Result<(), StoreError> {
    if found > FORMAT_VERSION {
        return Err(StoreError::NewerFormat { path: path.to_path_buf(), found, supported: FORMAT_VERSION });
    }
    Ok(())
}
