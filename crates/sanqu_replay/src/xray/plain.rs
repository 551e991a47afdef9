//! Drives of which little is known, and cycloidal ones: rotor and output, and between them an eccentric disc among pins.

use std::f64::consts::TAU;

use bevy::mesh::Mesh;
use bevy::prelude::Transform;
use sanqu_robot::{Cycloid, GearState};

use super::part::{Callout, Extent, Paint, PartName, placed, turned};
use super::solid::{Polar, Solid, at, steps, turn};
use crate::lang::Lang;

/// Share of the radius that the rotor is drawn with, and how far it stands before the output.
const ROTOR_SHARE: f64 = 0.55;
const GAP_SHARE: f64 = 0.9;
/// Eccentricity of a cycloidal gear, as a share of the pins' radius over their number.
const ECCENTRIC_SHARE: f64 = 0.55;

/// What a drawing of such a drive needs.
#[derive(Clone, Debug)]
pub struct PlainLayout {
    radius_m: f64,
    cycloid: Option<Cycloid>,
}

impl PlainLayout {
    /// A drive of this radius; with a cycloidal gear if it has one.
    pub fn new(radius_m: f64, cycloid: Option<&Cycloid>) -> Self {
        Self { radius_m, cycloid: cycloid.cloned() }
    }

    /// Every part.
    pub fn parts(&self) -> Vec<PartName> {
        match self.cycloid {
            Some(_) => vec![PartName::Eccentric, PartName::Disc, PartName::Pins],
            None => vec![PartName::Rotor, PartName::Output],
        }
    }

    /// Where a part is, in the gear's frame; `output` is the reducer's output.
    pub fn place(&self, part: PartName, gear: &GearState, output: f64) -> Option<Transform> {
        let rotor = match gear {
            GearState::Opaque { rotor } | GearState::Direct { rotor } => *rotor,
            GearState::Cycloid { eccentric, disc } => {
                return match part {
                    PartName::Eccentric => Some(turned(*eccentric)),
                    PartName::Disc => Some(placed(at(self.eccentricity_m(), *eccentric, 0.0), turn(*disc))),
                    PartName::Pins => Some(Transform::IDENTITY),
                    _ => None,
                };
            }
            _ => return None,
        };
        match part {
            PartName::Rotor => Some(turned(rotor)),
            PartName::Output => Some(turned(output)),
            _ => None,
        }
    }

    /// A part's mesh at angle 0.
    pub fn mesh(&self, part: PartName) -> Option<Mesh> {
        let r = self.radius_m;
        let mut solid = Solid::default();
        match part {
            PartName::Rotor => solid.washer([0.12 * r, ROTOR_SHARE * r], [0.1 * r, GAP_SHARE * r]),
            PartName::Output => {
                solid.washer([0.12 * r, r], [-0.4 * r, -0.1 * r]);
                for phi in steps(8) {
                    solid.pin([0.8 * r, phi], 0.07 * r, [-0.1 * r, -0.04 * r]);
                }
            }
            PartName::Eccentric => {
                let e = self.eccentricity_m();
                let outline: Vec<Polar> =
                    steps(96).map(|phi| [e * phi.cos() + (0.3 * r - e * phi.sin()).abs().max(0.28 * r), phi]).collect();
                solid.plate_with_hole(&outline, 0.12 * r, [-0.12 * r, 0.2 * r]);
            }
            PartName::Disc => solid.plate_with_hole(&self.disc(), 0.31 * r, [-0.12 * r, 0.12 * r]),
            PartName::Pins => {
                solid.washer([1.12 * r, 1.28 * r], [-0.16 * r, 0.13 * r]);
                let pins = self.cycloid.as_ref().map_or(0, |gear| gear.pins);
                for phi in steps(pins) {
                    solid.pin([r, phi], self.pin_m(), [-0.16 * r, 0.16 * r]);
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
        let paint = match part {
            PartName::Rotor => {
                solid.pin([0.38 * r, 0.0], 0.08 * r, [GAP_SHARE * r, (GAP_SHARE + 0.015) * r]);
                Paint::Ink
            }
            PartName::Output => {
                solid.pin([0.62 * r, 0.0], 0.08 * r, [-0.1 * r, -0.085 * r]);
                Paint::Mark
            }
            PartName::Eccentric => {
                solid.pin([0.2 * r, 0.0], 0.05 * r, [0.2 * r, 0.21 * r]);
                Paint::Ink
            }
            PartName::Disc => {
                solid.pin([0.62 * r, 0.0], 0.07 * r, [0.12 * r, 0.13 * r]);
                Paint::Mark
            }
            _ => return None,
        };
        Some((solid.mesh(), paint))
    }

    /// What a part is painted with.
    pub fn paint(part: PartName) -> Paint {
        match part {
            PartName::Rotor | PartName::Eccentric => Paint::Input,
            PartName::Disc => Paint::Middle,
            PartName::Pins => Paint::Fixed,
            _ => Paint::Output,
        }
    }

    /// Names of the parts.
    pub fn callouts(&self, lang: Lang) -> Vec<Callout> {
        let r = self.radius_m;
        let named = |en: &'static str, zh: &'static str| lang.pick(en, zh).to_owned();
        match &self.cycloid {
            Some(gear) => vec![
                Callout::ring(format!("{} {}", gear.pins, named("pins", "个针齿")), Paint::Fixed, 1.2 * r, 0.13 * r),
                Callout::ring(format!("{}, {}", named("disc, lobes", "摆线轮，齿"), gear.lobes), Paint::Middle, 0.75 * r, 0.12 * r),
                Callout::ring(named("eccentric", "偏心轴"), Paint::Input, 0.22 * r, 0.2 * r),
            ],
            None => vec![
                Callout::ring(named("rotor", "转子"), Paint::Input, ROTOR_SHARE * r * 0.8, GAP_SHARE * r),
                Callout::ring(named("output", "输出"), Paint::Output, 0.9 * r, -0.1 * r),
            ],
        }
    }

    /// What to look at.
    pub fn extent(&self) -> Extent {
        Extent { z_m: 0.0, radius_m: 1.35 * self.radius_m, tilt_rad: if self.cycloid.is_some() { 0.35 } else { 0.8 } }
    }

    fn eccentricity_m(&self) -> f64 {
        self.cycloid.as_ref().map_or(0.0, |gear| ECCENTRIC_SHARE * self.radius_m / f64::from(gear.pins.max(1)))
    }

    fn pin_m(&self) -> f64 {
        self.cycloid.as_ref().map_or(0.0, |gear| 0.32 * TAU * self.radius_m / f64::from(gear.pins.max(1)) / 2.0)
    }

    /// Outline of the disc: a curve inside the pins, one lobe less than there are pins.
    fn disc(&self) -> Vec<Polar> {
        let Some(gear) = &self.cycloid else { return Vec::new() };
        let (e, lobes) = (self.eccentricity_m(), f64::from(gear.lobes));
        let reach = self.radius_m - self.pin_m();
        steps(gear.lobes.saturating_mul(12).min(2000)).map(|phi| [reach - e + e * (lobes * phi).cos(), phi]).collect()
    }
}
