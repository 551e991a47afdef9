//! The panel of a comparison, at the left above the timeline.

use bevy::ecs::system::SystemParam;
use bevy::prelude::{
    AlignItems, Assets, BackgroundColor, BorderRadius, ChildOf, Color, Commands, Component, Display, FlexDirection, GlobalZIndex, Image,
    ImageNode, JustifyContent, Node, Overflow, PositionType, Query, Res, ResMut, Text, TextColor, TextFont, TextLayout, UiRect, Val, With,
    Without,
};
use bevy::text::{FontSize, LineBreak};
use bevy::ui::widget::NodeImageMode;

use super::look::GHOST_INK_RGB;
use super::plot::{CURVE_RGB, Caption, Cursor, Plot, blank};
use super::words::{About, COLUMNS, Level, Line};
use super::{CompareView, Progress};
use crate::bar::{BarLayout, Focus, Layer, Panels};
use crate::lang::Lang;
use crate::replay::Replay;
use crate::scene::ReplayFont;
use crate::timeline::Playhead;
use crate::xray::Xray;

/// Most lines of the panel.
const LINES_MAX: usize = 22;
/// Sizes at a picture height of 720, pixels.
const LEFT_PX: f32 = 12.0;
const SPACE_PX: f32 = 8.0;
const TEXT_PX: f32 = 13.0;
const LINE_PX: f32 = 17.0;
const PLOT_PX: f32 = 64.0;
/// Widths of joint, RMS, max, when, now, delay, pixels.
const COLUMNS_PX: [f32; COLUMNS] = [136.0, 58.0, 62.0, 50.0, 66.0, 56.0];
const PADDING_PX: f32 = 8.0;

/// How much of the left of a picture the panel takes, pixels of a picture 720 high.
pub const PANEL_PX: f32 = LEFT_PX + 2.0 * PADDING_PX + 428.0;

/// The panel.
#[derive(Component)]
pub(super) struct Panel;

/// A line of it.
#[derive(Component)]
pub(super) struct Row(usize);

/// One of the texts of a line.
#[derive(Component)]
pub(super) struct Cell {
    line: usize,
    column: usize,
}

pub(super) fn build(
    mut commands: Commands<'_, '_>,
    (replay, font, panels): (Res<'_, Replay>, Res<'_, ReplayFont>, Res<'_, Panels>),
    mut images: ResMut<'_, Assets<Image>>,
) {
    if replay.comparison.is_none() || !panels.0 {
        return;
    }
    let node = Node {
        position_type: PositionType::Absolute,
        left: Val::Px(LEFT_PX),
        bottom: Val::Px(SPACE_PX),
        width: Val::Px(PANEL_PX - LEFT_PX),
        flex_direction: FlexDirection::Column,
        padding: UiRect::all(Val::Px(PADDING_PX)),
        border_radius: BorderRadius::all(Val::Px(5.0)),
        ..Default::default()
    };
    let ground = BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.88));
    let panel = commands.spawn((node, ground, GlobalZIndex(Layer::GROUND), Panel)).id();
    let face = TextFont { font: font.0.clone().into(), font_size: FontSize::Px(TEXT_PX), ..Default::default() };
    let text = || {
        let layout = TextLayout { linebreak: LineBreak::NoWrap, ..Default::default() };
        (Text::default(), face.clone(), layout, TextColor(Color::WHITE))
    };
    for line in 0..LINES_MAX {
        let row = Node { display: Display::None, height: Val::Px(LINE_PX), align_items: AlignItems::Center, ..Default::default() };
        let row = commands.spawn((row, Row(line), ChildOf(panel))).id();
        for (column, width) in COLUMNS_PX.into_iter().enumerate() {
            let justify_content = if column == 0 { JustifyContent::FlexStart } else { JustifyContent::FlexEnd };
            let holder = Node { width: Val::Px(width), justify_content, overflow: Overflow::visible(), ..Default::default() };
            let holder = commands.spawn((holder, ChildOf(row))).id();
            commands.spawn((text(), Cell { line, column }, ChildOf(holder)));
        }
    }
    let [r, g, b] = CURVE_RGB;
    let caption = Node { margin: UiRect::top(Val::Px(4.0)), ..Default::default() };
    let caption = commands.spawn((caption, text(), Caption, ChildOf(panel))).id();
    commands.entity(caption).insert(TextColor(Color::srgb_u8(r, g, b)));
    let holder = Node { width: Val::Percent(100.0), height: Val::Px(PLOT_PX), ..Default::default() };
    let holder = commands.spawn((holder, ImageNode::new(images.add(blank())).with_mode(NodeImageMode::Stretch), Plot, ChildOf(panel))).id();
    let cursor = Node { position_type: PositionType::Absolute, width: Val::Px(1.5), height: Val::Percent(100.0), ..Default::default() };
    commands.spawn((cursor, BackgroundColor(Color::WHITE), Cursor, ChildOf(holder)));
}

/// What the panel tells.
#[derive(SystemParam)]
pub(super) struct Told<'w> {
    replay: Res<'w, Replay>,
    pub(super) playhead: Res<'w, Playhead>,
    focus: Res<'w, Focus>,
    view: Res<'w, CompareView>,
    progress: Res<'w, Progress>,
    lang: Res<'w, Lang>,
}

impl Told<'_> {
    /// The robot in focus and its ghost; none where it has none.
    pub(super) fn about(&self) -> Option<About<'_>> {
        let comparison = self.replay.comparison.as_ref()?;
        let index = comparison.pair_of(self.focus.0)?;
        let pair = &comparison.pairs[index];
        Some(About {
            comparison,
            robot: &self.replay.robots[pair.robot],
            pair,
            walk: self.progress.walk(index)?,
            delays: self.progress.delay(index),
            view: &self.view,
            lang: *self.lang,
        })
    }
}

type Rows<'w, 's> = Query<'w, 's, (&'static Row, &'static mut Node), Without<Cell>>;

/// Writes the lines.
pub(super) fn write(told: Told<'_>, mut rows: Rows<'_, '_>, mut cells: Query<'_, '_, (&Cell, &mut Text, &mut TextColor)>) {
    if rows.is_empty() {
        return;
    }
    let lines = told.about().map(|about| about.lines(&told.playhead)).unwrap_or_default();
    for (row, mut node) in &mut rows {
        let wanted = if row.0 < lines.len() { Display::Flex } else { Display::None };
        if node.display != wanted {
            node.display = wanted;
        }
    }
    for (cell, mut text, mut colour) in &mut cells {
        let Some(Line { level, cells }) = lines.get(cell.line) else { continue };
        if text.0 != cells[cell.column] {
            text.0.clone_from(&cells[cell.column]);
        }
        let wanted = TextColor(colour_of(*level));
        if *colour != wanted {
            *colour = wanted;
        }
    }
}

fn colour_of(level: Level) -> Color {
    let [r, g, b] = match level {
        Level::Robot | Level::Value => [245, 247, 250],
        Level::Ghost => GHOST_INK_RGB,
        Level::Note => [200, 208, 216],
        Level::Heading => [160, 170, 180],
        Level::Chosen => CURVE_RGB,
    };
    Color::srgb_u8(r, g, b)
}

/// Keeps the panel above the timeline, and out of the way of an x-ray and of robots without a ghost.
pub(super) fn place(told: Told<'_>, (bar, xray): (Res<'_, BarLayout>, Res<'_, Xray>), mut panels: Query<'_, '_, &mut Node, With<Panel>>) {
    let shown = xray.joint.is_none() && told.about().is_some();
    let (display, bottom) = (if shown { Display::Flex } else { Display::None }, Val::Px(bar.height() + SPACE_PX));
    for mut node in &mut panels {
        if node.display != display || node.bottom != bottom {
            (node.display, node.bottom) = (display, bottom);
        }
    }
}
