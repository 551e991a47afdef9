//! Two recordings, or commands and what was measured, in one place: a translucent ghost in the robot's stead, and how far
//! each joint is apart.
//!
//! [`load_compared`] pairs robots and their joints ([`Pair`]) and aligns the recordings ([`Align`]). [`ComparePlugin`] moves
//! the ghosts' links and walks the rows once for the table ([`Walk`]); it needs no renderer. [`CompareLookPlugin`] dresses
//! the ghosts and writes the panel.
//!
//! A difference is always ghost minus robot, taken on the straight way between rows of either side, whatever the picture
//! shows between them. Where one side is stale or lacks rows there is none, and none counts.

mod align;
mod delay;
mod ghost;
mod keys;
mod load;
mod look;
mod pair;
mod panel;
mod plot;
mod progress;
mod report;
mod table;
#[cfg(test)]
mod tests;
mod words;

use bevy::app::{App, Plugin, PostStartup, Startup, Update};
use bevy::prelude::{IntoScheduleConfigs, Resource};

pub use align::{Align, Aligned, Recording, align};
pub use delay::{Delay, DelaySearch};
pub use ghost::{Ghost, GhostLink, GhostState};
pub use keys::CompareKeysPlugin;
pub(crate) use keys::nudges;
pub use load::{CompareOptions, compare_with, load_compared};
pub use pair::{GhostKind, JointPair, Pair, Sides, TipPair};
pub use panel::PANEL_PX;
pub use progress::Progress;
pub use report::report;
pub use table::{CURVE_POINTS, JointDifference, Table, Walk};
pub(crate) use words::hud_line;

use crate::robots::spawn_robots;
use crate::scene::load_font;
use crate::timeline::{ReplaySystems, Span};

/// What the robots of a [`crate::replay::Replay`] are compared with.
#[derive(Debug)]
pub struct Comparison {
    /// Robots and their ghosts, in the order of the robots.
    pub pairs: Vec<Pair>,
    /// What the ghosts are.
    pub kind: GhostKind,
    /// How the recordings are aligned.
    pub align: Align,
    /// The whole timeline.
    pub timeline: Span,
    /// The ghosts' recording on the timeline, without a nudge.
    pub ghost_span: Span,
    /// How much later than aligned the ghosts are shown at first, ns.
    pub nudge_ns: i64,
}

impl Comparison {
    /// The pair of a robot.
    pub fn pair_of(&self, robot: usize) -> Option<usize> {
        self.pairs.iter().position(|pair| pair.robot == robot)
    }

    /// What both recordings cover when the ghosts are nudged by `nudge_ns`; none when they have no instant in common.
    pub fn covered(&self, nudge_ns: i64) -> Option<Span> {
        let from_ns = self.timeline.from_ns.max(self.ghost_span.from_ns.saturating_add(nudge_ns));
        let to_ns = self.timeline.to_ns.min(self.ghost_span.to_ns.saturating_add(nudge_ns));
        (from_ns < to_ns).then_some(Span { from_ns, to_ns })
    }
}

/// How the comparison is shown.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompareView {
    /// Whether ghosts are drawn.
    pub ghosts: bool,
    /// How much later than aligned they are shown, ns.
    pub nudge_ns: i64,
    /// The joint whose curve is drawn, by its place in the table; 0 is the one that differs most.
    pub place: usize,
}

impl Default for CompareView {
    fn default() -> Self {
        Self { ghosts: true, nudge_ns: 0, place: 0 }
    }
}

/// Moves ghosts and compares rows, if the replay has a comparison; needs no renderer.
pub struct ComparePlugin;

impl Plugin for ComparePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<CompareView>().init_resource::<Progress>();
        app.add_systems(Startup, (ghost::spawn.after(spawn_robots), keys::begin));
        app.add_systems(Update, (ghost::apply, progress::walk).after(ReplaySystems::Apply).before(ReplaySystems::Follow));
    }
}

/// Makes ghosts visible and writes the panel; needs the scene's font and a renderer's asset plugins.
pub struct CompareLookPlugin;

impl Plugin for CompareLookPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, panel::build.after(load_font));
        // Ghosts wear the meshes of the robots, which are dressed at startup.
        app.add_systems(PostStartup, look::dress);
        app.add_systems(Update, (look::change_coats, panel::write, panel::place, plot::draw).in_set(ReplaySystems::Follow));
    }
}
