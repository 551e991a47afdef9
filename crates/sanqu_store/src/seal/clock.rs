//! What the samples of a stream say about the clock that stamped them.

use super::stats::Delays;

/// Differences between capture and receive time that transport explains, ns. Smaller errors of a clock are left alone.
pub(super) const TRANSPORT_MAX_NS: i64 = 250_000_000;
/// Stretches of one stream that are told apart. A clock that steps more often is followed no further.
pub(super) const STRETCHES_MAX: usize = 256;
/// Delays that are kept of each stretch.
const DELAYS_MAX: usize = 1024;
/// A wrong clock is believed from so many samples on …
const SAMPLES_MIN: u64 = 8;
/// … that were captured over so much time, ns.
const SPAN_MIN_NS: i64 = 500_000_000;

/// Follows the clock of one stream, row by row in order of run and sequence.
#[derive(Debug, Default)]
pub(super) struct Clock {
    pub(super) stretches: Vec<Stretch>,
    /// Capture time of the last row, ns.
    last_t_ns: i64,
    /// Whether there were more than [`STRETCHES_MAX`] stretches; the last one then has rows of several.
    pub(super) is_crowded: bool,
}

/// Consecutive rows of one run between two steps of the clock.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) run: u32,
    pub(super) from_seq: u64,
    /// First and last receive time of its samples, ns.
    recv_ns: (i64, i64),
    /// Capture times of its first and its last row, ns.
    t_ns: (i64, i64),
    samples: u64,
    /// Receive minus capture time of the fastest sample's last row, ns.
    pub(super) least_ns: i64,
    delays: Delays,
}

impl Clock {
    /// Adds a row of a sample that was received at `recv_ns`; its clock may have stepped before any row of a sample.
    pub(super) fn row(&mut self, (run, seq): (u32, u64), t_ns: i64, recv_ns: i64) {
        let (step_ns, delay_ns) = (t_ns.saturating_sub(self.last_t_ns), recv_ns.saturating_sub(t_ns));
        self.last_t_ns = t_ns;
        if self.stretches.last().is_some_and(|last| last.run == run && !last.ends_before(step_ns, delay_ns)) {
            return;
        }
        if self.stretches.len() == STRETCHES_MAX {
            self.is_crowded = true;
            return;
        }
        let (recv_ns, t_ns, delays) = ((recv_ns, recv_ns), (t_ns, t_ns), Delays::new(DELAYS_MAX));
        self.stretches.push(Stretch { run, from_seq: seq, recv_ns, t_ns, samples: 0, least_ns: delay_ns, delays });
    }

    /// Ends a sample: its last row is the one that was under way for the shortest time.
    pub(super) fn sample(&mut self, recv_ns: i64) {
        let Some(last) = self.stretches.last_mut() else { return };
        let delay_ns = recv_ns.saturating_sub(self.last_t_ns);
        last.recv_ns = (last.recv_ns.0.min(recv_ns), last.recv_ns.1.max(recv_ns));
        last.t_ns.1 = self.last_t_ns;
        last.samples += 1;
        last.least_ns = last.least_ns.min(delay_ns);
        last.delays.add(delay_ns);
    }
}

impl Stretch {
    /// Whether the clock stepped before a row: back, or so far ahead that the row would have come before it was sent.
    fn ends_before(&self, step_ns: i64, delay_ns: i64) -> bool {
        step_ns < -TRANSPORT_MAX_NS || (step_ns > TRANSPORT_MAX_NS && delay_ns < self.least_ns.saturating_sub(TRANSPORT_MAX_NS))
    }

    /// Whether a right clock explains the delays.
    pub(super) fn is_right(&self) -> bool {
        self.least_ns.saturating_abs() <= TRANSPORT_MAX_NS
    }

    /// Whether the delays say something about the clock. A right one explains them; a wrong one is believed only from
    /// enough samples that came one after another as they were captured, most of them about as fast as the fastest: what
    /// waited somewhere and was sent again comes all at once, each row late by another time.
    pub(super) fn is_evidence(&self) -> bool {
        let near_ns = self.least_ns.saturating_add(TRANSPORT_MAX_NS);
        let is_steady = || 2 * self.delays.kept().iter().filter(|delay| **delay <= near_ns).count() >= self.delays.kept().len();
        let captured_ns = self.t_ns.1.saturating_sub(self.t_ns.0);
        let is_paced = || captured_ns >= SPAN_MIN_NS && self.lasts_ns() >= captured_ns / 2;
        self.is_right() || (self.samples >= SAMPLES_MIN && is_paced() && is_steady())
    }

    /// How much longer than the fastest the sample in the middle took, ns.
    pub(super) fn spread_ns(&self) -> i64 {
        let mut delays = self.delays.kept().to_vec();
        delays.sort_unstable();
        delays.get(delays.len() / 2).map_or(0, |median| median.saturating_sub(self.least_ns))
    }

    fn lasts_ns(&self) -> i64 {
        self.recv_ns.1.saturating_sub(self.recv_ns.0)
    }

    /// Whether the other stretch covers most of this one.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let shared_ns = self.recv_ns.1.min(other.recv_ns.1).saturating_sub(self.recv_ns.0.max(other.recv_ns.0));
        shared_ns >= 0 && shared_ns >= self.lasts_ns() / 2
    }
}
