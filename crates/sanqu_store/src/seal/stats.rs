use std::ops::Range;

use sanqu_model::{Chunk, ClockStats};

/// Receive and capture clock are compared about this often in `clocks.parquet`, ns.
const CLOCK_PAIR_NS: i64 = 1_000_000_000;

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
    /// Receive minus capture time of the last row of each sample, ns.
    delays_ns: Vec<i64>,
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
        Self { episode_ns, rows, rows_in_episode, first_t_ns, last_t_ns, pairs: Vec::new(), delays_ns: Vec::new(), next_pair: None }
    }

    /// Adds the rows of one sample.
    pub(super) fn add(&mut self, chunk: &Chunk) {
        let (Some(last_ns), Some(recv_ns), Some(run)) = (chunk.t_ns().last(), chunk.t_recv_ns().last(), chunk.run().last()) else {
            return;
        };
        self.rows += chunk.rows() as u64;
        self.rows_in_episode += chunk.t_ns().iter().filter(|t| self.episode_ns.contains(t)).count() as u64;
        self.first_t_ns = self.first_t_ns.or(chunk.t_ns().first().copied());
        self.last_t_ns = Some(*last_ns);
        self.delays_ns.push(recv_ns.saturating_sub(*last_ns));
        if self.next_pair.is_none_or(|(of_run, due_ns)| of_run != *run || *recv_ns >= due_ns) {
            self.pairs.push(ClockPair { run: *run, t_ns: *last_ns, t_recv_ns: *recv_ns });
            self.next_pair = Some((*run, recv_ns.saturating_add(CLOCK_PAIR_NS)));
        }
    }

    /// Measured rate, Hz; 0 with fewer than two rows or when the clock did not advance.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn rate_hz(&self) -> f64 {
        let span_ns = self.last_t_ns.zip(self.first_t_ns).map_or(0, |(last, first)| last.saturating_sub(first));
        if self.rows < 2 || span_ns <= 0 { 0.0 } else { (self.rows - 1) as f64 * 1e9 / span_ns as f64 }
    }

    pub(super) fn clock(&self, id: u16) -> ClockStats {
        let mut delays = self.delays_ns.clone();
        delays.sort_unstable();
        let at = |percent: usize| delays.len().checked_sub(1).map_or(0, |last| delays[last * percent / 100]);
        ClockStats { id, offset_ns: at(50), jitter_ns: at(99).saturating_sub(at(50)) }
    }
}
