//! What an export reads of one recorded episode: joint state, command, and the cameras' frames.

use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use sanqu_model::{Id, RUN, RobotEntry, SEQ, StreamEntry, StreamKind, T, VIDEO_KEYFRAME};
use sanqu_store::mp4::Mp4Reader;
use sanqu_store::{Episode, Series};
use sanqu_wire::ENCODING_H264;

use super::grid::{CameraFrames, Frame, GridSpec};
use crate::DatasetError;

/// The quantity that is state and action.
const POSITION: &str = "pos";
/// A camera's measured rate may differ by this from the dataset's.
const RATE_TOLERANCE: f64 = 0.05;
/// The camera whose frames are the rows where an episode has it.
const MAIN_CAMERA: &str = "head";

/// What episodes must have in common to share a dataset.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    /// The robot's model.
    pub(super) model: String,
    /// Element names of the joint stream's positions.
    pub(super) joints: Vec<String>,
    /// Element names of the command stream's positions; none without commands.
    pub(super) commands: Option<Vec<String>>,
    /// Cameras with their width and height, the main one first.
    pub(super) cameras: Vec<(String, [u32; 2])>,
}

impl Shape {
    /// Its properties by name, for comparing.
    fn properties(&self) -> [(&'static str, String); 4] {
        let names = |names: &[String]| format!("{} joints {}", names.len(), names.join(","));
        let cameras: Vec<String> = self.cameras.iter().map(|(name, [w, h])| format!("{name} {w}x{h}")).collect();
        [
            ("robot model", self.model.clone()),
            ("stream joint", names(&self.joints)),
            ("stream command", self.commands.as_deref().map_or("no commands".to_owned(), names)),
            ("cameras", if cameras.is_empty() { "none".to_owned() } else { cameras.join(", ") }),
        ]
    }

    /// Refuses an episode whose shape is not that of `first`.
    pub(super) fn check_same(&self, episode: &str, first: &Self, first_episode: &str) -> Result<(), DatasetError> {
        for ((what, found), (_, expected)) in self.properties().into_iter().zip(first.properties()) {
            if found != expected {
                let (episode, first, what) = (episode.to_owned(), first_episode.to_owned(), what.to_owned());
                return Err(DatasetError::Differs { episode, what, first, expected, found });
            }
        }
        Ok(())
    }
}

/// An episode and the robot of it that is exported.
pub(super) struct SourceEpisode<'a> {
    /// The episode.
    pub(super) episode: &'a Episode,
    /// Its id.
    pub(super) id: String,
    /// The robot.
    pub(super) robot: &'a RobotEntry,
    /// Streams that a LeRobot dataset cannot carry, by name.
    pub(super) left_out: Vec<String>,
    /// What it has.
    pub(super) shape: Shape,
}

impl<'a> SourceEpisode<'a> {
    /// Finds robot and streams; none when the episode does not have the wanted robot.
    pub(super) fn open(episode: &'a Episode, wanted: Option<&Id>) -> Result<Option<Self>, DatasetError> {
        let manifest = episode.manifest();
        let id = manifest.episode.to_string();
        let refuse = |stream: &str, reason: &str| -> DatasetError {
            DatasetError::Episode { episode: id.clone(), stream: stream.to_owned(), reason: reason.to_owned() }
        };
        let robot = match (wanted, manifest.robots.as_slice()) {
            (Some(wanted), robots) => match robots.iter().find(|entry| &entry.robot == wanted) {
                Some(entry) => entry,
                None => return Ok(None),
            },
            (None, [only]) => only,
            (None, []) => return Err(refuse("robots", "expected one robot, found none")),
            (None, _) => return Err(refuse("robots", "several robots; choose one of them")),
        };
        let streams = || manifest.streams.iter().filter(|entry| entry.robot == robot.robot);
        let positions = |kind: StreamKind| {
            let entry = streams().find(|entry| entry.stream.kind() == kind)?;
            Some(entry.quantities.iter().find(|quantity| quantity.name == POSITION)?.elements.clone())
        };
        let joints = positions(StreamKind::Joint).ok_or_else(|| refuse("joint", "expected a joint stream with positions"))?;
        let mut cameras = Vec::new();
        for entry in streams().filter(|entry| entry.stream.kind() == StreamKind::Camera) {
            if entry.encoding != ENCODING_H264 {
                let reason = format!("expected {ENCODING_H264}, found {}: only H.264 is passed through", entry.encoding);
                return Err(refuse(entry.stream.as_str(), &reason));
            }
            cameras.push((entry.stream.leaf().to_owned(), Mp4Reader::open(&mp4_path(episode, entry)?)?.size()));
        }
        cameras.sort_by_key(|(name, _)| (name != MAIN_CAMERA, name.clone()));
        let carried = |kind| matches!(kind, StreamKind::Joint | StreamKind::Command | StreamKind::Camera);
        let left_out = streams().filter(|entry| !carried(entry.stream.kind())).map(|entry| entry.stream.to_string()).collect();
        let shape = Shape { model: robot.model.clone(), joints, commands: positions(StreamKind::Command), cameras };
        Ok(Some(Self { episode, id, robot, left_out, shape }))
    }

    /// The task's text: the prompt, else the task's id.
    pub(super) fn task(&self) -> String {
        let manifest = self.episode.manifest();
        match (&manifest.prompt, &manifest.task) {
            (prompt, _) if !prompt.is_empty() => prompt.clone(),
            (_, Some(task)) => task.to_string(),
            _ => "no task was given".to_owned(),
        }
    }

    /// The grid to lay over it.
    pub(super) fn grid_spec(&self, fps: u32) -> GridSpec {
        let manifest = self.episode.manifest();
        GridSpec { start_ns: manifest.start_ns, stop_ns: manifest.stop_ns, fps }
    }

    fn entry(&self, stream: &str) -> Result<&'a StreamEntry, DatasetError> {
        self.episode.stream(&self.robot.robot, stream).ok_or_else(|| self.refuse(stream, "the stream is missing"))
    }

    /// An error about one of its streams.
    pub(super) fn refuse(&self, stream: &str, reason: impl Into<String>) -> DatasetError {
        DatasetError::Episode { episode: self.id.clone(), stream: format!("{} {stream}", self.robot.robot), reason: reason.into() }
    }

    /// Positions of the joint or command stream, pre-roll included.
    pub(super) fn positions(&self, stream: &str) -> Result<Series, DatasetError> {
        Ok(self.episode.series(self.entry(stream)?, POSITION)?)
    }

    /// The frames of a camera and its video; refused when its rate is not the dataset's.
    pub(super) fn camera(&self, name: &str, fps: u32) -> Result<(CameraFrames, Mp4Reader), DatasetError> {
        let stream = format!("camera/{name}");
        let entry = self.entry(&stream)?;
        let mut frames = Vec::new();
        for batch in self.episode.read(entry, Some(&[T, SEQ, RUN, VIDEO_KEYFRAME]))? {
            let batch = batch?;
            frames_of(&self.episode.field_times(entry, &batch)?, &batch, &mut frames)
                .map_err(|column| self.refuse(&stream, format!("column {column:?} is missing or of another type")))?;
        }
        let video = Mp4Reader::open(&mp4_path(self.episode, entry)?)?;
        if video.len() != frames.len() {
            return Err(self.refuse(&stream, format!("{} rows, but {} pictures in the mp4", frames.len(), video.len())));
        }
        if let Some(found) = rate_hz(&frames).filter(|found| (found / f64::from(fps) - 1.0).abs() > RATE_TOLERANCE) {
            return Err(
                self.refuse(&stream, format!("{found:.2} frames a second; passing video through needs a dataset of that rate, not {fps}"))
            );
        }
        Ok((CameraFrames { name: name.to_owned(), frames }, video))
    }
}

/// The joint or camera stream of the wanted robot (else of all) that has no row between start and stop: a robot that was
/// switched off, a camera that was unplugged. Nothing of such an episode can be a row of a dataset.
pub(super) fn silent_stream<'a>(episode: &'a Episode, wanted: Option<&Id>) -> Option<&'a StreamEntry> {
    let ours = |entry: &&StreamEntry| wanted.is_none_or(|wanted| &entry.robot == wanted);
    let needed = |entry: &&StreamEntry| matches!(entry.stream.kind(), StreamKind::Joint | StreamKind::Camera);
    episode.manifest().streams.iter().filter(ours).filter(needed).find(|entry| entry.rows_in_episode == 0)
}

fn mp4_path(episode: &Episode, entry: &StreamEntry) -> Result<PathBuf, DatasetError> {
    episode.file(entry, "mp4").ok_or_else(|| DatasetError::Episode {
        episode: episode.manifest().episode.to_string(),
        stream: format!("{} {}", entry.robot, entry.stream),
        reason: "no mp4 among its files".to_owned(),
    })
}

/// Appends a batch's frames; the error is the column that is not as it must be.
///
/// * `t_ns`: their times on the field timeline.
fn frames_of(t_ns: &[i64], batch: &RecordBatch, out: &mut Vec<Frame>) -> Result<(), &'static str> {
    fn column<'b, A: ?Sized>(
        batch: &'b RecordBatch,
        name: &'static str,
        get: impl Fn(&'b dyn Array) -> Option<&'b A>,
    ) -> Result<&'b A, &'static str> {
        batch.column_by_name(name).and_then(|array| get(array.as_ref())).ok_or(name)
    }
    let seq = column(batch, SEQ, |a| a.as_primitive_opt::<UInt64Type>())?;
    let run = column(batch, RUN, |a| a.as_primitive_opt::<UInt32Type>())?;
    let keyframe = column(batch, VIDEO_KEYFRAME, |a| a.as_boolean_opt())?;
    out.extend(t_ns.iter().enumerate().map(|(i, t_ns)| Frame {
        t_ns: *t_ns,
        run: run.value(i),
        seq: seq.value(i),
        keyframe: keyframe.value(i),
    }));
    Ok(())
}

fn rate_hz(frames: &[Frame]) -> Option<f64> {
    median_step_ns(frames.iter().map(|frame| frame.t_ns)).map(|step| 1e9 / step as f64)
}

/// The median of the positive differences of a time series; none with fewer than two rows.
pub(super) fn median_step_ns(times: impl Iterator<Item = i64> + Clone) -> Option<i64> {
    let mut steps: Vec<i64> = times.clone().zip(times.skip(1)).map(|(a, b)| b - a).filter(|step| *step > 0).collect();
    let middle = steps.len() / 2;
    (!steps.is_empty()).then(|| *steps.select_nth_unstable(middle).1)
}
