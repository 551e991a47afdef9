use bevy::prelude::{
    AlignItems, Assets, BackgroundColor, BorderRadius, ChildOf, Color, Commands, Component, Display, FlexDirection, Handle, Image,
    ImageNode, JustifyContent, Node, Overflow, PositionType, Query, Res, ResMut, Text, TextColor, TextFont, TextLayout, UiRect, Val, With,
    Without,
};
use bevy::text::{FontSize, LineBreak};
use bevy::ui::widget::NodeImageMode;

use super::figures::{Figure, Level, figures};
use super::plot::{PLOTS_MAX, Plot, blank};
use crate::lang::Lang;
use crate::replay::Replay;
use crate::scene::ReplayFont;
use crate::xray::{Moment, Subject};

/// Most lines of the panel: an ankle has two joints and two motors.
const LINES_MAX: usize = 32;
const WIDTH_PX: f32 = 372.0;
const TOP_PX: f32 = 104.0;
const TEXT_PX: f32 = 12.0;
/// Height of a line, and of one of more than [`LINES_ROOMY`] lines, pixels.
const LINE_PX: [f32; 2] = [16.5, 13.2];
const LINES_ROOMY: usize = 20;
/// Widths of name, value, limit, age, pixels.
const COLUMNS_PX: [f32; 4] = [98.0, 112.0, 96.0, 52.0];

/// The panel.
#[derive(Component)]
pub(super) struct Panel;

/// A line of it.
#[derive(Component)]
pub(super) struct Line(usize);

/// One of the four texts of a line.
#[derive(Component)]
pub(super) struct Cell {
    line: usize,
    column: usize,
}

pub(super) fn build(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>, mut images: ResMut<'_, Assets<Image>>) {
    let panel = Node {
        display: Display::None,
        position_type: PositionType::Absolute,
        right: Val::Px(12.0),
        top: Val::Px(TOP_PX),
        width: Val::Px(WIDTH_PX),
        flex_direction: FlexDirection::Column,
        padding: UiRect::all(Val::Px(7.0)),
        border_radius: BorderRadius::all(Val::Px(5.0)),
        ..Default::default()
    };
    let panel = commands.spawn((panel, BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.84)), Panel)).id();
    let face = TextFont { font: font.0.clone().into(), font_size: FontSize::Px(TEXT_PX), ..Default::default() };
    for line in 0..LINES_MAX {
        let row = Node { display: Display::None, height: Val::Px(LINE_PX[0]), align_items: AlignItems::Center, ..Default::default() };
        let row = commands.spawn((row, Line(line), ChildOf(panel))).id();
        for (column, width) in COLUMNS_PX.into_iter().enumerate() {
            let justify_content = if column == 0 { JustifyContent::FlexStart } else { JustifyContent::FlexEnd };
            let holder = Node { width: Val::Px(width), justify_content, overflow: Overflow::visible(), ..Default::default() };
            let holder = commands.spawn((holder, ChildOf(row))).id();
            let layout = TextLayout { linebreak: LineBreak::NoWrap, ..Default::default() };
            commands.spawn((Text::default(), face.clone(), layout, TextColor(Color::WHITE), Cell { line, column }, ChildOf(holder)));
        }
    }
    for number in 0..PLOTS_MAX {
        let node =
            Node { display: Display::None, width: Val::Px(WIDTH_PX - 14.0), margin: UiRect::top(Val::Px(5.0)), ..Default::default() };
        let image: Handle<Image> = images.add(blank());
        commands.spawn((node, ImageNode::new(image).with_mode(NodeImageMode::Stretch), Plot::new(number), ChildOf(panel)));
    }
    for (number, (text, [r, g, b])) in super::plot::LEGEND.into_iter().enumerate() {
        let node = Node { display: Display::None, ..Default::default() };
        let small = TextFont { font_size: FontSize::Px(TEXT_PX - 1.0), ..face.clone() };
        commands.spawn((node, Text::new(text), small, TextColor(Color::srgb_u8(r, g, b)), super::plot::Caption(number), ChildOf(panel)));
    }
}

type Lines<'w, 's> = Query<'w, 's, (&'static Line, &'static mut Node), (Without<Panel>, Without<Cell>)>;

/// Writes the figures of the moment.
pub(super) fn write(
    (subject, moment, replay, lang): (Res<'_, Subject>, Res<'_, Moment>, Res<'_, Replay>, Res<'_, Lang>),
    mut panels: Query<'_, '_, &mut Node, With<Panel>>,
    mut lines: Lines<'_, '_>,
    mut cells: Query<'_, '_, (&Cell, &mut Text, &mut TextColor)>,
) {
    let display = |shown: bool| if shown { Display::Flex } else { Display::None };
    for mut panel in &mut panels {
        panel.display = display(subject.shown.is_some());
    }
    let Some(shown) = &subject.shown else { return };
    let figures = figures(&replay, shown, &moment, *lang);
    for (line, mut node) in &mut lines {
        let wanted = display(line.0 < figures.len());
        let height = Val::Px(LINE_PX[usize::from(figures.len() > LINES_ROOMY)]);
        if node.display != wanted || node.height != height {
            (node.display, node.height) = (wanted, height);
        }
    }
    for (cell, mut text, mut colour) in &mut cells {
        let Some(figure) = figures.get(cell.line) else { continue };
        let written = cell_text(figure, cell.column);
        if text.0 != written {
            written.clone_into(&mut text.0);
        }
        let wanted = TextColor(cell_colour(figure.level, cell.column));
        if *colour != wanted {
            *colour = wanted;
        }
    }
}

fn cell_text(figure: &Figure, column: usize) -> &str {
    match column {
        0 => &figure.name,
        1 => &figure.value,
        2 => &figure.limit,
        _ => &figure.age,
    }
}

fn cell_colour(level: Level, column: usize) -> Color {
    match (level, column) {
        (Level::Heading, _) => Color::srgb(0.55, 0.80, 0.98),
        (Level::Gap, _) => Color::srgb(0.62, 0.64, 0.66),
        (Level::Near, 1) => Color::srgb(0.96, 0.75, 0.26),
        (Level::Beyond, 1) => Color::srgb(1.0, 0.45, 0.30),
        (_, 0 | 2 | 3) => Color::srgb(0.72, 0.76, 0.80),
        _ => Color::srgb(0.96, 0.97, 0.98),
    }
}
