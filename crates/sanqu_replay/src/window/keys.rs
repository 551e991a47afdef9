use bevy::app::{App, Plugin, Update};
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{Camera, IntoScheduleConfigs, Query, Res, ResMut, Resource, With};

use crate::bar::Focus;
use crate::camera::{CameraStart, Orbit, OrbitMut, Preset, ReplayCamera};
use crate::compare::nudges;
use crate::lane::step;
use crate::mark::jump;
use crate::replay::Replay;
use crate::timeline::{Playhead, ReplaySystems};
use crate::track::Blend;

/// How far the arrow keys go, s; with shift.
const STEP_SECS: f64 = 1.0;
const SMALL_STEP_SECS: f64 = 0.1;

/// Which streams the keys `,` and `.` step through; any stream of any robot when none is chosen.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepLane(pub Option<usize>);

const PRESET_KEYS: [(KeyCode, Preset); 5] = [
    (KeyCode::Digit1, Preset::Overview),
    (KeyCode::Digit2, Preset::Robot(0)),
    (KeyCode::Digit3, Preset::Robot(1)),
    (KeyCode::Digit4, Preset::Front),
    (KeyCode::Digit5, Preset::Top),
];

/// The keyboard: play, seek, step, repeat, jump, speed, camera presets.
pub struct KeysPlugin;

impl Plugin for KeysPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<StepLane>().init_resource::<Focus>();
        app.add_systems(Update, (move_playhead, step_and_jump, choose_preset).chain().in_set(ReplaySystems::Input));
    }
}

fn move_playhead(keys: Res<'_, ButtonInput<KeyCode>>, mut playhead: ResMut<'_, Playhead>) {
    if nudges(&keys) {
        return;
    }
    let shift = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
    let step = if shift { SMALL_STEP_SECS } else { STEP_SECS };
    for key in keys.get_just_pressed() {
        match key {
            KeyCode::Space => playhead.toggle(),
            KeyCode::ArrowLeft => playhead.step_secs(-step),
            KeyCode::ArrowRight => playhead.step_secs(step),
            KeyCode::Equal | KeyCode::NumpadAdd => playhead.faster(),
            KeyCode::Minus | KeyCode::NumpadSubtract => playhead.slower(),
            KeyCode::Home => playhead.seek_secs(0.0),
            KeyCode::End => playhead.seek_secs(f64::INFINITY),
            KeyCode::KeyA => playhead.repeat_from_here(),
            KeyCode::KeyB => playhead.repeat_to_here(),
            KeyCode::KeyL => playhead.toggle_repeat(),
            KeyCode::KeyI => {
                playhead.blend = if playhead.blend == Blend::Hold { Blend::Interpolate } else { Blend::Hold };
            }
            _ => {}
        }
    }
}

/// By rows of streams, and by marks and gaps. A step pauses: who steps wants to look.
fn step_and_jump(
    keys: Res<'_, ButtonInput<KeyCode>>,
    replay: Res<'_, Replay>,
    mut playhead: ResMut<'_, Playhead>,
    mut chosen: ResMut<'_, StepLane>,
    mut focus: ResMut<'_, Focus>,
) {
    for key in keys.get_just_pressed() {
        let to_ns = match key {
            KeyCode::Comma | KeyCode::Period => {
                let lanes = replay.lanes.iter().enumerate().filter(|(index, _)| chosen.0.is_none_or(|chosen| chosen == *index));
                step(lanes.map(|(_, lane)| lane), playhead.t_ns, *key == KeyCode::Period)
            }
            KeyCode::BracketLeft | KeyCode::BracketRight => {
                let gaps = replay.lanes.iter().flat_map(|lane| &lane.gaps).map(|gap| gap.from_ns);
                let there = replay.marks.iter().map(|mark| mark.t_ns).chain(gaps);
                let there = there.filter(|t_ns| (playhead.start_ns..=playhead.end_ns).contains(t_ns));
                jump(there, playhead.t_ns, *key == KeyCode::BracketRight)
            }
            KeyCode::KeyS => {
                chosen.0 = next_lane(chosen.0, replay.lanes.len());
                None
            }
            KeyCode::KeyR => {
                focus.0 = (focus.0 + 1) % replay.robots.len().max(1);
                None
            }
            _ => continue,
        };
        if let Some(t_ns) = to_ns {
            playhead.playing = false;
            playhead.seek_ns(t_ns);
        }
    }
}

/// Any stream, the first, the second, …, any stream again.
fn next_lane(chosen: Option<usize>, lanes: usize) -> Option<usize> {
    let next = chosen.map_or(0, |lane| lane + 1);
    (next < lanes).then_some(next)
}

fn choose_preset(
    keys: Res<'_, ButtonInput<KeyCode>>,
    replay: Res<'_, Replay>,
    cameras: Query<'_, '_, &Camera, With<ReplayCamera>>,
    start: Option<Res<'_, CameraStart>>,
    orbit: OrbitMut<'_>,
) {
    let Some(mut orbit) = orbit else { return };
    let inset = start.map(|start| start.inset).unwrap_or_default();
    let chosen = PRESET_KEYS.iter().find(|(key, _)| keys.just_pressed(*key));
    let size = cameras.iter().find_map(Camera::logical_viewport_size);
    if let (Some((_, preset)), Some(size)) = (chosen, size) {
        *orbit = Orbit::preset_beside(*preset, &replay, size.x / size.y, inset);
    }
}
