use bevy::app::{App, Plugin, Update};
use bevy::input::ButtonInput;
use bevy::input::mouse::MouseButton;
use bevy::prelude::{IntoScheduleConfigs, Query, Res, ResMut, Resource, With};
use bevy::window::{PrimaryWindow, Window};

use super::BarLayout;
use crate::timeline::{Playhead, ReplaySystems};

/// Whether the mouse button that is down belongs to the bar, so that it must not turn the view or pick anything.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointerTaken(pub bool);

/// The mouse on the bar: press and drag moves the playhead.
pub struct ScrubPlugin;

impl Plugin for ScrubPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<PointerTaken>();
        app.add_systems(Update, scrub.in_set(ReplaySystems::Input));
    }
}

/// Runs before everything else that hears the mouse.
pub(crate) fn scrub(
    buttons: Res<'_, ButtonInput<MouseButton>>,
    windows: Query<'_, '_, &Window, With<PrimaryWindow>>,
    layout: Res<'_, BarLayout>,
    mut taken: ResMut<'_, PointerTaken>,
    mut playhead: ResMut<'_, Playhead>,
) {
    let point = windows.single().ok().and_then(Window::cursor_position).map(|point| point / layout.scale.max(f32::EPSILON));
    if buttons.just_pressed(MouseButton::Left) {
        taken.0 = point.is_some_and(|point| layout.holds(point));
    }
    if !buttons.pressed(MouseButton::Left) {
        taken.0 = false;
    }
    if let Some(point) = point.filter(|_| taken.0) {
        let t_ns = layout.t_at(point.x, &playhead);
        if t_ns != playhead.t_ns {
            playhead.seek_ns(t_ns);
        }
    }
}
