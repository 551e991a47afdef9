//! What ghosts look like: translucent, in one colour that nothing else about robots has, grey while they are not of their instant.

use std::sync::Arc;

use bevy::light::{NotShadowCaster, NotShadowReceiver};
use bevy::prelude::{
    Alpha as _, AlphaMode, Assets, Changed, ChildOf, Color, Commands, Component, Entity, Handle, Mesh, Mesh3d, MeshMaterial3d, Query, Res,
    ResMut, Resource, StandardMaterial, Transform, Without,
};

use super::ghost::{Ghost, GhostState};
use crate::body::{LinkVisual, parts_of};
use crate::replay::Replay;
use crate::robots::ReplayRobot;

/// Okabe and Ito's blue; cameras are drawn in their orange and purple, gaps in vermilion.
const GHOST_RGB: [u8; 3] = [0, 114, 178];
/// The same for words on a dark ground: their sky blue.
pub(super) const GHOST_INK_RGB: [u8; 3] = [86, 180, 233];
const STALE_RGB: [u8; 3] = [150, 152, 155];
const ALPHA: f32 = 0.5;
/// How much a ghost shines of itself, so that it is not lost in shadow.
const GLOW: f32 = 0.25;
/// Ghosts give way where they lie in the robot's own surface: some millimetres at the distance of a picture.
const DEPTH_BIAS: f32 = -3000.0;

/// The materials of ghosts.
#[derive(Resource)]
pub(super) struct GhostCoats {
    live: Handle<StandardMaterial>,
    stale: Handle<StandardMaterial>,
}

/// A body of a ghost's link.
#[derive(Component)]
pub(super) struct GhostBody(Entity);

fn coat([r, g, b]: [u8; 3]) -> StandardMaterial {
    let colour = Color::srgb_u8(r, g, b);
    StandardMaterial {
        base_color: colour.with_alpha(ALPHA),
        emissive: colour.to_linear() * GLOW,
        perceptual_roughness: 0.9,
        reflectance: 0.1,
        alpha_mode: AlphaMode::Blend,
        depth_bias: DEPTH_BIAS,
        ..Default::default()
    }
}

type Bodies<'w, 's> = Query<'w, 's, (&'static LinkVisual, &'static Mesh3d), Without<GhostBody>>;

/// Gives ghosts bodies: the robot's own meshes where both look alike.
pub(super) fn dress(
    mut commands: Commands<'_, '_>,
    replay: Res<'_, Replay>,
    ghosts: Query<'_, '_, (Entity, &Ghost)>,
    robots: Query<'_, '_, (Entity, &ReplayRobot)>,
    bodies: Bodies<'_, '_>,
    (mut meshes, mut materials): (ResMut<'_, Assets<Mesh>>, ResMut<'_, Assets<StandardMaterial>>),
) {
    let Some(comparison) = &replay.comparison else { return };
    let coats = GhostCoats { live: materials.add(coat(GHOST_RGB)), stale: materials.add(coat(STALE_RGB)) };
    for (entity, ghost) in &ghosts {
        let pair = &comparison.pairs[ghost.pair];
        let robot = robots.iter().find(|(_, robot)| robot.index == pair.robot).map(|(entity, _)| entity);
        let shapes: Vec<(usize, Handle<Mesh>)> = if Arc::ptr_eq(&pair.ghost.looks, &replay.robots[pair.robot].looks) {
            let own = bodies.iter().filter(|(visual, _)| Some(visual.robot) == robot);
            own.map(|(visual, mesh)| (visual.link, mesh.0.clone())).collect()
        } else {
            parts_of(&pair.ghost).into_iter().map(|(link, part)| (link, meshes.add(part.mesh))).collect()
        };
        for (link, mesh) in shapes {
            let Some(parent) = ghost.links.get(link) else { continue };
            let material = MeshMaterial3d(coats.live.clone());
            let body = (Mesh3d(mesh), material, Transform::default(), GhostBody(entity), ChildOf(*parent));
            commands.spawn((body, NotShadowCaster, NotShadowReceiver));
        }
    }
    commands.insert_resource(coats);
}

/// Greys ghosts that do not show their instant.
pub(super) fn change_coats(
    coats: Option<Res<'_, GhostCoats>>,
    changed: Query<'_, '_, (Entity, &GhostState), Changed<GhostState>>,
    mut bodies: Query<'_, '_, (&GhostBody, &mut MeshMaterial3d<StandardMaterial>)>,
) {
    let Some(coats) = coats else { return };
    for (ghost, state) in &changed {
        let coat = if *state == GhostState::Stale { &coats.stale } else { &coats.live };
        for (_, mut material) in bodies.iter_mut().filter(|(body, _)| body.0 == ghost) {
            material.0 = coat.clone();
        }
    }
}
