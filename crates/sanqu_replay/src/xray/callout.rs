//! Names of the parts at the picture's left side, with lines to what they name, and what one has to know about the drawing.

use bevy::math::Rot2;
use bevy::prelude::{
    BackgroundColor, BorderColor, BorderRadius, Camera, ChildOf, Color, Commands, Component, Entity, GlobalTransform, Local, Node,
    PositionType, Query, Res, Text, TextColor, TextFont, TextLayout, Transform, UiRect, UiScale, UiTransform, Val, Vec2, Vec3, Visibility,
    With, Without,
};
use bevy::text::{FontSize, LineBreak};

use super::layout::{Gear, Layout};
use super::moment::{FrameRate, Moment, RotorSource, aliasing, aliasing_words};
use super::part::{Callout, PartName, XrayPart};
use super::pick::{JointRef, full_name};
use super::solid::{at, steps};
use super::subject::{Shown, Subject};
use super::telemetry::RobotDrives;
use crate::camera::ReplayCamera;
use crate::frame::narrow;
use crate::lang::Lang;
use crate::replay::Replay;
use crate::scene::ReplayFont;
use crate::timeline::Playhead;

/// Where the column of names begins, pixels of a picture 720 high.
const LEFT_PX: f32 = 12.0;
const TOP_PX: f32 = 122.0;
const STEP_PX: f32 = 31.0;
/// A line starts this far from the picture's left edge.
const LINE_FROM_PX: f32 = 262.0;
const NAME_WIDTH_PX: f32 = 250.0;
const LINE_PX: f32 = 1.5;
const DOT_PX: f32 = 6.0;
/// Half the height of a picture.
const MIDDLE_PX: f32 = 300.0;

/// A name, its line and its dot.
#[derive(Component)]
pub(super) struct Name {
    callout: Callout,
    line: Entity,
    dot: Entity,
}

/// The text with what one has to know.
#[derive(Component)]
pub(super) struct Notes;

/// Everything of one subject.
#[derive(Component)]
pub(super) struct OfSubject;

/// Exchanges the names when another joint is shown.
pub(super) fn build(
    mut commands: Commands<'_, '_>,
    (subject, lang): (Res<'_, Subject>, Res<'_, Lang>),
    font: Option<Res<'_, ReplayFont>>,
    old: Query<'_, '_, Entity, With<OfSubject>>,
    mut last: Local<'_, Option<JointRef>>,
) {
    let Some(font) = font.filter(|_| *last != subject.joint) else { return };
    *last = subject.joint;
    old.iter().for_each(|entity| commands.entity(entity).despawn());
    if subject.joint.is_none() {
        return;
    }
    let face = |size: f32| TextFont { font: font.0.clone().into(), font_size: FontSize::Px(size), ..Default::default() };
    let ground = BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.80));
    let bright = TextColor(Color::srgb(0.94, 0.95, 0.96));
    let absolute =
        |left: f32, top: f32| Node { position_type: PositionType::Absolute, left: Val::Px(left), top: Val::Px(top), ..Default::default() };
    let callouts = subject.shown.as_ref().and_then(|shown| shown.layouts.first()).map(|layout| layout.callouts(*lang)).unwrap_or_default();
    let mut top = TOP_PX;
    for callout in callouts {
        let [r, g, b, _] = callout.paint.rgba();
        let colour = Color::srgb(r, g, b);
        let line =
            commands.spawn((absolute(0.0, 0.0), BackgroundColor(colour), UiTransform::default(), Visibility::Hidden, OfSubject)).id();
        let dot = Node { width: Val::Px(DOT_PX), height: Val::Px(DOT_PX), border_radius: BorderRadius::MAX, ..absolute(0.0, 0.0) };
        let dot = commands.spawn((dot, BackgroundColor(colour), Visibility::Hidden, OfSubject)).id();
        let node = Node {
            width: Val::Px(NAME_WIDTH_PX),
            padding: UiRect::axes(Val::Px(7.0), Val::Px(3.0)),
            border: UiRect::left(Val::Px(7.0)),
            border_radius: BorderRadius::all(Val::Px(3.0)),
            ..absolute(LEFT_PX, top)
        };
        let text = (Text::new(callout.text.clone()), face(12.5), bright, TextLayout { linebreak: LineBreak::NoWrap, ..Default::default() });
        commands.spawn((node, ground, BorderColor::all(colour), text, Name { callout, line, dot }, OfSubject));
        top += STEP_PX;
    }
    let node = Node { width: Val::Px(NAME_WIDTH_PX), padding: UiRect::all(Val::Px(7.0)), ..absolute(LEFT_PX, top + 4.0) };
    let node = Node { border_radius: BorderRadius::all(Val::Px(3.0)), ..node };
    commands.spawn((node, ground, Text::default(), face(12.0), TextColor(Color::srgb(0.98, 0.88, 0.62)), Notes, OfSubject));
}

type Pieces<'w, 's> = Query<'w, 's, (&'static mut Node, &'static mut Visibility, Option<&'static mut UiTransform>), Without<Name>>;
type Names<'w, 's> = Query<'w, 's, (&'static Name, &'static mut Node)>;
type View<'w, 's> = Query<'w, 's, (&'static Camera, &'static Transform), With<ReplayCamera>>;
/// Frames of gears and linkages, and the parts in them.
type Placed<'w, 's> =
    (Query<'w, 's, &'static Transform, Without<ReplayCamera>>, Query<'w, 's, (&'static XrayPart, &'static Transform, &'static ChildOf)>);

/// Where parts appear in the picture, pixels of the user interface.
struct Eye<'a> {
    camera: &'a Camera,
    transform: &'a Transform,
    scale: f32,
}

impl Eye<'_> {
    /// The nearest to `from` of the points that a callout may end at.
    fn nearest(&self, callout: &Callout, from: Vec2, (frames, parts): &Placed<'_, '_>, gear: Entity) -> Option<Vec2> {
        let world: Vec<Vec3> = match callout.part {
            Some(part) => {
                let same = parts.iter().filter(|(found, ..)| found.drive == 0 && same_kind(found.name, part));
                let front =
                    |place: &Transform| if callout.z_m == 0.0 { place.translation } else { place.translation.with_y(narrow(callout.z_m)) };
                same.filter_map(|(_, place, parent)| Some(frames.get(parent.parent()).ok()?.transform_point(front(place)))).collect()
            }
            None => {
                let frame = frames.get(gear).ok()?;
                steps(48).map(|phi| frame.transform_point(at(callout.rho_m, phi, callout.z_m))).collect()
            }
        };
        let seen = |point| self.camera.world_to_viewport(&GlobalTransform::from(*self.transform), point).ok();
        world.into_iter().filter_map(seen).map(|point| point / self.scale).min_by(|a, b| a.distance(from).total_cmp(&b.distance(from)))
    }
}

/// Draws lines to where the parts appear. Names stand in the order of what they name, so that lines do not cross.
pub(super) fn follow(
    view: View<'_, '_>,
    (subject, scale): (Res<'_, Subject>, Res<'_, UiScale>),
    placed: Placed<'_, '_>,
    mut names: Names<'_, '_>,
    mut pieces: Pieces<'_, '_>,
) {
    let (Ok((camera, transform)), Some(shown)) = (view.single(), &subject.shown) else { return };
    let (eye, Some(gear)) = (Eye { camera, transform, scale: scale.0 }, shown.gears.first()) else { return };
    let middle = Vec2::new(LINE_FROM_PX, MIDDLE_PX);
    let mut ends: Vec<_> =
        names.iter_mut().filter_map(|(name, node)| Some((eye.nearest(&name.callout, middle, &placed, *gear)?, name, node))).collect();
    ends.sort_by(|(a, ..), (b, ..)| a.y.total_cmp(&b.y));
    let mut top = TOP_PX;
    for (_, name, mut node) in ends {
        node.top = Val::Px(top);
        let from = Vec2::new(LINE_FROM_PX, top + 11.0);
        top += STEP_PX;
        let Some(to) = eye.nearest(&name.callout, from, &placed, *gear) else { continue };
        let (span, middle) = (to - from, (to + from) / 2.0);
        if let Ok((mut node, mut visibility, Some(mut turned))) = pieces.get_mut(name.line) {
            *visibility = Visibility::Inherited;
            (node.left, node.top) = (Val::Px(middle.x - span.length() / 2.0), Val::Px(middle.y - LINE_PX / 2.0));
            (node.width, node.height) = (Val::Px(span.length()), Val::Px(LINE_PX));
            turned.rotation = Rot2::radians(span.y.atan2(span.x));
        }
        if let Ok((mut node, mut visibility, _)) = pieces.get_mut(name.dot) {
            *visibility = Visibility::Inherited;
            (node.left, node.top) = (Val::Px(to.x - DOT_PX / 2.0), Val::Px(to.y - DOT_PX / 2.0));
        }
    }
}

/// Writes what one has to know.
pub(super) fn write_notes(
    (subject, moment, replay, lang): (Res<'_, Subject>, Res<'_, Moment>, Res<'_, Replay>, Res<'_, Lang>),
    (playhead, rate): (Res<'_, Playhead>, Res<'_, FrameRate>),
    mut texts: Query<'_, '_, &mut Text, With<Notes>>,
) {
    let written = notes(&replay, &subject, &moment, (playhead.speed, rate.0), *lang).join("\n");
    for mut text in &mut texts {
        if text.0 != written {
            text.0.clone_from(&written);
        }
    }
}

fn same_kind(a: PartName, b: PartName) -> bool {
    match (a, b) {
        (PartName::Planet(a, _), PartName::Planet(b, _)) => a == b,
        (PartName::Roller(_), PartName::Roller(_)) | (PartName::Ball(_), PartName::Ball(_)) => true,
        _ => a == b,
    }
}

/// What one has to know about the drawing, a line each; `speed` and pictures a second say what aliases.
pub fn notes(replay: &Replay, subject: &Subject, moment: &Moment, (speed, frame_hz): (f64, f64), lang: Lang) -> Vec<String> {
    let Some(shown) = &subject.shown else {
        let name = subject.joint.map(|joint| full_name(replay, joint)).unwrap_or_default();
        return vec![format!("{name}: {}", subject.problem.clone().unwrap_or_default())];
    };
    let live = shown.of(replay).is_some_and(RobotDrives::is_live);
    let mut notes = Vec::new();
    let mut note = |en: &str, zh: &str| notes.push(format!("· {}", lang.pick(en, zh)));
    if moment.joint_stale {
        note("gap: no joint rows here; grey is the last known state", "缺口：此处没有关节数据；灰色为最后已知状态");
    } else if moment.drives.iter().any(|drive| drive.motor_stale) {
        note("gap: no motor rows here; grey is the last known state", "缺口：此处没有电机数据；灰色为最后已知状态");
    }
    if moment.drives.iter().any(|drive| drive.source == RotorSource::Computed && !drive.motor_stale) {
        let (en, zh) = match live {
            true => ("the motor is not sent: its angle is computed from the joint", "电机数据未发送：转角由关节计算"),
            false => ("the motor was not recorded: its angle is computed from the joint", "电机未记录：转角由关节计算"),
        };
        note(en, zh);
    }
    if moment.drives.iter().any(|drive| drive.source == RotorSource::TurnsFromJoint) {
        let (en, zh) = match live {
            true => ("the motor is sent within one turn: whole turns are rebuilt from the joint", "电机只发送单圈：圈数由关节推算"),
            false => ("the motor was recorded within one turn: whole turns are rebuilt from the joint", "电机只记录单圈：圈数由关节推算"),
        };
        note(en, zh);
    }
    if let Some(problem) = &moment.problem {
        note(&format!("cannot be drawn here: {problem}"), &format!("此处不能画：{problem}"));
    }
    let record = &replay.robots[shown.joint.robot];
    let words = |(index, drive)| aliasing_words(&aliasing(record, shown, index, drive, speed, frame_hz)?, speed, frame_hz, lang);
    notes.extend(moment.drives.iter().enumerate().find_map(words).map(|words| format!("· {words}")));
    notes.extend(shown.layouts.first().into_iter().flat_map(|layout| drawing_notes(layout, lang)));
    notes.extend(assumed(replay, shown, lang));
    notes
}

/// How the drawing differs from the thing.
fn drawing_notes(layout: &Layout, lang: Lang) -> Vec<String> {
    let mut notes = Vec::new();
    match &layout.gear {
        Gear::StrainWave(gear) => {
            let words = lang.pick(
                "deflection enlarged; the shape follows the wave generator, the teeth follow the output",
                "变形放大；形状随波发生器，齿随输出",
            );
            notes.push(format!("· ×{:.0} {words}", gear.exaggeration));
        }
        Gear::Planetary(gear) if gear.is_drawn_apart() => notes.push(lang.pick("· stages are drawn apart", "· 各级分开画").to_owned()),
        Gear::Screw(_) => {
            notes.push(lang.pick("· phase of the rollers is nominal; travel is exact", "· 滚柱相位为名义值；行程准确").to_owned());
        }
        Gear::Plain(_) | Gear::Planetary(_) => {}
    }
    if !layout.guesses.is_empty() {
        let words = lang.pick("not described, chosen for the drawing:", "描述中没有，绘图选定：");
        notes.push(format!("· {words} {}", layout.guesses.join(", ")));
    }
    notes
}

/// Which parts of the description are assumed.
fn assumed(replay: &Replay, shown: &Shown, lang: Lang) -> Option<String> {
    let drive = shown.of(replay)?.table.drives().get(*shown.drives.first()?)?;
    let fields = ["reducer", "arrangement", "ratio", "sign", "strain_wave", "planetary", "roller_screw", "linkage"];
    let names: Vec<&str> = fields.into_iter().filter(|field| drive.is_assumed(field)).collect();
    (!names.is_empty()).then(|| format!("· {} {}", lang.pick("assumed, not published:", "假设，未公布："), names.join(", ")))
}
