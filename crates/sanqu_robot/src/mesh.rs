//! Where the mesh files that a URDF names are.

use std::path::{Path, PathBuf};

/// How many folders above the URDF a `package://` reference is looked for.
const PACKAGE_LEVELS_MAX: usize = 4;

/// Finds the file that a URDF's mesh `file_name` names, seen from the URDF's `folder`.
///
/// Returns the path and whether a file is there. `package://<package>/<rest>` is tried as `<rest>` and as
/// `<package>/<rest>` in the URDF's folder and in the folders above it, because the package's root is not written down.
pub(crate) fn locate(folder: Option<&Path>, file_name: &str) -> (PathBuf, bool) {
    let Some(folder) = folder else { return (PathBuf::from(strip_scheme(file_name)), false) };
    if let Some(reference) = file_name.strip_prefix("package://") {
        let rest = reference.split_once('/').map_or(reference, |(_, rest)| rest);
        for root in folder.ancestors().take(PACKAGE_LEVELS_MAX) {
            for candidate in [root.join(rest), root.join(reference)] {
                if candidate.is_file() {
                    return (candidate, true);
                }
            }
        }
        return (folder.join(rest), false);
    }
    let path = folder.join(strip_scheme(file_name));
    let exists = path.is_file();
    (path, exists)
}

fn strip_scheme(file_name: &str) -> &str {
    file_name.strip_prefix("file://").or_else(|| file_name.strip_prefix("package://")).unwrap_or(file_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file_name: &str, expect: &str, exists: bool) {
        let folder = package_folder();
        let (path, found) = locate(Some(&folder.join("robot/urdf")), file_name);
        assert_eq!((path, found), (folder.join(expect), exists), "{file_name}");
    }

    fn package_folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/package")
    }

    #[test]
    fn references_are_found_beside_and_above_the_urdf() {
        check("package://robot/meshes/arm.stl", "robot/meshes/arm.stl", true);
        check("../meshes/arm.stl", "robot/urdf/../meshes/arm.stl", true);
        check("package://robot/meshes/leg.stl", "robot/urdf/meshes/leg.stl", false);
        check("leg.stl", "robot/urdf/leg.stl", false);
    }

    #[test]
    fn a_urdf_without_a_folder_has_no_meshes() {
        assert_eq!(locate(None, "package://robot/arm.stl"), (PathBuf::from("robot/arm.stl"), false));
        assert_eq!(locate(None, "file:///meshes/arm.stl"), (PathBuf::from("/meshes/arm.stl"), false));
    }
}
