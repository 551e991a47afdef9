use std::f64::consts::{PI, TAU};

use serde::Deserialize;

use crate::part::{Part, Range, Row};

/// Most bits of an encoder whose counts over many turns still fit an `i64` and an `f64` without loss.
const BITS_MAX: u32 = 32;

/// Which side of the reducer an encoder reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderSide {
    /// The rotor.
    Motor,
    /// The joint.
    Joint,
}

/// An encoder of a drive.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// What it reads.
    pub side: EncoderSide,
    /// Resolution: `2^bits` counts per turn.
    pub bits: u32,
    /// Counts per turn of what it reads; `2^bits` where absent.
    pub counts_per_turn: Option<f64>,
    /// Whether it knows its turns after power-up.
    pub multi_turn: Option<bool>,
    /// Greatest error over a turn, rad.
    pub accuracy_rad: Option<f64>,
    /// Names of the fields above that no public text gives.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

impl Encoder {
    /// One count of what it reads, rad.
    pub fn step_rad(&self) -> f64 {
        self.counts_per_turn.map_or_else(|| step_rad(self.bits), |counts| TAU / counts)
    }
}

impl Part for Encoder {
    fn rows(&self) -> Vec<Row> {
        vec![
            ("bits", Some(f64::from(self.bits)), Range::Above0),
            ("counts_per_turn", self.counts_per_turn, Range::Above0),
            ("accuracy_rad", self.accuracy_rad, Range::AtLeast0),
        ]
    }

    fn other_names(&self) -> &'static [&'static str] {
        &["side", "multi_turn"]
    }

    fn evidence(&self) -> (&[String], &str) {
        (&self.assumed, &self.source)
    }

    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.bits > BITS_MAX {
            found.push(("bits", format!("bits is {}, expected at most {BITS_MAX}", self.bits)));
        }
        if let Some(counts) = self.counts_per_turn.filter(|counts| *counts > TAU / step_rad(self.bits)) {
            found.push(("counts_per_turn", format!("counts_per_turn is {counts}, more than {} bits can tell", self.bits)));
        }
        found
    }
}

/// One count of an encoder of that many bits, rad.
pub fn step_rad(bits: u32) -> f64 {
    TAU / f64::from(bits).exp2()
}

/// Standard deviation of the wind-up that a motor and a joint encoder of these steps can tell, rad.
///
/// Uniform, independent quantisation: `σ² = (δ_m/N)²/12 + δ_j²/12`.
pub fn windup_sigma_rad(motor_step_rad: f64, joint_step_rad: f64, ratio: f64) -> f64 {
    ((motor_step_rad / ratio).powi(2) / 12.0 + joint_step_rad.powi(2) / 12.0).sqrt()
}

/// Whether a wrapped angle that moves by `step_rad` from sample to sample can be unwrapped by itself: |step| < π.
pub fn unwraps(step_rad: f64) -> bool {
    step_rad.abs() < PI * (1.0 - 1e-12)
}

/// Whole turns of a motor whose encoder tells one turn only, from the joint: `round((s N q + offset − θ)/2π)`.
///
/// Right while the wind-up stays below [`turns_ambiguous_beyond_rad`] and the encoders agree. `signed_ratio` is s·N. `None`
/// where the count is not finite or too large for exact arithmetic.
pub fn turns_from_joint(single_turn_rad: f64, joint_rad: f64, signed_ratio: f64, offset_rad: f64) -> Option<i64> {
    /// Beyond this an `f64` no longer tells neighbouring whole numbers apart.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let turns = ((signed_ratio * joint_rad + offset_rad - single_turn_rad) / TAU).round();
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within the exact range of f64")]
    (turns.abs() < EXACT_MAX).then_some(turns as i64)
}

/// Wind-up at which [`turns_from_joint`] becomes ambiguous, rad at the output: `π/N`.
pub fn turns_ambiguous_beyond_rad(ratio: f64) -> f64 {
    PI / ratio
}
