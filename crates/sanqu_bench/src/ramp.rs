//! The ramp: the whole field at a rate that grows by a quarter every ten seconds until the sink cannot carry it.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::plan::Step;
use crate::talk::Sent;
use crate::trial::{Bench, OWN_LAG_MAX_NS, SinkKind, Trial};

/// Robots of the ramp: the connections of the real field.
const ROBOTS: usize = 31;
/// The first step, thousandths of the field's rate.
const FIRST_PERMILLE: u32 = 200;
/// The last one that is tried.
const LAST_PERMILLE: u32 = 6000;
const STEP_MILLIS: u32 = 10_000;
/// Where samples waited longer than this for the network, the sink was getting further behind.
const BACKLOG_MAX_NS: u64 = 1_000_000_000;

/// One step as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RampStep {
    /// What was due, bytes of payload a second.
    pub(crate) offered_bytes_per_s: f64,
    /// Rows lost.
    pub(crate) lost_rows: u64,
    /// The longest time that samples waited for the network.
    pub(crate) backlog_max_ns: u64,
    /// How late the generator was by its own fault: 99 of 100 samples at most.
    pub(crate) own_lag_p99_ns: u64,
    /// Whether everything of it was carried in time.
    pub(crate) carried: bool,
}

/// One sink's ramp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ramp {
    pub(crate) sink: SinkKind,
    pub(crate) steps: Vec<RampStep>,
    /// It ended because the disk was nearly full, not because of the sink.
    pub(crate) disk_full: bool,
}

impl Ramp {
    /// The highest rate before the first step that was not carried, bytes a second.
    pub(crate) fn loss_free_bytes_per_s(&self) -> f64 {
        self.steps.iter().take_while(|step| step.carried).map(|step| step.offered_bytes_per_s).fold(0.0, f64::max)
    }
}

/// Runs the ramp of one sink.
pub(crate) fn run(bench: &Bench, sink: SinkKind, seed: u64) -> Result<Ramp> {
    let trial = Trial { sink, robots: ROBOTS, seed, steps: steps(), until_loss: true, seal: false };
    let outcome = bench.run(&trial)?;
    Ok(Ramp { sink, steps: judge(&outcome.sent, &outcome.lost_by_step), disk_full: outcome.disk_full })
}

fn steps() -> Vec<Step> {
    let rates = std::iter::successors(Some(FIRST_PERMILLE), |permille| Some(permille * 5 / 4));
    rates.take_while(|permille| *permille <= LAST_PERMILLE).map(|permille| Step { permille, millis: STEP_MILLIS }).collect()
}

/// Steps that the generator did not get to are left out. Rates are nominal, so that a step that was cut short counts for
/// what it was meant to be.
fn judge(sent: &Sent, lost_by_step: &[u64]) -> Vec<RampStep> {
    let of_streams = |number: usize| sent.streams.values().filter_map(move |stream| stream.steps.get(number));
    let first_bytes: u64 = of_streams(0).map(|step| step.bytes).sum();
    let mut judged = Vec::new();
    for (number, (lost_rows, step)) in lost_by_step.iter().zip(steps()).enumerate() {
        if of_streams(number).all(|step| step.offered == 0) {
            break;
        }
        let backlog_max_ns = sent.backlog_max_ns.get(number).copied().unwrap_or(0);
        let own_lag_p99_ns = sent.own_lag_by_step.get(number).map_or(0, |own_lag| own_lag.p99_ns);
        let carried = *lost_rows == 0 && backlog_max_ns <= BACKLOG_MAX_NS && own_lag_p99_ns <= OWN_LAG_MAX_NS;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let first_bytes_per_s = first_bytes as f64 * 1000.0 / f64::from(STEP_MILLIS);
        let offered_bytes_per_s = first_bytes_per_s * f64::from(step.permille) / f64::from(FIRST_PERMILLE);
        judged.push(RampStep { offered_bytes_per_s, lost_rows: *lost_rows, backlog_max_ns, own_lag_p99_ns, carried });
    }
    judged
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::talk::{StepSent, StreamSent};

    fn sent(backlog_max_ns: &[u64]) -> Sent {
        let mut steps = vec![StepSent { offered: 10, bytes: 1_000_000, ..StepSent::default() }; backlog_max_ns.len()];
        steps.push(StepSent::default());
        let stream = StreamSent { rows_per_sample: 10, steps, ..StreamSent::default() };
        Sent { streams: BTreeMap::from([("a".to_owned(), stream)]), backlog_max_ns: backlog_max_ns.to_vec(), ..Sent::default() }
    }

    #[track_caller]
    fn check(backlog_max_ns: &[u64], lost: &[u64], loss_free_bytes_per_s: f64) {
        let ramp = Ramp { sink: SinkKind::Bare, steps: judge(&sent(backlog_max_ns), lost), disk_full: false };
        assert_eq!(ramp.steps.len(), backlog_max_ns.len(), "steps that were not reached are left out");
        assert!((ramp.loss_free_bytes_per_s() - loss_free_bytes_per_s).abs() < 1.0, "{ramp:?}");
    }

    #[test]
    fn the_rate_before_the_first_loss_or_delay_counts() {
        check(&[0, 0, 0], &[0, 0, 0, 0], 156_000.0);
        check(&[0, 0, 0], &[0, 1, 0, 0], 100_000.0);
        check(&[0, BACKLOG_MAX_NS + 1, 0], &[0, 0, 0, 0], 100_000.0);
        check(&[0], &[3, 0], 0.0);
    }

    #[test]
    fn each_step_is_a_quarter_faster() {
        let steps = steps();
        assert!(steps.windows(2).all(|pair| pair[1].permille == pair[0].permille * 5 / 4));
        assert!(steps.iter().any(|step| step.permille > 1000) && steps.len() < 20);
    }
}
