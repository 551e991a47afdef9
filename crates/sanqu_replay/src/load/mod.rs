//! From episodes on disk to a [`Replay`].

mod cameras;
mod command;
mod describe;
mod drives;
mod field;
mod lanes;
mod marks;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use sanqu_model::{FieldConfig, Id, LossRow, Manifest, RobotEntry, StreamEntry};
use sanqu_robot::CameraMount;
use sanqu_store::{Episode, Store};

pub(crate) use self::cameras::{aspect, placed};
pub(crate) use self::command::{CommandTrack, command_track};
pub(crate) use self::describe::{Description, KnownLooks, Wanted, find_shipped};
pub(crate) use self::drives::{DriveFiles, JOINT, MOTOR, QUANTITIES, channels, is_rotor_torque, names_in};
pub use self::field::read as read_field;
use self::rows::Streams;
pub(crate) use self::rows::{frame_of_base, quantities_of_base};
use crate::ReplayError;
use crate::lane::Lane;
use crate::replay::{Replay, RobotRecord};
use crate::timeline::nanoseconds;
use crate::track::{Instants, Track};
use crate::windows::{WINDOW_BYTES_MAX, WindowCache};
use crate::xray::RobotDrives;

/// How far apart two recordings at the same station are shown, m.
const SAME_STATION_STEP_M: f64 = 1.4;
/// How far apart robots stand whose station the field does not know, m.
const UNKNOWN_STATION_STEP_M: f64 = 3.0;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Episode folders, or ids (prefixes, `last`) when `store` is given.
    pub episodes: Vec<String>,
    /// The store that ids are looked up in.
    pub store: Option<PathBuf>,
    /// The field file; none takes the shipped one of the episodes' field.
    pub field: Option<PathBuf>,
    /// Folders that may hold `robots/<model>` and `field/<field>.toml`, in order.
    pub assets: Vec<PathBuf>,
    /// The URDF of a robot or of a model, where it is not the recorded one.
    pub urdfs: Vec<(String, PathBuf)>,
    /// Folders of ROS packages, where mesh files are looked for that are not beside their description.
    pub packages: Vec<PathBuf>,
}

/// A [`Replay`] and what the viewer should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// What is shown.
    pub replay: Replay,
    /// What is missing or assumed, in whole sentences.
    pub warnings: Vec<String>,
}

/// Loads episodes. Episodes that were recorded at the same time keep their times; others are shown side by side from
/// their starts, with a warning.
///
/// # Errors
/// Episodes, field files or descriptions that cannot be read; [`ReplayError::Empty`] when no robot has joint rows.
pub fn load(options: &LoadOptions) -> Result<Loaded, ReplayError> {
    load_with(options, &mut KnownLooks::new())
}

/// As [`load`]; robots of descriptions that are `known` share their looks.
pub(crate) fn load_with(options: &LoadOptions, known: &mut KnownLooks) -> Result<Loaded, ReplayError> {
    let mut warnings = Vec::new();
    let episodes = options.episodes.iter().map(|name| open(name, options.store.as_deref())).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = episodes.first().map(|(_, episode)| episode.manifest()) else { return Err(ReplayError::Empty) };
    let field = match &options.field {
        Some(path) => field::read(path)?,
        None => field::shipped(&first.field, &options.assets, &mut warnings)?,
    };
    let start_ns = first.start_ns;
    let shifts = shifts(&episodes.iter().map(|(_, episode)| episode.manifest()).collect::<Vec<_>>(), &mut warnings);
    let mut robots: Vec<RobotRecord> = Vec::new();
    let (mut lanes, mut marks, mut cameras) = (Vec::new(), Vec::new(), Vec::new());
    let cache = WindowCache::new(WINDOW_BYTES_MAX).map_err(|source| ReplayError::Thread { name: "rows", source })?;
    for ((store, episode), shift_ns) in episodes.iter().zip(&shifts) {
        let ledger = episode.loss()?;
        marks.extend(marks::read(episode, *shift_ns, &mut warnings)?);
        for entry in &episode.manifest().robots {
            let place = place(&field, &robots, entry, &episode.manifest().station, &mut warnings);
            let source = Source { store: store.as_ref(), episode, entry, ledger: &ledger, options, cache: &cache };
            if let Some((mut record, mounts, times)) = robot(&source, &field, place, known, &mut warnings)? {
                record.shift_ns = *shift_ns;
                let own = robot_lanes(&source, &times, robots.len(), *shift_ns);
                cameras.extend(cameras::find(&source, (&record.model, &mounts), (lanes.len(), &own)));
                lanes.extend(own);
                robots.push(record);
            }
        }
    }
    if robots.is_empty() {
        return Err(ReplayError::Empty);
    }
    let spans = episodes.iter().zip(&shifts).map(|((_, e), shift)| (e.manifest().start_ns - shift, e.manifest().stop_ns - shift));
    let (start_ns, end_ns) = spans.fold((start_ns, start_ns), |(start, end), (from, to)| (start.min(from), end.max(to)));
    marks.sort();
    Ok(Loaded { replay: Replay { lanes, marks, cameras, ..Replay::new(field, robots, start_ns, end_ns) }, warnings })
}

/// The streams of one robot on the timeline, in the manifest's order.
fn robot_lanes(source: &Source<'_>, times: &Streams, robot: usize, shift_ns: i64) -> Vec<Lane> {
    let streams = source.episode.manifest().streams.iter().filter(|stream| stream.robot == source.entry.robot);
    streams.filter_map(|stream| Some(lane(stream, times.get(stream.stream.as_str())?, robot, shift_ns))).collect()
}

fn lane(stream: &StreamEntry, rows: &lanes::Rows, robot: usize, shift_ns: i64) -> Lane {
    let mut gaps = rows.breaks.gaps.clone();
    for gap in &mut gaps {
        gap.from_ns = gap.from_ns.saturating_sub(shift_ns);
        gap.to_ns = gap.to_ns.saturating_sub(shift_ns);
    }
    let rate_hz = if stream.rate_hz > 0.0 { stream.rate_hz } else { stream.nominal_rate_hz };
    let shifted = || Instants::new(rows.t_ns.iter().map(|t| t.saturating_sub(shift_ns)));
    Lane {
        robot,
        stream: stream.stream.to_string(),
        instants: if shift_ns == 0 { Instants::of(&rows.t_ns) } else { shifted() },
        gaps,
        lost_rows: stream.lost.total(),
        open_loss: stream.lost.open_ended,
        period_ns: if rate_hz > 0.0 { nanoseconds(1.0 / rate_hz) } else { 0 },
    }
}

/// The folder `name`, or the episode of that id in the store.
fn open(name: &str, store: Option<&Path>) -> Result<(Option<Store>, Episode), ReplayError> {
    let dir = Path::new(name);
    if dir.join("manifest.json").is_file() {
        // <store>/episodes/date=…/station=…/<episode>; a folder that was copied elsewhere has no store around it.
        let full = dir.canonicalize().map_err(|source| ReplayError::Io { path: dir.to_path_buf(), source })?;
        let around = full.ancestors().nth(4).and_then(|root| Store::open(root).ok());
        return Ok((around, Episode::open(dir)?));
    }
    let Some(root) = store else { return Err(ReplayError::NoStore { name: name.to_owned() }) };
    let store = Store::open(root)?;
    let episode = store.find(name)?;
    Ok((Some(store), episode))
}

/// What to add to the timeline's instant for each episode: nothing when all were recorded at the same time.
fn shifts(manifests: &[&Manifest], warnings: &mut Vec<String>) -> Vec<i64> {
    let latest_start = manifests.iter().map(|m| m.start_ns).max().unwrap_or(0);
    let earliest_stop = manifests.iter().map(|m| m.stop_ns).min().unwrap_or(0);
    if manifests.len() < 2 || latest_start < earliest_stop {
        return vec![0; manifests.len()];
    }
    warnings.push("these episodes were not recorded at the same time: they are shown side by side, each from its start".to_owned());
    let first = manifests.first().map_or(0, |m| m.start_ns);
    manifests.iter().map(|m| m.start_ns - first).collect()
}

/// Where a robot stands. A second recording at the same station is moved to the left of the first.
fn place(field: &FieldConfig, before: &[RobotRecord], entry: &RobotEntry, station: &Id, warnings: &mut Vec<String>) -> Isometry3<f64> {
    let count = |taken: usize| f64::from(u32::try_from(taken).unwrap_or(u32::MAX));
    let Some(place) = field.station(station) else {
        warnings.push(format!("the field {} does not know station {station}: {} stands in the next free place", field.field, entry.robot));
        return Translation3::new(0.0, UNKNOWN_STATION_STEP_M * count(before.len()), 0.0).into();
    };
    let [x, y] = place.station.position_m;
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), place.station.heading_rad);
    let taken = count(before.iter().filter(|record| record.station == *station).count());
    Isometry3::from_parts(Translation3::new(x, y, 0.0), turn) * Translation3::new(0.0, SAME_STATION_STEP_M * taken, 0.0)
}

pub(crate) struct Source<'a> {
    pub(crate) store: Option<&'a Store>,
    pub(crate) episode: &'a Episode,
    pub(crate) entry: &'a RobotEntry,
    pub(crate) ledger: &'a [LossRow],
    pub(crate) options: &'a LoadOptions,
    pub(crate) cache: &'a Arc<WindowCache>,
}

/// Loads one robot, where its cameras sit and the times of its streams; none (with a warning) when it has no joint rows.
fn robot(
    source: &Source<'_>,
    field: &FieldConfig,
    world_from_station: Isometry3<f64>,
    known: &mut KnownLooks,
    warnings: &mut Vec<String>,
) -> Result<Option<(RobotRecord, Vec<CameraMount>, Streams)>, ReplayError> {
    let (entry, manifest) = (source.entry, source.episode.manifest());
    let Some(stream) = source.episode.stream(&entry.robot, "joint").filter(|stream| stream.rows > 0) else {
        warnings.push(format!("{}: no joint rows in episode {}: not shown", entry.robot, manifest.episode));
        return Ok(None);
    };
    let description = describe::find(source, known, warnings)?;
    let times = rows::streams(source)?;
    let track = rows::joints(source, stream, &times, (&description.model, description.stand))?;
    warnings.extend(said_of_joints(&entry.robot, &description.model, &track, "recorded"));
    let name = field.robot(&entry.robot).map_or_else(|| entry.robot.to_string(), |robot| robot.name.clone());
    let drives = DriveFiles::new(source.episode.clone(), entry.robot.clone(), Arc::clone(source.cache), &times);
    let base = rows::base(source, &times, &world_from_station, warnings)?;
    let record = RobotRecord {
        robot: entry.robot.clone(),
        name,
        station: manifest.station.clone(),
        episode: manifest.episode.to_string(),
        drives: description.drives.map(|(table, train)| RobotDrives::of_files(table, train, drives)),
        model: description.model,
        looks: description.looks,
        track,
        base,
        world_from_station,
        shift_ns: 0,
        lost_rows: stream.lost.total(),
    };
    Ok(Some((record, description.cameras, times)))
}

/// What of a robot's joints did not come, and what came that is no joint; `came` says how ("recorded", "sent").
pub(crate) fn said_of_joints(robot: &Id, model: &sanqu_robot::RobotModel, track: &Track, came: &str) -> Vec<String> {
    let mut said = Vec::new();
    let unrecorded = track.unrecorded(model);
    if !unrecorded.is_empty() {
        said.push(format!("{robot}: not {came}, shown in the stand pose: {}", unrecorded.join(", ")));
    }
    let unknown = track.unknown();
    if !unknown.is_empty() {
        said.push(format!("{robot}: {came}, but no joint of the description: {}", unknown.join(", ")));
    }
    said
}
