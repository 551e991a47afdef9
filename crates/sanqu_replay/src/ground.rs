//! How low a robot reaches: recordings without a `base` stream do not say how high the pelvis is, so the robot is
//! stood on its lowest point.

use nalgebra::{Isometry3, Point3, Vector3};
use sanqu_robot::{RobotModel, Shape};

/// The lowest z (metres, world frame) of everything that is drawn at `world_from_link`, one pose for each link of
/// `model`. Links that are drawn from mesh files count with their origin. 0 for a robot without links.
pub fn lowest_point_m(model: &RobotModel, world_from_link: &[Isometry3<f64>]) -> f64 {
    let lowest = model.links().iter().zip(world_from_link).fold(f64::INFINITY, |lowest, (link, pose)| {
        link.visuals.iter().fold(lowest, |lowest, visual| lowest.min(lowest_of(&visual.shape, &(pose * visual.link_from_visual))))
    });
    let origins = || world_from_link.iter().map(|pose| pose.translation.z).fold(f64::INFINITY, f64::min);
    [lowest, origins(), 0.0].into_iter().find(|z| z.is_finite()).unwrap_or(0.0)
}

fn lowest_of(shape: &Shape, world_from_shape: &Isometry3<f64>) -> f64 {
    let centre = world_from_shape.translation.z;
    let axis_z = (world_from_shape.rotation * Vector3::z()).z;
    match *shape {
        Shape::Box { size_m: [x, y, z] } => (0..8_u8)
            .map(|corner| {
                let side = |bit: u8, edge: f64| if corner & bit == 0 { -edge / 2.0 } else { edge / 2.0 };
                (world_from_shape * Point3::new(side(1, x), side(2, y), side(4, z))).z
            })
            .fold(f64::INFINITY, f64::min),
        Shape::Sphere { radius_m } => centre - radius_m,
        Shape::Cylinder { radius_m, length_m } => {
            centre - axis_z.abs() * length_m / 2.0 - radius_m * (1.0 - axis_z * axis_z).max(0.0).sqrt()
        }
        Shape::Capsule { radius_m, length_m } => centre - axis_z.abs() * length_m / 2.0 - radius_m,
        _ => centre,
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Translation3, UnitQuaternion};

    use super::*;

    #[track_caller]
    fn check(shape: &Shape, pitch_rad: f64, expect: f64) {
        let pose = Isometry3::from_parts(Translation3::new(0.0, 0.0, 1.0), UnitQuaternion::from_euler_angles(0.0, pitch_rad, 0.0));
        let found = lowest_of(shape, &pose);
        assert!((found - expect).abs() < 1e-9, "{shape:?} pitched by {pitch_rad}: {found}, expected {expect}");
    }

    #[test]
    fn every_shape_knows_its_lowest_point() {
        let quarter = std::f64::consts::FRAC_PI_2;
        check(&Shape::Box { size_m: [0.2, 0.1, 0.6] }, 0.0, 0.7);
        check(&Shape::Box { size_m: [0.2, 0.1, 0.6] }, quarter, 0.9);
        check(&Shape::Box { size_m: [0.2, 0.1, 0.2] }, quarter / 2.0, 1.0 - 0.02_f64.sqrt());
        check(&Shape::Cylinder { radius_m: 0.1, length_m: 0.6 }, 0.0, 0.7);
        check(&Shape::Cylinder { radius_m: 0.1, length_m: 0.6 }, quarter, 0.9);
        check(&Shape::Capsule { radius_m: 0.1, length_m: 0.6 }, quarter, 0.9);
        check(&Shape::Sphere { radius_m: 0.25 }, 0.3, 0.75);
    }
}
