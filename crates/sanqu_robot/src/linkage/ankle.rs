//! The two-motor parallel ankle: one crank, one rod and one ball socket on the foot per motor.

use nalgebra::{Matrix2, RowVector2, UnitQuaternion, Vector2, Vector3};
use serde::Deserialize;

use crate::RobotError;
use crate::linkage::newton::{COND_MAX, SolvedPose, solve};
use crate::linkage::universal::{Universal, checked, closure};
use crate::linkage::{finite, points, positive, wrap};

/// A motor angle that is this far from the previous one is on another branch, rad.
const JUMP_RAD: f64 = 0.5;

/// Geometry of one leg of a parallel ankle, in the shank link's frame at the zero pose, m.
///
/// The crank turns about the shank's y axis. The foot turns about a universal joint, pitch first, then roll.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnkleLeg {
    /// Where the crank turns.
    pub crank_pivot_m: [f64; 3],
    /// From the crank's pivot to its tip, crank at zero.
    pub crank_tip_m: [f64; 3],
    /// From the ankle's centre to the rod's socket on the foot, foot at zero.
    pub foot_socket_m: [f64; 3],
    /// The ankle's centre.
    pub ankle_centre_m: [f64; 3],
    /// Length of the rod.
    pub rod_m: f64,
}

impl AnkleLeg {
    pub(crate) fn contradiction(&self) -> Option<RobotError> {
        let all = [
            ("crank_pivot_m", self.crank_pivot_m),
            ("crank_tip_m", self.crank_tip_m),
            ("foot_socket_m", self.foot_socket_m),
            ("ankle_centre_m", self.ankle_centre_m),
        ];
        let bad = points(&all).or_else(|| positive(&[("rod_m", self.rod_m)]));
        bad.or_else(|| self.closed(Vector3::from(self.ankle_centre_m) + Vector3::from(self.foot_socket_m)).angles(self, [0.0; 2], 0).err())
    }

    /// The triangle equation `E cos m + F sin m = G` of the crank angle for a place of the socket; `H = |(E, F)|`.
    fn closed(&self, socket: Vector3<f64>) -> Triangle {
        let reach = socket - Vector3::from(self.crank_pivot_m);
        let tip = Vector3::from(self.crank_tip_m);
        let e = reach.x * tip.x + reach.z * tip.z;
        let f = reach.x * tip.z - reach.z * tip.x;
        let centre_m2 = reach.norm_squared() + tip.norm_squared() - 2.0 * reach.y * tip.y;
        Triangle { e, f, g: 0.5 * (centre_m2 - self.rod_m * self.rod_m), h: e.hypot(f), centre_m2 }
    }

    /// Where the crank's tip is, and how it moves per crank angle.
    fn tip(&self, crank_rad: f64) -> (Vector3<f64>, Vector3<f64>) {
        let arm = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), crank_rad) * Vector3::from(self.crank_tip_m);
        (Vector3::from(self.crank_pivot_m) + arm, Vector3::y().cross(&arm))
    }
}

struct Triangle {
    e: f64,
    f: f64,
    g: f64,
    h: f64,
    /// Squared rod length at which `G` would be 0.
    centre_m2: f64,
}

impl Triangle {
    /// Both crank angles that close the rod.
    fn angles(&self, leg: &AnkleLeg, pose: [f64; 2], index: usize) -> Result<[f64; 2], RobotError> {
        // No rod closes where |G| > H; the nearest one that does has the length at G = ±H.
        let within = (self.h - self.g) * (self.h + self.g);
        if within < 0.0 || self.h == 0.0 {
            let reachable_m2 = self.centre_m2 - 2.0 * self.h.copysign(self.g);
            return Err(RobotError::CannotClose { leg: index, gap_m: reachable_m2.max(0.0).sqrt() - leg.rod_m, pose });
        }
        let middle = self.f.atan2(self.e);
        let spread = within.sqrt().atan2(self.g);
        Ok([middle + spread, middle - spread].map(wrap))
    }
}

/// A foot moved by two cranks with rods (RSU).
///
/// ```text
/// closure  ½(|C_i − B_i|² − l_i²) = 0,  C = O + R(pitch) R(roll) c,  B = A + R_y(m) b
/// motion   ṁ = J q̇,  J = −J_q / J_m,  J_q = dᵀ[∂C/∂pitch, ∂C/∂roll],  J_m = −dᵀ ∂B/∂m,  d = C − B
/// torque   τ_q = Jᵀ τ_m,  τ_m = J⁻ᵀ τ_q  (lossless)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrankAnkle {
    joint: Universal,
    legs: [AnkleLeg; 2],
    /// Which of the two closures each leg stands in: the one nearest to zero at the zero pose.
    branches: [usize; 2],
}

impl CrankAnkle {
    /// From the joint and both legs; the centres of the legs must be the joint's.
    ///
    /// # Errors
    /// [`RobotError::CannotClose`] where a rod does not close at the zero pose.
    pub fn new(joint: Universal, legs: [AnkleLeg; 2]) -> Result<Self, RobotError> {
        let mut ankle = Self { joint, legs, branches: [0; 2] };
        for leg in 0..2 {
            let [plus, minus] = ankle.closures(leg, [0.0; 2])?;
            ankle.branches[leg] = usize::from(minus.abs() < plus.abs());
        }
        Ok(ankle)
    }

    /// The joint that it moves.
    pub fn joint(&self) -> &Universal {
        &self.joint
    }

    /// Crank angles about the shank's +y for a pose (pitch, roll), rad: closed form, the branch of the zero pose.
    ///
    /// # Errors
    /// A pose that is not finite; [`RobotError::CannotClose`] with the leg and the gap of its rod.
    pub fn cranks(&self, pose: [f64; 2]) -> Result<[f64; 2], RobotError> {
        Ok([self.crank(0, pose)?, self.crank(1, pose)?])
    }

    /// One crank's angle: [`Self::cranks`] of leg 0 or 1.
    ///
    /// # Errors
    /// As [`Self::cranks`].
    pub fn crank(&self, leg: usize, pose: [f64; 2]) -> Result<f64, RobotError> {
        let leg = leg.min(1);
        Ok(self.closures(leg, pose)?[self.branches[leg]])
    }

    /// Crank angles that follow `previous` ones, on whichever branch those are.
    ///
    /// # Errors
    /// As [`Self::cranks`]; [`RobotError::BranchJump`] where the nearest closure is more than 0.5 rad away.
    pub fn cranks_after(&self, pose: [f64; 2], previous: [f64; 2]) -> Result<[f64; 2], RobotError> {
        let mut cranks = [0.0; 2];
        for leg in 0..2 {
            let before = finite("previous crank angle", previous[leg])?;
            let [plus, minus] = self.closures(leg, pose)?.map(|angle| before + wrap(angle - before));
            cranks[leg] = if (plus - before).abs() <= (minus - before).abs() { plus } else { minus };
            let by_rad = cranks[leg] - before;
            if by_rad.abs() > JUMP_RAD {
                return Err(RobotError::BranchJump { leg, by_rad, pose });
            }
        }
        Ok(cranks)
    }

    /// `J = ∂m/∂q`: rows are motors, columns pitch and roll.
    ///
    /// # Errors
    /// As [`Self::cranks`]; [`RobotError::NearSingular`] where a crank is in line with its rod (its dead point).
    pub fn jacobian(&self, pose: [f64; 2]) -> Result<Matrix2<f64>, RobotError> {
        let cranks = self.cranks(pose)?;
        let at = checked(pose)?;
        let mut jacobian = Matrix2::zeros();
        for (leg, crank) in cranks.into_iter().enumerate() {
            let (tip, turns) = self.legs[leg].tip(crank);
            let (socket, moves) = self.joint.moving(at, Vector3::from(self.legs[leg].foot_socket_m));
            let rod = socket - tip;
            let pivot = -rod.dot(&turns);
            let cond = rod.norm() * turns.norm() / pivot.abs();
            // A ratio that is NaN (a crank of no length) is refused as well.
            if !matches!(cond.partial_cmp(&COND_MAX), Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)) {
                let cond = if cond.is_nan() { f64::INFINITY } else { cond };
                return Err(RobotError::NearSingular { pose, cond, smallest_pivot: pivot });
            }
            jacobian.set_row(leg, &RowVector2::new(-rod.dot(&moves[0]) / pivot, -rod.dot(&moves[1]) / pivot));
        }
        Ok(jacobian)
    }

    /// The pose (pitch, roll) for crank angles, from `start` (the last pose; zero to begin with): at most
    /// [`crate::ITERATIONS_MAX`] Newton steps to a residual below [`crate::RESIDUAL_M2`].
    ///
    /// # Errors
    /// Inputs that are not finite, [`RobotError::NoPose`].
    pub fn pose(&self, cranks: [f64; 2], start: [f64; 2]) -> Result<SolvedPose, RobotError> {
        checked(start)?;
        let tips = [self.legs[0].tip(finite("crank angle 1", cranks[0])?).0, self.legs[1].tip(finite("crank angle 2", cranks[1])?).0];
        let rods = [self.legs[0].rod_m, self.legs[1].rod_m];
        solve(start, |pose: Vector2<f64>| {
            let legs = [0, 1].map(|leg| {
                let (socket, moves) = self.joint.moving(pose, Vector3::from(self.legs[leg].foot_socket_m));
                (socket - tips[leg], moves)
            });
            closure(legs, rods)
        })
    }

    /// Where the ends of a leg's rod are in the shank's frame: crank tip, socket, m.
    pub fn rod_ends(&self, leg: usize, crank_rad: f64, pose: [f64; 2]) -> [Vector3<f64>; 2] {
        let leg = &self.legs[leg.min(1)];
        [leg.tip(crank_rad).0, self.joint.point(pose, Vector3::from(leg.foot_socket_m))]
    }

    /// Where a leg's crank turns, in the shank's frame, m.
    pub fn pivot(&self, leg: usize) -> Vector3<f64> {
        self.legs[leg.min(1)].crank_pivot_m.into()
    }

    fn closures(&self, leg: usize, pose: [f64; 2]) -> Result<[f64; 2], RobotError> {
        let at = checked(pose)?;
        let socket = self.joint.point(at.into(), Vector3::from(self.legs[leg].foot_socket_m));
        self.legs[leg].closed(socket).angles(&self.legs[leg], pose, leg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::newton::condition;
    use crate::linkage::universal::inverse;

    /// The published geometry of the KUAVO S45's left ankle; its outer leg has the long rod.
    fn legs() -> [AnkleLeg; 2] {
        [true, false].map(|left_motor| {
            let side = if left_motor { 1.0 } else { -1.0 };
            let (pivot_y, pivot_z, rod_m) = if left_motor { (0.0318, -0.090, 0.256) } else { (-0.0362, -0.153, 0.193) };
            AnkleLeg {
                crank_pivot_m: [0.0, pivot_y, pivot_z],
                crank_tip_m: [-0.056_027, -0.0085 * side, 0.015],
                foot_socket_m: [-0.056_027, 0.0255 * side, 0.015],
                ankle_centre_m: [0.0, 0.0, -0.346],
                rod_m,
            }
        })
    }

    fn kuavo() -> CrankAnkle {
        CrankAnkle::new(Universal::yx(Vector3::new(0.0, 0.0, -0.346)), legs()).unwrap()
    }

    fn check(pitch: f64, roll: f64, expect: [f64; 2]) {
        let found = kuavo().cranks([pitch, roll]).unwrap();
        for (angle, expect) in found.into_iter().zip(expect) {
            assert!((angle - expect).abs() < 6e-5, "pitch {pitch} roll {roll}: {angle}, expected {expect}");
        }
    }

    #[test]
    fn published_pairs_of_the_kuavo_ankle() {
        check(0.0, 0.0, [-0.0002, -0.0002]);
        check(0.3, 0.0, [0.2998, 0.2997]);
        check(-0.8, 0.0, [-0.8002, -0.8003]);
        check(0.0, 0.2618, [0.1102, -0.1253]);
        check(0.0, -0.2618, [-0.1261, 0.1080]);
        check(0.2, 0.2, [0.2920, 0.1009]);
        check(-0.5, 0.2, [-0.4265, -0.5846]);
    }

    proptest::proptest! {
        #[test]
        fn motors_and_joints_are_inverse_and_rods_keep_their_length(pitch in -0.873..0.349_f64, roll in -0.262..0.262_f64) {
            let ankle = kuavo();
            let cranks = ankle.cranks([pitch, roll]).unwrap();
            let found = ankle.pose(cranks, [0.0; 2]).unwrap();
            proptest::prop_assert!(found.iterations <= 6, "{found:?}");
            proptest::prop_assert!((found.pose[0] - pitch).abs() < 1e-10 && (found.pose[1] - roll).abs() < 1e-10, "{found:?}");
            let again = ankle.cranks(found.pose).unwrap();
            proptest::prop_assert!((again[0] - cranks[0]).abs() < 1e-10 && (again[1] - cranks[1]).abs() < 1e-10);
            for (leg, crank) in cranks.into_iter().enumerate() {
                let [tip, socket] = ankle.rod_ends(leg, crank, [pitch, roll]);
                proptest::prop_assert!(((socket - tip).norm() - legs()[leg].rod_m).abs() < 1e-12);
            }
        }

        #[test]
        fn jacobians_are_the_slopes_and_pass_power_through(pitch in -0.873..0.349_f64, roll in -0.262..0.262_f64) {
            let ankle = kuavo();
            let jacobian = ankle.jacobian([pitch, roll]).unwrap();
            let step = 1e-6;
            for (column, [dp, dr]) in [[step, 0.0], [0.0, step]].into_iter().enumerate() {
                let [more, less] = [1.0, -1.0].map(|side| ankle.cranks([pitch + side * dp, roll + side * dr]).unwrap());
                for leg in 0..2 {
                    let slope = (more[leg] - less[leg]) / (2.0 * step);
                    proptest::prop_assert!((slope - jacobian[(leg, column)]).abs() < 1e-8);
                }
            }
            proptest::prop_assert!(condition(&jacobian) < 2.98);
            let (rates, torques) = (Vector2::new(0.7, -0.4), Vector2::new(10.0, 6.0));
            let power = torques.dot(&(jacobian * rates)) - (jacobian.transpose() * torques).dot(&rates);
            let back = inverse(&jacobian, [pitch, roll]).unwrap().transpose() * (jacobian.transpose() * torques) - torques;
            proptest::prop_assert!(power.abs() < 1e-12 && back.norm() < 1e-10);
        }

        #[test]
        fn nothing_is_ever_nan(pose in proptest::array::uniform2(proptest::num::f64::ANY), cranks in proptest::array::uniform2(-7.0..7.0_f64)) {
            let finite = |pair: &[f64]| pair.iter().all(|angle| angle.is_finite());
            proptest::prop_assert!(kuavo().cranks(pose).map_or(true, |found| finite(&found)));
            proptest::prop_assert!(kuavo().jacobian(pose).map_or(true, |found| finite(found.as_slice())));
            proptest::prop_assert!(kuavo().pose(cranks, [0.0; 2]).map_or(true, |found| finite(&found.pose)));
        }
    }

    #[test]
    fn a_rod_that_cannot_reach_says_by_how_much() {
        for (rod_m, longer) in [(0.05, 1.0), (0.5, -1.0)] {
            let mut leg = AnkleLeg { rod_m, ..legs()[0] };
            let Some(RobotError::CannotClose { gap_m, .. }) = leg.contradiction() else { panic!("a rod of {rod_m} m closed") };
            assert!(gap_m * longer > 0.0, "{gap_m}");
            leg.rod_m += gap_m + longer * 1e-9;
            assert!(leg.contradiction().is_none(), "gap {gap_m}");
        }
    }

    #[test]
    fn motor_angles_without_a_pose_give_the_smallest_gap() {
        let error = kuavo().pose([0.5, -0.5], [0.0; 2]).unwrap_err();
        let RobotError::NoPose { best_gap_m, iterations, cond, .. } = error else { panic!("{error}") };
        assert!((best_gap_m - 0.003_306).abs() < 2e-5 && iterations == 50 && cond > 1.0, "{best_gap_m} m, condition {cond}");
    }

    #[test]
    fn branches_are_followed_and_jumps_reported() {
        let ankle = kuavo();
        let cranks = ankle.cranks([0.1, 0.05]).unwrap();
        let after = ankle.cranks_after([0.1, 0.05], [cranks[0] + 0.1, cranks[1] - 0.1]).unwrap();
        assert!((after[0] - cranks[0]).abs() < 1e-12 && (after[1] - cranks[1]).abs() < 1e-12);
        let error = ankle.cranks_after([0.1, 0.05], [cranks[0], cranks[1] + 0.8]).unwrap_err();
        assert!(matches!(error, RobotError::BranchJump { leg: 1, by_rad, .. } if (by_rad + 0.8).abs() < 1e-9), "{error}");
    }

    #[test]
    fn dead_points_are_errors_with_pose_and_condition() {
        // Forward: the Jacobian is singular at a roll of 1.532 rad.
        let jacobian = kuavo().jacobian([0.0, 1.532]).unwrap();
        assert!(condition(&jacobian) > 500.0, "{}", condition(&jacobian));
        // Inverse: leg 2's crank is in line with its rod at a pitch of -1.8087 rad.
        let near = kuavo().jacobian([-1.808_675_67, 0.0]).unwrap_err();
        assert!(matches!(near, RobotError::NearSingular { pose: [pitch, _], cond, .. } if pitch < -1.8 && cond > 1e4), "{near}");
        let beyond = kuavo().cranks([-1.81, 0.0]).unwrap_err();
        assert!(matches!(beyond, RobotError::CannotClose { leg: 1, pose: [-1.81, 0.0], .. }), "{beyond}");
    }
}
