use serde::Deserialize;

use crate::RobotError;
use crate::linkage::{COND_MAX, direction, finite, forwards, positive, wrap};

/// On which side of the diagonal the coupler stands: it never changes while the linkage moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assembly {
    /// The rocker is turned on from the diagonal.
    Plus,
    /// The rocker is turned back from the diagonal.
    Minus,
}

/// A planar four-bar: ground O–K, crank O–P driven at θ, coupler P–Q, rocker K–Q at ψ, which is the joint. Angles from O→K.
///
/// ```text
/// d = P − K, D = |d|:  ψ = atan2(d_y, d_x) ± acos((b² + D² − c²)/(2bD))
/// dψ/dθ = (u·∂P/∂θ)/(u·∂Q/∂ψ),  u = Q − P;   τ_joint = τ_crank/(dψ/dθ)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourBar {
    /// Distance O to K, m.
    pub ground_m: f64,
    /// Distance O to P, m.
    pub crank_m: f64,
    /// Distance P to Q, m.
    pub coupler_m: f64,
    /// Distance K to Q, m.
    pub rocker_m: f64,
    /// The sign of the closure.
    pub assembly: Assembly,
    /// Crank angle θ at which the reducer's output is 0, rad.
    #[serde(default)]
    pub crank_zero_rad: f64,
    /// Rocker angle ψ at which the joint is at 0, rad.
    #[serde(default)]
    pub rocker_zero_rad: f64,
    /// 1 where the joint counts like the rocker, else −1.
    #[serde(default = "forwards")]
    pub direction: f64,
    /// From O to K in the parent link's frame, m, for drawing.
    pub ground_vector_m: Option<[f64; 3]>,
}

/// Rotates from one arm to the other: a point and its derivative by the angle.
fn arm(length: f64, angle: f64) -> ([f64; 2], [f64; 2]) {
    let (sine, cosine) = angle.sin_cos();
    ([length * cosine, length * sine], [-length * sine, length * cosine])
}

impl FourBar {
    /// Rocker angle ψ for a crank angle θ, rad, in (-π, π].
    ///
    /// # Errors
    /// [`RobotError::CannotClose`] with the gap by which the coupler is too short (+) or too long (−).
    pub fn rocker(&self, crank_rad: f64) -> Result<f64, RobotError> {
        let ([px, py], _) = arm(self.crank_m, finite("crank angle", crank_rad)?);
        let turn = self.apex([px - self.ground_m, py], self.rocker_m, [crank_rad, 0.0])?;
        let turn = if self.assembly == Assembly::Plus { turn } else { -turn };
        Ok(wrap(py.atan2(px - self.ground_m) + turn))
    }

    /// Crank angle θ for a rocker angle ψ: of the closures of this assembly the one nearest to `near_rad`.
    ///
    /// # Errors
    /// [`RobotError::CannotClose`] with the gap of the coupler, or with gap 0 where it closes in the other assembly only.
    pub fn crank(&self, rocker_rad: f64, near_rad: f64) -> Result<f64, RobotError> {
        let ([qx, qy], _) = arm(self.rocker_m, finite("rocker angle", rocker_rad)?);
        let q = [qx + self.ground_m, qy];
        let turn = self.apex(q, self.crank_m, [rocker_rad, 0.0])?;
        let middle = q[1].atan2(q[0]);
        let own = |crank: f64| self.side(crank, rocker_rad) >= -1e-12 * self.ground_m;
        let mut best: Option<f64> = None;
        for crank in [middle + turn, middle - turn].into_iter().filter(|crank| own(*crank)) {
            let crank = near_rad + wrap(crank - near_rad);
            if best.is_none_or(|other| (crank - near_rad).abs() < (other - near_rad).abs()) {
                best = Some(crank);
            }
        }
        best.ok_or(RobotError::CannotClose { leg: 0, gap_m: 0.0, pose: [rocker_rad, 0.0] })
    }

    /// `dψ/dθ`.
    ///
    /// # Errors
    /// As [`Self::rocker`]; [`RobotError::NearSingular`] where coupler and rocker are in line (the crank cannot move the rocker).
    pub fn rocker_per_crank(&self, crank_rad: f64) -> Result<f64, RobotError> {
        let (at_crank, at_rocker) = self.pivots(crank_rad, self.rocker(crank_rad)?);
        let cond = self.coupler_m * self.rocker_m / at_rocker.abs();
        if cond <= COND_MAX {
            Ok(at_crank / at_rocker)
        } else {
            Err(RobotError::NearSingular { pose: [crank_rad, 0.0], cond, smallest_pivot: at_rocker })
        }
    }

    /// `dθ/dψ`: for crank speeds from joint speeds, joint torques from crank torques.
    ///
    /// # Errors
    /// As [`Self::rocker`]; [`RobotError::NearSingular`] where crank and coupler are in line (a dead point).
    pub fn crank_per_rocker(&self, crank_rad: f64) -> Result<f64, RobotError> {
        let (at_crank, at_rocker) = self.pivots(crank_rad, self.rocker(crank_rad)?);
        let cond = self.coupler_m * self.crank_m / at_crank.abs();
        if cond <= COND_MAX {
            Ok(at_rocker / at_crank)
        } else {
            Err(RobotError::NearSingular { pose: [crank_rad, 0.0], cond, smallest_pivot: at_crank })
        }
    }

    /// Angle between coupler and rocker, 0..=π/2; under 30° the linkage works badly, at 0 it is singular.
    ///
    /// # Errors
    /// As [`Self::rocker`].
    pub fn transmission_angle(&self, crank_rad: f64) -> Result<f64, RobotError> {
        let rocker_rad = self.rocker(crank_rad)?;
        let ([px, py], _) = arm(self.crank_m, crank_rad);
        let ([bx, by], _) = arm(self.rocker_m, rocker_rad);
        let u = [bx + self.ground_m - px, by - py];
        let (dot, cross) = (u[0] * bx + u[1] * by, u[0] * by - u[1] * bx);
        Ok(cross.abs().atan2(dot.abs()))
    }

    /// Reducer output for a joint position, rad; `near_rad` is the previous output (0 to begin with).
    ///
    /// # Errors
    /// As [`Self::crank`].
    pub fn output(&self, joint_rad: f64, near_rad: f64) -> Result<f64, RobotError> {
        let rocker = self.rocker_zero_rad + self.direction * finite("joint position", joint_rad)?;
        Ok(self.crank(rocker, self.crank_zero_rad + near_rad)? - self.crank_zero_rad)
    }

    /// Joint position for a reducer output, rad.
    ///
    /// # Errors
    /// As [`Self::rocker`].
    pub fn joint(&self, output_rad: f64) -> Result<f64, RobotError> {
        Ok(self.direction * wrap(self.rocker(self.crank_zero_rad + output_rad)? - self.rocker_zero_rad))
    }

    /// `d(output)/d(joint)` at a reducer output.
    ///
    /// # Errors
    /// As [`Self::crank_per_rocker`].
    pub fn jacobian(&self, output_rad: f64) -> Result<f64, RobotError> {
        Ok(self.direction * self.crank_per_rocker(self.crank_zero_rad + output_rad)?)
    }

    /// `u·∂P/∂θ` and `u·∂Q/∂ψ`, m².
    fn pivots(&self, crank_rad: f64, rocker_rad: f64) -> (f64, f64) {
        let ([px, py], dp) = arm(self.crank_m, crank_rad);
        let ([bx, by], dq) = arm(self.rocker_m, rocker_rad);
        let u = [bx + self.ground_m - px, by - py];
        (u[0] * dp[0] + u[1] * dp[1], u[0] * dq[0] + u[1] * dq[1])
    }

    /// Positive where (θ, ψ) stand in this assembly: the side of the diagonal P–K on which Q lies.
    fn side(&self, crank_rad: f64, rocker_rad: f64) -> f64 {
        let ([px, py], _) = arm(self.crank_m, crank_rad);
        let ([bx, by], _) = arm(self.rocker_m, rocker_rad);
        let cross = (px - self.ground_m) * by - py * bx;
        if self.assembly == Assembly::Plus { cross } else { -cross }
    }

    /// Angle at the far end of a triangle with the sides |d|, `side` and the coupler.
    fn apex(&self, d: [f64; 2], side: f64, pose: [f64; 2]) -> Result<f64, RobotError> {
        let distance = d[0].hypot(d[1]);
        let [shortest, longest] = [(self.coupler_m - side).abs(), self.coupler_m + side];
        let gap_m = if distance < shortest { distance - shortest } else { (distance - longest).max(0.0) };
        if gap_m != 0.0 || distance == 0.0 {
            return Err(RobotError::CannotClose { leg: 0, gap_m, pose });
        }
        // Half-angle form: tan²(apex/2) = (c² − (D − s)²)/((D + s)² − c²).
        let c = self.coupler_m;
        let (over, under) = ((c - distance + side) * (c + distance - side), (distance + side - c) * (distance + side + c));
        Ok(2.0 * over.max(0.0).sqrt().atan2(under.max(0.0).sqrt()))
    }

    pub(crate) fn contradiction(&self) -> Option<RobotError> {
        let lengths = [("ground_m", self.ground_m), ("crank_m", self.crank_m), ("coupler_m", self.coupler_m), ("rocker_m", self.rocker_m)];
        let bad = positive(&lengths).or_else(|| direction(self.direction));
        let bad = bad.or_else(|| finite("crank_zero_rad", self.crank_zero_rad).err());
        let bad = bad.or_else(|| finite("rocker_zero_rad", self.rocker_zero_rad).err());
        let bad = bad.or_else(|| self.rocker(self.crank_zero_rad).err());
        bad.or_else(|| {
            let value = self.ground_vector_m.map(|[x, y, z]| x.hypot(y).hypot(z))?;
            let expected = "a vector as long as ground_m";
            let off = !value.is_finite() || (value - self.ground_m).abs() > 1e-6;
            off.then(|| RobotError::BadNumber { element: "linkage".to_owned(), field: "length of ground_vector_m", value, expected })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knee() -> FourBar {
        FourBar {
            ground_m: 0.28,
            crank_m: 0.045,
            coupler_m: 0.285,
            rocker_m: 0.055,
            assembly: Assembly::Minus,
            crank_zero_rad: 0.4,
            rocker_zero_rad: 0.5,
            direction: -1.0,
            ground_vector_m: None,
        }
    }

    proptest::proptest! {
        #[test]
        fn outputs_and_joints_are_inverse(output in -0.2..2.2_f64) {
            let bars = knee();
            let joint = bars.joint(output).unwrap();
            let back = bars.output(joint, output + 0.1).unwrap();
            proptest::prop_assert!((back - output).abs() < 1e-10, "{output} became {joint}, then {back}");
            proptest::prop_assert!((bars.joint(back).unwrap() - joint).abs() < 1e-10);
            let step = 1e-6;
            let slope = (bars.joint(output + step).unwrap() - bars.joint(output - step).unwrap()) / (2.0 * step);
            proptest::prop_assert!((slope - 1.0 / bars.jacobian(output).unwrap()).abs() < 1e-7);
        }

        #[test]
        fn nothing_is_ever_nan(angle in proptest::num::f64::ANY, near in -4.0..4.0_f64) {
            let bars = knee();
            for value in [bars.rocker(angle), bars.crank(angle, near), bars.rocker_per_crank(angle), bars.crank_per_rocker(angle), bars.transmission_angle(angle)] {
                proptest::prop_assert!(value.is_err() || value.is_ok_and(f64::is_finite));
            }
        }
    }

    #[test]
    fn a_coupler_that_cannot_reach_says_by_how_much() {
        let short = FourBar { coupler_m: 0.2, crank_m: 0.05, rocker_m: 0.05, ..knee() };
        assert!(matches!(short.rocker(std::f64::consts::PI), Err(RobotError::CannotClose { gap_m, .. }) if (gap_m - 0.08).abs() < 1e-12));
    }

    #[test]
    fn dead_points_are_errors_with_their_condition() {
        // Crank and coupler in line: the rocker is at its end and cannot push the crank.
        let bars = knee();
        let ends: Vec<f64> = (0..6284).map(|step| f64::from(step) * 1e-3).collect();
        let fold = ends.windows(2).find_map(|pair| {
            let [first, second] = [pair[0], pair[1]].map(|crank| -> Option<f64> { Some(bars.pivots(crank, bars.rocker(crank).ok()?).0) });
            (first? * second? < 0.0).then_some(pair[0])
        });
        let (mut low, mut high) = (fold.unwrap(), fold.unwrap() + 1e-3);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            let [a, b] = [low, middle].map(|crank| bars.pivots(crank, bars.rocker(crank).unwrap()).0);
            if a * b <= 0.0 { high = middle } else { low = middle }
        }
        let error = bars.crank_per_rocker(low).unwrap_err();
        assert!(matches!(error, RobotError::NearSingular { cond, .. } if cond > COND_MAX), "{error}");
        assert!(bars.rocker_per_crank(low).unwrap().abs() < 1e-6);
    }
}
