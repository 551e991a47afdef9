use serde::Deserialize;

use crate::linkage::LinkageKind;
use crate::part::{Part, Problem, Range, Row, out_of_range, problems_of, unknown_assumed, untold};
use crate::reducer::{Arrangement, Cycloid, Planetary, RollerScrew, Stiffness, StrainWave};
use crate::{Electric, Encoder, JointKind, RobotError, RobotModel};

/// How far a given ratio may be from the one that the gear's teeth make, relative.
const RATIO_TOLERANCE: f64 = 1e-9;

/// What stands between a motor and its linkage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReducerKind {
    /// One or more planetary stages; see [`Planetary`].
    Planetary,
    /// A strain-wave gear; see [`Arrangement`] and [`StrainWave`].
    StrainWave,
    /// A cycloidal gear; see [`Cycloid`].
    Cycloidal,
    /// A planetary roller screw: the output is a length; see [`RollerScrew`].
    RollerScrew,
    /// No reducer: the motor turns the linkage.
    None,
    /// Nothing is known.
    Unknown,
}

impl ReducerKind {
    /// The key of its table in a description.
    fn key(self) -> &'static str {
        match self {
            Self::Planetary => "planetary",
            Self::StrainWave => "strain_wave",
            Self::Cycloidal => "cycloid",
            Self::RollerScrew => "roller_screw",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

/// One motor with its reducer and linkage.
///
/// The rigid-body relation is `motor = sign * ratio * output`, where `output` is the joint's position, the crank's angle of
/// a linkage, or the length of a linear actuator beyond its length at motor 0.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drive {
    /// The motor's name, unique in the table.
    pub motor: String,
    /// Joints that it moves: one, or pitch and roll for a parallel ankle.
    pub joints: Vec<String>,
    /// Motor turns per output turn, above 0; rad per metre for a roller screw. Where the gear's table gives teeth or a lead it
    /// follows from those and may be left out of the file.
    #[serde(skip)]
    pub ratio: f64,
    /// The ratio as the file gives it.
    #[serde(rename = "ratio")]
    given_ratio: Option<f64>,
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
    /// Serial number of the part: what its health is followed by. Only a description of one robot has it.
    pub serial: Option<String>,
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
    /// The electric motor at its own shaft.
    pub electric: Option<Electric>,
    /// Encoders, in any order.
    #[serde(rename = "encoder", default)]
    pub encoders: Vec<Encoder>,
    /// The strain-wave gear, where the reducer is one.
    pub strain_wave: Option<StrainWave>,
    /// The planetary stages, where the reducer is planetary.
    pub planetary: Option<Planetary>,
    /// The cycloidal gear, where the reducer is one.
    pub cycloid: Option<Cycloid>,
    /// The roller screw, where the reducer is one.
    pub roller_screw: Option<RollerScrew>,
    /// Names of the fields above that no public text gives: shown as assumed wherever they are shown.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

/// Keys of a drive that are no single numbers but may be assumed.
const OTHER_NAMES: [&str; 10] =
    ["reducer", "arrangement", "linkage", "actuator", "electric", "encoder", "strain_wave", "planetary", "cycloid", "roller_screw"];

impl Drive {
    /// Whether no public text gives this field's value; `"strain_wave.hysteresis_rad"` asks for a field of a part.
    pub fn is_assumed(&self, field: &str) -> bool {
        let named = |list: &[String], field: &str| list.iter().any(|name| name == field);
        match field.split_once('.') {
            None => named(&self.assumed, field),
            Some((part, inner)) => {
                named(&self.assumed, part) || self.parts().iter().any(|(key, it)| *key == part && named(it.evidence().0, inner))
            }
        }
    }

    /// Whether this drive moves a joint, alone or with another drive.
    pub fn moves(&self, joint: &str) -> bool {
        self.joints.iter().any(|name| name == joint)
    }

    /// Motor per output, signed.
    pub fn signed_ratio(&self) -> f64 {
        self.sign * self.ratio
    }

    /// Stiffness at the output: the gear's own curve, else the drive's one figure.
    pub fn stiffness(&self) -> Option<Stiffness> {
        let curve = self.strain_wave.as_ref().and_then(|gear| gear.stiffness);
        curve.or_else(|| self.stiffness_nm_per_rad.map(Stiffness::linear))
    }

    pub(crate) fn element(&self) -> String {
        format!("drive {:?}", self.motor)
    }

    /// Takes the ratio from the file, or from the gear where the file leaves it out.
    pub(crate) fn resolve(&mut self) {
        self.ratio = self.given_ratio.or_else(|| self.gear_ratio()).unwrap_or_default();
    }

    /// What the gear's teeth, stages or lead make of the ratio.
    fn gear_ratio(&self) -> Option<f64> {
        match self.reducer {
            ReducerKind::StrainWave => Some(self.strain_wave.as_ref()?.splines()?.reduction(self.arrangement?).abs()),
            ReducerKind::Planetary => self.planetary.as_ref().map(|gear| gear.reduction().abs()),
            ReducerKind::Cycloidal => self.cycloid.as_ref().map(|gear| gear.reduction().abs()),
            ReducerKind::RollerScrew => self.roller_screw.as_ref().map(RollerScrew::reduction),
            ReducerKind::None => Some(1.0),
            ReducerKind::Unknown => None,
        }
    }

    /// The parts that have tables of their own, with the keys that lead there.
    fn parts(&self) -> Vec<(&'static str, &dyn Part)> {
        fn named<'a, P: Part>(key: &'static str, part: Option<&'a P>) -> Option<(&'static str, &'a dyn Part)> {
            part.map(|part| (key, part as &dyn Part))
        }
        let single = [
            named("electric", self.electric.as_ref()),
            named("strain_wave", self.strain_wave.as_ref()),
            named("planetary", self.planetary.as_ref()),
            named("cycloid", self.cycloid.as_ref()),
            named("roller_screw", self.roller_screw.as_ref()),
        ];
        single.into_iter().chain(self.encoders.iter().map(|encoder| named("encoder", Some(encoder)))).flatten().collect()
    }

    /// [`Self::parts`] with their places in the file.
    fn placed_parts(&self, place: &str) -> Vec<(String, &dyn Part)> {
        let mut encoders = 0..self.encoders.len();
        let placed = |(key, part): (&str, _)| match (key, key == "encoder") {
            (_, true) => (format!("{place}.encoder.{}", encoders.next().unwrap_or_default()), part),
            (key, false) => (format!("{place}.{key}"), part),
        };
        self.parts().into_iter().map(placed).collect()
    }

    /// What contradicts itself inside this entry, which stands at `place` of the file.
    pub(crate) fn problems(&self, place: &str) -> Vec<Problem> {
        let element = self.element();
        let entry = |key: &str, reason: String| Problem::entry(format!("{place}.{key}"), &element, reason);
        let mut problems = Vec::new();
        let wanted = self.linkage.joints();
        if self.motor.is_empty() {
            problems.push(entry("motor", "expected a motor name".to_owned()));
        }
        if self.joints.len() != wanted {
            problems.push(entry("joints", format!("expected {wanted} joint(s) for this linkage, found {}", self.joints.len())));
        }
        if let [first, second] = &self.joints[..]
            && first == second
        {
            problems.push(entry("joints", format!("joint {first:?} is named twice")));
        }
        if (self.reducer == ReducerKind::StrainWave) != self.arrangement.is_some() {
            let reason = "a strain-wave gear, and only that, needs an arrangement (cs_fixed, fs_fixed, wg_fixed_fs_in or wg_fixed_cs_in)";
            problems.push(entry("arrangement", reason.to_owned()));
        }
        for (key, _) in self.parts().iter().filter(|(key, _)| !["electric", "encoder", self.reducer.key()].contains(key)) {
            problems.push(entry(key, format!("a table {key:?} does not fit reducer {:?}", self.reducer.key())));
        }
        if self.linkage.is_linear() != (self.reducer == ReducerKind::RollerScrew) {
            let reason = format!(
                "linkage {:?} and reducer {:?} do not fit: a screw moves lengths, others angles",
                self.linkage.key(),
                self.reducer.key()
            );
            problems.push(entry("linkage", reason));
        }
        let rows = self.rows();
        problems.extend(unknown_assumed(&rows, &OTHER_NAMES, &self.assumed, &element, place));
        problems.extend(out_of_range(&rows, &element, place));
        let parts = self.placed_parts(place);
        problems.extend(parts.iter().flat_map(|(place, part)| problems_of(*part, &element, place)));
        if let Some(ratio) = self.gear_ratio().filter(|ratio| (self.ratio / ratio - 1.0).abs() > RATIO_TOLERANCE) {
            problems.push(entry("ratio", format!("ratio is {}, but its gear makes {ratio}", self.ratio)));
        }
        if let Some(problem) = self.linkage.contradiction() {
            problems.push(Problem::new(format!("{place}.linkage.{}", self.linkage.key()), problem.at_drive(&element)));
        }
        problems
    }

    /// Numbers that have neither a source nor the word "assumed".
    pub(crate) fn untold(&self, place: &str) -> Vec<Problem> {
        let element = self.element();
        let own = untold(self, &element, place);
        own.into_iter().chain(self.placed_parts(place).iter().flat_map(|(place, part)| untold(*part, &element, place))).collect()
    }

    /// Joints that the robot does not have, or that this linkage cannot move.
    pub(crate) fn problems_with(&self, model: &RobotModel, place: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, name) in self.joints.iter().enumerate() {
            let place = format!("{place}.joints.{index}");
            match model.joint_index(name).map(|index| &model.joints()[index]) {
                None => problems.push(Problem::new(place, unknown_joint(self.element(), model, name))),
                Some(joint) if joint.kind == JointKind::Prismatic => {
                    let reason = format!("joint {name:?} slides: motor turns per metre are not a ratio");
                    problems.push(Problem::entry(place, &self.element(), reason));
                }
                Some(_) => {}
            }
        }
        problems
    }
}

impl Part for Drive {
    fn rows(&self) -> Vec<Row> {
        use Range::{Above0, AtLeast0, Share, Sign};
        vec![
            ("ratio", Some(self.ratio), Above0),
            ("sign", Some(self.sign), Sign),
            ("torque_constant_nm_per_a", self.torque_constant_nm_per_a, Above0),
            ("stiffness_nm_per_rad", self.stiffness_nm_per_rad, Above0),
            ("backlash_rad", self.backlash_rad, AtLeast0),
            ("efficiency", self.efficiency, Share),
            ("current_limit_a", self.current_limit_a, Above0),
            ("rated_torque_nm", self.rated_torque_nm, Above0),
            ("rated_speed_rad_per_s", self.rated_speed_rad_per_s, Above0),
            ("protect_torque_nm", self.protect_torque_nm, Above0),
            ("protect_peak_torque_nm", self.protect_peak_torque_nm, Above0),
            ("protect_peak_speed_rad_per_s", self.protect_peak_speed_rad_per_s, Above0),
            ("armature_kg_m2", self.armature_kg_m2, AtLeast0),
        ]
    }

    fn evidence(&self) -> (&[String], &str) {
        (&self.assumed, &self.source)
    }
}

pub(crate) fn unknown_joint(element: String, model: &RobotModel, joint: &str) -> RobotError {
    RobotError::UnknownJoint { element, robot: model.name().to_owned(), joint: joint.to_owned() }
}
