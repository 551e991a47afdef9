use nalgebra::{Matrix2, Unit, UnitQuaternion, Vector2, Vector3};
use serde::Deserialize;

use crate::RobotError;
use crate::linkage::newton::{COND_MAX, Closure, SolvedPose, condition, solve};
use crate::linkage::{finite, points, positive};

/// Geometry of one linear actuator of a parallel ankle, in the shank link's frame at the zero pose, m.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearLeg {
    /// Where the actuator hangs on the shank.
    pub anchor_m: [f64; 3],
    /// From the ankle's centre to the actuator's socket on the foot, foot at zero.
    pub foot_socket_m: [f64; 3],
    /// The ankle's centre.
    pub ankle_centre_m: [f64; 3],
    /// Actuator length at which the motor counts 0; the length at the zero pose where absent.
    pub zero_length_m: Option<f64>,
}

impl LinearLeg {
    /// Length at which the motor counts 0, m.
    pub fn zero_length(&self) -> f64 {
        let at_zero = Vector3::from(self.ankle_centre_m) + Vector3::from(self.foot_socket_m) - Vector3::from(self.anchor_m);
        self.zero_length_m.unwrap_or(at_zero.norm())
    }

    pub(crate) fn contradiction(&self) -> Option<RobotError> {
        let all = [("anchor_m", self.anchor_m), ("foot_socket_m", self.foot_socket_m), ("ankle_centre_m", self.ankle_centre_m)];
        points(&all).or_else(|| positive(&[("length at the zero pose", self.zero_length())]))
    }
}

/// A universal joint: pitch first, then roll, both about the same point: `C = O + R(pitch) R(roll) c`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Universal {
    /// Pitch axis in the shank's frame.
    pub pitch_axis: Unit<Vector3<f64>>,
    /// Roll axis in the shank's frame at the zero pose.
    pub roll_axis: Unit<Vector3<f64>>,
    /// Centre in the shank's frame, m.
    pub centre: Vector3<f64>,
}

impl Universal {
    /// Pitch about +y and roll about +x.
    pub fn yx(centre: Vector3<f64>) -> Self {
        Self { pitch_axis: Vector3::y_axis(), roll_axis: Vector3::x_axis(), centre }
    }

    /// Orientation of the foot in the shank's frame.
    pub fn shank_from_foot(&self, pose: [f64; 2]) -> UnitQuaternion<f64> {
        UnitQuaternion::from_axis_angle(&self.pitch_axis, pose[0]) * UnitQuaternion::from_axis_angle(&self.roll_axis, pose[1])
    }

    /// Where a point of the foot is in the shank's frame.
    pub fn point(&self, pose: [f64; 2], foot_point: Vector3<f64>) -> Vector3<f64> {
        self.centre + self.shank_from_foot(pose) * foot_point
    }

    /// The point and its derivatives by pitch and roll.
    pub(crate) fn moving(&self, pose: Vector2<f64>, foot_point: Vector3<f64>) -> (Vector3<f64>, [Vector3<f64>; 2]) {
        let pitch = UnitQuaternion::from_axis_angle(&self.pitch_axis, pose.x);
        let rolled = UnitQuaternion::from_axis_angle(&self.roll_axis, pose.y) * foot_point;
        let arm = pitch * rolled;
        (self.centre + arm, [self.pitch_axis.cross(&arm), pitch * self.roll_axis.cross(&rolled)])
    }
}

/// A foot moved by two linear actuators (SPU): `L_i = |C_i − A_i|`, `dL_i/dq = û_i·∂C_i/∂q`, `τ_q = Jᵀ F`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearAnkle {
    joint: Universal,
    anchors: [Vector3<f64>; 2],
    sockets: [Vector3<f64>; 2],
}

impl LinearAnkle {
    /// From the joint, the actuators' anchors on the shank and sockets on the foot.
    pub fn new(joint: Universal, anchors: [Vector3<f64>; 2], sockets: [Vector3<f64>; 2]) -> Self {
        Self { joint, anchors, sockets }
    }

    /// The joint that it moves.
    pub fn joint(&self) -> &Universal {
        &self.joint
    }

    /// Actuator lengths at a pose (pitch, roll), m.
    ///
    /// # Errors
    /// A pose that is not finite.
    pub fn lengths(&self, pose: [f64; 2]) -> Result<[f64; 2], RobotError> {
        let pose = checked(pose)?;
        Ok([0, 1].map(|leg| self.rod(leg, pose).0.norm()))
    }

    /// `dL/dq`: rows are actuators, columns pitch and roll, m/rad.
    ///
    /// # Errors
    /// A pose that is not finite; [`RobotError::NearSingular`] where an actuator has no length.
    pub fn jacobian(&self, pose: [f64; 2]) -> Result<Matrix2<f64>, RobotError> {
        let at = checked(pose)?;
        let mut jacobian = Matrix2::zeros();
        for leg in 0..2 {
            let (rod, moves) = self.rod(leg, at);
            let length = rod.norm();
            if length <= f64::EPSILON {
                return Err(RobotError::NearSingular { pose, cond: f64::INFINITY, smallest_pivot: length });
            }
            jacobian.set_row(leg, &nalgebra::RowVector2::new(rod.dot(&moves[0]) / length, rod.dot(&moves[1]) / length));
        }
        Ok(jacobian)
    }

    /// The pose at which the actuators have these lengths, from `start`: at most [`crate::ITERATIONS_MAX`] Newton steps to a
    /// residual below [`crate::RESIDUAL_M2`].
    ///
    /// # Errors
    /// Lengths that are not positive, a start that is not finite, [`RobotError::NoPose`].
    pub fn pose(&self, lengths: [f64; 2], start: [f64; 2]) -> Result<SolvedPose, RobotError> {
        checked(start)?;
        if let Some(error) = positive(&[("actuator length 1", lengths[0]), ("actuator length 2", lengths[1])]) {
            return Err(error);
        }
        solve(start, |pose| {
            let legs = [0, 1].map(|leg| self.rod(leg, pose));
            closure(legs, lengths)
        })
    }

    /// Where the ends of an actuator are in the shank's frame: anchor, socket, m.
    pub fn ends(&self, leg: usize, pose: [f64; 2]) -> [Vector3<f64>; 2] {
        [self.anchors[leg.min(1)], self.joint.point(pose, self.sockets[leg.min(1)])]
    }

    /// From the anchor to the socket, and how the socket moves.
    fn rod(&self, leg: usize, pose: Vector2<f64>) -> (Vector3<f64>, [Vector3<f64>; 2]) {
        let (socket, moves) = self.joint.moving(pose, self.sockets[leg]);
        (socket - self.anchors[leg], moves)
    }
}

pub(crate) fn closure(legs: [(Vector3<f64>, [Vector3<f64>; 2]); 2], lengths: [f64; 2]) -> Closure {
    let [(rod0, moves0), (rod1, moves1)] = legs;
    Closure {
        residual: 0.5 * Vector2::new(rod0.norm_squared() - lengths[0] * lengths[0], rod1.norm_squared() - lengths[1] * lengths[1]),
        slope: Matrix2::new(rod0.dot(&moves0[0]), rod0.dot(&moves0[1]), rod1.dot(&moves1[0]), rod1.dot(&moves1[1])),
        gap: Vector2::new(rod0.norm() - lengths[0], rod1.norm() - lengths[1]),
    }
}

pub(crate) fn checked(pose: [f64; 2]) -> Result<Vector2<f64>, RobotError> {
    Ok(Vector2::new(finite("pitch", pose[0])?, finite("roll", pose[1])?))
}

/// The inverse of a Jacobian, refused where speeds and torques would be amplified beyond use.
///
/// # Errors
/// [`RobotError::NearSingular`].
pub(crate) fn inverse(jacobian: &Matrix2<f64>, pose: [f64; 2]) -> Result<Matrix2<f64>, RobotError> {
    let cond = condition(jacobian);
    let smallest_pivot = jacobian.determinant();
    let singular = RobotError::NearSingular { pose, cond, smallest_pivot };
    if cond <= COND_MAX { jacobian.try_inverse().ok_or(singular) } else { Err(singular) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ankle() -> LinearAnkle {
        let side = |y: f64, x: f64, z: f64| Vector3::new(x, y, z);
        LinearAnkle::new(
            Universal::yx(Vector3::zeros()),
            [side(0.045, -0.06, 0.24), side(-0.045, -0.06, 0.24)],
            [side(0.045, -0.07, -0.02), side(-0.045, -0.07, -0.02)],
        )
    }

    proptest::proptest! {
        #[test]
        fn lengths_and_poses_are_inverse(pitch in -0.9..0.6_f64, roll in -0.4..0.4_f64) {
            let lengths = ankle().lengths([pitch, roll]).unwrap();
            let found = ankle().pose(lengths, [0.0, 0.0]).unwrap();
            proptest::prop_assert!((found.pose[0] - pitch).abs() < 1e-10 && (found.pose[1] - roll).abs() < 1e-10, "{found:?}");
            let again = ankle().lengths(found.pose).unwrap();
            proptest::prop_assert!((again[0] - lengths[0]).abs() < 1e-10 && (again[1] - lengths[1]).abs() < 1e-10);
        }

        #[test]
        fn nothing_is_ever_nan(pose in proptest::array::uniform2(proptest::num::f64::ANY), lengths in proptest::array::uniform2(-1.0..2.0_f64)) {
            proptest::prop_assert!(ankle().lengths(pose).map_or(true, |lengths| lengths.iter().all(|length| length.is_finite())));
            proptest::prop_assert!(ankle().jacobian(pose).map_or(true, |jacobian| jacobian.iter().all(|slope| slope.is_finite())));
            proptest::prop_assert!(ankle().pose(lengths, [0.0; 2]).map_or(true, |found| found.pose.iter().all(|angle| angle.is_finite())));
        }
    }
}
