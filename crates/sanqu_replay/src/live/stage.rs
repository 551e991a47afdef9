//! The field before anybody has spoken: its robots at their stations, as their descriptions say.

use sanqu_model::{FieldConfig, RobotConfig};
use sanqu_robot::CameraMount;

use super::LiveField;
use crate::ReplayError;
use crate::load::{Description, KnownLooks, LoadOptions, Wanted, find_shipped};
use crate::replay::{Replay, RobotRecord};
use crate::scene::layout::world_from_station;
use crate::track::Track;
use crate::xray::RobotDrives;

/// A field that is ready to be filled.
#[derive(Debug)]
pub struct LiveStage {
    /// Its robots, without rows.
    pub replay: Replay,
    /// What fills them.
    pub field: LiveField,
    /// What is missing, in whole sentences.
    pub warnings: Vec<String>,
}

/// Makes the robots of a field that have a station and a description.
///
/// # Errors
/// Descriptions that are there and cannot be used; [`ReplayError::Live`] when no robot can be shown.
pub fn stage(config: FieldConfig, options: &LoadOptions) -> Result<LiveStage, ReplayError> {
    let (mut known, mut warnings) = (KnownLooks::new(), Vec::new());
    let (mut robots, mut mounts) = (Vec::new(), Vec::new());
    for robot in &config.robots {
        let wanted = Wanted { robot: robot.id.as_str(), model: &robot.model, options };
        match find_shipped(&wanted, &mut known, &mut warnings) {
            Ok(description) => match record(&config, robot, description) {
                Some((record, cameras)) => {
                    robots.push(record);
                    mounts.push(cameras);
                }
                None => warnings.push(format!("{}: no station of the field has it: not shown", robot.id)),
            },
            Err(error @ ReplayError::NoDescription { .. }) => warnings.push(format!("{error}: not shown")),
            Err(error) => return Err(error),
        }
    }
    if robots.is_empty() {
        let reason = format!("no robot of field {} can be shown: {}", config.field, warnings.join("; "));
        return Err(ReplayError::Live { reason });
    }
    let replay = Replay::new(config, robots, 0, 0);
    let field = LiveField::new(&replay, mounts);
    Ok(LiveStage { replay, field, warnings })
}

fn record(config: &FieldConfig, robot: &RobotConfig, description: Description) -> Option<(RobotRecord, Vec<CameraMount>)> {
    let station = config.station_of(&robot.id)?.station;
    let Description { model, stand, looks, drives, cameras } = description;
    let record = RobotRecord {
        robot: robot.id.clone(),
        name: robot.name.clone(),
        station: station.id.clone(),
        episode: format!("LIVE {}", config.field),
        track: Track::growing(&model, Vec::new(), stand),
        drives: drives.map(|(table, train)| RobotDrives::of_live(table, train)),
        model,
        looks,
        base: None,
        world_from_station: world_from_station(station),
        shift_ns: 0,
        lost_rows: 0,
    };
    Some((record, cameras))
}
