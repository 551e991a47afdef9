//! Balls and bones for links whose mesh files cannot be drawn.

use bevy::prelude::{Cylinder, MeshBuilder, Meshable, Quat, Sphere, Transform, Vec3};
use nalgebra::Isometry3;
use sanqu_robot::{LinkPoses, RobotModel};

use super::looks::{Finish, Part};
use crate::frame::bevy_point;

const SKELETON_RGBA: [f32; 4] = [0.95, 0.72, 0.25, 1.0];
/// Radius of a bone, m.
const BONE_RADIUS_M: f32 = 0.018;
const BONE_FACETS: u32 = 16;

/// Balls at the origins of the `bare` links, and bones to their children; with the link they belong to. `rest` is only
/// used to measure bones.
pub(super) fn skeleton(model: &RobotModel, rest: &[f64], bare: &[bool]) -> Vec<(usize, Part)> {
    let mut poses = LinkPoses::default();
    if model.link_poses(rest, &Isometry3::identity(), &mut poses).is_err() {
        return Vec::new();
    }
    let finish = Finish::new(SKELETON_RGBA);
    let mut parts = Vec::new();
    for (index, link) in model.links().iter().enumerate() {
        if bare[index] {
            let mesh = Sphere::new(BONE_RADIUS_M * 1.6).mesh().uv(BONE_FACETS, BONE_FACETS / 2);
            parts.push((index, Part { mesh, finish }));
        }
        let Some(parent) = link.parent.filter(|parent| bare[*parent]) else { continue };
        let tip = bevy_point((poses[parent].inverse() * poses[index]).translation.vector.into());
        if tip.length() > BONE_RADIUS_M {
            let mesh = Cylinder::new(BONE_RADIUS_M, tip.length()).mesh().resolution(BONE_FACETS).build();
            let transform = Transform::from_translation(tip / 2.0).with_rotation(Quat::from_rotation_arc(Vec3::Y, tip / tip.length()));
            parts.push((parent, Part { mesh: mesh.transformed_by(transform), finish }));
        }
    }
    parts
}
