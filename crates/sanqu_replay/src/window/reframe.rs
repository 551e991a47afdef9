//! Live, lanes and cameras come one by one: the view makes room for their panels.

use bevy::math::Vec2;
use bevy::prelude::{Camera, Query, Res, ResMut, Resource, With};

use crate::camera::{CameraStart, Inset, Orbit, OrbitMut, ReplayCamera};
use crate::replay::Replay;
use crate::view::View;

/// The view that the window began with, and what panels covered when it was last framed.
#[derive(Resource, Clone, Copy, Debug)]
pub(super) struct LiveFrame {
    view: View,
    framed: Option<(Inset, Orbit)>,
}

impl LiveFrame {
    pub(super) fn new(view: View) -> Self {
        Self { view, framed: None }
    }
}

/// Frames again when panels have come, unless somebody has turned the view meanwhile.
pub(super) fn reframe(
    (replay, cameras): (Res<'_, Replay>, Query<'_, '_, &Camera, With<ReplayCamera>>),
    (mut frame, mut start): (ResMut<'_, LiveFrame>, ResMut<'_, CameraStart>),
    orbit: OrbitMut<'_>,
) {
    let size = cameras.iter().find_map(Camera::logical_viewport_size);
    let (Some(mut orbit), Some(size)) = (orbit, size) else { return };
    let inset = frame.view.inset(&replay, size.as_uvec2());
    let known = *frame.framed.get_or_insert((start.inset, *orbit));
    if known.0 == inset || size == Vec2::ZERO {
        return;
    }
    start.inset = inset;
    if *orbit == known.1 {
        *orbit = Orbit::preset_beside(frame.view.preset, &replay, size.x / size.y, inset);
    }
    frame.framed = Some((inset, *orbit));
}
