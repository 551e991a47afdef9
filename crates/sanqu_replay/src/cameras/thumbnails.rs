//! Small pictures of the first camera of the robot in focus along the timeline.

use bevy::asset::Assets;
use bevy::ecs::system::SystemParam;
use bevy::image::Image;
use bevy::prelude::{Commands, Component, DetectChanges, GlobalZIndex, ImageNode, Node, PositionType, Query, Res, ResMut, Val, Visibility};

use super::{CameraRecord, Library, WaitForFrames};
use crate::bar::{BarLayout, Focus, Layer, Panels, stretched};
use crate::replay::Replay;
use crate::timeline::Playhead;

/// Height of the row of small pictures, in the user interface's pixels.
pub const THUMBNAIL_PX: f32 = 38.0;
/// Most of them.
const COUNT_MAX: usize = 24;
/// Free space between two, pixels.
const SPACE_PX: f32 = 2.0;

/// One small picture, and the place (camera, row) that it shows.
#[derive(Component)]
pub(super) struct Thumbnail {
    index: usize,
    shown: Option<(usize, usize)>,
    done: bool,
}

pub(super) fn build(mut commands: Commands<'_, '_>, panels: Res<'_, Panels>) {
    for index in (0..COUNT_MAX).filter(|_| panels.0) {
        let node = Node { position_type: PositionType::Absolute, ..Default::default() };
        commands.spawn((
            Thumbnail { index, shown: None, done: false },
            node,
            GlobalZIndex(Layer::PICTURE),
            stretched(),
            Visibility::Hidden,
        ));
    }
}

#[derive(SystemParam)]
pub(super) struct Given<'w> {
    replay: Res<'w, Replay>,
    playhead: Res<'w, Playhead>,
    focus: Res<'w, Focus>,
    layout: Res<'w, BarLayout>,
    library: Option<Res<'w, Library>>,
    wait: Res<'w, WaitForFrames>,
}

/// Places the small pictures when the bar has changed, and fills them as they are decoded.
pub(super) fn show(
    given: Given<'_>,
    mut images: ResMut<'_, Assets<Image>>,
    mut thumbnails: Query<'_, '_, (&mut Thumbnail, &mut Node, &mut ImageNode, &mut Visibility)>,
) {
    let first = given.replay.cameras.iter().enumerate().find(|(_, camera)| camera.robot == given.focus.0);
    let (Some(library), Some((camera, record))) = (&given.library, first) else { return };
    let (count, width) = fit(&given.layout, record);
    let anew = given.layout.is_changed() || given.focus.is_changed();
    for (mut thumbnail, mut node, mut picture, mut visibility) in &mut thumbnails {
        if anew {
            let row = row_of(&given, record, thumbnail.index, width).filter(|_| thumbnail.index < count);
            thumbnail.shown = row.map(|row| (camera, row));
            thumbnail.done = row.is_none();
            *visibility = Visibility::Hidden;
            let place = given.layout.thumbnails();
            (node.left, node.top) = (Val::Px(left(&given.layout, thumbnail.index, width)), Val::Px(place.min.y));
            (node.width, node.height) = (Val::Px(width), Val::Px(place.height()));
        }
        let Some((camera, row)) = thumbnail.shown.filter(|_| !thumbnail.done) else { continue };
        let shot = if given.wait.0 { library.wait(camera, row) } else { library.ask_later(camera, row) };
        let Some(shot) = shot else { continue };
        thumbnail.done = true;
        if let Ok(whole) = shot.as_ref() {
            let scale = given.layout.scale;
            picture.image = images.add(whole.shrunk(pixels(width * scale), pixels(given.layout.thumbnails_px * scale)).image());
            *visibility = Visibility::Inherited;
        }
    }
}

/// How many there are, and how wide each is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful")]
fn fit(layout: &BarLayout, record: &CameraRecord) -> (usize, f32) {
    let width = layout.thumbnails_px * record.aspect;
    let fitting = if width > 0.0 { (layout.thumbnails().width() / (width + SPACE_PX)) as usize } else { 0 };
    (fitting.min(COUNT_MAX), width)
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn left(layout: &BarLayout, index: usize, width: f32) -> f32 {
    let (count, place) = ((layout.thumbnails().width() / (width + SPACE_PX)).floor().clamp(1.0, COUNT_MAX as f32), layout.thumbnails());
    place.min.x + place.width() / count * index as f32
}

/// The frame at the instant under a small picture's left edge.
fn row_of(given: &Given<'_>, record: &CameraRecord, index: usize, width: f32) -> Option<usize> {
    let t_ns = given.layout.t_at(left(&given.layout, index, width), &given.playhead);
    let lane = given.replay.lanes.get(record.lane)?;
    lane.instants.row_at(t_ns).filter(|_| !lane.in_gap(t_ns))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer saturates; a few pixels")]
fn pixels(px: f32) -> u32 {
    (px.round() as u32).max(1)
}
