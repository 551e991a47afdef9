//! The timeline under the scene: one lane a stream with its gaps, marks, the repeated span, and where the playhead is.

mod layout;
mod paint;
mod rows;
mod scrub;
mod show;

use bevy::app::{App, Plugin, Startup, Update};
use bevy::prelude::{IntoScheduleConfigs, Resource};

pub use layout::BarLayout;
pub use paint::{Cell, cell};
pub use rows::{BarRow, bar_rows};
pub(crate) use scrub::scrub;
pub use scrub::{PointerTaken, ScrubPlugin};
pub(crate) use show::{lay_out, stretched, thumbnails_px};

use crate::timeline::ReplaySystems;

/// The robot whose streams have lanes of their own, by its index in the replay.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Focus(pub usize);

/// What covers what among the panels: roots of the user interface have no order of their own.
pub(crate) struct Layer;

impl Layer {
    pub(crate) const GROUND: i32 = 10;
    pub(crate) const PICTURE: i32 = 11;
    pub(crate) const TEXT: i32 = 12;
    pub(crate) const CURSOR: i32 = 13;
    pub(crate) const HELP: i32 = 20;
}

/// Whether the bar and the video panels are drawn.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panels(pub bool);

/// Draws the bar; needs the scene's font, [`Focus`], [`Panels`] and [`crate::lang::Lang`].
pub struct BarPlugin;

impl Plugin for BarPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<BarLayout>();
        app.add_systems(Startup, show::build.after(crate::scene::load_font));
        app.add_systems(Update, (show::lay_out, show::move_cursor, show::write_labels).chain().in_set(ReplaySystems::Follow));
    }
}
