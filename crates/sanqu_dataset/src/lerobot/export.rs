//! Writes a dataset: data, videos, episodes, tasks, statistics, `info.json`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::grid::{CameraFrames, Part, camera_grid, fixed_grid};
use super::layout::{Dtype, Feature, Layout, Ordered, camera_key};
use super::rows::{RowSource, StateRows, narrow};
use super::source::{Shape, SourceEpisode};
use super::stats::{Histogram, Stats, of_rows};
use super::tables::{DataWriter, EpisodeRow, Source, Values, VideoSpan, read_back, write_episodes, write_tasks};
use super::video::{FrameRange, VideoTrack};
use super::{ActionSource, SourceReport};
use crate::DatasetError;

/// Unit of a position's name in LeRobot's own datasets: `l_knee_pitch.pos`.
fn motor_names(elements: &[String]) -> Vec<String> {
    elements.iter().map(|name| format!("{}.pos", name.strip_suffix("_joint").unwrap_or(name))).collect()
}

/// The features of a dataset of episodes of one shape.
fn layout(shape: &Shape, action: ActionSource, fps: u32) -> Layout {
    let joints = motor_names(&shape.joints);
    let mut actions = Feature::vector("action", &shape.commands.as_deref().map_or(joints.clone(), motor_names));
    actions.info = Some(json!({ "sanqu.source": action }));
    let mut features = vec![Feature::vector("observation.state", &joints), actions];
    features.extend(shape.cameras.iter().map(|(name, size)| Feature::camera(name, *size, fps)));
    let scalar = |key: &str, dtype| Feature::scalar(key, dtype);
    features.extend([scalar("time.capture_ns", Dtype::Int64), scalar("time.state_age_ns", Dtype::Int64)]);
    if action == ActionSource::Command {
        features.push(scalar("time.action_age_ns", Dtype::Int64));
    }
    for (name, _) in &shape.cameras {
        features.extend([scalar(&format!("time.{name}_ns"), Dtype::Int64), scalar(&format!("source.{name}_seq"), Dtype::Int64)]);
    }
    features.push(scalar("timestamp", Dtype::Float32));
    features.extend(["frame_index", "episode_index", "index", "task_index"].map(|key| scalar(key, Dtype::Int64)));
    Layout { features }
}

/// A dataset that is being written.
pub(super) struct Writer {
    root: PathBuf,
    fps: u32,
    model: String,
    action: ActionSource,
    layout: Layout,
    data: DataWriter,
    tracks: Vec<(String, VideoTrack)>,
    pictures: Vec<Histogram>,
    tasks: Vec<String>,
    episodes: Vec<EpisodeRow>,
    rows: usize,
}

/// One unbroken part of a recorded episode: a LeRobot episode.
struct PartContent<'a> {
    number: usize,
    part: &'a Part,
    cameras: &'a [CameraFrames],
    states: StateRows,
    /// For each camera its feature, its place in the videos, its sampled pixels.
    spans: Vec<(String, VideoSpan, Histogram)>,
}

/// What a finished dataset holds.
pub(super) struct Totals {
    /// LeRobot episodes.
    pub(super) episodes: usize,
    /// Rows.
    pub(super) rows: usize,
    /// Texts of the tasks.
    pub(super) tasks: Vec<String>,
}

impl Writer {
    /// A writer into the empty folder `root`.
    pub(super) fn new(root: &Path, shape: &Shape, action: ActionSource, fps: u32) -> Result<Self, DatasetError> {
        let layout = layout(shape, action, fps);
        let tracks: Vec<_> = shape.cameras.iter().map(|(name, size)| (name.clone(), VideoTrack::new(root, name, *size, fps))).collect();
        Ok(Self {
            root: root.to_owned(),
            fps,
            model: shape.model.clone(),
            action,
            data: DataWriter::new(root, &layout)?,
            layout,
            pictures: tracks.iter().map(|_| Histogram::default()).collect(),
            tracks,
            tasks: Vec::new(),
            episodes: Vec::new(),
            rows: 0,
        })
    }

    /// Appends a recorded episode as one LeRobot episode, or as several where it had to be split.
    pub(super) fn append(&mut self, source: &SourceEpisode<'_>) -> Result<SourceReport, DatasetError> {
        let state = source.positions("joint")?;
        let command = if self.action == ActionSource::Command { Some(source.positions("command")?) } else { None };
        let mut cameras = Vec::new();
        let mut videos = Vec::new();
        for (name, _) in &source.shape.cameras {
            let (frames, video) = source.camera(name, self.fps)?;
            cameras.push(frames);
            videos.push(video);
        }
        let spec = source.grid_spec(self.fps);
        let rows = RowSource::new(&state, command.as_ref(), spec);
        let grid = if cameras.is_empty() { fixed_grid(spec, |t| rows.fits(t)) } else { camera_grid(spec, &cameras, |t| rows.fits(t)) };
        let first_episode = self.episodes.len();
        let (mut notes, is_lossy) = (grid.notes, grid.is_lossy || grid.parts.is_empty());
        if grid.parts.is_empty() && notes.is_empty() {
            notes.push("no row of it fits between start and stop".to_owned());
        }
        if !source.left_out.is_empty() {
            notes.push(format!("streams that are not exported: {}", source.left_out.join(", ")));
        }
        for (number, part) in grid.parts.iter().enumerate() {
            let mut spans = Vec::new();
            for (which, ((camera, video), first)) in cameras.iter().zip(&videos).zip(&part.first_frame).enumerate() {
                let lead = camera.frames.iter().take(first + 1).rposition(|frame| frame.keyframe).unwrap_or(*first);
                let range = FrameRange { lead, first: *first, rows: part.row_t_ns.len() };
                let mut histogram = Histogram::default();
                let Some((name, track)) = self.tracks.get_mut(which) else { continue };
                let span = track.append(video, range, &mut histogram).map_err(|e| e.of(&source.id, &format!("camera/{name}")))?;
                spans.push((camera_key(name), span, histogram));
            }
            let content = PartContent { number, part, cameras: &cameras, states: rows.rows(&part.row_t_ns), spans };
            self.append_part(source, content)?;
        }
        let rows = grid.parts.iter().map(|part| part.row_t_ns.len()).sum();
        Ok(SourceReport { episode: source.id.clone(), rows, first_episode, episodes: grid.parts.len(), is_lossy, notes })
    }

    fn append_part(&mut self, source: &SourceEpisode<'_>, content: PartContent<'_>) -> Result<(), DatasetError> {
        let PartContent { number, part, cameras, states, spans } = content;
        let task = source.task();
        let task_index = self.tasks.iter().position(|known| known == &task).unwrap_or_else(|| {
            self.tasks.push(task.clone());
            self.tasks.len() - 1
        });
        let values = self.values(part, cameras, states, task_index)?;
        let keys = self.layout.columns().map(|feature| (feature.key.clone(), feature.width()));
        let mut stats: Vec<(String, Stats)> =
            keys.zip(&values).map(|((key, width), values)| (key, of_rows(&values.to_f64(), width))).collect();
        let mut videos = Vec::new();
        for (which, (key, span, histogram)) in spans.into_iter().enumerate() {
            stats.push((key.clone(), histogram.stats()));
            if let Some(total) = self.pictures.get_mut(which) {
                total.merge(&histogram);
            }
            videos.push((key, span));
        }
        let manifest = source.episode.manifest();
        let source = Source {
            episode: source.id.clone(),
            part: number,
            robot: source.robot.robot.to_string(),
            station: manifest.station.to_string(),
            operator: manifest.operator.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let length = part.row_t_ns.len();
        let data_file = self.data.append(values)?;
        self.episodes.push(EpisodeRow { task, length, data_file, first_row: self.rows, videos, stats, source });
        self.rows += length;
        Ok(())
    }

    /// One value list for each column of the layout.
    fn values(&self, part: &Part, cameras: &[CameraFrames], states: StateRows, task_index: usize) -> Result<Vec<Values>, DatasetError> {
        let rows = part.row_t_ns.len();
        let int = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let constant = |value: usize| Values::Int64(vec![int(value); rows]);
        let mut values = vec![
            Values::Float32(states.state),
            Values::Float32(states.action),
            Values::Int64(part.row_t_ns.clone()),
            Values::Int64(states.state_age_ns),
        ];
        if self.action == ActionSource::Command {
            values.push(Values::Int64(states.action_age_ns));
        }
        for (camera, first) in cameras.iter().zip(&part.first_frame) {
            let frames = camera.frames.iter().skip(*first).take(rows);
            values.push(Values::Int64(frames.clone().map(|frame| frame.t_ns).collect()));
            let numbers = frames.map(|frame| i64::try_from(frame.seq)).collect::<Result<Vec<_>, _>>();
            values.push(Values::Int64(
                numbers.map_err(|_| DatasetError::Nothing { reason: format!("camera {}: a sequence above 2^63", camera.name) })?,
            ));
        }
        let fps = f64::from(self.fps);
        values.push(Values::Float32((0..rows).map(|row| narrow(row as f64 / fps)).collect()));
        values.push(Values::Int64((0..rows).map(int).collect()));
        values.push(constant(self.episodes.len()));
        values.push(Values::Int64((self.rows..self.rows + rows).map(int).collect()));
        values.push(constant(task_index));
        Ok(values)
    }

    /// Closes all files and writes what is said about the whole.
    pub(super) fn finish(self) -> Result<Totals, DatasetError> {
        let files = self.data.finish()?;
        for (name, track) in self.tracks {
            track.finish().map_err(|error| error.of("(all)", &format!("camera/{name}")))?;
        }
        let mut stats = Vec::new();
        for feature in self.layout.columns() {
            stats.push((feature.key.clone(), of_rows(&read_back(&files, &feature.key)?, feature.width())));
        }
        let cameras = self.layout.features.iter().filter(|feature| feature.dtype == Dtype::Video);
        stats.extend(cameras.zip(&self.pictures).map(|(feature, histogram)| (feature.key.clone(), histogram.stats())));
        write_json(
            &self.root.join("meta/stats.json"),
            &Ordered(stats.iter().map(|(key, stats)| (key.clone(), stats_json(key, stats))).collect()),
        )?;
        write_episodes(&self.root, &self.episodes, self.fps)?;
        write_tasks(&self.root, &self.tasks)?;
        let info = Info::new(&self.layout, &self.model, self.fps, [self.episodes.len(), self.rows, self.tasks.len()]);
        write_json(&self.root.join("meta/info.json"), &info)?;
        Ok(Totals { episodes: self.episodes.len(), rows: self.rows, tasks: self.tasks })
    }
}

/// Lists of a feature's statistics; those of a camera have the shape (3, 1, 1).
fn stats_json(key: &str, stats: &Stats) -> Ordered<serde_json::Value> {
    let picture = key.starts_with("observation.images.");
    let list = |values: &[f64]| if picture { values.iter().map(|v| json!([[v]])).collect() } else { json!(values) };
    let mut lists: Vec<_> = stats.lists().map(|(name, values)| (name.to_owned(), list(values))).collect();
    lists.insert(4, ("count".to_owned(), json!([stats.count])));
    Ordered(lists)
}

/// `meta/info.json`.
#[derive(Serialize)]
struct Info<'a> {
    codebase_version: &'static str,
    fps: u32,
    features: &'a Layout,
    total_episodes: usize,
    total_frames: usize,
    total_tasks: usize,
    chunks_size: usize,
    data_files_size_in_mb: u32,
    video_files_size_in_mb: u32,
    data_path: &'static str,
    video_path: Option<&'static str>,
    robot_type: &'a str,
    splits: Ordered<String>,
}

impl<'a> Info<'a> {
    fn new(layout: &'a Layout, model: &'a str, fps: u32, [episodes, rows, tasks]: [usize; 3]) -> Self {
        let video = layout.features.iter().any(|feature| feature.dtype == Dtype::Video);
        Self {
            codebase_version: "v3.0",
            fps,
            features: layout,
            total_episodes: episodes,
            total_frames: rows,
            total_tasks: tasks,
            chunks_size: super::tables::FILES_PER_CHUNK,
            data_files_size_in_mb: 100,
            video_files_size_in_mb: 200,
            data_path: "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            video_path: video.then_some("videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"),
            robot_type: model,
            splits: Ordered(vec![("train".to_owned(), format!("0:{episodes}"))]),
        }
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DatasetError> {
    let text = serde_json::to_string_pretty(value).map_err(|source| DatasetError::Json { path: path.to_owned(), source })?;
    std::fs::write(path, text + "\n").map_err(|source| DatasetError::Io { path: path.to_owned(), source })
}
