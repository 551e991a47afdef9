use std::fmt;

/// A number from a recording, with its doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// In the unit that the estimator says.
    pub value: f64,
    /// One standard deviation, in the same unit.
    pub sigma: f64,
    /// Samples that it rests on.
    pub samples: usize,
    /// Why it may be wrong by more than `sigma` says.
    pub doubts: Vec<Doubt>,
}

/// A number, or why there is none.
pub type Answer = Result<Estimate, Refusal>;

/// Why a number may be wrong although it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Doubt {
    /// Errors of the joint's encoder that repeat with its turn are in it: no calibrated footprint was given.
    FootprintIncluded,
    /// Friction and inertia at the drive are in it, because only motion tells the directions apart.
    FrictionIncluded,
    /// The joint's torque was not recorded: the motor's current times the description's constant stands for it.
    TorqueFromCurrent,
    /// The joint's torque was not recorded, so its effect was not taken out.
    LoadNotRecorded,
    /// No text says whether currents are q-axis, RMS or supply: constants differ by √2 and √3.
    CurrentConventionUnknown,
    /// The description gives no rated torque: 4 % of it was taken as a quarter of the first bend of the stiffness.
    RatedTorqueUnknown,
    /// Figures of the description that it rests on are assumed.
    DescriptionAssumed,
    /// A close order of the transmission error could not be told apart and is in it.
    NeighbourIncluded {
        /// That order, per motor turn.
        order: f64,
    },
    /// The recording is cut by gaps; what turned in them is not counted.
    Gaps {
        /// How many.
        count: usize,
        /// Together, s.
        seconds: f64,
    },
    /// Samples that were left out: not finite, or of another boot of the robot.
    LeftOut {
        /// How many.
        samples: usize,
    },
    /// The recording is shorter than what it asks about: temperatures had not settled.
    NotSettled,
    /// The load's figure is taken to be right within 5 %.
    LoadAccuracyAssumed,
}

impl Doubt {
    /// A word for programs; it does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FootprintIncluded => "footprint_included",
            Self::FrictionIncluded => "friction_included",
            Self::TorqueFromCurrent => "torque_from_current",
            Self::LoadNotRecorded => "load_not_recorded",
            Self::CurrentConventionUnknown => "current_convention_unknown",
            Self::RatedTorqueUnknown => "rated_torque_unknown",
            Self::DescriptionAssumed => "description_assumed",
            Self::NeighbourIncluded { .. } => "neighbour_included",
            Self::Gaps { .. } => "gaps",
            Self::LeftOut { .. } => "left_out",
            Self::NotSettled => "not_settled",
            Self::LoadAccuracyAssumed => "load_accuracy_assumed",
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FootprintIncluded => write!(f, "errors of the joint encoder that repeat with its turn are in it"),
            Self::FrictionIncluded => write!(f, "friction between the directions of motion is in it"),
            Self::TorqueFromCurrent => write!(f, "current times the described constant stands for the joint's torque"),
            Self::LoadNotRecorded => write!(f, "the joint's torque was not recorded and is not taken out"),
            Self::CurrentConventionUnknown => write!(f, "nobody says what the current means, constants differ by √2 and √3"),
            Self::RatedTorqueUnknown => write!(f, "rated torque unknown: taken at a quarter of the stiffness's first bend"),
            Self::DescriptionAssumed => write!(f, "it rests on figures that the description assumes"),
            Self::NeighbourIncluded { order } => write!(f, "order {order:.3} could not be told apart and is in it"),
            Self::Gaps { count, seconds } => write!(f, "{count} gaps, {seconds:.1} s together, are not in it"),
            Self::LeftOut { samples } => write!(f, "{samples} samples were left out"),
            Self::NotSettled => write!(f, "temperatures had not settled"),
            Self::LoadAccuracyAssumed => write!(f, "the load is taken to be right within 5 %"),
        }
    }
}

/// What a recording or a description can lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The motor's position.
    MotorPosition,
    /// The position of a joint that the drive moves.
    JointPosition,
    /// The torque at the joint.
    JointTorque,
    /// The motor's current or torque.
    MotorTorque,
    /// A temperature of the motor.
    Temperature,
    /// The motor's torque constant.
    TorqueConstant,
    /// The torque and life that the reducer is rated at.
    LifeRating,
    /// The winding's resistance, or what its current means.
    Resistance,
    /// The reducer's rated torque.
    RatedTorque,
    /// Where the stiffness bends: a drive of one stiffness has no second and third.
    Bends,
}

impl Missing {
    fn text(self) -> &'static str {
        match self {
            Self::MotorPosition => "the motor's position",
            Self::JointPosition => "the joint's position",
            Self::JointTorque => "the joint's torque",
            Self::MotorTorque => "the motor's torque or current",
            Self::Temperature => "the motor's temperature",
            Self::TorqueConstant => "the motor's torque constant",
            Self::LifeRating => "the torque, speed and life that the reducer is rated at",
            Self::RatedTorque => "the reducer's rated torque",
            Self::Bends => "where the stiffness bends",
            Self::Resistance => "the winding's resistance and what its current means",
        }
    }
}

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// Too few samples that can be used.
    TooFewSamples {
        /// Usable ones.
        found: usize,
        /// Fewest.
        needed: usize,
    },
    /// The recording does not have it.
    NotRecorded(Missing),
    /// The drive's description does not have it.
    NotDescribed(Missing),
    /// The recording is too short.
    TooShort {
        /// Its length, s.
        seconds: f64,
        /// Least length, s.
        needed_s: f64,
    },
    /// Too little travel.
    NotEnoughMotion {
        /// Travel in rad (or m) at the output, or rad at the motor, as the estimator needs it.
        travel: f64,
        /// Least travel.
        needed: f64,
    },
    /// The load does not reach far enough into the region.
    NotEnoughLoad {
        /// How far it reaches, N·m.
        span_nm: f64,
        /// How far it must, N·m.
        needed_nm: f64,
    },
    /// The load goes with the joint's position, so that wind-up and an encoder's footprint cannot be told apart.
    LoadFollowsPosition {
        /// By how much that widens the variance.
        inflation: f64,
        /// Widest accepted.
        max: f64,
    },
    /// The load does not pass through zero, or does not go up and down through the whole loop.
    LoadOneSided,
    /// The joint moved in one direction only, or its two directions do not overlap.
    OneDirection,
    /// Orders of the transmission error that this travel cannot separate.
    OrdersNotSeparable {
        /// Condition number of the design.
        cond: f64,
        /// Largest accepted.
        max: f64,
    },
    /// Samples are too far apart for the speed.
    SampledTooSlowly {
        /// Sampling rate, Hz.
        rate_hz: f64,
        /// Rate that the speed needs, Hz.
        needed_hz: f64,
    },
    /// No steady motion under load with power in the direction asked for.
    NoSteadyPower,
    /// The doubt is as large as the number.
    TooUncertain {
        /// The number found.
        value: f64,
        /// Its standard deviation.
        sigma: f64,
    },
    /// A number that cannot be: stiffness below 0, efficiency above 1. The description or the load's figure is wrong.
    Implausible {
        /// The number found.
        value: f64,
    },
    /// The ratio or sign of the description is not the recording's: wind-up would be made of it.
    RatioWrong {
        /// Slope of motor on output.
        measured: f64,
        /// The description's.
        described: f64,
    },
    /// A sweep that is to calibrate an encoder carries load.
    NotUnloaded {
        /// Greatest less smallest load, N·m.
        span_nm: f64,
        /// Most that is accepted, N·m.
        max_nm: f64,
    },
    /// A wrapped motor angle whose turns cannot be told.
    TurnsAmbiguous {
        /// How far motor and joint disagree, rad at the motor.
        step_rad: f64,
    },
}

impl Refusal {
    /// A word for programs; it does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooFewSamples { .. } => "too_few_samples",
            Self::NotRecorded(_) => "not_recorded",
            Self::NotDescribed(_) => "not_described",
            Self::TooShort { .. } => "too_short",
            Self::NotEnoughMotion { .. } => "not_enough_motion",
            Self::NotEnoughLoad { .. } => "not_enough_load",
            Self::LoadFollowsPosition { .. } => "load_follows_position",
            Self::LoadOneSided => "load_one_sided",
            Self::OneDirection => "one_direction",
            Self::OrdersNotSeparable { .. } => "orders_not_separable",
            Self::SampledTooSlowly { .. } => "sampled_too_slowly",
            Self::NoSteadyPower => "no_steady_power",
            Self::TooUncertain { .. } => "too_uncertain",
            Self::Implausible { .. } => "implausible",
            Self::RatioWrong { .. } => "ratio_wrong",
            Self::NotUnloaded { .. } => "not_unloaded",
            Self::TurnsAmbiguous { .. } => "turns_ambiguous",
        }
    }

    /// Whether the quantity exists and was recorded, but this excitation cannot tell it.
    pub fn is_unidentifiable(&self) -> bool {
        matches!(
            self,
            Self::NotEnoughMotion { .. }
                | Self::NotEnoughLoad { .. }
                | Self::LoadFollowsPosition { .. }
                | Self::LoadOneSided
                | Self::OneDirection
                | Self::OrdersNotSeparable { .. }
                | Self::NoSteadyPower
                | Self::TooUncertain { .. }
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unidentifiable() {
            write!(f, "not identifiable: ")?;
        }
        match self {
            Self::TooFewSamples { found, needed } => write!(f, "{found} usable samples, expected at least {needed}"),
            Self::NotRecorded(what) => write!(f, "{} was not recorded", what.text()),
            Self::NotDescribed(what) => write!(f, "the description does not give {}", what.text()),
            Self::TooShort { seconds, needed_s } => write!(f, "{seconds:.1} s of samples, expected at least {needed_s:.1} s"),
            Self::NotEnoughMotion { travel, needed } => write!(f, "not enough motion ({travel:.3} of {needed:.3} rad)"),
            Self::NotEnoughLoad { span_nm, needed_nm } => write!(f, "not enough load ({span_nm:.2} of {needed_nm:.2} N·m)"),
            Self::LoadFollowsPosition { inflation, max } => {
                write!(f, "the load follows the joint's position (variance × {inflation:.0}, accepted × {max:.0})")
            }
            Self::LoadOneSided => write!(f, "the load does not go through zero and back"),
            Self::OneDirection => write!(f, "no motion in both directions over the same positions"),
            Self::OrdersNotSeparable { cond, max } => write!(f, "orders cannot be separated (condition {cond:.0}, accepted {max:.0})"),
            Self::SampledTooSlowly { rate_hz, needed_hz } => write!(f, "sampled at {rate_hz:.0} Hz, the speed needs {needed_hz:.0} Hz"),
            Self::NoSteadyPower => write!(f, "no steady motion under load"),
            Self::TooUncertain { value, sigma } => write!(f, "the doubt {sigma:.3e} is too large for {value:.3e}"),
            Self::Implausible { value } => write!(f, "{value:.3e} cannot be: the load's figure or the description is wrong"),
            Self::RatioWrong { measured, described } => write!(f, "the described ratio {described:.3} is wrong, measured {measured:.3}"),
            Self::NotUnloaded { span_nm, max_nm } => write!(f, "the load spans {span_nm:.2} N·m, a calibration accepts {max_nm:.2} N·m"),
            Self::TurnsAmbiguous { step_rad } => {
                write!(f, "a wrapped motor angle and the joint disagree by {step_rad:.2} rad between samples")
            }
        }
    }
}
