use bevy::app::{App, Plugin, Startup, Update};
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{
    BackgroundColor, BorderRadius, ChildOf, Color, Commands, Component, FlexDirection, GlobalZIndex, IntoScheduleConfigs, Node,
    PositionType, Query, Res, Text, TextColor, TextFont, UiRect, Val, Visibility, With,
};
use bevy::text::FontSize;

use crate::bar::Layer;
use crate::lang::Lang;
use crate::scene::{ReplayFont, load_font};
use crate::timeline::ReplaySystems;

const HELP_EN: &[(&str, &str)] = &[
    ("Space", "play, pause"),
    ("← →", "±1 s, with Shift ±0.1 s"),
    (", .", "one row back, on: of any stream, or of the chosen one"),
    ("S", "choose the stream for , and ."),
    ("[ ]", "to the mark or gap before, after"),
    ("+ -", "faster, slower: 1/100 to 16"),
    ("A B L", "repeat from here, to here; all or nothing"),
    ("I", "hold the last row, or go straight to the next"),
    ("Home End", "start, end; live: End or F follows again"),
    ("R", "next robot in the timeline"),
    ("1 2 3 4 5", "overview, robot 1, robot 2, front, top"),
    ("X Tab Esc", "x-ray: list of joints (or click one), next, leave"),
    ("T", "as slow as shows what turns, or speed 1"),
    ("K J", "compare: ghosts on, off; joint of the curve (Shift: back)"),
    ("Alt+← →", "compare: ghosts 10 ms earlier, later (Shift: 1 ms); Alt+↓ as begun"),
    ("drag, right drag", "turn, move; wheel: near, far"),
    ("drag on timeline", "go there"),
    ("O", "another episode"),
    ("? F1", "this page"),
];

const HELP_ZH: &[(&str, &str)] = &[
    ("空格", "播放 / 暂停"),
    ("← →", "±1 s，按 Shift ±0.1 s"),
    (", .", "后退 / 前进一行：任一数据流，或所选数据流"),
    ("S", "选择 , 和 . 所用的数据流"),
    ("[ ]", "前一个 / 后一个标记或缺失"),
    ("+ -", "加速 / 减速：1/100 至 16 倍"),
    ("A B L", "从此处循环 / 到此处 / 全部或取消"),
    ("I", "保持上一行，或插值"),
    ("Home End", "开头 / 结尾；直播：End 或 F 重新跟随"),
    ("R", "时间轴上的下一台机器人"),
    ("1 2 3 4 5", "全景 / 机器人 1 / 机器人 2 / 正面 / 俯视"),
    ("X Tab Esc", "透视：关节列表（或点击关节）/ 下一个 / 退出"),
    ("T", "慢到能看清转动 / 原速"),
    ("K J", "对比：显示 / 隐藏虚影；曲线的关节（Shift：上一个）"),
    ("Alt+← →", "对比：虚影早 / 晚 10 ms（Shift：1 ms）；Alt+↓ 还原"),
    ("拖动，右键拖动", "转动，平移；滚轮：远近"),
    ("在时间轴上拖动", "定位"),
    ("O", "选择其他采集段"),
    ("? F1", "本页"),
];

const TEXT_PX: f32 = 15.0;
/// Width of the column of keys.
const KEYS_PX: f32 = 170.0;
/// The hint stands above the timeline, pixels.
const HINT_BOTTOM_PX: f32 = 190.0;

#[derive(Component)]
struct HelpText;

/// The overlay with the keys, on `?`; a hint in the corner otherwise.
pub(super) struct HelpPlugin;

impl Plugin for HelpPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, build.after(load_font));
        app.add_systems(Update, toggle.in_set(ReplaySystems::Input));
    }
}

fn build(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>, lang: Res<'_, Lang>) {
    let ink = TextColor(Color::srgb(0.94, 0.95, 0.96));
    let face = |size_px: f32| TextFont { font: font.0.clone().into(), font_size: FontSize::Px(size_px), ..Default::default() };
    let panel = |size_px: f32, node: Node| {
        let node = Node {
            position_type: PositionType::Absolute,
            padding: UiRect::all(Val::Px(size_px * 0.7)),
            border_radius: BorderRadius::all(Val::Px(6.0)),
            ..node
        };
        (node, BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.88)))
    };
    let hint = Node { right: Val::Px(12.0), bottom: Val::Px(HINT_BOTTOM_PX), ..Default::default() };
    commands.spawn((panel(12.0, hint), Text::new(lang.pick("?  help", "?  帮助")), face(12.0), ink));
    let page = Node { left: Val::Percent(22.0), top: Val::Percent(14.0), flex_direction: FlexDirection::Column, ..Default::default() };
    let page = commands.spawn((panel(TEXT_PX, page), HelpText, GlobalZIndex(Layer::HELP), Visibility::Hidden)).id();
    let rows = match *lang {
        Lang::En => HELP_EN,
        Lang::Zh => HELP_ZH,
    };
    for (keys, what) in rows {
        let row = commands.spawn((Node::default(), ChildOf(page))).id();
        let column = Node { width: Val::Px(KEYS_PX), ..Default::default() };
        commands.spawn((column, Text::new(*keys), face(TEXT_PX), TextColor(Color::srgb(0.34, 0.71, 0.91)), ChildOf(row)));
        commands.spawn((Text::new(*what), face(TEXT_PX), ink, ChildOf(row)));
    }
}

fn toggle(keys: Res<'_, ButtonInput<KeyCode>>, mut help: Query<'_, '_, &mut Visibility, With<HelpText>>) {
    if keys.just_pressed(KeyCode::Slash) || keys.just_pressed(KeyCode::F1) {
        for mut visibility in &mut help {
            visibility.toggle_visible_hidden();
        }
    }
}
