//! Convex coloured bodies that scenes and robots are drawn from.

use std::f64::consts::TAU;

use nalgebra::{Point3, Vector3};
use sanqu_robot::Shape;

/// Sides of a drawn cylinder.
const SIDES: u8 = 8;

/// A flat convex polygon, seen from the side its normal points to.
pub(crate) struct Face {
    /// Corners in the solid's frame, m.
    pub(crate) corners: Vec<Point3<f64>>,
    /// Unit normal in the solid's frame.
    pub(crate) normal: Vector3<f64>,
    /// sRGB 0..1 in full light.
    pub(crate) rgb: [f32; 3],
}

/// A body whose faces are drawn in order, after those that look away are left out: a convex hull, then what is painted on it.
pub(crate) struct Solid {
    /// Faces in drawing order.
    pub(crate) faces: Vec<Face>,
    /// Middle, by which solids are sorted.
    pub(crate) centre: Point3<f64>,
    /// Radius about the middle that holds every corner, m.
    pub(crate) radius: f64,
}

impl Solid {
    /// A body of these faces.
    pub(crate) fn new(faces: Vec<Face>) -> Self {
        let mut solid = Self { faces, centre: Point3::origin(), radius: 0.0 };
        solid.measure();
        solid
    }

    /// Paints a flat polygon; drawn after the faces that are there. The normal follows from the first three corners
    /// (counter-clockwise as seen).
    pub(crate) fn paint(mut self, corners: Vec<Point3<f64>>, rgb: [f32; 3]) -> Self {
        self.faces.extend(Face::new(corners, rgb));
        self.measure();
        self
    }

    /// A six-sided body: four corners at the bottom, counter-clockwise from above, and the four above them.
    pub(crate) fn hexahedron(bottom: [[f64; 3]; 4], top: [[f64; 3]; 4], rgb: [f32; 3]) -> Self {
        let (b, t) = (bottom.map(Point3::from), top.map(Point3::from));
        let mut faces = vec![vec![b[3], b[2], b[1], b[0]], vec![t[0], t[1], t[2], t[3]]];
        faces.extend((0..4).map(|i| vec![b[i], b[(i + 1) % 4], t[(i + 1) % 4], t[i]]));
        Self::new(faces.into_iter().filter_map(|corners| Face::new(corners, rgb)).collect())
    }

    /// A cuboid with edges along the axes.
    pub(crate) fn block(low: [f64; 3], high: [f64; 3], rgb: [f32; 3]) -> Self {
        let ring = |z: f64| [[low[0], low[1], z], [high[0], low[1], z], [high[0], high[1], z], [low[0], high[1], z]];
        Self::hexahedron(ring(low[2]), ring(high[2]), rgb)
    }

    /// A cylinder along z, its bottom circle about `foot`.
    pub(crate) fn cylinder(foot: [f64; 3], radius_m: f64, height_m: f64, rgb: [f32; 3]) -> Self {
        let ring = |z: f64| circle(Point3::new(foot[0], foot[1], z), Vector3::x(), Vector3::y(), radius_m);
        let (bottom, top) = (ring(foot[2]), ring(foot[2] + height_m));
        let mut faces: Vec<_> = (0..bottom.len())
            .map(|i| {
                let next = (i + 1) % bottom.len();
                vec![bottom[i], bottom[next], top[next], top[i]]
            })
            .collect();
        faces.push(bottom.iter().rev().copied().collect());
        faces.push(top);
        Self::new(faces.into_iter().filter_map(|corners| Face::new(corners, rgb)).collect())
    }

    /// What a robot's visual looks like in its own frame; none for a mesh, which this sketch does not read.
    pub(crate) fn from_shape(shape: &Shape, rgb: [f32; 3]) -> Option<Self> {
        match *shape {
            Shape::Box { size_m } => Some(Self::block(size_m.map(|s| -s / 2.0), size_m.map(|s| s / 2.0), rgb)),
            Shape::Cylinder { radius_m, length_m } => Some(Self::cylinder([0.0, 0.0, -length_m / 2.0], radius_m, length_m, rgb)),
            Shape::Capsule { radius_m, length_m } => {
                let half = length_m / 2.0 + radius_m * 0.7;
                Some(Self::cylinder([0.0, 0.0, -half], radius_m, 2.0 * half, rgb))
            }
            Shape::Sphere { radius_m } => Some(Self::cylinder([0.0, 0.0, -0.8 * radius_m], 0.9 * radius_m, 1.6 * radius_m, rgb)),
            _ => None,
        }
    }

    fn measure(&mut self) {
        let corners = || self.faces.iter().flat_map(|face| &face.corners);
        let (mut low, mut high) = (Point3::from([f64::MAX; 3]), Point3::from([f64::MIN; 3]));
        for corner in corners() {
            (low, high) = (low.inf(corner), high.sup(corner));
        }
        self.centre = nalgebra::center(&low, &high);
        self.radius = corners().map(|corner| (corner - self.centre).norm()).fold(0.0, f64::max);
    }
}

impl Face {
    /// A polygon; none when its first three corners lie on a line.
    pub(crate) fn new(corners: Vec<Point3<f64>>, rgb: [f32; 3]) -> Option<Self> {
        let [a, b, c, ..] = corners.as_slice() else { return None };
        let normal = (b - a).cross(&(c - b)).try_normalize(1e-12)?;
        Some(Self { corners, normal, rgb })
    }
}

/// Corners of a regular polygon about `centre`, from `right` towards `up`.
pub(crate) fn circle(centre: Point3<f64>, right: Vector3<f64>, up: Vector3<f64>, radius_m: f64) -> Vec<Point3<f64>> {
    (0..SIDES)
        .map(|side| {
            let (sin, cos) = (TAU * (f64::from(side) + 0.5) / f64::from(SIDES)).sin_cos();
            centre + (right * cos + up * sin) * radius_m
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_outward(solid: &Solid, faces: usize) {
        assert_eq!(solid.faces.len(), faces);
        for face in &solid.faces {
            assert!(face.normal.dot(&(face.corners[0] - solid.centre)) > 0.0, "normal {:?} points inwards", face.normal);
        }
    }

    #[test]
    fn normals_point_outwards() {
        check_outward(&Solid::block([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0; 3]), 6);
        check_outward(&Solid::cylinder([1.0, 2.0, 3.0], 0.5, 2.0, [1.0; 3]), 10);
        check_outward(&Solid::from_shape(&Shape::Capsule { radius_m: 0.1, length_m: 0.3 }, [1.0; 3]).unwrap(), 10);
    }

    #[test]
    fn a_solid_knows_its_extent() {
        let solid = Solid::block([1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [1.0; 3]);
        assert_eq!(solid.centre, Point3::new(1.5, 3.0, 4.0));
        assert!((solid.radius - 1.5).abs() < 1e-12);
    }
}
