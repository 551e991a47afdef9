use bevy::asset::{Assets, RenderAssetUsages};
use bevy::ecs::system::SystemParam;
use bevy::image::{Image, ImageSampler};
use bevy::math::UVec2;
use bevy::prelude::{
    BackgroundColor, Camera, Color, Commands, Component, DetectChanges, DetectChangesMut, GlobalZIndex, ImageNode, Justify, Local, Node,
    PositionType, Query, Res, ResMut, Text, TextColor, TextFont, TextLayout, UiScale, Val, Visibility, With,
};
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};
use bevy::text::{FontSize, LineBreak, LineHeight};
use bevy::ui::widget::NodeImageMode;

use super::paint::{PaintSize, paint};
use super::{BarLayout, BarRow, Focus, Layer, Panels, bar_rows};
use crate::camera::ReplayCamera;
use crate::cameras::{CameraRecord, FrameSource, THUMBNAIL_PX};
use crate::lang::Lang;
use crate::live::Follow;
use crate::replay::Replay;
use crate::scene::ReplayFont;
use crate::timeline::{Playhead, seconds};

const LABEL_FONT_PX: f32 = 9.0;
const RULER_FONT_PX: f32 = 10.0;
const CURSOR_PX: f32 = 2.0;
/// Numbers on the ruler.
const TICKS: u8 = 5;
const GROUND: Color = Color::srgba(0.06, 0.08, 0.10, 0.95);
const INK: Color = Color::srgb(0.90, 0.92, 0.94);

/// What a node of the bar is for.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Ground,
    Lanes,
    Labels,
    Span,
    Cursor,
    Tick(u8),
}

/// A picture that fills its node, whatever their aspects.
pub(crate) fn stretched() -> ImageNode {
    ImageNode { image_mode: NodeImageMode::Stretch, ..Default::default() }
}

/// Spawns the parts in the order in which they cover each other.
pub(super) fn build(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>, panels: Res<'_, Panels>) {
    if !panels.0 {
        return;
    }
    let node = || Node { position_type: PositionType::Absolute, ..Default::default() };
    let text = |size_px: f32| {
        let font = TextFont { font: font.0.clone().into(), font_size: FontSize::Px(size_px), ..Default::default() };
        let layout = TextLayout { justify: Justify::Left, linebreak: LineBreak::NoWrap };
        (Text::default(), font, TextColor(INK), layout)
    };
    commands.spawn((Part::Ground, node(), GlobalZIndex(Layer::GROUND), BackgroundColor(GROUND)));
    commands.spawn((Part::Lanes, node(), GlobalZIndex(Layer::PICTURE), stretched()));
    let lines = LineHeight::Px(BarLayout::default().lane_px());
    commands.spawn((Part::Labels, node(), GlobalZIndex(Layer::TEXT), text(LABEL_FONT_PX), lines));
    (0..TICKS).for_each(|tick| {
        commands.spawn((Part::Tick(tick), node(), GlobalZIndex(Layer::TEXT), text(RULER_FONT_PX)));
    });
    let span = BackgroundColor(Color::srgba(1.0, 1.0, 1.0, 0.22));
    commands.spawn((Part::Span, node(), GlobalZIndex(Layer::CURSOR), span, Visibility::Hidden));
    commands.spawn((Part::Cursor, node(), GlobalZIndex(Layer::CURSOR), BackgroundColor(Color::WHITE)));
}

/// What decides where the bar's parts are.
#[derive(SystemParam)]
pub(crate) struct Given<'w, 's> {
    replay: Res<'w, Replay>,
    focus: Res<'w, Focus>,
    panels: Res<'w, Panels>,
    scale: Res<'w, UiScale>,
    live: Option<Res<'w, Follow>>,
    cameras: Query<'w, 's, &'static Camera, With<ReplayCamera>>,
}

/// Puts the parts in their places and paints the lanes, when the picture or the robot in focus has changed.
pub(crate) fn lay_out(
    given: Given<'_, '_>,
    mut layout: ResMut<'_, BarLayout>,
    mut images: ResMut<'_, Assets<Image>>,
    mut parts: Query<'_, '_, (&Part, &mut Node, Option<&mut ImageNode>, Option<&mut Text>)>,
    mut painted: Local<'_, (i64, i64)>,
) {
    let replay = &*given.replay;
    let Some(size) = given.cameras.iter().find_map(Camera::physical_viewport_size).filter(|_| given.panels.0) else { return };
    let rows = bar_rows(replay, given.focus.0);
    let next = BarLayout::new(size, given.scale.0, rows.len(), thumbnails_px(replay, given.focus.0));
    let span = (replay.start_ns, replay.end_ns);
    if *layout == next && *painted == span && !given.focus.is_changed() {
        return;
    }
    *painted = span;
    layout.set_if_neq(next);
    let track = next.track();
    let whole = |px: f32| whole_pixels(px * next.scale);
    let paint_size = PaintSize { width: whole(track.width()), lane: whole(next.lane_px()), marks: whole(next.marks_px()) };
    for (part, mut node, picture, text) in &mut parts {
        place(&mut node, *part, &next);
        if let Some(mut picture) = picture {
            picture.image = images.add(image(paint_size.picture(rows.len()), paint(replay, &rows, paint_size)));
        }
        if let (Part::Tick(tick), Some(mut text)) = (*part, text) {
            let length_secs = seconds(replay.end_ns - replay.start_ns);
            let share = f64::from(tick) / f64::from(TICKS - 1);
            text.0 = match given.live {
                Some(_) if tick == TICKS - 1 => "0 s".to_owned(),
                Some(_) => format!("−{:.0} s", length_secs * (1.0 - share)),
                None => format!("{:.1} s", length_secs * share),
            };
        }
    }
}

/// Height of the row of small pictures; 0 when the robot in focus has no camera, and where time moves on under them.
pub(crate) fn thumbnails_px(replay: &Replay, focus: usize) -> f32 {
    let still = |camera: &CameraRecord| camera.robot == focus && !matches!(camera.source, FrameSource::Live(_));
    if replay.cameras.iter().any(still) { THUMBNAIL_PX } else { 0.0 }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer saturates; a picture has few thousand pixels"
)]
fn whole_pixels(px: f32) -> u32 {
    (px.round() as u32).max(1)
}

fn place(node: &mut Node, part: Part, layout: &BarLayout) {
    let track = layout.track();
    let (left, top, width, height) = match part {
        Part::Ground => (0.0, layout.top(), layout.picture.x, layout.height()),
        Part::Lanes => (track.min.x, track.min.y, track.width(), track.height()),
        Part::Labels => (12.0, track.min.y + layout.marks_px(), track.min.x - 16.0, track.height() - layout.marks_px()),
        Part::Tick(tick) => {
            let share = f32::from(tick) / f32::from(TICKS - 1);
            // The last number ends where the track ends.
            (track.min.x + track.width() * share - if tick == TICKS - 1 { 34.0 } else { 0.0 }, layout.ruler_top(), 60.0, 14.0)
        }
        // Moved every frame.
        Part::Span | Part::Cursor => return,
    };
    (node.left, node.top, node.width, node.height) = (Val::Px(left), Val::Px(top), Val::Px(width), Val::Px(height));
}

fn image(size: UVec2, rgba: Vec<u8>) -> Image {
    let extent = Extent3d { width: size.x, height: size.y, depth_or_array_layers: 1 };
    let mut image = Image::new(extent, TextureDimension::D2, rgba, TextureFormat::Rgba8UnormSrgb, RenderAssetUsages::RENDER_WORLD);
    image.sampler = ImageSampler::nearest();
    image
}

/// Moves the cursor and the repeated span.
pub(super) fn move_cursor(
    playhead: Res<'_, Playhead>,
    layout: Res<'_, BarLayout>,
    mut parts: Query<'_, '_, (&Part, &mut Node, &mut Visibility)>,
) {
    if layout.rows == 0 || (!playhead.is_changed() && !layout.is_changed()) {
        return;
    }
    let track = layout.track();
    for (part, mut node, mut visibility) in &mut parts {
        let (from, to) = match (part, playhead.repeat) {
            (Part::Cursor, _) => {
                let x = layout.x_of(playhead.t_ns, &playhead);
                (x - CURSOR_PX / 2.0, x + CURSOR_PX / 2.0)
            }
            (Part::Span, Some(span)) => (layout.x_of(span.from_ns, &playhead), layout.x_of(span.to_ns, &playhead)),
            (Part::Span, None) => {
                *visibility = Visibility::Hidden;
                continue;
            }
            _ => continue,
        };
        *visibility = Visibility::Inherited;
        (node.left, node.width) = (Val::Px(from), Val::Px((to - from).max(1.0)));
        (node.top, node.height) = (Val::Px(layout.thumbnails().min.y), Val::Px(track.max.y - layout.thumbnails().min.y));
    }
}

/// Writes beside each lane how old its newest row is.
pub(super) fn write_labels(
    (replay, playhead, focus, lang): (Res<'_, Replay>, Res<'_, Playhead>, Res<'_, Focus>, Res<'_, Lang>),
    mut labels: Query<'_, '_, (&Part, &mut Text)>,
) {
    if !playhead.is_changed() && !focus.is_changed() {
        return;
    }
    let Some((_, mut text)) = labels.iter_mut().find(|(part, _)| **part == Part::Labels) else { return };
    let lines: Vec<String> = bar_rows(&replay, focus.0).iter().map(|row| label(&replay, row, playhead.t_ns, *lang)).collect();
    text.0 = lines.join("\n");
}

fn label(replay: &Replay, row: &BarRow, t_ns: i64, lang: Lang) -> String {
    let lanes = || row.lanes.iter().map(|lane| &replay.lanes[*lane]);
    if row.lanes.len() > 1 {
        let broken = lanes().filter(|lane| lane.in_gap(t_ns)).count();
        return format!("{}  {broken} {}", row.name, lang.pick("in a gap", "缺失"));
    }
    let Some(lane) = lanes().next() else { return row.name.clone() };
    let age = match lane.age_ns(t_ns) {
        None => lang.pick("no row yet", "尚无数据").to_owned(),
        Some(age) if age < 10_000_000_000 => format!("{:.1} ms", seconds(age) * 1e3),
        Some(age) => format!("{:.0} s", seconds(age)),
    };
    let state = if lane.in_gap(t_ns) { lang.pick("GAP ", "缺失 ") } else { "" };
    let open = if lane.open_loss { " ?" } else { "" };
    format!("{}  {state}{age}{open}", row.name)
}
