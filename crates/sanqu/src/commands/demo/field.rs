//! The demo's robots and the hand that starts and stops their episodes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sanqu_ingest::Node;
use sanqu_model::{FieldConfig, Id, RobotConfig};
use sanqu_record::{ControlReply, ControlRequest, Verb, send_control};
use sanqu_sim::RunReport;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::assets::Assets;
use crate::commands::{say, sim};
use crate::fault::Faults;
use crate::link::Router;
use crate::signals::stopped;

/// Robots warm up before the first start, so that its pre-roll is full.
const WARM_UP: Duration = Duration::from_secs(3);
/// Longest wait for a sealed episode.
const SEAL_WAIT: Duration = Duration::from_secs(120);

/// Simulated robots that are publishing, and a control session.
pub(super) struct Field {
    config: FieldConfig,
    stations: Vec<Id>,
    control: Node,
    robots: JoinSet<Result<RunReport>>,
    stop_robots: watch::Sender<bool>,
}

impl Field {
    /// Starts every robot in a session of its own.
    pub(super) async fn start(config: &FieldConfig, robots: &[RobotConfig], assets: &Assets, endpoint: &str, rate_hz: f64) -> Result<Self> {
        let (stop_robots, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        let mut stations = Vec::new();
        let router = Router::plain(endpoint);
        for (seed, robot) in (1..).zip(robots) {
            let place = config.station_of(&robot.id).with_context(|| format!("robot {} stands at no station", robot.id))?;
            stations.push(place.station.id.clone());
            let settings = sim::Settings { rate_hz, seed, faults: Vec::new() };
            running.spawn(sim::start(config, robot, assets, &router, settings).await?.run(Faults::new(&[]), stopped.clone()));
            say(&format!("{} ({}) at {} / {} / {}", robot.id, robot.name, place.zone.id, place.scene.id, place.station.id));
        }
        Ok(Self { config: config.clone(), stations, control: Node::client(endpoint).await?, robots: running, stop_robots })
    }

    /// Records `episodes` on every station, each `length` long. A signal ends the running ones early.
    pub(super) async fn play(&mut self, episodes: u32, length: Duration, stop: watch::Receiver<bool>) -> Result<()> {
        self.wait("robots warming up", WARM_UP, &stop).await?;
        for number in 1..=episodes {
            if *stop.borrow() {
                return Ok(());
            }
            // The demo's field lists its tasks in the order of its robots.
            for (index, station) in self.stations.iter().enumerate() {
                let task = self.config.tasks.get(index).map(|task| task.id.clone());
                let reply = self.send(station, Verb::Start, task).await?;
                say(&format!("{station}: {}", reply.message));
            }
            self.wait(&format!("recording episode {number} of {episodes} on {} stations", self.stations.len()), length, &stop).await?;
            for station in &self.stations {
                let reply = self.send(station, Verb::Stop, None).await?;
                say(&format!("{station}: {}", reply.message));
            }
        }
        Ok(())
    }

    /// Ends the robots and returns what each of them sent.
    pub(super) async fn finish(mut self) -> Result<Vec<RunReport>> {
        self.stop_robots.send_replace(true);
        let mut reports = Vec::new();
        while let Some(report) = self.robots.join_next().await {
            reports.push(report.context("a simulated robot's task broke")??);
        }
        self.control.close().await?;
        Ok(reports)
    }

    async fn send(&self, station: &Id, verb: Verb, task: Option<Id>) -> Result<ControlReply> {
        let request = ControlRequest { task, operator: Some(Id::new("operator", "op-01")?), ..ControlRequest::new(verb) };
        let reply = tokio::time::timeout(SEAL_WAIT, send_control(&self.control, &self.config.field, station, &request))
            .await
            .context("the recorder did not answer")??;
        ensure!(reply.ok, "station {station}: {}", reply.message);
        Ok(reply)
    }

    /// Lets time pass, with a line every two seconds; fails when a robot ends meanwhile.
    async fn wait(&mut self, what: &str, length: Duration, stop: &watch::Receiver<bool>) -> Result<()> {
        let end = tokio::time::Instant::now() + length;
        let mut tick = tokio::time::interval(Duration::from_secs(2));
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return Ok(()),
                () = stopped(stop.clone()) => return Ok(()),
                _ = tick.tick() => say(&format!("{what}: {:.0} s to go", end.saturating_duration_since(tokio::time::Instant::now()).as_secs_f64())),
                ended = self.robots.join_next() => {
                    let report = ended.context("no robot is running")?.context("a simulated robot's task broke")??;
                    anyhow::bail!("a simulated robot stopped by itself: {report}");
                }
            }
        }
    }
}
