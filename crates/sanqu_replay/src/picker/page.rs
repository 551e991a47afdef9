//! The list as a page of a window.

use bevy::app::AppExit;
use bevy::input::ButtonInput;
use bevy::input::ButtonState;
use bevy::input::keyboard::{Key, KeyboardInput};
use bevy::input::mouse::{MouseButton, MouseScrollUnit, MouseWheel};
use bevy::prelude::{
    AlignItems, BackgroundColor, BorderRadius, Button, Camera2d, Changed, ChildOf, ClearColor, Color, Commands, Component, Display, Entity,
    FlexDirection, Interaction, JustifyContent, MessageReader, MessageWriter, Node, Overflow, Query, Res, ResMut, Text, TextColor,
    TextFont, TextLayout, UiRect, Val, With, Without,
};
use bevy::text::{FontSize, LineBreak};
use bevy::window::{PrimaryWindow, Window};

use super::{Board, COLUMNS, Picked};
use crate::lang::Lang;
use crate::scene::ReplayFont;

/// Most lines that are shown at once.
const LINES_MAX: usize = 64;
const LINE_PX: f32 = 26.0;
/// Height of everything but the lines.
const FRAME_PX: f32 = 150.0;
const TEXT_PX: f32 = 14.0;
const PIXELS_PER_LINE: f32 = 40.0;
/// Widths of the columns, percent.
const WIDTHS: [f32; COLUMNS] = [16.0, 8.0, 8.0, 24.0, 14.0, 8.0, 22.0];
const HEADS_EN: [&str; COLUMNS] = ["start", "length", "station", "robots", "task", "lost rows", "episode"];
const HEADS_ZH: [&str; COLUMNS] = ["开始", "时长", "工位", "机器人", "任务", "丢失行", "采集段"];

const INK: Color = Color::srgb(0.94, 0.95, 0.96);
const FAINT: Color = Color::srgb(0.62, 0.67, 0.72);
/// Okabe and Ito's orange.
const LOST: Color = Color::srgb(0.902, 0.624, 0.0);
const GROUND: Color = Color::srgb(0.075, 0.09, 0.11);
const UNDER_CURSOR: Color = Color::srgb(0.0, 0.32, 0.50);
const MARKED: Color = Color::srgb(0.0, 0.36, 0.27);

/// A line of the list.
#[derive(Component)]
pub(super) struct Line(usize);

/// One of its texts.
#[derive(Component)]
pub(super) struct Cell {
    line: usize,
    column: usize,
}

/// The line that says what is typed, how many episodes there are, how many are marked.
#[derive(Component)]
pub(super) struct Filter;

pub(super) fn build(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>, lang: Res<'_, Lang>) {
    commands.spawn(Camera2d);
    commands.insert_resource(ClearColor(GROUND));
    let page = Node {
        width: Val::Percent(100.0),
        height: Val::Percent(100.0),
        padding: UiRect::all(Val::Px(16.0)),
        flex_direction: FlexDirection::Column,
        ..Default::default()
    };
    let page = commands.spawn(page).id();
    let face = |size_px: f32| TextFont { font: font.0.clone().into(), font_size: FontSize::Px(size_px), ..Default::default() };
    let title = lang.pick("Episodes", "采集段");
    commands.spawn((Text::new(title), face(20.0), TextColor(INK), ChildOf(page)));
    let filter = Node { height: Val::Px(30.0), align_items: AlignItems::Center, ..Default::default() };
    commands.spawn((filter, Text::default(), face(TEXT_PX), TextColor(INK), Filter, ChildOf(page)));
    let heads = lang_heads(*lang);
    row(&mut commands, page, |commands, row| {
        for (column, head) in heads.into_iter().enumerate() {
            cell(commands, row, column, (Text::new(head), face(TEXT_PX - 2.0), TextColor(FAINT)));
        }
    });
    for line in 0..LINES_MAX {
        let id = row(&mut commands, page, |commands, row| {
            for column in 0..COLUMNS {
                let text = (Text::default(), face(TEXT_PX), TextColor(INK), Cell { line, column });
                cell(commands, row, column, text);
            }
        });
        commands.entity(id).insert((Line(line), Button, BackgroundColor(GROUND)));
    }
    let rest = Node { flex_grow: 1.0, ..Default::default() };
    commands.spawn((rest, ChildOf(page)));
    let hint = lang.pick(
        "Enter or click again: open   ↑ ↓ wheel: choose   Tab: mark several   type: filter   Esc: clear, close",
        "Enter 或再次点击：打开   ↑ ↓ 滚轮：选择   Tab：标记多个   输入文字：筛选   Esc：清除 / 关闭",
    );
    commands.spawn((Text::new(hint), face(TEXT_PX - 1.0), TextColor(FAINT), ChildOf(page)));
}

fn lang_heads(lang: Lang) -> [&'static str; COLUMNS] {
    match lang {
        Lang::En => HEADS_EN,
        Lang::Zh => HEADS_ZH,
    }
}

fn row(commands: &mut Commands<'_, '_>, page: Entity, fill: impl FnOnce(&mut Commands<'_, '_>, Entity)) -> Entity {
    let node = Node {
        height: Val::Px(LINE_PX),
        align_items: AlignItems::Center,
        padding: UiRect::horizontal(Val::Px(6.0)),
        border_radius: BorderRadius::all(Val::Px(4.0)),
        ..Default::default()
    };
    let row = commands.spawn((node, ChildOf(page))).id();
    fill(commands, row);
    row
}

fn cell(commands: &mut Commands<'_, '_>, row: Entity, column: usize, text: impl bevy::prelude::Bundle) {
    // Lengths and counts stand to the right of their columns, as numbers do.
    let justify_content = if matches!(column, 1 | 5) { JustifyContent::FlexEnd } else { JustifyContent::FlexStart };
    let node = Node {
        width: Val::Percent(WIDTHS[column]),
        padding: UiRect::right(Val::Px(16.0)),
        overflow: Overflow::clip(),
        justify_content,
        ..Default::default()
    };
    let cell = commands.spawn((node, ChildOf(row))).id();
    commands.entity(cell).with_child((text, TextLayout { linebreak: LineBreak::NoWrap, ..Default::default() }));
}

/// How many lines fit into the window.
fn height(windows: &Query<'_, '_, &Window, With<PrimaryWindow>>) -> usize {
    let height_px = windows.single().map_or(720.0, Window::height);
    let lines = ((height_px - FRAME_PX) / LINE_PX).clamp(1.0, 64.0);
    (1..=LINES_MAX).rev().find(|count| f32::from(u16::try_from(*count).unwrap_or(1)) <= lines).unwrap_or(1)
}

/// Typing, moving, marking, opening.
pub(super) fn keys(
    mut pressed: MessageReader<'_, '_, KeyboardInput>,
    windows: Query<'_, '_, &Window, With<PrimaryWindow>>,
    mut board: ResMut<'_, Board>,
    picked: Res<'_, Picked>,
    mut exit: MessageWriter<'_, AppExit>,
) {
    let page = isize::try_from(height(&windows)).unwrap_or(1);
    for input in pressed.read().filter(|input| input.state == ButtonState::Pressed) {
        match &input.logical_key {
            Key::ArrowUp => board.move_by(-1),
            Key::ArrowDown => board.move_by(1),
            Key::PageUp => board.move_by(-page),
            Key::PageDown => board.move_by(page),
            Key::Home => board.move_by(isize::MIN),
            Key::End => board.move_by(isize::MAX),
            Key::Tab => board.mark(),
            Key::Backspace => board.backspace(),
            Key::Enter if !input.repeat => open(&board, &picked, &mut exit),
            Key::Escape if !board.clear() => {
                exit.write(AppExit::Success);
            }
            _ => input.text.iter().flat_map(|text| text.chars()).for_each(|char| board.type_char(char)),
        }
    }
}

fn open(board: &Board, picked: &Picked, exit: &mut MessageWriter<'_, AppExit>) {
    let episodes: Vec<_> = board.picked().iter().map(|entry| entry.dir.clone()).collect();
    if !episodes.is_empty() {
        picked.set(episodes);
        exit.write(AppExit::Success);
    }
}

type Touched<'w, 's> = Query<'w, 's, (&'static Interaction, &'static Line), Changed<Interaction>>;

/// A click puts the cursor there, a second one opens; the wheel moves the cursor.
pub(super) fn mouse(
    touched: Touched<'_, '_>,
    buttons: Res<'_, ButtonInput<MouseButton>>,
    mut wheel: MessageReader<'_, '_, MouseWheel>,
    (mut board, picked): (ResMut<'_, Board>, Res<'_, Picked>),
    mut exit: MessageWriter<'_, AppExit>,
) {
    for scroll in wheel.read() {
        let lines = if scroll.unit == MouseScrollUnit::Line { scroll.y } else { scroll.y / PIXELS_PER_LINE };
        board.move_by(if lines > 0.0 { -1 } else { 1 });
    }
    if !buttons.just_pressed(MouseButton::Left) {
        return;
    }
    let clicked = touched.iter().find(|(interaction, _)| **interaction == Interaction::Pressed).map(|(_, line)| line.0);
    if let Some(line) = clicked
        && !board.point_at(line)
    {
        open(&board, &picked, &mut exit);
    }
}

type Texts<'w, 's> = Query<'w, 's, (&'static Cell, &'static mut Text, &'static mut TextColor), Without<Filter>>;

/// Writes the board onto the page.
pub(super) fn write(
    windows: Query<'_, '_, &Window, With<PrimaryWindow>>,
    (mut board, lang): (ResMut<'_, Board>, Res<'_, Lang>),
    mut lines: Query<'_, '_, (&Line, &mut Node, &mut BackgroundColor)>,
    mut cells: Texts<'_, '_>,
    mut filters: Query<'_, '_, &mut Text, With<Filter>>,
) {
    for mut text in &mut filters {
        let wanted = filter_line(&board, *lang);
        if text.0 != wanted {
            text.0 = wanted;
        }
    }
    let lines_shown = board.lines(height(&windows));
    let shown: Vec<_> = lines_shown.into_iter().map(|(entry, cursor, marked)| (entry.columns(), cursor, marked)).collect();
    for (line, mut node, mut ground) in &mut lines {
        let here = shown.get(line.0);
        let display = if here.is_some() { Display::Flex } else { Display::None };
        let colour = match here {
            Some((_, true, _)) => UNDER_CURSOR,
            Some((_, _, true)) => MARKED,
            _ => GROUND,
        };
        if node.display != display {
            node.display = display;
        }
        if ground.0 != colour {
            ground.0 = colour;
        }
    }
    for (cell, mut text, mut colour) in &mut cells {
        let Some((columns, _, marked)) = shown.get(cell.line) else { continue };
        let mut wanted = columns[cell.column].clone();
        if *marked && cell.column == 0 {
            wanted.insert_str(0, "✓ ");
        }
        if text.0 != wanted {
            text.0 = wanted;
        }
        let ink = if cell.column == 5 { LOST } else { INK };
        if colour.0 != ink {
            colour.0 = ink;
        }
    }
}

fn filter_line(board: &Board, lang: Lang) -> String {
    let (shown, all) = board.count();
    let typed = if board.filter().is_empty() {
        lang.pick("type to filter", "输入文字以筛选").to_owned()
    } else {
        format!("{}_", board.filter())
    };
    let marked = match (board.marked(), lang) {
        (0, _) => String::new(),
        (count, Lang::En) => format!("   {count} marked"),
        (count, Lang::Zh) => format!("   已标记 {count} 个"),
    };
    match lang {
        Lang::En => format!("{typed}      {shown} of {all} episodes{marked}"),
        Lang::Zh => format!("{typed}      {all} 段中的 {shown} 段{marked}"),
    }
}
