//! X-ray: one joint's drive, drawn inside the robot and turning as it was recorded.
//!
//! [`XrayPlugin`] is the mechanism without pictures: the picked joint ([`Xray`]), its parts ([`XrayPart`]), where the
//! drawing state of `sanqu_robot` has them at the playhead. [`XrayLookPlugin`] gives the parts meshes and paints, makes the
//! robot's body translucent, names the parts, and takes the camera there.
//!
//! Angles are the recorded motor's and the recorded joint's, or those that a running robot sends. A motor of which there are
//! no rows is computed from the joint, and said to be. Where rows are missing the drive is grey.

mod bars;
mod callout;
mod fly;
mod layout;
mod log;
mod look;
mod moment;
mod part;
mod pick;
mod place;
mod plain;
mod planetary;
mod screw;
mod solid;
mod strain_wave;
mod subject;
mod telemetry;
mod tooth;

use bevy::app::{App, Plugin, PostUpdate, Update};
use bevy::prelude::{IntoScheduleConfigs, SystemSet};

pub use callout::notes;
pub use layout::Layout;
pub use log::{Channel, HeldRow, Log};
pub use moment::{Aliasing, DriveMoment, FrameRate, Moment, RotorSource, aliasing, aliasing_words};
pub use part::{Paint, PartName, XrayPart};
pub use pick::{JointRef, Xray, find_joint, full_name, joints_with_drives};
pub use subject::{Shown, Subject};
pub use telemetry::{RobotDrives, Telemetry};

use crate::timeline::ReplaySystems;

/// The order of the x-ray's systems: after the robots were posed, before panels follow.
#[derive(SystemSet, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XraySystems;

/// Shows the drive of the joint in [`Xray`]; needs no renderer.
pub struct XrayPlugin;

impl Plugin for XrayPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Xray>().init_resource::<Subject>().init_resource::<Moment>().init_resource::<FrameRate>();
        app.configure_sets(Update, XraySystems.after(ReplaySystems::Apply).before(ReplaySystems::Follow));
        app.add_systems(Update, (moment::measure, subject::exchange, moment::sample, place::place).chain().in_set(XraySystems));
    }
}

/// Makes the x-ray visible.
pub struct XrayLookPlugin;

impl Plugin for XrayLookPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<look::Paints>().init_resource::<look::Ghosts>().init_resource::<fly::Flight>();
        app.add_systems(Update, fly::fly.after(XraySystems).before(ReplaySystems::Follow));
        app.add_systems(
            Update,
            (look::dress, look::grey, look::head_lamp, callout::build, callout::follow, callout::write_notes)
                .chain()
                .in_set(ReplaySystems::Follow),
        );
        // After everything that paints bodies.
        app.add_systems(PostUpdate, look::ghost);
    }
}
