//! Meshes of furniture: boxes and cylinders with round edges, bodies lofted through cross sections. Y up, metres.

use std::f32::consts::{FRAC_PI_2, TAU};

use bevy::asset::RenderAssetUsages;
use bevy::math::Vec3;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::Mesh;

use crate::mesh_file::{Surface, smooth};

/// Steps of a quarter turn around a box's edge.
const EDGE_STEPS: u16 = 3;
/// Facets around cylinders and lofts.
const FACETS: u16 = 36;
/// Steps of a loft from one cross section to the next.
const LOFT_STEPS: u16 = 5;

/// A cross section of a lofted body, across x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// Where it is along x.
    pub x: f64,
    /// Half its width along y.
    pub half_width: f64,
    /// Its underside.
    pub bottom: f64,
    /// Its upper side.
    pub top: f64,
}

/// A box whose edges are round with `radius`, centred.
pub(super) fn block(size: Vec3, radius: f32) -> Mesh {
    let half = size / 2.0;
    let radius = radius.min(half.min_element() * 0.999);
    let inner = half - radius;
    let steps = EDGE_STEPS + 1;
    let angle = |step: u16| FRAC_PI_2 * f32::from(step) / f32::from(EDGE_STEPS);
    let (mut positions, mut normals) = (Vec::new(), Vec::new());
    // Two caps of rows of latitude, each row four quarters of longitude: every quarter belongs to one corner of the box.
    for (row, upper) in (0..steps).map(|row| (row, false)).chain((0..steps).map(|row| (row, true))) {
        let latitude = if upper { angle(row) } else { angle(row) - FRAC_PI_2 };
        for quarter in 0..4_u16 {
            let middle = FRAC_PI_2 * (f32::from(quarter) + 0.5);
            let corner = Vec3::new(middle.cos().signum(), if upper { 1.0 } else { -1.0 }, middle.sin().signum()) * inner;
            for step in 0..steps {
                let longitude = FRAC_PI_2 * f32::from(quarter) + angle(step);
                let normal =
                    Vec3::new(longitude.cos() * latitude.cos(), latitude.sin(), longitude.sin() * latitude.cos()).normalize_or(Vec3::Y);
                positions.push((corner + normal * radius).to_array());
                normals.push(normal.to_array());
            }
        }
    }
    let around = 4 * steps;
    let mut corners = grid(around, 2 * steps);
    let top = u32::from(around) * u32::from(2 * steps - 1);
    let [a, b, c, d] = [0, 1, 2, 3].map(|quarter: u32| quarter * u32::from(steps));
    corners.extend([a, b, c, a, c, d]);
    corners.extend([a, c, b, a, d, c].map(|corner| top + corner));
    build(positions, normals, corners)
}

/// A cylinder along y whose edges are round with `round`, centred.
pub(super) fn tube(radius: f32, length: f32, round: f32) -> Mesh {
    let round = round.min(radius * 0.9).min(length * 0.45);
    let mut profile = vec![(0.0, -length / 2.0, Vec3::NEG_Y)];
    for upper in [false, true] {
        for step in 0..=EDGE_STEPS {
            let angle = FRAC_PI_2 * f32::from(step) / f32::from(EDGE_STEPS) - if upper { 0.0 } else { FRAC_PI_2 };
            let (sin, cos) = angle.sin_cos();
            let height = if upper { length / 2.0 - round } else { round - length / 2.0 };
            profile.push((radius - round + cos * round, height + sin * round, Vec3::new(cos, sin, 0.0)));
        }
    }
    profile.push((0.0, length / 2.0, Vec3::Y));
    let (mut positions, mut normals) = (Vec::new(), Vec::new());
    for (across, height, normal) in &profile {
        for facet in 0..FACETS {
            let (sin, cos) = (TAU * f32::from(facet) / f32::from(FACETS)).sin_cos();
            positions.push([across * cos, *height, across * sin]);
            normals.push([normal.x * cos, normal.y, normal.x * sin]);
        }
    }
    let rows = u16::try_from(profile.len()).unwrap_or(u16::MAX);
    build(positions, normals, grid(FACETS, rows))
}

/// A body through `sections` (z up, as the furniture's frame is), with the corners of a superellipse of this exponent.
pub(super) fn loft(sections: &[Section], exponent: f32) -> Mesh {
    let rings = between(sections);
    let mut surface = Surface::default();
    for ring in &rings {
        let [x, half_width, bottom, top] = *ring;
        for facet in 0..FACETS {
            let (sin, cos) = (TAU * f32::from(facet) / f32::from(FACETS)).sin_cos();
            let power = |value: f32| value.signum() * value.abs().powf(2.0 / exponent);
            let (y, z) = (half_width * power(cos), (bottom + top) / 2.0 + (top - bottom) / 2.0 * power(sin));
            surface.positions.push(Vec3::new(x, z, -y));
        }
    }
    let rows = u16::try_from(rings.len()).unwrap_or(u16::MAX);
    // Rings go round the other way than rows of latitude do.
    let mut corners: Vec<u32> = grid(FACETS, rows).chunks_exact(3).flat_map(|face| [face[0], face[2], face[1]]).collect();
    for (ring, row) in [(rings.first(), 0), (rings.last(), rows.saturating_sub(1))] {
        let Some([x, _, bottom, top]) = ring else { continue };
        let centre = u32::try_from(surface.positions.len()).unwrap_or(u32::MAX);
        surface.positions.push(Vec3::new(*x, (bottom + top) / 2.0, 0.0));
        let first = u32::from(row) * u32::from(FACETS);
        for facet in 0..u32::from(FACETS) {
            let next = (facet + 1) % u32::from(FACETS);
            let face = [centre, first + facet, first + next];
            corners.extend(if row == 0 { [face[0], face[2], face[1]] } else { face });
        }
    }
    surface.triangles = corners.chunks_exact(3).map(|face| [face[0], face[1], face[2]]).collect();
    let surface = smooth(&surface);
    let normals = surface.normals.unwrap_or_default();
    let corners = surface.triangles.into_iter().flatten().collect();
    build(surface.positions.iter().map(Vec3::to_array).collect(), normals.iter().map(Vec3::to_array).collect(), corners)
}

/// Sections with smooth steps between them (Catmull and Rom's curve), as x, half width, bottom, top.
fn between(sections: &[Section]) -> Vec<[f32; 4]> {
    let values = |section: &Section| [section.x, section.half_width, section.bottom, section.top].map(crate::frame::narrow);
    let mut rings = Vec::new();
    for (index, pair) in sections.windows(2).enumerate() {
        let [from, to] = [values(&pair[0]), values(&pair[1])];
        let before = index.checked_sub(1).map_or(from, |index| values(&sections[index]));
        let after = sections.get(index + 2).map_or(to, values);
        for step in 0..LOFT_STEPS {
            let t = f32::from(step) / f32::from(LOFT_STEPS);
            let smooth = |a: f32, b: f32, c: f32, d: f32| {
                0.5 * (2.0 * b + (c - a) * t + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t + (3.0 * b - a - 3.0 * c + d) * t * t * t)
            };
            rings.push([0, 1, 2, 3].map(|place: usize| smooth(before[place], from[place], to[place], after[place])));
        }
    }
    rings.extend(sections.last().map(values));
    rings
}

/// Triangles of `rows` rows of `around` vertices each, closed around, with the outside where x goes to z over y.
fn grid(around: u16, rows: u16) -> Vec<u32> {
    let (around, rows) = (u32::from(around), u32::from(rows));
    let mut corners = Vec::new();
    for row in 0..rows.saturating_sub(1) {
        for place in 0..around {
            let (a, b) = (row * around + place, row * around + (place + 1) % around);
            corners.extend([a, a + around, b, b, a + around, b + around]);
        }
    }
    corners
}

fn build(positions: Vec<[f32; 3]>, normals: Vec<[f32; 3]>, corners: Vec<u32>) -> Mesh {
    let uvs = vec![[0.0_f32, 0.0]; positions.len()];
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
        .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, normals)
        .with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, uvs)
        .with_inserted_indices(Indices::U32(corners))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Faces look outward, normals agree with them, and the box around is `half`.
    #[track_caller]
    fn check(mesh: &Mesh, centre: Vec3, half: Vec3) {
        let positions = mesh.attribute(Mesh::ATTRIBUTE_POSITION).unwrap().as_float3().unwrap();
        let normals = mesh.attribute(Mesh::ATTRIBUTE_NORMAL).unwrap().as_float3().unwrap();
        let reach = positions.iter().map(|point| (Vec3::from(*point) - centre).abs()).reduce(Vec3::max).unwrap();
        assert!(reach.abs_diff_eq(half, 1e-3), "{reach}, expected {half}");
        let corners: Vec<usize> = mesh.indices().unwrap().iter().collect();
        let mut area = 0.0;
        for face in corners.chunks_exact(3) {
            let [a, b, c] = [face[0], face[1], face[2]].map(|corner| Vec3::from(positions[corner]));
            let across = (b - a).cross(c - a);
            area += across.length() / 2.0;
            if across.length() > 1e-7 {
                assert!(across.dot((a + b + c) / 3.0 - centre) > 0.0, "inside out: {a} {b} {c}");
                assert!(across.dot(Vec3::from(normals[face[0]])) > 0.0, "a normal looks inward at {a}");
            }
        }
        let full = 8.0 * (half.x * half.y + half.y * half.z + half.z * half.x);
        assert!((0.6..=1.0).contains(&(area / full)), "{area} of {full}: something is missing or twice there");
    }

    #[test]
    fn bodies_are_closed_and_of_their_size() {
        check(&block(Vec3::new(0.4, 0.2, 0.6), 0.03), Vec3::ZERO, Vec3::new(0.2, 0.1, 0.3));
        check(&block(Vec3::new(0.4, 0.02, 0.6), 0.03), Vec3::ZERO, Vec3::new(0.2, 0.01, 0.3));
        check(&tube(0.2, 0.5, 0.02), Vec3::ZERO, Vec3::new(0.2, 0.25, 0.2));
        let section = |x: f64| Section { x, half_width: 0.4, bottom: 0.1, top: 0.5 };
        check(&loft(&[section(1.0), section(1.5), section(2.0)], 6.0), Vec3::new(1.5, 0.3, 0.0), Vec3::new(0.5, 0.2, 0.4));
    }
}
