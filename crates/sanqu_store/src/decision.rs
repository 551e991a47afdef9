use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sanqu_model::EpisodeId;
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::error::IoContext;
use crate::{Store, StoreError, files, journal, store};

pub(crate) const DECISIONS_FILE: &str = "decisions.jsonl";

/// Behind an episode's id: the file beside its journal where decisions wait until it is sealed.
const WAITING_SUFFIX: &str = ".decisions.jsonl";

/// Between looking whether an episode is sealed and writing a decision it must not become so. Only one process writes to a
/// store, so the order of its threads is all there is to keep.
static ORDER: Mutex<()> = Mutex::new(());

/// What somebody decided about an episode. Decisions are only ever added; the last one of a kind counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided.
    pub kind: DecisionKind,
    /// Who: an operator's pseudonym or a program.
    pub who: String,
    /// Why, in a sentence; for [`DecisionKind::Outcome`] the outcome itself (`success`, `failure`).
    pub reason: String,
    /// When, ns since the Unix epoch.
    pub at_ns: i64,
}

/// See [`Decision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// The episode is good.
    Keep,
    /// The episode is not to be used; its files stay.
    Discard,
    /// The last keep or discard was a mistake.
    Undo,
    /// How the task ended.
    Outcome,
}

impl Store {
    /// Adds a decision about an episode, sealed or not; durable when this returns. Before the episode is sealed the decision
    /// waits beside its journal, and sealing takes it along. The caller holds the store's lock.
    ///
    /// # Errors
    /// [`StoreError::NoEpisode`] when there is neither episode nor journal; [`StoreError::Io`].
    pub fn append_decision(&self, episode: EpisodeId, decision: &Decision) -> Result<(), StoreError> {
        let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.decisions_file(episode)?;
        extend(self.disk(), &path, &line(&path, decision)?)
    }

    /// What was decided about an episode, sealed or not, oldest first.
    ///
    /// # Errors
    /// [`StoreError::NoEpisode`] when there is neither episode nor journal; [`StoreError::Damaged`] naming the line.
    pub fn decisions(&self, episode: EpisodeId) -> Result<Vec<Decision>, StoreError> {
        read(&self.decisions_file(episode)?)
    }

    fn decisions_file(&self, episode: EpisodeId) -> Result<PathBuf, StoreError> {
        if let Some(dir) = self.episode_folders()?.into_iter().find(|dir| store::parse_folder(dir) == Some(episode)) {
            return Ok(dir.join(DECISIONS_FILE));
        }
        if self.journals()?.iter().any(|path| journal::parse_path(path).is_some_and(|(found, _)| found == episode)) {
            return Ok(waiting(self, episode));
        }
        Err(StoreError::NoEpisode { root: self.root().to_path_buf(), wanted: episode.to_string() })
    }
}

/// Where decisions about an episode wait for its seal.
pub(crate) fn waiting(store: &Store, episode: EpisodeId) -> PathBuf {
    store.journal_folder().join(format!("{episode}{WAITING_SUFFIX}"))
}

/// Copies the decisions that wait for an episode into its folder, those that are not there yet.
pub(crate) fn carry(store: &Store, episode: EpisodeId, dir: &Path) -> Result<(), StoreError> {
    let Some(waiting) = read_if_there(&waiting(store, episode))? else { return Ok(()) };
    let path = dir.join(DECISIONS_FILE);
    let known = read_if_there(&path)?.unwrap_or_default();
    // What has no end was never acknowledged. Every decision has its time, so equal lines are one decision.
    let lines = waiting.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let new: String = lines.filter(|line| !known.split_inclusive('\n').any(|there| there == *line)).collect();
    if new.is_empty() { Ok(()) } else { extend(store.disk(), &path, &new) }
}

/// Moves the decisions that wait for an episode into its folder, which is in its place now.
pub(crate) fn settle(store: &Store, episode: EpisodeId, dir: &Path) -> Result<(), StoreError> {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    carry(store, episode, dir)?;
    let waiting = waiting(store, episode);
    if !waiting.exists() {
        return Ok(());
    }
    store.disk().remove_file(&waiting)?;
    store.disk().sync_dir(&store.journal_folder())
}

/// Episodes that decisions wait for.
pub(crate) fn awaited(store: &Store) -> Result<Vec<EpisodeId>, StoreError> {
    let names = files::names(&store.journal_folder())?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(WAITING_SUFFIX)?.parse().ok()).collect())
}

/// Adds a decision to those of a sealed episode.
pub(crate) fn append(disk: &Disk, dir: &Path, decision: &Decision) -> Result<(), StoreError> {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    let path = dir.join(DECISIONS_FILE);
    extend(disk, &path, &line(&path, decision)?)
}

fn line(path: &Path, decision: &Decision) -> Result<String, StoreError> {
    let mut line = serde_json::to_string(decision).map_err(|e| StoreError::damaged(path, e))?;
    line.push('\n');
    Ok(line)
}

/// Adds lines to a file; durable when this returns.
fn extend(disk: &Disk, path: &Path, lines: &str) -> Result<(), StoreError> {
    let complete_bytes = read_if_there(path)?.map_or(0, |text| text.rfind('\n').map_or(0, |end| end + 1)) as u64;
    let mut file = disk.open_or_create(path)?;
    // A crash may have left half a line, which nobody was told is there: it must not swallow these.
    file.set_len(complete_bytes).and_then(|()| file.seek(SeekFrom::Start(complete_bytes))).at("write", path)?;
    file.write_all(lines.as_bytes()).at("write", path)?;
    file.sync_all().at("sync", path)?;
    path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}

/// The decisions in a file, oldest first; none when there is no file.
pub(crate) fn read(path: &Path) -> Result<Vec<Decision>, StoreError> {
    let Some(text) = read_if_there(path)? else { return Ok(Vec::new()) };
    let mut decisions = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(decision) => decisions.push(decision),
            // A last line without its end is what a crash leaves; it was never acknowledged.
            Err(_) if !line.ends_with('\n') => {}
            Err(e) => return Err(StoreError::damaged(path, format!("line {}: {e}", index + 1))),
        }
    }
    Ok(decisions)
}

fn read_if_there(path: &Path) -> Result<Option<String>, StoreError> {
    if path.exists() { files::read_text(path).map(Some) } else { Ok(None) }
}
