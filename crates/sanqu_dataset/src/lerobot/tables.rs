//! The Parquet files of a dataset: `data/`, `meta/episodes/` and `meta/tasks.parquet`.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::layout::{Feature, Layout};
use super::stats::Stats;
use crate::DatasetError;

/// A data file is closed before it grows beyond this.
pub(super) const DATA_FILE_BYTES_MAX: u64 = 100_000_000;
/// Files of one kind in a folder.
pub(super) const FILES_PER_CHUNK: usize = 1000;
/// Episodes in one file of `meta/episodes`.
const EPISODES_PER_FILE: usize = 1000;

/// Chunk and file number of the `index`-th file of a kind.
pub(super) fn chunk_and_file(index: usize) -> (usize, usize) {
    (index / FILES_PER_CHUNK, index % FILES_PER_CHUNK)
}

/// `<folder>/chunk-000/file-000.<ext>`, the folder made.
pub(super) fn chunked_path(folder: &Path, index: usize, extension: &str) -> Result<PathBuf, DatasetError> {
    let (chunk, file) = chunk_and_file(index);
    let folder = folder.join(format!("chunk-{chunk:03}"));
    std::fs::create_dir_all(&folder).map_err(|source| DatasetError::Io { path: folder.clone(), source })?;
    Ok(folder.join(format!("file-{file:03}.{extension}")))
}

/// The values of one feature for the rows of one episode.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// Row-major float32.
    Float32(Vec<f32>),
    /// One integer a row.
    Int64(Vec<i64>),
}

impl Values {
    /// As float64, for statistics.
    pub(super) fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::Float32(values) => values.iter().map(|v| f64::from(*v)).collect(),
            Self::Int64(values) => values.iter().map(|v| *v as f64).collect(),
        }
    }

    fn array(self, feature: &Feature) -> Result<ArrayRef, DatasetError> {
        let array: ArrayRef = match self {
            Self::Float32(values) => Arc::new(Float32Array::from(values)),
            Self::Int64(values) => Arc::new(Int64Array::from(values)),
        };
        if feature.width() == 1 {
            return Ok(array);
        }
        let item = Arc::new(Field::new("element", array.data_type().clone(), true));
        let size = i32::try_from(feature.width()).unwrap_or(i32::MAX);
        let list = FixedSizeListArray::try_new(item, size, array, None);
        Ok(Arc::new(list.map_err(|source| DatasetError::Arrow { what: feature.key.clone(), source: Box::new(source) })?))
    }
}

/// Writes `data/chunk-…/file-….parquet`, one row group an episode.
pub(super) struct DataWriter {
    folder: PathBuf,
    schema: Arc<Schema>,
    layout: Layout,
    open: Option<(PathBuf, ArrowWriter<File>)>,
    /// Files begun.
    files: Vec<PathBuf>,
}

impl DataWriter {
    /// A writer below the dataset's folder `root`.
    pub(super) fn new(root: &Path, layout: &Layout) -> Result<Self, DatasetError> {
        let folder = root.join("data");
        let schema = layout.schema().map_err(|source| DatasetError::Json { path: folder.clone(), source })?;
        Ok(Self { folder, schema, layout: layout.clone(), open: None, files: Vec::new() })
    }

    /// Appends an episode's rows, one value list for each column of the layout; returns the number of its file.
    pub(super) fn append(&mut self, values: Vec<Values>) -> Result<usize, DatasetError> {
        let arrays = self.layout.columns().zip(values).map(|(feature, values)| values.array(feature)).collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|source| DatasetError::Arrow { what: "data rows".into(), source: Box::new(source) })?;
        if self.open.as_ref().is_some_and(|(_, writer)| writer.bytes_written() as u64 + batch_bytes(&batch) > DATA_FILE_BYTES_MAX) {
            self.close()?;
        }
        if self.open.is_none() {
            let path = chunked_path(&self.folder, self.files.len(), "parquet")?;
            self.open = Some((path.clone(), create(&path, &self.schema, Some(usize::MAX))?));
            self.files.push(path);
        }
        if let Some((path, writer)) = &mut self.open {
            writer.write(&batch).and_then(|()| writer.flush()).map_err(|source| parquet_error(path, source))?;
        }
        Ok(self.files.len() - 1)
    }

    fn close(&mut self) -> Result<(), DatasetError> {
        match self.open.take() {
            Some((path, writer)) => writer.close().map(|_| ()).map_err(|source| parquet_error(&path, source)),
            None => Ok(()),
        }
    }

    /// Closes the last file; returns all of them.
    pub(super) fn finish(mut self) -> Result<Vec<PathBuf>, DatasetError> {
        self.close()?;
        Ok(self.files)
    }
}

fn batch_bytes(batch: &RecordBatch) -> u64 {
    batch.get_array_memory_size() as u64
}

fn create(path: &Path, schema: &Arc<Schema>, row_group: Option<usize>) -> Result<ArrowWriter<File>, DatasetError> {
    let file = File::create(path).map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(row_group).build();
    ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|source| parquet_error(path, source))
}

fn parquet_error(path: &Path, source: parquet::errors::ParquetError) -> DatasetError {
    DatasetError::Parquet { path: path.to_owned(), source: Box::new(source) }
}

/// Reads one column of written data files back as float64, row-major: memory stays bounded by one feature, and what
/// the statistics speak of is what the files hold.
pub(super) fn read_back(files: &[PathBuf], key: &str) -> Result<Vec<f64>, DatasetError> {
    let mut values = Vec::new();
    for path in files {
        let file = File::open(path).map_err(|source| DatasetError::Io { path: path.clone(), source })?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|source| parquet_error(path, source))?;
        let column =
            builder.schema().index_of(key).map_err(|source| DatasetError::Arrow { what: key.to_owned(), source: Box::new(source) })?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
        let reader = builder.with_projection(mask).build().map_err(|source| parquet_error(path, source))?;
        for batch in reader {
            let batch = batch.map_err(|source| DatasetError::Arrow { what: key.to_owned(), source: Box::new(source) })?;
            let mut array = batch.column(0).clone();
            if let Some(list) = array.as_fixed_size_list_opt() {
                array = list.values().clone();
            }
            if let Some(floats) = array.as_primitive_opt::<Float32Type>() {
                values.extend(floats.values().iter().map(|v| f64::from(*v)));
            } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
                values.extend(integers.values().iter().map(|v| *v as f64));
            }
        }
    }
    Ok(values)
}

/// Where an episode's pictures of one camera are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VideoSpan {
    /// Number of the mp4.
    pub(super) file: usize,
    /// Position of the first row's frame in the mp4.
    pub(super) first_frame: u64,
    /// Rows.
    pub(super) frames: u64,
}

/// One row of `meta/episodes`.
pub(super) struct EpisodeRow {
    /// The task's text.
    pub(super) task: String,
    /// Rows.
    pub(super) length: usize,
    /// Number of the data file.
    pub(super) data_file: usize,
    /// Row number of the first row in the whole dataset.
    pub(super) first_row: usize,
    /// For each camera, by feature key.
    pub(super) videos: Vec<(String, VideoSpan)>,
    /// For each feature in layout order.
    pub(super) stats: Vec<(String, Stats)>,
    /// Keys of cameras among `stats`.
    pub(super) source: Source,
}

/// Where a LeRobot episode comes from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The recorded episode's ULID.
    pub(super) episode: String,
    /// Which unbroken part of it, from 0.
    pub(super) part: usize,
    /// The robot.
    pub(super) robot: String,
    /// The station.
    pub(super) station: String,
    /// The operator's pseudonym; empty when nobody was named.
    pub(super) operator: String,
}

/// Writes `meta/episodes/chunk-…/file-….parquet`.
pub(super) fn write_episodes(root: &Path, rows: &[EpisodeRow], fps: u32) -> Result<(), DatasetError> {
    for (file, rows) in rows.chunks(EPISODES_PER_FILE).enumerate() {
        let path = chunked_path(&root.join("meta/episodes"), file, "parquet")?;
        let mut columns = Columns::default();
        episode_columns(&mut columns, rows, file, fps);
        write_table(&path, columns.fields, columns.arrays, HashMap::new())?;
    }
    Ok(())
}

fn episode_columns(out: &mut Columns, rows: &[EpisodeRow], file: usize, fps: u32) {
    let int = |f: &dyn Fn(usize, &EpisodeRow) -> usize| -> ArrayRef {
        Arc::new(rows.iter().enumerate().map(|(i, row)| i64::try_from(f(i, row)).ok()).collect::<Int64Array>())
    };
    out.push("episode_index", int(&|i, _| file * EPISODES_PER_FILE + i));
    let mut tasks = ListBuilder::new(StringBuilder::new());
    for row in rows {
        tasks.values().append_value(&row.task);
        tasks.append(true);
    }
    out.push("tasks", Arc::new(tasks.finish()));
    out.push("length", int(&|_, row| row.length));
    out.push("data/chunk_index", int(&|_, row| chunk_and_file(row.data_file).0));
    out.push("data/file_index", int(&|_, row| chunk_and_file(row.data_file).1));
    out.push("dataset_from_index", int(&|_, row| row.first_row));
    out.push("dataset_to_index", int(&|_, row| row.first_row + row.length));
    let fps = f64::from(fps);
    for (which, (key, _)) in rows.first().iter().flat_map(|row| row.videos.iter().enumerate()) {
        let span = |row: &EpisodeRow| row.videos.get(which).map(|(_, span)| span.clone());
        let index = |f: &dyn Fn((usize, usize)) -> usize| int(&|_, row| span(row).map_or(0, |s| f(chunk_and_file(s.file))));
        out.push(format!("videos/{key}/chunk_index"), index(&|(chunk, _)| chunk));
        out.push(format!("videos/{key}/file_index"), index(&|(_, file)| file));
        let seconds = |f: &dyn Fn(VideoSpan) -> u64| -> ArrayRef {
            Arc::new(rows.iter().map(|row| span(row).map(|s| f(s) as f64 / fps)).collect::<Float64Array>())
        };
        out.push(format!("videos/{key}/from_timestamp"), seconds(&|s| s.first_frame));
        out.push(format!("videos/{key}/to_timestamp"), seconds(&|s| s.first_frame + s.frames));
    }
    stats_columns(out, rows);
    let text = |f: &dyn Fn(&Source) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(|row| f(&row.source)))) };
    out.push("sanqu/episode", text(&|s| &s.episode));
    out.push("sanqu/part", int(&|_, row| row.source.part));
    out.push("sanqu/robot", text(&|s| &s.robot));
    out.push("sanqu/station", text(&|s| &s.station));
    out.push("sanqu/operator", text(&|s| &s.operator));
    out.push("meta/episodes/chunk_index", int(&|_, _| chunk_and_file(file).0));
    out.push("meta/episodes/file_index", int(&|_, _| chunk_and_file(file).1));
}

fn stats_columns(out: &mut Columns, rows: &[EpisodeRow]) {
    for (which, (key, first)) in rows.first().iter().flat_map(|row| row.stats.iter().enumerate()) {
        let picture = key.starts_with("observation.images.");
        let of = |row: &EpisodeRow| row.stats.get(which).map(|(_, stats)| stats.clone()).unwrap_or_default();
        for (position, (name, _)) in first.lists().enumerate() {
            if position == 4 {
                let mut counts = ListBuilder::new(Int64Builder::new());
                for row in rows {
                    counts.append_value([i64::try_from(of(row).count).ok()]);
                }
                out.push(format!("stats/{key}/count"), Arc::new(counts.finish()));
            }
            let lists = rows.iter().map(|row| of(row).lists().nth(position).map(|(_, list)| list.to_vec()).unwrap_or_default());
            out.push(format!("stats/{key}/{name}"), if picture { nested(lists) } else { flat(lists) });
        }
    }
}

fn flat(lists: impl Iterator<Item = Vec<f64>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Float64Builder::new());
    for list in lists {
        builder.append_value(list.into_iter().map(Some));
    }
    Arc::new(builder.finish())
}

/// Shape (3, 1, 1): a list of lists of one-element lists.
fn nested(lists: impl Iterator<Item = Vec<f64>>) -> ArrayRef {
    let mut builder = ListBuilder::new(ListBuilder::new(ListBuilder::new(Float64Builder::new())));
    for list in lists {
        for value in list {
            builder.values().values().values().append_value(value);
            builder.values().values().append(true);
            builder.values().append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

#[derive(Default)]
struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn push(&mut self, name: impl Into<String>, array: ArrayRef) {
        self.fields.push(Field::new(name, array.data_type().clone(), true));
        self.arrays.push(array);
    }
}

/// Writes `meta/tasks.parquet` with the pandas metadata that makes `task` the index; without it the loader returns
/// numbers instead of texts. The texts are there a second time under pandas' name for an index without one, which is
/// where rerun's importer looks for them.
pub(super) fn write_tasks(root: &Path, tasks: &[String]) -> Result<(), DatasetError> {
    const PANDAS: &str = concat!(
        r#"{"index_columns": ["task"], "column_indexes": [{"name": null, "field_name": null, "pandas_type": "unicode", "numpy_type": "object", "metadata": {"encoding": "UTF-8"}}], "#,
        r#""columns": [{"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64", "metadata": null}, "#,
        r#"{"name": "__index_level_0__", "field_name": "__index_level_0__", "pandas_type": "unicode", "numpy_type": "object", "metadata": null}, "#,
        r#"{"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": null}], "#,
        r#""creator": {"library": "sanqu", "version": "1"}, "pandas_version": "2.3.3"}"#
    );
    let index = (0..tasks.len()).map(|i| i64::try_from(i).ok()).collect::<Int64Array>();
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(tasks));
    let text = |name| Field::new(name, DataType::Utf8, true);
    let fields = vec![Field::new("task_index", DataType::Int64, true), text("task"), text("__index_level_0__")];
    let arrays: Vec<ArrayRef> = vec![Arc::new(index), Arc::clone(&texts), texts];
    write_table(&root.join("meta/tasks.parquet"), fields, arrays, HashMap::from([("pandas".to_owned(), PANDAS.to_owned())]))
}

fn write_table(path: &Path, fields: Vec<Field>, arrays: Vec<ArrayRef>, meta: HashMap<String, String>) -> Result<(), DatasetError> {
    let schema = Arc::new(Schema::new_with_metadata(fields, meta));
    let batch = RecordBatch::try_new(schema.clone(), arrays)
        .map_err(|source| DatasetError::Arrow { what: path.display().to_string(), source: Box::new(source) })?;
    let mut writer = create(path, &schema, None)?;
    writer.write(&batch).map_err(|source| parquet_error(path, source))?;
    writer.close().map_err(|source| parquet_error(path, source))?;
    Ok(())
}
