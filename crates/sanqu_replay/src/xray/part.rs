//! Names and paints of the parts that an x-ray shows.

use bevy::math::Vec3;
use bevy::prelude::{Component, Transform};

/// A part of a drive. Numbers count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartName {
    /// Plug of a strain-wave gear: the ellipse that the motor turns.
    WaveGenerator,
    /// The bearing's ring on the plug.
    BearingInside,
    /// The bearing's ring inside the flexspline.
    BearingOutside,
    /// A ball between them.
    Ball(u32),
    /// The flexspline's wall: its shape follows the wave generator.
    FlexsplineWall,
    /// A tooth of the flexspline: its place follows the material. Tooth 0 is painted.
    FlexsplineTooth(u32),
    /// The ring of inner teeth.
    CircularSpline,
    /// The flange that the flexspline's bottom (or the last carrier) ends in.
    Flange,
    /// Sun of a stage.
    Sun(u32),
    /// Planet of a stage; planet 0 has a painted tooth.
    Planet(u32, u32),
    /// Ring of a stage.
    Ring(u32),
    /// Carrier of a stage.
    Carrier(u32),
    /// Screw of a roller screw.
    Screw,
    /// A roller.
    Roller(u32),
    /// The rollers' cage.
    Cage,
    /// Nut of a roller screw.
    Nut,
    /// The tube from the moving part to the far end of the actuator.
    Tube,
    /// Rotor where nothing else is known of the inside.
    Rotor,
    /// Output where nothing else is known of the inside.
    Output,
    /// Eccentric of a cycloidal gear.
    Eccentric,
    /// Disc of a cycloidal gear.
    Disc,
    /// Pins of a cycloidal gear.
    Pins,
    /// Crank of a linkage.
    Crank,
    /// Rod or coupler of a linkage.
    Rod,
    /// Joint at the driving (0) or the driven (1) end of the rod.
    RodEnd(u32),
    /// Lever on the driven link.
    Horn,
    /// What the driven link turns about.
    Pivot,
}

/// A spawned part.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct XrayPart {
    /// Which of the shown drives it belongs to, from 0.
    pub drive: usize,
    /// What it is.
    pub name: PartName,
}

/// What a part is painted with: colours that people with any kind of colour vision tell apart (Okabe and Ito).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Paint {
    /// What the motor turns.
    Input,
    /// What rolls or bends between input and output.
    Middle,
    /// What stands still.
    Fixed,
    /// What turns the joint.
    Output,
    /// Races of bearings.
    Race,
    /// Balls, pins, joints.
    Steel,
    /// A painted tooth or stripe.
    Mark,
    /// A dark dot on something bright.
    Ink,
    /// A rod.
    Rod,
    /// What moves with the driven link.
    Driven,
    /// A case that one looks through.
    Glass,
}

impl Paint {
    /// Colour, sRGB, and opacity.
    pub fn rgba(self) -> [f32; 4] {
        match self {
            Self::Input => [0.902, 0.624, 0.0, 1.0],
            Self::Middle => [0.337, 0.706, 0.914, 1.0],
            Self::Fixed => [0.47, 0.50, 0.54, 1.0],
            Self::Output => [0.0, 0.62, 0.451, 1.0],
            Self::Race => [0.76, 0.78, 0.80, 1.0],
            Self::Steel => [0.93, 0.94, 0.95, 1.0],
            Self::Mark => [0.835, 0.20, 0.0, 1.0],
            Self::Ink => [0.05, 0.05, 0.06, 1.0],
            Self::Rod => [0.80, 0.475, 0.655, 1.0],
            Self::Driven => [0.0, 0.447, 0.698, 1.0],
            Self::Glass => [0.62, 0.68, 0.74, 0.22],
        }
    }
}

/// A name beside the picture with a line to what it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Callout {
    /// What is named.
    pub text: String,
    /// In the colour of the part.
    pub paint: Paint,
    /// Where the line ends: distance from the gear's axis and place along it, m. The angle is chosen by the view.
    pub rho_m: f64,
    /// Place along the axis, m.
    pub z_m: f64,
    /// The line ends at the nearest part of this kind instead.
    pub part: Option<PartName>,
}

impl Callout {
    /// A name of something that goes round the axis.
    pub fn ring(text: String, paint: Paint, rho_m: f64, z_m: f64) -> Self {
        Self { text, paint, rho_m, z_m, part: None }
    }

    /// A name of a part that is somewhere; `z_m` is where its front is.
    pub fn of_part(text: String, paint: Paint, part: PartName, z_m: f64) -> Self {
        Self { text, paint, rho_m: 0.0, z_m, part: Some(part) }
    }
}

/// What a camera has to have in view, in the gear's frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Middle along the axis, m.
    pub z_m: f64,
    /// Radius of a ball around it, m.
    pub radius_m: f64,
    /// Angle between the axis and the best direction of view, rad.
    pub tilt_rad: f64,
}

/// A part at a place.
pub(super) fn placed(translation: Vec3, rotation: bevy::math::Quat) -> Transform {
    Transform { translation, rotation, scale: Vec3::ONE }
}

/// A part turned about the gear's axis.
pub(super) fn turned(angle: f64) -> Transform {
    placed(Vec3::ZERO, super::solid::turn(angle))
}
