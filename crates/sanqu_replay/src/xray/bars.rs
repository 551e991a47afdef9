//! Cranks, rods and levers of a linkage, in the frame of the link that they hang on.

use bevy::math::{Quat, Vec3};
use bevy::mesh::Mesh;
use bevy::prelude::{Cylinder, MeshBuilder, Meshable, Sphere, Transform};
use nalgebra::Point3;
use sanqu_robot::Bars;

use super::part::{Callout, Paint, PartName};
use crate::frame::{bevy_point, narrow};
use crate::lang::Lang;

/// Thickness of a bar as a share of the longest bar's length, and its limits, m.
const THICK_SHARE: f64 = 0.018;
const THICK_RANGE_M: (f64, f64) = (0.0025, 0.0055);

/// How thick the bars are drawn, m.
#[derive(Clone, Copy, Debug)]
pub struct BarsLayout {
    thick_m: f32,
    has_crank: bool,
}

impl BarsLayout {
    /// For bars at some pose.
    pub fn new(bars: &Bars) -> Self {
        let length = |[from, to]: [Point3<f64>; 2]| (to - from).norm();
        let longest = length(bars.rod).max(length(bars.horn));
        let thick_m = narrow((longest * THICK_SHARE).clamp(THICK_RANGE_M.0, THICK_RANGE_M.1));
        Self { thick_m, has_crank: bars.crank.is_some() }
    }

    /// Every part. An actuator without a crank is drawn as its screw, not as a rod.
    pub fn parts(&self) -> Vec<PartName> {
        let ends = [PartName::RodEnd(0), PartName::RodEnd(1), PartName::Horn, PartName::Pivot];
        let moved = if self.has_crank { vec![PartName::Crank, PartName::Rod] } else { Vec::new() };
        moved.into_iter().chain(ends).collect()
    }

    /// Where a part is, in the frame of [`Bars::link`].
    pub fn place(&self, part: PartName, bars: &Bars) -> Option<Transform> {
        Some(match part {
            PartName::Crank => spanned(bars.crank?),
            PartName::Rod => spanned(bars.rod),
            PartName::Horn => spanned(bars.horn),
            PartName::RodEnd(0) => Transform::from_translation(point(bars.rod[0])),
            PartName::RodEnd(_) => Transform::from_translation(point(bars.rod[1])),
            PartName::Pivot => Transform::from_translation(point(bars.horn[0])),
            _ => return None,
        })
    }

    /// A part's mesh; bars are one metre long, along y, and are stretched.
    pub fn mesh(&self, part: PartName) -> Option<Mesh> {
        let thick = self.thick_m;
        Some(match part {
            PartName::Rod => Cylinder::new(thick, 1.0).mesh().resolution(20).build(),
            PartName::Crank | PartName::Horn => Cylinder::new(thick * 1.35, 1.0).mesh().resolution(6).build(),
            PartName::RodEnd(_) => Sphere::new(thick * 2.1).mesh().uv(24, 16),
            PartName::Pivot => Sphere::new(thick * 2.6).mesh().uv(24, 16),
            _ => return None,
        })
    }

    /// Names of the parts; none for an actuator, which its screw names.
    pub fn callouts(&self, lang: Lang) -> Vec<Callout> {
        let named = |en: &'static str, zh: &'static str, part: PartName| {
            Callout::of_part(lang.pick(en, zh).to_owned(), Self::paint(part), part, 0.0)
        };
        if !self.has_crank {
            return Vec::new();
        }
        vec![
            named("crank: turned by the gear", "曲柄：由减速器带动", PartName::Crank),
            named("rod", "连杆", PartName::Rod),
            named("lever on the driven link", "从动杆", PartName::Horn),
            named("joint", "关节", PartName::Pivot),
        ]
    }

    /// What a part is painted with.
    pub fn paint(part: PartName) -> Paint {
        match part {
            PartName::Crank => Paint::Output,
            PartName::Rod => Paint::Rod,
            PartName::Horn => Paint::Driven,
            _ => Paint::Steel,
        }
    }
}

fn point(point: Point3<f64>) -> Vec3 {
    bevy_point(point.coords.into())
}

/// A bar of one metre along y, put between two points.
fn spanned(ends: [Point3<f64>; 2]) -> Transform {
    let [from, to] = ends.map(point);
    let span = to - from;
    Transform {
        translation: (from + to) / 2.0,
        rotation: Quat::from_rotation_arc(Vec3::Y, span.normalize_or(Vec3::Y)),
        scale: Vec3::new(1.0, span.length(), 1.0),
    }
}
