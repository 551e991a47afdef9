//! Robots on the stage: one entity a link, moved to the forward kinematics of the recorded row.

use bevy::app::{App, Plugin, Startup, Update};
use bevy::log::error;
use bevy::prelude::{
    Changed, Commands, Component, DetectChanges, Entity, IntoScheduleConfigs, Name, Query, Res, Transform, Visibility, With, Without,
    warn_once,
};

use crate::frame::bevy_from_world;
use crate::replay::{Posture, Replay};
use crate::timeline::{Playhead, ReplaySystems};
use crate::track::Held;

/// A robot of the [`Replay`].
#[derive(Component, Debug)]
pub struct ReplayRobot {
    /// Index in [`Replay::robots`].
    pub index: usize,
    /// The entity of each link, in the order of the model's links.
    pub links: Vec<Entity>,
    /// The posture shown.
    pub posture: Posture,
    /// What the recording says about the instant shown; none before the first frame.
    pub held: Option<Held>,
}

/// Whether a robot's posture is not its state at the instant shown (a gap, an old sample, none yet).
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stale(pub bool);

/// A link of a robot. Its `Transform` is the link's world pose; it has no parent.
#[derive(Component, Clone, Copy, Debug)]
pub struct RobotLink {
    /// The [`ReplayRobot`] entity.
    pub robot: Entity,
    /// Index in the model's links.
    pub link: usize,
}

/// Spawns the robots of the [`Replay`] and moves them with the [`Playhead`].
pub struct RobotsPlugin;

impl Plugin for RobotsPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, spawn_robots);
        app.add_systems(Update, apply_posture.in_set(ReplaySystems::Apply));
    }
}

/// The startup system of [`RobotsPlugin`]; whatever dresses links runs after it.
pub fn spawn_robots(mut commands: Commands<'_, '_>, replay: Res<'_, Replay>) {
    for (index, record) in replay.robots.iter().enumerate() {
        let robot = commands.spawn((Name::new(record.robot.to_string()), Stale::default())).id();
        let links = record.model.links().iter().enumerate().map(|(link, description)| {
            let name = Name::new(format!("{}/{}", record.robot, description.name));
            commands.spawn((name, RobotLink { robot, link }, Transform::default(), Visibility::default())).id()
        });
        let links = links.collect();
        commands.entity(robot).insert(ReplayRobot { index, links, posture: Posture::default(), held: None });
    }
}

type Links<'w, 's> = Query<'w, 's, &'static mut Transform, (With<RobotLink>, Without<ReplayRobot>)>;

fn apply_posture(
    playhead: Res<'_, Playhead>,
    replay: Res<'_, Replay>,
    mut robots: Query<'_, '_, (&mut ReplayRobot, &mut Stale)>,
    mut links: Links<'_, '_>,
) {
    if playhead.is_changed() {
        replay.read_for(playhead.t_ns, playhead.blend);
    }
    for (mut robot, mut stale) in &mut robots {
        if !playhead.is_changed() && robot.held.is_some() {
            continue;
        }
        let robot = &mut *robot;
        let held = match replay.robots[robot.index].posture_between(playhead.t_ns, playhead.blend, &mut robot.posture) {
            Ok(held) => held,
            Err(error) => {
                // The loader has checked that positions fit the model, so this cannot repeat for a good description.
                warn_once!("{}: {error}", replay.robots[robot.index].robot);
                continue;
            }
        };
        let told = robot.held.replace(held).is_some_and(|before| before.unreadable);
        if let Some(reason) = replay.robots[robot.index].problem().filter(|_| !told && held.unreadable) {
            error!("{}: {reason}", replay.robots[robot.index].robot);
        }
        if stale.0 != held.is_stale() {
            stale.0 = held.is_stale();
        }
        for (pose, entity) in robot.posture.links.iter().zip(&robot.links) {
            if let Ok(mut transform) = links.get_mut(*entity) {
                *transform = bevy_from_world(pose);
            }
        }
    }
}

/// Robots whose trust has changed in this frame.
pub type TrustChanged<'w, 's> = Query<'w, 's, (Entity, &'static Stale), Changed<Stale>>;
