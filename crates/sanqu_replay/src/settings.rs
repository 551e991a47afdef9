//! What the viewer remembers from one start to the next: its window, how it shows rows, its language, stores and
//! robots' descriptions.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bevy::math::UVec2;
use bevy::prelude::Resource;
use serde::{Deserialize, Serialize};

use crate::ReplayError;
use crate::lang::Lang;

/// Paths of a kind that are remembered, the last one first.
const PATHS_MAX: usize = 8;
/// Robots whose description is remembered.
const ROBOTS_MAX: usize = 32;
/// Largest settings file that is read, bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Edges of a window that is worth remembering, pixels.
const EDGE_RANGE_PX: (u32, u32) = (200, 16_384);

/// The remembered settings. What a file does not say is as in [`Settings::default`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether rows are interpolated (key `I`).
    pub interpolate: bool,
    /// The language asked for last; none takes the locale's.
    pub lang: Option<Lang>,
    /// Stores, the one opened last first.
    pub stores: Vec<PathBuf>,
    /// Folders of ROS packages that were named (`--packages`), the one named last first.
    pub packages: Vec<PathBuf>,
    /// Descriptions that were named for robots or models (`--robot`).
    pub robots: BTreeMap<String, PathBuf>,
    /// Where the window was.
    pub window: Option<WindowPlace>,
}

/// A window on the desktop, in physical pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowPlace {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Its upper left corner, where the desktop says so.
    pub corner: Option<(i32, i32)>,
}

impl WindowPlace {
    /// Its size.
    pub fn size(&self) -> UVec2 {
        UVec2::new(self.width, self.height)
    }

    /// Whether a window of this size is worth remembering.
    pub fn is_sensible(&self) -> bool {
        let (low, high) = EDGE_RANGE_PX;
        [self.width, self.height].iter().all(|edge| (low..=high).contains(edge))
    }
}

impl Settings {
    /// Puts a store to the front of the list.
    pub fn opened(&mut self, store: &Path) {
        to_front(&mut self.stores, store);
    }

    /// Puts a folder of packages to the front of the list.
    pub fn packages_named(&mut self, folder: &Path) {
        to_front(&mut self.packages, folder);
    }

    /// Remembers a robot's description; when there are too many, the first by name goes.
    pub fn robot_named(&mut self, robot: &str, urdf: &Path) {
        self.robots.insert(robot.to_owned(), urdf.to_path_buf());
        while self.robots.len() > ROBOTS_MAX {
            let other = self.robots.keys().find(|known| *known != robot).cloned();
            other.map(|other| self.robots.remove(&other));
        }
    }

    fn check(self) -> Result<Self, String> {
        let (low, high) = EDGE_RANGE_PX;
        match self.window {
            Some(place) if !place.is_sensible() => {
                Err(format!("window of {}x{} pixels; expected {low} to {high} a side", place.width, place.height))
            }
            _ => Ok(self),
        }
    }
}

/// The settings and the file that they are kept in.
#[derive(Resource, Clone, Debug, Default)]
pub struct SettingsFile {
    /// The settings.
    pub settings: Settings,
    /// What stands in the file.
    saved: Settings,
    /// None when nothing is to be remembered.
    path: Option<PathBuf>,
}

impl SettingsFile {
    /// `sanqu/replay.toml` in the user's configuration folder; none where there is no such folder.
    pub fn default_path() -> Option<PathBuf> {
        dirs::config_dir().map(|folder| folder.join("sanqu").join("replay.toml"))
    }

    /// Reads the settings; those of a file that is not there are the default. A file that cannot be understood is left as it
    /// is: the second value says what is wrong, and nothing will be saved.
    pub fn open(path: Option<PathBuf>) -> (Self, Option<ReplayError>) {
        let Some(path) = path else { return (Self::default(), None) };
        match read(&path) {
            Ok(settings) => (Self { saved: settings.clone(), settings, path: Some(path) }, None),
            Err(error) => (Self::default(), Some(error)),
        }
    }

    /// Whether the file does not say what the settings are.
    pub fn is_unsaved(&self) -> bool {
        self.path.is_some() && self.settings != self.saved
    }

    /// Writes nothing any more.
    pub fn forget(&mut self) {
        self.path = None;
    }

    /// Writes the settings if they have changed. The file is replaced as a whole.
    ///
    /// # Errors
    /// [`ReplayError::Io`].
    pub fn save(&mut self) -> Result<(), ReplayError> {
        let Some(path) = self.path.as_ref().filter(|_| self.settings != self.saved) else { return Ok(()) };
        let failed = |source| ReplayError::Io { path: path.clone(), source };
        let text = toml::to_string(&self.settings).map_err(|error| failed(std::io::Error::other(error)))?;
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let new = path.with_extension(format!("toml.{}", std::process::id()));
        let written = std::fs::File::create(&new).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.and_then(|()| std::fs::rename(&new, path)).map_err(failed)?;
        self.saved = self.settings.clone();
        Ok(())
    }
}

fn to_front(list: &mut Vec<PathBuf>, path: &Path) {
    list.retain(|known| known != path);
    list.insert(0, path.to_path_buf());
    list.truncate(PATHS_MAX);
}

fn read(path: &Path) -> Result<Settings, ReplayError> {
    let wrong = |reason: String| ReplayError::Settings { path: path.to_path_buf(), reason };
    let bytes = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(source) => return Err(ReplayError::Io { path: path.to_path_buf(), source }),
    };
    if bytes > FILE_BYTES_MAX {
        return Err(wrong(format!("{bytes} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|source| ReplayError::Io { path: path.to_path_buf(), source })?;
    toml::from_str::<Settings>(&text).map_err(|error| error.to_string()).and_then(Settings::check).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sanqu/replay.toml");
        let (mut file, warning) = SettingsFile::open(Some(path.clone()));
        assert!(warning.is_none() && file.settings == Settings::default());
        file.save().unwrap();
        assert!(!path.exists(), "nothing changed, nothing is written");
        file.settings.interpolate = true;
        file.settings.lang = Some(Lang::Zh);
        file.settings.window = Some(WindowPlace { width: 1600, height: 900, corner: Some((-20, 7)) });
        for store in ["a", "b", "a"] {
            file.settings.opened(Path::new(store));
        }
        file.settings.robot_named("g1", Path::new("g1.urdf"));
        file.settings.packages_named(Path::new("ros"));
        file.save().unwrap();
        let (again, warning) = SettingsFile::open(Some(path));
        assert!(warning.is_none());
        assert_eq!(again.settings, file.settings);
        assert_eq!(again.settings.stores, [Path::new("a"), Path::new("b")]);
        assert_eq!(std::fs::read_dir(folder.path().join("sanqu")).unwrap().count(), 1, "no unfinished file is left");
    }

    #[track_caller]
    fn refused(text: &str, says: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replay.toml");
        std::fs::write(&path, text).unwrap();
        let (mut file, warning) = SettingsFile::open(Some(path.clone()));
        let warning = warning.map(|warning| warning.to_string()).unwrap_or_default();
        assert!(warning.contains("replay.toml") && warning.contains(says), "{warning}");
        file.settings.interpolate = true;
        file.save().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "a file that is not understood stays as it is");
    }

    #[test]
    fn a_file_that_is_not_understood_is_named_and_kept() {
        refused("interpolate = 3", "interpolate");
        refused("colour = \"red\"", "colour");
        refused("[window]\nwidth = 3\nheight = 900", "3x900");
        refused(&"#".repeat(100_000), "100000 bytes");
    }

    #[test]
    fn few_stores_are_remembered() {
        let mut settings = Settings::default();
        (0..20).for_each(|store| settings.opened(Path::new(&store.to_string())));
        assert_eq!(settings.stores.len(), PATHS_MAX);
        assert_eq!(settings.stores[0], Path::new("19"));
        (0..50).for_each(|robot| settings.robot_named(&format!("{robot:02}"), Path::new("a.urdf")));
        assert!(settings.robots.len() == ROBOTS_MAX && settings.robots.contains_key("49"));
    }
}
