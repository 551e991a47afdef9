use std::path::PathBuf;

use nalgebra::Isometry3;

/// One drawn body of a link.
#[derive(Debug, Clone, PartialEq)]
pub struct Visual {
    /// The shape's own frame, seen from the link.
    pub link_from_visual: Isometry3<f64>,
    /// What to draw.
    pub shape: Shape,
    /// Linear red, green, blue, opacity in 0..=1 as written in the URDF; `None` where no colour is given.
    pub rgba: Option<[f32; 4]>,
}

/// A shape, centred on its own frame; cylinders and capsules stand along z.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// A cuboid.
    Box {
        /// Full edge lengths along x, y, z, m.
        size_m: [f64; 3],
    },
    /// A cylinder along z.
    Cylinder {
        /// Radius, m.
        radius_m: f64,
        /// Full length, m.
        length_m: f64,
    },
    /// A ball.
    Sphere {
        /// Radius, m.
        radius_m: f64,
    },
    /// A cylinder along z with half balls at both ends.
    Capsule {
        /// Radius, m.
        radius_m: f64,
        /// Length of the cylindrical part, m.
        length_m: f64,
    },
    /// A mesh file. A missing file is not an error here: the viewer decides what to draw instead.
    Mesh {
        /// Where the file is, or where it was looked for first.
        path: PathBuf,
        /// The reference as written, for example `package://robot/meshes/arm.stl`.
        file_name: String,
        /// Factors along x, y, z.
        scale: [f64; 3],
        /// Whether `path` was there when the description was read.
        exists: bool,
    },
}
