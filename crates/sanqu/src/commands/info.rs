//! `sanqu info`: what an episode or a file holds.

use std::path::Path;

use anyhow::{Context as _, Result};
use sanqu_model::{Manifest, StreamEntry, display_local};
use sanqu_store::{Episode, Store};

use crate::cli::Info;
use crate::outcome::Outcome;
use crate::table::{bytes, seconds, table};

/// Prints an episode's manifest as tables, or what a single file is.
///
/// # Errors
/// When nothing of that name is found or it cannot be read.
pub(crate) fn run(args: &Info) -> Result<Outcome> {
    let path = Path::new(&args.what);
    if path.is_file() {
        super::print(sanqu_store::describe_file(path)?.trim_end())?;
        return Ok(Outcome::Ok);
    }
    let episode = find(&args.what, &args.store)?;
    let manifest = episode.manifest();
    if args.json {
        super::print(sanqu_model::canonical_json(manifest)?.trim_end())?;
    } else {
        super::print(&head(manifest, episode.dir()))?;
        super::print(&streams_table(manifest))?;
        for (key, value) in &manifest.facts {
            super::print(&format!("{key}: {value}"))?;
        }
    }
    Ok(Outcome::defects(has_loss(manifest)))
}

/// An episode by folder, id, prefix or `last`.
///
/// # Errors
/// When the store cannot be opened or has no such episode.
pub(crate) fn find(what: &str, store: &Path) -> Result<Episode> {
    let path = Path::new(what);
    if path.is_dir() {
        return Ok(Episode::open(path)?);
    }
    let store = Store::open(store)
        .with_context(|| format!("cannot look {what:?} up in the store {} (name another with --store)", store.display()))?;
    Ok(store.find(what)?)
}

/// Whether rows are missing, or may be.
pub(crate) fn has_loss(manifest: &Manifest) -> bool {
    manifest.streams.iter().any(|stream| stream.lost.total() > 0 || stream.lost.open_ended)
}

fn head(manifest: &Manifest, dir: &Path) -> String {
    let optional = |id: &Option<sanqu_model::Id>| id.as_ref().map_or("-".to_owned(), ToString::to_string);
    let robots: Vec<String> = manifest.robots.iter().map(|robot| format!("{} ({})", robot.robot, robot.model)).collect();
    format!(
        "episode   {}\nfolder    {}\nplace     {} / {} / {}\nrobots    {}\ntask      {} {:?}\noperator  {}\nstart     {}\nlength    {} (ended by {})\nrecorder  {}",
        manifest.episode,
        dir.display(),
        manifest.field,
        optional(&manifest.zone),
        manifest.station,
        robots.join(", "),
        optional(&manifest.task),
        manifest.prompt,
        optional(&manifest.operator),
        display_local(manifest.start_ns),
        seconds(manifest.stop_ns - manifest.start_ns),
        manifest.ended_by,
        manifest.recorder,
    )
}

/// Streams with rows, rates, accounts, bytes and hashes.
pub(crate) fn streams_table(manifest: &Manifest) -> String {
    let header = ["robot", "stream", "rows", "rate", "expected", "received", "lost", "size", "sha256"];
    let rows = manifest.streams.iter().map(|stream| {
        vec![
            stream.robot.to_string(),
            stream.stream.to_string(),
            stream.rows.to_string(),
            format!("{:.1} Hz", stream.rate_hz),
            stream.expected.map_or("unknown".to_owned(), |rows| rows.to_string()),
            stream.received.to_string(),
            lost(stream),
            bytes(stream.files.iter().map(|file| file.bytes).sum()),
            stream.files.first().map(|file| file.sha256.chars().take(12).collect()).unwrap_or_default(),
        ]
    });
    table(&header, &["rows", "rate", "expected", "received", "lost", "size"], rows).to_string()
}

fn lost(stream: &StreamEntry) -> String {
    let total = stream.lost.total();
    match (total, stream.lost.open_ended) {
        (0, true) => "unknown".to_owned(),
        (_, true) => format!("{total} or more"),
        (_, false) => total.to_string(),
    }
}
