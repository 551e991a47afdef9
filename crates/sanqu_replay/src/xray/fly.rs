//! Takes the camera to the drive, keeps it there while the robot moves, and back.

use bevy::prelude::{Query, Res, ResMut, Resource, Transform, Vec3, With, Without};
use bevy::time::Time;
use nalgebra::{Point3, Vector3};

use super::layout::{Gear, Layout};
use super::moment::Moment;
use super::pick::{JointRef, Xray};
use super::subject::{Shown, Subject, outwards, world_from_gear};
use crate::camera::{CameraStart, Orbit, OrbitMut, ReplayCamera};
use crate::frame::{bevy_point, narrow};
use crate::replay::{Posture, Replay};
use crate::robots::ReplayRobot;

/// How long a flight takes, s.
const FLIGHT_SECS: f32 = 0.8;
/// Share of the free part of the picture that the drive fills.
const FILL: f32 = 0.95;
/// Height of a picture at which the widths of names (left) and figures (right) are these; what is left is at least so much, pixels.
const PICTURE_PX: f32 = 720.0;
const NAMES_PX: f32 = 270.0;
const FIGURES_PX: f32 = 392.0;
const FREE_MIN_PX: f32 = 90.0;
/// Room around the bars of a linkage, m.
const ROOM_M: f64 = 0.035;

/// Where the camera comes from and goes to.
#[derive(Resource, Debug, Default)]
pub(super) struct Flight {
    subject: Option<JointRef>,
    /// The view before the first x-ray.
    before: Option<Orbit>,
    from: Option<Orbit>,
    goal: Option<Orbit>,
    elapsed_secs: f32,
    /// Where the drive was in the last picture.
    centre: Option<Vec3>,
}

/// What to look at: centre, radius, direction towards the viewer; world, z up.
struct View {
    centre: Point3<f64>,
    radius_m: f64,
    towards: Vector3<f64>,
}

type Cameras<'w, 's> = Query<'w, 's, &'static mut Transform, (With<ReplayCamera>, Without<ReplayRobot>)>;

#[expect(clippy::too_many_arguments, reason = "a system's arguments are what it reads and writes")]
pub(super) fn fly(
    time: Res<'_, Time>,
    xray: Res<'_, Xray>,
    replay: Res<'_, Replay>,
    (subject, moment): (Res<'_, Subject>, Res<'_, Moment>),
    start: Res<'_, CameraStart>,
    robots: Query<'_, '_, &ReplayRobot>,
    mut flight: ResMut<'_, Flight>,
    orbit: OrbitMut<'_>,
    mut cameras: Cameras<'_, '_>,
) {
    let Some(mut orbit) = orbit else { return };
    let view = subject.shown.as_ref().and_then(|shown| {
        let robot = robots.iter().find(|robot| robot.index == shown.joint.robot)?;
        view(&replay, shown, &moment, &robot.posture)
    });
    let centre = view.as_ref().map(|view| bevy_point(view.centre.coords.into()));
    if subject.joint != flight.subject {
        flight.subject = subject.joint;
        let before = flight.before.unwrap_or(*orbit);
        flight.before = subject.joint.map(|_| before);
        flight.goal = match &view {
            Some(view) => Some(orbit_of(view, &start)),
            None => Some(before),
        };
        flight.from = Some(*orbit);
        flight.elapsed_secs = if xray.at_once { FLIGHT_SECS } else { 0.0 };
        flight.centre = centre;
    }
    let moved = centre.zip(flight.centre).map_or(Vec3::ZERO, |(now, last)| now - last);
    flight.centre = centre;
    if let Some(goal) = &mut flight.goal {
        goal.target += moved;
    }
    let next = match (flight.from, flight.goal) {
        (Some(from), Some(goal)) => {
            flight.elapsed_secs += time.delta_secs();
            let share = (flight.elapsed_secs / FLIGHT_SECS).clamp(0.0, 1.0);
            if share >= 1.0 {
                flight.from = None;
            }
            between(&from, &goal, share * share * (3.0 - 2.0 * share))
        }
        _ => Orbit { target: orbit.target + moved, ..*orbit },
    };
    if *orbit != next {
        *orbit = next;
        for mut camera in &mut cameras {
            *camera = next.transform();
        }
    }
}

fn between(from: &Orbit, goal: &Orbit, share: f32) -> Orbit {
    let turn = (goal.azimuth_rad - from.azimuth_rad + std::f32::consts::PI).rem_euclid(std::f32::consts::TAU) - std::f32::consts::PI;
    Orbit {
        target: from.target.lerp(goal.target, share),
        distance_m: from.distance_m * (goal.distance_m / from.distance_m).powf(share),
        azimuth_rad: from.azimuth_rad + turn * share,
        elevation_rad: from.elevation_rad + (goal.elevation_rad - from.elevation_rad) * share,
    }
}

fn orbit_of(view: &View, start: &CameraStart) -> Orbit {
    let towards = bevy_point(view.towards.into()).normalize_or(Vec3::Y);
    let half_px = PICTURE_PX / 2.0;
    // Names stand on the left, figures on the right, the timeline below: the drive is in the middle of what they leave.
    let free_px = (half_px * start.size.x / start.size.y - (NAMES_PX + FIGURES_PX) / 2.0).min(half_px * (1.0 - start.inset.bottom));
    let reach = (start.inset.fov_rad() / 2.0).sin() * FILL * free_px.max(FREE_MIN_PX) / half_px;
    let mut orbit = Orbit {
        target: bevy_point(view.centre.coords.into()),
        distance_m: narrow(view.radius_m) / reach,
        azimuth_rad: (-towards.z).atan2(towards.x),
        elevation_rad: towards.y.clamp(-1.0, 1.0).asin().clamp(-0.3, Orbit::ELEVATION_MAX_RAD),
    };
    let half_m = (start.inset.fov_rad() / 2.0).tan() * orbit.distance_m;
    let eye = orbit.transform();
    orbit.target += eye.right() * ((FIGURES_PX - NAMES_PX) / 2.0 / half_px * half_m) - eye.up() * (start.inset.bottom * half_m);
    orbit
}

fn view(replay: &Replay, shown: &Shown, moment: &Moment, posture: &Posture) -> Option<View> {
    let record = &replay.robots[shown.joint.robot];
    let child = posture.links[record.model.joints()[shown.joint.joint].child];
    let outwards = outwards(posture, &child);
    let (drive, layout): (_, &Layout) = (moment.drives.first()?, shown.layouts.first()?);
    let gear = world_from_gear(record, shown.joint, shown.drives[0], (&drive.state, shown.facings[0]), posture)?;
    let axis = gear.rotation * Vector3::z();
    if drive.state.bars.is_some_and(|bars| bars.crank.is_some()) || moment.drives.len() > 1 {
        let bars = || moment.drives.iter().filter_map(|drive| drive.state.bars);
        let points = bars().flat_map(|bars| {
            let link = posture.links[bars.link];
            bars.crank.into_iter().flatten().chain(bars.rod).chain(bars.horn).map(move |point| link * point)
        });
        let points: Vec<Point3<f64>> = points.collect();
        let (mut low, mut high) = (points.first()?.coords, points.first()?.coords);
        for point in &points {
            (low, high) = (low.inf(&point.coords), high.sup(&point.coords));
        }
        let horn = bars().next().map(|bars| posture.links[bars.link].rotation * (bars.horn[1] - bars.horn[0]))?;
        // On the side of the lever, so that rods are before the leg, and of the gear's open side.
        let side = if matches!(layout.gear, Gear::Screw(_)) { outwards } else { axis };
        let towards = horn.try_normalize(1e-6)? * 0.75 + side.try_normalize(1e-6)? * 0.75 + Vector3::z() * 0.25;
        return Some(View { centre: Point3::from((low + high) / 2.0), radius_m: (high - low).norm() / 2.0 + ROOM_M, towards });
    }
    let extent = layout.extent();
    // Across the axis: up and forwards, whichever is.
    let base = posture.links.first()?;
    let across = |wish: Vector3<f64>| (wish - axis * axis.dot(&wish)).try_normalize(0.1);
    let wish = match layout.gear {
        Gear::Screw(_) => outwards + base.rotation * Vector3::y() * 0.8,
        _ => Vector3::z() * 0.8 + base.rotation * Vector3::x() * 0.6,
    };
    let side = across(wish).or_else(|| across(Vector3::x()))?;
    let towards = axis * extent.tilt_rad.cos() + side * extent.tilt_rad.sin();
    Some(View { centre: gear * Point3::new(0.0, 0.0, extent.z_m), radius_m: extent.radius_m, towards })
}
