//! `sanqu ls`: a store's episodes.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use sanqu_model::{EpisodeId, Manifest, display_local};
use sanqu_store::{Episode, Store};
use serde_json::{Value, json};

use crate::cli::Ls;
use crate::outcome::Outcome;
use crate::table::{bytes, seconds, table};

/// Prints one line an episode, oldest first, then journals that are still open, one line a segment.
///
/// # Errors
/// When the store cannot be read, or a manifest in it.
pub(crate) fn run(args: &Ls) -> Result<Outcome> {
    let store = Store::open(&args.store).with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let episodes = store.episodes()?;
    let open = store.journals()?;
    let damaged = damaged(&store)?;
    if args.json {
        let episodes: Vec<Value> = episodes.iter().map(object).collect();
        // Through `display`: a path need not be UTF-8, JSON must.
        let open: Vec<String> = open.iter().map(|path| path.display().to_string()).collect();
        let report = json!({ "episodes": episodes, "open_journals": open, "damaged": damaged });
        super::print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        let header = ["episode", "start", "length", "station", "robots", "task", "streams", "lost", "size", "ended by"];
        let rows = episodes.iter().map(|episode| line(episode.manifest()));
        if !episodes.is_empty() {
            super::print(&table(&header, &["length", "streams", "lost", "size"], rows).to_string())?;
        } else if open.is_empty() && damaged.is_empty() {
            super::print("no episodes")?;
        }
        for journal in &open {
            let size = std::fs::metadata(journal).map_or(0, |found| found.len());
            super::print(&format!(
                "{} ({}): being recorded or sealed; if no recorder runs, `sanqu repair`",
                journal.display(),
                bytes(size)
            ))?;
        }
    }
    ensure!(damaged.is_empty(), "episodes that cannot be read are not listed\n  {}", damaged.join("\n  "));
    Ok(Outcome::Ok)
}

/// What is wrong with the episode folders that [`Store::episodes`] leaves out.
///
/// # Errors
/// When a folder of the store cannot be listed.
pub(crate) fn damaged(store: &Store) -> Result<Vec<String>> {
    // episodes/date=…/station=…/<episode>
    let mut folders = vec![store.root().join("episodes")];
    for _ in 0..3 {
        folders = below(&folders)?;
    }
    folders.retain(|folder| folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<EpisodeId>().is_ok()));
    Ok(folders.iter().filter_map(|folder| Episode::open(folder).err()).map(|error| error.to_string()).collect())
}

/// The folders directly below; none below one that does not exist.
fn below(folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders.iter().filter(|folder| folder.exists()) {
        for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
            found.push(entry?.path());
        }
    }
    found.retain(|path| path.is_dir());
    found.sort();
    Ok(found)
}

fn object(episode: &Episode) -> Value {
    let manifest = episode.manifest();
    json!({
        "episode": manifest.episode,
        "station": manifest.station,
        "task": manifest.task,
        "robots": manifest.robots.iter().map(|robot| &robot.robot).collect::<Vec<_>>(),
        "start_ns": manifest.start_ns.to_string(),
        "duration_ns": (manifest.stop_ns - manifest.start_ns).to_string(),
        "ended_by": manifest.ended_by,
        "lost": manifest.streams.iter().map(|stream| stream.lost.total()).sum::<u64>(),
        "lost_open_ended": manifest.streams.iter().any(|stream| stream.lost.open_ended),
        "bytes": size(manifest),
        "path": episode.dir().display().to_string(),
    })
}

fn line(manifest: &Manifest) -> Vec<String> {
    vec![
        manifest.episode.to_string(),
        display_local(manifest.start_ns),
        seconds(manifest.stop_ns - manifest.start_ns),
        manifest.station.to_string(),
        manifest.robots.iter().map(|robot| robot.robot.to_string()).collect::<Vec<_>>().join(" "),
        manifest.task.as_ref().map(ToString::to_string).unwrap_or_default(),
        manifest.streams.len().to_string(),
        super::info::lost_in(manifest),
        bytes(size(manifest)),
        manifest.ended_by.clone(),
    ]
}

fn size(manifest: &Manifest) -> u64 {
    manifest.streams.iter().flat_map(|stream| &stream.files).chain(&manifest.files).map(|file| file.bytes).sum()
}
