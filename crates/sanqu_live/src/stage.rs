use std::collections::BTreeMap;
use std::path::Path;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use sanqu_model::{FieldConfig, Id};
use sanqu_robot::{DriveTable, RobotModel, Shape};
use tracing::warn;

use crate::LiveError;

/// The pose whose height a robot is drawn at.
const STANDING_POSE: &str = "stand";

/// What is known before the first sample: the robots' descriptions and where they stand.
#[derive(Debug, Default)]
pub struct Stage {
    robots: BTreeMap<Id, StagedRobot>,
}

/// A robot that can be drawn in 3D.
#[derive(Debug)]
pub(crate) struct StagedRobot {
    pub(crate) model: RobotModel,
    /// The root link at the station, upright, as high as the description's standing pose says.
    pub(crate) field_from_base: Isometry3<f64>,
}

impl Stage {
    /// Loads the descriptions of all robots of `config` from `robots_dir/<model>/{robot.urdf,drives.toml}`. Robots whose
    /// description is not there are shown without a body, and that is said.
    ///
    /// # Errors
    /// [`LiveError::Description`] for a description that is there but wrong.
    pub fn load(config: &FieldConfig, robots_dir: &Path) -> Result<Self, LiveError> {
        let mut robots = BTreeMap::new();
        for robot in &config.robots {
            let folder = robots_dir.join(&robot.model);
            let urdf = folder.join("robot.urdf");
            if !urdf.is_file() {
                warn!(robot = %robot.id, path = %urdf.display(), "no description: the robot is shown without a body");
                continue;
            }
            let wrong = |source| LiveError::Description { robot: robot.id.to_string(), source };
            let model = RobotModel::from_urdf_file(&urdf).map_err(wrong)?;
            let meshes =
                model.links().iter().flat_map(|link| &link.visuals).filter(|visual| matches!(visual.shape, Shape::Mesh { .. })).count();
            if meshes > 0 {
                warn!(robot = %robot.id, meshes, "mesh files are not drawn in the live view");
            }
            let drives = folder.join("drives.toml");
            let height_m = if drives.is_file() { standing_height_m(&DriveTable::from_toml_file(&drives).map_err(wrong)?) } else { 0.0 };
            let place = config.station_of(&robot.id);
            let ([x, y], heading_rad) = place.map_or(([0.0, 0.0], 0.0), |place| (place.station.position_m, place.station.heading_rad));
            let field_from_base =
                Isometry3::from_parts(Translation3::new(x, y, height_m), UnitQuaternion::from_axis_angle(&Vector3::z_axis(), heading_rad));
            robots.insert(robot.id.clone(), StagedRobot { model, field_from_base });
        }
        Ok(Self { robots })
    }

    /// A robot's description, if there is one.
    pub(crate) fn robot(&self, robot: &Id) -> Option<&StagedRobot> {
        self.robots.get(robot)
    }
}

fn standing_height_m(table: &DriveTable) -> f64 {
    table.pose(STANDING_POSE).map_or(0.0, |pose| pose.base_height_m)
}
