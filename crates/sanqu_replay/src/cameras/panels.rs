//! The pictures beside the scene.

use bevy::asset::{Assets, Handle};
use bevy::ecs::system::SystemParam;
use bevy::image::Image;
use bevy::math::{Rect, UVec2, Vec2};
use bevy::prelude::{
    BackgroundColor, Color, Commands, Component, DetectChanges, GlobalZIndex, ImageNode, Local, Node, PositionType, Query, Res, ResMut,
    Text, TextColor, TextFont, TextLayout, UiRect, Val, Visibility, Without,
};
use bevy::text::{FontSize, LineBreak};

use super::caption::Caption;
use super::layout::{CAPTION_PX, PANELS_MAX, PanelLayout, shown_cameras};
use super::{CameraRecord, Library, Shot, WaitForFrames};
use crate::bar::{BarLayout, Focus, Layer, Panels, stretched};
use crate::lane::Lane;
use crate::lang::Lang;
use crate::replay::Replay;
use crate::scene::ReplayFont;
use crate::timeline::{Playhead, seconds};
use crate::track::Gap;
use crate::xray::Xray;

const CAPTION_FONT_PX: f32 = 10.0;
const CAPTION_PADDING_PX: f32 = 4.0;
const GROUND: Color = Color::srgba(0.06, 0.08, 0.10, 0.92);
const INK: Color = Color::srgb(0.90, 0.92, 0.94);
const WARNING: Color = Color::srgb(1.0, 0.66, 0.30);
/// A picture that is not of the instant shown is dimmed.
const STALE_TINT: Color = Color::srgb(0.45, 0.45, 0.45);

/// How far before the instant a frame may lie that is shown while its own is decoded.
const EARLIER_ROWS_MAX: usize = 30;

/// One panel: the camera in it, and the number of its picture that is shown.
#[derive(Component, Default)]
pub(super) struct Panel {
    slot: usize,
    camera: Option<usize>,
    shown: Option<(usize, Option<usize>)>,
    /// Room for its caption, in heights of the font.
    caption_width: f32,
}

/// What a panel consists of.
#[derive(Component, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Ground(usize),
    Caption(usize),
}

pub(super) fn build(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>, panels: Res<'_, Panels>) {
    if !panels.0 {
        return;
    }
    let node = || Node { position_type: PositionType::Absolute, ..Default::default() };
    for slot in 0..PANELS_MAX {
        let font = TextFont { font: font.0.clone().into(), font_size: FontSize::Px(CAPTION_FONT_PX), ..Default::default() };
        commands.spawn((Piece::Ground(slot), node(), GlobalZIndex(Layer::GROUND), BackgroundColor(GROUND), Visibility::Hidden));
        commands.spawn((Panel { slot, ..Panel::default() }, node(), GlobalZIndex(Layer::PICTURE), stretched(), Visibility::Hidden));
        let text = (Text::default(), font, TextColor(INK), TextLayout { linebreak: LineBreak::NoWrap, ..Default::default() });
        let caption = Node { padding: UiRect::axes(Val::Px(CAPTION_PADDING_PX), Val::Px(0.0)), ..node() };
        commands.spawn((Piece::Caption(slot), caption, GlobalZIndex(Layer::TEXT), text, Visibility::Hidden));
    }
}

/// Gives each panel its camera and its place.
pub(super) fn lay_out(
    (replay, focus, bar, xray): (Res<'_, Replay>, Res<'_, Focus>, Res<'_, BarLayout>, Res<'_, Xray>),
    mut panels: Query<'_, '_, (&mut Panel, &mut Node, &mut Visibility), Without<Piece>>,
    mut pieces: Query<'_, '_, (&Piece, &mut Node, &mut Visibility), Without<Panel>>,
    mut laid_out: Local<'_, usize>,
) {
    let come = *laid_out != replay.cameras.len();
    if bar.picture == Vec2::ZERO || (!come && !bar.is_changed() && !focus.is_changed() && !xray.is_changed()) {
        return;
    }
    *laid_out = replay.cameras.len();
    // An x-ray's figures take the place of the video.
    let cameras = if xray.joint.is_some() { Vec::new() } else { shown_cameras(&replay, focus.0) };
    let layout = PanelLayout::new(bar.picture, bar.height(), cameras.len());
    for (mut panel, mut node, mut visibility) in &mut panels {
        panel.camera = cameras.get(panel.slot).copied();
        panel.shown = None;
        *visibility = if panel.camera.is_some() { Visibility::Inherited } else { Visibility::Hidden };
        if let Some(camera) = panel.camera {
            panel.caption_width = (layout.room(panel.slot).width() - 2.0 * CAPTION_PADDING_PX) / CAPTION_FONT_PX;
            put(&mut node, fitting(layout.room(panel.slot), replay.cameras[camera].aspect));
        }
    }
    for (piece, mut node, mut visibility) in &mut pieces {
        let (Piece::Ground(slot) | Piece::Caption(slot)) = *piece;
        *visibility = if slot < cameras.len() { Visibility::Inherited } else { Visibility::Hidden };
        let room = layout.room(slot);
        let caption = Rect::new(room.min.x, room.max.y, room.max.x, room.max.y + CAPTION_PX);
        put(&mut node, if matches!(piece, Piece::Ground(_)) { room.union(caption) } else { caption });
    }
}

fn put(node: &mut Node, place: Rect) {
    (node.left, node.top) = (Val::Px(place.min.x), Val::Px(place.min.y));
    (node.width, node.height) = (Val::Px(place.width()), Val::Px(place.height()));
}

/// The largest place of this aspect in the middle of a room.
fn fitting(room: Rect, aspect: f32) -> Rect {
    let width = room.width().min(room.height() * aspect);
    Rect::from_center_size(room.center(), Vec2::new(width, width / aspect))
}

/// What panels show.
#[derive(SystemParam)]
pub(super) struct Shown<'w> {
    replay: Res<'w, Replay>,
    playhead: Res<'w, Playhead>,
    library: Option<Res<'w, Library>>,
    wait: Res<'w, WaitForFrames>,
    lang: Res<'w, Lang>,
}

/// Puts the frame of the playhead into each panel.
pub(super) fn show(
    shown: Shown<'_>,
    mut images: ResMut<'_, Assets<Image>>,
    mut panels: Query<'_, '_, (&mut Panel, &mut ImageNode)>,
    mut captions: Query<'_, '_, (&Piece, &mut Text, &mut TextColor)>,
) {
    let Some(library) = &shown.library else { return };
    for (mut panel, mut node) in &mut panels {
        let Some(camera) = panel.camera else { continue };
        let record = &shown.replay.cameras[camera];
        let lane = &shown.replay.lanes[record.lane];
        let row = lane.instants.row_at(shown.playhead.t_ns);
        let number = row.map(|row| record.picture(row));
        let shot = number.and_then(|number| if shown.wait.0 { library.wait(camera, number) } else { library.ask(camera, number) });
        // Who draws slower than the film runs sees the last frame that is decoded, dimmed, with its number, rather than none.
        let earlier = number.filter(|_| shot.is_none()).and_then(|number| library.before(camera, number, EARLIER_ROWS_MAX));
        let frame = shot.as_ref().map(|shot| (number, shot)).or(earlier.as_ref().map(|(number, shot)| (Some(*number), shot)));
        if let Some((number, shot)) = frame
            && panel.shown != Some((camera, number))
        {
            node.image = match shot.as_ref() {
                Ok(picture) => images.add(picture.image()),
                Err(_) => black(&mut images),
            };
            panel.shown = Some((camera, number));
        }
        if row.is_none() && panel.shown != Some((camera, None)) {
            node.image = black(&mut images);
            panel.shown = Some((camera, None));
        }
        let state = State::of((record, lane), shown.playhead.t_ns, row, shot.as_ref());
        node.color = if matches!(state, State::Live) { Color::WHITE } else { STALE_TINT };
        let held = panel.shown.filter(|(of, _)| *of == camera).and_then(|(_, number)| number);
        let text = caption(&shown, record, &state, (number, held)).fitting(panel.caption_width);
        for (piece, mut caption, mut colour) in &mut captions {
            if *piece == Piece::Caption(panel.slot) && caption.0 != text {
                caption.0.clone_from(&text);
                colour.0 = if matches!(state, State::Live) { INK } else { WARNING };
            }
        }
    }
}

fn black(images: &mut Assets<Image>) -> Handle<Image> {
    images.add(super::Picture { row: 0, from_row: 0, size: UVec2::ONE, rgba: vec![0, 0, 0, 255] }.image())
}

/// How far a panel's picture can be trusted.
enum State {
    Live,
    NoneYet,
    Gap,
    Old,
    Decoding,
    /// A picture that it was predicted from is missing.
    Broken,
    Unreadable(String),
}

impl State {
    fn of((record, lane): (&CameraRecord, &Lane), t_ns: i64, row: Option<usize>, shot: Option<&Shot>) -> Self {
        let Some(row) = row else { return Self::NoneYet };
        match shot.map(|shot| shot.as_ref().as_ref()) {
            Some(Err(reason)) => return Self::Unreadable(reason.clone()),
            None => return Self::Decoding,
            Some(Ok(_)) if lane.in_gap(t_ns) => return Self::Gap,
            Some(Ok(picture)) => {
                let instants = lane.instants.as_slice();
                let (from, to) = (record.row(picture.from_row).and_then(|row| instants.get(row)).copied(), instants.get(row).copied());
                let missing = |gap: &Gap| from.is_some_and(|from| gap.from_ns >= from) && to.is_some_and(|to| gap.to_ns <= to);
                if lane.gaps.iter().any(missing) {
                    return Self::Broken;
                }
            }
        }
        if lane.age_ns(t_ns).is_none_or(|age| age > lane.stale_age_ns()) { Self::Old } else { Self::Live }
    }
}

fn caption<'a>(shown: &'a Shown<'_>, record: &CameraRecord, state: &State, (number, held): (Option<usize>, Option<usize>)) -> Caption<'a> {
    let lane = &shown.replay.lanes[record.lane];
    let lang = *shown.lang;
    let robot = shown.replay.robots.get(record.robot).map_or("", |robot| robot.robot.as_str());
    let camera = lane.stream.strip_prefix("camera/").unwrap_or(&lane.stream);
    let age = lane.age_ns(shown.playhead.t_ns).filter(|_| number.is_some());
    let number = number.filter(|_| age.is_some()).map_or_else(String::new, |number| format!("#{number}"));
    let age = age.map_or_else(String::new, |age| format!("{:.0} ms", seconds(age) * 1e3));
    let state = match state {
        State::Live => String::new(),
        State::NoneYet => lang.pick("no picture yet", "尚无画面").to_owned(),
        State::Gap => lang.pick("GAP", "缺失").to_owned(),
        State::Old => lang.pick("old", "过旧").to_owned(),
        State::Decoding => match held {
            Some(held) => format!("{} #{held}", lang.pick("decoding; shown:", "解码中；显示的是")),
            None => lang.pick("decoding", "解码中").to_owned(),
        },
        State::Broken => lang.pick("predicted from lost frames", "参考帧丢失").to_owned(),
        State::Unreadable(reason) => reason.clone(),
    };
    Caption { robot, camera, number, age, state }
}
