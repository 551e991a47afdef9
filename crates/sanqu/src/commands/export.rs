//! `sanqu export`: datasets out.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use sanqu_dataset::{DatasetError, LerobotOptions, LerobotReport};
use sanqu_model::Id;
use sanqu_store::{Episode, Severity, Store};

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
    prove(&episodes)?;
    let progress = Progress::new();
    let report = sanqu_dataset::export_lerobot(&store, &episodes, &options, &mut |step| {
        progress.show(&format!("exporting: {} of {} episodes", step.done, step.total));
    })
    .map_err(|error| advise(error, args))?;
    progress.finish();
    if args.json {
        // A path need not be UTF-8, JSON must.
        let report = LerobotReport { out: report.out.display().to_string().into(), ..report.clone() };
        super::print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        super::print(report.to_string().trim_end())?;
    }
    // Who named episodes got them or an error; who asked for all must learn which are not there.
    let damaged = if args.episodes.is_empty() { super::ls::damaged(&store)? } else { Vec::new() };
    damaged.iter().for_each(|reason| super::say(&format!("warning: an episode was left out: {reason}")));
    Ok(Outcome::defects(report.is_lossy() || !damaged.is_empty()))
}

/// Where the answer is to choose a robot, says how.
fn advise(error: DatasetError, args: &ExportLerobot) -> anyhow::Error {
    let about_robots = match &error {
        DatasetError::Differs { what, .. } => what == "robot model",
        DatasetError::Episode { stream, .. } => stream == "robots",
        _ => false,
    };
    if about_robots && args.robot.is_none() { anyhow!("{error}; a dataset is of one robot: name it with --robot") } else { error.into() }
}

/// Changed bytes can still be readable; nobody may train on them.
fn prove(episodes: &[Episode]) -> Result<()> {
    let progress = Progress::new();
    for (done, episode) in episodes.iter().enumerate() {
        progress.show(&format!("verifying: {done} of {} episodes", episodes.len()));
        let report = sanqu_store::verify(episode.dir())?;
        if let Some(issue) = report.issues.iter().find(|issue| issue.severity == Severity::Damage) {
            bail!(
                "nothing is exported from a damaged episode; `sanqu verify {}` tells all\n  {}",
                episode.dir().display(),
                super::verify::line(issue)
            );
        }
    }
    progress.finish();
    Ok(())
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
