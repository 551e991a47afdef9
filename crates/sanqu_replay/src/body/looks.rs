use std::collections::HashMap;
use std::path::PathBuf;

use bevy::asset::RenderAssetUsages;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::{Mesh, Vec3};
use nalgebra::Point3;
use sanqu_robot::{RobotModel, Shape, Visual};

use super::primitive::mesh_of;
use super::skeleton::skeleton;
use crate::frame::{bevy_from_world, bevy_point, narrow};
use crate::ground::outline;
use crate::mesh_file::{MeshSearch, Surface, read, smooth};

/// Colour of a visual without one; sRGB and opacity.
pub(super) const DEFAULT_RGBA: [f32; 4] = [0.78, 0.79, 0.81, 1.0];
/// Most corners (three a triangle) of one robot.
const ROBOT_CORNERS_MAX: usize = 24_000_000;

/// How a surface looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finish {
    /// sRGB colour and opacity.
    pub rgba: [f32; 4],
    /// Roughness, 0 mirror to 1 chalk.
    pub roughness: f32,
    /// 0 plastic to 1 metal.
    pub metallic: f32,
    /// How strongly it shines of itself.
    pub glow: f32,
}

impl Finish {
    /// Satin plastic of this colour.
    pub const fn new(rgba: [f32; 4]) -> Self {
        Self { rgba, roughness: 0.42, metallic: 0.05, glow: 0.0 }
    }

    /// Equal for equal finishes.
    pub(super) fn key(&self) -> [u32; 7] {
        let [r, g, b, a] = self.rgba.map(f32::to_bits);
        [r, g, b, a, self.roughness.to_bits(), self.metallic.to_bits(), self.glow.to_bits()]
    }
}

/// A body of a link in one finish, in the link's frame (y up).
#[derive(Clone, Debug)]
pub struct Part {
    /// Its triangles.
    pub mesh: Mesh,
    /// How it looks.
    pub finish: Finish,
}

/// What is drawn of one link.
#[derive(Clone, Debug, Default)]
pub struct LinkLook {
    /// One body for each finish, because each costs a draw. Our own robots' are drawn as smooth shells of these.
    pub parts: Vec<Part>,
    /// Points of the bodies that are outermost in some direction, in the link's frame (z up), m.
    pub outline: Vec<Point3<f64>>,
}

/// What is drawn of a robot.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    links: Vec<LinkLook>,
}

impl Looks {
    /// The bodies of `model`: primitive shapes, mesh files as `search` finds them, and a skeleton for links of which no
    /// mesh file can be drawn. `rest` (one value a joint) is only used to measure bones. What is missing is told in
    /// `warnings`, in whole sentences.
    pub fn new(model: &RobotModel, rest: &[f64], search: &MeshSearch, warnings: &mut Vec<String>) -> Self {
        let mut files = Files { search, known: HashMap::new(), corners: 0, missing: Vec::new() };
        let mut looks = Self { links: vec![LinkLook::default(); model.links().len()] };
        let mut bare = vec![false; model.links().len()];
        for (index, link) in model.links().iter().enumerate() {
            let mut undrawn = 0;
            for visual in &link.visuals {
                match files.parts(visual) {
                    Some(parts) => parts.into_iter().for_each(|part| looks.put(index, part)),
                    None => undrawn += 1,
                }
            }
            bare[index] = undrawn > 0 && undrawn == link.visuals.len();
        }
        for (link, part) in skeleton(model, rest, &bare) {
            looks.put(link, part);
        }
        if !files.missing.is_empty() {
            let bones = model.links().iter().zip(&bare).filter(|(_, bare)| **bare).map(|(link, _)| link.name.as_str()).collect::<Vec<_>>();
            let drawn = if bones.is_empty() { String::new() } else { format!("; drawn as a skeleton: {}", bones.join(", ")) };
            warnings
                .push(format!("mesh files that cannot be drawn (look for them with --packages DIR): {}{drawn}", files.missing.join("; ")));
        }
        for link in &mut looks.links {
            link.outline = outline(link.parts.iter().map(|part| &part.mesh));
        }
        looks
    }

    /// What is drawn of each link, in the order of the model's links.
    pub fn links(&self) -> &[LinkLook] {
        &self.links
    }

    fn put(&mut self, link: usize, part: Part) {
        let parts = &mut self.links[link].parts;
        let same = parts.iter_mut().find(|other| other.finish == part.finish);
        // Meshes of our own making always have the same attributes; one that does not fit stays by itself.
        if same.is_none_or(|same| same.mesh.merge(&part.mesh).is_err()) {
            parts.push(part);
        }
    }
}

/// The mesh files of one robot; each is read once, however many links show it.
struct Files<'a> {
    search: &'a MeshSearch,
    known: HashMap<PathBuf, Option<Vec<Surface>>>,
    corners: usize,
    missing: Vec<String>,
}

impl Files<'_> {
    /// The bodies of a visual; none when it is a mesh file that cannot be drawn.
    fn parts(&mut self, visual: &Visual) -> Option<Vec<Part>> {
        let place = bevy_from_world(&visual.link_from_visual);
        let Shape::Mesh { scale, path, file_name, .. } = &visual.shape else {
            let finish = Finish::new(visual.rgba.unwrap_or(DEFAULT_RGBA));
            return Some(mesh_of(&visual.shape).map(|mesh| Part { mesh: mesh.transformed_by(place), finish }).into_iter().collect());
        };
        let Some(found) = self.search.find(&visual.shape) else {
            let missing = format!("{file_name} (looked for {})", path.display());
            if !self.missing.contains(&missing) {
                self.missing.push(missing);
            }
            return None;
        };
        let surfaces = self.surfaces(found)?;
        // A file's own colours come first, as in RViz; the description's are for files that have none, like STL.
        let part = |surface: &Surface| Part {
            mesh: mesh(surface, *scale).transformed_by(place),
            finish: Finish::new(surface.rgba.or(visual.rgba).unwrap_or(DEFAULT_RGBA)),
        };
        Some(surfaces.iter().map(part).collect())
    }

    fn surfaces(&mut self, path: PathBuf) -> Option<&[Surface]> {
        if !self.known.contains_key(&path) {
            let read = match read(&path) {
                Ok(surfaces) => Some(surfaces.into_iter().map(|s| if s.normals.is_some() { s } else { smooth(&s) }).collect::<Vec<_>>()),
                Err(error) => {
                    let causes = std::iter::successors(std::error::Error::source(&error), |error| error.source());
                    self.missing.push(causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")));
                    None
                }
            };
            self.known.insert(path.clone(), read);
        }
        let surfaces = self.known.get(&path)?.as_deref()?;
        self.corners += surfaces.iter().map(|surface| surface.triangles.len() * 3).sum::<usize>();
        if self.corners > ROBOT_CORNERS_MAX {
            self.missing.push(format!("{}: the robot has more than 8 million triangles with it", path.display()));
            return None;
        }
        Some(surfaces)
    }
}

/// A surface in bevy's frame, scaled along the file's axes.
fn mesh(surface: &Surface, scale: [f64; 3]) -> Mesh {
    let factors = Vec3::from(scale.map(narrow));
    let turned = |vector: Vec3| bevy_point(vector.to_array().map(f64::from)).to_array();
    let positions: Vec<[f32; 3]> = surface.positions.iter().map(|point| turned(*point * factors)).collect();
    let unscale = |normal: Vec3| (normal / factors).try_normalize().unwrap_or(normal);
    let normals: Vec<[f32; 3]> = surface.normals.iter().flatten().map(|normal| turned(unscale(*normal))).collect();
    let mirrored = scale.iter().product::<f64>() < 0.0;
    let corners = surface.triangles.iter().flat_map(|[a, b, c]| if mirrored { [*a, *c, *b] } else { [*a, *b, *c] });
    let uvs = vec![[0.0_f32, 0.0]; positions.len()];
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
        .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, normals)
        .with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, uvs)
        .with_inserted_indices(Indices::U32(corners.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A base and an arm with mesh files, a tool with a ball.
    const ROBOT: &str = r#"<robot name="r">
      <link name="base"><visual><geometry><mesh filename="base.stl"/></geometry></visual></link>
      <link name="arm"><visual><origin xyz="0 0 0.1"/><geometry><mesh filename="arm.obj" scale="0.1 0.1 -0.1"/></geometry>
        <material name="m"><color rgba="0 0 1 1"/></material></visual></link>
      <link name="tool"><visual><geometry><sphere radius="0.1"/></geometry></visual></link>
      <joint name="a" type="revolute"><parent link="base"/><child link="arm"/><origin xyz="0 0 0.5"/><axis xyz="0 1 0"/>
        <limit lower="-3" upper="3" velocity="1" effort="1"/></joint>
      <joint name="b" type="fixed"><parent link="arm"/><child link="tool"/><origin xyz="0 0 0"/></joint>
    </robot>"#;

    fn looks_in(folder: &std::path::Path) -> (Looks, Vec<String>) {
        let path = folder.join("robot.urdf");
        std::fs::write(&path, ROBOT).unwrap();
        let model = RobotModel::from_urdf_file(&path).unwrap();
        let mut warnings = Vec::new();
        (Looks::new(&model, &[0.0], &MeshSearch::default(), &mut warnings), warnings)
    }

    #[test]
    fn links_without_their_mesh_files_become_bones() {
        let folder = tempfile::tempdir().unwrap();
        let (looks, warnings) = looks_in(folder.path());
        let vertices = |link: usize| looks.links()[link].parts.iter().map(|part| part.mesh.count_vertices()).sum::<usize>();
        assert!(vertices(0) > vertices(1), "the base has a bone to the arm besides its ball; the arm's would have length zero");
        assert_eq!(looks.links().iter().map(|link| link.parts.len()).collect::<Vec<_>>(), [1, 1, 1]);
        assert!(warnings[0].contains("base.stl") && warnings[0].contains("skeleton: base, arm"), "{warnings:?}");
    }

    #[test]
    fn mesh_files_are_placed_scaled_and_coloured() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("arm.obj"), "v 0 0 0\nv 1 0 0\nv 0 2 3\nf 1 2 3\n").unwrap();
        let (looks, warnings) = looks_in(folder.path());
        let arm = &looks.links()[1];
        assert_eq!(arm.parts[0].finish.rgba, [0.0, 0.0, 1.0, 1.0], "an OBJ without a library takes the description's colour");
        let low = arm.outline.iter().map(|point| point.z).fold(f64::INFINITY, f64::min);
        let left = arm.outline.iter().map(|point| point.y).fold(f64::NEG_INFINITY, f64::max);
        assert!((low - (0.1 - 0.3)).abs() < 1e-6 && (left - 0.2).abs() < 1e-6, "{low} {left}");
        assert!(warnings[0].contains("skeleton: base") && !warnings[0].contains("arm.obj"), "{warnings:?}");
        let normals = arm.parts[0].mesh.attribute(Mesh::ATTRIBUTE_NORMAL).unwrap().as_float3().unwrap();
        let corners: Vec<usize> = arm.parts[0].mesh.indices().unwrap().iter().collect();
        let positions = arm.parts[0].mesh.attribute(Mesh::ATTRIBUTE_POSITION).unwrap().as_float3().unwrap();
        let [a, b, c] = [0, 1, 2].map(|corner| Vec3::from(positions[corners[corner]]));
        assert!((b - a).cross(c - a).dot(Vec3::from(normals[0])) > 0.0, "mirrored bodies face outward");
    }

    #[test]
    fn a_file_that_is_no_mesh_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("base.stl"), "nothing").unwrap();
        let (_, warnings) = looks_in(folder.path());
        assert!(warnings[0].contains("base.stl: ") && warnings[0].contains("84 bytes"), "{warnings:?}");
    }
}
