//! How far a point is from a shell: rounded primitives, melted together where they meet at an angle.

use bevy::math::{Affine3A, Vec3};
use sanqu_robot::{Shape, Visual};

use crate::frame::{bevy_from_world, bevy_size, narrow};

/// How round the edges of boxes and cylinders are: as a share of their smallest half extent, and at most, m.
const ROUND_SHARE: f32 = 0.5;
const ROUND_MAX_M: f32 = 0.014;
/// How wide the fillet between two parts is: as a share of the smaller one's smallest half extent, and at most, m.
const FILLET_SHARE: f32 = 0.9;
const FILLET_MAX_M: f32 = 0.034;

/// A rounded primitive in its own frame (y up, axis y).
#[derive(Clone, Copy, Debug)]
enum Solid {
    /// Half extents without the rounding.
    Block(Vec3),
    /// Radius and half length without the rounding.
    Tube(f32, f32),
    /// Half length of the axis.
    Capsule(f32),
}

/// One part of a shell.
#[derive(Clone, Copy, Debug)]
struct Piece {
    solid: Solid,
    /// What is added around the solid, m.
    round_m: f32,
    fillet_m: f32,
    /// Radius of the sphere around it, m.
    reach_m: f32,
    /// Half extents of the box around it in its own frame.
    half: Vec3,
    own_from_link: Affine3A,
    link_from_own: Affine3A,
}

/// Parts that become one smooth body, in the link's frame (y up, m).
#[derive(Clone, Debug, Default)]
pub(super) struct Shell {
    pieces: Vec<Piece>,
}

impl Shell {
    /// Adds a primitive shape; false for mesh files, which cannot be melted.
    pub(super) fn add(&mut self, visual: &Visual) -> bool {
        let (solid, round_m, half) = match visual.shape {
            Shape::Box { size_m } => {
                let half = bevy_size(size_m) / 2.0;
                let round_m = (half.min_element() * ROUND_SHARE).min(ROUND_MAX_M);
                (Solid::Block(half - round_m), round_m, half)
            }
            Shape::Cylinder { radius_m, length_m } => {
                let (radius, half) = (narrow(radius_m), narrow(length_m) / 2.0);
                let round_m = (radius.min(half) * ROUND_SHARE).min(ROUND_MAX_M * 0.6);
                (Solid::Tube(radius - round_m, half - round_m), round_m, Vec3::new(radius, half, radius))
            }
            Shape::Sphere { radius_m } => (Solid::Capsule(0.0), narrow(radius_m), Vec3::splat(narrow(radius_m))),
            Shape::Capsule { radius_m, length_m } => {
                let (radius, half) = (narrow(radius_m), narrow(length_m) / 2.0);
                (Solid::Capsule(half), radius, Vec3::new(radius, half + radius, radius))
            }
            _ => return false,
        };
        let link_from_own = bevy_from_world(&visual.link_from_visual).compute_affine();
        let fillet_m = (half.min_element() * FILLET_SHARE).min(FILLET_MAX_M);
        self.pieces.push(Piece {
            solid,
            round_m,
            fillet_m,
            reach_m: half.length(),
            half,
            own_from_link: link_from_own.inverse(),
            link_from_own,
        });
        true
    }

    /// Smallest half extent of all parts, m.
    pub(super) fn finest_m(&self) -> f32 {
        self.pieces.iter().map(|piece| piece.half.min_element()).fold(f32::INFINITY, f32::min)
    }

    /// The box around all parts: least and greatest corner.
    pub(super) fn bounds(&self) -> (Vec3, Vec3) {
        self.pieces.iter().fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(low, high), piece| {
            let reach = piece.link_from_own.matrix3;
            let reach = reach.x_axis.abs() * piece.half.x + reach.y_axis.abs() * piece.half.y + reach.z_axis.abs() * piece.half.z;
            let (centre, reach) = (Vec3::from(piece.link_from_own.translation), Vec3::from(reach));
            (low.min(centre - reach), high.max(centre + reach))
        })
    }

    /// Distance from the shell (negative inside), m, and the direction in which it grows.
    pub(super) fn at(&self, point: Vec3) -> (f32, Vec3) {
        let mut nearest = (f32::INFINITY, Vec3::ZERO);
        let mut fillet_m = 0.0;
        for piece in &self.pieces {
            // A piece that is farther than its fillet from changing anything is not asked; the sphere around it tells.
            if point.distance(piece.link_from_own.translation.into()) - piece.reach_m > nearest.0 + piece.fillet_m {
                continue;
            }
            let other = piece.at(point);
            nearest = melt(nearest, other, piece.fillet_m.min(if fillet_m > 0.0 { fillet_m } else { piece.fillet_m }));
            fillet_m = piece.fillet_m.max(fillet_m);
        }
        nearest
    }
}

/// The union of two bodies with a fillet. Surfaces that lie in each other have no fillet, or they would swell.
fn melt(a: (f32, Vec3), b: (f32, Vec3), fillet_m: f32) -> (f32, Vec3) {
    if (a.0 - b.0).abs() >= fillet_m {
        return if a.0 <= b.0 { a } else { b };
    }
    let width = fillet_m * (1.0 - a.1.dot(b.1)).clamp(0.0, 1.0);
    let overlap = (width - (a.0 - b.0).abs()).max(0.0);
    if overlap <= 0.0 {
        return if a.0 <= b.0 { a } else { b };
    }
    let share = 0.5 + 0.5 * (b.0 - a.0) / width;
    let direction = a.1 * share + b.1 * (1.0 - share);
    (a.0.min(b.0) - overlap * overlap / (4.0 * width), direction.try_normalize().unwrap_or(a.1))
}

impl Piece {
    fn at(&self, point: Vec3) -> (f32, Vec3) {
        let own = self.own_from_link.transform_point3(point);
        let (distance, direction) = match self.solid {
            Solid::Block(half) => outside(own.abs() - half, own),
            Solid::Tube(radius, half) => {
                let across = own.x.hypot(own.z);
                let (distance, flat) =
                    outside(Vec3::new(across - radius, own.y.abs() - half, f32::NEG_INFINITY), Vec3::new(1.0, own.y, 1.0));
                let around = if across > 0.0 { Vec3::new(own.x / across, 0.0, own.z / across) } else { Vec3::X };
                (distance, around * flat.x + Vec3::Y * flat.y)
            }
            Solid::Capsule(half) => {
                let from = own - Vec3::Y * own.y.clamp(-half, half);
                let length = from.length();
                (length, if length > 0.0 { from / length } else { Vec3::Y })
            }
        };
        (distance - self.round_m, self.link_from_own.transform_vector3(direction))
    }
}

/// Distance from a box of which `beyond` are the distances from its faces, and the direction in which it grows.
fn outside(beyond: Vec3, side: Vec3) -> (f32, Vec3) {
    let out = beyond.max(Vec3::ZERO);
    let length = out.length();
    if length > 0.0 {
        return (length, out / length * side.signum());
    }
    let deepest = beyond.max_element();
    let axis = if beyond.x == deepest {
        Vec3::X
    } else if beyond.y == deepest {
        Vec3::Y
    } else {
        Vec3::Z
    };
    (deepest, axis * side.signum())
}

#[cfg(test)]
mod tests {
    use nalgebra::{Isometry3, Translation3};

    use super::*;

    fn visual(shape: Shape, z: f64) -> Visual {
        Visual { link_from_visual: Translation3::new(0.0, 0.0, z).into(), shape, rgba: None }
    }

    fn shell(visuals: &[Visual]) -> Shell {
        let mut shell = Shell::default();
        assert!(visuals.iter().all(|visual| shell.add(visual)));
        shell
    }

    #[test]
    fn faces_stay_where_the_description_puts_them() {
        let shapes = [
            (Shape::Box { size_m: [0.2, 0.3, 0.4] }, Vec3::new(0.1, 0.2, 0.15)),
            (Shape::Cylinder { radius_m: 0.1, length_m: 0.4 }, Vec3::new(0.1, 0.2, 0.1)),
            (Shape::Capsule { radius_m: 0.1, length_m: 0.2 }, Vec3::new(0.1, 0.2, 0.1)),
            (Shape::Sphere { radius_m: 0.1 }, Vec3::splat(0.1)),
        ];
        for (shape, half) in shapes {
            let shell = shell(&[Visual { link_from_visual: Isometry3::identity(), shape, rgba: None }]);
            assert!(shell.bounds().1.abs_diff_eq(half, 1e-6));
            for axis in Vec3::AXES {
                for point in [axis * half, -axis * half] {
                    let (distance, direction) = shell.at(point);
                    assert!(distance.abs() < 1e-6 && direction.abs_diff_eq(point.normalize(), 1e-5), "{shell:?} {point} {distance}");
                    let (outer, _) = shell.at(point * 1.5);
                    assert!((outer - point.length() * 0.5).abs() < 1e-6, "{shell:?} {outer}");
                }
            }
        }
    }

    #[test]
    fn edges_are_round_and_corners_between_bodies_filled() {
        let block = shell(&[visual(Shape::Box { size_m: [0.2; 3] }, 0.0)]);
        assert!(block.at(Vec3::splat(0.099)).0 > 0.0, "the box's corner is gone");
        let (ball, above) = (visual(Shape::Sphere { radius_m: 0.05 }, 0.0), visual(Shape::Sphere { radius_m: 0.05 }, 0.09));
        let between = Vec3::new(0.024, 0.045, 0.0);
        assert!(shell(std::slice::from_ref(&ball)).at(between).0 > 0.0 && shell(std::slice::from_ref(&above)).at(between).0 > 0.0);
        assert!(shell(&[ball.clone(), above]).at(between).0 < 0.0, "the waist between two balls is filled");
        assert!(shell(&[ball.clone(), ball]).at(Vec3::X * 0.05).0.abs() < 1e-6, "a body within its like does not swell");
    }
}
