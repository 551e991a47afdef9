//! H.264 streams: the pictures in an MP4 as the encoder made them, and one row a frame beside it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sanqu_wire::h264::{self, AccessUnit};

use super::columns::{Leading, leading_fields};
use super::content::ParameterSets;
use super::piece::Piece;
use super::stats::Stats;
use super::table::{Digest, Table};
use super::write::Source;
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
    let mut table = Table::create(source.disk, parquet, &schema(), source.rate_hz)?;
    let (mut clock, mut pictures, mut frames) = (FilmClock::default(), crc32fast::Hasher::new(), Frames::default());
    let mut samples = source.samples()?;
    while let Some(sample) = samples.next()? {
        let Piece { run, seq, .. } = sample.piece;
        let recv_ns = sample.entry.recv_ns;
        stats.add((run, seq), recv_ns, std::iter::once(sample.t_ns));
        let unit = AccessUnit::parse(sample.payload).map_err(|e| source.changed(&sample, e))?;
        let (keyframe, pts_ns) = (unit.is_keyframe(), clock.step(sample.t_ns));
        let placed = writer.push_unit(&unit, (pts_ns / NS_PER_TICK).cast_unsigned())?;
        hash_picture(&mut pictures, pts_ns, keyframe, placed.bytes, unit.avcc_parts());
        frames.leading.push(std::iter::once(sample.t_ns), recv_ns, (run, seq));
        frames.pts_ns.push(pts_ns);
        frames.keyframe.push(keyframe);
        frames.bytes.push(u64::from(placed.bytes));
        frames.offset.push(placed.offset);
        if frames.leading.rows() >= table.page_rows() {
            table.write_columns(frames.finish().into_iter())?;
        }
    }
    if frames.leading.rows() > 0 {
        table.write_columns(frames.finish().into_iter())?;
    }
    let count = writer.len();
    writer.finish()?;
    Ok(Film { frames: table.finish()?, pictures: pictures.finalize(), count, moved: clock.moved })
}

/// Rows of the frame table that are collected.
#[derive(Debug, Default)]
struct Frames {
    leading: Leading,
    pts_ns: Vec<i64>,
    keyframe: Vec<bool>,
    bytes: Vec<u64>,
    offset: Vec<u64>,
}

impl Frames {
    /// Takes the columns out.
    fn finish(&mut self) -> Vec<ArrayRef> {
        let Self { mut leading, pts_ns, keyframe, bytes, offset } = std::mem::take(self);
        let mut columns = leading.finish();
        let (pts_ns, keyframe) = (Arc::new(Int64Array::from(pts_ns)), Arc::new(BooleanArray::from(keyframe)));
        columns.extend([pts_ns as ArrayRef, keyframe, Arc::new(UInt64Array::from(bytes)), Arc::new(UInt64Array::from(offset))]);
        columns
    }
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
            hash_picture(&mut pictures, sample.pts * NS_PER_TICK, sample.keyframe, sample.bytes, std::iter::once(bytes.as_slice()));
        }
        if pictures.finalize() != self.pictures { Err(differs("other pictures or times".to_owned())) } else { Ok(()) }
    }
}

fn hash_picture<'a>(hasher: &mut crc32fast::Hasher, pts_ns: i64, keyframe: bool, bytes: u32, parts: impl Iterator<Item = &'a [u8]>) {
    hasher.update(&bytes.to_le_bytes());
    hasher.update(&pts_ns.to_le_bytes());
    hasher.update(&[u8::from(keyframe)]);
    parts.for_each(|part| hasher.update(part));
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
