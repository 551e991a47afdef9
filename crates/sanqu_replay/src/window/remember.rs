//! Puts the window where it was and keeps what the user set.

use std::time::Duration;

use bevy::app::{App, AppExit, Last, Plugin, Update};
use bevy::log::warn;
use bevy::math::{IRect, IVec2};
use bevy::prelude::{Changed, IntoScheduleConfigs as _, Local, MessageReader, Query, Real, Res, ResMut, Resource, Time, With};
use bevy::window::{Monitor, PrimaryWindow, Window, WindowPosition};

use crate::settings::{SettingsFile, WindowPlace};
use crate::timeline::Playhead;
use crate::track::Blend;

/// How long nothing may have changed before the settings are written.
const REST: Duration = Duration::from_secs(2);

/// Remembers window and settings in the [`SettingsFile`]; writes it when nothing has changed for a while, and at the end.
pub struct RememberPlugin;

impl Plugin for RememberPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Restored>();
        app.add_systems(Update, restore);
        // Behind everything that the last frame may change.
        app.add_systems(Last, (note_playhead, note_window, save).chain());
    }
}

/// Whether the window has been put where it was.
#[derive(Resource, Default)]
struct Restored(bool);

/// As soon as the monitors are known: a corner that is on none of them would put the window where nobody sees it.
fn restore(
    file: Res<'_, SettingsFile>,
    monitors: Query<'_, '_, &Monitor>,
    mut windows: Query<'_, '_, &mut Window, With<PrimaryWindow>>,
    mut restored: ResMut<'_, Restored>,
) {
    if restored.0 || monitors.is_empty() {
        return;
    }
    restored.0 = true;
    let Some((x, y)) = file.settings.window.and_then(|place| place.corner) else { return };
    let corner = IVec2::new(x, y);
    if monitors.iter().any(|monitor| area(monitor).contains(corner)) {
        windows.iter_mut().for_each(|mut window| window.position = WindowPosition::At(corner));
    }
}

fn area(monitor: &Monitor) -> IRect {
    let size = monitor.physical_size().as_ivec2();
    IRect::from_corners(monitor.physical_position, monitor.physical_position + size)
}

type Moved<'w, 's> = Query<'w, 's, &'static Window, (With<PrimaryWindow>, Changed<Window>)>;

fn note_window(windows: Moved<'_, '_>, restored: Res<'_, Restored>, mut file: ResMut<'_, SettingsFile>) {
    let Some(window) = windows.iter().next().filter(|_| restored.0) else { return };
    let corner = match window.position {
        WindowPosition::At(corner) => Some((corner.x, corner.y)),
        _ => file.settings.window.and_then(|place| place.corner),
    };
    let place = WindowPlace { width: window.physical_width(), height: window.physical_height(), corner };
    if place.is_sensible() && file.settings.window != Some(place) {
        file.settings.window = Some(place);
    }
}

fn note_playhead(playhead: Option<Res<'_, Playhead>>, mut file: ResMut<'_, SettingsFile>) {
    let Some(playhead) = playhead else { return };
    let interpolate = playhead.blend == Blend::Interpolate;
    if file.settings.interpolate != interpolate {
        file.settings.interpolate = interpolate;
    }
}

fn save(
    mut exits: MessageReader<'_, '_, AppExit>,
    time: Res<'_, Time<Real>>,
    mut file: ResMut<'_, SettingsFile>,
    mut rested: Local<'_, Duration>,
) {
    use bevy::ecs::change_detection::DetectChanges as _;
    *rested = if file.is_changed() { Duration::ZERO } else { rested.saturating_add(time.delta()) };
    let ended = exits.read().count() > 0;
    if !file.is_unsaved() || !(ended || *rested >= REST) {
        return;
    }
    // Once: a folder that cannot be written to would be complained about in every frame.
    if let Err(error) = file.save() {
        warn!("settings are not remembered: {error}");
        file.forget();
    }
}
