//! From journal to episode folder: decode once, account for every row, write, read back, and only then let the journal go.

mod account;
mod aside;
mod clock;
mod columns;
mod content;
mod entry;
mod film;
mod piece;
mod plan;
mod side;
mod stats;
mod table;
mod timeline;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aside::Unparsed;
use clock::Clock;
use content::Form;
pub use entry::check_balance;
use film::Film;
pub(crate) use film::{BYTES, KEYFRAME, OFFSET, PTS_NS};
use sanqu_model::{FORMAT_VERSION, FileEntry, LossRow, Manifest, StreamEntry, StreamKey, canonical_json};
use stats::{ClockPair, Stats};
use table::Digest;
pub(crate) use table::write_whole;
use timeline::{Followed, OnTimeline};

use crate::disk::Disk;
use crate::episode::{MANIFEST_FILE, read_manifest};
use crate::journal::{self, Index, Limits, Scratch, StreamIndex, Window, find_start};
use crate::store::UNFINISHED;
use crate::{Control, EpisodeStart, Store, StoreError, decision, files};

/// `ended_by` of an episode whose journal was never closed.
pub(crate) const RECOVERED: &str = "recovered";

/// `ended_by` of an episode that was not recorded but imported. Its start and stop are capture times.
pub const IMPORTED: &str = "import";

/// Files in the unfinished folder while it is made: what is known of the journal's samples, and the order of one stream's.
const INDEX_FILE: &str = "index.scratch";
const ORDER_FILE: &str = "order.scratch";

/// How far [`seal`] has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealProgress {
    /// What is being done.
    pub stage: SealStage,
    /// The stream as `<robot>/<stream>`, while one is being worked on.
    pub stream: Option<String>,
    /// Streams done.
    pub done: usize,
    /// Streams in all.
    pub total: usize,
}

/// See [`SealProgress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SealStage {
    /// The journal is read once for its records' places.
    Index,
    /// A stream is decoded, checked and written.
    Write,
    /// The sealed files are read back and compared.
    ReadBack,
}

type Progress<'a> = &'a mut dyn FnMut(SealProgress);

/// Makes an episode folder of a journal (all its segments; `journal` is any of them), proves it and removes the journal.
///
/// The same journal gives the same bytes, also when an earlier attempt was killed. A journal without a stop record
/// becomes an episode that ended by `recovered`, with open ends in its ledger. The caller holds the store's lock.
///
/// # Errors
/// [`StoreError::NoStart`] when nobody knows which episode it is; [`StoreError::ReadBack`] and [`StoreError::Unbalanced`]
/// when the result does not prove itself; [`StoreError::Io`]. The journal is kept in all of these cases.
pub fn seal(store: &Store, journal: &Path, progress: &mut dyn FnMut(SealProgress)) -> Result<Manifest, StoreError> {
    seal_within(Limits::default(), store, journal, progress)
}

fn seal_within(limits: Limits, store: &Store, journal: &Path, progress: Progress<'_>) -> Result<Manifest, StoreError> {
    let Some((episode, _)) = journal::parse_path(journal) else {
        return Err(StoreError::damaged(journal, "no journal: its name is not <episode>.<number>.mcap"));
    };
    let segments: Vec<PathBuf> =
        store.journals()?.into_iter().filter(|path| journal::parse_path(path).is_some_and(|(e, _)| e == episode)).collect();
    if segments.is_empty() {
        return Err(StoreError::damaged(journal, "no such journal in this store"));
    }
    progress(SealProgress { stage: SealStage::Index, stream: None, done: 0, total: 0 });
    let start = find_start(&segments)?.ok_or_else(|| StoreError::NoStart { path: journal.to_path_buf() })?;
    if start.episode != episode {
        return Err(StoreError::damaged(journal, format!("its start record is of episode {}", start.episode)));
    }
    let mut journal_sha256 = BTreeMap::new();
    for path in &segments {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        journal_sha256.insert(name.clone(), files::prove(path, &name)?.sha256);
    }
    let folder = store.episode_folder(episode, &start.station, start.start_ns)?;
    let manifest = if folder.exists() {
        check_sealed(&folder, &journal_sha256)?
    } else {
        let dir = unfinished(&folder);
        seal_into((store, limits), start, &segments, journal_sha256, [&dir, &folder], progress).inspect_err(|_| {
            // Half an episode is of no use, and on a full disk it takes the room that recording needs.
            let _ = store.disk().remove_dir_all(&dir);
        })?
    };
    // Also when it was sealed by a program that was killed right after: the name must be there before the journal goes.
    sync_parents(store.disk(), &folder)?;
    // Before the journal: as long as it is there, everybody knows that something is left to do.
    decision::settle(store, episode, &folder)?;
    for path in &segments {
        store.disk().remove_file(path)?;
    }
    store.disk().sync_dir(&store.journal_folder())?;
    Ok(manifest)
}

fn unfinished(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

/// A journal that was sealed before, by a program that was killed before it had removed all its segments.
fn check_sealed(folder: &Path, journal_sha256: &BTreeMap<String, String>) -> Result<Manifest, StoreError> {
    let path = folder.join(MANIFEST_FILE);
    let manifest = read_manifest(&path)?;
    if journal_sha256.iter().any(|(name, sha256)| manifest.journal_sha256.get(name) != Some(sha256)) {
        return Err(StoreError::damaged(&path, "the episode was sealed from another journal than the one that is there; both are kept"));
    }
    for proof in manifest.streams.iter().flat_map(|stream| &stream.files).chain(&manifest.files) {
        let path = folder.join(&proof.name);
        let found = files::prove(&path, &proof.name)?;
        if &found != proof {
            return Err(StoreError::ReadBack { path, reason: "its checksum is not the manifest's".to_owned() });
        }
    }
    Ok(manifest)
}

/// Makes the unfinished folder, fills it, proves it and moves it to its place.
fn seal_into(
    (store, limits): (&Store, Limits),
    start: EpisodeStart,
    segments: &[PathBuf],
    journal_sha256: BTreeMap<String, String>,
    [dir, folder]: [&Path; 2],
    progress: Progress<'_>,
) -> Result<Manifest, StoreError> {
    let disk = store.disk();
    disk.create_dir_all(folder.parent().unwrap_or(folder))?;
    if dir.exists() {
        disk.remove_dir_all(dir)?;
    }
    disk.create_dir(dir)?;
    let index = Index::read(segments, Scratch::new(disk.clone(), dir.join(INDEX_FILE)), limits)?;
    let manifest = Sealing { disk, limits, index: &index, start, journal_sha256, dir }.run(progress)?;
    index.finish()?;
    let path = dir.join(MANIFEST_FILE);
    let text = canonical_json(&manifest).map_err(|e| StoreError::damaged(&path, e))?;
    files::write_synced(disk, &path, text.as_bytes())?;
    decision::carry(store, manifest.episode, dir)?;
    disk.sync_dir(dir)?;
    disk.rename(dir, folder)?;
    Ok(manifest)
}

/// One seal under way.
struct Sealing<'a> {
    disk: &'a Disk,
    limits: Limits,
    index: &'a Index,
    start: EpisodeStart,
    journal_sha256: BTreeMap<String, String>,
    /// The unfinished folder.
    dir: &'a Path,
}

/// How a file is read back.
enum Proof {
    Table(Digest),
    Film(Film, String),
}

/// What was written of one stream.
struct Sealed {
    entry: StreamEntry,
    loss: Vec<LossRow>,
    pairs: Vec<ClockPair>,
    clock: Clock,
    proof: (String, Proof),
}

impl Sealing<'_> {
    fn run(self, progress: Progress<'_>) -> Result<Manifest, StoreError> {
        let (stop_ns, ended_by) = self.end();
        let mut unparsed = Unparsed::new(self.disk.clone(), self.dir.join("unparsed.mcap"));
        let keys = plan::streams(self.index, &self.start);
        let (mut sealed, mut asides) = (Vec::new(), 0);
        for (done, key) in keys.iter().enumerate() {
            let stream = Some(format!("{}/{}", key.robot, key.stream));
            progress(SealProgress { stage: SealStage::Write, stream, done, total: keys.len() });
            sealed.push(self.stream(key, stop_ns, &mut unparsed, &mut asides)?);
        }
        for (topic, stream, reason) in self.strangers() {
            let mut window = Window::default();
            for entry in 0..stream.entries.len() {
                let entry = self.index.entry(stream, &mut window, entry)?;
                unparsed.keep(&topic, self.index, &entry, reason)?;
                asides += 1;
            }
        }
        // An import knows no recorder: its bounds are capture times, and nothing is to be related to them.
        if ended_by != IMPORTED {
            self.lay_timeline(&mut sealed, stop_ns)?;
        }
        let mut proofs: Vec<(String, Proof)> = Vec::new();
        let mut ledger: Vec<LossRow> = sealed.iter().flat_map(|s| s.loss.iter().cloned()).collect();
        ledger.sort();
        let mut streams: Vec<(StreamEntry, Vec<ClockPair>)> = Vec::new();
        for done in sealed {
            streams.push((done.entry, done.pairs));
            proofs.push(done.proof);
        }
        let at = |name: &str| self.dir.join(name);
        for (name, digest) in [
            ("clocks.parquet", side::write_clocks(self.disk, &at("clocks.parquet"), &streams)?),
            ("events.parquet", side::write_events(self.disk, &at("events.parquet"), &self.index.controls)?),
            ("loss.parquet", side::write_loss(self.disk, &at("loss.parquet"), &ledger)?),
        ] {
            proofs.push((name.to_owned(), Proof::Table(digest)));
        }
        let unparsed = unparsed.finish()?;
        let total = proofs.len();
        for (done, (name, proof)) in proofs.iter().enumerate() {
            progress(SealProgress { stage: SealStage::ReadBack, stream: Some(name.clone()), done, total });
            match proof {
                Proof::Table(digest) => digest.compare(&at(name))?,
                Proof::Film(film, mp4) => film.compare(&at(mp4), &at(name))?,
            }
        }
        if let Some(path) = &unparsed {
            Unparsed::compare(path, asides)?;
        }
        self.manifest(stop_ns, ended_by, streams.into_iter().map(|(entry, _)| entry).collect(), unparsed.is_some())
    }

    /// Finds where clocks were wrong, once all streams are known, and measures the streams by it.
    fn lay_timeline(&self, sealed: &mut [Sealed], stop_ns: i64) -> Result<(), StoreError> {
        let all: Vec<Followed<'_>> =
            sealed.iter().map(|Sealed { entry, clock, .. }| Followed { robot: &entry.robot, id: entry.clock.id, clock }).collect();
        let laid: Vec<_> = all.iter().map(|of| timeline::lay(*of, &all)).collect();
        for (Sealed { entry, proof, .. }, laid) in sealed.iter_mut().zip(laid) {
            if let Some(doubts) = laid.doubts {
                entry.facts.insert("timeline".to_owned(), doubts);
            }
            if !laid.offsets.is_empty() {
                entry.timeline = laid.offsets;
                let OnTimeline { within, ends_ns } =
                    timeline::on_timeline(&(self.start.start_ns..stop_ns), entry, &self.dir.join(&proof.0))?;
                (entry.rows_in_episode, entry.rate_hz) = (within, stats::rate_hz(entry.rows, ends_ns));
            }
        }
        Ok(())
    }

    /// What came that is of no stream of this episode, with its topic, and why.
    fn strangers(&self) -> impl Iterator<Item = (String, &StreamIndex, &'static str)> {
        let nameless = self.index.strangers().map(|(topic, stream)| (topic.to_owned(), stream, "its topic is no stream key"));
        // Files are named by robot and stream: the same names of another field would take each other's place.
        let foreign = self.index.keys().filter(|key| key.field != self.start.field);
        let foreign = foreign.filter_map(|key| Some((key.to_string(), self.index.stream(key)?, "its topic is of another field")));
        nameless.chain(foreign)
    }

    /// End of the episode and how it ended.
    fn end(&self) -> (i64, String) {
        let stop = self.index.controls.iter().rev().find_map(|control| match control {
            Control::Stop { stop_ns, ended_by } => Some((*stop_ns, ended_by.clone())),
            _ => None,
        });
        let cut_off_ns = self.index.last_recv_ns.map_or(self.start.start_ns, |last| last.saturating_add(1).max(self.start.start_ns));
        stop.unwrap_or_else(|| (cut_off_ns, RECOVERED.to_owned()))
    }

    fn is_closed(&self) -> bool {
        self.index.controls.iter().any(|control| matches!(control, Control::Stop { .. }))
    }

    fn stream(&self, key: &StreamKey, stop_ns: i64, unparsed: &mut Unparsed, asides: &mut u64) -> Result<Sealed, StoreError> {
        let none = StreamIndex::default();
        let stream = self.index.stream(key).unwrap_or(&none);
        let description = plan::description(self.index, key);
        let subject = plan::Subject { index: self.index, key, stream, closed: self.is_closed(), limits: self.limits };
        let plan = plan::plan(subject, self.disk, self.dir.join(ORDER_FILE))?;
        let mut window = Window::default();
        for aside in &plan.asides {
            let entry = self.index.entry(stream, &mut window, aside.entry)?;
            unparsed.keep(&key.to_string(), self.index, &entry, &aside.reason)?;
            *asides += 1;
        }
        let encoding = plan::encoding(self.index, stream, description);
        let mut stats = Stats::new(self.start.start_ns..stop_ns);
        let declared_hz = description.map(|d| d.rate_hz).filter(|rate| *rate > 0.0);
        let rate_hz = declared_hz.map_or_else(|| estimated_rate_hz(self.index, stream, plan.rows), Ok)?;
        let source = write::Source { disk: self.disk, index: self.index, key, stream, plan: &plan, rate_hz };
        let stem = format!("{}.{}", key.robot, key.stream.file_stem());
        let (parquet, mp4) = (format!("{stem}.parquet"), format!("{stem}.mp4"));
        let proof = match &plan.form {
            Form::Video(sets) if !plan.pieces.is_empty() => {
                let film = film::write(&source, sets, &self.dir.join(&mp4), &self.dir.join(&parquet), &mut stats)?;
                Proof::Film(film, mp4.clone())
            }
            _ => Proof::Table(write::write_table(&source, &self.dir.join(&parquet), &mut stats)?),
        };
        let (mut entry, loss) = entry::entry(key, encoding, description, &plan, &stats)?;
        entry.files.push(files::prove(&self.dir.join(&parquet), &parquet)?);
        if let Proof::Film(film, _) = &proof {
            entry.files.push(files::prove(&self.dir.join(&mp4), &mp4)?);
            if film.moved > 0 {
                entry.facts.insert("moved_frames".to_owned(), film.moved.to_string());
            }
        }
        plan.scratch.remove()?;
        Ok(Sealed { entry, loss, pairs: stats.pairs, clock: stats.clock, proof: (parquet, proof) })
    }

    fn manifest(&self, stop_ns: i64, ended_by: String, streams: Vec<StreamEntry>, has_unparsed: bool) -> Result<Manifest, StoreError> {
        let start = self.start.clone();
        let names = ["clocks.parquet", "events.parquet", "loss.parquet"].into_iter().chain(has_unparsed.then_some("unparsed.mcap"));
        let files: Vec<FileEntry> = names.map(|name| files::prove(&self.dir.join(name), name)).collect::<Result<_, _>>()?;
        let mut robots = start.robots;
        robots.sort_by(|a, b| a.robot.cmp(&b.robot));
        let mut facts = start.facts;
        let damage = self.index.damage;
        for (name, count) in [
            ("journal_torn_bytes", damage.torn_bytes),
            ("journal_bad_chunks", damage.bad_chunks),
            ("journal_orphan_messages", damage.orphans),
            ("journal_bad_controls", self.index.bad_controls),
        ] {
            if count > 0 {
                facts.insert(name.to_owned(), count.to_string());
            }
        }
        Ok(Manifest {
            format_version: FORMAT_VERSION,
            episode: start.episode,
            field: start.field,
            zone: start.zone,
            station: start.station,
            task: start.task,
            prompt: start.prompt,
            operator: start.operator,
            robots,
            start_ns: start.start_ns,
            stop_ns,
            pre_roll_ns: start.pre_roll_ns,
            ended_by,
            streams,
            files,
            recorder: start.recorder,
            journal_sha256: self.journal_sha256.clone(),
            facts,
        })
    }
}

/// Rows a second by the receive times, where nobody declared a rate.
#[expect(clippy::cast_precision_loss, reason = "an estimate for the length of pages")]
fn estimated_rate_hz(index: &Index, stream: &StreamIndex, rows: u64) -> Result<f64, StoreError> {
    let Some(last) = stream.entries.len().checked_sub(1) else { return Ok(0.0) };
    let mut window = Window::default();
    let [first_ns, last_ns] = [index.entry(stream, &mut window, 0)?.recv_ns, index.entry(stream, &mut window, last)?.recv_ns];
    let span_ns = last_ns.saturating_sub(first_ns);
    Ok(if span_ns > 0 { rows as f64 * 1e9 / span_ns as f64 } else { 0.0 })
}

/// Makes the new folder's name durable, and those of the date and station folders, which may be new as well.
fn sync_parents(disk: &Disk, folder: &Path) -> Result<(), StoreError> {
    folder.ancestors().skip(1).take(3).try_for_each(|above| disk.sync_dir(above))
}

#[cfg(test)]
mod tests;
