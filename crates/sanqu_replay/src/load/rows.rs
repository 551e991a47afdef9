//! The rows of a robot's streams: their times and gaps in memory, their values through windows.

use std::collections::BTreeMap;
use std::sync::Arc;

use nalgebra::Isometry3;
use sanqu_model::{Id, Quantity, StreamEntry};
use sanqu_robot::RobotModel;
use sanqu_store::{Episode, RowReader};

use super::{Source, lanes};
use crate::ReplayError;
use crate::base::BaseTrack;
use crate::track::{Breaks, Instants, Track};
use crate::windows::RowSource;

/// Frames whose poses are the field's own; every other frame is taken as the station's.
const FIELD_FRAMES: [&str; 3] = ["field", "world", "map"];

/// Times and gaps of each stream of a robot that has rows, by the stream's name.
pub(super) type Streams = BTreeMap<String, lanes::Rows>;

/// Reads times and gaps of every stream of the source's robot.
pub(super) fn streams(source: &Source<'_>) -> Result<Streams, ReplayError> {
    let all = source.episode.manifest().streams.iter();
    let mine = all.filter(|stream| stream.robot == source.entry.robot && stream.rows > 0);
    mine.map(|stream| Ok((stream.stream.to_string(), lanes::read(source.episode, stream, source.ledger)?))).collect()
}

/// The robot's joints over time.
pub(super) fn joints(
    source: &Source<'_>,
    stream: &StreamEntry,
    times: &Streams,
    (model, rest): (&RobotModel, Vec<f64>),
) -> Result<Track, ReplayError> {
    let reader = source.episode.row_reader(stream, |quantity, _| quantity == "pos")?;
    let names = reader.columns().iter().map(|column| column.element.clone()).collect();
    let (rows, t_ns, breaks) = windows(source, stream, times, reader)?;
    Ok(Track::of_rows(model, names, rows, t_ns, rest, breaks))
}

/// The robot's `base` stream, if it has one that can be read as poses.
pub(super) fn base(
    source: &Source<'_>,
    times: &Streams,
    world_from_station: &Isometry3<f64>,
    warnings: &mut Vec<String>,
) -> Result<Option<BaseTrack>, ReplayError> {
    let (episode, robot): (&Episode, &Id) = (source.episode, &source.entry.robot);
    let Some(stream) = episode.stream(robot, "base").filter(|stream| stream.rows > 0) else { return Ok(None) };
    let Some((position, rotation)) = quantities_of_base(&stream.quantities) else {
        warnings.push(format!(
            "{robot}: its base stream has no quantities with elements {:?} and {:?}: the robot is shown at its station",
            BaseTrack::POSITION,
            BaseTrack::ROTATION
        ));
        return Ok(None);
    };
    let station_from_frame = frame_of_base(position, world_from_station);
    let reader = episode.row_reader(stream, |quantity, _| quantity == position.name || quantity == rotation.name)?;
    let place = |quantity: &Quantity, element: &str| {
        let found = reader.columns().iter().position(|column| column.quantity == quantity.name && column.element == element);
        found.ok_or_else(|| unfit(stream, format!("no column of {} of {element}", quantity.name)))
    };
    let ([x, y, z], [qx, qy, qz, qw]) = (BaseTrack::POSITION, BaseTrack::ROTATION);
    let at = |element| place(position, element);
    let turned = |element| place(rotation, element);
    let columns = [at(x)?, at(y)?, at(z)?, turned(qx)?, turned(qy)?, turned(qz)?, turned(qw)?];
    let (rows, t_ns, breaks) = windows(source, stream, times, reader)?;
    Ok(Some(BaseTrack::of_rows(rows, columns, Instants::of(&t_ns), breaks, station_from_frame)))
}

/// The rows of a stream through the windows of the replay, with their times and gaps.
fn windows(
    source: &Source<'_>,
    stream: &StreamEntry,
    times: &Streams,
    reader: RowReader,
) -> Result<(RowSource, Arc<Vec<i64>>, Breaks), ReplayError> {
    let Some(times) = times.get(stream.stream.as_str()).filter(|times| times.t_ns.len() == reader.rows()) else {
        return Err(unfit(stream, format!("there are values of {} rows, but not as many times", reader.rows())));
    };
    Ok((RowSource::Windows(source.cache.add(reader)), Arc::clone(&times.t_ns), times.breaks.clone()))
}

pub(super) fn unfit(stream: &StreamEntry, reason: String) -> ReplayError {
    ReplayError::Stream { robot: stream.robot.to_string(), stream: stream.stream.to_string(), reason }
}

/// A base's position and rotation among the quantities of its stream.
pub(crate) fn quantities_of_base(quantities: &[Quantity]) -> Option<(&Quantity, &Quantity)> {
    let with = |elements: &[&str]| quantities.iter().find(|quantity| quantity.elements == elements);
    with(&BaseTrack::POSITION).zip(with(&BaseTrack::ROTATION))
}

/// Where the frame that a base's position is expressed in stands, seen from the station.
pub(crate) fn frame_of_base(position: &Quantity, world_from_station: &Isometry3<f64>) -> Isometry3<f64> {
    if FIELD_FRAMES.contains(&position.frame.as_str()) { world_from_station.inverse() } else { Isometry3::identity() }
}
