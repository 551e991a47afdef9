//! SIGKILL at random moments: how much of each stream's end is gone, and whether what is there is whole.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore as _;
use sanqu_model::now_ns;
use sanqu_record::Verb;
use serde::{Deserialize, Serialize};

use crate::plan::{LoadSpec, Step, StreamPlan};
use crate::process::pause;
use crate::readback::{self, Found};
use crate::talk::{Event, GO, Sent, StreamSent};
use crate::trial::{Bench, OWN_LAG_MAX_NS, SinkKind, Stations};

/// Robots that send while the sink is killed.
const ROBOTS: usize = 8;
/// The sink is left alone for so long.
const FIRST_MILLIS: u64 = 2_000;
/// And killed within so long after.
const SPREAD_MILLIS: u64 = 5_000;
/// What was due less than this before the kill may still have been on its way.
const ON_ITS_WAY_NS: i64 = 5_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// All kills of one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kills {
    pub(crate) sink: SinkKind,
    /// For each kill, the most that any stream has lost at its end, ms.
    pub(crate) worst_ms: Vec<f64>,
    /// Kills after which something before the end was missing, or a file was damaged, or `repair` lost rows.
    pub(crate) damaged: u32,
    /// What was wrong, one line a kill.
    pub(crate) faults: Vec<String>,
    /// Kills at which the generator was late by its own fault.
    pub(crate) invalid: u32,
}

/// Kills one sink again and again.
pub(crate) fn run(bench: &Bench, sink: SinkKind, count: u32, seed: u64, rng: &mut ChaCha8Rng) -> Result<Kills> {
    let mut kills = Kills { sink, worst_ms: Vec::new(), damaged: 0, faults: Vec::new(), invalid: 0 };
    for number in 0..count {
        let after = Duration::from_millis(FIRST_MILLIS + rng.next_u64() % SPREAD_MILLIS);
        one(bench, sink, after, seed + u64::from(number), &mut kills).with_context(|| format!("kill {number} after {after:?}"))?;
    }
    Ok(kills)
}

fn one(bench: &Bench, kind: SinkKind, after: Duration, seed: u64, kills: &mut Kills) -> Result<()> {
    let dir = bench.folder("kill")?;
    let mut sink = bench.start_sink(kind, &dir)?;
    let steps = vec![Step { permille: 1000, millis: 60_000 }];
    let spec = LoadSpec { connect: sink.endpoint.clone(), field: bench.field.clone(), robots: ROBOTS, seed, steps, until_loss: false };
    let mut generator = bench.start_generator(&spec, &dir)?;
    if kind == SinkKind::Recorder {
        Stations::new(&spec)?.ask(Verb::Start)?;
    }
    generator.tell(GO)?;
    let started = |event| if let Event::Started { start_ns } = event { Some(start_ns) } else { None };
    let start_ns = generator.expect("that it has started", PATIENCE, started)?;
    pause(after);
    let killed_ns = now_ns();
    sink.program.kill()?;
    let lags = generator.said().filter_map(|event| if let Event::Tick { own_lag_max_ns } = event { Some(own_lag_max_ns) } else { None });
    kills.invalid += u32::from(lags.max().unwrap_or(0) > OWN_LAG_MAX_NS);
    generator.kill()?;
    let field = spec.read_field()?;
    let due_ns = killed_ns - start_ns - ON_ITS_WAY_NS;
    let plans: Vec<(String, StreamPlan)> = spec.all_streams(&field)?.into_iter().map(|plan| (plan.key(&field.field), plan)).collect();
    let (found, fault) = read_back(bench, kind, &dir, &plans)?;
    let worst_ms = plans.iter().map(|(key, plan)| tail_ms(plan, due_ns, found.streams.get(key).map_or(0, |stream| stream.rows)));
    kills.worst_ms.push(worst_ms.fold(0.0, f64::max));
    let holes =
        found.streams.iter().find(|(_, stream)| stream.ranges.as_ref().is_some_and(|ranges| ranges.len() > 1 || ranges.start() != Some(0)));
    let faults = [fault, holes.map(|(key, stream)| format!("{key} has holes: {:?}", stream.ranges))];
    if let Some(fault) = faults.into_iter().flatten().chain(found.damage.first().cloned()).next() {
        kills.damaged += 1;
        kills.faults.push(fault);
    }
    std::fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())
}

/// Time that the end of a stream is short of what was due, ms.
fn tail_ms(plan: &StreamPlan, due_ns: i64, found_rows: u64) -> f64 {
    let found_samples = found_rows / u64::from(plan.kind.rows());
    let missing = u32::try_from(plan.schedule.due_by(due_ns).saturating_sub(found_samples)).unwrap_or(u32::MAX);
    let period = Duration::from_nanos(plan.kind.period_ns().cast_unsigned());
    f64::from(missing) * period.as_secs_f64() * 1000.0
}

/// What is on disk, and what is wrong with it.
fn read_back(bench: &Bench, kind: SinkKind, dir: &std::path::Path, plans: &[(String, StreamPlan)]) -> Result<(Found, Option<String>)> {
    match kind {
        SinkKind::Recorder => {
            let root = dir.join("data");
            let found = readback::store(&root)?;
            sanqu_store::repair(&sanqu_store::Store::open(&root)?)?;
            let repaired = readback::store(&root)?;
            let differs =
                found.streams.iter().find(|(key, stream)| repaired.streams.get(*key).is_none_or(|sealed| sealed.rows != stream.rows));
            let fault = differs
                .map(|(key, stream)| format!("{key}: {} rows in the journal, {:?} after repair", stream.rows, repaired.streams.get(key)));
            Ok((Found { damage: repaired.damage, ..found }, fault))
        }
        SinkKind::Bare => Ok((readback::bare(&dir.join("data/bare.mcap"))?, None)),
        SinkKind::Reductstore => {
            let sink = bench.start_sink(kind, dir)?;
            let as_sent = |(key, plan): &(String, StreamPlan)| {
                (key.clone(), StreamSent { rows_per_sample: plan.kind.rows(), ..StreamSent::default() })
            };
            let sent = Sent { streams: plans.iter().map(as_sent).collect(), ..Sent::default() };
            Ok((Found::from_counts(sink.counts()?, &sent)?, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Kind, Schedule};

    #[test]
    fn what_is_missing_at_the_end_is_told_in_time() {
        let steps = [Step { permille: 1000, millis: 1000 }];
        let schedule = Schedule::new(Kind::Joint.period_ns(), 0, &steps);
        let robot = sanqu_model::Id::new("robot", "a").unwrap();
        let plan = StreamPlan { robot, stream: "joint".parse().unwrap(), kind: Kind::Joint, schedule };
        // Due at 0, 20, …, 100 ms: six samples.
        for (rows, ms) in [(60, 0.0), (70, 0.0), (50, 20.0), (0, 120.0)] {
            assert!((tail_ms(&plan, 110_000_000, rows) - ms).abs() < 1e-9, "{rows} rows");
        }
    }
}
