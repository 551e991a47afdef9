//! Robots' mesh files: STL, COLLADA, OBJ and binary glTF, as triangles with a colour.
//!
//! Files are read as they are written: like RViz, neither COLLADA's `up_axis` nor glTF's "y is up" turns anything,
//! because a URDF places the file's own axes. COLLADA's unit counts. Textures are not read.

mod dae;
mod find;
mod glb;
mod obj;
mod smooth;
mod stl;

use std::path::Path;

use bevy::math::{Mat3, Mat4, Vec3};

use crate::ReplayError;

pub use find::MeshSearch;
pub(crate) use smooth::smooth;

/// Largest file that is read; those of public humanoids stay below 16 MiB.
pub const MESH_BYTES_MAX: u64 = 128 << 20;
/// Most corners (three a triangle) of one file.
pub const MESH_CORNERS_MAX: usize = 6_000_000;
/// Most nodes of a file's scene.
const MESH_NODES_MAX: usize = 65_536;

/// Triangles of one colour, in the file's own frame, metres.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surface {
    /// Vertices.
    pub positions: Vec<Vec3>,
    /// Unit normals, one a vertex; none where the file has none.
    pub normals: Option<Vec<Vec3>>,
    /// Indices into `positions`, counter-clockwise as seen from outside.
    pub triangles: Vec<[u32; 3]>,
    /// sRGB colour and opacity; none where the file has none.
    pub rgba: Option<[f32; 4]>,
}

impl Surface {
    /// This surface moved. A mirroring matrix turns the triangles round, so that they still face outward.
    fn transformed(mut self, matrix: Mat4) -> Self {
        if matrix == Mat4::IDENTITY {
            return self;
        }
        let linear = Mat3::from_mat4(matrix);
        self.positions.iter_mut().for_each(|point| *point = matrix.transform_point3(*point));
        let turned = if linear.determinant() == 0.0 { Mat3::IDENTITY } else { linear.inverse().transpose() };
        if let Some(normals) = &mut self.normals {
            normals.iter_mut().for_each(|normal| *normal = (turned * *normal).try_normalize().unwrap_or(Vec3::Z));
        }
        if linear.determinant() < 0.0 {
            self.triangles.iter_mut().for_each(|[_, b, c]| std::mem::swap(b, c));
        }
        self
    }
}

/// What is wrong with a file's content: what was found, and what a reader of its format expects.
#[derive(Debug)]
struct Refusal {
    reason: String,
    expected: &'static str,
}

impl Refusal {
    fn new(expected: &'static str, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), expected }
    }
}

/// Reads the surfaces of a mesh file; its extension says the format.
///
/// # Errors
/// [`ReplayError::Io`] and [`ReplayError::Mesh`], both with the file's name.
pub fn read(path: &Path) -> Result<Vec<Surface>, ReplayError> {
    let unreadable = |source| ReplayError::Io { path: path.to_path_buf(), source };
    let refused = |refusal: Refusal| ReplayError::Mesh { path: path.to_path_buf(), reason: refusal.reason, expected: refusal.expected };
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MESH_BYTES_MAX {
        return Err(refused(Refusal::new("at most 128 MiB", format!("it has {bytes} bytes"))));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let surfaces = match extension.as_str() {
        "stl" => stl::read(&bytes),
        "dae" => dae::read(&bytes),
        "obj" => obj::read(&bytes, path.parent().unwrap_or(Path::new(""))),
        "glb" => glb::read(&bytes),
        other => Err(Refusal::new("a file that ends in .stl, .dae, .obj or .glb", format!("its extension is {other:?}"))),
    };
    surfaces.and_then(checked).map_err(refused)
}

/// Drops surfaces without triangles and refuses what cannot be drawn.
fn checked(mut surfaces: Vec<Surface>) -> Result<Vec<Surface>, Refusal> {
    surfaces.retain(|surface| !surface.triangles.is_empty());
    let corners: usize = surfaces.iter().map(|surface| surface.triangles.len() * 3).sum();
    if corners == 0 {
        return Err(Refusal::new("at least one triangle", "it has none"));
    }
    if corners > MESH_CORNERS_MAX {
        return Err(Refusal::new("at most 2 million triangles", format!("it has {}", corners / 3)));
    }
    for surface in &surfaces {
        let count = surface.positions.len();
        if let Some(index) = surface.triangles.iter().flatten().find(|index| usize::try_from(**index).is_ok_and(|index| index >= count)) {
            return Err(Refusal::new("indices of existing vertices", format!("a triangle names vertex {index} of {count}")));
        }
        if let Some(point) = surface.positions.iter().find(|point| !point.is_finite()) {
            return Err(Refusal::new("finite coordinates", format!("it has a vertex at {point}")));
        }
        if surface.normals.as_ref().is_some_and(|normals| normals.len() != count) {
            return Err(Refusal::new("one normal for each vertex", "it has more or fewer"));
        }
    }
    Ok(surfaces)
}

#[cfg(test)]
mod tests;
