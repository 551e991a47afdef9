//! How low a robot reaches: recordings without a `base` stream do not say how high the pelvis is, so the robot is
//! stood on the lowest point of what is drawn of it.

use std::f32::consts::TAU;

use bevy::prelude::{Mesh, Vec3};
use nalgebra::{Isometry3, Point3};

use crate::body::Looks;

/// Directions, besides the axes, in which the outermost points of bodies are kept.
const DIRECTIONS: u16 = 90;

/// The lowest z (metres, world frame) of everything that is drawn at `world_from_link`, one pose for each link. Where
/// nothing is drawn, the lowest origin; 0 for a robot without links.
pub fn lowest_point_m(looks: &Looks, world_from_link: &[Isometry3<f64>]) -> f64 {
    let mut lowest = f64::INFINITY;
    for (link, pose) in looks.links().iter().zip(world_from_link) {
        let turn = pose.rotation.to_rotation_matrix();
        let (x, y, z) = (turn[(2, 0)], turn[(2, 1)], turn[(2, 2)]);
        let least = link.outline.iter().map(|point| x * point.x + y * point.y + z * point.z).fold(f64::INFINITY, f64::min);
        lowest = lowest.min(pose.translation.z + least);
    }
    let origins = || world_from_link.iter().map(|pose| pose.translation.z).fold(f64::INFINITY, f64::min);
    [lowest, origins(), 0.0].into_iter().find(|z| z.is_finite()).unwrap_or(0.0)
}

/// The points of `meshes` (y up) that are outermost along the axes or one of many other directions; z up, m.
///
/// For a body with rounded edges of radius r the lowest of them is at most r / 20 above the lowest of all.
pub fn outline<'a>(meshes: impl Iterator<Item = &'a Mesh>) -> Vec<Point3<f64>> {
    let directions = directions();
    let mut farthest: Vec<(f32, Vec3)> = vec![(f32::NEG_INFINITY, Vec3::ZERO); directions.len()];
    for mesh in meshes {
        let Some(positions) = mesh.attribute(Mesh::ATTRIBUTE_POSITION).and_then(|values| values.as_float3()) else { continue };
        for point in positions.iter().map(|point| Vec3::from(*point)) {
            for (direction, best) in directions.iter().zip(&mut farthest) {
                let along = direction.dot(point);
                if along > best.0 {
                    *best = (along, point);
                }
            }
        }
    }
    let mut points: Vec<Vec3> = farthest.into_iter().filter(|(along, _)| along.is_finite()).map(|(_, point)| point).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)).then(a.z.total_cmp(&b.z)));
    points.dedup();
    points.into_iter().map(|point| Point3::new(f64::from(point.x), f64::from(-point.z), f64::from(point.y))).collect()
}

/// The six axes, and directions spread evenly over the sphere in a spiral.
fn directions() -> Vec<Vec3> {
    let golden = TAU * (1.0 - 1.0 / 1.618_034);
    let spiral = (0..DIRECTIONS).map(|number| {
        let height = 1.0 - 2.0 * (f32::from(number) + 0.5) / f32::from(DIRECTIONS);
        let (sin, cos) = (golden * f32::from(number)).sin_cos();
        let radius = (1.0 - height * height).sqrt();
        Vec3::new(radius * cos, height, radius * sin)
    });
    [Vec3::X, Vec3::NEG_X, Vec3::Y, Vec3::NEG_Y, Vec3::Z, Vec3::NEG_Z].into_iter().chain(spiral).collect()
}

#[cfg(test)]
mod tests {
    use nalgebra::{Translation3, UnitQuaternion};
    use sanqu_robot::RobotModel;

    use super::*;
    use crate::mesh_file::MeshSearch;

    #[track_caller]
    fn check(shape: &str, pitch_rad: f64, expect: f64) {
        let urdf = format!(r#"<robot name="r"><link name="l"><visual><geometry>{shape}</geometry></visual></link></robot>"#);
        let looks = Looks::new(&RobotModel::from_urdf_str(&urdf).unwrap(), &[], &MeshSearch::default(), &mut Vec::new());
        let pose = Isometry3::from_parts(Translation3::new(0.0, 0.0, 1.0), UnitQuaternion::from_euler_angles(0.0, pitch_rad, 0.0));
        let found = lowest_point_m(&looks, &[pose]);
        assert!((found - expect).abs() < 3e-3, "{shape} pitched by {pitch_rad}: {found}, expected {expect}");
    }

    #[test]
    fn every_shape_knows_its_lowest_point() {
        let quarter = std::f64::consts::FRAC_PI_2;
        check(r#"<box size="0.2 0.1 0.6"/>"#, 0.0, 0.7);
        check(r#"<box size="0.2 0.1 0.6"/>"#, quarter, 0.9);
        check(r#"<box size="0.2 0.1 0.2"/>"#, quarter / 2.0, 1.0 - 0.02_f64.sqrt());
        check(r#"<cylinder radius="0.1" length="0.6"/>"#, 0.0, 0.7);
        check(r#"<cylinder radius="0.1" length="0.6"/>"#, quarter, 0.9);
        check(r#"<capsule radius="0.1" length="0.6"/>"#, quarter, 0.9);
        check(r#"<sphere radius="0.05"/>"#, 0.3, 0.95);
        check(r#"<mesh filename="absent.stl"/>"#, 0.3, 1.0 - 0.018 * 1.6);
    }

    #[test]
    fn a_robot_of_which_nothing_is_drawn_stands_on_its_lowest_origin() {
        assert_eq!(lowest_point_m(&Looks::default(), &[Translation3::new(0.0, 0.0, 0.4).into(), Isometry3::identity()]), 0.0);
        assert_eq!(lowest_point_m(&Looks::default(), &[]), 0.0);
    }
}
