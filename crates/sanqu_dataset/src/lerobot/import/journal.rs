//! One episode of a dataset as a journal, which is then sealed as recordings are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, FixedSizeListArray};
use arrow_schema::Field;
use sanqu_model::{Id, StreamDescription, StreamKey, StreamName};
use sanqu_store::{Control, EpisodeStart, IMPORTED, JournalWriter, Sample, Store, StoreError};
use sanqu_wire::{CLOCK_UNKNOWN, ENCODING_ARROW, PAYLOAD_BYTES_MAX, encode_rows};

use super::data::{RowStream, grid_ns};
use super::dataset::Prepared;
use super::film::{Cut, Film};
use super::info::Feature;
use super::{Step, slug};
use crate::DatasetError;

/// Rows between two reports of progress.
const PROGRESS_ROWS: usize = 1000;

/// Writes the journal; returns its path and what of the pictures was left out.
pub(super) fn write(
    store: &Store,
    start: &EpisodeStart,
    prepared: &Prepared<'_>,
    step: &mut dyn FnMut(Step<'_>),
) -> Result<(PathBuf, Vec<String>), DatasetError> {
    let robot = start.robots.first().map(|entry| entry.robot.clone());
    let robot = robot.ok_or_else(|| DatasetError::Option { option: "robot", reason: "an import needs one".to_owned() })?;
    let mut writer = Writer { journal: JournalWriter::create(store, start)?, field: start.field.clone(), robot, prepared };
    match writer.episode(start, step) {
        Ok(defects) => Ok((writer.journal.finish()?, defects)),
        Err(error) => {
            // The caller removes the file; how closing it went no longer matters.
            let _ = writer.journal.finish();
            Err(error)
        }
    }
}

struct Writer<'a> {
    journal: JournalWriter,
    field: Id,
    robot: Id,
    prepared: &'a Prepared<'a>,
}

/// Why a camera was not imported, or not to its end.
enum FilmError {
    /// The dataset's fault: the rest is imported.
    Source(String),
    /// The store's.
    Store(StoreError),
}

impl From<StoreError> for FilmError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Writer<'_> {
    fn episode(&mut self, start: &EpisodeStart, step: &mut dyn FnMut(Step<'_>)) -> Result<Vec<String>, DatasetError> {
        let Prepared { info, rows, films, .. } = self.prepared;
        for stream in rows.streams.iter().filter(|stream| !stream.quantities.is_empty()) {
            self.rows(stream, step)?;
        }
        let mut defects = Vec::new();
        for (key, film) in films {
            let Some(feature) = info.features.iter().find(|feature| &feature.key == key) else { continue };
            let filmed = match film {
                Ok((film, cut)) => self.film(feature, film, cut, step),
                Err(reason) => Err(FilmError::Source(reason.clone())),
            };
            match filmed {
                Ok(more) => defects.extend(more),
                Err(FilmError::Source(reason)) => defects.push(format!("camera {key}: {reason}")),
                Err(FilmError::Store(error)) => return Err(error.into()),
            }
        }
        let at = |row: usize| self.prepared.base_ns.saturating_add(rows.t_ns.get(row).copied().unwrap_or_default());
        let mut events: Vec<(i64, String, String)> = Vec::new();
        for (name, texts) in [("import_defect", rows.defects.iter().chain(&defects)), ("import_note", rows.notes.iter().chain(&[]))] {
            events.extend(texts.map(|text| (start.start_ns, name.to_owned(), text.clone())));
        }
        events.extend(rows.texts.iter().map(|(row, key, text)| (at(*row), key.clone(), text.clone())));
        let tasks = rows.tasks.iter().filter(|_| rows.tasks.len() > 1);
        events.extend(tasks.map(|(row, task)| (at(*row), "task".to_owned(), self.prepared.task_text(*task))));
        for (t_ns, name, text) in events {
            self.journal.control(&Control::Event { t_ns, name, text })?;
        }
        let last_ns = at(rows.t_ns.len().saturating_sub(1));
        let stop_ns = last_ns.saturating_add(grid_ns(1, info.fps).max(1));
        self.journal.control(&Control::Stop { stop_ns, ended_by: IMPORTED.to_owned() })?;
        Ok(defects)
    }

    fn describe(&mut self, mut description: StreamDescription) -> Result<(StreamKey, StreamDescription), StoreError> {
        let t = if self.prepared.rows.is_absolute { "capture times that the dataset carries" } else { self.prepared.times };
        for (key, text) in [
            ("t", t),
            ("t_recv", "nobody received it: equal to t"),
            ("seq", "order in the dataset, numbered by the import: the source does not number"),
        ] {
            description.facts.insert(key.to_owned(), text.to_owned());
        }
        self.journal.control(&Control::Describe { robot: self.robot.clone(), description: description.clone() })?;
        let key = StreamKey { field: self.field.clone(), robot: self.robot.clone(), stream: description.stream.clone() };
        Ok((key, description))
    }

    /// One sample a row. Without numbers of its own a stream has no header: its accounting is unknown, not invented.
    fn rows(&mut self, stream: &RowStream, step: &mut dyn FnMut(Step<'_>)) -> Result<(), DatasetError> {
        let quantities = stream.quantities.iter().map(|(quantity, _)| quantity.clone()).collect();
        let (key, description) = self.describe(StreamDescription {
            stream: stream.name.parse()?,
            encoding: ENCODING_ARROW.to_owned(),
            rate_hz: self.prepared.info.fps,
            clock: CLOCK_UNKNOWN,
            quantities,
            facts: stream.facts.clone(),
        })?;
        let total = stream.t_ns.len();
        for (row, t_ns) in stream.t_ns.iter().enumerate() {
            if row % PROGRESS_ROWS == 0 {
                step(Step { stage: "write", name: &stream.name, done: row, total });
            }
            let t_ns = self.prepared.base_ns.saturating_add(*t_ns);
            let columns = stream.quantities.iter().map(|(_, column)| {
                let width = column.width;
                // A row that is not there would be one of another length: Arrow then refuses the list.
                let values = column.values.slice(row.saturating_mul(width).min(column.values.len()), width.min(column.values.len()));
                list(values, width)
            });
            let columns = columns.collect::<Result<Vec<_>, DatasetError>>()?;
            let payload = encode_rows(&description, &[t_ns], columns)?;
            self.journal.append(&Sample { key: &key, encoding: ENCODING_ARROW, attachment: &[], payload: &payload, recv_ns: t_ns })?;
        }
        Ok(())
    }

    fn film(&mut self, feature: &Feature, film: &Film, cut: &Cut, step: &mut dyn FnMut(Step<'_>)) -> Result<Vec<String>, FilmError> {
        let Prepared { info, rows, listed, .. } = self.prepared;
        let place = listed.videos.get(&feature.key).copied().ok_or_else(|| FilmError::Source("no file is listed for it".to_owned()))?;
        let stream = camera_stream(feature).map_err(FilmError::Source)?;
        let file = film.path.strip_prefix(&info.root).unwrap_or(&film.path).display().to_string();
        let (key, description) = self.describe(StreamDescription {
            stream,
            encoding: film.encoding().to_owned(),
            rate_hz: info.fps,
            clock: CLOCK_UNKNOWN,
            quantities: Vec::new(),
            facts: film_facts(feature, film, cut, &file),
        })?;
        let own = rows.camera_t_ns.get(&feature.key);
        let times = own.unwrap_or(&rows.t_ns);
        let (mut defects, mut off_row) = (Vec::new(), None);
        for index in cut.lead.start..cut.frames.end {
            if index % PROGRESS_ROWS == 0 {
                step(Step { stage: "write", name: &feature.key, done: index - cut.lead.start, total: cut.frames.end - cut.lead.start });
            }
            let (t_ns, is_of_row) = film.time(index, cut, place, (times, info.fps));
            if !is_of_row {
                off_row.get_or_insert(index);
            }
            let payload = match film.reader.frame(index) {
                Ok(payload) if payload.len() <= PAYLOAD_BYTES_MAX => payload,
                Ok(payload) => {
                    defects.push(format!(
                        "camera {}: {file}: frame {index} has {} bytes; it and all behind it are left out",
                        feature.key,
                        payload.len()
                    ));
                    break;
                }
                Err(error) => {
                    defects.push(format!("camera {}: {error}; it and all behind it are left out", feature.key));
                    break;
                }
            };
            let recv_ns = self.prepared.base_ns.saturating_add(t_ns);
            self.journal.append(&Sample { key: &key, encoding: &description.encoding, attachment: &[], payload: &payload, recv_ns })?;
        }
        if cut.frames.len() != rows.t_ns.len() {
            defects.push(format!("camera {}: {file}: {} frames for {} rows", feature.key, cut.frames.len(), rows.t_ns.len()));
        }
        if let Some(index) = off_row {
            defects.push(format!("camera {}: {file}: frame {index} (and perhaps more) is no row's: it keeps the file's time", feature.key));
        }
        Ok(defects)
    }
}

fn list(values: ArrayRef, width: usize) -> Result<ArrayRef, DatasetError> {
    let item = Arc::new(Field::new("item", values.data_type().clone(), false));
    let list = i32::try_from(width)
        .map_err(|e| e.to_string())
        .and_then(|size| FixedSizeListArray::try_new(item, size, values, None).map_err(|e| e.to_string()));
    match list {
        Ok(list) => Ok(Arc::new(list)),
        Err(reason) => Err(DatasetError::Option { option: "row", reason }),
    }
}

/// `observation.images.cam_high` is the camera `cam-high`.
fn camera_stream(feature: &Feature) -> Result<StreamName, String> {
    let leaf = feature.key.rsplit('.').next().and_then(slug).ok_or("its name has no letter or digit that a stream's name can have")?;
    let kind = if feature.is_depth() { "depth" } else { "camera" };
    format!("{kind}/{leaf}").parse().map_err(|e: sanqu_model::ModelError| e.to_string())
}

fn film_facts(feature: &Feature, film: &Film, cut: &Cut, file: &str) -> BTreeMap<String, String> {
    let [width, height] = film.reader.size();
    let mut facts: BTreeMap<String, String> = feature.info.iter().map(|(key, text)| (format!("info.{key}"), text.clone())).collect();
    for (key, text) in [
        ("field", feature.key.clone()),
        ("file", file.to_owned()),
        ("file.sha256", film.sha256.clone()),
        ("file.frames", format!("{}..{}", cut.frames.start, cut.frames.end)),
        ("width", width.to_string()),
        ("height", height.to_string()),
    ] {
        facts.insert(key.to_owned(), text);
    }
    if !cut.lead.is_empty() {
        let text = format!(
            "{} frames before the first row, needed to decode it; when they were taken is not known, they are placed on the grid",
            cut.lead.len()
        );
        facts.insert("lead_in".to_owned(), text);
    }
    facts
}
