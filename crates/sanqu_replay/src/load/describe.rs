use std::path::{Path, PathBuf};

use sanqu_robot::{DriveTable, RobotError, RobotModel};

use super::Source;
use crate::ReplayError;
use crate::body::undrawn_meshes;

/// A robot's model and the pose that it takes when nothing is recorded, rad or m in model order.
pub(super) struct Description {
    pub(super) model: RobotModel,
    pub(super) stand: Vec<f64>,
}

/// The description snapshot of the store, else (with a warning) the shipped description of the robot's model.
pub(super) fn find(source: &Source<'_>, warnings: &mut Vec<String>) -> Result<Description, ReplayError> {
    let entry = source.entry;
    let snapshot = source.store.zip(entry.description.as_deref()).map(|(store, hash)| store.robot_folder(hash));
    if let Some(folder) = snapshot.as_ref().filter(|folder| folder.join("robot.urdf").is_file()) {
        return read(source, folder, warnings);
    }
    let shipped: Vec<PathBuf> = match entry.model.as_str() {
        "" => Vec::new(),
        model => source.assets.iter().map(|assets| assets.join("robots").join(model)).collect(),
    };
    if let Some(folder) = shipped.iter().find(|folder| folder.join("robot.urdf").is_file()) {
        warnings.push(format!(
            "{}: the episode's own description is not in the store; shown with {} instead, which may differ from the robot that was recorded",
            entry.robot,
            folder.display()
        ));
        return read(source, folder, warnings);
    }
    let looked_for = snapshot.into_iter().chain(shipped).map(|folder| folder.join("robot.urdf")).collect();
    Err(ReplayError::NoDescription { robot: entry.robot.to_string(), model: entry.model.clone(), looked_for })
}

fn read(source: &Source<'_>, folder: &Path, warnings: &mut Vec<String>) -> Result<Description, ReplayError> {
    let robot = source.entry.robot.to_string();
    let named = |source: RobotError| ReplayError::Robot { robot: robot.clone(), source };
    let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).map_err(named)?;
    let undrawn = undrawn_meshes(&model);
    if !undrawn.is_empty() {
        warnings.push(format!(
            "{robot}: this version draws primitive shapes only; links with mesh files are drawn as a skeleton: {}",
            undrawn.join(", ")
        ));
    }
    let table_path = folder.join("drives.toml");
    let table = if table_path.is_file() { DriveTable::from_toml_file(&table_path).map_err(named)? } else { DriveTable::default() };
    let stand = match table.pose("stand") {
        Some(pose) => pose.q(&model).map_err(named)?,
        None => {
            warnings.push(format!("{robot}: its description has no pose \"stand\"; joints without rows are shown at 0"));
            vec![0.0; model.joints().len()]
        }
    };
    Ok(Description { model, stand })
}
