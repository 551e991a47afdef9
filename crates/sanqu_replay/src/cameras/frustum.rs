//! What the cameras see, as lines in the scene.

use bevy::gizmos::gizmos::Gizmos;
use bevy::math::{Vec2, Vec3};
use bevy::prelude::{Camera, Camera3d, Color, GlobalTransform, Query, Res, Transform, UiScale, With, Without};

use super::Mount;
use crate::bar::Panels;
use crate::frame::{bevy_from_world, bevy_point};
use crate::replay::Replay;
use crate::robots::ReplayRobot;
use crate::timeline::Playhead;

/// How far the lines reach, m.
const DEPTH_M: f64 = 0.3;
/// Lines that would appear smaller than this are not drawn: they would be a blot over the robot. In the user interface's pixels.
const EXTENT_MIN_PX: f32 = 40.0;
/// Colour of a camera whose place is known, and of one where something is assumed; grey when its picture is not of this instant.
const KNOWN: Color = Color::srgb(0.94, 0.60, 0.0);
const ASSUMED: Color = Color::srgb(0.80, 0.47, 0.65);
const STALE: Color = Color::srgb(0.55, 0.55, 0.55);

/// The corners of what a camera sees at a depth of [`DEPTH_M`], in its own frame (x forward, z up, m): upper left, upper
/// right, lower right, lower left as seen from the camera.
pub fn corners(mount: &Mount, aspect: f32) -> [[f64; 3]; 4] {
    let half_width = DEPTH_M * (mount.fov_rad / 2.0).tan();
    let half_height = half_width / f64::from(aspect);
    [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]].map(|[left, up]| [DEPTH_M, left * half_width, up * half_height])
}

type LinkPlaces<'w, 's> = Query<'w, 's, &'static Transform, Without<ReplayRobot>>;
type View<'w, 's> = Query<'w, 's, (&'static Camera, &'static Transform), With<Camera3d>>;

pub(super) fn draw(
    (replay, playhead, panels): (Res<'_, Replay>, Res<'_, Playhead>, Res<'_, Panels>),
    robots: Query<'_, '_, &ReplayRobot>,
    links: LinkPlaces<'_, '_>,
    (view, scale): (View<'_, '_>, Res<'_, UiScale>),
    mut gizmos: Gizmos<'_, '_>,
) {
    if !panels.0 {
        return;
    }
    let Ok((eye, eye_place)) = view.single() else { return };
    let appears_at = |point: Vec3| eye.world_to_viewport(&GlobalTransform::from(*eye_place), point).ok().map(|at| at / scale.0);
    for camera in &replay.cameras {
        let Some(mount) = &camera.mount else { continue };
        let robot = robots.iter().find(|robot| robot.index == camera.robot);
        let link = robot.and_then(|robot| robot.links.get(mount.link)).and_then(|entity| links.get(*entity).ok());
        let Some(link) = link else { continue };
        let place = *link * bevy_from_world(&mount.link_from_camera);
        let lane = &replay.lanes[camera.lane];
        let stale = lane.in_gap(playhead.t_ns) || lane.age_ns(playhead.t_ns).is_none_or(|age| age > lane.stale_age_ns());
        let colour = match (stale, mount.assumed) {
            (true, _) => STALE,
            (false, true) => ASSUMED,
            (false, false) => KNOWN,
        };
        let corners: [Vec3; 4] = corners(mount, camera.aspect).map(|corner| place.transform_point(bevy_point(corner)));
        if is_blot(std::iter::once(place.translation).chain(corners).map(appears_at)) {
            continue;
        }
        for (index, corner) in corners.iter().enumerate() {
            gizmos.line(place.translation, *corner, colour);
            gizmos.line(*corner, corners[(index + 1) % 4], colour);
        }
    }
}

/// Whether lines between points that appear at these places (none: behind the eye) are too small to be told from each other.
fn is_blot(places: impl Iterator<Item = Option<Vec2>>) -> bool {
    let Some(places) = places.collect::<Option<Vec<Vec2>>>() else { return false };
    let (low, high) = places.iter().fold((Vec2::INFINITY, Vec2::NEG_INFINITY), |(low, high), at| (low.min(*at), high.max(*at)));
    (high - low).max_element() < EXTENT_MIN_PX
}

#[cfg(test)]
mod tests {
    use nalgebra::Isometry3;

    use super::*;

    #[test]
    fn the_lines_open_as_far_as_the_camera_sees() {
        let mount = Mount { link: 0, link_from_camera: Isometry3::identity(), fov_rad: 1.2, assumed: false };
        let [upper_left, upper_right, lower_right, _] = corners(&mount, 2.0);
        let angle = |a: [f64; 3], b: [f64; 3]| {
            let (a, b) = (nalgebra::Vector3::from(a), nalgebra::Vector3::from(b));
            a.angle(&b)
        };
        let middle = |a: [f64; 3], b: [f64; 3]| [0, 1, 2].map(|axis| (a[axis] + b[axis]) / 2.0);
        assert!(
            (angle(middle(upper_left, [DEPTH_M, upper_left[1], -upper_left[2]]), middle(upper_right, lower_right)) - 1.2).abs() < 1e-12
        );
        assert!(upper_left[1] > 0.0 && upper_left[2] > 0.0 && (upper_left[1] / upper_left[2] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn lines_that_appear_small_are_a_blot() {
        let blot = |places: &[(f32, f32)]| is_blot(places.iter().map(|at| Some(Vec2::from(*at))));
        assert!(blot(&[(100.0, 100.0), (139.0, 100.0), (120.0, 139.0)]));
        assert!(!blot(&[(100.0, 100.0), (141.0, 100.0)]) && !blot(&[(100.0, 100.0), (100.0, 59.0)]), "either way");
        assert!(!is_blot([Some(Vec2::ZERO), None].into_iter()), "what reaches behind the eye is near");
    }
}
