use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use sanqu_model::{Id, Manifest, RUN, SEQ, StreamEntry, T};

use crate::decision::DECISIONS_FILE;
use crate::disk::Disk;
use crate::error::IoContext;
use crate::{Decision, Series, StoreError, decision, files, store};

pub(crate) const MANIFEST_FILE: &str = "manifest.json";

/// Metadata keys of a value column: which element and quantity it holds.
pub(crate) const META_ELEMENT: &str = "element";
pub(crate) const META_QUANTITY: &str = "quantity";

const BATCH_ROWS: usize = 8192;

/// A sealed episode: its folder and its manifest. Files are opened when they are read.
#[derive(Clone, Debug)]
pub struct Episode {
    dir: PathBuf,
    manifest: Manifest,
    disk: Disk,
}

impl Episode {
    /// Opens an episode's folder and reads its manifest; the other files are not looked at.
    ///
    /// # Errors
    /// [`StoreError::Io`] without a manifest, [`StoreError::NewerFormat`], [`StoreError::Damaged`] naming line and column.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self { dir: dir.to_path_buf(), manifest: read_manifest(&dir.join(MANIFEST_FILE))?, disk: Disk::default() })
    }

    /// The same episode, written through another disk.
    pub(crate) fn on(mut self, disk: &Disk) -> Self {
        self.disk = disk.clone();
        self
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was recorded.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// A stream by robot and name (`joint`, `camera/head`).
    pub fn stream(&self, robot: &Id, stream: &str) -> Option<&StreamEntry> {
        self.manifest.streams.iter().find(|entry| &entry.robot == robot && entry.stream.as_str() == stream)
    }

    /// The stream's file with this extension (`parquet`, `mp4`).
    pub fn file(&self, entry: &StreamEntry, extension: &str) -> Option<PathBuf> {
        let file = entry.files.iter().find(|file| Path::new(&file.name).extension().is_some_and(|e| e == extension))?;
        Some(self.dir.join(&file.name))
    }

    /// The rows of a stream as they are in its Parquet file, in file order (run, then sequence). `columns` picks columns
    /// by name; they come in file order.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`] for a column that is not there; [`StoreError::Io`] and [`StoreError::Damaged`] here or
    /// from the iterator.
    pub fn read(
        &self,
        entry: &StreamEntry,
        columns: Option<&[&str]>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
        read_parquet(&self.parquet(entry)?, columns)
    }

    /// As [`Episode::read`], but only the rows `rows`: pages that hold none of them are not read.
    ///
    /// # Errors
    /// As [`Episode::read`].
    pub fn read_rows(
        &self,
        entry: &StreamEntry,
        columns: Option<&[&str]>,
        rows: Range<usize>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
        let path = self.parquet(entry)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let file = File::open(&path).at("open", &path)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|e| StoreError::damaged(&path, e))?;
        let count = rows.end.saturating_sub(rows.start);
        let builder = builder.with_offset(rows.start).with_limit(count).with_batch_size(count.clamp(1, BATCH_ROWS));
        picked(builder, &path, columns)
    }

    /// The Arrow schema of a stream's Parquet file.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn schema(&self, entry: &StreamEntry) -> Result<Schema, StoreError> {
        let path = self.parquet(entry)?;
        Ok(Schema::clone(open_parquet(&path)?.schema()))
    }

    /// A quantity of a stream as f64, all rows, with their times on the field timeline.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`] when the stream does not have it; [`StoreError::Io`], [`StoreError::Damaged`].
    pub fn series(&self, entry: &StreamEntry, quantity: &str) -> Result<Series, StoreError> {
        self.series_of(entry, quantity, |_| true)
    }

    /// As [`Self::series`], but only of the elements that are wanted: the others are not read from the file.
    ///
    /// # Errors
    /// As [`Self::series`]; a quantity without a wanted element counts as absent.
    pub fn series_of(&self, entry: &StreamEntry, quantity: &str, wanted: impl Fn(&str) -> bool) -> Result<Series, StoreError> {
        let path = self.parquet(entry)?;
        let schema = open_parquet(&path)?.schema().clone();
        let meta = |index: usize, key: &str| schema.field(index).metadata().get(key).map(String::as_str);
        let fits = |index: &usize| meta(*index, META_QUANTITY) == Some(quantity) && wanted(meta(*index, META_ELEMENT).unwrap_or_default());
        let picked: Vec<usize> = (0..schema.fields().len()).filter(fits).collect();
        if picked.is_empty() {
            let known = entry.quantities.iter().map(|q| q.name.clone()).collect();
            return Err(StoreError::NoColumn { path, what: "quantity", name: quantity.to_owned(), known });
        }
        let names = picked.iter().map(|i| meta(*i, META_ELEMENT).unwrap_or_default().to_owned()).collect();
        // Where the clock was always right, capture times are the timeline.
        let mut columns = if entry.timeline.is_empty() { vec![T] } else { vec![T, SEQ, RUN] };
        columns.extend(picked.iter().map(|i| schema.field(*i).name().as_str()));
        let mut series = Series { names, ..Series::default() };
        for batch in read_parquet(&path, Some(&columns))? {
            append_rows(&mut series, entry, &batch?).map_err(|reason| StoreError::damaged(&path, reason))?;
        }
        Ok(series)
    }

    /// The times of rows of a stream on the field timeline, ns: capture times, moved where the robot's clock was wrong
    /// ([`StreamEntry::field_ns`]). Everything that compares times of several streams compares these.
    ///
    /// * `batch`: rows that [`Episode::read`] gave, with columns `t`, `seq` and `run`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when one of the columns is missing or of another type.
    pub fn field_times(&self, entry: &StreamEntry, batch: &RecordBatch) -> Result<Vec<i64>, StoreError> {
        let path = self.parquet(entry)?;
        field_times(entry, batch).map_err(|reason| StoreError::damaged(&path, reason))
    }

    /// What was decided about the episode, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] naming the line.
    pub fn decisions(&self) -> Result<Vec<Decision>, StoreError> {
        decision::read(&self.dir.join(DECISIONS_FILE))
    }

    /// Adds a decision; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn append_decision(&self, decision: &Decision) -> Result<(), StoreError> {
        decision::append(&self.disk, &self.dir, decision)
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(crate) fn parquet(&self, entry: &StreamEntry) -> Result<PathBuf, StoreError> {
        self.file(entry, "parquet").ok_or_else(|| {
            let manifest = self.dir.join(MANIFEST_FILE);
            StoreError::damaged(&manifest, format!("stream {}/{} has no Parquet file", entry.robot, entry.stream))
        })
    }
}

/// Reads and checks a manifest: its version first, because a later version may mean something else.
pub(crate) fn read_manifest(path: &Path) -> Result<Manifest, StoreError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let text = files::read_text(path)?;
    let bad = |e: serde_json::Error| StoreError::damaged(path, format!("not a manifest: {e}"));
    let Version { format_version } = serde_json::from_str(&text).map_err(bad)?;
    store::check_version(path, format_version)?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(bad)?;
    for file in manifest.streams.iter().flat_map(|stream| &stream.files).chain(&manifest.files) {
        // A name must not lead out of the episode's folder, whoever made the manifest.
        if Path::new(&file.name).file_name().is_none_or(|name| *name != *file.name) {
            return Err(StoreError::damaged(path, format!("{:?} is no name of a file in the folder", file.name)));
        }
    }
    for stream in &manifest.streams {
        // They are searched by halves.
        if !stream.timeline.is_sorted_by(|a, b| (a.run, a.from_seq) < (b.run, b.from_seq)) {
            let reason = format!("stream {}/{}: its timeline is not sorted by run and row", stream.robot, stream.stream);
            return Err(StoreError::damaged(path, reason));
        }
    }
    Ok(manifest)
}

pub(crate) fn open_parquet(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, StoreError> {
    let file = File::open(path).at("open", path)?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| StoreError::damaged(path, e))
}

pub(crate) fn read_parquet(
    path: &Path,
    columns: Option<&[&str]>,
) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    picked(open_parquet(path)?.with_batch_size(BATCH_ROWS), path, columns)
}

/// Reads `columns` of what `builder` stands for.
fn picked(
    mut builder: ParquetRecordBatchReaderBuilder<File>,
    path: &Path,
    columns: Option<&[&str]>,
) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    if let Some(columns) = columns {
        let known: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
        if let Some(name) = columns.iter().find(|name| !known.iter().any(|k| k == *name)) {
            return Err(StoreError::NoColumn { path: path.to_path_buf(), what: "column", name: (*name).to_owned(), known });
        }
        let roots = known.iter().enumerate().filter(|(_, name)| columns.contains(&name.as_str())).map(|(i, _)| i);
        builder = {
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            builder.with_projection(mask)
        };
    }
    let reader = builder.build().map_err(|e| StoreError::damaged(path, e))?;
    let path = path.to_path_buf();
    Ok(reader.map(move |batch| batch.map_err(|e| StoreError::damaged(&path, e))))
}

fn append_rows(series: &mut Series, entry: &StreamEntry, batch: &RecordBatch) -> Result<(), String> {
    series.t_ns.extend(field_times(entry, batch)?);
    // File order may put `t` anywhere; the values keep theirs.
    let columns: Vec<Vec<f64>> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| ![T, SEQ, RUN].contains(&field.name().as_str()))
        .map(|(field, column)| to_f64(column).ok_or_else(|| format!("column {} has type {}", field.name(), field.data_type())))
        .collect::<Result<_, _>>()?;
    series.values.reserve(batch.num_rows() * columns.len());
    for row in 0..batch.num_rows() {
        series.values.extend(columns.iter().map(|column| column[row]));
    }
    Ok(())
}

/// The times of a batch's rows on the field timeline, ns. The error is the column that is missing or of another type: it needs
/// `t`, and `seq` and `run` for a stream whose clock was wrong.
pub(crate) fn field_times(entry: &StreamEntry, batch: &RecordBatch) -> Result<Vec<i64>, String> {
    fn column<'b, P: ArrowPrimitiveType>(batch: &'b RecordBatch, name: &str) -> Result<&'b [P::Native], String> {
        let column = batch.column_by_name(name).ok_or_else(|| format!("no column {name}"))?;
        let values = column.as_primitive_opt::<P>().ok_or_else(|| format!("column {name} has type {}", column.data_type()))?;
        Ok(values.values())
    }
    let t_ns = column::<TimestampNanosecondType>(batch, T)?;
    if entry.timeline.is_empty() {
        return Ok(t_ns.to_vec());
    }
    let (seq, run) = (column::<UInt64Type>(batch, SEQ)?, column::<UInt32Type>(batch, RUN)?);
    Ok(t_ns.iter().zip(seq).zip(run).map(|((t_ns, seq), run)| entry.field_ns(*run, *seq, *t_ns)).collect())
}

#[expect(clippy::cast_precision_loss, reason = "a series is f64 by contract; the file keeps the exact integers")]
pub(crate) fn to_f64(column: &dyn Array) -> Option<Vec<f64>> {
    macro_rules! cast {
        ($kind:ty, $value:ident => $cast:expr) => {
            column.as_primitive::<$kind>().values().iter().map(|$value| $cast).collect()
        };
    }
    Some(match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().values().to_vec(),
        DataType::Float32 => cast!(Float32Type, v => f64::from(*v)),
        DataType::UInt8 => cast!(UInt8Type, v => f64::from(*v)),
        DataType::UInt16 => cast!(UInt16Type, v => f64::from(*v)),
        DataType::UInt32 => cast!(UInt32Type, v => f64::from(*v)),
        DataType::UInt64 => cast!(UInt64Type, v => *v as f64),
        DataType::Int8 => cast!(Int8Type, v => f64::from(*v)),
        DataType::Int16 => cast!(Int16Type, v => f64::from(*v)),
        DataType::Int32 => cast!(Int32Type, v => f64::from(*v)),
        DataType::Int64 => cast!(Int64Type, v => *v as f64),
        DataType::Boolean => column.as_boolean().values().iter().map(|v| f64::from(u8::from(v))).collect(),
        _ => return None,
    })
}
