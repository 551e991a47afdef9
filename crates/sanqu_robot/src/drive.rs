use nalgebra::UnitQuaternion;
use serde::Deserialize;

use crate::ankle::{AnkleLeg, Gap};
use crate::{JointKind, RobotError, RobotModel};

/// What stands between a motor and its linkage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReducerKind {
    /// One or more planetary stages.
    Planetary,
    /// A strain-wave gear; see [`Arrangement`].
    StrainWave,
    /// A cycloidal gear.
    Cycloidal,
    /// No reducer: the motor turns the linkage.
    None,
    /// Nothing is known.
    Unknown,
}

/// Which part of a strain-wave gear stands still: it decides between R and R + 1 and the sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrangement {
    /// Circular spline fixed, flexspline turns: ratio R, output against the motor.
    CsFixed,
    /// Flexspline fixed, circular spline turns: ratio R + 1, output with the motor.
    FsFixed,
}

/// What stands between a reducer and its joints.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkageKind {
    /// The reducer's output is the joint.
    Direct,
    /// A parallelogram rod: the joint copies the reducer's output.
    #[serde(rename = "rod_1to1")]
    Rod1To1,
    /// One of the two motors of a parallel ankle; the drive's joints are pitch, then roll.
    ParallelAnkle(AnkleLeg),
}

/// One motor with its reducer and linkage.
///
/// The rigid-body relation is `motor = sign * ratio * output`, where `output` is the joint's position, or the crank's
/// angle of a parallel ankle.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drive {
    /// The motor's name, unique in the table.
    pub motor: String,
    /// Joints that it moves: one, or pitch and roll for a parallel ankle.
    pub joints: Vec<String>,
    /// Motor turns per output turn, above 0.
    pub ratio: f64,
    /// +1 where motor and output count in the same direction, else -1.
    pub sign: f64,
    /// Kind of reducer.
    pub reducer: ReducerKind,
    /// Which part of a strain-wave gear is fixed; required there, absent elsewhere.
    pub arrangement: Option<Arrangement>,
    /// Kind of linkage, with its geometry.
    pub linkage: LinkageKind,
    /// The maker's name of the actuator.
    pub actuator: Option<String>,
    /// Output torque per motor current including losses, N·m/A.
    pub torque_constant_nm_per_a: Option<f64>,
    /// Torsional stiffness at the output, N·m/rad.
    pub stiffness_nm_per_rad: Option<f64>,
    /// Play at the output, rad.
    pub backlash_rad: Option<f64>,
    /// Output power per input power while motoring, 0..=1.
    pub efficiency: Option<f64>,
    /// Greatest motor current, A.
    pub current_limit_a: Option<f64>,
    /// Rated output torque of the product page, N·m: what a simulation uses.
    pub rated_torque_nm: Option<f64>,
    /// Rated output speed of the product page, rad/s: what a simulation uses.
    pub rated_speed_rad_per_s: Option<f64>,
    /// Continuous output torque at which the robot protects itself, N·m.
    pub protect_torque_nm: Option<f64>,
    /// Peak output torque at which the robot protects itself, N·m.
    pub protect_peak_torque_nm: Option<f64>,
    /// Output speed at which the robot protects itself, rad/s.
    pub protect_peak_speed_rad_per_s: Option<f64>,
    /// Rotor inertia seen at the output, kg·m².
    pub armature_kg_m2: Option<f64>,
    /// Names of the fields above that no public text gives: shown as assumed wherever they are shown.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

/// The keys that [`Drive::assumed`] may name.
const DRIVE_FIELDS: [&str; 17] = [
    "ratio",
    "sign",
    "reducer",
    "arrangement",
    "linkage",
    "actuator",
    "torque_constant_nm_per_a",
    "stiffness_nm_per_rad",
    "backlash_rad",
    "efficiency",
    "current_limit_a",
    "rated_torque_nm",
    "rated_speed_rad_per_s",
    "protect_torque_nm",
    "protect_peak_torque_nm",
    "protect_peak_speed_rad_per_s",
    "armature_kg_m2",
];

impl Drive {
    /// Whether no public text gives this field's value.
    pub fn is_assumed(&self, field: &str) -> bool {
        self.assumed.iter().any(|name| name == field)
    }

    /// Whether this drive moves a joint, alone or with another drive.
    pub fn moves(&self, joint: &str) -> bool {
        self.joints.iter().any(|name| name == joint)
    }

    pub(crate) fn element(&self) -> String {
        format!("drive {:?}", self.motor)
    }

    /// What contradicts itself inside this entry.
    pub(crate) fn problems(&self) -> Vec<RobotError> {
        let entry = |reason: String| RobotError::BadEntry { element: self.element(), reason };
        let mut problems = Vec::new();
        let wanted = if matches!(self.linkage, LinkageKind::ParallelAnkle(_)) { 2 } else { 1 };
        if self.motor.is_empty() {
            problems.push(entry("expected a motor name".to_owned()));
        }
        if self.joints.len() != wanted {
            problems.push(entry(format!("expected {wanted} joint(s) for this linkage, found {}", self.joints.len())));
        }
        if (self.reducer == ReducerKind::StrainWave) != self.arrangement.is_some() {
            problems.push(entry("a strain-wave gear, and only that, needs an arrangement (cs_fixed or fs_fixed)".to_owned()));
        }
        for name in self.assumed.iter().filter(|name| !DRIVE_FIELDS.contains(&name.as_str())) {
            problems.push(entry(format!("assumed names {name:?}, which is not a field of a drive")));
        }
        problems.extend(self.bad_numbers());
        problems
    }

    fn bad_numbers(&self) -> Vec<RobotError> {
        type Test = fn(f64) -> bool;
        let above_0: (Test, _) = (|value| value > 0.0, "a finite number above 0");
        let at_least_0: (Test, _) = (|value| value >= 0.0, "a finite number of at least 0");
        let rows: [(&'static str, Option<f64>, (Test, &'static str)); 13] = [
            ("ratio", Some(self.ratio), above_0),
            ("sign", Some(self.sign), (|sign| sign.abs() == 1.0, "1 or -1")),
            ("torque_constant_nm_per_a", self.torque_constant_nm_per_a, above_0),
            ("stiffness_nm_per_rad", self.stiffness_nm_per_rad, above_0),
            ("backlash_rad", self.backlash_rad, at_least_0),
            ("efficiency", self.efficiency, (|part| part > 0.0 && part <= 1.0, "a number above 0 and at most 1")),
            ("current_limit_a", self.current_limit_a, above_0),
            ("rated_torque_nm", self.rated_torque_nm, above_0),
            ("rated_speed_rad_per_s", self.rated_speed_rad_per_s, above_0),
            ("protect_torque_nm", self.protect_torque_nm, above_0),
            ("protect_peak_torque_nm", self.protect_peak_torque_nm, above_0),
            ("protect_peak_speed_rad_per_s", self.protect_peak_speed_rad_per_s, above_0),
            ("armature_kg_m2", self.armature_kg_m2, at_least_0),
        ];
        let mut problems = Vec::new();
        for (field, value, (accept, expected)) in rows {
            if let Some(value) = value.filter(|value| !(value.is_finite() && accept(*value))) {
                problems.push(RobotError::BadNumber { element: self.element(), field, value, expected });
            }
        }
        if let LinkageKind::ParallelAnkle(leg) = &self.linkage
            && let Err(Gap(gap_m)) = leg.crank_angle(&UnitQuaternion::identity())
        {
            problems.push(RobotError::CannotClose { motor: self.motor.clone(), gap_m });
        }
        problems
    }

    /// Joints that the robot does not have, or that this linkage cannot move.
    pub(crate) fn problems_with(&self, model: &RobotModel) -> Vec<RobotError> {
        let mut problems = Vec::new();
        for name in &self.joints {
            match model.joint_index(name).map(|index| &model.joints()[index]) {
                None => problems.push(unknown_joint(self.element(), model, name)),
                Some(joint) if joint.kind == JointKind::Prismatic => {
                    let reason = format!("joint {name:?} slides: motor turns per metre are not a ratio");
                    problems.push(RobotError::BadEntry { element: self.element(), reason });
                }
                Some(_) => {}
            }
        }
        problems
    }

    /// Motor position for joint positions `q` of `model`, rad.
    pub(crate) fn motor_position(&self, model: &RobotModel, q: &[f64]) -> Result<f64, RobotError> {
        let output = match (&self.linkage, &self.joints[..]) {
            (LinkageKind::ParallelAnkle(leg), [pitch, roll]) => {
                let shank_from_foot = self.turned(model, q, pitch)? * self.turned(model, q, roll)?;
                leg.crank_angle(&shank_from_foot).map_err(|Gap(gap_m)| RobotError::CannotClose { motor: self.motor.clone(), gap_m })?
            }
            (LinkageKind::Direct | LinkageKind::Rod1To1, [joint]) => q[self.index(model, joint)?],
            (_, joints) => {
                let reason = format!("{} joint(s) do not fit its linkage", joints.len());
                return Err(RobotError::BadEntry { element: self.element(), reason });
            }
        };
        Ok(self.sign * self.ratio * output)
    }

    fn index(&self, model: &RobotModel, joint: &str) -> Result<usize, RobotError> {
        model.joint_index(joint).ok_or_else(|| unknown_joint(self.element(), model, joint))
    }

    /// The rotation of one joint about its own axis, so that any sign convention of the robot is honoured.
    fn turned(&self, model: &RobotModel, q: &[f64], joint: &str) -> Result<UnitQuaternion<f64>, RobotError> {
        let index = self.index(model, joint)?;
        Ok(UnitQuaternion::from_axis_angle(&model.joints()[index].axis, q[index]))
    }
}

pub(crate) fn unknown_joint(element: String, model: &RobotModel, joint: &str) -> RobotError {
    RobotError::UnknownJoint { element, robot: model.name().to_owned(), joint: joint.to_owned() }
}
