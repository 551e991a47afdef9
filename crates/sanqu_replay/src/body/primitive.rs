//! Meshes of a URDF's primitive shapes.

use bevy::prelude::{Capsule3d, Cuboid, Cylinder, Mesh, MeshBuilder, Meshable, Sphere};
use sanqu_robot::Shape;

use crate::frame::{bevy_size, narrow};

/// Facets around round bodies: the least, the most, and how many more each metre of radius gives.
const FACETS_RANGE: (f32, f32) = (12.0, 40.0);
const FACETS_PER_M: f32 = 340.0;

/// The mesh of a primitive shape; none for mesh files.
pub(super) fn mesh_of(shape: &Shape) -> Option<Mesh> {
    Some(match *shape {
        Shape::Box { size_m } => Cuboid::from_size(bevy_size(size_m)).mesh().build(),
        Shape::Cylinder { radius_m, length_m } => {
            Cylinder::new(narrow(radius_m), narrow(length_m)).mesh().resolution(facets(radius_m)).build()
        }
        Shape::Sphere { radius_m } => Sphere::new(narrow(radius_m)).mesh().uv(facets(radius_m), facets(radius_m) / 2),
        Shape::Capsule { radius_m, length_m } => {
            let facets = facets(radius_m);
            Capsule3d::new(narrow(radius_m), narrow(length_m)).mesh().longitudes(facets).latitudes(facets / 2).build()
        }
        _ => return None,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within FACETS_RANGE")]
fn facets(radius_m: f64) -> u32 {
    (narrow(radius_m) * FACETS_PER_M).clamp(FACETS_RANGE.0, FACETS_RANGE.1) as u32 / 2 * 2
}
