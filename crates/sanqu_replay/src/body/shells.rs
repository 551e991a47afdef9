//! Bodies of our own two robots: the primitive shapes of their descriptions, melted into smooth shells, in finishes that
//! go with their colours. Everything follows from the description, so a recorded one gives the same body again.

use bevy::prelude::Vec3;
use sanqu_robot::Link;

use super::distance::Shell;
use super::looks::{DEFAULT_RGBA, Finish, Part};
use super::nets::mesh;

/// Names, in the URDF, of the robots whose shapes are drawn as shells. What others describe is drawn as it stands.
const OWN: [&str; 2] = ["kuavo_s45", "walker_s2"];
/// Edge of a net's cell: as a share of the finest part's smallest half extent, and at least and at most, m.
const CELL_SHARE: f32 = 0.9;
const CELL_RANGE_M: (f32, f32) = (0.0034, 0.0095);

/// Whether the robot of this name has shells.
pub(super) fn has_shells(robot: &str) -> bool {
    OWN.contains(&robot)
}

/// The shells of a link, one for each colour; mesh files are left out.
pub(super) fn shells(link: &Link) -> Vec<Part> {
    let mut shells: Vec<([f32; 4], Shell)> = Vec::new();
    for visual in &link.visuals {
        let rgba = visual.rgba.unwrap_or(DEFAULT_RGBA);
        let same = shells.iter().position(|(other, _)| other.map(f32::to_bits) == rgba.map(f32::to_bits));
        let place = same.unwrap_or_else(|| {
            shells.push((rgba, Shell::default()));
            shells.len() - 1
        });
        shells[place].1.add(visual);
    }
    let part = |(rgba, shell): &([f32; 4], Shell)| {
        let cell_m = (shell.finest_m() * CELL_SHARE).clamp(CELL_RANGE_M.0, CELL_RANGE_M.1);
        Part { mesh: mesh(shell, cell_m), finish: finish(*rgba) }
    };
    shells.iter().filter(|(_, shell)| shell.finest_m().is_finite()).map(part).collect()
}

/// What a colour of our descriptions is made of.
fn finish(rgba: [f32; 4]) -> Finish {
    let rgb = Vec3::new(rgba[0], rgba[1], rgba[2]);
    let (bright, spread) = (rgb.max_element(), rgb.max_element() - rgb.min_element());
    let (roughness, metallic, glow) = match () {
        // Visors and lenses are glass, lamps shine, shells are lacquer, grey is metal, the rest plastic.
        () if bright < 0.07 => (0.08, 0.0, 0.0),
        () if bright > 0.97 && spread > 0.3 && rgb.z > rgb.x => (0.3, 0.0, 1.6),
        () if bright > 0.85 && spread < 0.1 => (0.26, 0.0, 0.0),
        () if (0.35..0.8).contains(&bright) && spread < 0.1 => (0.34, 0.85, 0.0),
        () => (0.42, 0.05, 0.0),
    };
    Finish { rgba, roughness, metallic, glow }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Isometry3, Translation3};
    use sanqu_robot::{LinkPoses, RobotModel};

    use super::*;
    use crate::body::Looks;
    use crate::ground::{lowest_point_m, outline};
    use crate::mesh_file::MeshSearch;

    #[test]
    fn both_robots_have_shells_that_stand_on_their_soles_and_repeat() {
        let robots = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/robots");
        for (name, foot, sole_m) in [("kuavo-s45", "leg_l6_link", -0.0595), ("walker-s", "L_ankle_roll_link", -0.063)] {
            let model = RobotModel::from_urdf_file(&robots.join(name).join("robot.urdf")).unwrap();
            assert!(has_shells(model.name()), "{name}");
            let rest = vec![0.0; model.joints().len()];
            let looks = Looks::new(&model, &rest, &MeshSearch::default(), &mut Vec::new());
            let mut poses = LinkPoses::default();
            model.link_poses(&rest, &Isometry3::identity(), &mut poses).unwrap();
            let foot = model.link_index(foot).unwrap();
            let lowest = lowest_point_m(&looks, &poses);
            let sole = poses[foot].translation.z + sole_m;
            assert!((lowest - sole).abs() < 1e-4, "{name} stands at {lowest}, its sole is at {sole}");
            let drawn = outline(shells(&model.links()[foot]).iter().map(|part| &part.mesh));
            let drawn =
                drawn.iter().map(|point| (Translation3::from(poses[foot].translation.vector) * point).z).fold(f64::INFINITY, f64::min);
            assert!((drawn - sole).abs() < 1e-4, "{name}: the shell's sole is at {drawn}, not {sole}");

            let mut triangles = 0;
            for link in model.links() {
                let (first, second) = (shells(link), shells(link));
                for (a, b) in first.iter().zip(&second) {
                    let positions =
                        |part: &Part| part.mesh.attribute(bevy::prelude::Mesh::ATTRIBUTE_POSITION).unwrap().as_float3().unwrap().to_vec();
                    assert_eq!(positions(a), positions(b), "{name}, {}: the same description gives the same body", link.name);
                }
                triangles += first.iter().map(|part| part.mesh.indices().map_or(0, |indices| indices.len() / 3)).sum::<usize>();
            }
            assert!((40_000..250_000).contains(&triangles), "{name}: {triangles} triangles");
        }
    }
}
