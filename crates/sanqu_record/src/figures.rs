use std::time::Duration;

use sanqu_model::LossTotals;
use serde::{Deserialize, Serialize};

use crate::ResendFigures;

/// Steps within a power of two, as a power of two: a bucket is at most a 32nd wider than what falls into it, so that a lag
/// of a second is told apart from one that is 30 ms longer.
const STEP_BITS: u32 = 5;
const STEPS: usize = 1 << STEP_BITS;
/// Buckets up to 2^62 ns, more than a century.
const BUCKETS: usize = 62 * STEPS;

/// What a station measures of its own work, since the recorder began.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// From receipt to the journal's file.
    pub(crate) written_lag: Histogram,
    /// From capture, by the robot's clock, until a power loss costs nothing of it any more.
    pub(crate) durable_lag: Histogram,
    /// How long fdatasync took.
    pub(crate) sync: Histogram,
    pub(crate) written_bytes: u64,
    pub(crate) durable_bytes: u64,
    /// Samples whose header or checksum did not fit.
    pub(crate) corrupt_samples: u64,
    pub(crate) resend: ResendFigures,
    /// Rows in the ledgers of the episodes that were sealed.
    pub(crate) lost: LossTotals,
    /// How long the last seal took, and how long its episode was.
    pub(crate) last_seal: (Duration, Duration),
}

impl Figures {
    pub(crate) fn new() -> Self {
        let none = Histogram::new();
        Self {
            written_lag: none.clone(),
            durable_lag: none.clone(),
            sync: none,
            written_bytes: 0,
            durable_bytes: 0,
            corrupt_samples: 0,
            resend: ResendFigures::default(),
            lost: LossTotals::default(),
            last_seal: (Duration::ZERO, Duration::ZERO),
        }
    }
}

/// How long something took, as counts in buckets that grow with the time: fixed memory, whatever is counted.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    max_ns: u64,
}

/// What a [`Histogram`] says. Quantiles are the upper ends of their buckets: true values are lower by 3.2 % at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How often it was measured.
    pub count: u64,
    /// Half of the times are at most this, ns.
    pub p50_ns: u64,
    /// 99 of 100 are.
    pub p99_ns: u64,
    /// 999 of 1000 are.
    pub p999_ns: u64,
    /// The longest, exactly.
    pub max_ns: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS].into(), count: 0, max_ns: 0 }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.add_ns(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds the time between two readings of the wall clock. Where the clock was set back meanwhile it counts as none.
    pub(crate) fn add_between(&mut self, from_ns: i64, to_ns: i64) {
        self.add_ns(u64::try_from(to_ns.saturating_sub(from_ns)).unwrap_or(0));
    }

    fn add_ns(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let at = |per_mille: u64| {
            let rank = self.count.saturating_mul(per_mille).div_ceil(1000);
            let mut below = 0;
            let found = self.counts.iter().position(|count| {
                below += count;
                below >= rank
            });
            found.map_or(0, |bucket| upper_ns(bucket).min(self.max_ns))
        };
        Quantiles { count: self.count, p50_ns: at(500), p99_ns: at(990), p999_ns: at(999), max_ns: self.max_ns }
    }
}

fn bucket(ns: u64) -> usize {
    let steps = STEPS as u64;
    if ns < steps {
        return usize::try_from(ns).unwrap_or(0);
    }
    let exponent = ns.ilog2();
    let step = (ns >> (exponent - STEP_BITS)) & (steps - 1);
    let number = u64::from(exponent - STEP_BITS + 1) * steps + step;
    usize::try_from(number).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The largest time that falls into a bucket.
fn upper_ns(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (power, step) = (bucket / STEPS - 1, (bucket % STEPS) as u64);
    ((STEPS as u64 + step + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_in_its_bucket_and_the_bucket_is_narrow(ns in 0u64..1 << 61) {
            let upper = upper_ns(bucket(ns));
            prop_assert!(ns <= upper && upper <= ns + ns / 32, "{} in a bucket up to {}", ns, upper);
            prop_assert!(bucket(ns) == 0 || upper_ns(bucket(ns) - 1) < ns);
        }
    }

    #[test]
    fn quantiles_are_where_they_should_be() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantiles(), Quantiles::default());
        (1..=1000).for_each(|ms| histogram.add(Duration::from_millis(ms)));
        histogram.add_between(5, 3);
        histogram.add(Duration::MAX);
        let found = histogram.quantiles();
        assert_eq!((found.count, found.max_ns), (1002, u64::MAX));
        for (ns, ms) in [(found.p50_ns, 500), (found.p99_ns, 990), (found.p999_ns, 1000)] {
            assert!((ms * 1_000_000..ms * 1_032_000).contains(&ns), "{ns} for {ms} ms");
        }
    }
}
