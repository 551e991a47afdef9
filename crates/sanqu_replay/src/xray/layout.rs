//! How a drive is drawn: which gear, how large, and where it stands on the robot.

use bevy::mesh::Mesh;
use bevy::prelude::Transform;
use nalgebra::{Isometry3, Point3, Translation3, Unit, UnitQuaternion, Vector3};
use sanqu_robot::{Drive, DriveState, GearState, Joint, LinkageKind, ReducerKind, ScrewMotion, SplineAngles, Splines, StageAngles};

use super::bars::BarsLayout;
use super::part::{Callout, Extent, Paint, PartName};
use super::plain::PlainLayout;
use super::planetary::PlanetaryLayout;
use super::screw::ScrewLayout;
use super::strain_wave::StrainWaveLayout;
use crate::lang::Lang;

/// Radius of a gear per cube root of its torque, m per (N·m)^⅓: a strain-wave gear of size 20 for its 147 N·m.
const RADIUS_PER_TORQUE: f64 = 0.0254 / 5.28;
/// Least and greatest radius that is derived so, and the one without any torque, m.
const RADIUS_RANGE_M: (f64, f64) = (0.011, 0.06);
const RADIUS_UNKNOWN_M: f64 = 0.03;
/// A linear actuator's output range where the joint has no limits, as a share of its length.
const STROKE_SHARE: f64 = 0.3;

/// The drawing of one gear.
#[derive(Clone, Debug)]
pub enum Gear {
    /// Strain-wave gear.
    StrainWave(StrainWaveLayout),
    /// Planetary stages.
    Planetary(PlanetaryLayout),
    /// Roller screw.
    Screw(ScrewLayout),
    /// Cycloidal gear, no gear, or nothing known.
    Plain(PlainLayout),
}

/// How one drive is drawn.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The gear.
    pub gear: Gear,
    /// The linkage's bars, where it has any that are described.
    pub bars: Option<BarsLayout>,
    /// Pitch radius of the gear or of the screw, m.
    pub radius_m: f64,
    /// Whether teeth or size are not described and chosen by us.
    pub guesses: Vec<&'static str>,
}

impl Layout {
    /// For a drive, one of its joints, its state somewhere, and the range of its output.
    pub fn new(drive: &Drive, joint: &Joint, state: &DriveState, range: [f64; 2]) -> Self {
        let mut guesses = Vec::new();
        let given_m = drive.strain_wave.as_ref().and_then(|gear| gear.pitch_radius_m);
        if given_m.is_none() && drive.reducer != ReducerKind::RollerScrew {
            guesses.push("size");
        }
        let radius_m = given_m.unwrap_or_else(|| radius_of(drive, joint));
        let plain = || Gear::Plain(PlainLayout::new(radius_m, drive.cycloid.as_ref()));
        let gear = match &state.gear {
            GearState::StrainWave(_) => {
                splines(drive, &mut guesses).map_or_else(plain, |splines| Gear::StrainWave(StrainWaveLayout::new(splines, radius_m)))
            }
            GearState::Planetary { .. } => {
                drive.planetary.as_ref().and_then(|gear| PlanetaryLayout::new(&gear.stages, radius_m)).map_or_else(plain, Gear::Planetary)
            }
            GearState::RollerScrew(_) => match (&drive.roller_screw, &state.bars) {
                (Some(screw), Some(bars)) => {
                    let zero_m = (bars.rod[1] - bars.rod[0]).norm() - state.output;
                    Gear::Screw(ScrewLayout::new(screw, zero_m, range.map(|end| if end.is_finite() { end } else { STROKE_SHARE * zero_m })))
                }
                _ => plain(),
            },
            _ => plain(),
        };
        Self { gear, bars: state.bars.as_ref().map(BarsLayout::new), radius_m, guesses }
    }

    /// Every part of the gear.
    pub fn gear_parts(&self) -> Vec<PartName> {
        match &self.gear {
            Gear::StrainWave(gear) => gear.parts(),
            Gear::Planetary(gear) => gear.parts(),
            Gear::Screw(gear) => gear.parts(),
            Gear::Plain(gear) => gear.parts(),
        }
    }

    /// Where a part of the gear is in the gear's frame.
    pub fn place(&self, part: PartName, state: &DriveState, facing: f64) -> Option<Transform> {
        match (&self.gear, faced(&state.gear, facing)) {
            (Gear::StrainWave(gear), GearState::StrainWave(angles)) => gear.place(part, &angles),
            (Gear::Planetary(gear), GearState::Planetary { stages, .. }) => gear.place(part, &stages),
            (Gear::Screw(gear), GearState::RollerScrew(motion)) => {
                let length_m = state.bars.map_or(0.0, |bars| (bars.rod[1] - bars.rod[0]).norm());
                gear.place(part, &motion, length_m)
            }
            (Gear::Plain(gear), angles) => gear.place(part, &angles, facing * state.output),
            _ => None,
        }
    }

    /// A part's mesh.
    pub fn mesh(&self, part: PartName) -> Option<Mesh> {
        self.bars.and_then(|bars| bars.mesh(part)).or_else(|| match &self.gear {
            Gear::StrainWave(gear) => gear.mesh(part),
            Gear::Planetary(gear) => gear.mesh(part),
            Gear::Screw(gear) => gear.mesh(part),
            Gear::Plain(gear) => gear.mesh(part),
        })
    }

    /// What is painted on a part.
    pub fn mark(&self, part: PartName) -> Option<(Mesh, Paint)> {
        match &self.gear {
            Gear::StrainWave(gear) => gear.mark(part),
            Gear::Planetary(gear) => gear.mark(part),
            Gear::Screw(gear) => gear.mark(part),
            Gear::Plain(gear) => gear.mark(part),
        }
    }

    /// What a part is painted with.
    pub fn paint(&self, part: PartName) -> Paint {
        use PartName::{Crank, Horn, Pivot, Rod, RodEnd};
        match (&self.gear, part) {
            (_, Crank | Horn | Pivot | Rod | RodEnd(_)) => BarsLayout::paint(part),
            (Gear::StrainWave(_), _) => StrainWaveLayout::paint(part),
            (Gear::Planetary(_), _) => PlanetaryLayout::paint(part),
            (Gear::Screw(gear), _) => gear.paint(part),
            (Gear::Plain(_), _) => PlainLayout::paint(part),
        }
    }

    /// Names of the linkage's parts, else of the gear's.
    pub fn callouts(&self, lang: Lang) -> Vec<Callout> {
        let bars = self.bars.map(|bars| bars.callouts(lang)).filter(|bars| !bars.is_empty());
        bars.unwrap_or_else(|| match &self.gear {
            Gear::StrainWave(gear) => gear.callouts(lang),
            Gear::Planetary(gear) => gear.callouts(lang),
            Gear::Screw(gear) => gear.callouts(lang),
            Gear::Plain(gear) => gear.callouts(lang),
        })
    }

    /// What to look at.
    pub fn extent(&self) -> Extent {
        match &self.gear {
            Gear::StrainWave(gear) => gear.extent(),
            Gear::Planetary(gear) => gear.extent(),
            Gear::Screw(gear) => gear.extent(),
            Gear::Plain(gear) => gear.extent(),
        }
    }
}

/// The frame of a gear whose axis is `axis` and whose angle 0 is near `zero`, at a point.
pub(super) fn seat(origin: Point3<f64>, axis: Vector3<f64>, zero: Vector3<f64>, facing: f64) -> Isometry3<f64> {
    let z = Unit::try_new(axis * facing, 1e-12).unwrap_or(Vector3::z_axis());
    let flat = |towards: Vector3<f64>| Unit::try_new(towards - z.into_inner() * z.dot(&towards), 1e-6);
    let x = flat(zero).or_else(|| flat(Vector3::x())).or_else(|| flat(Vector3::y())).unwrap_or(Vector3::x_axis());
    let y = z.cross(&x);
    let rotation = nalgebra::Rotation3::from_basis_unchecked(&[x.into_inner(), y, z.into_inner()]);
    Isometry3::from_parts(Translation3::from(origin.coords), UnitQuaternion::from_rotation_matrix(&rotation))
}

/// The axis about which a crank's angle counts, in the frame of the link that it hangs on.
pub(super) fn crank_axis(drive: &Drive, joint_axis: Vector3<f64>) -> Vector3<f64> {
    match &drive.linkage {
        LinkageKind::ParallelAnkle(_) => Vector3::y(),
        LinkageKind::FourBar(bars) => joint_axis * bars.direction,
        _ => joint_axis,
    }
}

/// The angles as seen in a frame whose axis is turned round (−1) or not (1). A screw is never turned round.
fn faced(gear: &GearState, facing: f64) -> GearState {
    let f = facing;
    match *gear {
        GearState::Opaque { rotor } => GearState::Opaque { rotor: f * rotor },
        GearState::Direct { rotor } => GearState::Direct { rotor: f * rotor },
        GearState::StrainWave(SplineAngles { wave_generator, flexspline, circular_spline }) => GearState::StrainWave(SplineAngles {
            wave_generator: f * wave_generator,
            flexspline: f * flexspline,
            circular_spline: f * circular_spline,
        }),
        GearState::Planetary { stages, count } => GearState::Planetary {
            stages: stages.map(|s| StageAngles { sun: f * s.sun, ring: f * s.ring, carrier: f * s.carrier, planet: f * s.planet }),
            count,
        },
        GearState::Cycloid { eccentric, disc } => GearState::Cycloid { eccentric: f * eccentric, disc: f * disc },
        GearState::RollerScrew(motion) => GearState::RollerScrew(ScrewMotion { ..motion }),
    }
}

/// The teeth, or those that make the ratio with two teeth of difference.
fn splines(drive: &Drive, guesses: &mut Vec<&'static str>) -> Option<Splines> {
    if let Some(gear) = &drive.strain_wave {
        return gear.splines();
    }
    guesses.push("teeth");
    let natural = drive.ratio - if drive.arrangement == Some(sanqu_robot::Arrangement::CsFixed) { 0.0 } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer saturates; a table's ratio is bounded")]
    Splines::from_ratio(natural.round().clamp(10.0, 400.0) as u32, 2)
}

/// A radius that fits the torque of a drive.
fn radius_of(drive: &Drive, joint: &Joint) -> f64 {
    let strongest = drive.protect_peak_torque_nm.or(drive.rated_torque_nm).or((joint.effort > 0.0).then_some(joint.effort));
    strongest.map_or(RADIUS_UNKNOWN_M, |torque| (RADIUS_PER_TORQUE * torque.cbrt()).clamp(RADIUS_RANGE_M.0, RADIUS_RANGE_M.1))
}
