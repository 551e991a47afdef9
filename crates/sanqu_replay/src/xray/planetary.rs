//! Planetary stages: suns, planets, rings, carriers; several stages are drawn apart along the axis.

use std::f64::consts::{PI, TAU};

use bevy::mesh::Mesh;
use bevy::prelude::Transform;
use sanqu_robot::{FixedMember, PlanetaryStage, STAGES_MAX, StageAngles};

use super::part::{Callout, Extent, Paint, PartName, placed, turned};
use super::solid::{Polar, Solid, at, steps, turn};
use super::tooth::Teeth;
use crate::lang::Lang;

/// Lengths as shares of the ring's pitch radius.
mod share {
    pub(super) const HALF_WIDTH: f64 = 0.17;
    pub(super) const RIM: f64 = 0.16;
    pub(super) const PLATE: [f64; 2] = [-0.33, -0.21];
    pub(super) const SPACING: f64 = 1.3;
    pub(super) const SHAFT: f64 = 0.62;
    pub(super) const FLANGE: f64 = 0.16;
}

/// What a drawing of the stages needs; lengths in m.
#[derive(Clone, Copy, Debug)]
pub struct PlanetaryLayout {
    stages: [PlanetaryStage; STAGES_MAX],
    count: usize,
    /// Pitch radius of all rings.
    radius_m: f64,
}

impl PlanetaryLayout {
    /// For stages (the motor's first) whose rings have this pitch radius; none without stages.
    pub fn new(stages: &[PlanetaryStage], radius_m: f64) -> Option<Self> {
        let first = *stages.first()?;
        let mut all = [first; STAGES_MAX];
        all.iter_mut().zip(stages).for_each(|(slot, stage)| *slot = *stage);
        Some(Self { stages: all, count: stages.len().min(STAGES_MAX), radius_m })
    }

    /// Whether the stages are drawn apart from each other.
    pub fn is_drawn_apart(&self) -> bool {
        self.count > 1
    }

    /// Every part.
    pub fn parts(&self) -> Vec<PartName> {
        let of_stage = |(stage, teeth): (u32, &PlanetaryStage)| {
            let planets = (0..teeth.planets).map(move |planet| PartName::Planet(stage, planet));
            [PartName::Sun(stage), PartName::Ring(stage), PartName::Carrier(stage)].into_iter().chain(planets)
        };
        (0..).zip(&self.stages[..self.count]).flat_map(of_stage).collect()
    }

    /// Where a part is for these angles, in the gear's frame.
    pub fn place(&self, part: PartName, angles: &[StageAngles; STAGES_MAX]) -> Option<Transform> {
        let (stage, planet) = stage_of(part)?;
        let (teeth, now) = (self.stages.get(stage)?, angles.get(stage)?);
        let middle = at(0.0, 0.0, self.middle_m(stage));
        let angle = match part {
            PartName::Sun(_) => now.sun,
            PartName::Ring(_) => now.ring,
            PartName::Carrier(_) => now.carrier,
            _ => {
                let share = TAU * f64::from(planet) / f64::from(teeth.planets);
                let centre = at(self.centre_m(stage), now.carrier + share, self.middle_m(stage));
                return Some(placed(centre, turn(now.planet + planet_phase(teeth, planet))));
            }
        };
        Some(Transform { translation: middle, ..turned(angle) })
    }

    /// A part's mesh at angle 0.
    pub fn mesh(&self, part: PartName) -> Option<Mesh> {
        let (stage, _) = stage_of(part)?;
        let teeth = self.stages.get(stage)?;
        let r = self.radius_m;
        let width = [-share::HALF_WIDTH * r, share::HALF_WIDTH * r];
        let mut solid = Solid::default();
        match part {
            PartName::Sun(_) => {
                solid.plate_with_hole(&self.teeth(stage, teeth.sun).external(0.0), 0.0, width);
                // The shaft: from the motor, or from the carrier before.
                let shaft = (0.62 * self.pitch_m(stage, teeth.sun)).max(0.05 * r);
                let from = if stage == 0 { share::SHAFT } else { share::SPACING + share::PLATE[0] };
                solid.washer([0.0, shaft], [width[1], from * r]);
            }
            PartName::Planet(..) => {
                let pin = self.pin_m(stage);
                solid.plate_with_hole(&self.teeth(stage, teeth.planet).external(0.0), pin * 1.12, width);
            }
            PartName::Ring(_) => {
                let phase = PI * f64::from(teeth.planet) / f64::from(teeth.ring);
                solid.plate_around(&self.teeth(stage, teeth.ring).internal(phase), self.outside(), width);
                for phi in steps(10) {
                    solid.pin([self.outside() - 0.06 * r, phi + 0.15], 0.035 * r, [width[1], width[1] + 0.025 * r]);
                }
            }
            PartName::Carrier(_) => self.carrier(stage, &mut solid),
            _ => return None,
        }
        Some(solid.mesh())
    }

    /// What is painted on a part: a mesh in its frame.
    pub fn mark(&self, part: PartName) -> Option<(Mesh, Paint)> {
        let (stage, planet) = stage_of(part)?;
        let teeth = self.stages.get(stage)?;
        let r = self.radius_m;
        let front = share::HALF_WIDTH * r;
        let mut solid = Solid::default();
        let paint = match part {
            PartName::Sun(_) => {
                let sun = self.teeth(stage, teeth.sun);
                solid.prism(&tooth_stripe(&sun, 0.35 * sun.pitch_m), [front, front + 0.01 * r]);
                Paint::Ink
            }
            PartName::Planet(..) if planet == 0 => {
                let wheel = self.teeth(stage, teeth.planet);
                solid.prism(&tooth_stripe(&wheel, self.pin_m(stage) * 1.15), [front, front + 0.01 * r]);
                Paint::Mark
            }
            PartName::Carrier(_) => {
                let back = self.pin_front_m();
                solid.pin([self.centre_m(stage), 0.0], 0.75 * self.pin_m(stage), [back, back + 0.012 * r]);
                Paint::Mark
            }
            _ => return None,
        };
        Some((solid.mesh(), paint))
    }

    /// What a part is painted with.
    pub fn paint(part: PartName) -> Paint {
        match part {
            PartName::Sun(_) => Paint::Input,
            PartName::Planet(..) => Paint::Middle,
            PartName::Carrier(_) => Paint::Output,
            _ => Paint::Fixed,
        }
    }

    /// Names of the parts.
    pub fn callouts(&self, lang: Lang) -> Vec<Callout> {
        let front = share::HALF_WIDTH * self.radius_m;
        let mut all = Vec::new();
        for (stage, (number, teeth)) in (0_u32..).zip(&self.stages[..self.count]).enumerate() {
            let which = if self.count > 1 { format!(" {}", stage + 1) } else { String::new() };
            let fixed = |member: FixedMember| if teeth.fixed == member { lang.pick(", fixed", "，固定") } else { "" };
            let z_m = self.middle_m(stage) + front;
            let word = |en: &'static str, zh: &'static str| lang.pick(en, zh);
            let count = word("teeth", "齿");
            let text = format!("{}{which}, {} {count}{}", word("ring", "内齿圈"), teeth.ring, fixed(FixedMember::Ring));
            all.push(Callout::ring(text, Paint::Fixed, self.outside() - 0.05 * self.radius_m, z_m));
            let text = format!("{} {}{which}, {} {count}", teeth.planets, word("planets", "个行星轮"), teeth.planet);
            all.push(Callout::of_part(text, Paint::Middle, PartName::Planet(number, 0), z_m));
            let text = format!("{}{which}, {} {count}{}", word("sun", "太阳轮"), teeth.sun, fixed(FixedMember::Sun));
            let end = if stage == 0 { share::SHAFT * self.radius_m } else { z_m };
            all.push(Callout::ring(text, Paint::Input, 0.0, end));
            let plate = self.middle_m(stage) + share::PLATE[1] * self.radius_m;
            let text = format!("{}{which}{}", word("carrier", "行星架"), fixed(FixedMember::Carrier));
            all.push(Callout::ring(text, Paint::Output, self.centre_m(stage), plate));
        }
        all
    }

    /// What to look at.
    pub fn extent(&self) -> Extent {
        let last = self.middle_m(self.count - 1);
        let z_m = last / 2.0;
        let (half, outside) = (-last / 2.0, self.outside());
        if self.count == 1 {
            return Extent { z_m, radius_m: outside * 1.04, tilt_rad: 0.45 };
        }
        Extent { z_m, radius_m: 0.9 * half + outside, tilt_rad: 0.85 }
    }

    fn carrier(&self, stage: usize, solid: &mut Solid) {
        let r = self.radius_m;
        let planets = f64::from(self.stages[stage].planets);
        let (centre, pin) = (self.centre_m(stage), self.pin_m(stage));
        let reach = centre + 1.5 * pin;
        let waist = (0.72 * reach).max(centre * 0.5);
        // A plate with an arm behind each planet.
        let outline: Vec<Polar> =
            steps(120).map(|phi| [waist + (reach - waist) * (0.5 + 0.5 * (planets * phi).cos()).powf(0.7), phi]).collect();
        let plate = share::PLATE.map(|share| share * r);
        solid.plate_with_hole(&outline, 0.0, plate);
        for phi in steps(self.stages[stage].planets) {
            solid.pin([centre, phi], pin, [plate[1], self.pin_front_m()]);
        }
        if stage + 1 == self.count {
            solid.washer([0.0, 0.75 * reach], [plate[0] - share::FLANGE * r, plate[0]]);
        }
    }

    /// Where the pins end before the planets.
    fn pin_front_m(&self) -> f64 {
        (share::HALF_WIDTH + 0.05) * self.radius_m
    }

    fn pin_m(&self, stage: usize) -> f64 {
        (0.34 * self.pitch_m(stage, self.stages[stage].planet)).min(0.12 * self.radius_m)
    }

    /// Distance of the planets' centres from the axis.
    fn centre_m(&self, stage: usize) -> f64 {
        self.pitch_m(stage, self.stages[stage].sun + self.stages[stage].planet)
    }

    fn pitch_m(&self, stage: usize, teeth: u32) -> f64 {
        self.radius_m * f64::from(teeth) / f64::from(self.stages[stage].ring)
    }

    fn teeth(&self, stage: usize, count: u32) -> Teeth {
        Teeth::new(count, self.pitch_m(stage, count))
    }

    fn middle_m(&self, stage: usize) -> f64 {
        let before = (0..stage).fold(0.0, |sum, _| sum + share::SPACING);
        -before * self.radius_m
    }

    fn outside(&self) -> f64 {
        let coarsest = self.stages[..self.count].iter().map(|stage| stage.ring).min().unwrap_or(1);
        self.radius_m * (1.0 + 2.5 / f64::from(coarsest) + share::RIM)
    }
}

/// Stage and planet of a part; none for parts of other gears.
fn stage_of(part: PartName) -> Option<(usize, u32)> {
    let (stage, planet) = match part {
        PartName::Sun(stage) | PartName::Ring(stage) | PartName::Carrier(stage) => (stage, 0),
        PartName::Planet(stage, planet) => (stage, planet),
        _ => return None,
    };
    Some((usize::try_from(stage).ok()?, planet))
}

/// How a planet has to be put in, so that its teeth stand in the sun's gaps while all members are at 0.
fn planet_phase(stage: &PlanetaryStage, planet: u32) -> f64 {
    let [sun, wheel, planets, number] = [stage.sun, stage.planet, stage.planets, planet].map(f64::from);
    TAU * number / planets + PI - (0.5 - number * sun / planets) * TAU / wheel
}

/// From `from_m` to the tip of tooth 0, as wide as the tooth.
fn tooth_stripe(teeth: &Teeth, from_m: f64) -> [[f64; 2]; 4] {
    let half = 0.22 * PI * 2.0 * teeth.pitch_m / f64::from(teeth.count);
    let tip = teeth.pitch_m + 0.9 * teeth.addendum_m;
    [[from_m, -half], [tip, -0.4 * half], [tip, 0.4 * half], [from_m, half]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether something is a tooth (within a fifth of a pitch of its middle) or a gap of a gear of `teeth` with tooth 0 at
    /// `phase`, in the direction `phi`: 0 in the middle of a tooth, 0.5 in the middle of a gap.
    fn fraction(teeth: u32, phase: f64, phi: f64) -> f64 {
        let place = (phi - phase) * f64::from(teeth) / TAU;
        (place - place.floor() + 1e-9).fract()
    }

    #[track_caller]
    fn meshes(stage: PlanetaryStage, input: f64) {
        let angles = stage.angles_of_input(input);
        for planet in 0..stage.planets {
            let direction = angles.carrier + TAU * f64::from(planet) / f64::from(stage.planets);
            let phase = angles.planet + planet_phase(&stage, planet);
            let sun = fraction(stage.sun, angles.sun, direction);
            let at_sun = fraction(stage.planet, phase, direction + PI);
            let sum = (sun + at_sun).fract();
            assert!((sum - 0.5).abs() < 1e-6, "{stage:?} at {input}, planet {planet}: sun {sun}, planet {at_sun}");
            let ring = fraction(stage.ring, angles.ring + PI * f64::from(stage.planet) / f64::from(stage.ring), direction);
            let at_ring = fraction(stage.planet, phase, direction);
            let difference = (ring - at_ring).rem_euclid(1.0);
            assert!((difference - 0.5).abs() < 1e-6, "{stage:?} at {input}, planet {planet}: ring {ring}, planet {at_ring}");
        }
    }

    #[test]
    fn planets_mesh_with_sun_and_ring_whatever_turns() {
        for (sun, planet, ring, planets) in [(12, 24, 60, 3), (24, 12, 48, 3), (12, 48, 108, 3), (13, 23, 59, 4), (18, 27, 72, 5)] {
            for fixed in [FixedMember::Ring, FixedMember::Carrier, FixedMember::Sun] {
                for input in [0.0, 0.3, -7.9, 1000.1] {
                    meshes(PlanetaryStage { sun, planet, ring, planets, fixed }, input);
                }
            }
        }
    }
}
