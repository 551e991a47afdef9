//! Export to LeRobot v3.0, import of v2.1 and v3.0.

mod export;
mod grid;
mod import;
mod layout;
mod pictures;
mod rows;
mod source;
mod stats;
mod tables;
mod video;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use sanqu_model::Id;
use sanqu_store::{Episode, Store};
use serde::Serialize;

use crate::DatasetError;
use export::{Totals, Writer};
pub use import::{
    ImportProblem, ImportedEpisode, JointMap, LerobotImportOptions, LerobotImportProgress, LerobotImportReport, UNDATED_NS, import_lerobot,
};
use source::SourceEpisode;

/// What to export.
#[derive(Clone, Debug)]
pub struct LerobotOptions {
    /// The dataset's folder: missing or empty. Written as `<out>.tmp` and renamed when complete.
    pub out: PathBuf,
    /// Rows a second. Cameras must have this rate, because their video is passed through.
    pub fps: u32,
    /// Only this robot; episodes without it are left out and reported. Needed where an episode holds several robots.
    pub robot: Option<Id>,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LerobotProgress {
    /// Recorded episodes written so far.
    pub done: usize,
    /// Recorded episodes to write.
    pub total: usize,
}

/// Where `action` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionSource {
    /// The commanded positions, held.
    Command,
    /// The state of the next row, because nothing was commanded.
    NextState,
}

/// What became of one recorded episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceReport {
    /// Its id.
    pub episode: String,
    /// Rows written.
    pub rows: usize,
    /// Number of its first LeRobot episode.
    pub first_episode: usize,
    /// LeRobot episodes made of it: 1, more when it was split, 0 when nothing fitted.
    pub episodes: usize,
    /// Whether it was split, or rows of it dropped, beyond two at an edge.
    pub is_lossy: bool,
    /// Splits, dropped and trimmed rows with row numbers, streams that LeRobot cannot carry.
    pub notes: Vec<String>,
}

/// What was exported, and what was not. [`Display`](fmt::Display) gives it as lines for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LerobotReport {
    /// The dataset's folder.
    pub out: PathBuf,
    /// LeRobot's `robot_type`: the robot's model.
    pub robot_type: String,
    /// Rows a second.
    pub fps: u32,
    /// LeRobot episodes.
    pub episodes: usize,
    /// Rows.
    pub rows: usize,
    /// Cameras, the one that gives the rows first.
    pub cameras: Vec<String>,
    /// Texts of the tasks.
    pub tasks: Vec<String>,
    /// Where `action` comes from.
    pub action: ActionSource,
    /// What became of each recorded episode.
    pub sources: Vec<SourceReport>,
    /// Episodes that do not have the chosen robot.
    pub skipped: Vec<String>,
}

impl LerobotReport {
    /// Whether an episode was split, or rows of it dropped (beyond two at an edge).
    pub fn is_lossy(&self) -> bool {
        self.sources.iter().any(|source| source.is_lossy)
    }
}

impl fmt::Display for LerobotReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            ActionSource::Command => "the commanded positions",
            ActionSource::NextState => "the next row's state (nothing was commanded)",
        };
        writeln!(
            f,
            "{}: {} episodes, {} rows at {} a second, robot {}",
            self.out.display(),
            self.episodes,
            self.rows,
            self.fps,
            self.robot_type
        )?;
        writeln!(f, "cameras: {}; action: {action}", if self.cameras.is_empty() { "none".to_owned() } else { self.cameras.join(", ") })?;
        for source in &self.sources {
            for note in &source.notes {
                writeln!(f, "episode {}: {note}", source.episode)?;
            }
        }
        for episode in &self.skipped {
            writeln!(f, "episode {episode}: left out, it does not have the chosen robot")?;
        }
        Ok(())
    }
}

/// Exports recorded episodes as one LeRobot v3.0 dataset.
///
/// All episodes must have the same robot model, joints and cameras. Rows are the frames of the camera `head` (else the
/// first by name) between start and stop; other cameras are paired frame by frame, the joint state is held and its age
/// recorded. Without cameras the rows lie on a fixed grid. Where a frame is missing or does not fit, the episode is split,
/// and the report says so with row numbers. Video is copied, not encoded again.
///
/// # Errors
/// [`DatasetError::Differs`] naming the episode and what differs; [`DatasetError::Episode`] for a stream that cannot be
/// exported; [`DatasetError::NotEmpty`], [`DatasetError::Leftover`] for the folder; [`DatasetError::Nothing`] when no row
/// is left; errors of reading and writing.
pub fn export_lerobot(
    store: &Store,
    episodes: &[Episode],
    options: &LerobotOptions,
    progress: &mut dyn FnMut(LerobotProgress),
) -> Result<LerobotReport, DatasetError> {
    if options.fps == 0 {
        return Err(DatasetError::Option { option: "fps", reason: "expected at least 1".into() });
    }
    let unfinished = reserve(&options.out)?;
    let exported = export_into(&unfinished, store, episodes, options, progress);
    if exported.is_err() && unfinished.exists() {
        remove(&unfinished)?; // made by this call: nothing else can be in it
    }
    exported
}

fn export_into(
    unfinished: &Path,
    store: &Store,
    episodes: &[Episode],
    options: &LerobotOptions,
    progress: &mut dyn FnMut(LerobotProgress),
) -> Result<LerobotReport, DatasetError> {
    let mut sources = Vec::new();
    let mut skipped = Vec::new();
    let mut silent = Vec::new();
    for episode in episodes {
        if let Some(entry) = source::silent_stream(episode, options.robot.as_ref()) {
            let note = format!("left out, {} {} has no row between start and stop", entry.robot, entry.stream);
            let episode = episode.manifest().episode.to_string();
            silent.push(SourceReport { episode, rows: 0, first_episode: 0, episodes: 0, is_lossy: true, notes: vec![note] });
            continue;
        }
        match SourceEpisode::open(episode, options.robot.as_ref())? {
            Some(source) => sources.push(source),
            None => skipped.push(episode.manifest().episode.to_string()),
        }
    }
    let Some(first) = sources.first() else {
        let reason = format!("none of {} episodes in {} fits", episodes.len(), store.root().display());
        return Err(DatasetError::Nothing { reason: [vec![reason], notes_of(silent)].concat().join("; ") });
    };
    for source in &sources {
        source.shape.check_same(&source.id, &first.shape, &first.id)?;
    }
    let shape = first.shape.clone();
    let action = if shape.commands.is_some() { ActionSource::Command } else { ActionSource::NextState };
    create_dir(&unfinished.join("meta"))?;
    let mut writer = Writer::new(unfinished, &shape, action, options.fps)?;
    let mut reports = Vec::new();
    for (done, source) in sources.iter().enumerate() {
        progress(LerobotProgress { done, total: sources.len() });
        reports.push(writer.append(source)?);
    }
    if reports.iter().all(|report| report.rows == 0) {
        return Err(DatasetError::Nothing { reason: notes_of(reports.into_iter().chain(silent)).join("; ") });
    }
    reports.extend(silent);
    let Totals { episodes, rows, tasks } = writer.finish()?;
    let report = LerobotReport {
        out: options.out.clone(),
        robot_type: shape.model.clone(),
        fps: options.fps,
        episodes,
        rows,
        cameras: shape.cameras.iter().map(|(name, _)| name.clone()).collect(),
        tasks,
        action,
        sources: reports,
        skipped,
    };
    write_card(unfinished, store, &report)?;
    publish(unfinished, &options.out)?;
    progress(LerobotProgress { done: sources.len(), total: sources.len() });
    Ok(report)
}

/// One sentence a note, with its episode.
fn notes_of(reports: impl IntoIterator<Item = SourceReport>) -> Vec<String> {
    reports.into_iter().flat_map(|r| r.notes.into_iter().map(move |note| format!("episode {}: {note}", r.episode))).collect()
}

/// The unfinished folder beside `out`, which must be missing or empty.
fn reserve(out: &Path) -> Result<PathBuf, DatasetError> {
    let io = |path: &Path, source| DatasetError::Io { path: path.to_owned(), source };
    if out.exists() && std::fs::read_dir(out).map_err(|e| io(out, e))?.next().is_some() {
        return Err(DatasetError::NotEmpty { path: out.to_owned() });
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(DatasetError::Option { option: "out", reason: format!("{} is no name for a folder", out.display()) });
    }
    name.push(".tmp");
    let unfinished = out.with_file_name(name);
    if unfinished.exists() { Err(DatasetError::Leftover { path: unfinished }) } else { Ok(unfinished) }
}

fn create_dir(path: &Path) -> Result<(), DatasetError> {
    std::fs::create_dir_all(path).map_err(|source| DatasetError::Io { path: path.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), DatasetError> {
    std::fs::remove_dir_all(path).map_err(|source| DatasetError::Io { path: path.to_owned(), source })
}

/// Makes the files durable, then gives the folder its name.
fn publish(unfinished: &Path, out: &Path) -> Result<(), DatasetError> {
    let io = |path: &Path, source| DatasetError::Io { path: path.to_owned(), source };
    let mut folders = vec![unfinished.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| io(&folder, e))? {
            let path = entry.map_err(|e| io(&folder, e))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                File::open(&path).and_then(|file| file.sync_all()).map_err(|e| io(&path, e))?;
            }
        }
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|e| io(&folder, e))?;
    }
    if out.exists() {
        std::fs::remove_dir(out).map_err(|e| io(out, e))?;
    }
    std::fs::rename(unfinished, out).map_err(|e| io(out, e))
}

/// `README.md`: the dataset card that the Hugging Face hub shows.
fn write_card(root: &Path, store: &Store, report: &LerobotReport) -> Result<(), DatasetError> {
    // The card travels with the dataset: no path of this computer in it.
    let report = LerobotReport { out: PathBuf::from("This dataset"), ..report.clone() };
    let text = format!(
        "---\ntask_categories:\n- robotics\ntags:\n- LeRobot\nconfigs:\n- config_name: default\n  data_files: data/*/*.parquet\n---\n\n\
         Exported by sanqu {} from field {}.\n\n```\n{report}```\n\n\
         `observation.state` is the position of every joint of the robot's joint stream, in rad. Hand and gripper positions are in it only\n\
         where that stream has them; none are made up.\n\n\
         Columns beside LeRobot's own: `time.capture_ns` is the row's real capture time (ns since the Unix epoch; moved where a robot's\n\
         clock was wrong), `time.<camera>_ns` that of each picture, `time.state_age_ns` how much older the joint sample is than the row, `source.<camera>_seq` the picture's number in the\n\
         recording. `meta/episodes` names the recorded episode of each row (`sanqu/episode`).\n",
        env!("CARGO_PKG_VERSION"),
        store.field(),
    );
    let path = root.join("README.md");
    std::fs::write(&path, text).map_err(|source| DatasetError::Io { path, source })
}
