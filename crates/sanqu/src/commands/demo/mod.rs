//! `sanqu demo`: the main job on one machine. Everything goes the real way: zenoh sessions over TCP, the recorder's
//! control queryables, journal, seal, verify, export, and the two sibling programs.

mod field;
mod views;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sanqu_dataset::{LerobotOptions, LerobotReport};
use sanqu_ingest::Node;
use sanqu_model::{FieldConfig, Manifest, RobotConfig};
use sanqu_store::{Episode, Store};
use tokio::sync::watch;

use crate::assets::Assets;
use crate::cli::Demo;
use crate::commands::{info, print, say, verify};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::sibling;
use crate::signals::stop_on_signal;

/// The field that the demo plays on.
const FIELD: &str = "desk";
/// Episodes recorded per robot.
const EPISODES_PER_ROBOT: u32 = 2;

/// What the demo made.
struct Made {
    store: PathBuf,
    datasets: Vec<PathBuf>,
    live: Option<PathBuf>,
    pictures: Vec<PathBuf>,
}

/// Runs the whole trip.
///
/// # Errors
/// When any step fails, or a signal stopped it; the store is valid in both cases.
pub(crate) async fn run(args: &Demo, assets: &Assets) -> Result<Outcome> {
    ensure!(args.seconds.is_finite() && args.seconds >= 2.0, "--seconds {} is too short: two episodes of at least 1 s each", args.seconds);
    let config = assets.field(FIELD)?;
    ensure!((1..=config.robots.len()).contains(&args.robots), "--robots {}: field {FIELD} has 1 to {}", args.robots, config.robots.len());
    let robots: Vec<RobotConfig> = config.robots.iter().take(args.robots).cloned().collect();
    let out = prepare(&args.out)?;
    let stop = stop_on_signal()?;
    let mut made = Made { store: out.join("store"), datasets: Vec::new(), live: None, pictures: Vec::new() };

    let live = if args.no_live { None } else { Some(out.join("live.rrd")) };
    let stage = Stage { assets, config: &config, robots: &robots, rate_hz: args.rate, seconds: args.seconds };
    let recorded = record(&stage, &mut made, live, stop.clone()).await?;
    if *stop.borrow() {
        bail!("stopped by a signal; the store {} is valid and holds {} episodes", made.store.display(), recorded.len());
    }
    let store = Store::open(&made.store)?;
    let mut defects = prove(&store, &recorded, args.json)?;
    for robot in &robots {
        let report = export(&store, robot, &out)?;
        defects |= report.is_lossy();
        made.datasets.push(report.out);
    }
    if !args.no_replay {
        made.pictures = views::render(&store, assets, &robots, &out, stop.clone()).await?;
    }
    finish(args, &made, &recorded)?;
    Ok(Outcome::defects(defects))
}

/// The output folder: must be new or empty. The default one is numbered instead, so that the demo can be run again.
fn prepare(out: &Path) -> Result<PathBuf> {
    let occupied = |path: &Path| path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    let mut chosen = out.to_path_buf();
    if occupied(out) {
        ensure!(out == Path::new("recordings/demo"), "{} is not empty; give another --out, or remove it", out.display());
        chosen = (2..1000)
            .map(|number| out.with_file_name(format!("demo-{number}")))
            .find(|path| !occupied(path))
            .with_context(|| format!("{} and its numbered followers all exist; give --out", out.display()))?;
        say(&format!("{} exists; writing to {}", out.display(), chosen.display()));
    }
    std::fs::create_dir_all(&chosen).with_context(|| format!("cannot create {}", chosen.display()))?;
    chosen.canonicalize().with_context(|| format!("cannot resolve {}", chosen.display()))
}

/// What is recorded.
struct Stage<'a> {
    assets: &'a Assets,
    config: &'a FieldConfig,
    robots: &'a [RobotConfig],
    rate_hz: f64,
    seconds: f64,
}

/// Router, recorder, robots and live view; returns the sealed episodes, oldest first.
async fn record(stage: &Stage<'_>, made: &mut Made, live: Option<PathBuf>, stop: watch::Receiver<bool>) -> Result<Vec<Manifest>> {
    let Stage { assets, config, robots, .. } = *stage;
    let node = Node::router("tcp/127.0.0.1:0").await?;
    let endpoint = node.locators().first().cloned().context("the router did not open an endpoint")?;
    say(&format!("router on {endpoint}; field {} ({})", config.field, config.name));
    let store = Store::open_or_create(&made.store, &config.field, &config.time_zone)?;
    let recorder = sanqu_record::Recorder::start(&node, sanqu_record::RecorderConfig::new(config.clone(), assets.robots(), store)).await?;
    let mut field = field::Field::start(config, robots, assets, &endpoint, stage.rate_hz).await?;
    let live = live.map(|file| views::Live::start(assets, FIELD, &endpoint, &file)).transpose()?.flatten();
    let length = Duration::from_secs_f64(stage.seconds / f64::from(EPISODES_PER_ROBOT));
    let played = field.play(EPISODES_PER_ROBOT, length, stop).await;
    if let Some(live) = live {
        made.live = live.finish().await?;
    }
    // The recorder asks the robots for their final counts, so they go last.
    let recorded = recorder.shutdown().await;
    let reports = field.finish().await;
    node.close().await?;
    played?;
    for report in reports? {
        say(&report.to_string());
    }
    recorded?;
    let store = Store::open(&made.store)?;
    Ok(store.episodes()?.iter().map(|episode| episode.manifest().clone()).collect())
}

/// Verifies the store and prints what it holds; true when something is lost or defective.
fn prove(store: &Store, recorded: &[Manifest], quiet: bool) -> Result<bool> {
    let report = sanqu_store::verify(store.root())?;
    for issue in &report.issues {
        say(&verify::line(issue));
    }
    if !quiet {
        for manifest in recorded {
            print(&format!("\nepisode {} · station {} · {:?}", manifest.episode, manifest.station, manifest.prompt))?;
            print(&info::streams_table(manifest))?;
        }
    }
    say(&format!("verified {}: {}", store.root().display(), verify::summary(&report)));
    Ok(!report.is_sound() || recorded.iter().any(info::has_loss))
}

/// One LeRobot dataset a robot.
fn export(store: &Store, robot: &RobotConfig, out: &Path) -> Result<LerobotReport> {
    let of_robot = |episode: &Episode| episode.manifest().robots.iter().any(|entry| entry.robot == robot.id);
    let episodes: Vec<Episode> = store.episodes()?.into_iter().filter(of_robot).collect();
    let folder = out.join("lerobot").join(robot.id.as_str());
    std::fs::create_dir_all(out.join("lerobot")).with_context(|| format!("cannot create {}", out.join("lerobot").display()))?;
    let options = LerobotOptions { out: folder, fps: 30, robot: Some(robot.id.clone()) };
    let progress = Progress::new();
    let report = sanqu_dataset::export_lerobot(store, &episodes, &options, &mut |step| {
        progress.show(&format!("exporting: {} of {} episodes", step.done, step.total));
    })?;
    progress.finish();
    say(&format!("LeRobot dataset {}", report.to_string().trim_end()));
    Ok(report)
}

/// The summary and what to try next.
fn finish(args: &Demo, made: &Made, recorded: &[Manifest]) -> Result<()> {
    if args.json {
        let episodes: Vec<_> = recorded.iter().map(|manifest| manifest.episode.to_string()).collect();
        // A path need not be UTF-8, JSON must.
        let text = |path: &PathBuf| path.display().to_string();
        let summary = serde_json::json!({
            "store": text(&made.store),
            "episodes": episodes,
            "lerobot": made.datasets.iter().map(text).collect::<Vec<_>>(),
            "live": made.live.as_ref().map(text),
            "pictures": made.pictures.iter().map(text).collect::<Vec<_>>(),
            "manifests": recorded,
        });
        return print(&serde_json::to_string_pretty(&summary)?);
    }
    let (store, sanqu) = (made.store.display(), sibling::own_name());
    let mut lines = vec![String::new(), "made".to_owned(), format!("  store    {store}  ({} episodes)", recorded.len())];
    lines.extend(made.datasets.iter().map(|path| format!("  LeRobot  {}", path.display())));
    lines.extend(made.live.iter().map(|path| format!("  live     {}", path.display())));
    lines.extend(made.pictures.iter().map(|path| format!("  replay   {}", path.display())));
    lines.extend([
        String::new(),
        "try next".to_owned(),
        format!("  {sanqu} sql {store} \"SELECT robot, stream, rows, expected, received, lost FROM streams\""),
        format!("  {sanqu} info last --store {store}"),
        format!("  {sanqu} verify {store}"),
        format!("  {sanqu} replay last --store {store}"),
    ]);
    if let Some(live) = &made.live {
        lines.push(format!("  rerun {}    (pip install rerun-sdk==0.36.3)", live.display()));
    }
    print(&lines.join("\n"))
}
