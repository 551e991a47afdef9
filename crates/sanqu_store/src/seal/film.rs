//! H.264 streams: the pictures in an MP4 as the encoder made them, and one row a frame beside it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use sanqu_model::VIDEO_DATA;
use sanqu_wire::h264;

use super::columns::leading_fields;
use super::content::ParameterSets;
use super::stats::Stats;
use super::table::{Digest, Table};
use super::write::{Source, chunk};
use crate::StoreError;
use crate::error::IoContext;
use crate::mp4::{Mp4Reader, Mp4Writer};

/// Ticks a second: fine enough for any camera, coarse enough that an hour's pause fits one frame's duration.
const TIMESCALE: u32 = 1_000_000;
const NS_PER_TICK: i64 = 1_000_000_000 / TIMESCALE as i64;
/// A longer step of the capture clock is no pause but a clock that was set.
const STEP_MAX_NS: i64 = 3600 * 1_000_000_000;
/// How far a frame is moved behind its predecessor when its capture time does not follow.
const STEP_MIN_NS: i64 = NS_PER_TICK;

/// Column names of the frame table.
pub(crate) const PTS_NS: &str = "pts_ns";
pub(crate) const KEYFRAME: &str = "keyframe";
pub(crate) const BYTES: &str = "bytes";
pub(crate) const OFFSET: &str = "offset";

/// Frames that are written to the table together.
const BATCH_FRAMES: usize = 1024;

/// What must be read back.
#[derive(Debug)]
pub(super) struct Film {
    pub(super) frames: Digest,
    /// Checksum over length, time, keyframe and bytes of every picture.
    pictures: u32,
    count: usize,
    /// Frames whose capture time did not follow their predecessor's.
    pub(super) moved: u64,
}

fn schema() -> SchemaRef {
    let mut fields = leading_fields();
    fields.push(Field::new(PTS_NS, DataType::Int64, false));
    fields.push(Field::new(KEYFRAME, DataType::Boolean, false));
    fields.push(Field::new(BYTES, DataType::UInt64, false));
    fields.push(Field::new(OFFSET, DataType::UInt64, false));
    Arc::new(Schema::new(fields))
}

/// Writes film and frame table.
pub(super) fn write(source: &Source<'_>, sets: &ParameterSets, mp4: &Path, parquet: &Path, stats: &mut Stats) -> Result<Film, StoreError> {
    let size = h264::parse_sps(&sets.sps).map_err(|e| StoreError::damaged(mp4, e))?;
    let mut writer = Mp4Writer::create_on(source.disk, mp4, [size.width, size.height], [&sets.sps, &sets.pps], TIMESCALE)?;
    let schema = schema();
    let mut table = Table::create(source.disk, parquet, &schema, source.rate_hz)?;
    let (mut clock, mut pictures, mut waiting) = (FilmClock::default(), crc32fast::Hasher::new(), Vec::new());
    for piece in &source.plan.pieces {
        let chunk = chunk(source, piece)?;
        stats.add(&chunk);
        let Some(data) = chunk.batch().column_by_name(VIDEO_DATA) else { continue };
        let access_unit = data.as_binary::<i32>().value(0);
        let keyframe = h264::is_keyframe(access_unit);
        let pts_ns = clock.step(chunk.t_ns()[0]);
        let placed = writer.push(access_unit, (pts_ns / NS_PER_TICK).cast_unsigned(), keyframe)?;
        let sample = h264::to_avcc(access_unit).map_err(|e| StoreError::damaged(mp4, e))?;
        hash_picture(&mut pictures, pts_ns, keyframe, &sample);
        let mut columns: Vec<ArrayRef> = chunk.batch().columns()[..leading_fields().len()].to_vec();
        columns.push(Arc::new(Int64Array::from(vec![pts_ns])));
        columns.push(Arc::new(BooleanArray::from(vec![keyframe])));
        columns.push(Arc::new(UInt64Array::from(vec![u64::from(placed.bytes)])));
        columns.push(Arc::new(UInt64Array::from(vec![placed.offset])));
        waiting.push(RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|e| StoreError::damaged(parquet, e))?);
        if waiting.len() >= BATCH_FRAMES {
            write_waiting(&mut table, &schema, &mut waiting, parquet)?;
        }
    }
    write_waiting(&mut table, &schema, &mut waiting, parquet)?;
    let count = writer.len();
    writer.finish()?;
    Ok(Film { frames: table.finish()?, pictures: pictures.finalize(), count, moved: clock.moved })
}

fn write_waiting(table: &mut Table, schema: &SchemaRef, waiting: &mut Vec<RecordBatch>, path: &Path) -> Result<(), StoreError> {
    let batch = concat_batches(schema, waiting.iter()).map_err(|e| StoreError::damaged(path, e))?;
    waiting.clear();
    table.write(&batch)
}

impl Film {
    /// Reads film and frame table and compares them with what was written.
    pub(super) fn compare(&self, mp4: &Path, parquet: &Path) -> Result<(), StoreError> {
        self.frames.compare(parquet)?;
        let differs = |reason: String| StoreError::ReadBack { path: mp4.to_path_buf(), reason };
        let reader = Mp4Reader::open(mp4)?;
        if reader.len() != self.count {
            return Err(differs(format!("{} frames instead of {}", reader.len(), self.count)));
        }
        let file = File::open(mp4).at("open", mp4)?;
        let mut pictures = crc32fast::Hasher::new();
        let mut bytes = Vec::new();
        for sample in reader.samples() {
            bytes.resize(sample.bytes as usize, 0);
            file.read_exact_at(&mut bytes, sample.offset).at("read", mp4)?;
            hash_picture(&mut pictures, sample.pts * NS_PER_TICK, sample.keyframe, &bytes);
        }
        if pictures.finalize() != self.pictures { Err(differs("other pictures or times".to_owned())) } else { Ok(()) }
    }
}

fn hash_picture(hasher: &mut crc32fast::Hasher, pts_ns: i64, keyframe: bool, sample: &[u8]) {
    hasher.update(&(sample.len() as u64).to_le_bytes());
    hasher.update(&pts_ns.to_le_bytes());
    hasher.update(&[u8::from(keyframe)]);
    hasher.update(sample);
}

/// Presentation times from capture times: the same steps, rounded down to ticks, always advancing.
#[derive(Debug, Default)]
struct FilmClock {
    /// Capture time of the last frame and its exact and its rounded time in the film, ns.
    last: Option<(i64, i64, i64)>,
    moved: u64,
}

impl FilmClock {
    fn step(&mut self, t_ns: i64) -> i64 {
        let Some((last_t_ns, exact_ns, pts_ns)) = self.last else {
            self.last = Some((t_ns, 0, 0));
            return 0;
        };
        let step_ns = t_ns.saturating_sub(last_t_ns);
        let follows = (1..=STEP_MAX_NS).contains(&step_ns);
        let exact_ns = exact_ns + if follows { step_ns } else { STEP_MIN_NS };
        let rounded_ns = exact_ns / NS_PER_TICK * NS_PER_TICK;
        // Two frames within one tick cannot share it.
        let next_ns = rounded_ns.max(pts_ns + NS_PER_TICK);
        self.moved += u64::from(!follows || next_ns != rounded_ns);
        self.last = Some((t_ns, exact_ns, next_ns));
        next_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn film_times_follow_the_capture_clock_and_always_advance() {
        let mut clock = FilmClock::default();
        let t_ns = [5_000_000_000, 5_033_333_333, 5_066_666_666, 5_066_666_666, 4_000_000_000, 4_040_000_000, i64::MAX];
        let pts_us: Vec<i64> = t_ns.iter().map(|t| clock.step(*t) / 1000).collect();
        assert_eq!(pts_us, [0, 33_333, 66_666, 66_667, 66_668, 106_668, 106_669]);
        assert_eq!(clock.moved, 3);
    }
}
