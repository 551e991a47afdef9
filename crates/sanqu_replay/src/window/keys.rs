use bevy::app::{App, Plugin, Update};
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{Camera, IntoScheduleConfigs, Query, Res, ResMut, With};

use crate::camera::{Orbit, OrbitMut, Preset, ReplayCamera};
use crate::replay::Replay;
use crate::timeline::{Playhead, ReplaySystems};

/// How far the arrow keys go, s; with shift.
const STEP_SECS: f64 = 1.0;
const SMALL_STEP_SECS: f64 = 0.1;
const SPEED_FACTOR: f64 = 2.0;

const PRESET_KEYS: [(KeyCode, Preset); 5] = [
    (KeyCode::Digit1, Preset::Overview),
    (KeyCode::Digit2, Preset::Robot(0)),
    (KeyCode::Digit3, Preset::Robot(1)),
    (KeyCode::Digit4, Preset::Front),
    (KeyCode::Digit5, Preset::Top),
];

/// The keyboard: play, seek, speed, camera presets.
pub struct KeysPlugin;

impl Plugin for KeysPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Update, (move_playhead, choose_preset).in_set(ReplaySystems::Input));
    }
}

fn move_playhead(keys: Res<'_, ButtonInput<KeyCode>>, mut playhead: ResMut<'_, Playhead>) {
    let shift = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
    let step = if shift { SMALL_STEP_SECS } else { STEP_SECS };
    for key in keys.get_just_pressed() {
        match key {
            KeyCode::Space => playhead.toggle(),
            KeyCode::ArrowLeft => playhead.step_secs(-step),
            KeyCode::ArrowRight => playhead.step_secs(step),
            KeyCode::Equal | KeyCode::NumpadAdd => playhead.scale_speed(SPEED_FACTOR),
            KeyCode::Minus | KeyCode::NumpadSubtract => playhead.scale_speed(1.0 / SPEED_FACTOR),
            KeyCode::Home => playhead.seek_secs(0.0),
            KeyCode::End => playhead.seek_secs(f64::INFINITY),
            _ => {}
        }
    }
}

fn choose_preset(
    keys: Res<'_, ButtonInput<KeyCode>>,
    replay: Res<'_, Replay>,
    cameras: Query<'_, '_, &Camera, With<ReplayCamera>>,
    orbit: OrbitMut<'_>,
) {
    let Some(mut orbit) = orbit else { return };
    let chosen = PRESET_KEYS.iter().find(|(key, _)| keys.just_pressed(*key));
    let size = cameras.iter().find_map(Camera::logical_viewport_size);
    if let (Some((_, preset)), Some(size)) = (chosen, size) {
        *orbit = Orbit::preset(*preset, &replay, size.x / size.y);
    }
}
