//! The rows of one episode: read, checked against what the dataset says, and sorted into streams.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::ArrayRef;
use sanqu_model::{Id, Quantity};
use sanqu_wire::{COLUMN_NAME_BYTES_MAX, COLUMNS_MAX, ROW_VALUES_MAX};

use super::episodes::Listed;
use super::info::{Feature, Info};
use super::names::{Named, Naming, plain};
use super::parquet_rows::{Column, column_names, floats, integers, not_a_number, numbers, read, texts};
use super::slug;
use crate::DatasetError;
use crate::outside::sha256;

/// How far a row's timestamp may lie from the grid, s: LeRobot's own tolerance.
pub(super) const GRID_TOLERANCE_S: f64 = 1e-4;
/// Columns that number the rows; they are checked, not kept.
const BOOKKEEPING: [&str; 5] = ["timestamp", "frame_index", "episode_index", "index", "task_index"];
/// Texts of one episode that become events.
const TEXTS_MAX: usize = 10_000;
/// Bytes of such a text.
const TEXT_BYTES_MAX: usize = 64 << 10;

const STATE: &str = "observation.state";
const ACTION: &str = "action";

/// A Parquet file with rows of one or many episodes.
#[derive(Debug)]
pub(super) struct DataFile {
    /// The file.
    pub(super) path: PathBuf,
    /// SHA-256 of it.
    pub(super) sha256: String,
    columns: Vec<String>,
    /// Where each episode's rows are; none when they are not together.
    ranges: BTreeMap<i64, Option<Range<usize>>>,
}

/// A stream of rows.
#[derive(Clone, Debug)]
pub(super) struct RowStream {
    /// `joint`, `command`, `imu/torso`.
    pub(super) name: String,
    /// What it holds, with the values of all rows.
    pub(super) quantities: Vec<(Quantity, Column)>,
    /// Time of each row, ns from the episode's base.
    pub(super) t_ns: Vec<i64>,
    /// What is known about it.
    pub(super) facts: BTreeMap<String, String>,
}

/// The rows of one episode.
#[derive(Clone, Debug, Default)]
pub(super) struct EpisodeRows {
    /// Time of each row, ns: from the episode's first row, or since the Unix epoch where `is_absolute`.
    pub(super) t_ns: Vec<i64>,
    /// Whether the times are those of the recording.
    pub(super) is_absolute: bool,
    /// Times of each camera's pictures, where the dataset has them, by feature.
    pub(super) camera_t_ns: BTreeMap<String, Vec<i64>>,
    /// The streams.
    pub(super) streams: Vec<RowStream>,
    /// Numbers of the tasks with the first row of each.
    pub(super) tasks: Vec<(usize, i64)>,
    /// Texts with the row from which on they hold.
    pub(super) texts: Vec<(usize, String, String)>,
    /// What is worth knowing and no defect.
    pub(super) notes: Vec<String>,
    /// What was left out or is wrong.
    pub(super) defects: Vec<String>,
}

impl DataFile {
    /// Reads which rows are whose.
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let columns = column_names(path)?;
        let bad = |reason: String| DatasetError::dataset(path, reason);
        let column = read(path, &["episode_index"], None)?.remove(0).ok_or_else(|| bad("no column episode_index".to_owned()))?;
        let numbers = integers(&column).map_err(|reason| bad(format!("field episode_index: {reason}")))?;
        let mut ranges: BTreeMap<i64, Option<Range<usize>>> = BTreeMap::new();
        let mut from = 0;
        for (row, number) in numbers.iter().enumerate() {
            if numbers.get(row + 1) != Some(number) {
                ranges.entry(*number).and_modify(|known| *known = None).or_insert(Some(from..row + 1));
                from = row + 1;
            }
        }
        Ok(Self { path: path.to_owned(), sha256: sha256(path)?, columns, ranges })
    }

    /// Reads an episode's rows.
    ///
    /// # Errors
    /// [`DatasetError::Dataset`] naming episode, row and field, when rows are missing or are not numbered as they must be,
    /// and when state or action cannot be read.
    pub(super) fn rows(&self, info: &Info, listed: &Listed, naming: &Naming<'_>) -> Result<EpisodeRows, DatasetError> {
        let bad = |reason: String| DatasetError::dataset(&self.path, format!("episode {}: {reason}", listed.index));
        let range = match i64::try_from(listed.index).ok().and_then(|index| self.ranges.get(&index)) {
            Some(Some(range)) => range.clone(),
            Some(None) => return Err(bad("its rows are not together".to_owned())),
            None => return Err(bad(format!("no row, expected {} as the list of episodes says", listed.length))),
        };
        if range.len() != listed.length {
            return Err(bad(format!("{} rows, expected {} as the list of episodes says", range.len(), listed.length)));
        }
        let keys: Vec<&str> = info.features.iter().filter(|feature| !feature.is_video()).map(|feature| feature.key.as_str()).collect();
        let columns = read(&self.path, &keys, Some(range))?;
        let columns: BTreeMap<_, _> = keys.iter().zip(columns).filter_map(|(key, column)| Some(((*key).to_owned(), column?))).collect();
        let present = columns.keys().cloned().collect();
        let mut reading = Reading { info, naming, columns, present, rows: EpisodeRows::default() };
        reading.run(listed.length).map_err(bad)?;
        let mut rows = reading.rows;
        let undeclared: Vec<&str> = self.columns.iter().map(String::as_str).filter(|name| !keys.contains(name)).collect();
        if !undeclared.is_empty() {
            rows.defects.push(format!("columns that info.json does not declare are left out: {}", undeclared.join(", ")));
        }
        Ok(rows)
    }
}

/// An episode's columns on their way into streams.
struct Reading<'a> {
    info: &'a Info,
    naming: &'a Naming<'a>,
    columns: BTreeMap<String, ArrayRef>,
    /// Names of all columns, also of those that were taken out.
    present: BTreeSet<String>,
    rows: EpisodeRows,
}

impl Reading<'_> {
    fn run(&mut self, length: usize) -> Result<(), String> {
        self.check_numbers(length)?;
        self.times(length)?;
        self.recorded_times()?;
        let features: Vec<&Feature> =
            self.info.features.iter().filter(|f| !f.is_video() && !BOOKKEEPING.contains(&f.key.as_str())).collect();
        // State and action first: what belongs to them takes their names.
        let (main, others): (Vec<&Feature>, Vec<&Feature>) = features.into_iter().partition(|f| [STATE, ACTION].contains(&f.key.as_str()));
        for feature in main.into_iter().rev().chain(others) {
            let Some(column) = self.columns.remove(&feature.key) else {
                if !self.present.contains(&feature.key) {
                    self.left_out(&feature.key, "info.json declares it, the data do not have it");
                }
                continue;
            };
            self.feature(feature, &column)?;
        }
        Ok(())
    }

    fn left_out(&mut self, key: &str, reason: &str) {
        self.rows.defects.push(format!("field {key} is left out: {reason}"));
    }

    /// Rows must be numbered from 0 on; tasks may change within an episode.
    fn check_numbers(&mut self, length: usize) -> Result<(), String> {
        if let Some(column) = self.columns.remove("frame_index") {
            let numbers = integers(&column).map_err(|reason| format!("field frame_index: {reason}"))?;
            if let Some((row, found)) = numbers.iter().enumerate().find(|(row, found)| i64::try_from(*row) != Ok(**found)) {
                return Err(format!("row {row}, field frame_index: {found}, expected {row}"));
            }
        }
        if let Some(column) = self.columns.remove("task_index") {
            for (row, task) in integers(&column).map_err(|reason| format!("field task_index: {reason}"))?.into_iter().enumerate() {
                if self.rows.tasks.last().is_none_or(|(_, last)| *last != task) {
                    self.rows.tasks.push((row, task));
                }
            }
        }
        for key in ["episode_index", "index"] {
            self.columns.remove(key);
        }
        if length == 0 { Err("it has no row".to_owned()) } else { Ok(()) }
    }

    /// The grid's times where the timestamps are on it, else the timestamps.
    fn times(&mut self, length: usize) -> Result<(), String> {
        let fps = self.info.fps;
        let grid: Vec<i64> = (0..length).map(|row| grid_ns(row as u64, fps)).collect();
        let Some(column) = self.columns.remove("timestamp") else {
            self.rows.notes.push("no timestamps: the rows lie on the grid of fps".to_owned());
            self.rows.t_ns = grid;
            return Ok(());
        };
        let stamps = floats(&column).map_err(|reason| format!("field timestamp: {reason}"))?;
        let mut off_grid = 0;
        for (row, (stamp, grid_ns)) in stamps.into_iter().zip(grid).enumerate() {
            if !stamp.is_finite() || !(0.0..=1e9).contains(&stamp) {
                return Err(format!("row {row}, field timestamp: {stamp}, expected seconds from 0 on"));
            }
            // float32 cannot say it better than this.
            let tolerance_s = GRID_TOLERANCE_S.max(stamp * f64::from(f32::EPSILON));
            let stamp_ns = to_ns(stamp);
            let is_on_grid = (stamp_ns - grid_ns).abs() <= to_ns(tolerance_s);
            off_grid += usize::from(!is_on_grid);
            let t_ns = if is_on_grid { grid_ns } else { stamp_ns };
            if self.rows.t_ns.last().is_some_and(|last| *last >= t_ns) {
                return Err(format!("row {row}, field timestamp: {stamp} s does not follow the row before"));
            }
            self.rows.t_ns.push(t_ns);
        }
        if off_grid > 0 {
            self.rows.notes.push(format!("{off_grid} rows lie off the grid of {fps} a second; their timestamps are taken as they are"));
        }
        Ok(())
    }

    /// Real capture times, which exports of this program have: state and action are older than their row.
    fn recorded_times(&mut self) -> Result<(), String> {
        if !self.naming.is_own {
            return Ok(());
        }
        let mut take = |key: &str| -> Result<Option<Vec<i64>>, String> {
            let column = self.columns.remove(key);
            column.map(|column| integers(&column).map_err(|reason| format!("field {key}: {reason}"))).transpose()
        };
        let Some(capture) = take("time.capture_ns")? else { return Ok(()) };
        let (state_age, action_age) = (take("time.state_age_ns")?, take("time.action_age_ns")?);
        for feature in self.info.features.iter().filter(|feature| feature.is_video()) {
            let name = feature.key.rsplit('.').next().unwrap_or(&feature.key);
            if let Some(times) = take(&format!("time.{name}_ns"))? {
                self.rows.camera_t_ns.insert(feature.key.clone(), times);
            }
        }
        if let Some(row) = capture.windows(2).position(|pair| pair[1] <= pair[0]) {
            return Err(format!("row {}, field time.capture_ns: it does not follow the row before", row + 1));
        }
        let older = |ages: Option<Vec<i64>>| -> Vec<i64> {
            ages.map_or_else(|| capture.clone(), |ages| capture.iter().zip(ages).map(|(t, age)| t.saturating_sub(age)).collect())
        };
        for (name, ages) in [("joint", state_age), ("command", action_age)] {
            let t_ns = older(ages);
            self.rows.streams.push(RowStream { name: name.to_owned(), quantities: Vec::new(), t_ns, facts: BTreeMap::new() });
        }
        self.rows.t_ns = capture;
        self.rows.is_absolute = true;
        Ok(())
    }

    fn feature(&mut self, feature: &Feature, column: &ArrayRef) -> Result<(), String> {
        let key = feature.key.as_str();
        let is_main = [STATE, ACTION].contains(&key);
        if feature.dtype == "string" {
            return self.texts(key, column);
        }
        if key == ACTION && feature.info.get("sanqu.source").is_some_and(|source| source == "next_state") {
            self.rows.notes.push("action is the next row's state, because nothing was commanded: no command stream".to_owned());
            return Ok(());
        }
        let checked = numbers(column).and_then(|column| match column.width as u64 == feature.width {
            true => Ok(column),
            false => Err(format!("{} values a row, expected {} as its shape says", column.width, feature.width)),
        });
        let column = match checked {
            Ok(column) => column,
            Err(reason) if is_main => return Err(format!("field {key}: {reason}")),
            Err(reason) => {
                self.left_out(key, &reason);
                return Ok(());
            }
        };
        let place = place(key);
        let named = self.name(feature, &place, column.width);
        if let Some((first, count)) = not_a_number(&column) {
            let element = named.elements.get(first % column.width.max(1)).map_or("?", String::as_str);
            let row = first / column.width.max(1);
            self.rows
                .defects
                .push(format!("row {row}, field {key}, {element}: not a number ({count} such values in the episode; they are kept)"));
        }
        self.add(feature, place, named, column);
        Ok(())
    }

    fn name(&mut self, feature: &Feature, place: &StreamPlace, width: usize) -> Named {
        let state = self.rows.streams.iter().find(|stream| stream.name == "joint").and_then(|stream| stream.quantities.first());
        let shares =
            self.info.features.iter().find(|f| f.key == STATE).is_some_and(|f| feature.names.is_empty() || f.names == feature.names);
        let named = match (place.is_of_joints, state) {
            (true, Some((state, _))) if feature.key != ACTION && state.elements.len() == width && shares => {
                Named { elements: state.elements.clone(), unmapped: Vec::new(), note: None }
            }
            (true, _) => self.naming.positions(&feature.names, width),
            (false, _) => plain(&feature.names, width),
        };
        if let Some(note) = &named.note {
            self.rows.notes.push(format!("field {}: {note}", feature.key));
        }
        if !named.unmapped.is_empty() {
            let names = named.unmapped.join(", ");
            self.rows.notes.push(format!("field {}: names kept as they are, nothing says which joints they are: {names}", feature.key));
        }
        named
    }

    fn add(&mut self, feature: &Feature, place: StreamPlace, named: Named, column: Column) {
        let StreamPlace { stream, quantity, is_of_joints } = place;
        let unit = if is_of_joints && quantity == "pos" { self.naming.unit(&named) } else { String::new() };
        let t_ns = self.rows.t_ns.clone();
        let at = match self.rows.streams.iter().position(|known| known.name == stream) {
            Some(at) => at,
            None => {
                self.rows.streams.push(RowStream { name: stream, quantities: Vec::new(), t_ns, facts: BTreeMap::new() });
                self.rows.streams.len() - 1
            }
        };
        let Some(stream) = self.rows.streams.get_mut(at) else { return };
        let values: usize = stream.quantities.iter().map(|(q, _)| q.elements.len()).sum();
        let refused = if !(1..=Quantity::ELEMENTS_MAX).contains(&column.width) || values + column.width > ROW_VALUES_MAX {
            let elements_max = Quantity::ELEMENTS_MAX;
            Some(format!("{} values a row; a field may have {elements_max}, a stream {ROW_VALUES_MAX}", column.width))
        } else if quantity.len() > COLUMN_NAME_BYTES_MAX || stream.quantities.len() + 1 >= COLUMNS_MAX {
            Some(format!("a stream takes {COLUMNS_MAX} fields with names of {COLUMN_NAME_BYTES_MAX} bytes"))
        } else if stream.quantities.iter().any(|(known, _)| known.name == quantity) {
            Some(format!("stream {} has another field {quantity}", stream.name))
        } else {
            None
        };
        if let Some(reason) = refused {
            self.left_out(&feature.key, &reason);
            return;
        }
        stream.facts.insert(format!("field.{quantity}"), feature.key.clone());
        if !named.unmapped.is_empty() {
            stream.facts.insert(format!("unmapped.{quantity}"), named.unmapped.join(", "));
        }
        if unit.is_empty() && is_of_joints {
            stream.facts.insert(format!("unit.{quantity}"), "not stated by the dataset; values as they are there".to_owned());
        }
        let quantity = Quantity { name: quantity, value_type: column.value_type, unit, frame: String::new(), elements: named.elements };
        stream.quantities.push((quantity, column));
    }

    /// Texts become events where they change.
    fn texts(&mut self, key: &str, column: &ArrayRef) -> Result<(), String> {
        let texts = match texts(column.as_ref()) {
            Ok(texts) => texts,
            Err(reason) => {
                self.left_out(key, &reason);
                return Ok(());
            }
        };
        let mut last = String::new();
        for (row, text) in texts.into_iter().enumerate() {
            if text == last {
                continue;
            }
            if self.rows.texts.len() >= TEXTS_MAX || text.len() > TEXT_BYTES_MAX {
                self.left_out(key, &format!("from row {row} on: at most {TEXTS_MAX} texts of {TEXT_BYTES_MAX} bytes are kept"));
                break;
            }
            self.rows.texts.push((row, key.to_owned(), text.clone()));
            last = text;
        }
        Ok(())
    }
}

/// Where a field goes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StreamPlace {
    stream: String,
    quantity: String,
    /// Whether its elements are joints.
    is_of_joints: bool,
}

/// Fields go where their names say; what no stream is named after is a further quantity of the joints' rows.
fn place(key: &str) -> StreamPlace {
    let to =
        |stream: &str, quantity: &str, is_of_joints| StreamPlace { stream: stream.to_owned(), quantity: quantity.to_owned(), is_of_joints };
    match key {
        STATE => return to("joint", "pos", true),
        ACTION => return to("command", "pos", true),
        "observation.velocity" => return to("joint", "vel", true),
        "observation.effort" => return to("joint", "effort", true),
        _ => {}
    }
    if key.starts_with("action.") {
        return to("command", key, false);
    }
    let mut parts = key.strip_prefix("observation.").unwrap_or_default().splitn(3, '.');
    match (parts.next().unwrap_or_default(), parts.next().and_then(slug), parts.next()) {
        (kind @ ("imu" | "wrench" | "hand" | "teleop"), Some(leaf), rest) if Id::new("stream", &leaf).is_ok() => {
            to(&format!("{kind}/{leaf}"), rest.unwrap_or(key), false)
        }
        ("base", ..) => to("base", key, false),
        _ => to("joint", key, false),
    }
}

/// Time of a row on the grid, ns from the first.
pub(super) fn grid_ns(row: u64, fps: f64) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "rows are far fewer than 2^53")]
    let row = row as f64;
    to_ns(row / fps)
}

/// Seconds to whole nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates; a time beyond 292 years is refused before")]
pub(super) fn to_ns(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, stream: &str, quantity: &str) {
        let found = place(key);
        assert_eq!((found.stream.as_str(), found.quantity.as_str()), (stream, quantity));
        found.stream.parse::<sanqu_model::StreamName>().unwrap();
    }

    #[test]
    fn fields_go_where_their_names_say() {
        check("observation.state", "joint", "pos");
        check("observation.effort", "joint", "effort");
        check("action", "command", "pos");
        check("action.gripper", "command", "action.gripper");
        check("observation.imu.Torso.acc", "imu/torso", "acc");
        check("observation.wrench.left", "wrench/left", "observation.wrench.left");
        check("observation.imu", "joint", "observation.imu");
        check("observation.base.pose", "base", "observation.base.pose");
        check("next.reward", "joint", "next.reward");
    }

    #[test]
    fn the_grid_does_not_drift() {
        assert_eq!([1, 2, 3, 30].map(|row| grid_ns(row, 30.0)), [33_333_333, 66_666_667, 100_000_000, 1_000_000_000]);
        assert_eq!(grid_ns(30 * 3600 * 24, 30.0), 86_400_000_000_000);
    }
}
