//! `sanqu export`: datasets out.

use anyhow::{Context as _, Result, ensure};
use sanqu_dataset::LerobotOptions;
use sanqu_model::Id;
use sanqu_store::{Episode, Store};

use crate::cli::ExportLerobot;
use crate::outcome::Outcome;
use crate::progress::Progress;

/// Writes a LeRobot v3.0 dataset.
///
/// # Errors
/// When no episode is chosen, the chosen ones do not fit together, or the folder cannot be written.
pub(crate) async fn lerobot(args: &ExportLerobot) -> Result<Outcome> {
    let store = Store::open(&args.store).with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let episodes = choose(&store, args).await?;
    ensure!(
        !episodes.is_empty(),
        "no episode chosen: the store {} has {}",
        args.store.display(),
        if args.condition.is_some() { "none that meets --where" } else { "none" }
    );
    let robot = args.robot.as_deref().map(|robot| Id::new("robot", robot)).transpose()?;
    let options = LerobotOptions { out: args.out.clone(), fps: args.fps, robot };
    let progress = Progress::new();
    let report = sanqu_dataset::export_lerobot(&store, &episodes, &options, &mut |step| {
        progress.show(&format!("exporting: {} of {} episodes", step.done, step.total));
    })?;
    progress.finish();
    if args.json {
        super::print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        super::print(report.to_string().trim_end())?;
    }
    Ok(Outcome::defects(report.is_lossy()))
}

async fn choose(store: &Store, args: &ExportLerobot) -> Result<Vec<Episode>> {
    if !args.episodes.is_empty() {
        ensure!(args.condition.is_none(), "give either episodes or --where, not both");
        return args.episodes.iter().map(|name| Ok(store.find(name)?)).collect();
    }
    let all = store.episodes()?;
    let Some(condition) = &args.condition else { return Ok(all) };
    let chosen = sanqu_dataset::filter(store, condition).await?;
    Ok(all.into_iter().filter(|episode| chosen.contains(&episode.manifest().episode)).collect())
}
