//! Durations in buckets that are at most 3 % wide: enough for percentiles, cheap enough for every sample.

/// What is told of a [`Histogram`], ns.
pub(crate) use sanqu_record::Quantiles;

/// Buckets per power of two.
const PARTS: u64 = 32;
/// Powers of two above the exact range, times the parts, plus the exact range.
const BUCKETS: usize = 60 * 32;

/// Counts durations, ns. Negative ones count as zero.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, max_ns: 0 }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, ns: i64) {
        let ns = u64::try_from(ns).unwrap_or(0);
        if let Some(bucket) = self.counts.get_mut(bucket_of(ns)) {
            *bucket += 1;
        }
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.count += other.count;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.count,
            p50_ns: self.quantile(500),
            p99_ns: self.quantile(990),
            p999_ns: self.quantile(999),
            max_ns: self.max_ns,
        }
    }

    /// The upper edge of the bucket that holds this share of the counts, never more than the largest duration.
    fn quantile(&self, permille: u64) -> u64 {
        let wanted = (self.count * permille).div_ceil(1000);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_edge(bucket).min(self.max_ns);
            }
        }
        self.max_ns
    }
}

fn bucket_of(ns: u64) -> usize {
    let bucket = if ns < PARTS {
        ns
    } else {
        let exponent = u64::from(ns.ilog2());
        (exponent - 4) * PARTS + ((ns >> (exponent - 5)) & (PARTS - 1))
    };
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

fn upper_edge(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let shift = bucket / PARTS - 1;
    ((PARTS + bucket % PARTS + 1) << shift).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_holds_what_it_is_given_within_a_thirtieth(ns in 0u64..=u64::MAX) {
            let (bucket, edge) = (bucket_of(ns), upper_edge(bucket_of(ns)));
            prop_assert!(bucket < BUCKETS);
            prop_assert!(edge >= ns && edge - ns <= ns / 30 + 1, "{ns} is in a bucket up to {edge}");
            prop_assert!(bucket == 0 || upper_edge(bucket - 1) < ns);
        }
    }

    #[test]
    fn percentiles_of_a_hundred() {
        let (mut low, mut high) = (Histogram::default(), Histogram::default());
        (1..=50).for_each(|ms| low.add(ms * 1_000_000));
        (51..=100).for_each(|ms| high.add(ms * 1_000_000));
        low.merge(&high);
        let found = low.quantiles();
        let near = |found_ns: u64, ms: u64| found_ns >= ms * 1_000_000 && found_ns < ms * 1_040_000;
        assert!(near(found.p50_ns, 50) && near(found.p99_ns, 99) && near(found.p999_ns, 100), "{found:?}");
        assert_eq!((found.count, found.max_ns), (100, 100_000_000));
    }

    #[test]
    fn nothing_and_negative_durations_are_zero() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantiles(), Quantiles::default());
        histogram.add(-5);
        assert_eq!((histogram.quantiles().count, histogram.quantiles().max_ns), (1, 0));
    }
}
