use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sanqu_model::{EpisodeId, Manifest};

use crate::{Store, StoreError, StoreLock, decision, files, journal, seal, store};

/// What [`repair`] did with one journal or folder.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The journal, or the unfinished folder that was removed.
    pub path: PathBuf,
    /// The episode, where it could be told.
    pub episode: Option<EpisodeId>,
    /// The sealed episode; none when the path was removed or had to be kept as it is.
    pub manifest: Option<Manifest>,
    /// What was done, and what was lost, in one sentence.
    pub detail: String,
}

/// Takes the store's lock and brings everything that a crash left behind into order: journals are sealed (those that were
/// never closed as `recovered`), unfinished folders are removed. What cannot be repaired is reported and kept.
///
/// # Errors
/// [`StoreError::Locked`] while somebody writes; [`StoreError::Io`] when the store cannot be listed.
pub fn repair(store: &Store) -> Result<Vec<Repaired>, StoreError> {
    repair_under(store, &store.lock()?)
}

/// As [`repair`], for a caller that holds the lock already.
///
/// # Errors
/// [`StoreError::Io`] when the store cannot be listed.
pub fn repair_under(store: &Store, _lock: &StoreLock) -> Result<Vec<Repaired>, StoreError> {
    let mut journals: BTreeMap<EpisodeId, PathBuf> = BTreeMap::new();
    for path in store.journals()? {
        if let Some((episode, _)) = journal::parse_path(&path) {
            journals.entry(episode).or_insert(path);
        }
    }
    let mut repaired = Vec::new();
    for path in store.unfinished_folders()? {
        repaired.push(remove_unfinished(store, path, &journals)?);
    }
    for name in files::names(&store.root().join("robots"))?.into_iter().filter(|name| name.ends_with(store::UNFINISHED)) {
        let path = store.root().join("robots").join(name);
        store.disk().remove_dir_all(&path)?;
        repaired.push(Repaired {
            path,
            episode: None,
            manifest: None,
            detail: "removed: a description that was not copied to its end".to_owned(),
        });
    }
    for name in files::names(&store.journal_folder())?.into_iter().filter(|name| name.ends_with(store::UNFINISHED)) {
        let path = store.journal_folder().join(name);
        store.disk().remove_file(&path)?;
        store.disk().sync_dir(&store.journal_folder())?;
        let detail = "removed: a journal that was not begun, in which no sample is".to_owned();
        repaired.push(Repaired { path, episode: None, manifest: None, detail });
    }
    for (episode, path) in journals {
        let (manifest, detail) = match seal(store, &path, &mut |_| {}) {
            Ok(manifest) => {
                let detail = describe(&manifest);
                (Some(manifest), detail)
            }
            Err(error) => (None, format!("kept: {error}")),
        };
        repaired.push(Repaired { path, episode: Some(episode), manifest, detail });
    }
    for episode in decision::awaited(store)? {
        repaired.extend(settle_decisions(store, episode)?);
    }
    Ok(repaired)
}

/// An unfinished folder is only a copy, as long as its journal is there.
fn remove_unfinished(store: &Store, path: PathBuf, journals: &BTreeMap<EpisodeId, PathBuf>) -> Result<Repaired, StoreError> {
    let episode = store::parse_folder(&path.with_extension(""));
    let detail = if episode.is_some_and(|episode| journals.contains_key(&episode)) {
        store.disk().remove_dir_all(&path)?;
        path.parent().map_or(Ok(()), |parent: &Path| store.disk().sync_dir(parent))?;
        "removed: a seal that was not finished; its journal is sealed again".to_owned()
    } else {
        "kept: a seal that was not finished, and its journal is gone".to_owned()
    };
    Ok(Repaired { path, episode, manifest: None, detail })
}

/// Decisions whose journal is gone belong to the sealed episode.
fn settle_decisions(store: &Store, episode: EpisodeId) -> Result<Option<Repaired>, StoreError> {
    let path = decision::waiting(store, episode);
    let sealed = store.episode_folders()?.into_iter().find(|dir| store::parse_folder(dir) == Some(episode));
    let has_journal = store.journals()?.iter().any(|path| journal::parse_path(path).is_some_and(|(found, _)| found == episode));
    let detail = match sealed {
        // Its journal could not be sealed, and was reported.
        _ if has_journal => return Ok(None),
        Some(dir) => {
            decision::settle(store, episode, &dir)?;
            "moved: decisions about an episode that is sealed"
        }
        None => "kept: decisions about an episode that is not there",
    };
    Ok(Some(Repaired { path, episode: Some(episode), manifest: None, detail: detail.to_owned() }))
}

fn describe(manifest: &Manifest) -> String {
    let rows: u64 = manifest.streams.iter().map(|stream| stream.rows).sum();
    let lost: u64 = manifest.streams.iter().map(|stream| stream.lost.total()).sum();
    let open = manifest.streams.iter().filter(|stream| stream.lost.open_ended).count();
    let torn = manifest.facts.get("journal_torn_bytes").map_or("0", String::as_str);
    format!(
        "sealed ({}): {rows} rows in {} streams, {lost} rows lost, {open} streams with an open end, {torn} bytes torn off",
        manifest.ended_by,
        manifest.streams.len()
    )
}
