use std::ops::Range;

use sanqu_model::ClockStats;

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
        let (rows, rows_in_episode, first_t_ns, last_t_ns) = (0, 0, None, None);
        let delays = Delays { kept: Vec::new(), every: 1, seen: 0 };
        Self { episode_ns, rows, rows_in_episode, first_t_ns, last_t_ns, pairs: Vec::new(), delays, next_pair: None }
    }

    /// Adds the rows of one sample, in order.
    pub(super) fn add(&mut self, run: u32, recv_ns: i64, t_ns: impl Iterator<Item = i64>) {
        let before = self.rows;
        for t_ns in t_ns {
            self.rows += 1;
            self.rows_in_episode += u64::from(self.episode_ns.contains(&t_ns));
            self.first_t_ns = self.first_t_ns.or(Some(t_ns));
            self.last_t_ns = Some(t_ns);
        }
        let Some(last_ns) = self.last_t_ns.filter(|_| self.rows > before) else { return };
        self.delays.add(recv_ns.saturating_sub(last_ns));
        if self.next_pair.is_none_or(|(of_run, due_ns)| of_run != run || recv_ns >= due_ns) {
            self.pairs.push(ClockPair { run, t_ns: last_ns, t_recv_ns: recv_ns });
            self.next_pair = Some((run, recv_ns.saturating_add(CLOCK_PAIR_NS)));
        }
    }

    /// Measured rate, Hz; 0 with fewer than two rows or when the clock did not advance.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn rate_hz(&self) -> f64 {
        let span_ns = self.last_t_ns.zip(self.first_t_ns).map_or(0, |(last, first)| last.saturating_sub(first));
        if self.rows < 2 || span_ns <= 0 { 0.0 } else { (self.rows - 1) as f64 * 1e9 / span_ns as f64 }
    }

    pub(super) fn clock(&self, id: u16) -> ClockStats {
        let mut delays = self.delays.kept.clone();
        delays.sort_unstable();
        let at = |percent: usize| delays.len().checked_sub(1).map_or(0, |last| delays[last * percent / 100]);
        ClockStats { id, offset_ns: at(50), jitter_ns: at(99).saturating_sub(at(50)) }
    }
}

/// Receive minus capture time of the last row of each sample, ns: of all, then of every second, fourth, … sample.
#[derive(Debug)]
struct Delays {
    kept: Vec<i64>,
    /// One of so many is kept.
    every: u64,
    seen: u64,
}

impl Delays {
    fn add(&mut self, delay_ns: i64) {
        if self.kept.len() >= DELAYS_MAX {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_exact_for_some_minutes_and_bounded_for_hours() {
        let mut delays = Delays { kept: Vec::new(), every: 1, seen: 0 };
        (0..DELAYS_MAX as i64).for_each(|delay| delays.add(delay));
        assert_eq!((delays.kept.len(), delays.every), (DELAYS_MAX, 1));
        (DELAYS_MAX as i64..5 * DELAYS_MAX as i64).for_each(|delay| delays.add(delay));
        assert!(delays.kept.len() <= DELAYS_MAX && delays.every == 8, "{} of every {}", delays.kept.len(), delays.every);
        assert!(delays.kept.windows(2).all(|pair| pair[1] - pair[0] == 8), "evenly over the whole time");
    }
}
