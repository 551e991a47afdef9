//! `sanqu ls`: a store's episodes.

use anyhow::{Context as _, Result};
use sanqu_model::display_local;
use sanqu_store::Store;

use crate::cli::Ls;
use crate::outcome::Outcome;
use crate::table::{bytes, seconds, table};

/// Prints one line an episode, oldest first, then what is still open.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn run(args: &Ls) -> Result<Outcome> {
    let store = Store::open(&args.store).with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let episodes = store.episodes()?;
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    for episode in &episodes {
        let manifest = episode.manifest();
        let robots = manifest.robots.iter().map(|robot| robot.robot.to_string()).collect::<Vec<_>>().join(" ");
        let task = manifest.task.as_ref().map(ToString::to_string).unwrap_or_default();
        let lost: u64 = manifest.streams.iter().map(|stream| stream.lost.total()).sum();
        let size: u64 = manifest.streams.iter().flat_map(|stream| &stream.files).chain(&manifest.files).map(|file| file.bytes).sum();
        let duration_ns = manifest.stop_ns - manifest.start_ns;
        if args.json {
            objects.push(serde_json::json!({
                "episode": manifest.episode, "station": manifest.station, "task": manifest.task, "robots": manifest.robots.iter().map(|r| &r.robot).collect::<Vec<_>>(),
                "start_ns": manifest.start_ns.to_string(), "duration_ns": duration_ns.to_string(), "ended_by": manifest.ended_by, "lost": lost, "bytes": size,
                "path": episode.dir(),
            }));
        } else {
            rows.push(vec![
                manifest.episode.to_string(),
                display_local(manifest.start_ns),
                seconds(duration_ns),
                manifest.station.to_string(),
                robots,
                task,
                manifest.streams.len().to_string(),
                lost.to_string(),
                bytes(size),
                manifest.ended_by.clone(),
            ]);
        }
    }
    let open = store.journals()?;
    if args.json {
        let open: Vec<_> = open.iter().map(|path| path.display().to_string()).collect();
        super::print(&serde_json::to_string_pretty(&serde_json::json!({ "episodes": objects, "open_journals": open }))?)?;
        return Ok(Outcome::Ok);
    }
    let header = ["episode", "start", "length", "station", "robots", "task", "streams", "lost", "size", "ended by"];
    super::print(&table(&header, &["length", "streams", "lost", "size"], rows).to_string())?;
    for journal in &open {
        super::print(&format!("open or not yet sealed: {}", journal.display()))?;
    }
    Ok(Outcome::Ok)
}
