//! What a drive looks like at a moment: every angle and point that a drawing needs.

use std::f64::consts::{PI, TAU};

use nalgebra::{Point3, Unit, UnitQuaternion, Vector3};

use crate::drive::{Drive, ReducerKind};
use crate::linkage::{CrankAnkle, LinkageKind, Universal};
use crate::reducer::{Arrangement, PlanetaryStage, RollerScrew, STAGES_MAX, ScrewMotion, SplineAngles, Splines, StageAngles};
use crate::{RobotError, RobotModel};

/// The inside of one drive at a moment. Angles count about the joint's axis, so that a positive joint turn is positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriveState {
    /// Index in [`crate::DriveTable::drives`].
    pub drive: usize,
    /// The reducer's output: joint, crank or rod, rad or m.
    pub output: f64,
    /// How far the motor is ahead of the output, `motor/(sign·ratio) − output`, rad or m; 0 where the motor's position was
    /// derived from the joint's.
    pub windup: f64,
    /// What turns inside.
    pub gear: GearState,
    /// Where the linkage's bars are; `None` where there are none or their place is not described.
    pub bars: Option<Bars>,
}

/// What turns inside a reducer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GearState {
    /// The inside is not described: only the rotor's angle is known.
    Opaque {
        /// Rotor, rad, counted as the motor counts.
        rotor: f64,
    },
    /// No reducer: the rotor is the output.
    Direct {
        /// Rotor, rad.
        rotor: f64,
    },
    /// Wave generator from the motor, output member from the output: their difference from the ideal mesh is the wind-up.
    StrainWave(SplineAngles),
    /// The stages, the motor's first.
    Planetary {
        /// Angles; those beyond `count` are 0.
        stages: [StageAngles; STAGES_MAX],
        /// Stages that there are.
        count: usize,
    },
    /// Eccentric from the motor, disc from the output.
    Cycloid {
        /// Eccentric: the disc's centre is in this direction, rad.
        eccentric: f64,
        /// Disc, rad.
        disc: f64,
    },
    /// Screw, nut, orbit and spin of the rollers, travel.
    RollerScrew(ScrewMotion),
}

/// Places of a linkage's bars in the frame of [`Bars::link`], m.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bars {
    /// Index in [`RobotModel::links`] of the link whose frame the points are in: the parent of the (first) joint.
    pub link: usize,
    /// Crank, from its pivot to its tip; `None` for a linear actuator.
    pub crank: Option<[Point3<f64>; 2]>,
    /// Rod, coupler or linear actuator, from the driving to the driven end.
    pub rod: [Point3<f64>; 2],
    /// Horn on the driven link, from the joint's centre to the rod's end.
    pub horn: [Point3<f64>; 2],
}

/// How a turning part looks in pictures taken at a frame rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Apparent {
    /// Rate above which the picture lies, rad/s: half a repeat per frame.
    pub limit_rad_per_s: f64,
    /// Whether it lies at this rate.
    pub aliases: bool,
    /// The rate that is seen, rad/s.
    pub seen_rad_per_s: f64,
}

impl Apparent {
    /// For a part that looks the same `symmetry` times a turn (1 with a marker on one side) at a rate and a frame rate.
    pub fn new(rate_rad_per_s: f64, symmetry: u32, frame_hz: f64) -> Self {
        let repeat = TAU / f64::from(symmetry.max(1));
        let per_frame = rate_rad_per_s / frame_hz;
        let seen = per_frame - repeat * (per_frame / repeat).round();
        let limit_rad_per_s = 0.5 * repeat * frame_hz;
        Self { limit_rad_per_s, aliases: rate_rad_per_s.abs() >= limit_rad_per_s, seen_rad_per_s: seen * frame_hz }
    }
}

/// What [`GearState`] is made from; no names, no lists.
#[derive(Debug, Clone)]
pub(crate) enum Gear {
    Opaque,
    Direct,
    StrainWave { arrangement: Arrangement, splines: Option<Splines> },
    Planetary { stages: [PlanetaryStage; STAGES_MAX], count: usize },
    Cycloid,
    Screw(Box<RollerScrew>),
}

/// The inside of a drive and which way its rotor turns.
#[derive(Debug, Clone)]
pub(crate) struct Inside {
    gear: Gear,
    /// Input member's angle about the joint's axis per motor count.
    input_per_motor: f64,
}

impl Inside {
    pub(crate) fn new(drive: &Drive) -> Self {
        let (gear, natural) = match drive.reducer {
            ReducerKind::None => (Gear::Direct, 1.0),
            ReducerKind::StrainWave => strain_wave(drive),
            ReducerKind::Planetary => planetary(drive),
            ReducerKind::Cycloidal => drive.cycloid.as_ref().map_or((Gear::Opaque, 1.0), |gear| (Gear::Cycloid, gear.reduction())),
            ReducerKind::RollerScrew => {
                drive.roller_screw.as_ref().map_or((Gear::Opaque, 1.0), |screw| (Gear::Screw(Box::new(screw.clone())), 1.0))
            }
            ReducerKind::Unknown => (Gear::Opaque, 1.0),
        };
        // Opaque rotors keep the motor's own count.
        let input_per_motor = if matches!(gear, Gear::Opaque) { 1.0 } else { natural.signum() * drive.sign };
        Self { gear, input_per_motor }
    }

    pub(crate) fn state(&self, motor: f64, output: f64) -> GearState {
        let input = self.input_per_motor * motor;
        match &self.gear {
            Gear::Opaque => GearState::Opaque { rotor: motor },
            Gear::Direct => GearState::Direct { rotor: input },
            Gear::StrainWave { arrangement, splines } => GearState::StrainWave(spline_angles(*arrangement, *splines, input, output)),
            Gear::Planetary { stages, count } => {
                let (mut angles, mut turn) = ([StageAngles::default(); STAGES_MAX], input);
                for (angles, stage) in angles.iter_mut().zip(stages).take(*count) {
                    *angles = stage.angles_of_input(turn);
                    turn = stage.output(angles);
                }
                GearState::Planetary { stages: angles, count: *count }
            }
            Gear::Cycloid => GearState::Cycloid { eccentric: input, disc: output },
            Gear::Screw(screw) => GearState::RollerScrew(screw.motion_of_rotor(input)),
        }
    }

    /// How often a turn of the fastest part looks the same: 2 for a wave generator, the number of planets of a carrier, …
    pub(crate) fn symmetry(&self) -> u32 {
        match &self.gear {
            Gear::StrainWave { .. } => 2,
            Gear::Planetary { stages, .. } => stages[0].planets.max(1),
            Gear::Screw(screw) => screw.rollers.max(1),
            Gear::Opaque | Gear::Direct | Gear::Cycloid => 1,
        }
    }

    /// Rate of that part per motor rate.
    pub(crate) fn symmetric_part_per_motor(&self) -> f64 {
        match &self.gear {
            Gear::Planetary { stages, .. } => stages[0].angles_of_input(self.input_per_motor).carrier,
            Gear::Screw(screw) => screw.motion_of_rotor(self.input_per_motor).orbit_rad,
            _ => self.input_per_motor,
        }
    }
}

fn strain_wave(drive: &Drive) -> (Gear, f64) {
    let Some(arrangement) = drive.arrangement else { return (Gear::Opaque, 1.0) };
    let splines = drive.strain_wave.as_ref().and_then(crate::StrainWave::splines);
    let natural = if arrangement == Arrangement::CsFixed { -1.0 } else { 1.0 };
    (Gear::StrainWave { arrangement, splines }, natural)
}

fn planetary(drive: &Drive) -> (Gear, f64) {
    let Some(gear) = &drive.planetary else { return (Gear::Opaque, 1.0) };
    let Some(first) = gear.stages.first() else { return (Gear::Opaque, 1.0) };
    let mut stages = [*first; STAGES_MAX];
    for (slot, stage) in stages.iter_mut().zip(&gear.stages) {
        *slot = *stage;
    }
    (Gear::Planetary { stages, count: gear.stages.len().min(STAGES_MAX) }, gear.reduction())
}

/// Input from the motor, output member from the output; the third member stands still. Without teeth only what is measured.
fn spline_angles(arrangement: Arrangement, splines: Option<Splines>, input: f64, output: f64) -> SplineAngles {
    let mut angles = splines.map(|splines| splines.angles(arrangement, input)).unwrap_or_default();
    match arrangement {
        Arrangement::CsFixed => (angles.wave_generator, angles.flexspline) = (input, output),
        Arrangement::FsFixed => (angles.wave_generator, angles.circular_spline) = (input, output),
        Arrangement::WgFixedFsIn => (angles.flexspline, angles.circular_spline) = (input, output),
        Arrangement::WgFixedCsIn => (angles.circular_spline, angles.flexspline) = (input, output),
    }
    angles
}

/// Where the bars of one drive are, for any pose of its joints.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    None,
    /// Pivot, crank and horn (joint at 0), the joint's centre.
    Parallelogram {
        link: usize,
        axis: Unit<Vector3<f64>>,
        centre: Vector3<f64>,
        crank: Vector3<f64>,
        rod: Vector3<f64>,
    },
    /// The anchor beyond the joint's centre; the horn turns from it by γ about the (directed) axis.
    Slider {
        link: usize,
        axis: Unit<Vector3<f64>>,
        centre: Vector3<f64>,
        anchor: Vector3<f64>,
    },
    /// O → K and the direction across it.
    Bars {
        link: usize,
        centre: Vector3<f64>,
        along: Vector3<f64>,
        across: Vector3<f64>,
    },
    /// One leg of an ankle, its shank.
    Leg {
        link: usize,
    },
}

impl Frame {
    pub(crate) fn new(drive: &Drive, model: &RobotModel, joints: [usize; 2]) -> Self {
        let joint = &model.joints()[joints[0]];
        let child = &model.links()[joint.child];
        let (Some(link), place) = (child.parent, child.motion.parent_from_joint) else { return Self::None };
        let (centre, axis) = (place.translation.vector, place.rotation * joint.axis);
        let directed = |direction: f64| if direction < 0.0 { -axis } else { axis };
        match &drive.linkage {
            LinkageKind::Direct | LinkageKind::Rod1To1 => Self::None,
            LinkageKind::Parallelogram(rods) => {
                Self::Parallelogram { link, axis, centre, crank: rods.crank_m.into(), rod: rods.rod_m.into() }
            }
            LinkageKind::CrankSlider(slider) => slider.anchor_m.map_or(Self::None, |anchor| Self::Slider {
                link,
                axis: directed(slider.direction),
                centre,
                anchor: anchor.into(),
            }),
            LinkageKind::FourBar(bars) => bars.ground_vector_m.map_or(Self::None, |ground| {
                let ground = Vector3::from(ground);
                let along = ground.normalize();
                Self::Bars { link, centre, along, across: directed(bars.direction).cross(&along) }
            }),
            LinkageKind::ParallelAnkle(_) | LinkageKind::LinearAnkle(_) => Self::Leg { link },
        }
    }

    /// For a drive alone.
    pub(crate) fn bars(&self, linkage: &super::Coupling, output: f64, joint: f64) -> Result<Option<Bars>, RobotError> {
        use super::Coupling;
        Ok(match (self, linkage) {
            (Self::Parallelogram { link, axis, centre, crank, rod }, _) => {
                let arm = UnitQuaternion::from_axis_angle(axis, joint) * crank;
                let pivot = centre - rod;
                Some(bars(*link, Some([pivot, pivot + arm]), [pivot + arm, centre + arm], [*centre, centre + arm]))
            }
            (Self::Slider { link, axis, centre, anchor }, Coupling::Slider { slider, .. }) => {
                let arm = UnitQuaternion::from_axis_angle(axis, slider.gamma(joint)?) * anchor.normalize() * slider.b_m;
                Some(bars(*link, None, [centre + anchor, centre + arm], [*centre, centre + arm]))
            }
            (Self::Bars { link, centre, along, across }, Coupling::Bars(four)) => {
                let at = |from: &Vector3<f64>, length: f64, angle: f64| from + (along * angle.cos() + across * angle.sin()) * length;
                let pivot = centre - along * four.ground_m;
                let crank = four.crank_zero_rad + output;
                let (tip, end) = (at(&pivot, four.crank_m, crank), at(centre, four.rocker_m, four.rocker(crank)?));
                Some(bars(*link, Some([pivot, tip]), [tip, end], [*centre, end]))
            }
            _ => None,
        })
    }

    /// For one leg of a crank ankle whose crank stands at `crank`.
    pub(crate) fn crank_leg(&self, ankle: &CrankAnkle, leg: usize, crank: f64, pose: [f64; 2]) -> Option<Bars> {
        let Self::Leg { link } = self else { return None };
        let [tip, socket] = ankle.rod_ends(leg, crank, pose);
        Some(bars(*link, Some([ankle.pivot(leg), tip]), [tip, socket], [ankle.joint().centre, socket]))
    }

    /// For one leg of an ankle with linear actuators.
    pub(crate) fn linear_leg(&self, joint: &Universal, [anchor, socket]: [Vector3<f64>; 2]) -> Option<Bars> {
        let Self::Leg { link } = self else { return None };
        Some(bars(*link, None, [anchor, socket], [joint.centre, socket]))
    }
}

fn bars(link: usize, crank: Option<[Vector3<f64>; 2]>, rod: [Vector3<f64>; 2], horn: [Vector3<f64>; 2]) -> Bars {
    let points = |pair: [Vector3<f64>; 2]| pair.map(Point3::from);
    Bars { link, crank: crank.map(points), rod: points(rod), horn: points(horn) }
}

/// Largest joint speed at which a wave generator's turning is still readable: `f/4` turns a second of the motor, over the ratio.
pub fn readable_joint_rate(ratio: f64, symmetry: u32, frame_hz: f64) -> f64 {
    PI * frame_hz / f64::from(symmetry.max(1)) / ratio
}
