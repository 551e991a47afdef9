//! What a robot looks like, and the entities that show it.

mod distance;
mod looks;
mod nets;
mod primitive;
mod shells;
mod skeleton;

use std::collections::HashMap;
use std::sync::Arc;

use bevy::app::{App, Plugin, Startup, Update};
use bevy::prelude::{
    AlphaMode, Assets, ChildOf, Color, Commands, Component, Entity, Handle, IntoScheduleConfigs, Mesh, Mesh3d, MeshMaterial3d, Query, Res,
    ResMut, StandardMaterial, Transform,
};
use bevy::tasks::{ComputeTaskPool, TaskPool};

pub use looks::{Finish, LinkLook, Looks, Part};

use crate::replay::{Replay, RobotRecord};
use crate::robots::{ReplayRobot, TrustChanged, spawn_robots};
use crate::timeline::ReplaySystems;

/// A body of a link: a child of its [`crate::robots::RobotLink`] entity.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkVisual {
    /// The [`ReplayRobot`] entity.
    pub robot: Entity,
    /// Index in the model's links.
    pub link: usize,
}

/// The two materials of a [`LinkVisual`].
#[derive(Component, Clone, Debug)]
pub struct Coat {
    live: Handle<StandardMaterial>,
    stale: Handle<StandardMaterial>,
}

impl Coat {
    /// What the body wears while it shows the robot's state, or while it does not.
    pub fn material(&self, stale: bool) -> &Handle<StandardMaterial> {
        if stale { &self.stale } else { &self.live }
    }
}

/// Gives bodies to the links of [`crate::robots::RobotsPlugin`] and greys them while what they show is not the robot's state.
pub struct BodyPlugin;

impl Plugin for BodyPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, dress_robots.after(spawn_robots));
        app.add_systems(Update, change_coats.in_set(ReplaySystems::Follow));
    }
}

struct Wardrobe<'a> {
    materials: &'a mut Assets<StandardMaterial>,
    coats: HashMap<[u32; 7], Coat>,
}

impl Wardrobe<'_> {
    fn coat(&mut self, finish: &Finish) -> Coat {
        let materials = &mut *self.materials;
        self.coats.entry(finish.key()).or_insert_with(|| Coat::new(finish, materials)).clone()
    }
}

impl Coat {
    fn new(finish: &Finish, materials: &mut Assets<StandardMaterial>) -> Self {
        let [r, g, b, a] = finish.rgba;
        let grey = 0.35 + 0.25 * (0.3 * r + 0.59 * g + 0.11 * b);
        let alpha_mode = if a < 1.0 { AlphaMode::Blend } else { AlphaMode::Opaque };
        let base_color = Color::srgba(r, g, b, a);
        let live = StandardMaterial {
            base_color,
            emissive: base_color.to_linear() * finish.glow,
            perceptual_roughness: finish.roughness,
            metallic: finish.metallic,
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
        Self { live: materials.add(live), stale: materials.add(stale) }
    }
}

/// The bodies of one kind of robot on the GPU: link, mesh, coat.
type Dress = Vec<(usize, Handle<Mesh>, Coat)>;

fn dress_robots(
    mut commands: Commands<'_, '_>,
    replay: Res<'_, Replay>,
    robots: Query<'_, '_, (Entity, &ReplayRobot)>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<StandardMaterial>>,
) {
    let mut wardrobe = Wardrobe { materials: &mut materials, coats: HashMap::new() };
    // Robots that look alike share their meshes, so that thirty cost little more memory than one.
    let mut dresses: Vec<(&Arc<Looks>, Dress)> = Vec::new();
    for (entity, robot) in &robots {
        let record = &replay.robots[robot.index];
        let looks = &record.looks;
        let known = dresses.iter().position(|(other, _)| Arc::ptr_eq(other, looks));
        let place = known.unwrap_or_else(|| {
            let parts = parts_of(record);
            let dress = parts.into_iter().map(|(link, part)| (link, meshes.add(part.mesh), wardrobe.coat(&part.finish))).collect();
            dresses.push((looks, dress));
            dresses.len() - 1
        });
        for (link, mesh, coat) in &dresses[place].1 {
            let visual = LinkVisual { robot: entity, link: *link };
            let material = MeshMaterial3d(coat.live.clone());
            commands.spawn((Mesh3d(mesh.clone()), material, Transform::default(), visual, coat.clone(), ChildOf(robot.links[*link])));
        }
    }
}

/// The bodies of a robot with their links. Shells are made here, not when the episode is loaded: a robot's state can be
/// asked for before it can be seen.
pub(crate) fn parts_of(record: &RobotRecord) -> Vec<(usize, Part)> {
    let links = record.model.links();
    if shells::has_shells(record.model.name()) {
        let shells = ComputeTaskPool::get_or_init(TaskPool::default).scope(|scope| {
            for link in links {
                scope.spawn(async move { shells::shells(link) });
            }
        });
        return shells.into_iter().enumerate().flat_map(|(link, parts)| parts.into_iter().map(move |part| (link, part))).collect();
    }
    let looks = record.looks.links().iter().enumerate();
    looks.flat_map(|(link, look)| look.parts.iter().map(move |part| (link, part.clone()))).collect()
}

fn change_coats(changed: TrustChanged<'_, '_>, mut bodies: Query<'_, '_, (&LinkVisual, &Coat, &mut MeshMaterial3d<StandardMaterial>)>) {
    for (robot, stale) in &changed {
        for (_, coat, mut material) in bodies.iter_mut().filter(|(visual, ..)| visual.robot == robot) {
            material.0 = coat.material(stale.0).clone();
        }
    }
}
