//! `sanqu import`: outside recordings become episodes, through the same journal and seal as live ones.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use sanqu_dataset::{ImportProblem, JointMap, LerobotImportOptions, LerobotImportReport, RosbagOptions};
use sanqu_model::{Id, display_local};
use sanqu_robot::RobotModel;
use sanqu_store::Store;

use crate::assets::Assets;
use crate::cli::{ImportLerobot, ImportRosbag};
use crate::outcome::Outcome;
use crate::progress::Progress;

/// Imports ROS 1 bags.
///
/// # Errors
/// When a bag is damaged, a message does not fit its definition, or the store cannot be written.
pub(crate) fn rosbag(args: &ImportRosbag, assets: &Assets) -> Result<Outcome> {
    let field = assets.field(&args.field)?;
    let id = |what, text: &Option<String>| text.as_deref().map(|text| Id::new(what, text)).transpose();
    let store = Store::open_or_create(&args.store, &field.field, &field.time_zone)
        .with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let options = RosbagOptions {
        robot: Some(Id::new("robot", &args.robot)?),
        station: None,
        task: id("task", &args.task)?,
        operator: id("operator", &args.operator)?,
        robots_dir: Some(assets.robots()),
        field,
    };
    let progress = Progress::new();
    let manifests = sanqu_dataset::import_rosbag(&store, &args.bags, &options, &mut |step| {
        progress.show(&format!("{} {}: {} of {}", step.stage, step.name, step.done, step.total));
    })?;
    progress.finish();
    if args.json {
        super::print(&serde_json::to_string_pretty(&manifests)?)?;
    } else {
        for manifest in &manifests {
            super::print(&super::info::streams_table(manifest))?;
        }
    }
    Ok(Outcome::defects(manifests.iter().any(super::info::has_loss)))
}

/// Imports LeRobot datasets.
///
/// # Errors
/// When nothing at all could be imported, an option does not fit, or the store cannot be written.
pub(crate) fn lerobot(args: &ImportLerobot, assets: &Assets) -> Result<Outcome> {
    let field = assets.field(&args.field)?;
    let id = |what, text: &Option<String>| text.as_deref().map(|text| Id::new(what, text)).transpose();
    let options = LerobotImportOptions {
        episodes: args.episode.clone(),
        robot: id("robot", &args.robot)?,
        model: id("model", &args.model)?,
        station: id("station", &args.station)?,
        task: id("task", &args.task)?,
        operator: id("operator", &args.operator)?,
        map: args.map.as_deref().map(JointMap::read).transpose()?,
        description: args.description.clone(),
        robots_dir: Some(assets.robots()),
        joints_of,
        start_ns: args.start.as_deref().map(instant).transpose()?,
        field,
    };
    let store = Store::open_or_create(&args.store, &options.field.field, &options.field.time_zone)
        .with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let progress = Progress::new();
    let report = sanqu_dataset::import_lerobot(&store, &args.paths, &options, &mut |step| {
        let (episode, episodes) = (step.episode + 1, step.episodes);
        progress.show(&format!("episode {episode} of {episodes}: {} {}, {} of {}", step.stage, step.name, step.done, step.total));
    })?;
    progress.finish();
    if args.json {
        super::print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        show(&report)?;
    }
    report.problems.iter().for_each(|problem| super::say(&format!("left out: {}", words(problem))));
    if report.episodes.is_empty() && report.already_there.is_empty() {
        bail!("nothing was imported from {}", args.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "));
    }
    let has_loss = report.episodes.iter().any(|episode| super::info::has_loss(&episode.manifest));
    Ok(Outcome::defects(report.is_lossy() || has_loss))
}

fn joints_of(folder: &Path) -> Result<Vec<String>, String> {
    let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).map_err(|e| e.to_string())?;
    Ok(model.joints().iter().map(|joint| joint.name.clone()).collect())
}

fn instant(text: &str) -> Result<i64> {
    let instant: jiff::Timestamp = text.parse().map_err(|e| anyhow!("--start {text:?}: {e}"))?;
    i64::try_from(instant.as_nanosecond()).with_context(|| format!("--start {text:?}: expected a time before the year 2262"))
}

fn words(problem: &ImportProblem) -> String {
    let episode = problem.episode_index.map(|index| format!(" episode {index}")).unwrap_or_default();
    format!("{}{episode}: {}", problem.dataset, problem.reason)
}

/// One table an episode, with what is worth knowing about it.
fn show(report: &LerobotImportReport) -> Result<()> {
    for imported in &report.episodes {
        let manifest = &imported.manifest;
        let name = format!("{} episode {}", imported.dataset, imported.episode_index);
        super::print(&format!("{name} is episode {} ({})", manifest.episode, display_local(manifest.start_ns)))?;
        super::print(&super::info::streams_table(manifest))?;
        for (what, texts) in [("note", &imported.notes), ("defect", &imported.defects)] {
            texts.iter().try_for_each(|text| super::print(&format!("{what}: {text}")))?;
        }
        if let Some(robot) = manifest.robots.iter().find(|robot| robot.description.is_none()) {
            super::print(&format!("note: no description of {} ({}): name one with --description to replay it", robot.robot, robot.model))?;
        }
    }
    report.already_there.iter().try_for_each(|known| super::print(&format!("already in the store: {known}")))
}
