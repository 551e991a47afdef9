//! Picking: a list of joints, a click on the robot, keys.

use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::input::mouse::MouseButton;
use bevy::prelude::{
    BackgroundColor, BorderRadius, Button, Camera, Changed, ChildOf, Color, Commands, Component, DetectChanges as _, Display,
    FlexDirection, FlexWrap, GlobalTransform, GlobalZIndex, Interaction, Local, Node, PositionType, Query, Res, ResMut, Text, TextColor,
    TextFont, Transform, UiRect, Val, Vec2, With,
};
use bevy::text::FontSize;
use bevy::window::Window;

use crate::bar::{Focus, Layer};
use crate::camera::ReplayCamera;
use crate::frame::bevy_point;
use crate::lang::Lang;
use crate::replay::Replay;
use crate::robots::ReplayRobot;
use crate::scene::ReplayFont;
use crate::timeline::{Playhead, SPEED_RANGE};
use crate::xray::{FrameRate, JointRef, Moment, Subject, Xray, aliasing, joints_with_drives};

/// A click further than this from every joint picks nothing, pixels.
const CLICK_PX: f32 = 26.0;
/// A mouse that moved further than this while pressed was dragged, pixels.
const DRAG_PX: f32 = 4.0;

/// The list of joints.
#[derive(Component)]
pub(super) struct List;

/// The line over the joints: whose they are.
#[derive(Component)]
pub(super) struct Head;

/// A joint of the list.
#[derive(Component)]
pub(super) struct Entry(JointRef);

pub(super) fn build(mut commands: Commands<'_, '_>, replay: Res<'_, Replay>, font: Res<'_, ReplayFont>) {
    let panel = Node {
        display: Display::None,
        position_type: PositionType::Absolute,
        left: Val::Percent(8.0),
        right: Val::Percent(8.0),
        top: Val::Percent(20.0),
        flex_direction: FlexDirection::Row,
        flex_wrap: FlexWrap::Wrap,
        padding: UiRect::all(Val::Px(10.0)),
        column_gap: Val::Px(6.0),
        row_gap: Val::Px(5.0),
        border_radius: BorderRadius::all(Val::Px(6.0)),
        ..Default::default()
    };
    let panel = commands.spawn((panel, BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.93)), GlobalZIndex(Layer::HELP), List)).id();
    let ink = TextColor(Color::srgb(0.94, 0.95, 0.96));
    let head = Node { width: Val::Percent(100.0), ..Default::default() };
    let face = |size_px: f32| TextFont { font: font.0.clone().into(), font_size: FontSize::Px(size_px), ..Default::default() };
    commands.spawn((head, Text::default(), face(14.0), ink, Head, ChildOf(panel)));
    for joint in joints_with_drives(&replay) {
        let node = Node {
            padding: UiRect::axes(Val::Px(7.0), Val::Px(3.0)),
            border_radius: BorderRadius::all(Val::Px(4.0)),
            ..Default::default()
        };
        let button = commands.spawn((node, Button, BackgroundColor(Color::srgb(0.16, 0.20, 0.25)), Entry(joint), ChildOf(panel))).id();
        let name = replay.robots[joint.robot].model.joints()[joint.joint].name.as_str();
        commands.spawn((Text::new(name), face(12.5), ink, ChildOf(button)));
    }
}

/// The list has the joints of one robot, the one whose streams the timeline shows: those of 31 would fill the window.
pub(super) fn narrow(
    (focus, replay, lang): (Res<'_, Focus>, Res<'_, Replay>, Res<'_, Lang>),
    mut entries: Query<'_, '_, (&Entry, &mut Node)>,
    mut heads: Query<'_, '_, &mut Text, With<Head>>,
) {
    if !focus.is_changed() {
        return;
    }
    for (entry, mut node) in &mut entries {
        node.display = if entry.0.robot == focus.0 { Display::Flex } else { Display::None };
    }
    let Some(record) = replay.robots.get(focus.0) else { return };
    let several = if replay.robots.len() > 1 { lang.pick("   (R: the next robot)", "   （R：下一台机器人）") } else { "" };
    heads.iter_mut().for_each(|mut head| head.0 = format!("{}  {}{several}", record.name, record.robot));
}

/// `X` the list, `Tab` the next joint, `Esc` no x-ray, `T` as slow as shows the truth, or ×1 again.
pub(super) fn keys(
    keys: Res<'_, ButtonInput<KeyCode>>,
    (replay, subject, moment, rate): (Res<'_, Replay>, Res<'_, Subject>, Res<'_, Moment>, Res<'_, FrameRate>),
    mut xray: ResMut<'_, Xray>,
    mut playhead: ResMut<'_, Playhead>,
    mut lists: Query<'_, '_, &mut Node, With<List>>,
) {
    let mut show = |wanted: Option<bool>| {
        for mut list in &mut lists {
            let shown = wanted.unwrap_or(list.display == Display::None);
            list.display = if shown { Display::Flex } else { Display::None };
        }
    };
    if keys.just_pressed(KeyCode::KeyX) {
        show(None);
    }
    if keys.just_pressed(KeyCode::Escape) {
        show(Some(false));
        *xray = Xray::default();
    }
    if keys.just_pressed(KeyCode::Tab) {
        let back = keys.any_pressed([KeyCode::ShiftLeft, KeyCode::ShiftRight]);
        let joints = joints_with_drives(&replay);
        let now = xray.joint.and_then(|joint| joints.iter().position(|other| *other == joint));
        let next = match (now, back) {
            (None, _) => 0,
            (Some(now), false) => (now + 1) % joints.len(),
            (Some(now), true) => (now + joints.len() - 1) % joints.len(),
        };
        *xray = Xray { joint: joints.get(next).copied(), at_once: false };
    }
    if keys.just_pressed(KeyCode::KeyT)
        && let Some(shown) = &subject.shown
    {
        playhead.speed = slow_speed(&replay, shown, &moment, playhead.speed, rate.0);
    }
}

/// The greatest speed at which everything that turns is shown as it turns now; 1 when the speed is that already.
fn slow_speed(replay: &Replay, shown: &crate::xray::Shown, moment: &Moment, speed: f64, frame_hz: f64) -> f64 {
    let record = &replay.robots[shown.joint.robot];
    let slowest = moment.drives.iter().enumerate().filter_map(|(index, drive)| aliasing(record, shown, index, drive, 1.0, frame_hz));
    let wanted = slowest.map(|aliasing| 0.8 * aliasing.true_speed).fold(1.0, f64::min).clamp(SPEED_RANGE.0, SPEED_RANGE.1);
    if speed <= wanted { 1.0 } else { wanted }
}

/// A click near a joint's centre picks it.
pub(super) fn click(
    (buttons, windows): (Res<'_, ButtonInput<MouseButton>>, Query<'_, '_, &Window>),
    cameras: Query<'_, '_, (&Camera, &Transform), With<ReplayCamera>>,
    (replay, robots): (Res<'_, Replay>, Query<'_, '_, &ReplayRobot>),
    entries: Query<'_, '_, &Interaction, With<Entry>>,
    mut xray: ResMut<'_, Xray>,
    mut pressed: Local<'_, Option<Vec2>>,
) {
    let cursor = windows.iter().find_map(Window::cursor_position);
    if buttons.just_pressed(MouseButton::Left) {
        *pressed = cursor;
    }
    if !buttons.just_released(MouseButton::Left) || entries.iter().any(|entry| *entry != Interaction::None) {
        return;
    }
    let (Some(from), Some(to)) = (pressed.take(), cursor) else { return };
    let Some((camera, eye)) = cameras.iter().next().filter(|_| from.distance(to) <= DRAG_PX) else { return };
    let places = joints_with_drives(&replay).into_iter().filter_map(|joint| {
        let robot = robots.iter().find(|robot| robot.index == joint.robot)?;
        let child = replay.robots[joint.robot].model.joints()[joint.joint].child;
        let place = bevy_point(robot.posture.links.get(child)?.translation.vector.into());
        let seen = camera.world_to_viewport(&GlobalTransform::from(*eye), place).ok()?;
        Some((joint, seen.distance(to)))
    });
    if let Some((joint, _)) = places.filter(|(_, distance)| *distance <= CLICK_PX).min_by(|a, b| a.1.total_cmp(&b.1)) {
        *xray = Xray { joint: Some(joint), at_once: false };
    }
}

type Pressed<'w, 's> = Query<'w, 's, (&'static Interaction, &'static Entry), Changed<Interaction>>;

/// A click on a name of the list picks it and closes the list.
pub(super) fn choose(pressed: Pressed<'_, '_>, mut xray: ResMut<'_, Xray>, mut lists: Query<'_, '_, &mut Node, With<List>>) {
    if let Some((_, entry)) = pressed.iter().find(|(interaction, _)| **interaction == Interaction::Pressed) {
        *xray = Xray { joint: Some(entry.0), at_once: false };
        lists.iter_mut().for_each(|mut list| list.display = Display::None);
    }
}
