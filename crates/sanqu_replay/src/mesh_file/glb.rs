use bevy::color::{ColorToComponents, LinearRgba};
use bevy::math::{Mat4, Vec3};
use bevy::prelude::Color;
use gltf::accessor::{DataType, Dimensions};
use gltf::mesh::Mode;
use gltf::{Accessor, Gltf, Node, Primitive, Semantic};

use super::{MESH_CORNERS_MAX, MESH_NODES_MAX, Refusal, Surface};

const EXPECTED: &str = "a binary glTF 2.0 (.glb) with its data inside";

/// Triangles of a binary glTF's scene.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Surface>, Refusal> {
    let file = Gltf::from_slice(bytes).map_err(|error| Refusal::new(EXPECTED, error.to_string()))?;
    let Some(blob) = file.blob.as_deref() else { return Err(Refusal::new(EXPECTED, "it has no binary chunk")) };
    let scene = file.default_scene().or_else(|| file.scenes().next()).ok_or_else(|| Refusal::new(EXPECTED, "it has no scene"))?;
    let mut surfaces = Vec::new();
    // A node that hangs on itself would never end: nodes are counted.
    let mut visited = 0;
    let mut stack: Vec<(Node<'_>, Mat4)> = scene.nodes().map(|node| (node, Mat4::IDENTITY)).collect();
    while let Some((node, parent)) = stack.pop() {
        visited += 1;
        if visited > MESH_NODES_MAX {
            return Err(Refusal::new("at most 65536 nodes, none below itself", "its scene has more"));
        }
        let matrix = parent * Mat4::from_cols_array_2d(&node.transform().matrix());
        for primitive in node.mesh().iter().flat_map(gltf::Mesh::primitives) {
            surfaces.push(surface(&primitive, blob)?.transformed(matrix));
        }
        stack.extend(node.children().map(|child| (child, matrix)));
    }
    Ok(surfaces)
}

fn surface(primitive: &Primitive<'_>, blob: &[u8]) -> Result<Surface, Refusal> {
    let bad = |what: &str| Refusal::new(EXPECTED, format!("mesh primitive {}: {what}", primitive.index()));
    if primitive.mode() != Mode::Triangles {
        return Ok(Surface::default());
    }
    let vectors = |semantic: &Semantic| primitive.get(semantic).is_none_or(|accessor| fits(&accessor, DataType::F32, Dimensions::Vec3, 12));
    if !(vectors(&Semantic::Positions) && vectors(&Semantic::Normals)) {
        return Err(bad("positions and normals must be 3 floats each"));
    }
    let known = |accessor: &Accessor<'_>| {
        let bytes = accessor.data_type().size();
        [DataType::U8, DataType::U16, DataType::U32].iter().any(|kind| fits(accessor, *kind, Dimensions::Scalar, bytes))
    };
    if primitive.indices().is_some_and(|accessor| !known(&accessor)) {
        return Err(bad("indices must be unsigned integers"));
    }
    let reader = primitive.reader(|_| Some(blob));
    let positions: Vec<Vec3> = reader.read_positions().ok_or_else(|| bad("its positions are not in the file"))?.map(Vec3::from).collect();
    let normals: Option<Vec<Vec3>> = reader.read_normals().map(|normals| normals.map(Vec3::from).collect());
    let indices: Vec<u32> = match (primitive.indices(), reader.read_indices()) {
        (Some(_), None) => return Err(bad("its indices are not in the file")),
        (Some(_), Some(indices)) => indices.into_u32().collect(),
        (None, _) => (0..).take(positions.len()).collect(),
    };
    let [r, g, b, a] = primitive.material().pbr_metallic_roughness().base_color_factor();
    Ok(Surface {
        normals: normals.filter(|normals| normals.len() == positions.len()),
        positions,
        triangles: indices.chunks_exact(3).map(|corner| [corner[0], corner[1], corner[2]]).collect(),
        // A primitive without a material has the default one, which says nothing.
        rgba: primitive.material().index().map(|_| Color::from(LinearRgba::new(r, g, b, a)).to_srgba().to_f32_array()),
    })
}

/// Whether the reader, which trusts these, can be let loose on the accessor.
fn fits(accessor: &Accessor<'_>, kind: DataType, dimensions: Dimensions, bytes: usize) -> bool {
    let dense = accessor.sparse().is_none() && accessor.view().is_some_and(|view| view.stride().is_none_or(|stride| stride >= bytes));
    let known = accessor.data_type() == kind && accessor.dimensions() == dimensions;
    dense && known && (1..=MESH_CORNERS_MAX).contains(&accessor.count())
}
