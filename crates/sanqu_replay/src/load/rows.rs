use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampNanosecondType, UInt32Type, UInt64Type};
use nalgebra::Isometry3;
use sanqu_model::{Id, Quantity, RUN, SEQ, StreamEntry, T};
use sanqu_store::Episode;

use crate::ReplayError;
use crate::base::BaseTrack;
use crate::track::{Gap, gaps_of};

/// Frames whose poses are the field's own; every other frame is taken as the station's.
const FIELD_FRAMES: [&str; 3] = ["field", "world", "map"];

/// The gaps in a stream's numbering.
pub(super) fn gaps(episode: &Episode, stream: &StreamEntry) -> Result<Vec<Gap>, ReplayError> {
    let mut rows: Vec<(u32, u64, i64)> = Vec::new();
    for batch in episode.read(stream, Some(&[T, SEQ, RUN]))? {
        let batch = batch?;
        let columns = columns(&batch).ok_or_else(|| ReplayError::Stream {
            robot: stream.robot.to_string(),
            stream: stream.stream.to_string(),
            reason: "expected columns t (timestamp ns), seq (uint64) and run (uint32)".to_owned(),
        })?;
        rows.extend(columns);
    }
    Ok(gaps_of(rows))
}

fn columns(batch: &RecordBatch) -> Option<impl Iterator<Item = (u32, u64, i64)>> {
    let run = batch.column_by_name(RUN)?.as_primitive_opt::<UInt32Type>()?.values();
    let seq = batch.column_by_name(SEQ)?.as_primitive_opt::<UInt64Type>()?.values();
    let t_ns = batch.column_by_name(T)?.as_primitive_opt::<TimestampNanosecondType>()?.values();
    Some(run.iter().zip(seq).zip(t_ns).map(|((run, seq), t_ns)| (*run, *seq, *t_ns)))
}

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
    Ok(BaseTrack::new(series(position)?, series(rotation)?, station_from_frame))
}

fn in_field(quantity: &Quantity) -> bool {
    FIELD_FRAMES.contains(&quantity.frame.as_str())
}
