use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sanqu_robot::{CameraMount, DriveTable, Drivetrain, RobotError, RobotModel};

use super::Source;
use crate::ReplayError;
use crate::body::Looks;
use crate::mesh_file::MeshSearch;

/// Looks by the file of the description: robots of one model share theirs.
pub(crate) type KnownLooks = HashMap<PathBuf, Arc<Looks>>;

/// A robot's model, the pose that it takes when nothing is recorded (rad or m in model order), what is drawn of it, and where its
/// cameras sit.
pub(super) struct Description {
    pub(super) model: RobotModel,
    pub(super) stand: Vec<f64>,
    pub(super) looks: Arc<Looks>,
    /// The drives; none where there is no table, or (with a warning) one that does not fit the robot.
    pub(super) drives: Option<(DriveTable, Drivetrain)>,
    pub(super) cameras: Vec<CameraMount>,
}

/// The description that the options name for the robot or its model; else the store's snapshot, else (with a warning) the
/// shipped description of the robot's model.
pub(super) fn find(source: &Source<'_>, known: &mut KnownLooks, warnings: &mut Vec<String>) -> Result<Description, ReplayError> {
    let entry = source.entry;
    let named = |name: &str| source.options.urdfs.iter().find(|(other, _)| other == name).map(|(_, urdf)| urdf);
    if let Some(urdf) = named(entry.robot.as_str()).or_else(|| named(&entry.model)) {
        return read(source, urdf, known, warnings);
    }
    let snapshot = source.store.zip(entry.description.as_deref()).map(|(store, hash)| store.robot_folder(hash).join("robot.urdf"));
    if let Some(urdf) = snapshot.as_ref().filter(|urdf| urdf.is_file()) {
        return read(source, urdf, known, warnings);
    }
    let shipped: Vec<PathBuf> = match entry.model.as_str() {
        "" => Vec::new(),
        model => source.options.assets.iter().map(|assets| assets.join("robots").join(model).join("robot.urdf")).collect(),
    };
    if let Some(urdf) = shipped.iter().find(|urdf| urdf.is_file()) {
        warnings.push(format!(
            "{}: the episode's own description is not in the store; shown with {} instead, which may differ from the robot that was recorded",
            entry.robot,
            urdf.display()
        ));
        return read(source, urdf, known, warnings);
    }
    let looked_for = snapshot.into_iter().chain(shipped).collect();
    Err(ReplayError::NoDescription { robot: entry.robot.to_string(), model: entry.model.clone(), looked_for })
}

/// Reads a URDF and, where it lies beside it, `drives.toml`.
fn read(source: &Source<'_>, urdf: &Path, known: &mut KnownLooks, warnings: &mut Vec<String>) -> Result<Description, ReplayError> {
    let robot = source.entry.robot.to_string();
    let named = |source: RobotError| ReplayError::Robot { robot: robot.clone(), source };
    let model = RobotModel::from_urdf_file(urdf).map_err(named)?;
    let table_path = urdf.with_file_name("drives.toml");
    let table = if table_path.is_file() { DriveTable::from_toml_file(&table_path).map_err(named)? } else { DriveTable::default() };
    let stand = match table.pose("stand") {
        Some(pose) => pose.q(&model).map_err(named)?,
        None => {
            warnings.push(format!("{robot}: its description has no pose \"stand\"; joints without rows are shown at 0"));
            vec![0.0; model.joints().len()]
        }
    };
    let cameras = table.cameras().to_vec();
    let drives = match Drivetrain::new(&table, &model) {
        _ if table.drives().is_empty() => None,
        Ok(train) => Some((table, train)),
        Err(error) => {
            warnings.push(format!("{robot}: its drives cannot be shown: {error}"));
            None
        }
    };
    let looks = match known.get(urdf) {
        Some(looks) => Arc::clone(looks),
        None => {
            let mut told = Vec::new();
            let looks = Arc::new(Looks::new(&model, &stand, &search(source), &mut told));
            warnings.extend(told.into_iter().map(|warning| format!("{robot}: {warning}")));
            known.insert(urdf.to_path_buf(), Arc::clone(&looks));
            looks
        }
    };
    Ok(Description { model, stand, looks, drives, cameras })
}

/// Mesh files that are not beside their description are looked for in the folders that the options name, then with the
/// shipped description of the model (a store's snapshot has none).
fn search(source: &Source<'_>) -> MeshSearch {
    let shipped = source.options.assets.iter().map(|assets| assets.join("robots"));
    let shipped = shipped.flat_map(|robots| [robots.join(&source.entry.model), robots]);
    MeshSearch { packages: source.options.packages.iter().cloned().chain(shipped).collect() }
}
