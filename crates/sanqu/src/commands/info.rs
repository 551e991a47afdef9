//! `sanqu info`: what an episode or a file holds.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use sanqu_model::{ClockOffset, FileEntry, Manifest, StreamEntry, display_local};
use sanqu_store::{Episode, Store, StoreError};

use crate::cli::Info;
use crate::outcome::Outcome;
use crate::table::{bytes, seconds, table};

/// Prints an episode's manifest as tables, or what a single file is.
///
/// # Errors
/// When nothing of that name is found or it cannot be read.
pub(crate) fn run(args: &Info) -> Result<Outcome> {
    if args.what.is_file() {
        super::print(sanqu_store::describe_file(&args.what)?.trim_end())?;
        return Ok(Outcome::Ok);
    }
    let episode = find(&args.what, &args.store)?;
    let manifest = episode.manifest();
    if args.json {
        super::print(sanqu_model::canonical_json(manifest)?.trim_end())?;
    } else {
        super::print(&head(manifest, episode.dir()))?;
        super::print(&streams_table(manifest))?;
        for line in clock_lines(manifest) {
            super::print(&line)?;
        }
        for (key, value) in &manifest.facts {
            super::print(&format!("{key}: {value}"))?;
        }
    }
    let broken = broken_files(&episode);
    ensure!(
        broken.is_empty(),
        "files of the episode are damaged; `sanqu verify {}` tells more\n  {}",
        episode.dir().display(),
        broken.join("\n  ")
    );
    Ok(Outcome::defects(has_loss(manifest)))
}

/// Files that are missing or have another length than the manifest says. (`sanqu verify` reads them.)
fn broken_files(episode: &Episode) -> Vec<String> {
    let manifest = episode.manifest();
    let files = manifest.streams.iter().flat_map(|stream| &stream.files).chain(&manifest.files);
    let check = |file: &FileEntry| {
        let path = episode.dir().join(&file.name);
        match std::fs::metadata(&path) {
            Ok(found) if found.len() == file.bytes => None,
            Ok(found) => Some(format!("{}: {} bytes, expected {}", path.display(), found.len(), file.bytes)),
            Err(error) => Some(format!("{}: {error}", path.display())),
        }
    };
    files.filter_map(check).collect()
}

/// An episode by folder, id, prefix or `last`.
///
/// # Errors
/// When the store cannot be opened or has no such episode.
pub(crate) fn find(what: &Path, store: &Path) -> Result<Episode> {
    if what.is_dir() {
        return Ok(Episode::open(what)?);
    }
    let Some(id) = what.to_str().filter(|id| !id.contains(std::path::MAIN_SEPARATOR)) else {
        bail!("{}: no such file or episode folder", what.display());
    };
    let store = Store::open(store)
        .with_context(|| format!("cannot look {id:?} up in the store {} (name another with --store)", store.display()))?;
    store.find(id).map_err(|error| match (&error, store.journals()) {
        (StoreError::NoEpisode { .. }, Ok(open)) => {
            let open = if open.is_empty() { String::new() } else { format!("; {} journals are open or not yet sealed", open.len()) };
            anyhow!("{error}; `sanqu ls {}` lists what there is{open}", store.root().display())
        }
        _ => error.into(),
    })
}

/// Whether rows are missing, or may be.
pub(crate) fn has_loss(manifest: &Manifest) -> bool {
    manifest.streams.iter().any(|stream| stream.lost.total() > 0 || stream.lost.open_ended)
}

/// Rows that are missing in an episode, in words.
pub(crate) fn lost_in(manifest: &Manifest) -> String {
    let total: u64 = manifest.streams.iter().map(|stream| stream.lost.total()).sum();
    let open_ended = manifest.streams.iter().any(|stream| stream.lost.open_ended);
    if open_ended { format!("{total} or more") } else { total.to_string() }
}

fn head(manifest: &Manifest, dir: &Path) -> String {
    let optional = |id: &Option<sanqu_model::Id>| id.as_ref().map_or("-".to_owned(), ToString::to_string);
    let robots: Vec<String> = manifest.robots.iter().map(|robot| format!("{} ({})", robot.robot, robot.model)).collect();
    let prompt = if manifest.prompt.is_empty() { String::new() } else { format!(" ({})", manifest.prompt) };
    let pre_roll = match manifest.start_ns - manifest.pre_roll_ns {
        0 => "none".to_owned(),
        ns => format!("{} before the start; its rows are in the files, not in the episode", seconds(ns)),
    };
    format!(
        "episode   {}\nfolder    {}\nplace     {} / {} / {}\nrobots    {}\ntask      {}{prompt}\noperator  {}\nstart     {}\npre-roll  {pre_roll}\nlength    {} (ended by {})\nrecorder  {}",
        manifest.episode,
        dir.display(),
        manifest.field,
        optional(&manifest.zone),
        manifest.station,
        robots.join(", "),
        optional(&manifest.task),
        optional(&manifest.operator),
        display_local(manifest.start_ns),
        seconds(manifest.stop_ns - manifest.start_ns),
        manifest.ended_by,
        manifest.recorder,
    )
}

/// What is added to capture times where a robot's clock was wrong, and what is not certain about it.
fn clock_lines(manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for stream in &manifest.streams {
        let name = format!("clock of {}/{}", stream.robot, stream.stream);
        for ClockOffset { run, from_seq, offset_ns, uncertainty_ns } in &stream.timeline {
            let ms = |ns: i64| format!("{} ms", ns / 1_000_000);
            let sure = uncertainty_ns.map_or("it cannot be related to the recorder's".to_owned(), |ns| format!("within {}", ms(ns)));
            lines.push(format!("{name}: {} is added from row {from_seq} of run {run} on ({sure})", ms(*offset_ns)));
        }
        lines.extend(stream.facts.get("timeline").map(|doubts| format!("{name}: {doubts}")));
    }
    lines
}

/// Streams with rows, rates, accounts, bytes and hashes.
pub(crate) fn streams_table(manifest: &Manifest) -> String {
    let header = ["robot", "stream", "rows", "in episode", "rate", "expected", "received", "lost", "size", "sha256"];
    let rows = manifest.streams.iter().map(|stream| {
        vec![
            stream.robot.to_string(),
            stream.stream.to_string(),
            stream.rows.to_string(),
            stream.rows_in_episode.to_string(),
            format!("{:.1} Hz", stream.rate_hz),
            stream.expected.map_or("unknown".to_owned(), |rows| rows.to_string()),
            stream.received.to_string(),
            lost(stream),
            bytes(stream.files.iter().map(|file| file.bytes).sum()),
            stream.files.first().map(|file| file.sha256.chars().take(12).collect()).unwrap_or_default(),
        ]
    });
    table(&header, &["rows", "in episode", "rate", "expected", "received", "lost", "size"], rows).to_string()
}

fn lost(stream: &StreamEntry) -> String {
    let total = stream.lost.total();
    match (total, stream.lost.open_ended || stream.expected.is_none()) {
        (0, true) => "unknown".to_owned(),
        (_, true) => format!("{total} or more"),
        (_, false) => total.to_string(),
    }
}
