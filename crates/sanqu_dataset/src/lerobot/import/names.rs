//! Names of joints: from those of a dataset to those of a robot's description.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::info::read_text;
use crate::DatasetError;

/// What LeRobot appends to a motor's name in a position vector.
const POSITION_SUFFIX: &str = ".pos";
/// What robot descriptions append, and exports of this program leave out.
const JOINT_SUFFIX: &str = "_joint";

/// Unitree's names of the G1's 29 joints (`G1JointIndex` of its SDK) after `kLeft` or `kRight`, and those of its URDF after
/// `left_` or `right_`.
const G1_SIDED: [(&str, &str); 13] = [
    ("HipPitch", "hip_pitch_joint"),
    ("HipRoll", "hip_roll_joint"),
    ("HipYaw", "hip_yaw_joint"),
    ("Knee", "knee_joint"),
    ("AnklePitch", "ankle_pitch_joint"),
    ("AnkleRoll", "ankle_roll_joint"),
    ("ShoulderPitch", "shoulder_pitch_joint"),
    ("ShoulderRoll", "shoulder_roll_joint"),
    ("ShoulderYaw", "shoulder_yaw_joint"),
    ("Elbow", "elbow_joint"),
    ("WristRoll", "wrist_roll_joint"),
    ("WristPitch", "wrist_pitch_joint"),
    ("WristYaw", "wrist_yaw_joint"),
];
const G1_WAIST: [(&str, &str); 3] =
    [("kWaistYaw", "waist_yaw_joint"), ("kWaistRoll", "waist_roll_joint"), ("kWaistPitch", "waist_pitch_joint")];

/// A map file (TOML): which element of the dataset is which joint of the robot, and the unit of the positions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointMap {
    /// From names in the dataset to joint names of the description.
    #[serde(default)]
    pub joints: BTreeMap<String, String>,
    /// The unit of the mapped positions: `rad`. Values are not converted.
    #[serde(default)]
    pub unit: Option<String>,
}

impl JointMap {
    /// Reads a map file.
    ///
    /// # Errors
    /// [`DatasetError::Io`]; [`DatasetError::Dataset`] naming the line.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        toml::from_str(&read_text(path)?).map_err(|e| DatasetError::dataset(path, e.to_string()))
    }
}

/// What is known about the names of a dataset's robot.
#[derive(Clone, Debug, Default)]
pub(super) struct Naming<'a> {
    /// The user's map.
    pub(super) map: Option<&'a JointMap>,
    /// Joints of the robot's description; empty without one.
    pub(super) joints: BTreeSet<String>,
    /// Whether the robot is a Unitree G1.
    pub(super) is_g1: bool,
    /// Whether this program wrote the dataset.
    pub(super) is_own: bool,
}

/// The elements of a position vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Names in order.
    pub(super) elements: Vec<String>,
    /// Names that are kept as they were, because nothing says which joints they are.
    pub(super) unmapped: Vec<String>,
    /// What could not be taken as it was.
    pub(super) note: Option<String>,
}

impl Naming<'_> {
    /// Names the elements of a position vector of `width` values.
    pub(super) fn positions(&self, names: &[String], width: usize) -> Named {
        let Some(names) = usable(names, width) else { return numbered(names, width) };
        let resolved: Vec<Option<String>> = names.iter().map(|name| self.joint(name)).collect();
        let elements: Vec<String> =
            resolved.iter().zip(&names).map(|(joint, name)| joint.clone().unwrap_or_else(|| short(name).to_owned())).collect();
        if !are_distinct(&elements) {
            let note = "two names stand for the same joint: all are kept as they are".to_owned();
            return Named { elements: names.clone(), unmapped: names, note: Some(note) };
        }
        let unmapped = resolved.iter().zip(&names).filter(|(joint, _)| joint.is_none()).map(|(_, name)| name.clone()).collect();
        Named { elements, unmapped, note: None }
    }

    /// The unit of positions that are named so: what the map says, rad in a dataset of this program's, else nobody said.
    pub(super) fn unit(&self, named: &Named) -> String {
        match self.map.and_then(|map| map.unit.clone()) {
            Some(unit) if named.unmapped.is_empty() => unit,
            None if self.is_own && named.unmapped.is_empty() => "rad".to_owned(),
            _ => String::new(),
        }
    }

    fn joint(&self, name: &str) -> Option<String> {
        if let Some(joint) = self.map.and_then(|map| map.joints.get(name)) {
            return Some(joint.clone());
        }
        let completed = format!("{}{JOINT_SUFFIX}", short(name));
        if self.joints.is_empty() {
            return if self.is_own { Some(completed) } else { self.g1(name) };
        }
        let candidates = [Some(short(name).to_owned()), Some(completed), self.g1(name)];
        candidates.into_iter().flatten().find(|joint| self.joints.contains(joint))
    }

    fn g1(&self, name: &str) -> Option<String> {
        if !self.is_g1 {
            return None;
        }
        if let Some((_, joint)) = G1_WAIST.iter().find(|(known, _)| *known == name) {
            return Some((*joint).to_owned());
        }
        let (side, rest) = [("left", "kLeft"), ("right", "kRight")].iter().find_map(|(side, k)| Some((side, name.strip_prefix(k)?)))?;
        G1_SIDED.iter().find(|(known, _)| *known == rest).map(|(_, joint)| format!("{side}_{joint}"))
    }
}

/// Names the elements of any other vector.
pub(super) fn plain(names: &[String], width: usize) -> Named {
    match usable(names, width) {
        Some(elements) => Named { elements, unmapped: Vec::new(), note: None },
        None if names.is_empty() && width == 1 => Named { elements: vec!["value".to_owned()], unmapped: Vec::new(), note: None },
        None => Named { unmapped: Vec::new(), ..numbered(names, width) },
    }
}

fn short(name: &str) -> &str {
    name.strip_suffix(POSITION_SUFFIX).filter(|short| !short.is_empty()).unwrap_or(name)
}

/// The names, if there is one for each element. A comma would part a name in two where names are stored.
fn usable(names: &[String], width: usize) -> Option<Vec<String>> {
    let names: Vec<String> = names.iter().map(|name| name.trim().replace(',', ";")).collect();
    (names.len() == width && are_distinct(&names) && names.iter().all(|name| !name.is_empty())).then_some(names)
}

fn are_distinct(names: &[String]) -> bool {
    names.iter().collect::<BTreeSet<_>>().len() == names.len()
}

fn numbered(names: &[String], width: usize) -> Named {
    let elements: Vec<String> = (0..width).map(|i| i.to_string()).collect();
    let note = match names.len() {
        0 => "its elements have no names: they are numbered".to_owned(),
        count if count == width => "its elements have names that are empty or not distinct: they are numbered".to_owned(),
        count => format!("{count} names for {width} elements: they are numbered"),
    };
    Named { unmapped: elements.clone(), elements, note: Some(note) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[track_caller]
    fn check(naming: &Naming<'_>, names: &[&str], expect: &[&str], unmapped: &[&str]) {
        let named = naming.positions(&texts(names), expect.len());
        assert_eq!((named.elements, named.unmapped), (texts(expect), texts(unmapped)));
    }

    #[test]
    fn names_become_joints_where_something_says_which() {
        let g1 = Naming { is_g1: true, ..Naming::default() };
        check(
            &g1,
            &["kLeftShoulderPitch", "kRightElbow", "kWaistYaw", "kLeftHandPinky"],
            &["left_shoulder_pitch_joint", "right_elbow_joint", "waist_yaw_joint", "kLeftHandPinky"],
            &["kLeftHandPinky"],
        );
        check(&Naming::default(), &["kLeftElbow", "gripper.pos"], &["kLeftElbow", "gripper"], &["kLeftElbow", "gripper.pos"]);
        check(&Naming { is_own: true, ..Naming::default() }, &["l_hip.pos"], &["l_hip_joint"], &[]);
        let known = Naming { joints: texts(&["l_hip_joint", "head"]).into_iter().collect(), is_g1: true, is_own: true, map: None };
        check(&known, &["l_hip.pos", "head.pos", "kLeftElbow"], &["l_hip_joint", "head", "kLeftElbow"], &["kLeftElbow"]);
        let map = JointMap { joints: [("a".to_owned(), "b_joint".to_owned())].into(), unit: Some("rad".to_owned()) };
        let mapped = Naming { map: Some(&map), ..Naming::default() };
        check(&mapped, &["a"], &["b_joint"], &[]);
        assert_eq!(mapped.unit(&mapped.positions(&texts(&["a"]), 1)), "rad");
        assert_eq!(mapped.unit(&mapped.positions(&texts(&["a", "c"]), 2)), "", "nobody said what c is in");
        check(&mapped, &["a", "b_joint"], &["a", "b_joint"], &["a", "b_joint"]);
    }

    #[test]
    fn names_that_do_not_fit_are_numbers() {
        check(&Naming::default(), &["a"], &["0", "1"], &["0", "1"]);
        check(&Naming::default(), &["a", "a"], &["0", "1"], &["0", "1"]);
        assert_eq!(plain(&[], 1).elements, ["value"]);
        assert_eq!(plain(&texts(&["x,y", "z"]), 2).elements, ["x;y", "z"]);
    }
}
