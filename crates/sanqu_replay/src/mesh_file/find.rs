use std::path::{Path, PathBuf};

use sanqu_robot::Shape;

/// How many folders below a package folder's root its `package://` references may begin: `<root>/<package>/…`,
/// `<root>/…` and the same one level down.
const REFERENCE_SKIPS_MAX: usize = 2;

/// Where mesh files are looked for when they are not where the description says.
#[derive(Clone, Debug, Default)]
pub struct MeshSearch {
    /// Folders of ROS packages, in order: the folder that holds them, or a package itself.
    pub packages: Vec<PathBuf>,
}

impl MeshSearch {
    /// The file of a mesh shape, if there is one; none for other shapes.
    pub fn find(&self, shape: &Shape) -> Option<PathBuf> {
        let Shape::Mesh { path, file_name, exists, .. } = shape else { return None };
        if *exists {
            return Some(path.clone());
        }
        let reference = Path::new(file_name.strip_prefix("package://").unwrap_or(file_name));
        // `package://robot/meshes/arm.stl` is `robot/meshes/arm.stl` below a folder of packages, and `meshes/arm.stl` in the package.
        let tails = (0..=REFERENCE_SKIPS_MAX).map(|skip| reference.components().skip(skip).collect::<PathBuf>());
        let tails: Vec<PathBuf> = tails.filter(|tail| tail.is_relative() && tail.file_name().is_some()).collect();
        self.packages.iter().flat_map(|root| tails.iter().map(|tail| root.join(tail))).find(|candidate| candidate.is_file())
    }
}
