//! Solids from outlines, for gears: extruded, lathed, lofted. All about the local axis y of bevy, which is the gear's z.

use std::f64::consts::TAU;

use bevy::asset::RenderAssetUsages;
use bevy::math::{Quat, Vec3};
use bevy::mesh::{Indices, Mesh, PrimitiveTopology};
use bevy::prelude::{Cylinder, MeshBuilder, Meshable, Transform};

use crate::frame::{bevy_point, narrow};

/// A point of an outline: distance from the axis (m) and angle about it (rad).
pub(super) type Polar = [f64; 2];

/// The point at a distance and angle about the axis, and along it, in bevy's local frame.
pub(super) fn at(rho: f64, phi: f64, z: f64) -> Vec3 {
    let (sine, cosine) = phi.sin_cos();
    bevy_point([rho * cosine, rho * sine, z])
}

/// A turn about the gear's axis, rad.
pub(super) fn turn(angle: f64) -> Quat {
    Quat::from_rotation_y(narrow(angle.rem_euclid(TAU)))
}

/// Angles of `count` even steps of a whole turn.
pub(super) fn steps(count: u32) -> impl Iterator<Item = f64> + Clone {
    (0..count).map(move |step| TAU * f64::from(step) / f64::from(count))
}

/// Triangles that grow.
#[derive(Default)]
pub(super) struct Solid {
    positions: Vec<[f32; 3]>,
    normals: Vec<[f32; 3]>,
    indices: Vec<u32>,
}

impl Solid {
    /// A flat quadrilateral, counter-clockwise as seen from outside.
    fn quad(&mut self, corners: [Vec3; 4]) {
        let [a, b, c, d] = corners;
        // One edge may have no length: a triangle.
        let Some(normal) = (c - a).cross(d - b).try_normalize() else { return };
        self.corners(corners, [normal; 4]);
    }

    fn corners(&mut self, corners: [Vec3; 4], normals: [Vec3; 4]) {
        let Ok(first) = u32::try_from(self.positions.len()) else { return };
        self.positions.extend(corners.map(|corner| corner.to_array()));
        self.normals.extend(normals.map(|normal| normal.to_array()));
        self.indices.extend([0, 1, 2, 0, 2, 3].map(|corner| first + corner));
    }

    /// A plate between two outlines of as many points each, from `low` to `high` along the axis.
    pub(super) fn plate(&mut self, outer: &[Polar], inner: &[Polar], [low, high]: [f64; 2]) {
        let on = |point: &Polar, z: f64| at(point[0], point[1], z);
        for (index, (outside, inside)) in outer.iter().zip(inner).enumerate() {
            let next = (index + 1) % outer.len();
            let (outside_next, inside_next) = (&outer[next], &inner[next]);
            self.quad([on(outside, high), on(outside_next, high), on(inside_next, high), on(inside, high)]);
            self.quad([on(inside, low), on(inside_next, low), on(outside_next, low), on(outside, low)]);
            self.quad([on(outside, low), on(outside_next, low), on(outside_next, high), on(outside, high)]);
            if inside[0] > 0.0 {
                self.quad([on(inside_next, low), on(inside, low), on(inside, high), on(inside_next, high)]);
            }
        }
    }

    /// A plate with a round hole (or none: radius 0).
    pub(super) fn plate_with_hole(&mut self, outer: &[Polar], hole_m: f64, along: [f64; 2]) {
        let inner: Vec<Polar> = outer.iter().map(|[_, phi]| [hole_m, *phi]).collect();
        self.plate(outer, &inner, along);
    }

    /// A plate with a round outside.
    pub(super) fn plate_around(&mut self, inner: &[Polar], outside_m: f64, along: [f64; 2]) {
        let outer: Vec<Polar> = inner.iter().map(|[_, phi]| [outside_m, *phi]).collect();
        self.plate(&outer, inner, along);
    }

    /// A round washer.
    pub(super) fn washer(&mut self, [inside_m, outside_m]: [f64; 2], along: [f64; 2]) {
        let outer: Vec<Polar> = steps(FACETS).map(|phi| [outside_m, phi]).collect();
        self.plate_with_hole(&outer, inside_m, along);
    }

    /// A surface whose distance from the axis depends on angle and place along it; normals follow it, so it looks smooth.
    /// `inwards` turns it inside out.
    pub(super) fn skin(&mut self, radius: impl Fn(f64, f64) -> f64, [low, high]: [f64; 2], [around, along]: [u32; 2], inwards: bool) {
        let normal = |phi: f64, z: f64| {
            let (dphi, dz) = (1e-4, (high - low).abs() * 1e-5);
            let across = at(radius(phi + dphi, z), phi + dphi, z) - at(radius(phi - dphi, z), phi - dphi, z);
            let up = at(radius(phi, z + dz), phi, z + dz) - at(radius(phi, z - dz), phi, z - dz);
            let normal = (across * 1e3).cross(up * 1e6).normalize_or(at(1.0, phi, 0.0));
            if inwards { -normal } else { normal }
        };
        let Ok(first) = u32::try_from(self.positions.len()) else { return };
        // Neighbours share their corners: a thread has some ten thousand.
        for j in 0..=along {
            let z = low + (high - low) * f64::from(j) / f64::from(along);
            for phi in steps(around) {
                self.positions.push(at(radius(phi, z), phi, z).to_array());
                self.normals.push(normal(phi, z).to_array());
            }
        }
        for j in 0..along {
            for i in 0..around {
                let corner = |i: u32, j: u32| first + j * around + i % around;
                let [a, b, c, d] = [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
                self.indices.extend(if inwards { [a, c, b, a, d, c] } else { [a, b, c, a, c, d] });
            }
        }
    }

    /// A convex outline of points x, y across the axis, counter-clockwise, from `low` to `high` along it.
    pub(super) fn prism(&mut self, outline: &[[f64; 2]], [low, high]: [f64; 2]) {
        let on = |[x, y]: [f64; 2], z: f64| bevy_point([x, y, z]);
        for (index, point) in outline.iter().enumerate() {
            let next = outline[(index + 1) % outline.len()];
            self.quad([on(*point, low), on(next, low), on(next, high), on(*point, high)]);
            if index > 0 {
                self.quad([on(outline[0], high), on(*point, high), on(next, high), on(outline[0], high)]);
                self.quad([on(outline[0], low), on(next, low), on(*point, low), on(outline[0], low)]);
            }
        }
    }

    /// A round pin along the axis at a place.
    pub(super) fn pin(&mut self, [rho, phi]: Polar, radius_m: f64, [low, high]: [f64; 2]) {
        let cylinder = Cylinder::new(narrow(radius_m), narrow(high - low)).mesh().resolution(24).build();
        self.take(&cylinder.transformed_by(Transform::from_translation(at(rho, phi, (low + high) / 2.0))));
    }

    /// Takes over the triangles of a mesh of bevy's own primitives.
    fn take(&mut self, mesh: &Mesh) {
        let Ok(first) = u32::try_from(self.positions.len()) else { return };
        let floats = |attribute| mesh.attribute(attribute).and_then(|values| values.as_float3()).unwrap_or(&[]);
        self.positions.extend_from_slice(floats(Mesh::ATTRIBUTE_POSITION));
        self.normals.extend_from_slice(floats(Mesh::ATTRIBUTE_NORMAL));
        if let Some(indices) = mesh.indices() {
            self.indices.extend(indices.iter().filter_map(|index| u32::try_from(index).ok()).map(|index| first + index));
        }
    }

    /// The mesh.
    pub(super) fn mesh(self) -> Mesh {
        Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
            .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, self.positions)
            .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, self.normals)
            .with_inserted_indices(Indices::U32(self.indices))
    }
}

/// Facets around round things.
pub(super) const FACETS: u32 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    /// Volume enclosed by the mesh, by the divergence theorem: positive when every face looks outwards.
    fn volume(mesh: &Mesh) -> f64 {
        let positions = mesh.attribute(Mesh::ATTRIBUTE_POSITION).unwrap().as_float3().unwrap();
        let corners: Vec<Vec3> = mesh.indices().unwrap().iter().map(|index| Vec3::from(positions[index])).collect();
        corners.chunks(3).map(|corner| f64::from(corner[0].dot(corner[1].cross(corner[2]))) / 6.0).sum()
    }

    #[test]
    fn plates_and_skins_are_closed_and_look_outwards() {
        let mut washer = Solid::default();
        washer.washer([0.5, 1.0], [-0.2, 0.3]);
        let expect = std::f64::consts::PI * 0.75 * 0.5;
        assert!((volume(&washer.mesh()) / expect - 1.0).abs() < 2e-3);
        let mut disc = Solid::default();
        disc.washer([0.0, 1.0], [0.0, 1.0]);
        assert!((volume(&disc.mesh()) / std::f64::consts::PI - 1.0).abs() < 2e-3);
        let mut tube = Solid::default();
        tube.skin(|_, _| 1.0, [0.0, 1.0], [96, 4], false);
        tube.skin(|_, _| 0.5, [0.0, 1.0], [96, 4], true);
        // Without its ends, which pass through the origin's plane and at z = 1, two thirds of the volume are counted.
        assert!((volume(&tube.mesh()) / (std::f64::consts::PI * 0.75 * 2.0 / 3.0) - 1.0).abs() < 3e-3);
        let mut block = Solid::default();
        block.prism(&[[2.0, 1.0], [2.1, 1.0], [2.1, 1.2], [2.0, 1.2]], [0.3, 0.6]);
        assert!((volume(&block.mesh()) / 0.006 - 1.0).abs() < 1e-3);
    }
}
