//! Names in the world: texts of the user interface that follow points of the scene.

use bevy::prelude::{
    BackgroundColor, BorderRadius, Camera, Camera3d, Color, Commands, Component, ComputedNode, Entity, GlobalTransform, Justify, Node,
    PositionType, Query, Rect, Res, ResMut, Text, TextColor, TextFont, TextLayout, Transform, UiRect, UiScale, UiTransform, Val, Val2,
    Vec2, Vec3, Visibility, With, Without,
};
use bevy::text::{FontSize, LineBreak};
use nalgebra::Point3;
use sanqu_robot::LinkPoses;

use super::font::ReplayFont;
use super::layout::{STATION_FRONT_M, world_from_station};
use crate::frame::bevy_point;
use crate::replay::{Replay, RobotRecord};
use crate::robots::ReplayRobot;

/// Height of a picture at which sizes in the user interface are pixels.
const REFERENCE_HEIGHT_PX: f32 = 720.0;
/// From one line of the legend to the next, pixels.
const LEGEND_LINE_PX: f32 = 29.0;
/// Scenes' names float at this height, m.
const SCENE_LABEL_M: f64 = 2.05;
/// How far above its highest link a robot's name floats, m.
const ROBOT_LABEL_M: f64 = 0.34;
/// Labels farther from the camera than this are hidden, m.
const FAR_M: f32 = 80.0;

/// A text that follows a point of the scene.
#[derive(Component, Clone, Copy, Debug)]
pub struct WorldLabel {
    /// The entity that it follows; none for a fixed point.
    pub follows: Option<Entity>,
    /// From the entity, or the fixed point; y up, m.
    pub offset: Vec3,
}

struct Style {
    size_px: f32,
    colour: Color,
    ground: Color,
}

/// Spawns the names of robots and scenes and the legend of the zones. Scenes are named where a robot of the replay stands.
pub(super) fn build_labels(
    mut commands: Commands<'_, '_>,
    replay: Res<'_, Replay>,
    robots: Query<'_, '_, &ReplayRobot>,
    font: Res<'_, ReplayFont>,
) {
    let mut put = |text: &str, style: &Style, node: Node| {
        let padding = UiRect::axes(Val::Px(7.0), Val::Px(2.0));
        let border_radius = BorderRadius::all(Val::Px(5.0));
        let node = Node { position_type: PositionType::Absolute, padding, border_radius, ..node };
        let font = TextFont { font: font.0.clone().into(), font_size: FontSize::Px(style.size_px), ..Default::default() };
        let layout = TextLayout { justify: Justify::Center, linebreak: LineBreak::NoWrap };
        commands.spawn((node, BackgroundColor(style.ground), Text::new(text), font, TextColor(style.colour), layout)).id()
    };
    // Zones are named in a legend: floors are wide, and names on them would hide robots.
    let mut top_px = 10.0;
    for zone in &replay.field.zones {
        let [r, g, b] = zone.colour;
        let style = Style { size_px: 15.0, colour: Color::WHITE, ground: Color::srgb(r * 0.8, g * 0.8, b * 0.8) };
        put(&both(&zone.name, &zone.name_en), &style, Node { right: Val::Px(12.0), top: Val::Px(top_px), ..Default::default() });
        top_px += LEGEND_LINE_PX;
    }
    let mut floating = Vec::new();
    let style = Style { size_px: 14.0, colour: Color::srgb(0.13, 0.16, 0.20), ground: Color::srgba(1.0, 1.0, 1.0, 0.72) };
    for place in replay.field.stations().filter(|place| replay.robots.iter().any(|robot| robot.station == place.station.id)) {
        let point = world_from_station(place.station) * Point3::new(STATION_FRONT_M * 0.62, 0.0, SCENE_LABEL_M);
        let name = format!("{} · {}", both(&place.scene.name, &place.scene.name_en), place.station.id);
        let label = WorldLabel { follows: None, offset: bevy_point(point.coords.into()) };
        floating.push((put(&name, &style, Node::default()), label));
    }
    let style = Style { size_px: 16.0, colour: Color::WHITE, ground: Color::srgba(0.09, 0.11, 0.14, 0.80) };
    for robot in &robots {
        let record = &replay.robots[robot.index];
        let offset = bevy_point([0.0, 0.0, head_height_m(record)]);
        let label = WorldLabel { follows: robot.links.first().copied(), offset };
        floating.push((put(&record.name, &style, Node::default()), label));
    }
    for (entity, label) in floating {
        commands.entity(entity).insert((label, Visibility::Hidden, UiTransform::from_translation(Val2::percent(-50.0, -50.0))));
    }
}

/// A name in both languages, or once when there is only one.
fn both(name: &str, name_en: &str) -> String {
    if name_en.is_empty() || name == name_en { name.to_owned() } else { format!("{name}  {name_en}") }
}

/// How far above its base the robot's name floats, m.
fn head_height_m(record: &RobotRecord) -> f64 {
    let mut poses = LinkPoses::default();
    let known = record.model.link_poses(record.track.rest(), &nalgebra::Isometry3::identity(), &mut poses).is_ok();
    let highest = poses.iter().filter(|_| known).map(|pose| pose.translation.z).fold(0.0, f64::max);
    highest + ROBOT_LABEL_M
}

type Labels<'w, 's> = Query<'w, 's, (&'static WorldLabel, &'static ComputedNode, &'static mut Node, &'static mut Visibility)>;
type View<'w, 's> = Query<'w, 's, (&'static Camera, &'static Transform), With<Camera3d>>;

/// Moves labels to where their points appear; those that the picture's edge would cut stand whole within it. Of labels that would cover each other the nearest is shown, a robot's name rather
/// than a scene's.
pub(super) fn follow(
    view: View<'_, '_>,
    followed: Query<'_, '_, &Transform, Without<Camera3d>>,
    scale: Res<'_, UiScale>,
    mut labels: Labels<'_, '_>,
) {
    let Ok((camera, transform)) = view.single() else { return };
    let picture = Rect::from_corners(Vec2::ZERO, camera.logical_viewport_size().unwrap_or_default() / scale.0);
    let mut seen = Vec::new();
    for (label, laid_out, node, mut visibility) in &mut labels {
        let base = label.follows.and_then(|entity| followed.get(entity).ok()).map_or(Vec3::ZERO, |transform| transform.translation);
        let point = base + label.offset;
        let away_m = transform.translation.distance(point);
        match camera.world_to_viewport(&GlobalTransform::from(*transform), point) {
            Ok(at) if away_m < FAR_M => {
                let place = Rect::from_center_size(at / scale.0, laid_out.size() * laid_out.inverse_scale_factor());
                seen.push((label.follows.is_none(), away_m, place, node, visibility));
            }
            _ => *visibility = Visibility::Hidden,
        }
    }
    seen.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let places: Vec<Rect> = seen.iter().map(|(_, _, place, ..)| *place).collect();
    for ((_, _, _, node, visibility), free) in seen.iter_mut().zip(uncovered(&places, picture)) {
        if let Some(at) = free.map(|place| place.center()) {
            (node.left, node.top) = (Val::Px(at.x), Val::Px(at.y));
        }
        **visibility = if free.is_some() { Visibility::Inherited } else { Visibility::Hidden };
    }
}

/// A place that the picture's edge cuts, moved so that it lies within; others stay where they are.
fn whole(place: Rect, picture: Rect) -> Rect {
    let lies_within = picture.contains(place.min) && picture.contains(place.max);
    if lies_within || place.intersect(picture).is_empty() || place.width() > picture.width() || place.height() > picture.height() {
        return place;
    }
    let half = place.half_size();
    Rect::from_center_half_size(place.center().clamp(picture.min + half, picture.max - half), half)
}

/// Where names with these places can stand one after the other, without covering one that stands already. A name that had to move
/// because of the picture's edge may also stand a line higher.
fn uncovered(places: &[Rect], picture: Rect) -> Vec<Option<Rect>> {
    let mut taken: Vec<Rect> = Vec::new();
    let take = |wanted: &Rect| {
        let place = whole(*wanted, picture);
        let above = Rect { min: place.min - Vec2::Y * place.height(), max: place.max - Vec2::Y * place.height() };
        let choices = std::iter::once(place).chain((place != *wanted).then_some(above));
        let free = choices.into_iter().find(|place| taken.iter().all(|other| other.intersect(*place).is_empty()));
        taken.extend(free);
        free
    };
    places.iter().map(take).collect()
}

/// Keeps texts at the same share of the picture's height.
pub(super) fn scale_texts(view: View<'_, '_>, mut scale: ResMut<'_, UiScale>) {
    let height = view.single().ok().and_then(|(camera, _)| camera.logical_viewport_size()).map(|size| size.y);
    if let Some(wanted) = height.map(|height| (height / REFERENCE_HEIGHT_PX).clamp(0.4, 4.0))
        && (wanted - scale.0).abs() > 1e-3
    {
        scale.0 = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn stand(places: &[Rect], expect: &[Option<Rect>]) {
        assert_eq!(uncovered(places, Rect::new(0.0, 0.0, 100.0, 50.0)), expect);
    }

    #[test]
    fn of_places_that_cover_each_other_the_first_is_taken() {
        let place = |x: f32| Rect::new(x, 20.1, x + 10.3, 25.7);
        // The second is covered by the first; the third only by the second, which is not shown.
        stand(&[place(0.0), place(6.0), place(12.7), place(10.1)], &[Some(place(0.0)), None, Some(place(12.7)), None]);
        // Texts that were not laid out yet cover nothing.
        let empty = Rect::new(3.0, 23.0, 3.0, 23.0);
        stand(&[empty, place(0.0)], &[Some(empty), Some(place(0.0))]);
    }

    #[test]
    fn a_name_that_the_edge_moves_onto_another_stands_above_it() {
        let place = |x: f32, y: f32| Rect::new(x, y, x + 10.0, y + 5.0);
        let cut = place(-4.0, 20.0);
        stand(&[place(8.0, 20.0), cut, cut], &[Some(place(8.0, 20.0)), Some(place(0.0, 15.0)), None]);
    }

    #[test]
    fn a_name_at_the_edge_is_shown_whole() {
        let picture = Rect::new(0.0, 0.0, 100.0, 50.0);
        let check = |place: [f32; 4], expect: [f32; 4]| {
            let [place, expect] = [place, expect].map(|[x, y, right, bottom]| Rect::new(x, y, right, bottom));
            assert_eq!(whole(place, picture), expect, "{place:?}");
        };
        check([-6.0, 10.0, 14.0, 20.0], [0.0, 10.0, 20.0, 20.0]);
        check([90.0, 45.0, 110.0, 55.0], [80.0, 40.0, 100.0, 50.0]);
        check([40.0, 10.0, 60.0, 20.0], [40.0, 10.0, 60.0, 20.0]);
        // What is not in the picture is not drawn into it, what is larger is not moved.
        check([-30.0, 10.0, -10.0, 20.0], [-30.0, 10.0, -10.0, 20.0]);
        check([-30.0, 10.0, 90.0, 20.0], [-30.0, 10.0, 90.0, 20.0]);
    }
}
