//! The training field around the robots: floor, zones, stations, furniture, light, names.

mod floor;
mod font;
pub mod furniture;
mod labels;
pub mod layout;
mod light;
mod round;
mod tile;

use bevy::app::{App, Plugin, Startup, Update};
use bevy::prelude::{IntoScheduleConfigs, Resource};

pub use font::ReplayFont;
pub(crate) use font::load_font;
pub use labels::WorldLabel;
pub use light::SKY_RGB;
pub(crate) use light::{fog, hall};
pub use round::Section;

use crate::robots::spawn_robots;
use crate::timeline::ReplaySystems;

/// What a picture may cost.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// Whether the sun throws shadows.
    pub shadows: bool,
    /// Whether edges are smoothed (four samples a pixel).
    pub smooth_edges: bool,
}

impl Quality {
    /// Everything.
    pub const FULL: Self = Self { shadows: true, smooth_edges: true };
    /// As cheap as possible.
    pub const PLAIN: Self = Self { shadows: false, smooth_edges: false };
}

/// Builds the scene of the [`crate::replay::Replay`]; needs [`Quality`] and a renderer's asset plugins.
pub struct ScenePlugin;

impl Plugin for ScenePlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, (font::load_font, light::build_light, floor::build_floor));
        app.add_systems(Startup, labels::build_labels.after(font::load_font).after(spawn_robots));
        app.add_systems(Update, (labels::scale_texts, labels::follow).chain().in_set(ReplaySystems::Follow));
    }
}
