//! Which joint is looked into.

use bevy::prelude::Resource;

use crate::ReplayError;
use crate::replay::Replay;
use crate::track::short_name;

/// A joint of a robot of the [`Replay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JointRef {
    /// Index in [`Replay::robots`].
    pub robot: usize,
    /// Index in the joints of its model.
    pub joint: usize,
}

/// The joint whose drive is shown.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Xray {
    /// The joint; none for an ordinary view.
    pub joint: Option<JointRef>,
    /// Whether the viewer is there at once instead of flying.
    pub at_once: bool,
}

/// Every joint that has a drive, robots in order, joints in the order of their models.
pub fn joints_with_drives(replay: &Replay) -> Vec<JointRef> {
    let of_robot = |(robot, record): (usize, &crate::replay::RobotRecord)| {
        let drives = record.drives.as_ref();
        let moved = move |joint: &usize| drives.is_some_and(|drives| !drives.of_joint(&record.model, *joint).is_empty());
        (0..record.model.joints().len()).filter(moved).map(move |joint| JointRef { robot, joint }).collect::<Vec<_>>()
    };
    replay.robots.iter().enumerate().flat_map(of_robot).collect()
}

/// `robot:joint`.
pub fn full_name(replay: &Replay, joint: JointRef) -> String {
    let record = &replay.robots[joint.robot];
    format!("{}:{}", record.robot, record.model.joints()[joint.joint].name)
}

/// The joint of this name, `joint` or `robot:joint`, with or without the suffix `_joint`.
///
/// # Errors
/// [`ReplayError::Joint`] with the joints that there are, when none or several have this name.
pub fn find_joint(replay: &Replay, name: &str) -> Result<JointRef, ReplayError> {
    let known = joints_with_drives(replay);
    let fits = |found: &&JointRef| {
        let full = full_name(replay, **found);
        let joint = full.split_once(':').map_or("", |(_, joint)| joint);
        short_name(&full) == short_name(name) || short_name(joint) == short_name(name)
    };
    let found: Vec<JointRef> = known.iter().filter(fits).copied().collect();
    let names = |joints: &[JointRef]| joints.iter().map(|joint| full_name(replay, *joint)).collect::<Vec<_>>().join(", ");
    match found[..] {
        [one] => Ok(one),
        [] if known.is_empty() => {
            Err(ReplayError::Joint { name: name.to_owned(), reason: "no robot of the replay has a drive table that fits it".to_owned() })
        }
        [] => Err(ReplayError::Joint { name: name.to_owned(), reason: format!("expected one of {}", names(&known)) }),
        _ => Err(ReplayError::Joint { name: name.to_owned(), reason: format!("it is the name of several: {}", names(&found)) }),
    }
}
