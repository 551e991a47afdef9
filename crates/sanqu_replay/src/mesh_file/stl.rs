use bevy::math::Vec3;

use super::{Refusal, Surface};

/// Triangles of a binary or ASCII STL; the file's facet normals are not used, many programs write zeros.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Surface>, Refusal> {
    let scene = mesh_loader::stl::from_slice(bytes)
        .map_err(|error| Refusal::new("a binary STL (84 bytes and 50 for each triangle) or an ASCII one", error.to_string()))?;
    let surface = |mesh: mesh_loader::Mesh| Surface {
        positions: mesh.vertices.into_iter().map(Vec3::from).collect(),
        normals: None,
        triangles: mesh.faces,
        rgba: None,
    };
    Ok(scene.meshes.into_iter().map(surface).collect())
}
