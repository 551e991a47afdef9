use nalgebra::Isometry3;
use sanqu_model::{Id, Quantity};
use sanqu_store::Episode;

use super::lanes;
use crate::ReplayError;
use crate::base::BaseTrack;

/// Frames whose poses are the field's own; every other frame is taken as the station's.
const FIELD_FRAMES: [&str; 3] = ["field", "world", "map"];

/// The robot's `base` stream, if it has one that can be read as poses.
pub(super) fn base(
    episode: &Episode,
    robot: &Id,
    world_from_station: &Isometry3<f64>,
    warnings: &mut Vec<String>,
) -> Result<Option<BaseTrack>, ReplayError> {
    let Some(stream) = episode.stream(robot, "base").filter(|stream| stream.rows > 0) else { return Ok(None) };
    let with = |elements: &[&str]| stream.quantities.iter().find(|quantity| quantity.elements == elements);
    let (Some(position), Some(rotation)) = (with(&BaseTrack::POSITION), with(&BaseTrack::ROTATION)) else {
        warnings.push(format!(
            "{robot}: its base stream has no quantities with elements {:?} and {:?}: the robot is shown at its station",
            BaseTrack::POSITION,
            BaseTrack::ROTATION
        ));
        return Ok(None);
    };
    let station_from_frame = if in_field(position) { world_from_station.inverse() } else { Isometry3::identity() };
    let series = |quantity: &Quantity| episode.series(stream, &quantity.name);
    let breaks = lanes::read(episode, stream, &episode.loss()?)?.breaks;
    Ok(BaseTrack::new(series(position)?, series(rotation)?, breaks, station_from_frame))
}

fn in_field(quantity: &Quantity) -> bool {
    FIELD_FRAMES.contains(&quantity.frame.as_str())
}
