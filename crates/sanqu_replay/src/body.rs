//! What a link looks like: meshes from the description's primitive shapes, a skeleton where it has only mesh files.

use std::collections::HashMap;

use bevy::app::{App, Plugin, Startup, Update};
use bevy::prelude::{
    AlphaMode, Assets, Capsule3d, ChildOf, Color, Commands, Component, Cuboid, Cylinder, Entity, Handle, IntoScheduleConfigs, Mesh, Mesh3d,
    MeshBuilder, MeshMaterial3d, Meshable, Quat, Query, Res, ResMut, Sphere, StandardMaterial, Transform, Vec3,
};
use nalgebra::Isometry3;
use sanqu_robot::{LinkPoses, RobotModel, Shape};

use crate::frame::{bevy_from_world, bevy_point, bevy_size, narrow};
use crate::replay::Replay;
use crate::robots::{ReplayRobot, TrustChanged, spawn_robots};
use crate::timeline::ReplaySystems;

/// Colour of a visual without one, and of skeletons; sRGB and opacity.
const DEFAULT_RGBA: [f32; 4] = [0.78, 0.79, 0.81, 1.0];
const SKELETON_RGBA: [f32; 4] = [0.95, 0.72, 0.25, 1.0];
/// Radius of a skeleton's bones, m.
const BONE_RADIUS_M: f32 = 0.018;
const BONE_FACETS: u32 = 16;
/// Facets around round bodies: the least, the most, and how many more each metre of radius gives.
const FACETS_RANGE: (f32, f32) = (12.0, 40.0);
const FACETS_PER_M: f32 = 340.0;

/// A drawn body of a robot, with its two coats.
#[derive(Component)]
pub struct Coat {
    robot: Entity,
    live: Handle<StandardMaterial>,
    stale: Handle<StandardMaterial>,
}

/// Gives bodies to the links of [`crate::robots::RobotsPlugin`] and greys them while what they show is not the robot's state.
pub struct BodyPlugin;

impl Plugin for BodyPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, dress_robots.after(spawn_robots));
        app.add_systems(Update, change_coats.in_set(ReplaySystems::Follow));
    }
}

/// Mesh files that a description refers to and this version does not draw.
pub fn undrawn_meshes(model: &RobotModel) -> Vec<&str> {
    let visuals = model.links().iter().flat_map(|link| &link.visuals);
    visuals
        .filter_map(|visual| match &visual.shape {
            Shape::Mesh { file_name, .. } => Some(file_name.as_str()),
            _ => None,
        })
        .collect()
}

struct Wardrobe<'a> {
    materials: &'a mut Assets<StandardMaterial>,
    coats: HashMap<[u32; 4], (Handle<StandardMaterial>, Handle<StandardMaterial>)>,
}

impl Wardrobe<'_> {
    fn coat(&mut self, rgba: [f32; 4]) -> (Handle<StandardMaterial>, Handle<StandardMaterial>) {
        let materials = &mut *self.materials;
        let coats = self.coats.entry(rgba.map(f32::to_bits)).or_insert_with(|| {
            let [r, g, b, a] = rgba;
            let grey = 0.35 + 0.25 * (0.3 * r + 0.59 * g + 0.11 * b);
            let alpha_mode = if a < 1.0 { AlphaMode::Blend } else { AlphaMode::Opaque };
            let live = StandardMaterial {
                base_color: Color::srgba(r, g, b, a),
                perceptual_roughness: 0.42,
                metallic: 0.05,
                reflectance: 0.5,
                alpha_mode,
                ..Default::default()
            };
            let stale = StandardMaterial {
                base_color: Color::srgba(grey, grey, grey, a),
                perceptual_roughness: 1.0,
                reflectance: 0.1,
                alpha_mode,
                ..Default::default()
            };
            (materials.add(live), materials.add(stale))
        });
        coats.clone()
    }
}

fn dress_robots(
    mut commands: Commands<'_, '_>,
    replay: Res<'_, Replay>,
    robots: Query<'_, '_, (Entity, &ReplayRobot)>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<StandardMaterial>>,
) {
    let mut wardrobe = Wardrobe { materials: &mut materials, coats: HashMap::new() };
    for (entity, robot) in &robots {
        let model = &replay.robots[robot.index].model;
        for (link, body) in bodies(model, replay.robots[robot.index].track.rest()) {
            let (live, stale) = wardrobe.coat(body.rgba);
            let coat = Coat { robot: entity, live: live.clone(), stale };
            commands.spawn((Mesh3d(meshes.add(body.mesh)), MeshMaterial3d(live), Transform::default(), coat, ChildOf(robot.links[link])));
        }
    }
}

/// Bodies of one link in one colour, in the link's frame.
struct Body {
    mesh: Mesh,
    rgba: [f32; 4],
}

/// Every body of a robot with the index of its link; one for each colour of a link, because each costs a draw. `rest` is
/// only used to measure bones.
fn bodies(model: &RobotModel, rest: &[f64]) -> Vec<(usize, Body)> {
    let mut parts = skeleton(model, rest);
    for (index, link) in model.links().iter().enumerate() {
        for visual in &link.visuals {
            if let Some(mesh) = mesh_of(&visual.shape) {
                let mesh = mesh.transformed_by(bevy_from_world(&visual.link_from_visual));
                parts.push((index, Body { mesh, rgba: visual.rgba.unwrap_or(DEFAULT_RGBA) }));
            }
        }
    }
    let mut bodies: Vec<(usize, Body)> = Vec::new();
    for (link, part) in parts {
        let same = bodies.iter_mut().find(|(other, body)| *other == link && body.rgba.map(f32::to_bits) == part.rgba.map(f32::to_bits));
        // Meshes of our own making always have the same attributes; one that does not fit stays by itself.
        if same.is_none_or(|(_, body)| body.mesh.merge(&part.mesh).is_err()) {
            bodies.push((link, part));
        }
    }
    bodies
}

/// The mesh of a primitive shape; none for mesh files.
fn mesh_of(shape: &Shape) -> Option<Mesh> {
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

/// Balls at the origins of links that have only mesh files, and bones to their children.
fn skeleton(model: &RobotModel, rest: &[f64]) -> Vec<(usize, Body)> {
    let bare = |index: usize| {
        let visuals = &model.links()[index].visuals;
        !visuals.is_empty() && visuals.iter().all(|visual| matches!(visual.shape, Shape::Mesh { .. }))
    };
    let mut poses = LinkPoses::default();
    if model.link_poses(rest, &Isometry3::identity(), &mut poses).is_err() {
        return Vec::new();
    }
    let mut bodies = Vec::new();
    for (index, link) in model.links().iter().enumerate() {
        if bare(index) {
            let mesh = Sphere::new(BONE_RADIUS_M * 1.6).mesh().uv(BONE_FACETS, BONE_FACETS / 2);
            bodies.push((index, Body { mesh, rgba: SKELETON_RGBA }));
        }
        let Some(parent) = link.parent.filter(|parent| bare(*parent)) else { continue };
        let tip = bevy_point((poses[parent].inverse() * poses[index]).translation.vector.into());
        if tip.length() > BONE_RADIUS_M {
            let mesh = Cylinder::new(BONE_RADIUS_M, tip.length()).mesh().resolution(BONE_FACETS).build();
            let transform = Transform::from_translation(tip / 2.0).with_rotation(Quat::from_rotation_arc(Vec3::Y, tip / tip.length()));
            bodies.push((parent, Body { mesh: mesh.transformed_by(transform), rgba: SKELETON_RGBA }));
        }
    }
    bodies
}

fn change_coats(changed: TrustChanged<'_, '_>, mut bodies: Query<'_, '_, (&Coat, &mut MeshMaterial3d<StandardMaterial>)>) {
    for (robot, stale) in &changed {
        for (coat, mut material) in bodies.iter_mut().filter(|(coat, _)| coat.robot == robot) {
            material.0 = if stale.0 { coat.stale.clone() } else { coat.live.clone() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_with_mesh_files_become_bones() {
        let model = RobotModel::from_urdf_str(
            r#"<robot name="r">
              <link name="base"><visual><geometry><mesh filename="base.stl"/></geometry></visual></link>
              <link name="arm"><visual><geometry><mesh filename="arm.stl"/></geometry></visual></link>
              <link name="tool"><visual><geometry><sphere radius="0.1"/></geometry></visual></link>
              <joint name="a" type="revolute"><parent link="base"/><child link="arm"/><origin xyz="0 0 0.5"/><axis xyz="0 1 0"/>
                <limit lower="-3" upper="3" velocity="1" effort="1"/></joint>
              <joint name="b" type="fixed"><parent link="arm"/><child link="tool"/><origin xyz="0 0 0"/></joint>
            </robot>"#,
        )
        .unwrap();
        assert_eq!(undrawn_meshes(&model), ["base.stl", "arm.stl"]);
        let links: Vec<usize> = bodies(&model, &[0.0]).into_iter().map(|(link, _)| link).collect();
        assert_eq!(links, [0, 1, 2], "base with its ball and the bone to the arm; arm with its ball; the tool");
        let vertices = |index: usize| bodies(&model, &[0.0])[index].1.mesh.count_vertices();
        assert!(vertices(0) > vertices(1), "the base has a bone besides its ball; the arm's would have length zero");
    }
}
