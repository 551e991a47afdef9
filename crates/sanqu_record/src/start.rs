use std::collections::BTreeMap;
use std::sync::Arc;

use sanqu_ingest::Arrived;
use sanqu_model::{EpisodeId, Id, RobotEntry, StreamKey, now_ns};
use sanqu_store::EpisodeStart;
use tracing::info;

use crate::ControlRequest;
use crate::pre_roll::Mark;
use crate::share::Share;
use crate::station::{Station, nanos};
use crate::take::Take;
use crate::track::BootTrack;
use crate::verb::Done;

impl Station {
    /// Opens an episode, with the pre-roll of the station's robots.
    pub(crate) fn start(&mut self, asked: &ControlRequest) -> Done {
        let id = &self.id;
        if self.ending.is_some() {
            return Err("the recorder is shutting down".to_owned());
        }
        if let Some(take) = &self.take {
            let doing = if take.stopping.is_some() { "still being closed" } else { "already being recorded" };
            return Err(format!("episode {} is {doing} at station {id}", take.start.episode));
        }
        if self.names.is_empty() {
            return Err(format!("no robot stands at station {id}"));
        }
        let start_ns = now_ns();
        let held = self.pre_roll.at(start_ns);
        let start = self.episode_start(asked, start_ns, held.first().map(|(sample, _)| sample.recv_ns))?;
        let (episode, pre_roll_ns) = (start.episode, start.pre_roll_ns);
        let mut take =
            Take::begin(&self.context.config.store, start, self.rhythm()).map_err(|e| format!("the journal cannot be begun: {e}"))?;
        let first_rows = first_rows(&held);
        for (robot, watch) in &mut self.robots {
            watch.descriptions.values().for_each(|description| take.describe(robot, description));
            for (key, boot) in watch.boots() {
                let begin = begin_of(boot, first_rows.get(&(key, boot.boot)).copied());
                boot.share = Some(Share::beginning(begin, true));
            }
        }
        // What was sent again for the episode before is late by its arrival only.
        let is_ours = |sample: &Arrived<'_>, mark: &Mark| {
            let first = |boot: u64| first_rows.get(&(sample.key, boot));
            !sample.resent || mark.header.is_some_and(|header| first(header.boot).is_some_and(|first| header.seq >= *first))
        };
        for (sample, mark) in held.iter().filter(|(sample, mark)| is_ours(sample, mark)) {
            let track = self.robots.get_mut(&sample.key.robot).and_then(|watch| watch.streams.get_mut(&sample.key.stream));
            match mark.header.as_ref().and_then(|header| Some((header, track?.boot(header.boot)?))) {
                Some((header, boot)) => take.sample_of(sample, header, boot),
                None => _ = take.sample(sample, None),
            }
        }
        take.forget_lags();
        info!(station = %id, %episode, pre_roll_samples = held.len(), "recording");
        drop(held);
        self.take = Some(take);
        self.repeat_refused(pre_roll_ns);
        Ok((Some(episode), format!("recording episode {episode}")))
    }

    fn episode_start(&self, asked: &ControlRequest, start_ns: i64, first_ns: Option<i64>) -> Result<EpisodeStart, String> {
        let config = &self.context.config;
        let field = &config.field;
        let unknown = |task: &Id| format!("field {} has no task {task}", field.field);
        let task = asked.task.as_ref().map(|task| field.task(task).ok_or_else(|| unknown(task))).transpose()?;
        Ok(EpisodeStart {
            episode: EpisodeId::random(start_ns),
            field: field.field.clone(),
            zone: Some(self.zone.clone()),
            station: self.id.clone(),
            task: asked.task.clone(),
            prompt: task.map(|task| task.prompt.clone()).unwrap_or_default(),
            operator: asked.operator.clone(),
            robots: self.names.iter().map(|robot| self.robot_entry(robot)).collect(),
            start_ns,
            pre_roll_ns: first_ns.unwrap_or(start_ns).min(start_ns.saturating_sub(nanos(config.pre_roll))),
            recorder: format!("sanqu {}", env!("CARGO_PKG_VERSION")),
            facts: self.context.facts.clone(),
        })
    }

    fn robot_entry(&self, robot: &Id) -> RobotEntry {
        let model = self.context.config.field.robot(robot).map(|robot| robot.model.clone()).unwrap_or_default();
        RobotEntry { robot: robot.clone(), description: self.context.snapshots.get(&model).cloned(), model }
    }
}

type FirstRows<'a> = BTreeMap<(&'a Arc<StreamKey>, u64), u64>;

/// The lowest row of each boot that is in the pre-roll.
fn first_rows<'a>(held: &[(Arrived<'a>, &Mark)]) -> FirstRows<'a> {
    let mut first = FirstRows::new();
    for (sample, mark) in held {
        let Some(header) = mark.header.filter(|_| !sample.resent) else { continue };
        let seq = first.entry((sample.key, header.boot)).or_insert(header.seq);
        *seq = header.seq.min(*seq);
    }
    first
}

/// Where a boot's rows begin to belong to an episode whose pre-roll has `first` as the lowest of them.
fn begin_of(boot: &BootTrack, first: Option<u64>) -> u64 {
    match first {
        // Everything of this boot is here, so what is missing at its beginning is missing indeed.
        Some(first) if Some(first) == boot.first_seq => boot.baseline,
        Some(first) => first,
        None => boot.next_seq.max(boot.baseline),
    }
}
