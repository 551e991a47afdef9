//! Import of LeRobot datasets (v2.1 and v3.0): each episode becomes a journal, and the journal is sealed as recordings are.

mod data;
mod dataset;
mod episodes;
mod film;
mod info;
mod journal;
mod names;
mod parquet_rows;

use std::path::{Path, PathBuf};

use sanqu_model::{FieldConfig, Id, Manifest};
use sanqu_store::Store;
use serde::Serialize;

use crate::DatasetError;
use dataset::Dataset;
pub use names::JointMap;

/// Where time begins for datasets that do not say when they were recorded: 2000-01-01T00:00:00Z, so that nobody takes it
/// for a date of the recording.
pub const UNDATED_NS: i64 = 946_684_800_000_000_000;

/// How datasets become episodes.
#[derive(Clone, Debug)]
pub struct LerobotImportOptions {
    /// The field: its stations give the zones.
    pub field: FieldConfig,
    /// Only these episodes; all when empty.
    pub episodes: Vec<u64>,
    /// The robot; without one, what the dataset calls its kind.
    pub robot: Option<Id>,
    /// The robot's model; without one, what the dataset calls its kind.
    pub model: Option<Id>,
    /// The station; without one that of the recording (in exports of this program), else `unknown`.
    pub station: Option<Id>,
    /// The task.
    pub task: Option<Id>,
    /// The operator's pseudonym.
    pub operator: Option<Id>,
    /// Names of joints.
    pub map: Option<JointMap>,
    /// Folder of the robot's description, which is copied into the store.
    pub description: Option<PathBuf>,
    /// Folder of descriptions by model, where the robot's is looked for if none is named.
    pub robots_dir: Option<PathBuf>,
    /// Reads the joint names of the description in a folder.
    pub joints_of: fn(&Path) -> Result<Vec<String>, String>,
    /// When the first episode of a dataset without dates began, ns since the Unix epoch; [`UNDATED_NS`] without one.
    pub start_ns: Option<i64>,
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LerobotImportProgress {
    /// Episodes of the dataset done.
    pub episode: usize,
    /// Of how many.
    pub episodes: usize,
    /// What is being done: `read`, `write`, `seal`.
    pub stage: &'static str,
    /// The stream.
    pub name: String,
    /// Rows, frames or streams done.
    pub done: usize,
    /// Of how many.
    pub total: usize,
}

/// A step within an episode.
struct Step<'a> {
    stage: &'static str,
    name: &'a str,
    done: usize,
    total: usize,
}

/// An episode that was imported.
#[derive(Clone, Debug, Serialize)]
pub struct ImportedEpisode {
    /// The dataset.
    pub dataset: String,
    /// The episode's number in it.
    pub episode_index: u64,
    /// What was made of it.
    pub manifest: Manifest,
    /// What is worth knowing: names that stand for no known joint, rows off the grid.
    pub notes: Vec<String>,
    /// What was left out of it or is wrong in it, with file, row and field.
    pub defects: Vec<String>,
}

/// What was not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportProblem {
    /// The dataset.
    pub dataset: String,
    /// The episode's number in it; none when it is about the whole dataset.
    pub episode_index: Option<u64>,
    /// File, row and field, and what is wrong.
    pub reason: String,
}

/// What became of the datasets.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LerobotImportReport {
    /// Episodes that were imported.
    pub episodes: Vec<ImportedEpisode>,
    /// Episodes that the store had already, as `<dataset> episode <number>: <id>`.
    pub already_there: Vec<String>,
    /// What was not imported.
    pub problems: Vec<ImportProblem>,
}

impl LerobotImportReport {
    /// Whether anything was left out or is wrong.
    pub fn is_lossy(&self) -> bool {
        !self.problems.is_empty() || self.episodes.iter().any(|episode| !episode.defects.is_empty())
    }
}

/// Imports datasets: each of their episodes becomes one sealed episode. What cannot be read is left out and reported,
/// with file, episode, row and field; the rest is imported.
///
/// Takes the store's lock. Values and pictures are kept bit for bit. Datasets have no wall clock and number nothing: see
/// [`UNDATED_NS`]; `expected` is unknown. An episode's id follows from its rows' file, so that it is never imported twice.
///
/// # Errors
/// [`DatasetError::Option`] for options that do not fit; errors of the store. What is wrong with a dataset is in the report.
pub fn import_lerobot(
    store: &Store,
    datasets: &[PathBuf],
    options: &LerobotImportOptions,
    progress: &mut dyn FnMut(LerobotImportProgress),
) -> Result<LerobotImportReport, DatasetError> {
    if &options.field.field != store.field() {
        let reason = format!("{} is not the store's field {}", options.field.field, store.field());
        return Err(DatasetError::Option { option: "field", reason });
    }
    let _lock = store.lock()?;
    let mut report = LerobotImportReport::default();
    for root in datasets {
        let opened = Dataset::open(root, store, options);
        match opened {
            Ok(mut dataset) => dataset.import(&mut report, progress)?,
            Err(error) => report.problems.push(problem(root, None, of_source(error)?)),
        }
    }
    Ok(report)
}

fn problem(root: &Path, episode_index: Option<u64>, reason: String) -> ImportProblem {
    ImportProblem { dataset: root.display().to_string(), episode_index, reason }
}

/// The text of an error that is the dataset's fault; errors of the store and of options end the import.
fn of_source(error: DatasetError) -> Result<String, DatasetError> {
    match error {
        DatasetError::Store(_) | DatasetError::Option { .. } => Err(error),
        other => Ok(other.to_string()),
    }
}

/// A name as ids allow it: lower case, `-` for what else is in it; none when nothing is left.
fn slug(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => out.push(c),
            _ if out.is_empty() || out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    out.truncate(Id::BYTES_MAX);
    let out = out.trim_end_matches('-');
    (!out.is_empty()).then(|| out.to_owned())
}
