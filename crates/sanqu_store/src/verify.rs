use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use sanqu_model::{FileEntry, LossCause, LossTotals, Manifest, RUN, SEQ, StreamEntry};

use crate::decision::DECISIONS_FILE;
use crate::derived::DERIVED_FOLDER;
use crate::episode::{MANIFEST_FILE, field_times, read_parquet};
use crate::error::IoContext;
use crate::mp4::Mp4Reader;
use crate::seal::{BYTES, KEYFRAME, OFFSET, PTS_NS, check_balance};
use crate::store::UNFINISHED;
use crate::{Episode, Store, StoreError, files};

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Sealed episodes looked at.
    pub episodes: u64,
    /// Files whose bytes were hashed and compared.
    pub files: u64,
    /// Rows whose sequence was checked.
    pub rows: u64,
    /// Everything that is wrong or worth knowing.
    pub issues: Vec<Issue>,
}

impl VerifyReport {
    /// Whether nothing is damaged. Losses that the ledger accounts for are no damage.
    pub fn is_sound(&self) -> bool {
        self.issues.iter().all(|issue| issue.severity != Severity::Damage)
    }
}

/// One finding of [`verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder.
    pub file: PathBuf,
    /// The stream as `<robot>/<stream>`, when it is about one.
    pub stream: Option<String>,
    /// What is wrong and what was expected.
    pub detail: String,
}

/// How bad an [`Issue`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing: an open journal, a file that nobody listed.
    Note,
    /// Rows were lost while recording, and the ledger says so.
    Loss,
    /// A file is missing, changed or contradicts the manifest.
    Damage,
}

impl VerifyReport {
    fn add(&mut self, severity: Severity, file: &Path, stream: Option<&StreamEntry>, detail: impl ToString) {
        let stream = stream.map(|entry| format!("{}/{}", entry.robot, entry.stream));
        self.issues.push(Issue { severity, file: file.to_path_buf(), stream, detail: detail.to_string() });
    }

    /// An error becomes a finding about the file that it names.
    fn damage(&mut self, file: &Path, stream: Option<&StreamEntry>, error: &StoreError) {
        let text = error.to_string();
        let detail = text.strip_prefix(&format!("{}: ", file.display())).unwrap_or(&text).to_owned();
        self.add(Severity::Damage, file, stream, detail);
    }
}

/// Proves a store or one episode: every file has the bytes that the manifest states, opens, and holds the rows that it
/// should; sequences rise within each run; expected = received + lost. Nothing is modified.
///
/// # Errors
/// [`StoreError::Io`] when there is nothing at `path`, [`StoreError::NewerFormat`] and [`StoreError::Damaged`] for a store
/// whose `sanqu.toml` cannot be used. Everything else that is wrong is in the report.
pub fn verify(path: &Path) -> Result<VerifyReport, StoreError> {
    fs::metadata(path).at("open", path)?;
    let mut report = VerifyReport::default();
    if !path.join("sanqu.toml").exists() {
        verify_episode(path, &mut report);
        return Ok(report);
    }
    let store = Store::open(path)?;
    for dir in store.episode_folders()? {
        verify_episode(&dir, &mut report);
        if let Ok(episode) = Episode::open(&dir) {
            for hash in episode.manifest().robots.iter().filter_map(|robot| robot.description.as_deref()) {
                if !store.robot_folder(hash).is_dir() {
                    report.add(Severity::Damage, &store.robot_folder(hash), None, "the robot description of an episode is missing");
                }
            }
        }
    }
    verify_snapshots(&store, &mut report)?;
    for journal in store.journals()? {
        report.add(Severity::Note, &journal, None, "a journal that is not sealed: being recorded, or left by a crash");
    }
    for dir in store.unfinished_folders()? {
        report.add(Severity::Note, &dir, None, "a seal that was not finished");
    }
    Ok(report)
}

fn verify_snapshots(store: &Store, report: &mut VerifyReport) -> Result<(), StoreError> {
    for hash in files::names(&store.root().join("robots"))? {
        let folder = store.robot_folder(&hash);
        match crate::snapshot::hash(&folder) {
            _ if hash.ends_with(UNFINISHED) => {}
            Ok(found) if found == hash => {}
            Ok(found) => report.add(Severity::Damage, &folder, None, format!("the content of the robot description has hash {found}")),
            Err(error) => report.damage(&folder, None, &error),
        }
    }
    Ok(())
}

fn verify_episode(dir: &Path, report: &mut VerifyReport) {
    let path = dir.join(MANIFEST_FILE);
    let episode = match Episode::open(dir) {
        Ok(episode) => episode,
        Err(error) => return report.damage(&path, None, &error),
    };
    report.episodes += 1;
    let manifest = episode.manifest();
    if dir.file_name().and_then(|name| name.to_str()) != Some(&manifest.episode.to_string()) {
        report.add(Severity::Note, dir, None, format!("the folder is not named after its episode {}", manifest.episode));
    }
    for stream in &manifest.streams {
        for file in &stream.files {
            verify_file(dir, file, Some(stream), report);
        }
        verify_stream(&episode, stream, report);
    }
    for file in &manifest.files {
        verify_file(dir, file, None, report);
    }
    match ledger(&dir.join("loss.parquet")) {
        Ok(rows) => verify_ledger(dir, manifest, &rows, report),
        Err(error) => report.damage(&dir.join("loss.parquet"), None, &error),
    }
    if let Err(error) = episode.decisions() {
        report.damage(&dir.join(DECISIONS_FILE), None, &error);
    }
    let known: BTreeSet<&str> = manifest.streams.iter().flat_map(|s| &s.files).chain(&manifest.files).map(|f| f.name.as_str()).collect();
    let names = match files::names(dir) {
        Ok(names) => names,
        Err(error) => return report.damage(dir, None, &error),
    };
    for name in names {
        if !known.contains(name.as_str()) && ![MANIFEST_FILE, DECISIONS_FILE, DERIVED_FOLDER].contains(&name.as_str()) {
            report.add(Severity::Note, &dir.join(&name), None, "the manifest does not name this file");
        }
    }
}

/// Size and checksum.
fn verify_file(dir: &Path, file: &FileEntry, stream: Option<&StreamEntry>, report: &mut VerifyReport) {
    let path = dir.join(&file.name);
    report.files += 1;
    match files::prove(&path, &file.name) {
        Ok(found) if found.bytes != file.bytes => {
            let detail = format!("{} bytes, the manifest says {}: truncated or changed", found.bytes, file.bytes);
            report.add(Severity::Damage, &path, stream, detail);
        }
        Ok(found) if found.sha256 != file.sha256 => {
            report.add(Severity::Damage, &path, stream, "its SHA-256 is not the manifest's: the content was changed");
        }
        Ok(_) => {}
        Err(error) => report.damage(&path, stream, &error),
    }
}

fn verify_stream(episode: &Episode, stream: &StreamEntry, report: &mut VerifyReport) {
    let manifest_path = episode.dir().join(MANIFEST_FILE);
    if let Err(error) = check_balance(stream) {
        report.damage(&manifest_path, Some(stream), &error);
    }
    if stream.lost.open_ended || stream.lost.total() > 0 {
        let more = if stream.lost.open_ended { " and an unknown number more" } else { "" };
        report.add(Severity::Loss, &manifest_path, Some(stream), format!("{} rows lost{more}", stream.lost.total()));
    }
    let Some(parquet) = episode.file(stream, "parquet") else {
        return report.add(Severity::Damage, &manifest_path, Some(stream), "the stream has no Parquet file");
    };
    match count_rows(&parquet, stream, &(episode.manifest().start_ns..episode.manifest().stop_ns)) {
        Ok((rows, within)) => {
            report.rows += rows;
            if rows != stream.rows {
                report.add(Severity::Damage, &parquet, Some(stream), format!("{rows} rows, the manifest says {}", stream.rows));
            }
            if within != stream.rows_in_episode {
                let detail = format!("{within} rows between start and stop, the manifest says {}", stream.rows_in_episode);
                report.add(Severity::Damage, &manifest_path, Some(stream), detail);
            }
        }
        Err(error) => report.damage(&parquet, Some(stream), &error),
    }
    if let Some(mp4) = episode.file(stream, "mp4") {
        match verify_film(&mp4, &parquet) {
            Ok(()) => {}
            // The frame table's own damage is reported above.
            Err(StoreError::Damaged { path, .. }) if path == parquet => {}
            Err(error) => report.damage(&mp4, Some(stream), &error),
        }
    }
}

/// Reads all columns of all rows; sequences must rise within a run and runs must rise. Returns how many rows there are, and
/// how many of them are within the episode.
fn count_rows(path: &Path, stream: &StreamEntry, episode_ns: &Range<i64>) -> Result<(u64, u64), StoreError> {
    let (mut rows, mut within, mut last): (u64, u64, Option<(u32, u64)>) = (0, 0, None);
    for batch in read_parquet(path, None)? {
        let batch = batch?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| StoreError::damaged(path, format!("no column {name}")));
        let (run, seq) = (column(RUN)?, column(SEQ)?);
        let (Some(run), Some(seq)) = (run.as_primitive_opt::<UInt32Type>(), seq.as_primitive_opt::<UInt64Type>()) else {
            return Err(StoreError::damaged(path, "columns run and seq are not UInt32 and UInt64"));
        };
        for (run, seq) in run.values().iter().zip(seq.values()) {
            if last.is_some_and(|last| last >= (*run, *seq)) {
                return Err(StoreError::damaged(path, format!("row {rows}: run {run}, sequence {seq} does not follow {last:?}")));
            }
            last = Some((*run, *seq));
            rows += 1;
        }
        let times = field_times(stream, &batch).map_err(|reason| StoreError::damaged(path, reason))?;
        within += times.iter().filter(|t_ns| episode_ns.contains(t_ns)).count() as u64;
    }
    Ok((rows, within))
}

/// Film and frame table must agree frame by frame.
fn verify_film(mp4: &Path, parquet: &Path) -> Result<(), StoreError> {
    let reader = Mp4Reader::open(mp4)?;
    let mut frame = 0;
    for batch in read_parquet(parquet, Some(&[PTS_NS, KEYFRAME, BYTES, OFFSET]))? {
        let batch = batch?;
        let bad = || StoreError::damaged(parquet, "a column of the frame table has another type");
        let (pts, keyframe) =
            (batch.column(0).as_primitive_opt::<Int64Type>().ok_or_else(bad)?, batch.column(1).as_boolean_opt().ok_or_else(bad)?);
        let bytes = batch.column(2).as_primitive_opt::<UInt64Type>().ok_or_else(bad)?;
        let offset = batch.column(3).as_primitive_opt::<UInt64Type>().ok_or_else(bad)?;
        for row in 0..batch.num_rows() {
            let Some(sample) = reader.samples().get(frame) else {
                return Err(StoreError::damaged(mp4, format!("{} frames, the frame table has more", reader.len())));
            };
            let found = (reader.pts_ns(frame), sample.keyframe, u64::from(sample.bytes), sample.offset);
            let expected = (Some(pts.value(row)), keyframe.value(row), bytes.value(row), offset.value(row));
            if found != expected {
                let reason = format!("frame {frame}: (time ns, keyframe, bytes, offset) are {found:?}, the frame table says {expected:?}");
                return Err(StoreError::damaged(mp4, reason));
            }
            frame += 1;
        }
    }
    if frame != reader.len() {
        return Err(StoreError::damaged(mp4, format!("{} frames, the frame table has {frame}", reader.len())));
    }
    Ok(())
}

/// Rows of `loss.parquet` summed up by stream: robot and stream → rows by cause.
fn ledger(path: &Path) -> Result<BTreeMap<(String, String), LossTotals>, StoreError> {
    let mut totals: BTreeMap<(String, String), LossTotals> = BTreeMap::new();
    for batch in read_parquet(path, None)? {
        let batch = batch?;
        let bad = |name: &str| StoreError::damaged(path, format!("no column {name} of the expected type"));
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>()).ok_or_else(|| bad(name));
        let number = |name: &str| batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(|| bad(name));
        let (robot, stream, cause) = (text("robot")?, text("stream")?, text("cause")?);
        let (from, to) = (number("from_seq")?, number("to_seq")?);
        for row in 0..batch.num_rows() {
            let of_stream = totals.entry((robot.value(row).to_owned(), stream.value(row).to_owned())).or_default();
            let cause = LossCause::ALL.into_iter().find(|known| known.as_str() == cause.value(row));
            let cause = cause.ok_or_else(|| StoreError::damaged(path, format!("row {row}: unknown cause")))?;
            let [from_seq, to_seq] = [from, to].map(|column| column.is_valid(row).then(|| column.value(row)));
            of_stream.add_range(cause, from_seq, to_seq);
        }
    }
    Ok(totals)
}

fn verify_ledger(dir: &Path, manifest: &Manifest, totals: &BTreeMap<(String, String), LossTotals>, report: &mut VerifyReport) {
    for stream in &manifest.streams {
        let found = totals.get(&(stream.robot.to_string(), stream.stream.to_string())).cloned().unwrap_or_default();
        if found != stream.lost {
            let detail = format!("the ledger's rows sum up to {found:?}, the manifest says {:?}", stream.lost);
            report.add(Severity::Damage, &dir.join("loss.parquet"), Some(stream), detail);
        }
    }
}
