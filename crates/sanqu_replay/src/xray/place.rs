//! Moves the parts to where the instant has them.

use bevy::prelude::{Query, Res, Transform, With, Without};

use super::moment::Moment;
use super::part::XrayPart;
use super::subject::{Subject, world_from_gear};
use crate::frame::bevy_from_world;
use crate::replay::Replay;
use crate::robots::ReplayRobot;

/// Frames of gears and linkages: roots that carry no part themselves.
type Frames<'w, 's> = Query<'w, 's, &'static mut Transform, Without<XrayPart>>;
type Parts<'w, 's> = Query<'w, 's, (&'static XrayPart, &'static mut Transform), With<XrayPart>>;

pub(super) fn place(
    replay: Res<'_, Replay>,
    subject: Res<'_, Subject>,
    moment: Res<'_, Moment>,
    robots: Query<'_, '_, &ReplayRobot>,
    mut frames: Frames<'_, '_>,
    mut parts: Parts<'_, '_>,
) {
    let Some(shown) = &subject.shown else { return };
    let Some(robot) = robots.iter().find(|robot| robot.index == shown.joint.robot) else { return };
    let record = &replay.robots[shown.joint.robot];
    for (index, drive) in moment.drives.iter().enumerate() {
        let facing = shown.facings[index];
        if let Some(pose) = world_from_gear(record, shown.joint, shown.drives[index], (&drive.state, facing), &robot.posture)
            && let Ok(mut frame) = frames.get_mut(shown.gears[index])
        {
            *frame = bevy_from_world(&pose);
        }
        if let Some(bars) = &drive.state.bars
            && let Ok(mut frame) = frames.get_mut(shown.linkages[index])
        {
            *frame = bevy_from_world(&robot.posture.links[bars.link]);
        }
    }
    for (part, mut transform) in &mut parts {
        let (Some(drive), Some(layout)) = (moment.drives.get(part.drive), shown.layouts.get(part.drive)) else { continue };
        let of_bars = || layout.bars.zip(drive.state.bars).and_then(|(layout, bars)| layout.place(part.name, &bars));
        let placed = of_bars().or_else(|| layout.place(part.name, &drive.state, shown.facings[part.drive]));
        if let Some(placed) = placed {
            *transform = placed;
        }
    }
}
