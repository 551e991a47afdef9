//! `sanqu sim`: simulated robots on the bus, or a recorded episode published again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sanqu_ingest::{Node, RobotPublisher};
use sanqu_model::{FieldConfig, Id, RobotConfig, now_ns};
use sanqu_robot::DriveTable;
use sanqu_sim::{CameraSpec, PlannedFault, RunReport, SimRobot, SimSpec};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::assets::Assets;
use crate::cli::Sim;
use crate::fault::{Fault, Faults, Next};
use crate::feed;
use crate::link::{self, Router};
use crate::outcome::Outcome;
use crate::signals::{stop_on_signal, stopped};

/// Publishes until the time is over or a signal comes.
///
/// # Errors
/// When the router does not answer, a robot is unknown, or the episode cannot be read.
pub(crate) async fn run(args: &Sim, assets: &Assets) -> Result<Outcome> {
    let signal = stop_on_signal()?;
    let stop = stop_after(args.seconds, signal)?;
    let router = Router { endpoint: link::endpoint(args.connect.as_deref(), args.keys.keys.is_some()), keys: args.keys.clone() };
    if let Some(what) = &args.from {
        return feed::run(what, &args.store, &router, stop).await;
    }
    ensure!(args.rate.is_finite() && (1.0..=5000.0).contains(&args.rate), "--rate {} is not within 1..5000 Hz", args.rate);
    let field = assets.field(&args.field)?;
    let robots = choose(&field, &args.robots)?;
    let plans = plan(&args.fault, &robots, assets)?;
    super::say(&format!(
        "simulating {} on {}",
        robots.iter().map(|robot| robot.id.to_string()).collect::<Vec<_>>().join(", "),
        router.endpoint
    ));
    let mut running = JoinSet::new();
    for (index, (robot, faults)) in robots.iter().zip(plans).enumerate() {
        let settings = Settings { rate_hz: args.rate, seed: args.seed.wrapping_add(index as u64), faults };
        let robot = start(&field, robot, assets, &router, settings).await?;
        running.spawn(robot.run(Faults::new(&args.fault), stop.clone()));
    }
    while let Some(report) = running.join_next().await {
        super::print(&report.context("a simulated robot's task broke")??.to_string())?;
    }
    Ok(Outcome::Ok)
}

/// What one simulated robot is told.
pub(crate) struct Settings {
    /// Rate of joints and motors.
    pub(crate) rate_hz: f64,
    pub(crate) seed: u64,
    pub(crate) faults: Vec<PlannedFault>,
}

/// A simulated robot with its own zenoh session.
pub(crate) struct Running {
    node: Node,
    publisher: RobotPublisher,
    robot: SimRobot,
}

/// The faults of drives that concern each robot.
///
/// # Errors
/// When a robot's drives cannot be read, or none of the robots has such a drive.
fn plan(faults: &[Fault], robots: &[&RobotConfig], assets: &Assets) -> Result<Vec<Vec<PlannedFault>>> {
    let faults: Vec<PlannedFault> = faults.iter().filter_map(Fault::of_drives).collect();
    if faults.is_empty() {
        return Ok(vec![Vec::new(); robots.len()]);
    }
    let mut tables = Vec::with_capacity(robots.len());
    for robot in robots {
        tables.push(DriveTable::from_toml_file(&assets.robot(&robot.model)?.join("drives.toml"))?);
    }
    for fault in &faults {
        let names = || tables.iter().flat_map(DriveTable::drives).map(|drive| drive.motor.as_str()).collect::<BTreeSet<_>>();
        let nobody = tables.iter().all(|table| fault.drives(table).is_empty());
        ensure!(!nobody, "no drive for the fault {fault}; motors are {}", names().into_iter().collect::<Vec<_>>().join(", "));
    }
    let mine = |table: &DriveTable| faults.iter().filter(|fault| !fault.drives(table).is_empty()).cloned().collect();
    Ok(tables.iter().map(mine).collect())
}

/// Makes a robot of the field ready to run: three cameras, joints and motors.
///
/// # Errors
/// When its description is absent or the router does not answer.
pub(crate) async fn start(
    field: &FieldConfig,
    robot: &RobotConfig,
    assets: &Assets,
    router: &Router,
    settings: Settings,
) -> Result<Running> {
    let Settings { rate_hz, seed, faults } = settings;
    let cameras = ["head", "wrist-left", "wrist-right"].map(|name| CameraSpec { name: name.to_owned(), width: 320, height: 240, fps: 30 });
    let spec = SimSpec {
        field: field.field.clone(),
        robot: robot.id.clone(),
        model_dir: assets.robot(&robot.model)?,
        rate_hz,
        cameras: cameras.to_vec(),
        seed,
        faults,
    };
    let node = router.dial(&robot.id).await?;
    let sim = SimRobot::new(spec, now_ns()).with_context(|| format!("robot {}", robot.id))?;
    let publisher = RobotPublisher::declare(&node, &field.field, &robot.id, fresh_boot(), sim.descriptions()).await?;
    Ok(Running { node, publisher, robot: sim })
}

/// A boot id that another start of this robot will not have: the nanoseconds of now, as far as 53 bits hold them (so many
/// survive every JSON reader).
pub(crate) fn fresh_boot() -> u64 {
    now_ns().cast_unsigned() & ((1 << 53) - 1)
}

impl Running {
    /// Runs until `stop` becomes true, with whatever goes wrong meanwhile.
    ///
    /// # Errors
    /// When publishing or drawing fails.
    pub(crate) async fn run(mut self, mut faults: Faults, stop: watch::Receiver<bool>) -> Result<RunReport> {
        let mut total = RunReport::default();
        let mut started_ns = now_ns();
        loop {
            let mut spec = self.robot.spec().clone();
            let next = {
                let (ender, ended) = watch::channel(false);
                let mut running = std::pin::pin!(sanqu_sim::run(self.robot, &self.publisher, ended));
                let next = tokio::select! {
                    // It ends by itself only when it fails.
                    report = &mut running => Err(report),
                    next = faults.until_end(&self.publisher, stop.clone()) => Ok(next),
                };
                ender.send_replace(true);
                let (next, report) = match next {
                    Ok(next) => (next, running.await),
                    Err(report) => (Next::Stop, report),
                };
                total.add(&report?);
                next
            };
            if next == Next::Stop {
                break;
            }
            // A crash: no farewell, and what waited is gone.
            let (field, robot) = (spec.field.clone(), spec.robot.clone());
            drop(self.publisher);
            let again_ns = now_ns();
            // A drive is as worn after the start as before it.
            let passed = Duration::from_nanos(u64::try_from(again_ns - started_ns).unwrap_or(0)).as_secs_f64();
            spec.faults.iter_mut().for_each(|fault| fault.at_secs -= passed);
            started_ns = again_ns;
            self.robot = SimRobot::new(spec, again_ns).with_context(|| format!("robot {robot}"))?;
            self.publisher = RobotPublisher::declare(&self.node, &field, &robot, fresh_boot(), self.robot.descriptions()).await?;
        }
        self.publisher.close().await?;
        self.node.close().await?;
        Ok(total)
    }
}

/// Robots by id, or all of the field.
fn choose<'a>(field: &'a FieldConfig, names: &str) -> Result<Vec<&'a RobotConfig>> {
    if names == "all" {
        return Ok(field.robots.iter().collect());
    }
    let mut robots = Vec::new();
    for name in names.split(',').map(str::trim) {
        let id = Id::new("robot", name)?;
        match field.robot(&id) {
            Some(robot) => robots.push(robot),
            None => {
                let known: Vec<String> = field.robots.iter().map(|robot| robot.id.to_string()).collect();
                bail!("field {} has no robot {id}; it has {}", field.field, known.join(", "));
            }
        }
    }
    Ok(robots)
}

/// True at the signal or after `seconds`.
fn stop_after(seconds: Option<f64>, signal: watch::Receiver<bool>) -> Result<watch::Receiver<bool>> {
    let Some(seconds) = seconds else { return Ok(signal) };
    ensure!(seconds.is_finite() && seconds > 0.0, "--seconds {seconds} is not a positive number");
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => (),
            () = stopped(signal) => (),
        }
        sender.send_replace(true);
    });
    Ok(receiver)
}
