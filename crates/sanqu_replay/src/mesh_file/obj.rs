use std::path::Path;

use bevy::math::Vec3;
use tobj::{LoadError, LoadOptions};

use super::{MESH_BYTES_MAX, Refusal, Surface};

/// Triangles of an OBJ; materials come from the MTL files that it names, which lie in `folder`. An MTL file that is not
/// there costs the colours, not the shape.
pub(super) fn read(bytes: &[u8], folder: &Path) -> Result<Vec<Surface>, Refusal> {
    let options = LoadOptions { single_index: true, triangulate: true, ignore_points: true, ignore_lines: true };
    let library = |name: &Path| {
        let path = folder.join(name);
        let size = std::fs::metadata(&path).map_err(|_| LoadError::OpenFileFailed)?.len();
        if size > MESH_BYTES_MAX {
            return Err(LoadError::ReadError);
        }
        let text = std::fs::read(&path).map_err(|_| LoadError::OpenFileFailed)?;
        tobj::load_mtl_buf(&mut text.as_slice())
    };
    let (models, materials) =
        tobj::load_obj_buf(&mut &*bytes, &options, library).map_err(|error| Refusal::new("a Wavefront OBJ", error.to_string()))?;
    let materials = materials.unwrap_or_default();
    let surface = |model: tobj::Model| {
        let mesh = model.mesh;
        let material = mesh.material_id.and_then(|id| materials.get(id));
        let points = |values: &[f32]| values.chunks_exact(3).map(Vec3::from_slice).collect::<Vec<_>>();
        let positions = points(&mesh.positions);
        let normals = points(&mesh.normals);
        Surface {
            normals: (normals.len() == positions.len()).then_some(normals),
            positions,
            triangles: mesh.indices.chunks_exact(3).map(|corner| [corner[0], corner[1], corner[2]]).collect(),
            rgba: material.and_then(|material| material.diffuse).map(|[r, g, b]| {
                let opacity = material.and_then(|material| material.dissolve).unwrap_or(1.0);
                [r, g, b, opacity]
            }),
        }
    };
    Ok(models.into_iter().map(surface).collect())
}
