//! How far a robot's clock is from the field's, while it runs: the rule of sealed episodes (ADR 0016), without hindsight.

/// Below this a clock is called right and nothing is moved, ns.
const RIGHT_NS: u64 = 250_000_000;
/// A wrong clock is followed when it has moved by more than this, ns; else every window would move the rows a little.
const FOLLOW_NS: u64 = 20_000_000;
/// The fastest sample of this long decides, ns.
const WINDOW_NS: i64 = 2_000_000_000;

/// One robot's clock.
#[derive(Clone, Debug)]
pub(super) struct FieldClock {
    window: i64,
    /// Least delay of this window and of the one before, ns.
    fastest_ns: [i64; 2],
    shift_ns: i64,
}

impl Default for FieldClock {
    fn default() -> Self {
        Self { window: i64::MIN, fastest_ns: [i64::MAX; 2], shift_ns: 0 }
    }
}

impl FieldClock {
    /// Takes a sample's capture and receive time, ns. Nothing arrives before it was sent, so the fastest sample says most.
    pub(super) fn hear(&mut self, t_ns: i64, recv_ns: i64) {
        let window = recv_ns.div_euclid(WINDOW_NS);
        if window != self.window {
            let before = if self.window.checked_add(1) == Some(window) { self.fastest_ns[0] } else { i64::MAX };
            self.fastest_ns = [i64::MAX, before];
            self.window = window;
        }
        self.fastest_ns[0] = self.fastest_ns[0].min(recv_ns.saturating_sub(t_ns));
        let fastest_ns = self.fastest_ns[0].min(self.fastest_ns[1]);
        if fastest_ns.unsigned_abs() <= RIGHT_NS {
            self.shift_ns = 0;
        } else if fastest_ns.abs_diff(self.shift_ns) > FOLLOW_NS {
            self.shift_ns = fastest_ns;
        }
    }

    /// What to add to capture times, ns.
    pub(super) fn shift_ns(&self) -> i64 {
        self.shift_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Samples as (receive time, delay), ms; what is added to the capture time of the last, ms.
    #[track_caller]
    fn check(samples: &[(i64, i64)], expect_ms: i64) {
        let mut clock = FieldClock::default();
        samples.iter().for_each(|(recv, delay)| clock.hear((recv - delay) * MS, recv * MS));
        assert_eq!(clock.shift_ns() / MS, expect_ms, "{samples:?}");
    }

    #[test]
    fn the_fastest_sample_of_a_window_decides() {
        check(&[], 0);
        check(&[(0, 25), (20, 22), (40, 240)], 0);
        check(&[(0, 900), (20, 30)], 0);
        check(&[(0, 60_020)], 60_020);
        check(&[(0, -5_000), (20, -4_900)], -5_000);
        check(&[(0, 60_020), (20, 60_010)], 60_020);
        check(&[(0, 60_020), (20, 59_900)], 59_900);
    }

    #[test]
    fn a_clock_that_is_set_right_is_right_again_after_two_windows() {
        check(&[(0, 60_000), (2_100, 60_000), (2_200, 20)], 0);
        check(&[(0, 20), (500, 60_000), (2_100, 60_000), (3_900, 60_000)], 0);
        check(&[(0, 20), (500, 60_000), (2_100, 60_000), (4_100, 60_000)], 60_000);
        check(&[(0, 20), (90_000, 60_000)], 60_000);
    }
}
