use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sanqu_robot::{CameraMount, DriveTable, Drivetrain, RobotError, RobotModel};

use super::{LoadOptions, Source};
use crate::ReplayError;
use crate::body::Looks;
use crate::mesh_file::MeshSearch;

/// Looks by the file of the description: robots of one model share theirs.
pub(crate) type KnownLooks = HashMap<PathBuf, Arc<Looks>>;

/// A robot's model, the pose that it takes when nothing is recorded (rad or m in model order), what is drawn of it, and where its
/// cameras sit.
pub(crate) struct Description {
    pub(crate) model: RobotModel,
    pub(crate) stand: Vec<f64>,
    pub(crate) looks: Arc<Looks>,
    /// The drives; none where there is no table, or (with a warning) one that does not fit the robot.
    pub(crate) drives: Option<(DriveTable, Drivetrain)>,
    pub(crate) cameras: Vec<CameraMount>,
}

/// Whose description is looked for.
pub(crate) struct Wanted<'a> {
    pub(crate) robot: &'a str,
    pub(crate) model: &'a str,
    pub(crate) options: &'a LoadOptions,
}

impl Wanted<'_> {
    /// The file that the options name for the robot or its model.
    fn named(&self) -> Option<&PathBuf> {
        let named = |name: &str| self.options.urdfs.iter().find(|(other, _)| other == name).map(|(_, urdf)| urdf);
        named(self.robot).or_else(|| named(self.model))
    }

    /// Where the shipped description of its model may be.
    fn shipped(&self) -> Vec<PathBuf> {
        match self.model {
            "" => Vec::new(),
            model => self.options.assets.iter().map(|assets| assets.join("robots").join(model).join("robot.urdf")).collect(),
        }
    }
}

/// The description of a robot that is not recorded: the one that the options name for it or its model, else the shipped one.
pub(crate) fn find_shipped(wanted: &Wanted<'_>, known: &mut KnownLooks, warnings: &mut Vec<String>) -> Result<Description, ReplayError> {
    let files: Vec<PathBuf> = wanted.named().cloned().into_iter().chain(wanted.shipped()).collect();
    match files.iter().find(|urdf| urdf.is_file()) {
        Some(urdf) => read(wanted, urdf, known, warnings),
        None => Err(ReplayError::NoDescription { robot: wanted.robot.to_owned(), model: wanted.model.to_owned(), looked_for: files }),
    }
}

/// The description that the options name for the robot or its model; else the store's snapshot, else (with a warning) the
/// shipped description of the robot's model.
pub(super) fn find(source: &Source<'_>, known: &mut KnownLooks, warnings: &mut Vec<String>) -> Result<Description, ReplayError> {
    let entry = source.entry;
    let wanted = Wanted { robot: entry.robot.as_str(), model: &entry.model, options: source.options };
    if let Some(urdf) = wanted.named() {
        return read(&wanted, urdf, known, warnings);
    }
    let snapshot = source.store.zip(entry.description.as_deref()).map(|(store, hash)| store.robot_folder(hash).join("robot.urdf"));
    if let Some(urdf) = snapshot.as_ref().filter(|urdf| urdf.is_file()) {
        return read(&wanted, urdf, known, warnings);
    }
    let shipped = wanted.shipped();
    if let Some(urdf) = shipped.iter().find(|urdf| urdf.is_file()) {
        warnings.push(format!(
            "{}: the episode's own description is not in the store; shown with {} instead, which may differ from the robot that was recorded",
            entry.robot,
            urdf.display()
        ));
        return read(&wanted, urdf, known, warnings);
    }
    let looked_for = snapshot.into_iter().chain(shipped).collect();
    Err(ReplayError::NoDescription { robot: entry.robot.to_string(), model: entry.model.clone(), looked_for })
}

/// Reads a URDF and, where it lies beside it, `drives.toml`.
fn read(wanted: &Wanted<'_>, urdf: &Path, known: &mut KnownLooks, warnings: &mut Vec<String>) -> Result<Description, ReplayError> {
    let robot = wanted.robot.to_owned();
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
            let looks = Arc::new(Looks::new(&model, &stand, &search(wanted), &mut told));
            warnings.extend(told.into_iter().map(|warning| format!("{robot}: {warning}")));
            known.insert(urdf.to_path_buf(), Arc::clone(&looks));
            looks
        }
    };
    Ok(Description { model, stand, looks, drives, cameras })
}

/// Mesh files that are not beside their description are looked for in the folders that the options name, then with the
/// shipped description of the model (a store's snapshot has none).
fn search(wanted: &Wanted<'_>) -> MeshSearch {
    let shipped = wanted.options.assets.iter().map(|assets| assets.join("robots"));
    let shipped = shipped.flat_map(|robots| [robots.join(wanted.model), robots]);
    MeshSearch { packages: wanted.options.packages.iter().cloned().chain(shipped).collect() }
}
