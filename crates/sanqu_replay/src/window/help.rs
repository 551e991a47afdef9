use bevy::app::{App, Plugin, Startup, Update};
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::{
    BackgroundColor, BorderRadius, Color, Commands, Component, IntoScheduleConfigs, Node, PositionType, Query, Res, Text, TextColor,
    TextFont, UiRect, Val, Visibility, With,
};
use bevy::text::FontSize;

use crate::scene::{ReplayFont, load_font};
use crate::timeline::ReplaySystems;

const HELP: &str = "\
空格  Space          播放 / 暂停  play, pause
← →  arrows         ±1 s, Shift ±0.1 s
+ -                    速度  speed ×2, ÷2
Home  End          开头 / 结尾  start, end
1  2  3  4  5       全景 / 机器人 1 / 机器人 2 / 正面 / 俯视
                         overview, robot 1, robot 2, front, top
拖动  drag            转动  turn;  右键  right button: 平移  move
滚轮  wheel          远近  near, far
?                       帮助  help";

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

fn build(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>) {
    let mut panel = |text: &str, size_px: f32, node: Node| {
        let node = Node {
            position_type: PositionType::Absolute,
            padding: UiRect::all(Val::Px(size_px * 0.7)),
            border_radius: BorderRadius::all(Val::Px(6.0)),
            ..node
        };
        let font = TextFont { font: font.0.clone().into(), font_size: FontSize::Px(size_px), ..Default::default() };
        let ground = BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.82));
        commands.spawn((node, ground, Text::new(text), font, TextColor(Color::srgb(0.94, 0.95, 0.96)))).id()
    };
    panel("?  帮助 help", 12.0, Node { right: Val::Px(12.0), bottom: Val::Px(10.0), ..Default::default() });
    let help = panel(HELP, 16.0, Node { left: Val::Percent(26.0), top: Val::Percent(28.0), ..Default::default() });
    commands.entity(help).insert((HelpText, Visibility::Hidden));
}

fn toggle(keys: Res<'_, ButtonInput<KeyCode>>, mut help: Query<'_, '_, &mut Visibility, With<HelpText>>) {
    if keys.just_pressed(KeyCode::Slash) || keys.just_pressed(KeyCode::F1) {
        for mut visibility in &mut help {
            visibility.toggle_visible_hidden();
        }
    }
}
