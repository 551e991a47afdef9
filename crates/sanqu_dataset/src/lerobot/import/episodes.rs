//! Which episodes a dataset has, where their rows and pictures are, and what their tasks are called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::ArrayRef;
use serde::Deserialize;

use super::info::{Info, Place, Version, read_text};
use super::parquet_rows::{column_names, floats, integers, read, text_lists, texts};
use crate::DatasetError;

/// Episodes of one dataset.
const EPISODES_MAX: usize = 1_000_000;
/// Tasks of one dataset.
const TASKS_MAX: usize = 1_000_000;
/// Rows of one episode: 19 hours at 30 a second.
const ROWS_MAX: u64 = 2_000_000;
/// Files and folders of `meta/episodes`.
const FILES_MAX: usize = 100_000;

/// An episode as the dataset lists it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    /// Its number.
    pub(super) index: u64,
    /// Rows.
    pub(super) length: usize,
    /// Rows of all episodes listed before.
    pub(super) first_row: u64,
    /// Texts of its tasks, if they are listed.
    pub(super) tasks: Vec<String>,
    /// Where its rows are.
    pub(super) data: Place,
    /// Where the pictures of each camera are, by feature.
    pub(super) videos: BTreeMap<String, VideoPlace>,
    /// What this program wrote about its origin.
    pub(super) origin: Option<Origin>,
}

/// Where an episode's pictures of a camera are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct VideoPlace {
    /// The file.
    pub(super) place: Place,
    /// Where in the file they begin, s.
    pub(super) from_s: f64,
    /// Where they end, s; none for the file's end.
    pub(super) to_s: Option<f64>,
}

/// The recorded episode that an export of this program was made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Origin {
    /// Its id.
    pub(super) episode: String,
    /// The robot.
    pub(super) robot: String,
    /// The station.
    pub(super) station: String,
    /// The operator's pseudonym.
    pub(super) operator: String,
}

/// The texts of tasks by their number.
pub(super) fn tasks(info: &Info) -> Result<BTreeMap<i64, String>, DatasetError> {
    #[derive(Deserialize)]
    struct Line {
        task_index: i64,
        task: String,
    }
    let (path, tasks) = match info.version {
        Version::V21 => {
            let path = info.root.join("meta/tasks.jsonl");
            let lines: Vec<Line> = json_lines(&path, TASKS_MAX)?;
            (path, lines.into_iter().map(|line| (line.task_index, line.task)).collect())
        }
        Version::V30 => {
            let path = info.root.join("meta/tasks.parquet");
            let names = column_names(&path)?;
            // pandas calls an index without a name so.
            let text = ["task", "__index_level_0__"].into_iter().find(|name| names.iter().any(|known| known == name));
            let text = text.ok_or_else(|| DatasetError::dataset(&path, "no column task"))?;
            let mut table = Table::read(&path, &["task_index", text])?;
            (path.clone(), table.take("task_index", integers)?.into_iter().zip(table.take(text, |a| texts(a.as_ref()))?).collect())
        }
    };
    let tasks: BTreeMap<i64, String> = tasks;
    if tasks.len() > TASKS_MAX {
        return Err(DatasetError::dataset(&path, format!("{} tasks; at most {TASKS_MAX} are read", tasks.len())));
    }
    Ok(tasks)
}

/// All episodes, in the dataset's order.
///
/// # Errors
/// [`DatasetError`] naming the file, line or row, and column.
pub(super) fn list(info: &Info) -> Result<Vec<Listed>, DatasetError> {
    let mut listed = match info.version {
        Version::V21 => list_v21(info)?,
        Version::V30 => list_v30(info)?,
    };
    let mut first_row = 0u64;
    for episode in &mut listed {
        episode.first_row = first_row;
        first_row = first_row.saturating_add(episode.length as u64);
    }
    let mut numbers: Vec<u64> = listed.iter().map(|episode| episode.index).collect();
    numbers.sort_unstable();
    match numbers.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(DatasetError::dataset(&info.root.join("meta"), format!("episode {} is listed twice", pair[0]))),
        None => Ok(listed),
    }
}

fn rows_of(path: &Path, episode: u64, length: u64) -> Result<usize, DatasetError> {
    let rows = usize::try_from(length).ok().filter(|_| length <= ROWS_MAX);
    rows.ok_or_else(|| DatasetError::dataset(path, format!("episode {episode}: {length} rows; at most {ROWS_MAX} are read")))
}

fn list_v21(info: &Info) -> Result<Vec<Listed>, DatasetError> {
    #[derive(Deserialize)]
    struct Line {
        episode_index: u64,
        #[serde(default)]
        tasks: Vec<String>,
        length: u64,
    }
    let path = info.root.join("meta/episodes.jsonl");
    let lines: Vec<Line> = json_lines(&path, EPISODES_MAX)?;
    let one = |line: Line| {
        let place = Place::Episode(line.episode_index);
        let video = VideoPlace { place, from_s: 0.0, to_s: None };
        let videos = info.features.iter().filter(|feature| feature.is_video()).map(|feature| (feature.key.clone(), video)).collect();
        let length = rows_of(&path, line.episode_index, line.length)?;
        Ok(Listed { index: line.episode_index, length, first_row: 0, tasks: line.tasks, data: place, videos, origin: None })
    };
    lines.into_iter().map(one).collect()
}

fn list_v30(info: &Info) -> Result<Vec<Listed>, DatasetError> {
    let folder = info.root.join("meta/episodes");
    let mut listed = Vec::new();
    for path in parquet_files(&folder)? {
        listed.extend(episodes_of(info, &path)?);
        if listed.len() > EPISODES_MAX {
            return Err(DatasetError::dataset(&folder, format!("more than {EPISODES_MAX} episodes")));
        }
    }
    if listed.is_empty() {
        return Err(DatasetError::dataset(&folder, "no episode is listed there"));
    }
    Ok(listed)
}

/// `chunk-…/file-….parquet`, sorted.
fn parquet_files(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, DatasetError> {
        let io = |source| DatasetError::Io { path: folder.to_owned(), source };
        let entries = std::fs::read_dir(folder).map_err(io)?.take(FILES_MAX + 1);
        let mut paths = entries.map(|entry| Ok(entry.map_err(io)?.path())).collect::<Result<Vec<_>, DatasetError>>()?;
        paths.sort();
        if paths.len() > FILES_MAX { Err(DatasetError::dataset(folder, format!("more than {FILES_MAX} files"))) } else { Ok(paths) }
    };
    let mut files = Vec::new();
    for chunk in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        files.extend(list(&chunk)?.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "parquet")));
    }
    Ok(files)
}

/// Columns of a file under `meta/`, by name.
struct Table<'a> {
    path: &'a Path,
    columns: BTreeMap<String, ArrayRef>,
}

impl<'a> Table<'a> {
    fn read(path: &'a Path, names: &[&str]) -> Result<Self, DatasetError> {
        let columns = read(path, names, None)?;
        let columns = names.iter().zip(columns).filter_map(|(name, column)| Some(((*name).to_owned(), column?))).collect();
        Ok(Self { path, columns })
    }

    fn has(&self, name: &str) -> bool {
        self.columns.contains_key(name)
    }

    fn take<T>(&mut self, name: &str, convert: impl FnOnce(&ArrayRef) -> Result<Vec<T>, String>) -> Result<Vec<T>, DatasetError> {
        let column = self.columns.remove(name).ok_or_else(|| DatasetError::dataset(self.path, format!("no column {name}")))?;
        convert(&column).map_err(|reason| DatasetError::dataset(self.path, format!("column {name}: {reason}")))
    }

    /// As [`take`](Self::take), for numbers that cannot be negative.
    fn counts(&mut self, name: &str) -> Result<Vec<u64>, DatasetError> {
        let negative = |row: usize, value: i64| format!("row {row}: {value}, expected a number from 0 on");
        self.take(name, |column| {
            let values = integers(column)?.into_iter().enumerate();
            values.map(|(row, value)| u64::try_from(value).map_err(|_| negative(row, value))).collect()
        })
    }
}

const ORIGIN: [&str; 4] = ["sanqu/episode", "sanqu/robot", "sanqu/station", "sanqu/operator"];

fn episodes_of(info: &Info, path: &Path) -> Result<Vec<Listed>, DatasetError> {
    let cameras: Vec<&str> = info.features.iter().filter(|feature| feature.is_video()).map(|feature| feature.key.as_str()).collect();
    let column = |key: &str, what: &str| format!("videos/{key}/{what}");
    let mut names: Vec<String> = ["episode_index", "length", "tasks", "data/chunk_index", "data/file_index"]
        .iter()
        .chain(&ORIGIN)
        .map(|name| (*name).to_owned())
        .collect();
    for key in &cameras {
        names.extend(["chunk_index", "file_index", "from_timestamp", "to_timestamp"].map(|what| column(key, what)));
    }
    let mut table = Table::read(path, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let (indices, lengths) = (table.counts("episode_index")?, table.counts("length")?);
    let (chunks, files) = (table.counts("data/chunk_index")?, table.counts("data/file_index")?);
    let mut tasks = if table.has("tasks") { table.take("tasks", text_lists)? } else { Vec::new() };
    tasks.resize(indices.len(), Vec::new());
    let mut videos: Vec<BTreeMap<String, VideoPlace>> = vec![BTreeMap::new(); indices.len()];
    for key in cameras {
        let (chunks, files) = (table.counts(&column(key, "chunk_index"))?, table.counts(&column(key, "file_index"))?);
        let from = table.take(&column(key, "from_timestamp"), floats)?;
        let to = column(key, "to_timestamp");
        let to: Vec<Option<f64>> =
            if table.has(&to) { table.take(&to, floats)?.into_iter().map(Some).collect() } else { vec![None; from.len()] };
        for (row, (((chunk, file), from_s), to_s)) in chunks.into_iter().zip(files).zip(from).zip(to).enumerate() {
            // Without an end it is as long as its rows.
            let to_s = to_s.or_else(|| Some(from_s + *lengths.get(row)? as f64 / info.fps));
            if let Some(videos) = videos.get_mut(row) {
                videos.insert(key.to_owned(), VideoPlace { place: Place::File { chunk, file }, from_s, to_s });
            }
        }
    }
    let mut origins: Vec<Option<Origin>> = vec![None; indices.len()];
    if ORIGIN.iter().all(|name| table.has(name)) {
        let [episodes, robots, stations, operators] = ORIGIN.map(|name| table.take(name, |a| texts(a.as_ref())));
        for (row, ((episode, robot), (station, operator))) in
            episodes?.into_iter().zip(robots?).zip(stations?.into_iter().zip(operators?)).enumerate()
        {
            if let Some(origin) = origins.get_mut(row) {
                *origin = Some(Origin { episode, robot, station, operator });
            }
        }
    }
    let places = chunks.into_iter().zip(files).map(|(chunk, file)| Place::File { chunk, file });
    let rows = indices.into_iter().zip(lengths).zip(places).zip(tasks.into_iter().zip(videos).zip(origins));
    rows.map(|(((index, length), data), ((tasks, videos), origin))| {
        Ok(Listed { index, length: rows_of(path, index, length)?, first_row: 0, tasks, data, videos, origin })
    })
    .collect()
}

/// The lines of a JSONL file.
fn json_lines<T: for<'de> Deserialize<'de>>(path: &Path, lines_max: usize) -> Result<Vec<T>, DatasetError> {
    let text = read_text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = lines
        .map(|(number, line)| serde_json::from_str(line).map_err(|e| DatasetError::dataset(path, format!("line {}: {e}", number + 1))));
    let parsed: Vec<T> = parsed.take(lines_max + 1).collect::<Result<_, _>>()?;
    match parsed.len() {
        0 => Err(DatasetError::dataset(path, "it has no line")),
        count if count > lines_max => Err(DatasetError::dataset(path, format!("more than {lines_max} lines"))),
        _ => Ok(parsed),
    }
}
