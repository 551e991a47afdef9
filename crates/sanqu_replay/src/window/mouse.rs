use bevy::app::{App, Plugin, Update};
use bevy::input::ButtonInput;
use bevy::input::mouse::{AccumulatedMouseMotion, AccumulatedMouseScroll, MouseButton, MouseScrollUnit};
use bevy::math::Vec3;
use bevy::prelude::{IntoScheduleConfigs, Res};

use crate::bar::PointerTaken;
use crate::camera::{Orbit, OrbitMut};
use crate::timeline::ReplaySystems;

const TURN_RAD_PER_PX: f32 = 0.006;
const PAN_PER_PX: f32 = 0.0012;
const ZOOM_PER_LINE: f32 = 0.12;
const PIXELS_PER_LINE: f32 = 40.0;
const DISTANCE_RANGE_M: (f32, f32) = (0.08, 150.0);
const ELEVATION_MIN_RAD: f32 = -0.05;

/// The mouse: drag turns, drag with the right button moves, the wheel goes near and far.
pub struct MousePlugin;

impl Plugin for MousePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<PointerTaken>();
        app.add_systems(Update, steer.after(crate::bar::scrub).in_set(ReplaySystems::Input));
    }
}

fn steer(
    buttons: Res<'_, ButtonInput<MouseButton>>,
    motion: Res<'_, AccumulatedMouseMotion>,
    scroll: Res<'_, AccumulatedMouseScroll>,
    taken: Res<'_, PointerTaken>,
    orbit: OrbitMut<'_>,
) {
    let Some(mut orbit) = orbit else { return };
    let mut next = *orbit;
    if buttons.pressed(MouseButton::Left) && !taken.0 {
        next.azimuth_rad -= motion.delta.x * TURN_RAD_PER_PX;
        next.elevation_rad = (next.elevation_rad + motion.delta.y * TURN_RAD_PER_PX).clamp(ELEVATION_MIN_RAD, Orbit::ELEVATION_MAX_RAD);
    }
    if buttons.any_pressed([MouseButton::Right, MouseButton::Middle]) {
        let view = next.transform();
        let across: Vec3 = view.right() * -motion.delta.x + view.up() * motion.delta.y;
        next.target += across * PAN_PER_PX * next.distance_m;
    }
    let lines = match scroll.unit {
        MouseScrollUnit::Line => scroll.delta.y,
        MouseScrollUnit::Pixel => scroll.delta.y / PIXELS_PER_LINE,
    };
    next.distance_m = (next.distance_m * (-lines * ZOOM_PER_LINE).exp()).clamp(DISTANCE_RANGE_M.0, DISTANCE_RANGE_M.1);
    if next != *orbit {
        *orbit = next;
    }
}
