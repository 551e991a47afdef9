//! Where the viewer stands: presets that frame the robots, from their recorded places.

use bevy::camera::RenderTarget;
use bevy::core_pipeline::tonemapping::{DebandDither, Tonemapping};
use bevy::ecs::schedule::IntoScheduleConfigs;
use bevy::image::Image;
use bevy::pbr::DistanceFog;
use bevy::prelude::{
    App, Assets, Camera3d, Commands, Component, IsDefaultUiCamera, Msaa, PerspectiveProjection, Plugin, Projection, Query, Res, ResMut,
    Resource, Startup, Transform, Update, Vec2, Vec3, With,
};
use nalgebra::Point3;

use crate::frame::bevy_point;
use crate::replay::Replay;
use crate::scene::{Quality, fog, hall};
use crate::timeline::ReplaySystems;

/// Vertical field of view, rad.
pub const FOV_RAD: f32 = 0.62;
/// Height that is framed around a robot, m.
const FRAME_HEIGHT_M: f64 = 1.85;

/// From where a robot is looked at, from its heading counter-clockwise: beside the furniture before it.
const ROBOT_VIEWS_RAD: [f32; 4] = [-1.12, 1.12, -2.2, 2.2];
/// A robot this near to the line of sight is in the way, m.
const BLOCKED_M: f32 = 1.0;

/// The camera presets, in the order of the keys 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Preset {
    /// All robots with their stations.
    #[default]
    Overview,
    /// The robot of this number, from 0.
    Robot(usize),
    /// Robots from where they look.
    Front,
    /// From above.
    Top,
}

impl Preset {
    /// Names on the command line.
    pub const NAMES: [&'static str; 5] = ["overview", "robot1", "robot2", "front", "top"];

    /// A preset by its name; `robotN` counts from 1.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "overview" => Some(Self::Overview),
            "front" => Some(Self::Front),
            "top" => Some(Self::Top),
            other => other.strip_prefix("robot")?.parse::<usize>().ok()?.checked_sub(1).map(Self::Robot),
        }
    }
}

/// What of the picture is covered by panels, as shares of its width and height.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inset {
    /// At the left.
    pub left: f32,
    /// At the right.
    pub right: f32,
    /// At the bottom.
    pub bottom: f32,
}

impl Inset {
    /// The vertical field of view of the whole picture that leaves [`FOV_RAD`] for what is free of it.
    pub fn fov_rad(&self) -> f32 {
        2.0 * ((FOV_RAD / 2.0).tan() / (1.0 - self.bottom)).atan()
    }
}

/// The viewer's place as an orbit around a point; y up, m, rad.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Orbit {
    /// The point looked at.
    pub target: Vec3,
    /// Distance from it.
    pub distance_m: f32,
    /// Direction from the target to the eye on the floor plane, counter-clockwise from x as seen from above.
    pub azimuth_rad: f32,
    /// Height of the eye's direction above the floor plane.
    pub elevation_rad: f32,
}

impl Orbit {
    /// Steepest view.
    pub const ELEVATION_MAX_RAD: f32 = 1.55;

    fn direction(azimuth_rad: f32, elevation_rad: f32) -> Vec3 {
        let (sin, cos) = azimuth_rad.sin_cos();
        Vec3::new(cos * elevation_rad.cos(), elevation_rad.sin(), -sin * elevation_rad.cos())
    }

    /// The camera's transform.
    pub fn transform(&self) -> Transform {
        let eye = self.target + Self::direction(self.azimuth_rad, self.elevation_rad) * self.distance_m;
        Transform::from_translation(eye).looking_at(self.target, Vec3::Y)
    }

    /// The nearest orbit in this direction that has all `points` in a picture of this `aspect` (width by height).
    fn framing(points: &[Vec3], azimuth_rad: f32, elevation_rad: f32, aspect: f32) -> Self {
        let low = points.iter().copied().reduce(Vec3::min).unwrap_or(Vec3::ZERO);
        let high = points.iter().copied().reduce(Vec3::max).unwrap_or(Vec3::ONE);
        let target = (low + high) / 2.0;
        let back = Self::direction(azimuth_rad, elevation_rad);
        let right = Vec3::Y.cross(back).try_normalize().unwrap_or(Vec3::X);
        let up = back.cross(right);
        let tangent = (FOV_RAD / 2.0).tan();
        let distance_m = points.iter().fold(0.5_f32, |distance, point| {
            let from = *point - target;
            let across = (from.dot(right).abs() / (tangent * aspect)).max(from.dot(up).abs() / tangent);
            distance.max(across + from.dot(back))
        });
        Self { target, distance_m, azimuth_rad, elevation_rad }
    }

    /// Whether another robot than `index` stands between the eye and the target, as seen from above.
    fn is_blocked(&self, replay: &Replay, index: usize) -> bool {
        let flat = |point: Vec3| Vec2::new(point.x, point.z);
        let (from, to) = (flat(self.transform().translation), flat(self.target));
        let along = to - from;
        replay.robots.iter().enumerate().filter(|(other, _)| *other != index).any(|(_, record)| {
            let place = flat(bevy_point(record.world_from_station.translation.vector.into()));
            let share = ((place - from).dot(along) / along.length_squared().max(f32::EPSILON)).clamp(0.0, 1.0);
            place.distance(from + along * share) < BLOCKED_M
        })
    }

    /// The orbit of a preset for a picture of this `aspect` of which panels cover `inset`. With [`Inset::fov_rad`], what is
    /// framed stays beside them, seen from the same distance as without them.
    pub fn preset_beside(preset: Preset, replay: &Replay, aspect: f32, inset: Inset) -> Self {
        let mut orbit = Self::preset(preset, replay, aspect * (1.0 - inset.left - inset.right) / (1.0 - inset.bottom));
        let view = orbit.transform();
        let half_height_m = (inset.fov_rad() / 2.0).tan() * orbit.distance_m;
        orbit.target += view.right() * ((inset.right - inset.left) * half_height_m * aspect) - view.up() * (inset.bottom * half_height_m);
        orbit
    }

    /// The orbit of a preset for a picture of this `aspect` (width by height). A robot that is not there counts as the last.
    pub fn preset(preset: Preset, replay: &Replay, aspect: f32) -> Self {
        let Some(last) = replay.robots.len().checked_sub(1) else { return Self::framing(&[], 0.0, 0.5, aspect) };
        let heading = |index: usize| {
            let (_, _, yaw) = replay.robots[index].world_from_station.rotation.euler_angles();
            crate::frame::narrow(yaw)
        };
        let all =
            |back: f64, front: f64, side: f64| (0..=last).flat_map(|index| corners(replay, index, [back, front, side])).collect::<Vec<_>>();
        match preset {
            Preset::Overview => Self::framing(&all(0.7, 2.1, 0.9), heading(0) - 1.22, 0.32, aspect),
            Preset::Front => Self::framing(&all(0.4, 0.6, 0.7), heading(0), 0.50, aspect),
            Preset::Top => Self::framing(&all(1.2, 3.4, 1.6), heading(0) - std::f32::consts::PI, Self::ELEVATION_MAX_RAD, aspect),
            Preset::Robot(number) => {
                let index = number.min(last);
                let box_around = corners(replay, index, [0.45, 0.75, 0.5]);
                let from = |side_rad: f32| Self::framing(&box_around, heading(index) + side_rad, 0.16, aspect);
                // From the right, unless another robot stands in the way there.
                ROBOT_VIEWS_RAD
                    .into_iter()
                    .map(from)
                    .find(|orbit| !orbit.is_blocked(replay, index))
                    .unwrap_or_else(|| from(ROBOT_VIEWS_RAD[0]))
            }
        }
    }
}

/// The box around a robot's place: behind, before and beside it, m.
fn corners(replay: &Replay, index: usize, [back, front, side]: [f64; 3]) -> Vec<Vec3> {
    let place = &replay.robots[index].world_from_station;
    let corner = |x: f64, y: f64, z: f64| bevy_point((place * Point3::new(x, y, z)).coords.into());
    let mut corners = Vec::with_capacity(8);
    for x in [-back, front] {
        for y in [-side, side] {
            corners.extend([corner(x, y, 0.0), corner(x, y, FRAME_HEIGHT_M)]);
        }
    }
    corners
}

/// The camera of the replay.
#[derive(Component)]
pub struct ReplayCamera;

/// Which preset the view begins with, for which picture, and where it goes.
#[derive(Resource, Clone, Debug)]
pub struct CameraStart {
    /// The preset.
    pub preset: Preset,
    /// Size of the picture, pixels.
    pub size: Vec2,
    /// What to draw into; none for the window.
    pub target: Option<RenderTarget>,
    /// What panels cover.
    pub inset: Inset,
}

/// Spawns the camera and keeps it on the [`Orbit`].
pub struct CameraPlugin;

impl Plugin for CameraPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, spawn_camera);
        app.add_systems(Update, follow_orbit.in_set(ReplaySystems::Apply));
    }
}

fn spawn_camera(
    mut commands: Commands<'_, '_>,
    start: Res<'_, CameraStart>,
    replay: Res<'_, Replay>,
    quality: Res<'_, Quality>,
    mut images: ResMut<'_, Assets<Image>>,
) {
    let orbit = Orbit::preset_beside(start.preset, &replay, start.size.x / start.size.y, start.inset);
    let camera = (
        ReplayCamera,
        Camera3d::default(),
        // A camera that draws into a picture gets the texts only when it says so.
        IsDefaultUiCamera,
        Projection::Perspective(PerspectiveProjection { fov: start.inset.fov_rad(), near: 0.05, far: 400.0, ..Default::default() }),
        // The tone curves that bevy prefers need tables that are not linked; this one keeps the zones' hues.
        Tonemapping::SomewhatBoringDisplayTransform,
        if quality.smooth_edges { Msaa::Sample4 } else { Msaa::Off },
        if quality.smooth_edges { DebandDither::Enabled } else { DebandDither::Disabled },
        orbit.transform(),
    );
    let mut entity = commands.spawn(camera);
    if quality.shadows {
        entity.insert((hall(&mut images), fog(orbit.distance_m)));
    }
    if let Some(target) = &start.target {
        entity.insert(target.clone());
    }
    commands.insert_resource(orbit);
}

type Cameras<'w, 's> = Query<'w, 's, (&'static mut Transform, Option<&'static mut DistanceFog>), With<ReplayCamera>>;

fn follow_orbit(orbit: Res<'_, Orbit>, mut cameras: Cameras<'_, '_>) {
    for (mut transform, veil) in &mut cameras {
        *transform = orbit.transform();
        if let Some(mut veil) = veil {
            *veil = fog(orbit.distance_m);
        }
    }
}

/// The orbit as a system may change it; absent before the first frame.
pub type OrbitMut<'w> = Option<ResMut<'w, Orbit>>;

#[cfg(test)]
mod tests {
    use sanqu_model::FieldConfig;

    use super::*;

    #[test]
    fn preset_names() {
        assert_eq!(Preset::NAMES.map(|name| Preset::parse(name).is_some()), [true; 5]);
        assert_eq!(Preset::parse("robot3"), Some(Preset::Robot(2)));
        for bad in ["robot0", "robot", "side", "robotx"] {
            assert_eq!(Preset::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn framing_has_every_point_in_the_picture_and_none_far_from_its_edge() {
        let points: Vec<Vec3> = [(-1.0, 0.0, 2.0), (3.0, 1.8, -4.0), (0.0, 1.0, 0.0), (3.0, 0.0, 2.0)].map(Vec3::from).to_vec();
        for (azimuth, elevation, aspect) in [(0.0, 0.3, 1.78), (2.1, 0.9, 0.6), (-1.0, Orbit::ELEVATION_MAX_RAD, 1.0)] {
            let view = Orbit::framing(&points, azimuth, elevation, aspect).transform().to_matrix().inverse();
            let tangent = (FOV_RAD / 2.0).tan();
            let edge = points.iter().fold(0.0_f32, |edge, point| {
                let seen = view.transform_point3(*point);
                assert!(seen.z < 0.0, "behind the camera");
                edge.max((seen.x / (-seen.z * tangent * aspect)).abs()).max((seen.y / (-seen.z * tangent)).abs())
            });
            assert!((0.98..=1.001).contains(&edge), "{edge}");
        }
    }

    #[test]
    fn what_is_framed_lies_beside_the_panels() {
        let replay = Replay::new(FieldConfig::parse("field = \"f\"\nname = \"f\"\ntime_zone = \"UTC\"\n").unwrap(), Vec::new(), 0, 1);
        let inset = Inset { left: 0.1, right: 0.3, bottom: 0.25 };
        let free = Orbit::preset(Preset::Front, &replay, 1.5 * 0.6 / 0.75);
        let beside = Orbit::preset_beside(Preset::Front, &replay, 1.5, inset);
        let tangent = (inset.fov_rad() / 2.0).tan();
        let seen = beside.transform().to_matrix().inverse().transform_point3(free.target);
        let (x, y) = (seen.x / (-seen.z * tangent * 1.5), seen.y / (-seen.z * tangent));
        assert!((x + 0.2).abs() < 1e-4 && (y - 0.25).abs() < 1e-4, "the middle of the free part is at -0.2, 0.25, not {x}, {y}");
        assert!((Inset::default().fov_rad() - FOV_RAD).abs() < 1e-6);
    }
}
