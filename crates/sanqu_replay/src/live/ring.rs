//! How much of a live replay is held.

/// What is held, s: how far back one can go.
pub const HOLD_SECS: u32 = 60;
/// Bytes that rows and pictures may take; with more, less than [`HOLD_SECS`] is held.
pub const RING_BYTES_MAX: usize = 512 << 20;
/// How much is forgotten at once, ns: moving what stays costs as much for one row as for many.
const STEP_NS: i64 = 2_000_000_000;

/// Limits of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingLimits {
    /// The longest time, ns.
    pub hold_ns: i64,
    /// The most bytes.
    pub bytes_max: usize,
}

impl Default for RingLimits {
    fn default() -> Self {
        Self { hold_ns: i64::from(HOLD_SECS) * 1_000_000_000, bytes_max: RING_BYTES_MAX }
    }
}

impl RingLimits {
    /// From which instant on rows should be held, when the oldest are of `oldest_ns`, the newest of `newest_ns`, and all
    /// take `bytes`; none when nothing has to go.
    pub(super) fn keep_from(&self, oldest_ns: i64, newest_ns: i64, bytes: usize) -> Option<i64> {
        let full = bytes > self.bytes_max;
        let long = newest_ns.saturating_sub(oldest_ns) > self.hold_ns.saturating_add(STEP_NS);
        let from_ns = newest_ns.saturating_sub(self.hold_ns);
        match (full, long) {
            (false, false) => None,
            (false, true) => Some(from_ns),
            // A share of what is held is worth less than a step when everything is held for a short time only.
            (true, _) => {
                let step_ns = STEP_NS.min(newest_ns.saturating_sub(oldest_ns) / 4).max(1);
                Some(from_ns.max(oldest_ns.saturating_add(step_ns)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_or_too_much_goes() {
        const S: i64 = 1_000_000_000;
        let limits = RingLimits { hold_ns: 60 * S, bytes_max: 1000 };
        let check = |oldest: i64, newest: i64, bytes, expect: Option<i64>| {
            assert_eq!(limits.keep_from(oldest * S, newest * S, bytes).map(|ns| ns / S), expect, "{oldest}..{newest} s, {bytes} bytes");
        };
        check(0, 62, 1000, None);
        check(0, 63, 1000, Some(3));
        check(0, 40, 1001, Some(2));
        check(0, 4, 1001, Some(1));
        check(0, 90, 1001, Some(30));
        assert_eq!(limits.keep_from(5, 5, 1001), Some(6), "it never stands still");
    }
}
