use serde::Deserialize;

use crate::RobotError;
use crate::linkage::{direction, finite, forwards, positive};

/// A linear actuator across a hinge: it pushes between A on the parent link and B on the joint's link; K is the joint.
///
/// ```text
/// L = √(a² + b² − 2ab cos γ),  γ = γ0 ± q,  J = dL/dq = ±ab sin γ / L,  τ = J F
/// ```
///
/// The branch is 0 ≤ γ ≤ π; at both ends the arm is in line with the actuator and J is 0.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrankSlider {
    /// Distance K to A, m.
    pub a_m: f64,
    /// Distance K to B, m.
    pub b_m: f64,
    /// Angle A-K-B with the joint at 0, rad.
    pub gamma0_rad: f64,
    /// 1 where a positive joint turn opens the angle, else −1.
    #[serde(default = "forwards")]
    pub direction: f64,
    /// Actuator length at which the motor counts 0, m; the length at joint 0 where absent.
    pub zero_length_m: Option<f64>,
    /// From K to A in the parent link's frame, m, for drawing.
    pub anchor_m: Option<[f64; 3]>,
}

impl CrankSlider {
    /// Shortest and longest actuator, m.
    pub fn length_range(&self) -> [f64; 2] {
        [(self.a_m - self.b_m).abs(), self.a_m + self.b_m]
    }

    /// The angle A-K-B at a joint position.
    ///
    /// # Errors
    /// [`RobotError::PastDeadPoint`] where it leaves 0..=π: the joint is on another branch.
    pub fn gamma(&self, joint_rad: f64) -> Result<f64, RobotError> {
        let gamma = self.gamma0_rad + self.direction * finite("joint position", joint_rad)?;
        let by_rad = if gamma < 0.0 { gamma } else { (gamma - std::f64::consts::PI).max(0.0) };
        if by_rad == 0.0 { Ok(gamma) } else { Err(RobotError::PastDeadPoint { joint_rad, by_rad }) }
    }

    /// Actuator length at a joint position, m.
    ///
    /// # Errors
    /// As [`Self::gamma`].
    pub fn length(&self, joint_rad: f64) -> Result<f64, RobotError> {
        Ok(self.length_of(self.gamma(joint_rad)?))
    }

    /// Joint position at an actuator length, rad.
    ///
    /// # Errors
    /// [`RobotError::OutOfReach`] for a length outside [`Self::length_range`].
    pub fn joint(&self, length_m: f64) -> Result<f64, RobotError> {
        finite("actuator length", length_m)?;
        let [shortest, longest] = self.length_range();
        let by_m = if length_m < shortest { length_m - shortest } else { (length_m - longest).max(0.0) };
        if by_m != 0.0 {
            return Err(RobotError::OutOfReach { length_m, by_m });
        }
        // Half-angle form: exact near both dead points, where acos is not.
        let (near, far) = (length_m - shortest, longest - length_m);
        let gamma = 2.0 * (near * (length_m + shortest)).sqrt().atan2((far * (longest + length_m)).sqrt());
        Ok(self.direction * (gamma - self.gamma0_rad))
    }

    /// `dL/dq`, m/rad; the torque at the joint is this times the pushing force. 0 at the dead points.
    ///
    /// # Errors
    /// As [`Self::gamma`]; [`RobotError::NearSingular`] where the length is 0.
    pub fn jacobian(&self, joint_rad: f64) -> Result<f64, RobotError> {
        let gamma = self.gamma(joint_rad)?;
        let length = self.length_of(gamma);
        if length <= f64::EPSILON * self.a_m {
            return Err(RobotError::NearSingular { pose: [joint_rad, 0.0], cond: f64::INFINITY, smallest_pivot: length });
        }
        Ok(self.direction * self.a_m * self.b_m * gamma.sin() / length)
    }

    /// How much the joint amplifies the actuator where `jacobian` is [`Self::jacobian`]; beyond [`crate::COND_MAX`] neither joint speed
    /// nor force can be had from it. Infinite at the dead points.
    pub fn condition(&self, jacobian: f64) -> f64 {
        self.a_m.min(self.b_m) / jacobian.abs()
    }

    /// Actuator length at which the motor counts 0, m.
    ///
    /// # Errors
    /// As [`Self::length`] at 0.
    pub fn zero_length(&self) -> Result<f64, RobotError> {
        self.zero_length_m.map_or_else(|| self.length(0.0), Ok)
    }

    fn length_of(&self, gamma: f64) -> f64 {
        // (a − b)² + 4ab sin²(γ/2): no cancellation when the actuator is short.
        let half = (0.5 * gamma).sin();
        (self.a_m - self.b_m).hypot(2.0 * (self.a_m * self.b_m).sqrt() * half)
    }

    pub(crate) fn contradiction(&self) -> Option<RobotError> {
        let bad = positive(&[("a_m", self.a_m), ("b_m", self.b_m)]).or_else(|| direction(self.direction));
        let bad = bad.or_else(|| finite("gamma0_rad", self.gamma0_rad).err());
        let bad = bad.or_else(|| self.zero_length_m.and_then(|length| positive(&[("zero_length_m", length)])));
        bad.or_else(|| self.gamma(0.0).err()).or_else(|| {
            let value = self.anchor_m.map(|[x, y, z]| x.hypot(y).hypot(z))?;
            let expected = "a vector as long as a_m";
            let off = !value.is_finite() || (value - self.a_m).abs() > 1e-6;
            off.then(|| RobotError::BadNumber { element: "linkage".to_owned(), field: "length of anchor_m", value, expected })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::COND_MAX;

    fn knee(direction: f64) -> CrankSlider {
        CrankSlider { a_m: 0.26, b_m: 0.055, gamma0_rad: 25_f64.to_radians(), direction, zero_length_m: None, anchor_m: None }
    }

    proptest::proptest! {
        #[test]
        fn lengths_and_angles_are_inverse(gamma in 1e-3..3.1405_f64, forwards in proptest::bool::ANY) {
            let knee = knee(if forwards { 1.0 } else { -1.0 });
            let q = knee.direction * (gamma - knee.gamma0_rad);
            let length = knee.length(q).unwrap();
            proptest::prop_assert!((knee.joint(length).unwrap() - q).abs() < 1e-10);
            proptest::prop_assert!((knee.length(knee.joint(length).unwrap()).unwrap() - length).abs() < 1e-10);
            let step = 1e-6;
            let slope = (knee.length(q + step).unwrap() - knee.length(q - step).unwrap()) / (2.0 * step);
            proptest::prop_assert!((slope - knee.jacobian(q).unwrap()).abs() < 1e-8);
        }

        #[test]
        fn nothing_is_ever_nan(q in proptest::num::f64::ANY, length in proptest::num::f64::ANY) {
            let knee = knee(1.0);
            for value in [knee.length(q), knee.jacobian(q), knee.joint(length)] {
                proptest::prop_assert!(value.is_err() || value.is_ok_and(f64::is_finite));
            }
        }
    }

    #[test]
    fn dead_points_and_lengths_out_of_reach_say_so() {
        let knee = knee(1.0);
        let straight = -25_f64.to_radians();
        assert!(knee.jacobian(straight).unwrap().abs() < 1e-15);
        assert!(knee.condition(knee.jacobian(straight).unwrap()) > COND_MAX);
        assert!(matches!(knee.length(straight - 0.1), Err(RobotError::PastDeadPoint { by_rad, .. }) if (by_rad + 0.1).abs() < 1e-12));
        assert!(matches!(knee.joint(0.20), Err(RobotError::OutOfReach { by_m, .. }) if (by_m + 0.005).abs() < 1e-12));
        assert!(matches!(knee.joint(0.33), Err(RobotError::OutOfReach { by_m, .. }) if (by_m - 0.015).abs() < 1e-12));
    }
}
