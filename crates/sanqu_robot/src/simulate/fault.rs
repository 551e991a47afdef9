use std::fmt;

/// What can be made to go wrong inside a drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DriveFault {
    /// Play grows by `add_rad` (at the output; m for a screw).
    Backlash {
        /// More play, rad.
        add_rad: f64,
    },
    /// Stiffness falls to a share of what it was, in all regions.
    Stiffness {
        /// What is left, above 0.
        share: f64,
    },
    /// A tooth of the flexspline is damaged: a bump of the transmission error each time when it engages.
    Tooth {
        /// Height of the bump at the output, rad.
        peak_rad: f64,
    },
    /// The winding gets more heat than its current makes.
    HotMotor {
        /// More heat, W.
        extra_w: f64,
    },
}

impl fmt::Display for DriveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backlash { add_rad } => write!(f, "backlash grows by {add_rad} rad"),
            Self::Stiffness { share } => write!(f, "stiffness falls to {share} of what it was"),
            Self::Tooth { peak_rad } => write!(f, "a damaged flexspline tooth lifts the transmission error by {peak_rad} rad"),
            Self::HotMotor { extra_w } => write!(f, "the winding is heated by {extra_w} W more"),
        }
    }
}

/// A fault that grows in proportion to time until it has all of its size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growing {
    pub(crate) fault: DriveFault,
    pub(crate) begun_s: f64,
    pub(crate) growth_s: f64,
}

/// What faults do at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Damage {
    pub(crate) backlash_rad: f64,
    pub(crate) stiffness_share: f64,
    pub(crate) tooth_rad: f64,
    pub(crate) extra_w: f64,
}

impl Damage {
    pub(crate) const NONE: Self = Self { backlash_rad: 0.0, stiffness_share: 1.0, tooth_rad: 0.0, extra_w: 0.0 };

    pub(crate) fn at(faults: &[Growing], time_s: f64) -> Self {
        let mut damage = Self::NONE;
        for Growing { fault, begun_s, growth_s } in faults {
            if time_s < *begun_s {
                continue;
            }
            let grown = if *growth_s > 0.0 { ((time_s - begun_s) / growth_s).min(1.0) } else { 1.0 };
            match fault {
                DriveFault::Backlash { add_rad } => damage.backlash_rad += add_rad * grown,
                DriveFault::Stiffness { share } => damage.stiffness_share *= 1.0 + (share - 1.0) * grown,
                DriveFault::Tooth { peak_rad } => damage.tooth_rad += peak_rad * grown,
                DriveFault::HotMotor { extra_w } => damage.extra_w += extra_w * grown,
            }
        }
        damage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_grow_and_add_up() {
        let faults = [
            Growing { fault: DriveFault::Backlash { add_rad: 0.004 }, begun_s: 2.0, growth_s: 10.0 },
            Growing { fault: DriveFault::Backlash { add_rad: 0.001 }, begun_s: 0.0, growth_s: 0.0 },
            Growing { fault: DriveFault::Stiffness { share: 0.6 }, begun_s: 2.0, growth_s: 4.0 },
            Growing { fault: DriveFault::HotMotor { extra_w: 20.0 }, begun_s: 2.0, growth_s: 0.0 },
        ];
        let damage = Damage::at(&faults, 4.0);
        assert!((damage.backlash_rad - 0.0018).abs() < 1e-15 && (damage.stiffness_share - 0.8).abs() < 1e-15, "{damage:?}");
        assert_eq!((damage.extra_w, damage.tooth_rad), (20.0, 0.0));
        assert_eq!(Damage::at(&faults, -1.0), Damage::NONE);
        let damage = Damage::at(&faults, 1e6);
        assert!((damage.backlash_rad - 0.005).abs() < 1e-15 && (damage.stiffness_share - 0.6).abs() < 1e-15, "{damage:?}");
    }
}
