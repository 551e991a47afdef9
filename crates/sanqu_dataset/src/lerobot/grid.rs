//! The row grid of an export: which frame of which camera belongs to which row, and where an episode must be split.

/// One frame of a camera, in the order of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Capture time, ns.
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
    /// Capture time of each row, ns.
    pub(super) row_t_ns: Vec<i64>,
    /// For each camera the frame (position in its file) of the first row; row `n` shows frame `first_frame + n`.
    pub(super) first_frame: Vec<usize>,
}

/// The grid of one episode: its parts, and one sentence for every row that is not in a part and every split.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// The parts, in time order.
    pub(super) parts: Vec<Part>,
    /// What was split or dropped, with row numbers.
    pub(super) notes: Vec<String>,
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
    cameras.iter().zip(decodable).enumerate().map(|(which, (camera, decodable))| {
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

/// Collects parts and notes.
struct Builder {
    spec: GridSpec,
    open: Option<Part>,
    grid: Grid,
    /// First row, end row and reason of the rows being dropped.
    dropped: Option<(usize, usize, String)>,
}

impl Builder {
    fn new(spec: GridSpec) -> Self {
        Self { spec, open: None, grid: Grid::default(), dropped: None }
    }

    fn extend(&mut self, t_ns: i64) {
        if let Some(part) = &mut self.open {
            part.row_t_ns.push(t_ns);
        }
    }

    fn close(&mut self, row: usize, reason: &str) {
        if let Some(part) = self.open.take() {
            self.grid.notes.push(format!("split before row {row}: {reason}"));
            self.keep(part);
        }
    }

    fn keep(&mut self, part: Part) {
        let rows = part.row_t_ns.len();
        if rows < usize::try_from(self.spec.fps).unwrap_or(usize::MAX) {
            let last = part.first_row + rows - 1;
            self.grid.notes.push(format!("rows {}..={last} dropped: {rows} rows without a break are less than one second", part.first_row));
        } else {
            self.grid.parts.push(part);
        }
    }

    fn begin(&mut self, row: usize, t_ns: i64, start: Result<Vec<usize>, String>) {
        match start {
            Ok(first_frame) => {
                self.note_dropped();
                self.open = Some(Part { first_row: row, row_t_ns: vec![t_ns], first_frame });
            }
            Err(reason) => match &mut self.dropped {
                Some((_, end, before)) if reason_kind(before) == reason_kind(&reason) => *end = row + 1,
                _ => {
                    self.note_dropped();
                    self.dropped = Some((row, row + 1, reason));
                }
            },
        }
    }

    fn note_dropped(&mut self) {
        if let Some((from, end, reason)) = self.dropped.take() {
            self.grid.notes.push(format!("rows {from}..={} dropped: {reason}", end - 1));
        }
    }

    fn finish(mut self) -> Grid {
        if let Some(part) = self.open.take() {
            self.keep(part);
        }
        self.note_dropped();
        self.grid
    }
}

/// The reason without its numbers: rows that are dropped one after another for the same reason share one note.
fn reason_kind(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | '-')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: i64 = 33_333_333;
    const SPEC: GridSpec = GridSpec { start_ns: 0, stop_ns: 4_000_000_000, fps: 30 };

    /// Frames `0..count` with a keyframe every 15, `phase_ns` behind the grid, from one second before the start.
    fn camera(name: &str, count: u64, phase_ns: i64) -> CameraFrames {
        let frames = (0..count)
            .map(|seq| Frame { t_ns: (seq as i64 - 30) * PERIOD + phase_ns, run: 0, seq, keyframe: seq % 15 == 0 })
            .collect();
        CameraFrames { name: name.into(), frames }
    }

    fn check(cameras: &[CameraFrames], parts: &[(usize, usize, Vec<usize>)], notes: &[&str]) {
        let grid = camera_grid(SPEC, cameras, |_| Ok(()));
        let found: Vec<_> = grid.parts.iter().map(|p| (p.first_row, p.row_t_ns.len(), p.first_frame.clone())).collect();
        assert_eq!(found, parts, "{:#?}", grid.notes);
        assert_eq!(grid.notes.len(), notes.len(), "{:#?}", grid.notes);
        for (note, part) in grid.notes.iter().zip(notes) {
            assert!(note.contains(part), "{note} should say {part}");
        }
    }

    #[test]
    fn rows_are_the_first_cameras_frames_within_the_span() {
        check(&[camera("head", 200, 0)], &[(0, 121, vec![30])], &[]);
    }

    #[test]
    fn a_second_camera_is_paired_by_the_nearest_frame() {
        check(&[camera("head", 200, 0), camera("wrist", 200, 10_000_000)], &[(0, 121, vec![30, 30])], &[]);
        check(&[camera("head", 200, 0), camera("wrist", 200, 20_000_000)], &[(0, 121, vec![30, 29])], &[]);
    }

    #[test]
    fn a_lost_frame_splits_until_pictures_can_be_decoded_again() {
        let mut wrist = camera("wrist", 200, 0);
        wrist.frames.remove(80); // its row is 50; the next keyframe is number 90, row 60
        check(
            &[camera("head", 200, 0), wrist],
            &[(0, 50, vec![30, 30]), (60, 61, vec![90, 89])],
            &["split before row 50: camera wrist lost frames between number 79 and 81", "rows 50..=59 dropped: camera wrist"],
        );
    }

    #[test]
    fn a_short_rest_is_dropped_and_said() {
        let mut head = camera("head", 200, 0);
        head.frames.remove(50); // row 20
        check(&[head], &[(24, 96, vec![59])], &["split before row 20", "rows 0..=19 dropped: 20 rows", "rows 20..=23 dropped"]);
    }

    #[test]
    fn a_drifting_camera_is_paired_again() {
        let mut wrist = camera("wrist", 200, 0);
        for (n, frame) in wrist.frames.iter_mut().enumerate() {
            frame.t_ns += n as i64 * 200_000;
        }
        let grid = camera_grid(SPEC, &[camera("head", 200, 0), wrist], |_| Ok(()));
        assert_eq!(grid.parts.len(), 2, "{:#?}", grid.notes);
        assert!(grid.notes[0].contains("from the row, more than 17.0 ms"), "{:#?}", grid.notes);
    }

    #[test]
    fn rows_without_state_are_noted_once() {
        let grid = camera_grid(SPEC, &[camera("head", 200, 0)], |t| if t < 1_000_000_000 { Err(format!("no state at {t}")) } else { Ok(()) });
        assert_eq!((grid.parts.len(), grid.parts[0].first_row), (1, 31));
        assert_eq!(grid.notes.len(), 1, "{:#?}", grid.notes);
        assert!(grid.notes[0].contains("rows 0..=30 dropped"), "{:#?}", grid.notes);
    }

    #[test]
    fn the_fixed_grid_does_not_drift() {
        let grid = fixed_grid(GridSpec { start_ns: 7, stop_ns: 7 + 100_000_000_000, fps: 30 }, |_| Ok(()));
        assert_eq!(grid.parts[0].row_t_ns.len(), 3000);
        assert_eq!(grid.parts[0].row_t_ns[2997], 7 + 99_900_000_000);
    }
}
