//! Linkages: what the reducer's output becomes at the joint, with Jacobians.
//!
//! Contract of every function here: a finite result, or an error with the pose; never NaN, never a clamped value.
//! Nothing allocates but the errors.

mod ankle;
mod crank_slider;
mod four_bar;
mod newton;
mod parallelogram;
mod universal;

use serde::Deserialize;

pub use ankle::{AnkleLeg, CrankAnkle};
pub use crank_slider::CrankSlider;
pub use four_bar::{Assembly, FourBar};
pub use newton::{COND_MAX, ITERATIONS_MAX, RESIDUAL_M2, SolvedPose, condition};
pub use parallelogram::Parallelogram;
pub(crate) use universal::inverse;
pub use universal::{LinearAnkle, LinearLeg, Universal};

use crate::RobotError;

/// What stands between a reducer and its joints.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkageKind {
    /// The reducer's output is the joint.
    Direct,
    /// A parallelogram rod whose geometry is not given: the joint copies the reducer's output.
    #[serde(rename = "rod_1to1")]
    Rod1To1,
    /// A parallelogram rod: the joint copies the reducer's output.
    Parallelogram(Parallelogram),
    /// A linear actuator across the joint; the reducer is a screw.
    CrankSlider(CrankSlider),
    /// A crank, a coupler and a rocker on the joint.
    FourBar(FourBar),
    /// One of the two cranks of a parallel ankle; the drive's joints are pitch, then roll.
    ParallelAnkle(AnkleLeg),
    /// One of the two linear actuators of a parallel ankle; the drive's joints are pitch, then roll; the reducer is a screw.
    LinearAnkle(LinearLeg),
}

impl LinkageKind {
    /// How many joints one such drive moves, alone or with its partner.
    pub fn joints(&self) -> usize {
        if matches!(self, Self::ParallelAnkle(_) | Self::LinearAnkle(_)) { 2 } else { 1 }
    }

    /// Whether the reducer's output is a length (m) instead of an angle.
    pub fn is_linear(&self) -> bool {
        matches!(self, Self::CrankSlider(_) | Self::LinearAnkle(_))
    }

    /// The key of its table in a description.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Rod1To1 => "rod_1to1",
            Self::Parallelogram(_) => "parallelogram",
            Self::CrankSlider(_) => "crank_slider",
            Self::FourBar(_) => "four_bar",
            Self::ParallelAnkle(_) => "parallel_ankle",
            Self::LinearAnkle(_) => "linear_ankle",
        }
    }

    /// What is wrong with the geometry by itself.
    pub(crate) fn contradiction(&self) -> Option<RobotError> {
        match self {
            Self::Direct | Self::Rod1To1 => None,
            Self::Parallelogram(rods) => rods.contradiction(),
            Self::CrankSlider(slider) => slider.contradiction(),
            Self::FourBar(bars) => bars.contradiction(),
            Self::ParallelAnkle(leg) => leg.contradiction(),
            Self::LinearAnkle(leg) => leg.contradiction(),
        }
    }
}

/// Refuses an input that is not a finite number.
pub(crate) fn finite(field: &'static str, value: f64) -> Result<f64, RobotError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(RobotError::BadNumber { element: "linkage".to_owned(), field, value, expected: "a finite number" })
}

/// Refuses a linkage whose length is no positive number.
pub(crate) fn positive(lengths: &[(&'static str, f64)]) -> Option<RobotError> {
    let (field, value) = *lengths.iter().find(|(_, value)| !(value.is_finite() && *value > 0.0))?;
    Some(RobotError::BadNumber { element: "linkage".to_owned(), field, value, expected: "a finite number above 0" })
}

/// Refuses points with a coordinate that is not finite.
pub(crate) fn points(points: &[(&'static str, [f64; 3])]) -> Option<RobotError> {
    let bad = points.iter().find_map(|(field, point)| point.iter().find(|value| !value.is_finite()).map(|value| (*field, *value)));
    bad.map(|(field, value)| RobotError::BadNumber { element: "linkage".to_owned(), field, value, expected: "finite numbers" })
}

/// Refuses a direction other than 1 and −1.
pub(crate) fn direction(value: f64) -> Option<RobotError> {
    let expected = "1 or -1";
    (value.abs() != 1.0).then(|| RobotError::BadNumber { element: "linkage".to_owned(), field: "direction", value, expected })
}

/// Brings an angle into (-π, π].
pub(crate) fn wrap(angle: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let turned = angle.rem_euclid(TAU);
    if turned > PI { turned - TAU } else { turned }
}

pub(crate) fn forwards() -> f64 {
    1.0
}
