//! The panel beside an x-ray: figures of motor and joint with units, limits and ages, and curves of the last seconds.

mod curves;
mod figures;
mod list;
mod panel;
mod plot;

use bevy::app::{App, Plugin, Startup, Update};
use bevy::prelude::IntoScheduleConfigs;

pub use curves::{Curves, Point, WINDOW_SECS, curves};
pub use figures::{Figure, Level, figures};

use crate::scene::load_font;
use crate::timeline::ReplaySystems;

/// Shows the panel while a joint is looked into; needs the scene's font and a renderer's asset plugins.
pub struct InspectorPlugin;

impl Plugin for InspectorPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, panel::build.after(load_font));
        app.add_systems(Update, (panel::write, plot::draw).in_set(ReplaySystems::Follow));
    }
}

/// Picking joints in a window: by a click on the robot, from a list, one after the other.
pub struct PickingPlugin;

impl Plugin for PickingPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, list::build.after(load_font));
        app.add_systems(Update, (list::keys, list::click, list::choose, list::narrow).in_set(ReplaySystems::Input));
    }
}
