//! A strain-wave gear: plug and bearing with the wave's shape, flexspline, circular spline.

use bevy::mesh::Mesh;
use bevy::prelude::{Meshable, Sphere, Transform};
use sanqu_robot::{Flexspline, SplineAngles, Splines};

use super::part::{Callout, Extent, Paint, PartName, placed, turned};
use super::solid::{Polar, Solid, at, steps, turn};
use super::tooth::Teeth;
use crate::frame::narrow;
use crate::lang::Lang;

/// The deflection is drawn this share of the radius deep, whatever the real one.
const DRAWN_SHARE: f64 = 0.1;
/// The deflection is never drawn more than this many times larger.
const EXAGGERATION_MAX: f64 = 15.0;
/// Tooth heights in modules.
const ADDENDUM: f64 = 0.95;
const DEDENDUM: f64 = 1.15;
/// Balls of the bearing; an odd number, as in real ones.
const BALLS: u32 = 23;
/// Points around the wave-shaped parts.
const SHAPE_POINTS: u32 = 180;

/// Radii, thicknesses and places along the axis as shares of the pitch radius.
mod share {
    pub(super) const WALL: f64 = 0.045;
    pub(super) const RACE: f64 = 0.045;
    pub(super) const BALL: f64 = 0.13;
    pub(super) const BORE: f64 = 0.24;
    pub(super) const RIM: f64 = 0.20;
    pub(super) const TEETH: [f64; 2] = [-0.22, 0.22];
    pub(super) const BEARING: [f64; 2] = [-0.17, 0.17];
    pub(super) const PLUG: [f64; 2] = [-0.20, 0.22];
    pub(super) const CUP_END: f64 = -1.0;
    pub(super) const FLANGE: [f64; 2] = [-1.14, -1.0];
}

/// What a drawing of the gear needs; lengths in m.
#[derive(Clone, Copy, Debug)]
pub struct StrainWaveLayout {
    splines: Splines,
    /// The ring with its real deflection.
    ring: Flexspline,
    /// How many times larger the radial deflection is drawn.
    pub exaggeration: f64,
    radius_m: f64,
    module_m: f64,
    /// Drawn radial deflection.
    wave_m: f64,
}

impl StrainWaveLayout {
    /// For meshing splines and the pitch radius of the undeformed flexspline.
    pub fn new(splines: Splines, radius_m: f64) -> Self {
        let ring = Flexspline::new(radius_m, splines);
        let exaggeration = (DRAWN_SHARE * splines.ratio()).round().clamp(1.0, EXAGGERATION_MAX);
        let module_m = 2.0 * radius_m / f64::from(splines.flexspline_teeth());
        Self { splines, ring, exaggeration, radius_m, module_m, wave_m: ring.deflection_m() * exaggeration }
    }

    /// Every part.
    pub fn parts(&self) -> Vec<PartName> {
        use PartName::{Ball, BearingInside, BearingOutside, CircularSpline, Flange, FlexsplineTooth, FlexsplineWall, WaveGenerator};
        let single = [WaveGenerator, BearingInside, BearingOutside, FlexsplineWall, CircularSpline, Flange];
        let teeth = (0..self.splines.flexspline_teeth()).map(FlexsplineTooth);
        single.into_iter().chain((0..BALLS).map(Ball)).chain(teeth).collect()
    }

    /// Where a part is for these angles, in the gear's frame.
    pub fn place(&self, part: PartName, angles: &SplineAngles) -> Option<Transform> {
        let SplineAngles { wave_generator, flexspline, circular_spline } = *angles;
        Some(match part {
            // The wall has the shape of the wave, which travels with the plug; what its material does, the teeth show.
            PartName::WaveGenerator | PartName::BearingInside | PartName::BearingOutside | PartName::FlexsplineWall => {
                turned(wave_generator)
            }
            PartName::CircularSpline => turned(circular_spline),
            PartName::Flange => turned(flexspline),
            PartName::Ball(number) => {
                let (middle, half) = self.balls();
                let (inside, outside) = (middle - half, middle + half);
                // The balls roll between the plug's ring and the flexspline's: the cage turns as a carrier does.
                let cage = (inside * wave_generator + outside * flexspline) / (inside + outside);
                let phi = cage + std::f64::consts::TAU * f64::from(number) / f64::from(BALLS);
                let rho = middle + self.wave(phi - wave_generator);
                placed(at(rho, phi, 0.0), turn(phi))
            }
            PartName::FlexsplineTooth(number) => {
                let material = flexspline + std::f64::consts::TAU * f64::from(number) / f64::from(self.splines.flexspline_teeth());
                let psi = material - wave_generator;
                // Along the circle the place is the real one, so that teeth mesh; only the way outwards is enlarged.
                let phi = material + self.ring.point(wave_generator, material).tangential_m / self.radius_m;
                let rho = self.radius_m + self.wave(psi);
                let tilt = (2.0 * self.wave_m * (2.0 * psi).sin() / rho).atan();
                placed(at(rho, phi, 0.0), turn(phi + tilt))
            }
            _ => return None,
        })
    }

    /// A part's mesh at angle 0.
    pub fn mesh(&self, part: PartName) -> Option<Mesh> {
        let r = self.radius_m;
        let along = |range: [f64; 2]| range.map(|share| share * r);
        let mut solid = Solid::default();
        let (wall_out, wall_in) = self.wall();
        let (balls, half) = self.balls();
        match part {
            PartName::WaveGenerator => solid.plate_with_hole(&self.shape(self.plug_m()), share::BORE * r, along(share::PLUG)),
            PartName::BearingInside => solid.plate(&self.shape(balls - half), &self.shape(self.plug_m()), along(share::BEARING)),
            PartName::BearingOutside => solid.plate(&self.shape(wall_in), &self.shape(balls + half), along(share::BEARING)),
            PartName::Ball(_) => return Some(Sphere::new(narrow(share::BALL * r * 0.49)).mesh().uv(20, 12)),
            PartName::FlexsplineWall => {
                solid.plate(&self.shape(wall_out), &self.shape(wall_in), along(share::TEETH));
                // Behind the teeth the cup becomes round.
                let fade = |z: f64| ((z - share::CUP_END * r) / ((share::TEETH[0] - share::CUP_END) * r)).clamp(0.0, 1.0);
                let cup = |base: f64| move |phi: f64, z: f64| base + self.wave(phi) * fade(z);
                let depth = [share::CUP_END * r, share::TEETH[0] * r];
                solid.skin(cup(wall_out), depth, [SHAPE_POINTS, 12], false);
                solid.skin(cup(wall_in), depth, [SHAPE_POINTS, 12], true);
            }
            PartName::FlexsplineTooth(number) => {
                self.tooth(&mut solid);
                if number == 0 {
                    // A stripe across the wall, so that one sees where the material is.
                    let (from, to, wide) = (wall_in - r, wall_out - r, (1.6 * self.module_m).max(0.02 * r));
                    let front = share::TEETH[1] * r;
                    solid.prism(&[[from, -wide], [to, -wide], [to, wide], [from, wide]], [front - 0.02 * r, front + 0.015 * r]);
                }
            }
            PartName::CircularSpline => {
                let pitch_m = r + self.wave_m;
                let teeth = Teeth {
                    count: self.splines.circular_spline_teeth(),
                    pitch_m,
                    addendum_m: ADDENDUM * self.module_m,
                    dedendum_m: DEDENDUM * self.module_m,
                };
                let phase = std::f64::consts::PI / f64::from(teeth.count);
                solid.plate_around(&teeth.internal(phase), self.outside(), along(share::TEETH));
                let front = share::TEETH[1] * r;
                for phi in steps(12) {
                    solid.pin([self.outside() - 0.075 * r, phi + 0.2], 0.045 * r, [front, front + 0.03 * r]);
                }
            }
            PartName::Flange => {
                solid.washer([0.3 * r, 0.82 * r], along(share::FLANGE));
                for phi in steps(8) {
                    solid.pin([0.66 * r, phi], 0.07 * r, [share::FLANGE[0] * r - 0.05 * r, share::FLANGE[0] * r]);
                }
            }
            _ => return None,
        }
        Some(solid.mesh())
    }

    /// What is painted on a part: a mesh in its frame.
    pub fn mark(&self, part: PartName) -> Option<(Mesh, Paint)> {
        let r = self.radius_m;
        let mut solid = Solid::default();
        match part {
            PartName::WaveGenerator => {
                // On one lobe only: the wave itself looks the same after half a turn.
                let front = share::PLUG[1] * r;
                let middle = (self.plug_m() + self.wave_m + share::BORE * r) / 2.0;
                solid.pin([middle, 0.0], 0.09 * r, [front - 0.01 * r, front + 0.012 * r]);
                Some((solid.mesh(), Paint::Ink))
            }
            PartName::CircularSpline => {
                let front = share::TEETH[1] * r;
                let (tip, rim) = (self.outside() - 0.15 * r, self.outside());
                let half = 0.06 * r;
                solid.prism(&[[rim, -half], [rim, half], [tip, 0.0]], [front, front + 0.012 * r]);
                Some((solid.mesh(), Paint::Mark))
            }
            _ => None,
        }
    }

    /// What a part is painted with.
    pub fn paint(part: PartName) -> Paint {
        match part {
            PartName::WaveGenerator => Paint::Input,
            PartName::BearingInside | PartName::BearingOutside => Paint::Race,
            PartName::Ball(_) => Paint::Steel,
            PartName::CircularSpline => Paint::Fixed,
            PartName::Flange => Paint::Output,
            PartName::FlexsplineTooth(0) => Paint::Mark,
            _ => Paint::Middle,
        }
    }

    /// Names of the parts.
    pub fn callouts(&self, lang: Lang) -> Vec<Callout> {
        let r = self.radius_m;
        let front = share::TEETH[1] * r;
        let (fixed, teeth) = (self.splines.circular_spline_teeth(), self.splines.flexspline_teeth());
        let count = lang.pick("teeth", "齿");
        vec![
            Callout::ring(
                format!("{}, {fixed} {count}", lang.pick("circular spline", "刚轮")),
                Paint::Fixed,
                self.outside() - 0.06 * r,
                front,
            ),
            Callout::ring(format!("{}, {teeth} {count}", lang.pick("flexspline", "柔轮")), Paint::Middle, r, front),
            Callout::ring(lang.pick("bearing", "柔性轴承").to_owned(), Paint::Race, self.balls().0, share::BEARING[1] * r),
            Callout::ring(lang.pick("wave generator", "波发生器").to_owned(), Paint::Input, 0.42 * r, share::PLUG[1] * r),
        ]
    }

    /// What to look at.
    pub fn extent(&self) -> Extent {
        Extent { z_m: 0.0, radius_m: self.outside() * 1.04, tilt_rad: 0.42 }
    }

    fn tooth(&self, solid: &mut Solid) {
        let m = self.module_m;
        let pitch = std::f64::consts::PI * m;
        let (wall_out, _) = self.wall();
        let root = wall_out - self.radius_m - 0.1 * m;
        let profile = [[root, 0.36], [0.0, 0.235], [0.55 * ADDENDUM * m, 0.16], [ADDENDUM * m, 0.10]];
        // Around its own place on the pitch curve: x outwards, y along the curve.
        let right = profile.iter().map(|[x, half]| [*x, -half * pitch]);
        let left = profile.iter().rev().map(|[x, half]| [*x, half * pitch]);
        let outline: Vec<[f64; 2]> = right.chain(left).collect();
        solid.prism(&outline, share::TEETH.map(|share| share * self.radius_m));
    }

    /// Radial displacement of the drawn shape at an angle from the major axis.
    fn wave(&self, psi: f64) -> f64 {
        self.wave_m * (2.0 * psi).cos()
    }

    fn shape(&self, radius_m: f64) -> Vec<Polar> {
        steps(SHAPE_POINTS).map(|phi| [radius_m + self.wave(phi), phi]).collect()
    }

    /// Outside and inside of the flexspline's wall, undeformed.
    fn wall(&self) -> (f64, f64) {
        let outside = self.radius_m - DEDENDUM * self.module_m;
        (outside, outside - share::WALL * self.radius_m)
    }

    /// Radius of the balls' middle, undeformed, and of a ball.
    fn balls(&self) -> (f64, f64) {
        let half = share::BALL / 2.0 * self.radius_m;
        (self.wall().1 - share::RACE * self.radius_m - half, half)
    }

    /// The plug's radius, undeformed.
    fn plug_m(&self) -> f64 {
        let (balls, half) = self.balls();
        balls - half - share::RACE * self.radius_m
    }

    fn outside(&self) -> f64 {
        self.radius_m + self.wave_m + DEDENDUM * self.module_m + share::RIM * self.radius_m
    }
}
