//! The one place where f64, z up (robots, URDF, field) becomes f32, y up (bevy).
//!
//! Both frames are right-handed and metric. The change of axes is a quarter turn about x: `x' = x, y' = z, z' = -y`.
//! It is applied to whole frames, not only to positions: a link that looks along its own z looks along y in bevy. So a
//! URDF cylinder (axis z) is a bevy cylinder (axis y) without any further turn.

use bevy::math::{Quat, Vec3};
use bevy::transform::components::Transform;
use nalgebra::Isometry3;

/// A pose `world_from_x` or `parent_from_child` (f64, z up, metres) as a bevy transform (f32, y up, metres).
pub fn bevy_from_world(pose: &Isometry3<f64>) -> Transform {
    let q = pose.rotation.coords;
    let rotation = Quat::from_xyzw(narrow(q.x), narrow(q.z), narrow(-q.y), narrow(q.w));
    Transform { translation: bevy_point(pose.translation.vector.into()), rotation, scale: Vec3::ONE }
}

/// A point or direction, z up, metres.
pub fn bevy_point([x, y, z]: [f64; 3]) -> Vec3 {
    Vec3::new(narrow(x), narrow(z), narrow(-y))
}

/// Edge lengths along x, y, z of a box, metres.
pub fn bevy_size([x, y, z]: [f64; 3]) -> Vec3 {
    Vec3::new(narrow(x), narrow(z), narrow(y))
}

/// A length, metres.
#[expect(clippy::cast_possible_truncation, reason = "f32 holds a tenth of a millimetre at a kilometre: enough for drawing")]
pub fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use nalgebra::{Point3, Translation3, UnitQuaternion};

    use super::*;

    fn pose(xyz: [f64; 3], rpy: [f64; 3]) -> Isometry3<f64> {
        Isometry3::from_parts(Translation3::from(xyz), UnitQuaternion::from_euler_angles(rpy[0], rpy[1], rpy[2]))
    }

    #[test]
    fn axes_go_where_they_should() {
        assert_eq!(bevy_point([1.0, 0.0, 0.0]), Vec3::X);
        assert_eq!(bevy_point([0.0, 0.0, 1.0]), Vec3::Y, "up is up");
        assert_eq!(bevy_point([0.0, 1.0, 0.0]), Vec3::NEG_Z, "left of a robot that looks along x");
        assert_eq!(bevy_size([1.0, 2.0, 3.0]), Vec3::new(1.0, 3.0, 2.0));
    }

    #[test]
    fn a_pose_moves_points_as_it_did_before() {
        for (xyz, rpy) in [([0.3, -0.2, 1.1], [0.1, -0.7, 2.5]), ([0.0; 3], [1.5, 0.0, 0.0]), ([5.0, 6.0, 7.0], [-3.0, 0.4, -1.2])] {
            let pose = pose(xyz, rpy);
            for point in [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, -0.4, 0.9]] {
                let expect = bevy_point((pose * Point3::from(point)).coords.into());
                let found = bevy_from_world(&pose).transform_point(bevy_point(point));
                assert!(expect.abs_diff_eq(found, 1e-5), "{expect} {found}");
            }
        }
    }

    #[test]
    fn chains_agree_with_products() {
        let (a, b) = (pose([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]), pose([-0.6, 0.5, 0.4], [-0.3, 0.2, -0.1]));
        let expect = bevy_from_world(&(a * b));
        let found = bevy_from_world(&a) * bevy_from_world(&b);
        assert!(expect.translation.abs_diff_eq(found.translation, 1e-6));
        assert!(expect.rotation.angle_between(found.rotation) < 1e-3);
    }
}
