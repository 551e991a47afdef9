//! Surface nets: a mesh of the place where a distance is zero.

use bevy::asset::RenderAssetUsages;
use bevy::math::{UVec3, Vec3};
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::Mesh;

use super::distance::Shell;

/// Most cells of a grid along an edge; finer ones get larger cells.
const CELLS_MAX: f32 = 160.0;
/// Cells along the edge of a block that is skipped when the shell is far from it.
const BLOCK: u32 = 6;
/// No vertex in this cell.
const NONE: u32 = u32::MAX;

struct Grid {
    origin: Vec3,
    cell_m: f32,
    size: UVec3,
    distances: Vec<f32>,
}

/// The shell as a closed mesh of triangles whose edges are about `cell_m` long; its vertices lie on it.
pub(super) fn mesh(shell: &Shell, cell_m: f32) -> Mesh {
    let grid = Grid::sample(shell, cell_m);
    let (mut positions, mut normals) = (Vec::new(), Vec::new());
    let mut vertex_of = vec![NONE; grid.distances.len()];
    for cell in grid.cells() {
        if let Some(inside) = grid.crossing(cell) {
            // Two steps along the direction of growth: the first guess lies within a cell of the surface.
            let point = (0..2).fold(inside, |point, _| {
                let (distance, direction) = shell.at(point);
                point - direction * distance.clamp(-grid.cell_m, grid.cell_m)
            });
            vertex_of[grid.index(cell)] = u32::try_from(positions.len()).unwrap_or(NONE);
            positions.push(point.to_array());
            normals.push(gradient(shell, point, grid.cell_m * 0.35).to_array());
        }
    }
    let mut corners = Vec::new();
    for cell in grid.cells() {
        for (axis, first, second) in [(UVec3::X, UVec3::Y, UVec3::Z), (UVec3::Y, UVec3::Z, UVec3::X), (UVec3::Z, UVec3::X, UVec3::Y)] {
            if cell.dot(first) == 0 || cell.dot(second) == 0 {
                continue;
            }
            let (here, there) = (grid.at(cell), grid.at(cell + axis));
            if (here < 0.0) == (there < 0.0) {
                continue;
            }
            let around = [cell, cell - first, cell - first - second, cell - second].map(|cell| vertex_of[grid.index(cell)]);
            if around.contains(&NONE) {
                continue;
            }
            let [a, b, c, d] = around;
            corners.extend(if here < 0.0 { [a, b, c, a, c, d] } else { [a, c, b, a, d, c] });
        }
    }
    let uvs = vec![[0.0_f32, 0.0]; positions.len()];
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
        .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, normals)
        .with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, uvs)
        .with_inserted_indices(Indices::U32(corners))
}

/// The direction in which the distance grows, from its values at the corners of a tetrahedron.
fn gradient(shell: &Shell, point: Vec3, step: f32) -> Vec3 {
    let corners = [Vec3::new(1.0, -1.0, -1.0), Vec3::new(-1.0, -1.0, 1.0), Vec3::new(-1.0, 1.0, -1.0), Vec3::ONE];
    let sum: Vec3 = corners.iter().map(|corner| *corner * shell.at(point + *corner * step).0).sum();
    sum.try_normalize().unwrap_or(Vec3::Y)
}

impl Grid {
    fn sample(shell: &Shell, cell_m: f32) -> Self {
        let (low, high) = shell.bounds();
        let cell_m = cell_m.max((high - low).max_element() / CELLS_MAX);
        let origin = low - cell_m * 1.5;
        let size = ((high - low) / cell_m).ceil().as_uvec3() + UVec3::splat(4);
        let mut grid = Self { origin, cell_m, size, distances: vec![f32::INFINITY; (size.x * size.y * size.z) as usize] };
        let blocks = (size + UVec3::splat(BLOCK - 1)) / BLOCK;
        for block in each(blocks) {
            let from = block * BLOCK;
            let to = (from + UVec3::splat(BLOCK)).min(size);
            let (near, far) = (grid.point(from), grid.point(to));
            let (distance, _) = shell.at((near + far) / 2.0);
            let reach = (far - near).length() / 2.0 + 2.0 * cell_m;
            for offset in each(to - from) {
                let place = grid.index(from + offset);
                grid.distances[place] = if distance.abs() > reach { distance } else { shell.at(grid.point(from + offset)).0 };
            }
        }
        grid
    }

    fn index(&self, cell: UVec3) -> usize {
        ((cell.z * self.size.y + cell.y) * self.size.x + cell.x) as usize
    }

    fn point(&self, cell: UVec3) -> Vec3 {
        self.origin + cell.as_vec3() * self.cell_m
    }

    fn at(&self, cell: UVec3) -> f32 {
        self.distances[self.index(cell)]
    }

    /// Cells that have all their corners in the grid.
    fn cells(&self) -> impl Iterator<Item = UVec3> + use<> {
        each(self.size - UVec3::ONE)
    }

    /// The mean of the points where the surface crosses the cell's edges; none when it does not.
    fn crossing(&self, cell: UVec3) -> Option<Vec3> {
        let corner = |bits: u32| cell + UVec3::new(bits & 1, bits >> 1 & 1, bits >> 2 & 1);
        let (mut sum, mut count) = (Vec3::ZERO, 0.0_f32);
        for bits in 0..8 {
            for axis in [1, 2, 4] {
                if bits & axis != 0 {
                    continue;
                }
                let (from, to) = (corner(bits), corner(bits | axis));
                let (a, b) = (self.at(from), self.at(to));
                if (a < 0.0) != (b < 0.0) {
                    sum += self.point(from).lerp(self.point(to), a / (a - b));
                    count += 1.0;
                }
            }
        }
        (count > 0.0).then(|| sum / count)
    }
}

/// All places of a grid of this size.
fn each(size: UVec3) -> impl Iterator<Item = UVec3> + use<> {
    (0..size.z).flat_map(move |z| (0..size.y).flat_map(move |y| (0..size.x).map(move |x| UVec3::new(x, y, z))))
}

#[cfg(test)]
mod tests {
    use nalgebra::Translation3;
    use sanqu_robot::{Shape, Visual};

    use super::*;

    #[test]
    fn a_net_is_closed_faces_outward_and_lies_on_its_shell() {
        let mut shell = Shell::default();
        for (shape, z) in [(Shape::Box { size_m: [0.2, 0.1, 0.04] }, 0.02), (Shape::Capsule { radius_m: 0.03, length_m: 0.1 }, 0.1)] {
            assert!(shell.add(&Visual { link_from_visual: Translation3::new(0.01, 0.0, z).into(), shape, rgba: None }));
        }
        let mesh = mesh(&shell, 0.006);
        let positions = mesh.attribute(Mesh::ATTRIBUTE_POSITION).unwrap().as_float3().unwrap();
        let normals = mesh.attribute(Mesh::ATTRIBUTE_NORMAL).unwrap().as_float3().unwrap();
        let lowest = positions.iter().map(|point| point[1]).fold(f32::INFINITY, f32::min);
        assert!(lowest.abs() < 1e-5, "the flat underside is at 0: {lowest}");
        for point in positions {
            assert!(shell.at(Vec3::from(*point)).0.abs() < 1e-3, "{point:?}");
        }
        let corners: Vec<usize> = mesh.indices().unwrap().iter().collect();
        let mut edges = std::collections::BTreeMap::<(usize, usize), i32>::new();
        for face in corners.chunks_exact(3) {
            let [a, b, c] = [face[0], face[1], face[2]].map(|corner| Vec3::from(positions[corner]));
            let across = (b - a).cross(c - a);
            assert!(across.length() < 1e-9 || across.dot(Vec3::from(normals[face[0]])) > -1e-9, "inside out at {a}");
            for (from, to) in [(face[0], face[1]), (face[1], face[2]), (face[2], face[0])] {
                *edges.entry((from.min(to), from.max(to))).or_default() += if from < to { 1 } else { -1 };
            }
        }
        assert!(edges.len() > 1000 && edges.values().all(|sum| *sum == 0), "every edge has a face on both sides");
    }
}
