//! The two-motor parallel ankle: one crank, one rod and one ball socket on the foot per motor.

use nalgebra::{UnitQuaternion, Vector3};
use serde::Deserialize;

/// Geometry of one leg of a parallel ankle, in the shank link's frame at the zero pose, m.
///
/// The crank turns about the shank's y axis. The foot turns about a universal joint, pitch first, then roll.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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

/// The rod misses its socket: by how much it would have to be longer (+) or shorter (-), m.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gap(pub(crate) f64);

/// The triangle equation `E cos m + F sin m = G` of a crank angle `m`, with `H = |(E, F)|`.
struct Closure {
    e: f64,
    f: f64,
    g: f64,
    h: f64,
    /// Squared rod length at which `G` would be 0.
    centre_m2: f64,
}

impl AnkleLeg {
    /// Crank angle about the shank's +y for a foot orientation `shank_from_foot`, rad.
    ///
    /// Of the two crank angles that close the rod, the one on the branch that lies nearest to zero at the zero pose.
    ///
    /// Source: law of cosines in the crank's plane; see `SOURCE.md` of the robot for the geometry.
    pub(crate) fn crank_angle(&self, shank_from_foot: &UnitQuaternion<f64>) -> Result<f64, Gap> {
        let [plus, minus] = self.closure(&UnitQuaternion::identity()).angles(self.rod_m)?;
        let branch = usize::from(minus.abs() < plus.abs());
        Ok(self.closure(shank_from_foot).angles(self.rod_m)?[branch])
    }

    fn closure(&self, shank_from_foot: &UnitQuaternion<f64>) -> Closure {
        let socket = Vector3::from(self.ankle_centre_m) + shank_from_foot * Vector3::from(self.foot_socket_m);
        let reach = socket - Vector3::from(self.crank_pivot_m);
        let tip = Vector3::from(self.crank_tip_m);
        let e = reach.x * tip.x + reach.z * tip.z;
        let f = reach.x * tip.z - reach.z * tip.x;
        let centre_m2 = reach.norm_squared() + tip.norm_squared() - 2.0 * reach.y * tip.y;
        Closure { e, f, g: 0.5 * (centre_m2 - self.rod_m * self.rod_m), h: e.hypot(f), centre_m2 }
    }
}

impl Closure {
    fn angles(&self, rod_m: f64) -> Result<[f64; 2], Gap> {
        let cosine = self.g / self.h;
        if !(-1.0..=1.0).contains(&cosine) {
            let reachable_m2 = self.centre_m2 - 2.0 * self.h.copysign(self.g);
            return Err(Gap(reachable_m2.max(0.0).sqrt() - rod_m));
        }
        let middle = self.f.atan2(self.e);
        let spread = cosine.acos();
        Ok([middle + spread, middle - spread].map(wrap))
    }
}

/// Brings an angle into (-π, π].
fn wrap(angle: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let turned = angle.rem_euclid(TAU);
    if turned > PI { turned - TAU } else { turned }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published geometry of the KUAVO S45's left ankle; its outer leg has the long rod.
    fn leg(left_motor: bool) -> AnkleLeg {
        let side = if left_motor { 1.0 } else { -1.0 };
        let (pivot_y, pivot_z, rod_m) = if left_motor { (0.0318, -0.090, 0.256) } else { (-0.0362, -0.153, 0.193) };
        AnkleLeg {
            crank_pivot_m: [0.0, pivot_y, pivot_z],
            crank_tip_m: [-0.056_027, -0.0085 * side, 0.015],
            foot_socket_m: [-0.056_027, 0.0255 * side, 0.015],
            ankle_centre_m: [0.0, 0.0, -0.346],
            rod_m,
        }
    }

    fn foot(pitch: f64, roll: f64) -> UnitQuaternion<f64> {
        UnitQuaternion::from_axis_angle(&Vector3::y_axis(), pitch) * UnitQuaternion::from_axis_angle(&Vector3::x_axis(), roll)
    }

    fn check(pitch: f64, roll: f64, left: f64, right: f64) {
        for (left_motor, expect) in [(true, left), (false, right)] {
            let angle = leg(left_motor).crank_angle(&foot(pitch, roll)).unwrap();
            assert!((angle - expect).abs() < 6e-5, "pitch {pitch} roll {roll}: {angle}, expected {expect}");
        }
    }

    #[test]
    fn published_pairs_of_the_kuavo_ankle() {
        check(0.0, 0.0, -0.0002, -0.0002);
        check(0.3, 0.0, 0.2998, 0.2997);
        check(-0.8, 0.0, -0.8002, -0.8003);
        check(0.0, 0.2618, 0.1102, -0.1253);
        check(0.0, -0.2618, -0.1261, 0.1080);
        check(0.2, 0.2, 0.2920, 0.1009);
        check(-0.5, 0.2, -0.4265, -0.5846);
    }

    proptest::proptest! {
        #[test]
        fn the_rod_keeps_its_length(pitch in -0.872..0.349_f64, roll in -0.261..0.261_f64, left in proptest::bool::ANY) {
            let leg = leg(left);
            let angle = leg.crank_angle(&foot(pitch, roll)).unwrap();
            let tip = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), angle) * Vector3::from(leg.crank_tip_m);
            let socket = Vector3::from(leg.ankle_centre_m) + foot(pitch, roll) * Vector3::from(leg.foot_socket_m);
            let rod = socket - Vector3::from(leg.crank_pivot_m) - tip;
            proptest::prop_assert!((rod.norm() - leg.rod_m).abs() < 1e-12);
        }
    }

    #[test]
    fn a_rod_that_cannot_reach_says_by_how_much() {
        let mut short = leg(true);
        short.rod_m = 0.05;
        let Err(Gap(gap_m)) = short.crank_angle(&foot(0.0, 0.0)) else { panic!("a 5 cm rod closed") };
        short.rod_m += gap_m + 1e-9;
        assert!(gap_m > 0.0 && short.crank_angle(&foot(0.0, 0.0)).is_ok(), "gap {gap_m}");
        let mut long = leg(true);
        long.rod_m = 0.5;
        let Err(Gap(gap_m)) = long.crank_angle(&foot(0.0, 0.0)) else { panic!("a 50 cm rod closed") };
        long.rod_m += gap_m - 1e-9;
        assert!(gap_m < 0.0 && long.crank_angle(&foot(0.0, 0.0)).is_ok(), "gap {gap_m}");
    }
}
