use std::sync::Arc;

use sanqu_model::{EpisodeId, Id, RobotEntry, StreamKey, now_ns};
use sanqu_store::EpisodeStart;
use tracing::info;

use crate::ControlRequest;
use crate::engine::Engine;
use crate::pre_roll::Held;
use crate::take::Take;
use crate::track::BootTrack;
use crate::verb::Done;

impl Engine {
    /// Opens an episode at a station, with the pre-roll of its robots.
    pub(crate) fn start(&mut self, id: &Id, asked: &ControlRequest) -> Done {
        if self.is_ending() {
            return Err("the recorder is shutting down".to_owned());
        }
        let station = self.stations.get(id).ok_or("no such station")?;
        if let Some(take) = &station.take {
            let doing = if take.stopping.is_some() { "still being closed" } else { "already being recorded" };
            return Err(format!("episode {} is {doing} at station {id}", take.start.episode));
        }
        if station.robots.is_empty() {
            return Err(format!("no robot stands at station {id}"));
        }
        let start_ns = now_ns();
        let mut held = Vec::new();
        for robot in &station.robots {
            held.extend(self.robots.get_mut(robot).map(|watch| watch.pre_roll.at(start_ns)).unwrap_or_default());
        }
        held.sort_by_key(|held| held.sample.recv_ns);
        let start = self.episode_start(id, asked, start_ns, held.first())?;
        let (episode, pre_roll_ns) = (start.episode, start.pre_roll_ns);
        let mut take = Take::begin(&self.config.store, start).map_err(|e| format!("the journal cannot be begun: {e}"))?;
        self.introduce(&mut take, &held);
        for held in &held {
            if let Some(header) = &held.header {
                take.baseline(&held.sample.key, header.boot, header.seq);
            }
            take.sample(&held.sample, held.header.as_ref());
        }
        info!(station = %id, %episode, pre_roll_samples = held.len(), "recording");
        if let Some(station) = self.stations.get_mut(id) {
            station.take = Some(take);
            station.repeat_refused(pre_roll_ns);
        }
        Ok((Some(episode), format!("recording episode {episode}")))
    }

    fn episode_start(&self, id: &Id, asked: &ControlRequest, start_ns: i64, first: Option<&Held>) -> Result<EpisodeStart, String> {
        let field = &self.config.field;
        let station = self.stations.get(id).ok_or("no such station")?;
        let unknown = |task: &Id| format!("field {} has no task {task}", field.field);
        let task = asked.task.as_ref().map(|task| field.task(task).ok_or_else(|| unknown(task))).transpose()?;
        let span_ns = i64::try_from(self.config.pre_roll.as_nanos()).unwrap_or(i64::MAX);
        Ok(EpisodeStart {
            episode: EpisodeId::random(start_ns),
            field: field.field.clone(),
            zone: Some(station.zone.clone()),
            station: id.clone(),
            task: asked.task.clone(),
            prompt: task.map(|task| task.prompt.clone()).unwrap_or_default(),
            operator: asked.operator.clone(),
            robots: station.robots.iter().map(|robot| self.robot_entry(robot)).collect(),
            start_ns,
            pre_roll_ns: first.map_or(start_ns, |held| held.sample.recv_ns).min(start_ns.saturating_sub(span_ns)),
            recorder: format!("sanqu {}", env!("CARGO_PKG_VERSION")),
            facts: self.facts.clone(),
        })
    }

    fn robot_entry(&self, robot: &Id) -> RobotEntry {
        let model = self.config.field.robot(robot).map(|robot| robot.model.clone()).unwrap_or_default();
        RobotEntry { robot: robot.clone(), description: self.snapshots.get(&model).cloned(), model }
    }

    /// Tells a new episode what is known about its streams: descriptions, and where their rows begin.
    fn introduce(&self, take: &mut Take, held: &[Held]) {
        let robots: Vec<Id> = take.start.robots.iter().map(|entry| entry.robot.clone()).collect();
        for robot in robots {
            let Some(watch) = self.robots.get(&robot) else { continue };
            watch.descriptions.values().for_each(|description| take.describe(&robot, description));
            for (stream, track) in &watch.streams {
                let key = Arc::new(StreamKey { field: self.config.field.field.clone(), robot: robot.clone(), stream: stream.clone() });
                for boot in &track.boots {
                    take.fix_baseline((Arc::clone(&key), boot.boot), first_row(boot, &key, held));
                }
            }
        }
    }
}

/// Where a boot's rows begin to belong to an episode with the pre-roll `held`.
fn first_row(boot: &BootTrack, key: &StreamKey, held: &[Held]) -> u64 {
    let of_boot = |held: &&Held| held.sample.key.as_ref() == key;
    let headers = held.iter().filter(of_boot).filter_map(|held| held.header.filter(|header| header.boot == boot.boot));
    match headers.map(|header| header.seq).min() {
        // Everything of this boot is here, so what is missing at its beginning is missing indeed.
        Some(first) if Some(first) == boot.first_seq => boot.baseline,
        Some(first) => first,
        None => boot.next_seq.max(boot.baseline),
    }
}
