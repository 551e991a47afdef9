use bevy::app::{App, Plugin, Update};
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{IntoScheduleConfigs, Res, ResMut};

use super::CompareView;
use crate::bar::Focus;
use crate::replay::Replay;
use crate::timeline::ReplaySystems;

/// How far a key moves the ghosts in time, ns; with shift.
const NUDGE_NS: i64 = 10_000_000;
const SMALL_NUDGE_NS: i64 = 1_000_000;

/// The keys of a comparison: `K` shows and hides ghosts, `J` chooses the joint of the curve, `Alt` or `Ctrl` with arrows
/// moves the ghosts in time.
pub struct CompareKeysPlugin;

impl Plugin for CompareKeysPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<CompareView>().init_resource::<Focus>();
        app.add_systems(Update, keys.in_set(ReplaySystems::Input));
    }
}

/// Takes over the nudge that the replay was opened with.
pub(super) fn begin(replay: Res<'_, Replay>, mut view: ResMut<'_, CompareView>) {
    if let Some(comparison) = &replay.comparison {
        view.nudge_ns = comparison.nudge_ns;
    }
}

/// Whether arrows are meant for the ghosts.
pub(crate) fn nudges(keys: &ButtonInput<KeyCode>) -> bool {
    keys.any_pressed([KeyCode::AltLeft, KeyCode::AltRight, KeyCode::ControlLeft, KeyCode::ControlRight])
}

fn keys(keys: Res<'_, ButtonInput<KeyCode>>, (replay, focus): (Res<'_, Replay>, Res<'_, Focus>), mut view: ResMut<'_, CompareView>) {
    let Some(comparison) = &replay.comparison else { return };
    let shift = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
    let mut next = *view;
    if keys.just_pressed(KeyCode::KeyK) {
        next.ghosts = !next.ghosts;
    }
    if keys.just_pressed(KeyCode::KeyJ) {
        let count = comparison.pair_of(focus.0).map_or(1, |pair| comparison.pairs[pair].joints.len()).max(1);
        next.place = (next.place.min(count - 1) + if shift { count - 1 } else { 1 }) % count;
    }
    if nudges(&keys) {
        let step = if shift { SMALL_NUDGE_NS } else { NUDGE_NS };
        for key in keys.get_just_pressed() {
            match key {
                KeyCode::ArrowLeft => next.nudge_ns = next.nudge_ns.saturating_sub(step),
                KeyCode::ArrowRight => next.nudge_ns = next.nudge_ns.saturating_add(step),
                KeyCode::ArrowDown => next.nudge_ns = comparison.nudge_ns,
                _ => {}
            }
        }
    }
    if next != *view {
        *view = next;
    }
}
