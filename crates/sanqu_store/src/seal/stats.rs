use std::ops::Range;

use sanqu_model::ClockStats;

use super::clock::Clock;

/// Receive and capture clock are compared about this often in `clocks.parquet`, ns.
const CLOCK_PAIR_NS: i64 = 1_000_000_000;
/// Delays that are kept for median and jitter: exact up to ten minutes of 100 samples a second.
const DELAYS_MAX: usize = 1 << 16;

/// What the manifest says about the rows of a stream.
#[derive(Debug)]
pub(super) struct Stats {
    episode_ns: Range<i64>,
    pub(super) rows: u64,
    pub(super) rows_in_episode: u64,
    pub(super) first_t_ns: Option<i64>,
    pub(super) last_t_ns: Option<i64>,
    /// Pairs for `clocks.parquet`.
    pub(super) pairs: Vec<ClockPair>,
    delays: Delays,
    pub(super) clock: Clock,
    next_pair: Option<(u32, i64)>,
}

/// Both clocks at the same sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockPair {
    pub(super) run: u32,
    pub(super) t_ns: i64,
    pub(super) t_recv_ns: i64,
}

impl Stats {
    pub(super) fn new(episode_ns: Range<i64>) -> Self {
        Self {
            episode_ns,
            rows: 0,
            rows_in_episode: 0,
            first_t_ns: None,
            last_t_ns: None,
            pairs: Vec::new(),
            delays: Delays::new(DELAYS_MAX),
            clock: Clock::default(),
            next_pair: None,
        }
    }

    /// Adds the rows of one sample, in order.
    pub(super) fn add(&mut self, (run, seq): (u32, u64), recv_ns: i64, t_ns: impl Iterator<Item = i64>) {
        let mut ends_ns = None;
        for (seq, t_ns) in (seq..).zip(t_ns) {
            self.rows += 1;
            self.clock.row((run, seq), t_ns, recv_ns);
            self.rows_in_episode += u64::from(self.episode_ns.contains(&t_ns));
            ends_ns = Some((ends_ns.map_or(t_ns, |(first, _)| first), t_ns));
        }
        let Some((first_ns, last_ns)) = ends_ns else { return };
        self.first_t_ns = self.first_t_ns.or(Some(first_ns));
        self.last_t_ns = Some(last_ns);
        self.delays.add(recv_ns.saturating_sub(last_ns));
        self.clock.sample(recv_ns);
        if self.next_pair.is_none_or(|(of_run, due_ns)| of_run != run || recv_ns >= due_ns) {
            self.pairs.push(ClockPair { run, t_ns: last_ns, t_recv_ns: recv_ns });
            self.next_pair = Some((run, recv_ns.saturating_add(CLOCK_PAIR_NS)));
        }
    }

    pub(super) fn clock_stats(&self, id: u16) -> ClockStats {
        let mut delays = self.delays.kept.clone();
        delays.sort_unstable();
        let at = |percent: usize| delays.len().checked_sub(1).map_or(0, |last| delays[last * percent / 100]);
        ClockStats { id, offset_ns: at(50), jitter_ns: at(99).saturating_sub(at(50)) }
    }
}

/// Measured rate over rows of which the first and the last have these times, Hz; 0 with fewer than two rows or when the
/// clock did not advance.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
pub(super) fn rate_hz(rows: u64, ends_ns: Option<(i64, i64)>) -> f64 {
    let span_ns = ends_ns.map_or(0, |(first, last)| last.saturating_sub(first));
    if rows < 2 || span_ns <= 0 { 0.0 } else { (rows - 1) as f64 * 1e9 / span_ns as f64 }
}

/// Delays of samples, receive minus capture time of the last row, ns: of all, then of every second, fourth, … sample.
#[derive(Debug)]
pub(super) struct Delays {
    kept: Vec<i64>,
    kept_max: usize,
    /// One of so many is kept.
    every: u64,
    seen: u64,
}

impl Delays {
    pub(super) fn new(kept_max: usize) -> Self {
        Self { kept: Vec::new(), kept_max, every: 1, seen: 0 }
    }

    pub(super) fn add(&mut self, delay_ns: i64) {
        if self.kept.len() >= self.kept_max {
            let mut number = 0;
            self.kept.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
        if self.seen.is_multiple_of(self.every) {
            self.kept.push(delay_ns);
        }
        self.seen += 1;
    }

    pub(super) fn kept(&self) -> &[i64] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_exact_for_some_minutes_and_bounded_for_hours() {
        let mut delays = Delays::new(DELAYS_MAX);
        (0..DELAYS_MAX as i64).for_each(|delay| delays.add(delay));
        assert_eq!((delays.kept.len(), delays.every), (DELAYS_MAX, 1));
        (DELAYS_MAX as i64..5 * DELAYS_MAX as i64).for_each(|delay| delays.add(delay));
        assert!(delays.kept.len() <= DELAYS_MAX && delays.every == 8, "{} of every {}", delays.kept.len(), delays.every);
        assert!(delays.kept.windows(2).all(|pair| pair[1] - pair[0] == 8), "evenly over the whole time");
    }

    #[test]
    fn clocks_are_compared_once_a_second_and_at_every_run() {
        let mut stats = Stats::new(0..i64::MAX);
        let sample = |stats: &mut Stats, run: u32, recv_ns: i64| stats.add((run, 0), recv_ns, [recv_ns - 9, recv_ns - 4].into_iter());
        for recv_ns in [100, 101, CLOCK_PAIR_NS + 99, CLOCK_PAIR_NS + 100] {
            sample(&mut stats, 0, recv_ns);
        }
        sample(&mut stats, 1, CLOCK_PAIR_NS + 101);
        let pairs: Vec<(u32, i64, i64)> = stats.pairs.iter().map(|pair| (pair.run, pair.t_ns, pair.t_recv_ns)).collect();
        let pair = |run: u32, recv_ns: i64| (run, recv_ns - 4, recv_ns);
        assert_eq!(pairs, [pair(0, 100), pair(0, CLOCK_PAIR_NS + 100), pair(1, CLOCK_PAIR_NS + 101)]);
    }

    #[test]
    fn offset_and_jitter_are_of_the_last_rows_delays() {
        let mut stats = Stats::new(0..i64::MAX);
        for delay in 0..=200 {
            stats.add((0, 0), 1000, [0, 1000 - delay].into_iter());
        }
        assert_eq!(stats.clock_stats(3), ClockStats { id: 3, offset_ns: 100, jitter_ns: 98 });
    }
}
