//! The joint that is looked into: its drives, how they are drawn, what was recorded of them.

use bevy::prelude::{ChildOf, Commands, Entity, Name, Query, Res, ResMut, Resource, Transform, Visibility};
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};
use sanqu_robot::{DriveState, RobotError};

use super::layout::{Gear, Layout, crank_axis, seat};
use super::part::XrayPart;
use super::pick::{JointRef, Xray};
use super::telemetry::{RobotDrives, Telemetry};
use crate::replay::{Posture, Replay, RobotRecord};
use crate::robots::ReplayRobot;

/// A tip that is nearer than this to the plane of its crank's pivot does not say on which side the gear is, m.
const TIP_OFFSET_MIN_M: f64 = 1e-3;

/// What is shown; empty for an ordinary view.
#[derive(Resource, Debug, Default)]
pub struct Subject {
    /// The joint asked for.
    pub joint: Option<JointRef>,
    /// Its drives; none where they cannot be shown.
    pub shown: Option<Shown>,
    /// Why they cannot be shown.
    pub problem: Option<String>,
}

/// The drives of the joint.
#[derive(Debug)]
pub struct Shown {
    /// The joint.
    pub joint: JointRef,
    /// Indices of its drives in the robot's table.
    pub drives: Vec<usize>,
    /// How each is drawn.
    pub layouts: Vec<Layout>,
    /// 1 or −1 for each: see [`super::layout::Seat::facing`].
    pub facings: Vec<f64>,
    /// What was recorded of them.
    pub telemetry: Telemetry,
    /// The entity of each gear's frame.
    pub gears: Vec<Entity>,
    /// The entity of each linkage's frame.
    pub linkages: Vec<Entity>,
}

impl Shown {
    /// The robot's drives.
    pub fn of<'a>(&self, replay: &'a Replay) -> Option<&'a RobotDrives> {
        replay.robots[self.joint.robot].drives.as_ref()
    }
}

impl Subject {
    /// Lets go of rows that are about to grow, so that they need not be copied for it.
    pub(crate) fn let_go(&mut self) {
        if let Some(shown) = &mut self.shown {
            shown.telemetry = Telemetry::default();
        }
    }

    /// Takes the rows that its drives have by now.
    pub(crate) fn look_again(&mut self, replay: &Replay) {
        let Some(shown) = &mut self.shown else { return };
        let Some(drives) = replay.robots.get(shown.joint.robot).and_then(|record| record.drives.as_ref()) else { return };
        match drives.telemetry(&shown.drives) {
            Ok(telemetry) => shown.telemetry = telemetry,
            Err(error) => self.problem = Some(error.to_string()),
        }
    }
}

/// Exchanges the subject when another joint was picked.
pub(super) fn exchange(
    mut commands: Commands<'_, '_>,
    xray: Res<'_, Xray>,
    replay: Res<'_, Replay>,
    robots: Query<'_, '_, &ReplayRobot>,
    mut subject: ResMut<'_, Subject>,
) {
    if xray.joint == subject.joint {
        return;
    }
    for entity in subject.shown.iter().flat_map(|shown| shown.gears.iter().chain(&shown.linkages)) {
        commands.entity(*entity).despawn();
    }
    *subject = Subject { joint: xray.joint, ..Subject::default() };
    let Some(joint) = xray.joint else { return };
    let Some(robot) = robots.iter().find(|robot| robot.index == joint.robot) else { return };
    match build(&replay.robots[joint.robot], joint, &robot.posture) {
        Ok(mut shown) => {
            spawn(&mut commands, &replay, &mut shown);
            subject.shown = Some(shown);
        }
        Err(problem) => subject.problem = Some(problem),
    }
}

fn build(record: &RobotRecord, joint: JointRef, posture: &Posture) -> Result<Shown, String> {
    let drives = record.drives.as_ref().ok_or("the robot's drives are not described")?;
    let picked = drives.of_joint(&record.model, joint.joint);
    let telemetry = drives.telemetry(&picked).map_err(|error| error.to_string())?;
    let states = states_at(record, &picked, &vec![0.0; record.model.joints().len()]).map_err(|error| error.to_string())?;
    let ranges = ranges(record, &picked);
    let described = &record.model.joints()[joint.joint];
    let (mut layouts, mut facings) = (Vec::new(), Vec::new());
    for ((drive, state), range) in picked.iter().zip(&states).zip(ranges) {
        let layout = Layout::new(&drives.table.drives()[*drive], described, state, range);
        facings.push(facing(record, *drive, joint, &layout, state, posture));
        layouts.push(layout);
    }
    Ok(Shown { joint, drives: picked, layouts, facings, telemetry, gears: Vec::new(), linkages: Vec::new() })
}

fn spawn(commands: &mut Commands<'_, '_>, replay: &Replay, shown: &mut Shown) {
    let name = |what: &str, drive: usize| {
        let motor = shown.of(replay).map_or("", |drives| drives.table.drives()[drive].motor.as_str());
        Name::new(format!("x-ray {what} {motor}"))
    };
    let (mut gears, mut linkages) = (Vec::new(), Vec::new());
    for (index, (drive, layout)) in shown.drives.iter().zip(&shown.layouts).enumerate() {
        let gear = commands.spawn((name("gear", *drive), Transform::default(), Visibility::default())).id();
        for part in layout.gear_parts() {
            commands.spawn((XrayPart { drive: index, name: part }, Transform::default(), Visibility::default(), ChildOf(gear)));
        }
        gears.push(gear);
        let linkage = commands.spawn((name("linkage", *drive), Transform::default(), Visibility::default())).id();
        for part in layout.bars.iter().flat_map(super::bars::BarsLayout::parts) {
            commands.spawn((XrayPart { drive: index, name: part }, Transform::default(), Visibility::default(), ChildOf(linkage)));
        }
        linkages.push(linkage);
    }
    (shown.gears, shown.linkages) = (gears, linkages);
}

/// The states of these drives for joint positions, motors derived from them. Other joints count as 0, where every described
/// linkage closes: what another drive cannot do is no obstacle.
pub(super) fn states_at(record: &RobotRecord, drives: &[usize], q: &[f64]) -> Result<Vec<DriveState>, RobotError> {
    let Some(described) = &record.drives else { return Ok(Vec::new()) };
    let only = own_joints(record, drives, q);
    let mut all = Vec::new();
    described.train.states(&only, None, &mut all)?;
    Ok(drives.iter().filter_map(|drive| all.get(*drive).copied()).collect())
}

/// `q` where these drives move it, else 0.
pub(super) fn own_joints(record: &RobotRecord, drives: &[usize], q: &[f64]) -> Vec<f64> {
    let Some(described) = &record.drives else { return vec![0.0; q.len()] };
    let moved = |name: &str| drives.iter().any(|drive| described.table.drives()[*drive].moves(name));
    record.model.joints().iter().zip(q).map(|(joint, q)| if moved(&joint.name) { *q } else { 0.0 }).collect()
}

/// Least and greatest output of each drive at the corners of its joints' ranges; infinite where a joint has no limits.
fn ranges(record: &RobotRecord, drives: &[usize]) -> Vec<[f64; 2]> {
    let mut ranges = vec![[f64::INFINITY, f64::NEG_INFINITY]; drives.len()];
    for upper in [[false, false], [false, true], [true, false], [true, true]] {
        let mut ends = upper.into_iter();
        let own = own_joints(record, drives, &vec![1.0; record.model.joints().len()]);
        let corner = |(joint, own): (&sanqu_robot::Joint, f64)| match own {
            1.0 => {
                if ends.next().unwrap_or(false) {
                    joint.upper
                } else {
                    joint.lower
                }
            }
            _ => 0.0,
        };
        let q: Vec<f64> = record.model.joints().iter().zip(own).map(corner).collect();
        // A corner that an ankle cannot take says nothing.
        let Ok(states) = states_at(record, drives, &q) else { continue };
        for (range, state) in ranges.iter_mut().zip(states) {
            *range = [range[0].min(state.output), range[1].max(state.output)];
        }
    }
    ranges
}

fn facing(record: &RobotRecord, drive: usize, joint: JointRef, layout: &Layout, state: &DriveState, posture: &Posture) -> f64 {
    if matches!(layout.gear, Gear::Screw(_)) {
        return 1.0;
    }
    let described = &record.model.joints()[joint.joint];
    let child = posture.links[described.child];
    let world_axis = match (state.bars, record.drives.as_ref().map(|drives| &drives.table.drives()[drive])) {
        (Some(bars), Some(drive)) => {
            let first = record.model.joint_index(&drive.joints[0]).unwrap_or(joint.joint);
            let axis = axis_in_link(record, first, bars.link, posture);
            let axis = crank_axis(drive, axis);
            if let Some([pivot, tip]) = bars.crank {
                let side = axis.dot(&(tip - pivot));
                if side.abs() > TIP_OFFSET_MIN_M {
                    return -side.signum();
                }
            }
            posture.links[bars.link].rotation * axis
        }
        _ => child.rotation * described.axis.into_inner(),
    };
    if world_axis.dot(&outwards(posture, &child)) < 0.0 { -1.0 } else { 1.0 }
}

/// From the robot's middle to a link, a little forwards and up: the side that a viewer likes to stand on.
pub(super) fn outwards(posture: &Posture, link: &Isometry3<f64>) -> Vector3<f64> {
    let base = posture.links.first().copied().unwrap_or_else(Isometry3::identity);
    let mut away = link.translation.vector - base.translation.vector;
    away.z = 0.0;
    away = away.try_normalize(0.03).unwrap_or_else(Vector3::zeros);
    away + base.rotation * Vector3::new(0.35, 0.0, 0.0) + Vector3::new(0.0, 0.0, 0.3)
}

/// A joint's axis in the frame of a link, for the joint at 0.
fn axis_in_link(record: &RobotRecord, joint: usize, link: usize, posture: &Posture) -> Vector3<f64> {
    // Turning about the axis does not move the axis: the child's frame serves at any position.
    let described = &record.model.joints()[joint];
    posture.links[link].rotation.inverse() * (posture.links[described.child].rotation * described.axis.into_inner())
}

/// Where a drive's gear stands in the world.
pub(super) fn world_from_gear(
    record: &RobotRecord,
    joint: JointRef,
    drive: usize,
    (state, facing): (&DriveState, f64),
    posture: &Posture,
) -> Option<Isometry3<f64>> {
    let drive = record.drives.as_ref()?.table.drives().get(drive)?;
    let first = record.model.joint_index(drive.joints.first()?).unwrap_or(joint.joint);
    if let Some(bars) = &state.bars {
        let axis = axis_in_link(record, first, bars.link, posture);
        let link_from_gear = match bars.crank {
            Some([pivot, tip]) => {
                let axis = crank_axis(drive, axis);
                // Angle 0 is where the crank stands at output 0.
                let arm = UnitQuaternion::from_axis_angle(&nalgebra::Unit::new_normalize(axis), -state.output) * (tip - pivot);
                seat(pivot, axis, arm, facing)
            }
            None => seat(bars.rod[0], bars.rod[1] - bars.rod[0], axis, 1.0),
        };
        return Some(posture.links[bars.link] * link_from_gear);
    }
    let described = &record.model.joints()[first];
    let turned = UnitQuaternion::from_axis_angle(&described.axis, -posture.q[first]);
    let world_from_joint = posture.links[described.child] * turned;
    Some(world_from_joint * seat(Point3::origin(), described.axis.into_inner(), Vector3::x(), facing))
}
