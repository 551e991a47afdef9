use std::collections::BTreeMap;
use std::path::Path;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use serde::Deserialize;

use crate::drive::{Drive, unknown_joint};
use crate::part::Problem;
use crate::places::locate;
use crate::{RobotError, RobotModel};

/// Largest drive table that is read.
const TABLE_BYTES_MAX: u64 = 4 << 20;

/// What a URDF cannot say about a robot: its drives, cameras and named poses. From a `drives.toml`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveTable {
    #[serde(rename = "drive", default)]
    drives: Vec<Drive>,
    #[serde(rename = "camera", default)]
    cameras: Vec<CameraMount>,
    #[serde(default)]
    poses: BTreeMap<String, Pose>,
}

/// A camera fixed to a link: it looks along its own +x, picture up is +z.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraMount {
    /// Name, unique in the table: "head", "wrist-left", …
    pub name: String,
    /// The link that carries it.
    pub link: String,
    /// Optical centre in the link's frame, m.
    pub xyz: [f64; 3],
    /// Roll, pitch, yaw about the link's fixed axes, rad.
    pub rpy: [f64; 3],
    /// Horizontal field of view, rad.
    pub fov_rad: f64,
    /// Names of the fields above that no public text gives.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

/// A named whole-body pose.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pose {
    /// Height of the root link above the floor, m.
    pub base_height_m: f64,
    /// Where the numbers come from; what is assumed is said.
    pub source: String,
    /// Joint positions by name, rad or m; joints that are not named are at 0.
    #[serde(default)]
    pub joints: BTreeMap<String, f64>,
}

impl CameraMount {
    /// Pose of the camera in its link's frame.
    pub fn link_from_camera(&self) -> Isometry3<f64> {
        let [roll, pitch, yaw] = self.rpy;
        Isometry3::from_parts(Translation3::from(Vector3::from(self.xyz)), UnitQuaternion::from_euler_angles(roll, pitch, yaw))
    }

    fn element(&self) -> String {
        format!("camera {:?}", self.name)
    }
}

impl Pose {
    /// Joint positions in the order of [`RobotModel::joints`]; joints that the pose does not name are at 0.
    ///
    /// # Errors
    /// [`RobotError::UnknownJoint`] if the pose names a joint that the robot does not have.
    pub fn q(&self, model: &RobotModel) -> Result<Vec<f64>, RobotError> {
        let mut q = vec![0.0; model.joints().len()];
        for (name, value) in &self.joints {
            let index = model.joint_index(name).ok_or_else(|| unknown_joint("pose".to_owned(), model, name))?;
            q[index] = *value;
        }
        Ok(q)
    }
}

impl DriveTable {
    /// Reads and checks a `drives.toml`.
    ///
    /// # Errors
    /// [`RobotError::Read`] if the file cannot be read; else [`RobotError::File`] around what [`Self::from_toml_str`] says.
    pub fn from_toml_file(path: &Path) -> Result<Self, RobotError> {
        let refused = |source| RobotError::File { path: path.to_owned(), source: Box::new(source) };
        Self::from_toml_str(&read_text(path)?).map_err(refused)
    }

    /// Reads and checks a drive table. Whether its joints and links exist depends on a robot: see
    /// [`crate::check_description`].
    ///
    /// # Errors
    /// [`RobotError::DriveSyntax`] for text that is not TOML of this form (unknown keys included), with line and column;
    /// else [`RobotError::InTable`] with the first contradiction found: duplicate names, numbers out of range, a gear or a
    /// linkage that contradicts itself, a rod that does not close at the zero pose.
    pub fn from_toml_str(text: &str) -> Result<Self, RobotError> {
        let table = Self::parse(text)?;
        match table.problems().into_iter().next() {
            Some(problem) => Err(placed(problem, text)),
            None => Ok(table),
        }
    }

    /// One entry per motor, in file order: the order of motor positions.
    pub fn drives(&self) -> &[Drive] {
        &self.drives
    }

    /// The first drive that moves a joint; a parallel ankle's joints have two, see [`Self::drives_of_joint`].
    pub fn for_joint(&self, joint: &str) -> Option<&Drive> {
        self.drives.iter().find(|drive| drive.moves(joint))
    }

    /// All drives that move a joint, in file order.
    pub fn drives_of_joint(&self, joint: &str) -> impl Iterator<Item = &Drive> {
        self.drives.iter().filter(move |drive| drive.moves(joint))
    }

    /// The same table with some of its drives only, by their indices: what those drives' [`crate::Drivetrain`] is made from.
    #[must_use]
    pub fn with_drives(&self, indices: &[usize]) -> Self {
        let drives = indices.iter().filter_map(|index| self.drives.get(*index).cloned()).collect();
        Self { drives, ..self.clone() }
    }

    /// Cameras, in file order.
    pub fn cameras(&self) -> &[CameraMount] {
        &self.cameras
    }

    /// A named pose; every shipped robot has "stand".
    pub fn pose(&self, name: &str) -> Option<&Pose> {
        self.poses.get(name)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, RobotError> {
        let mut table: Self = toml::from_str(text).map_err(|error| RobotError::DriveSyntax { reason: error.to_string() })?;
        table.drives.iter_mut().for_each(Drive::resolve);
        Ok(table)
    }

    /// Everything that contradicts itself inside the table.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, drive) in self.drives.iter().enumerate() {
            problems.extend(drive.problems(&format!("drive.{index}")));
        }
        let mut serials = std::collections::BTreeSet::new();
        for (index, serial) in self.drives.iter().enumerate().filter_map(|(index, drive)| Some((index, drive.serial.as_ref()?))) {
            if !serials.insert(serial) {
                let error = RobotError::DuplicateName { what: "serial", name: serial.clone() };
                problems.push(Problem::new(format!("drive.{index}.serial"), error));
            }
        }
        duplicates("motor", "drive", "motor", self.drives.iter().map(|drive| &drive.motor), &mut problems);
        duplicates("camera", "camera", "name", self.cameras.iter().map(|camera| &camera.name), &mut problems);
        for (index, camera) in self.cameras.iter().enumerate() {
            let place = |key: &str| format!("camera.{index}.{key}");
            for (field, numbers) in [("xyz", camera.xyz), ("rpy", camera.rpy)] {
                for value in numbers.into_iter().filter(|value| !value.is_finite()) {
                    let expected = "finite numbers";
                    problems.push(Problem::new(place(field), RobotError::BadNumber { element: camera.element(), field, value, expected }));
                }
            }
            if !(camera.fov_rad > 0.0 && camera.fov_rad < std::f64::consts::PI) {
                let (field, value, expected) = ("fov_rad", camera.fov_rad, "an angle above 0 and below pi");
                problems.push(Problem::new(place(field), RobotError::BadNumber { element: camera.element(), field, value, expected }));
            }
            for name in camera.assumed.iter().filter(|name| !["xyz", "rpy", "fov_rad", "link"].contains(&name.as_str())) {
                let reason = format!("assumed names {name:?}, which is not a field of a camera");
                problems.push(Problem::entry(place("assumed"), &camera.element(), reason));
            }
        }
        for (name, pose) in &self.poses {
            let element = || format!("pose {name:?}");
            let height = std::iter::once((format!("poses.{name}.base_height_m"), pose.base_height_m));
            let joints = pose.joints.iter().map(|(joint, value)| (format!("poses.{name}.joints.{joint}"), *value));
            for (place, value) in height.chain(joints).filter(|(_, value)| !value.is_finite()) {
                let error = RobotError::BadNumber { element: element(), field: "a value", value, expected: "finite numbers" };
                problems.push(Problem::new(place, error));
            }
        }
        problems
    }

    /// Numbers of drives that have neither a source nor the word "assumed".
    pub(crate) fn untold(&self) -> Vec<Problem> {
        self.drives.iter().enumerate().flat_map(|(index, drive)| drive.untold(&format!("drive.{index}"))).collect()
    }

    /// Everything that does not fit a robot: unknown joints and links, poses outside limits.
    pub(crate) fn problems_with(&self, model: &RobotModel) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, drive) in self.drives.iter().enumerate() {
            problems.extend(drive.problems_with(model, &format!("drive.{index}")));
        }
        for (index, camera) in self.cameras.iter().enumerate().filter(|(_, camera)| model.link_index(&camera.link).is_none()) {
            let (joint, link) = (camera.name.clone(), camera.link.clone());
            problems.push(Problem::new(format!("camera.{index}.link"), RobotError::UnknownLink { joint, role: "camera", link }));
        }
        for (name, pose) in &self.poses {
            let element = format!("pose {name:?}");
            for joint in pose.joints.keys().filter(|joint| model.joint_index(joint).is_none()) {
                problems.push(Problem::new(format!("poses.{name}.joints.{joint}"), unknown_joint(element.clone(), model, joint)));
            }
            for violation in pose.q(model).map(|q| model.check_limits(&q)).unwrap_or_default() {
                problems.push(Problem::entry(format!("poses.{name}.joints.{}", violation.name), &element, violation.to_string()));
            }
        }
        problems
    }
}

/// A problem as an error that says where in the text it is.
pub(crate) fn placed(problem: Problem, text: &str) -> RobotError {
    match locate(text, &problem.place) {
        Some((line, column)) => RobotError::InTable { line, column, problem: Box::new(problem.error) },
        None => problem.error,
    }
}

/// Reads a drive table's text, bounded.
pub(crate) fn read_text(path: &Path) -> Result<String, RobotError> {
    let unreadable = |source| RobotError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > TABLE_BYTES_MAX {
        let source = Box::new(RobotError::TooLarge { bytes, max: TABLE_BYTES_MAX });
        return Err(RobotError::File { path: path.to_owned(), source });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn duplicates<'a>(what: &'static str, list: &str, key: &str, names: impl Iterator<Item = &'a String>, problems: &mut Vec<Problem>) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            let error = RobotError::DuplicateName { what, name: name.clone() };
            problems.push(Problem::new(format!("{list}.{index}.{key}"), error));
        }
    }
}
