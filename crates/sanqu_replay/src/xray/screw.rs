//! A planetary roller screw in a linear actuator: screw, rollers that orbit and spin, nut, tube. The axis points from the
//! driving to the driven end.

use std::f64::consts::TAU;

use bevy::mesh::Mesh;
use bevy::prelude::Transform;
use sanqu_robot::{RollerScrew, ScrewDesign, ScrewMotion};

use super::part::{Callout, Extent, Paint, PartName, placed, turned};
use super::solid::{Solid, at, turn};
use crate::lang::Lang;

/// Pitch radius of a screw whose diameter is not described, m.
const SCREW_RADIUS_M: f64 = 0.007;
/// Depth of a thread as a share of its pitch.
const DEPTH: f64 = 0.42;
/// Samples of a thread per pitch, and around a screw and a roller.
const PER_PITCH: f64 = 5.0;
const AROUND: [u32; 2] = [48, 20];
/// Most rings of samples along a thread: a fine thread is then shown coarser.
const RINGS_MAX: u32 = 700;

/// What a drawing of the actuator needs; lengths in m.
#[derive(Clone, Debug)]
pub struct ScrewLayout {
    screw: RollerScrew,
    screw_m: f64,
    roller_m: f64,
    /// Length of the actuator at output 0.
    zero_m: f64,
    roller_length_m: f64,
    nut_length_m: f64,
    stroke_m: f64,
    /// Output in the middle of the stroke.
    middle_m: f64,
}

impl ScrewLayout {
    /// For a screw in an actuator of this length at output 0, whose output goes from `lowest_m` to `highest_m`.
    pub fn new(screw: &RollerScrew, zero_m: f64, [lowest_m, highest_m]: [f64; 2]) -> Self {
        let screw_m = screw.screw_diameter_m.map_or(SCREW_RADIUS_M, |diameter| diameter / 2.0);
        let roller_m = screw_m / screw.screw_over_roller;
        let stroke_m = (highest_m - lowest_m).clamp(0.0, 0.6 * zero_m);
        let middle_m = (highest_m + lowest_m) / 2.0;
        let roller_length_m = (4.0 * screw_m).min(0.25 * zero_m);
        let nut_length_m = match screw.design {
            ScrewDesign::Standard => roller_length_m * 1.25,
            ScrewDesign::Inverted => roller_length_m * 1.25 + stroke_m,
        };
        Self { screw: screw.clone(), screw_m, roller_m, zero_m, roller_length_m, nut_length_m, stroke_m, middle_m }
    }

    /// Every part.
    pub fn parts(&self) -> Vec<PartName> {
        use PartName::{Cage, Nut, Roller, Rotor, Screw, Tube};
        [Screw, Cage, Nut, Tube, Rotor].into_iter().chain((0..self.screw.rollers).map(Roller)).collect()
    }

    /// Where a part is, in the actuator's frame: `length_m` is its length now.
    pub fn place(&self, part: PartName, motion: &ScrewMotion, length_m: f64) -> Option<Transform> {
        // What slides stands where the thread puts it; the tube stands where the joint puts it.
        let slid = self.travel_sign() * motion.nut_travel_m;
        let (screw_z, nut_z) = match self.screw.design {
            ScrewDesign::Standard => (0.0, self.rest_m() + slid),
            ScrewDesign::Inverted => (self.rest_m() + slid, self.nut_fixed_m()),
        };
        let rollers_z = if self.screw.design == ScrewDesign::Standard { nut_z } else { screw_z };
        let along = |z: f64, angle: f64| Transform { translation: at(0.0, 0.0, z), ..turned(angle) };
        Some(match part {
            PartName::Screw => along(screw_z, motion.screw_rad),
            PartName::Nut => along(nut_z, motion.nut_rad),
            PartName::Cage => along(rollers_z, motion.orbit_rad),
            PartName::Rotor => along(0.0, self.rotor_rad(motion)),
            PartName::Tube => along(length_m, 0.0),
            PartName::Roller(number) => {
                let phi = motion.orbit_rad + TAU * f64::from(number) / f64::from(self.screw.rollers);
                placed(at(self.screw_m + self.roller_m, phi, rollers_z), turn(motion.roller_rad))
            }
            _ => return None,
        })
    }

    /// A part's mesh at angle and travel 0.
    pub fn mesh(&self, part: PartName) -> Option<Mesh> {
        let mut solid = Solid::default();
        let outside = self.screw_m + 2.0 * self.roller_m;
        let half_nut = self.nut_length_m / 2.0;
        let depth = self.screw.pitch_m * DEPTH;
        match part {
            PartName::Screw => {
                let [low, high] = self.threaded();
                self.thread(&mut solid, self.screw_m, self.screw.starts, 1.0, [low, high]);
                solid.washer([0.0, self.screw_m - depth], [low - 0.3 * self.screw_m, low]);
                solid.washer([0.0, self.screw_m - depth], [high, high + 0.3 * self.screw_m]);
                if self.screw.design == ScrewDesign::Inverted {
                    let end = self.zero_m - self.rest_m();
                    solid.washer([0.0, 0.8 * self.screw_m], [high, end]);
                }
            }
            PartName::Roller(_) => {
                let hand = if self.screw.design == ScrewDesign::Standard { 1.0 } else { -1.0 };
                let half = self.roller_length_m / 2.0;
                self.thread(&mut solid, self.roller_m, 1, hand, [-half, half]);
                for side in [-1.0, 1.0] {
                    let mut ends = [side * half, side * (half + 0.35 * self.screw_m)];
                    ends.sort_by(f64::total_cmp);
                    solid.washer([0.0, 0.55 * self.roller_m], ends);
                }
            }
            PartName::Cage => {
                let half = self.roller_length_m / 2.0;
                for side in [-1.0, 1.0] {
                    let mut ends = [side * (half + 0.12 * self.screw_m), side * (half + 0.32 * self.screw_m)];
                    ends.sort_by(f64::total_cmp);
                    solid.washer([self.screw_m * 1.08, outside - 0.25 * self.roller_m], ends);
                }
            }
            PartName::Nut => {
                // One looks through the shell at the rollers; both ends are solid.
                solid.skin(|_, _| outside * 1.16, [-half_nut, half_nut], [64, 1], false);
            }
            PartName::Tube => {
                let start = -(self.zero_m - self.rest_m()) + half_nut.min(self.roller_length_m);
                match self.screw.design {
                    ScrewDesign::Standard => solid.skin(|_, _| outside * 1.02, [start, -0.06 * self.zero_m], [64, 1], false),
                    ScrewDesign::Inverted => solid.washer([0.0, 0.8 * self.screw_m], [-0.05 * self.zero_m, 0.0]),
                }
            }
            PartName::Rotor => {
                let [low, high] = self.rotor_along();
                solid.washer([self.screw_m * 0.9, outside * 1.25], [low, high]);
            }
            _ => return None,
        }
        Some(solid.mesh())
    }

    /// What is painted on a part: a mesh in its frame.
    pub fn mark(&self, part: PartName) -> Option<(Mesh, Paint)> {
        let mut solid = Solid::default();
        let outside = self.screw_m + 2.0 * self.roller_m;
        let half_nut = self.nut_length_m / 2.0;
        let stripe = |solid: &mut Solid, rho: f64, [low, high]: [f64; 2]| {
            let (thick, wide) = (0.05 * self.screw_m, 0.16 * self.screw_m);
            solid.prism(&[[rho - thick, -wide], [rho + thick, -wide], [rho + thick, wide], [rho - thick, wide]], [low, high]);
        };
        let paint = match part {
            PartName::Screw => {
                let [low, high] = self.threaded();
                stripe(&mut solid, self.screw_m, [low, high]);
                Paint::Ink
            }
            PartName::Roller(0) => {
                let half = self.roller_length_m / 2.0;
                solid.washer([0.0, self.roller_m * 1.04], [-0.06 * half, 0.06 * half]);
                stripe(&mut solid, self.roller_m, [-half, half]);
                Paint::Mark
            }
            PartName::Nut => {
                for side in [-1.0, 1.0] {
                    let mut ends = [side * half_nut, side * (half_nut - 0.22 * self.screw_m)];
                    ends.sort_by(f64::total_cmp);
                    solid.washer([outside * 1.01, outside * 1.2], ends);
                }
                let along = [-half_nut, half_nut];
                stripe(&mut solid, outside * 1.17, along);
                Self::nut_paint(self.screw.design)
            }
            PartName::Rotor => {
                stripe(&mut solid, outside * 1.26, self.rotor_along());
                Paint::Ink
            }
            _ => return None,
        };
        Some((solid.mesh(), paint))
    }

    /// What a part is painted with.
    pub fn paint(&self, part: PartName) -> Paint {
        let standard = self.screw.design == ScrewDesign::Standard;
        match part {
            PartName::Screw => {
                if standard {
                    Paint::Input
                } else {
                    Paint::Output
                }
            }
            PartName::Rotor => Paint::Input,
            PartName::Roller(_) => Paint::Middle,
            PartName::Cage => Paint::Race,
            PartName::Nut | PartName::Tube if standard || part == PartName::Nut => Paint::Glass,
            _ => Paint::Output,
        }
    }

    /// Names of the parts.
    pub fn callouts(&self, lang: Lang) -> Vec<Callout> {
        let lead = self.screw.lead_m() * 1e3;
        let inverted = self.screw.design == ScrewDesign::Inverted;
        let (turns, slides) = (lang.pick("turns", "转"), lang.pick("slides", "移"));
        let (screw, nut) = if inverted { (slides, turns) } else { (turns, slides) };
        let nut_z = if inverted { self.nut_fixed_m() } else { self.rest_m() };
        let outside = self.screw_m + 2.0 * self.roller_m;
        let (screw_paint, nut_paint) = (self.paint(PartName::Screw), Self::nut_paint(self.screw.design));
        let nut = format!("{}, {nut}, {} {}", lang.pick("nut", "螺母"), self.screw.starts, lang.pick("starts", "头"));
        let rollers = format!("{} {}", self.screw.rollers, lang.pick("rollers", "个滚柱"));
        let screw = format!("{}, {screw}, {} {lead:.2} mm", lang.pick("screw", "丝杠"), lang.pick("lead", "导程"));
        let mut all = vec![
            Callout::ring(nut, nut_paint, outside * 1.18, nut_z + 0.45 * self.nut_length_m),
            Callout::ring(rollers, Paint::Middle, outside, self.rest_m()),
            Callout::of_part(screw, screw_paint, PartName::Screw, self.rest_m() + if inverted { 0.0 } else { 0.7 * self.nut_length_m }),
        ];
        if !inverted {
            all.push(Callout::ring(lang.pick("rotor", "转子").to_owned(), Paint::Input, outside * 1.25, 0.08 * self.zero_m));
        }
        all
    }

    /// What to look at: everywhere that the nut, or the screw in it, may be.
    pub fn extent(&self) -> Extent {
        let slides_m = if self.screw.design == ScrewDesign::Inverted { 0.0 } else { self.middle_m };
        let radius_m = (0.6 * self.nut_length_m + 0.5 * self.stroke_m).max(5.0 * self.screw_m);
        Extent { z_m: self.rest_m() + slides_m, radius_m, tilt_rad: 1.2 }
    }

    /// Where the sliding part stands at output 0: the nut of a standard design, the screw's middle of an inverted one.
    fn rest_m(&self) -> f64 {
        match self.screw.design {
            ScrewDesign::Standard => 0.45 * self.zero_m,
            ScrewDesign::Inverted => self.nut_fixed_m(),
        }
    }

    fn nut_fixed_m(&self) -> f64 {
        (0.06 * self.zero_m + self.nut_length_m / 2.0).max(0.3 * self.zero_m)
    }

    /// The threaded part of the screw in its own frame.
    fn threaded(&self) -> [f64; 2] {
        match self.screw.design {
            ScrewDesign::Standard => [0.12 * self.zero_m, (self.rest_m() + self.stroke_m + self.roller_length_m).min(0.9 * self.zero_m)],
            ScrewDesign::Inverted => [-0.75 * self.roller_length_m, 0.75 * self.roller_length_m],
        }
    }

    fn rotor_along(&self) -> [f64; 2] {
        match self.screw.design {
            ScrewDesign::Standard => [0.04 * self.zero_m, 0.12 * self.zero_m],
            ScrewDesign::Inverted => [0.02 * self.zero_m, self.nut_fixed_m() - self.nut_length_m / 2.0],
        }
    }

    /// Longer is positive: the nut of a standard design moves away from the screw's bearing, the screw of an inverted one
    /// moves out of the nut.
    fn travel_sign(&self) -> f64 {
        if self.screw.design == ScrewDesign::Standard { 1.0 } else { -1.0 }
    }

    fn rotor_rad(&self, motion: &ScrewMotion) -> f64 {
        if self.screw.design == ScrewDesign::Standard { motion.screw_rad } else { motion.nut_rad }
    }

    fn nut_paint(design: ScrewDesign) -> Paint {
        if design == ScrewDesign::Standard { Paint::Output } else { Paint::Input }
    }

    /// A thread of this many starts; `hand` 1 for right, −1 for left.
    fn thread(&self, solid: &mut Solid, radius_m: f64, starts: u32, hand: f64, [low, high]: [f64; 2]) {
        let (pitch, depth) = (self.screw.pitch_m, self.screw.pitch_m * DEPTH);
        let profile = move |phi: f64, z: f64| {
            let phase = z / pitch - hand * f64::from(starts) * phi / TAU;
            let wave = 2.0 * (phase - phase.round()).abs();
            radius_m + depth * (0.5 - wave)
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer saturates; RINGS_MAX bounds it")]
        let rings = (((high - low) / pitch * PER_PITCH).ceil() as u32).clamp(2, RINGS_MAX);
        let around = if radius_m < self.screw_m { AROUND[1] } else { AROUND[0] };
        solid.skin(profile, [low, high], [around, rings], false);
    }
}
