//! The row grid of an export: which frame of which camera belongs to which row, and where an episode must be split.

mod parts;
#[cfg(test)]
mod tests;

use parts::Builder;

/// One frame of a camera, in the order of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Time on the field timeline, ns.
    pub(super) t_ns: i64,
    /// Boot of the camera's publisher.
    pub(super) run: u32,
    /// Sequence within the run.
    pub(super) seq: u64,
    /// Whether decoding can begin here.
    pub(super) keyframe: bool,
}

/// A camera with all its frames, pre-roll included.
#[derive(Debug)]
pub(super) struct CameraFrames {
    /// The camera's name: `head`.
    pub(super) name: String,
    /// Its frames in file order.
    pub(super) frames: Vec<Frame>,
}

/// A run of rows that fits the grid without a break: one LeRobot episode.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Number of the first row within the source episode's grid.
    pub(super) first_row: usize,
    /// Time of each row on the field timeline, ns.
    pub(super) row_t_ns: Vec<i64>,
    /// For each camera the frame (position in its file) of the first row; row `n` shows frame `first_frame + n`.
    pub(super) first_frame: Vec<usize>,
}

/// Rows at the very start or end of an episode that may be missing without being called a loss: a second camera's first
/// or last frame often lies just outside of the span.
const EDGE_ROWS_MAX: usize = 2;

/// The grid of one episode: its parts, and one sentence for every row that is not in a part and every split.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// The parts, in time order.
    pub(super) parts: Vec<Part>,
    /// What was split, dropped or trimmed, with row numbers.
    pub(super) notes: Vec<String>,
    /// Whether more than [`EDGE_ROWS_MAX`] rows at an edge are missing.
    pub(super) is_lossy: bool,
}

/// What the grid is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct GridSpec {
    /// First instant (inclusive), ns.
    pub(super) start_ns: i64,
    /// End (exclusive), ns.
    pub(super) stop_ns: i64,
    /// Rows a second.
    pub(super) fps: u32,
}

impl GridSpec {
    /// Time between two rows, ns.
    pub(super) fn period_ns(&self) -> i64 {
        1_000_000_000 / i64::from(self.fps.max(1))
    }

    /// The largest skew between a row and a camera's frame: half a frame, rounded up to a whole millisecond.
    pub(super) fn skew_max_ns(&self) -> i64 {
        (self.period_ns() / 2 + 999_999) / 1_000_000 * 1_000_000
    }
}

/// Lays the grid on the first camera's frames within the span.
///
/// `row_fits` says for a row time whether state and action exist there, or why not. A part ends where a camera lost a
/// frame, its interval does not fit, or its frame lies further than [`GridSpec::skew_max_ns`] from the row; it begins
/// again where every camera has a frame that can be decoded from data without a hole. Parts shorter than a second are
/// dropped. Everything of this is noted.
pub(super) fn camera_grid(spec: GridSpec, cameras: &[CameraFrames], row_fits: impl Fn(i64) -> Result<(), String>) -> Grid {
    let Some(main) = cameras.first() else { return Grid::default() };
    let decodable: Vec<Vec<bool>> = cameras.iter().map(|camera| decodable(&camera.frames)).collect();
    let mut build = Builder::new(spec);
    let rows = main.frames.iter().enumerate().filter(|(_, frame)| (spec.start_ns..spec.stop_ns).contains(&frame.t_ns));
    for (row, (index, frame)) in rows.enumerate() {
        let fits = row_fits(frame.t_ns);
        let longer = fits.clone().and_then(|()| {
            let Some(part) = &build.open else { return Err(String::new()) };
            cameras.iter().zip(&part.first_frame).enumerate().try_for_each(|(which, (camera, first))| {
                let next = first + part.row_t_ns.len();
                if which == 0 && next != index {
                    return Err("the camera's times do not rise".to_owned());
                }
                follows(spec, camera, next, frame.t_ns)
            })
        });
        match longer {
            Ok(()) => build.extend(frame.t_ns),
            Err(reason) => {
                build.close(row, &reason);
                let start = fits.and_then(|()| begin(spec, cameras, &decodable, index));
                build.begin(row, frame.t_ns, start);
            }
        }
    }
    build.finish()
}

/// Lays a grid of exactly `fps` rows a second over the span, for episodes without cameras.
pub(super) fn fixed_grid(spec: GridSpec, row_fits: impl Fn(i64) -> Result<(), String>) -> Grid {
    let mut build = Builder::new(spec);
    for row in 0.. {
        // From the start each time, so that rounding does not add up.
        let offset_ns = i128::from(row) * 1_000_000_000 / i128::from(spec.fps.max(1));
        let Some(t_ns) = i64::try_from(offset_ns).ok().and_then(|offset| spec.start_ns.checked_add(offset)) else { break };
        if t_ns >= spec.stop_ns {
            break;
        }
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        match row_fits(t_ns) {
            Ok(()) if build.open.is_some() => build.extend(t_ns),
            Ok(()) => build.begin(row, t_ns, Ok(Vec::new())),
            Err(reason) => {
                build.close(row, &reason);
                build.begin(row, t_ns, Err(reason));
            }
        }
    }
    build.finish()
}

/// For each frame whether it can be decoded: a keyframe, or the direct successor of one that can be.
fn decodable(frames: &[Frame]) -> Vec<bool> {
    let mut good = false;
    let mut before: Option<&Frame> = None;
    frames
        .iter()
        .map(|frame| {
            good = frame.keyframe || (good && before.is_some_and(|b| b.run == frame.run && b.seq + 1 == frame.seq));
            before = Some(frame);
            good
        })
        .collect()
}

/// Whether frame `next` of a camera continues its part and belongs to a row at `row_t_ns`.
fn follows(spec: GridSpec, camera: &CameraFrames, next: usize, row_t_ns: i64) -> Result<(), String> {
    let name = &camera.name;
    let (Some(frame), Some(before)) = (camera.frames.get(next), next.checked_sub(1).and_then(|i| camera.frames.get(i))) else {
        return Err(format!("camera {name} has no further frame"));
    };
    if frame.run != before.run || frame.seq != before.seq + 1 {
        return Err(format!("camera {name} lost frames between number {} and {}", before.seq, frame.seq));
    }
    let interval_ns = frame.t_ns - before.t_ns;
    if interval_ns * 2 <= spec.period_ns() || interval_ns * 2 >= 3 * spec.period_ns() {
        return Err(format!("camera {name} took frame {} {} after the one before", frame.seq, ms(interval_ns)));
    }
    near(spec, camera, frame, row_t_ns)
}

fn near(spec: GridSpec, camera: &CameraFrames, frame: &Frame, row_t_ns: i64) -> Result<(), String> {
    let skew_ns = frame.t_ns - row_t_ns;
    if skew_ns.abs() <= spec.skew_max_ns() {
        return Ok(());
    }
    let limit = ms(spec.skew_max_ns());
    Err(format!("camera {}'s frame {} lies {} from the row, more than {limit}", camera.name, frame.seq, ms(skew_ns)))
}

/// The frames with which a part can begin at the first camera's frame `index`.
fn begin(spec: GridSpec, cameras: &[CameraFrames], decodable: &[Vec<bool>], index: usize) -> Result<Vec<usize>, String> {
    let Some(row_t_ns) = cameras.first().and_then(|main| main.frames.get(index)).map(|frame| frame.t_ns) else {
        return Err("no such frame".to_owned());
    };
    cameras
        .iter()
        .zip(decodable)
        .enumerate()
        .map(|(which, (camera, decodable))| {
            let nearest = if which == 0 { index } else { nearest(&camera.frames, row_t_ns) };
            let frame = camera.frames.get(nearest).ok_or_else(|| format!("camera {} has no frames", camera.name))?;
            near(spec, camera, frame, row_t_ns)?;
            match decodable.get(nearest) {
                Some(true) => Ok(nearest),
                _ => Err(format!("camera {}'s frame {} cannot be decoded: the frames it builds on are missing", camera.name, frame.seq)),
            }
        })
        .collect()
}

fn nearest(frames: &[Frame], t_ns: i64) -> usize {
    let after = frames.partition_point(|frame| frame.t_ns < t_ns);
    match (after.checked_sub(1).and_then(|i| frames.get(i)), frames.get(after)) {
        (Some(before), Some(behind)) if t_ns - before.t_ns <= behind.t_ns - t_ns => after - 1,
        (Some(_), None) => after - 1,
        _ => after,
    }
}

fn ms(ns: i64) -> String {
    format!("{}.{} ms", ns / 1_000_000, (ns % 1_000_000).abs() / 100_000)
}
