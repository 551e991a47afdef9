//! The page that is shown when no episode was named: a store's episodes, to choose one or several.

mod board;
mod page;
mod shelf;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bevy::app::{App, Plugin, Startup, Update};
use bevy::math::UVec2;
use bevy::prelude::{IntoScheduleConfigs, Resource};

pub use board::Board;
pub use shelf::{COLUMNS, Entry, read, stores_below};

use crate::ReplayError;
use crate::lang::Lang;
use crate::scene::load_font;
use crate::settings::SettingsFile;
use crate::window::{RememberPlugin, run, window_plugins};

/// What was chosen; none until then.
#[derive(Resource, Clone, Debug, Default)]
pub struct Picked(Arc<Mutex<Option<Vec<PathBuf>>>>);

impl Picked {
    /// The folders of the episodes that were chosen.
    pub fn take(&self) -> Option<Vec<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, episodes: Vec<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(episodes);
    }
}

/// The page, its keys and its mouse. Needs [`Board`], [`Picked`] and [`Lang`].
pub struct PickerPlugin;

impl Plugin for PickerPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, (load_font, page::build).chain());
        app.add_systems(Update, (page::keys, page::mouse, page::write).chain());
    }
}

/// Opens a window with the list and returns the folders of the episodes that were chosen; none when it was closed.
///
/// # Errors
/// [`ReplayError::NoDisplay`], [`ReplayError::NoAdapter`]; [`ReplayError::Render`] when the window ended with a failure.
pub fn pick(entries: Vec<Entry>, lang: Lang, size: Option<UVec2>, settings: SettingsFile) -> Result<Option<Vec<PathBuf>>, ReplayError> {
    let picked = Picked::default();
    let title = lang.pick("sanqu: choose an episode", "sanqu：选择采集段").to_owned();
    let (plugins, _) = window_plugins(title, size.or(settings.settings.window.map(|place| place.size())))?;
    let mut app = App::new();
    app.add_plugins(plugins)
        .insert_resource(Board::new(entries))
        .insert_resource(picked.clone())
        .insert_resource(lang)
        .insert_resource(settings)
        .add_plugins((PickerPlugin, RememberPlugin));
    run(app)?;
    Ok(picked.take())
}
