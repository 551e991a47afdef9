//! Ghosts on the stage: one entity a link, moved to forward kinematics of the aligned row.

use bevy::prelude::{
    Commands, Component, DetectChanges, DetectChangesMut, Entity, Name, Query, Ref, Res, Transform, Visibility, With, Without, warn_once,
};

use super::CompareView;
use crate::frame::bevy_from_world;
use crate::replay::{Posture, Replay};
use crate::robots::ReplayRobot;
use crate::timeline::Playhead;
use crate::track::Held;
use crate::xray::Xray;

/// A ghost of the replay's [`super::Comparison`].
#[derive(Component, Debug)]
pub struct Ghost {
    /// Index in [`super::Comparison::pairs`].
    pub pair: usize,
    /// The entity of each link, in the order of the ghost's model.
    pub links: Vec<Entity>,
    /// The posture shown.
    pub posture: Posture,
    /// What its recording says about the instant shown; none before the first frame.
    pub held: Option<Held>,
}

/// What a ghost shows.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GhostState {
    /// Nothing: it has no row yet, or is not wanted.
    #[default]
    Hidden,
    /// Its last row, which does not tell of the instant shown.
    Stale,
    /// The instant shown.
    Live,
}

/// A link of a ghost. Its `Transform` is the link's world pose; it has no parent.
#[derive(Component, Clone, Copy, Debug)]
pub struct GhostLink {
    /// The [`Ghost`] entity.
    pub ghost: Entity,
    /// Index in the links of the ghost's model.
    pub link: usize,
}

/// Spawns a ghost for each pair.
pub(super) fn spawn(mut commands: Commands<'_, '_>, replay: Res<'_, Replay>) {
    for (index, pair) in replay.comparison.iter().flat_map(|comparison| comparison.pairs.iter().enumerate()) {
        let record = &pair.ghost;
        let ghost = commands.spawn((Name::new(format!("ghost of {}", record.robot)), GhostState::default())).id();
        let links = record.model.links().iter().enumerate().map(|(link, description)| {
            let name = Name::new(format!("ghost of {}/{}", record.robot, description.name));
            commands.spawn((name, GhostLink { ghost, link }, Transform::default(), Visibility::Hidden)).id()
        });
        let links = links.collect();
        commands.entity(ghost).insert(Ghost { pair: index, links, posture: Posture::default(), held: None });
    }
}

type Links<'w, 's> = Query<'w, 's, (&'static mut Transform, &'static mut Visibility), (With<GhostLink>, Without<Ghost>)>;

/// Moves ghosts to the playhead.
pub(super) fn apply(
    (playhead, replay, view): (Res<'_, Playhead>, Res<'_, Replay>, Res<'_, CompareView>),
    xray: Option<Res<'_, Xray>>,
    robots: Query<'_, '_, Ref<'_, ReplayRobot>>,
    mut ghosts: Query<'_, '_, (&mut Ghost, &mut GhostState)>,
    mut links: Links<'_, '_>,
) {
    let Some(comparison) = &replay.comparison else { return };
    // Who looks into a drive does not want to look through a ghost.
    let wanted = view.ghosts && xray.is_none_or(|xray| xray.joint.is_none());
    for (mut ghost, mut state) in &mut ghosts {
        let ghost = &mut *ghost;
        let pair = &comparison.pairs[ghost.pair];
        let Some(robot) = robots.iter().find(|robot| robot.index == pair.robot) else { continue };
        let Some(robot_held) = robot.held else { continue };
        let moved = playhead.is_changed() || view.is_changed() || robot.is_changed() || ghost.held.is_none();
        if moved {
            let t_ns = playhead.t_ns.saturating_sub(view.nudge_ns);
            match pair.ghost_at((&robot.posture, &robot_held), t_ns, playhead.blend, &mut ghost.posture) {
                Ok(held) => ghost.held = Some(held),
                Err(error) => {
                    // Loading has checked that positions fit the model.
                    warn_once!("ghost of {}: {error}", pair.ghost.robot);
                    continue;
                }
            }
        }
        let next = match ghost.held {
            Some(held) if wanted && held.row.is_some() => {
                if held.is_stale() {
                    GhostState::Stale
                } else {
                    GhostState::Live
                }
            }
            _ => GhostState::Hidden,
        };
        state.set_if_neq(next);
        let shown = if next == GhostState::Hidden { Visibility::Hidden } else { Visibility::Inherited };
        for (pose, entity) in ghost.posture.links.iter().zip(&ghost.links) {
            if let Ok((mut transform, mut visibility)) = links.get_mut(*entity) {
                if moved {
                    *transform = bevy_from_world(pose);
                }
                visibility.set_if_neq(shown);
            }
        }
    }
}
