//! One recorded stream as the timeline sees it: when its rows are, and where some are missing.

use crate::track::{Gap, Growth, Instants};

/// A stream of a robot of the [`crate::replay::Replay`]. All instants are the timeline's, ns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// Index of the robot.
    pub robot: usize,
    /// The stream: `joint`, `camera/head`.
    pub stream: String,
    /// When its rows are valid.
    pub instants: Instants,
    /// Where rows are missing, sorted by time, without overlap.
    pub gaps: Vec<Gap>,
    /// Rows that the loss ledger counts as lost.
    pub lost_rows: u64,
    /// Whether the ledger has losses that nobody can place on the timeline or count.
    pub open_loss: bool,
    /// Typical time between rows, ns.
    pub period_ns: i64,
}

impl Lane {
    /// Adds rows at the end.
    pub fn grow(&mut self, growth: &Growth) {
        self.lost_rows = self.lost_rows.saturating_add(growth.gap.and_then(|gap| gap.rows).unwrap_or(0));
        self.gaps.extend(growth.gap);
        self.instants.grow(&growth.t_ns);
    }

    /// Forgets so many rows at the beginning.
    pub fn forget(&mut self, rows: usize) {
        self.instants.forget(rows);
        Gap::forget(&mut self.gaps, self.instants.as_slice().first().copied());
    }

    /// Age of the newest row at `t_ns`, ns; none before the first.
    pub fn age_ns(&self, t_ns: i64) -> Option<i64> {
        Some(t_ns - self.instants.as_slice()[self.instants.row_at(t_ns)?])
    }

    /// Whether rows are missing at `t_ns`.
    pub fn in_gap(&self, t_ns: i64) -> bool {
        Gap::holds(&self.gaps, t_ns)
    }

    /// How old a row of this stream may be before it no longer tells what is, ns.
    pub fn stale_age_ns(&self) -> i64 {
        crate::track::STALE_AGE_NS.max(self.period_ns.saturating_mul(3))
    }
}

/// The nearest row after (or before) `t_ns` of any of `lanes`.
pub fn step<'a>(lanes: impl IntoIterator<Item = &'a Lane>, t_ns: i64, forward: bool) -> Option<i64> {
    let lanes = lanes.into_iter();
    if forward {
        lanes.filter_map(|lane| lane.instants.after(t_ns)).min()
    } else {
        lanes.filter_map(|lane| lane.instants.before(t_ns)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(t_ns: &[i64]) -> Lane {
        Lane { instants: Instants::new(t_ns.iter().copied()), ..Lane::default() }
    }

    #[track_caller]
    fn check(t_ns: i64, forward: bool, expect: Option<i64>) {
        // The second clock stepped back once; two rows share the instant 40.
        let lanes = [lane(&[10, 20, 30]), lane(&[5, 40, 38, 45])];
        assert_eq!(step(&lanes, t_ns, forward), expect, "from {t_ns}, forward {forward}");
    }

    #[test]
    fn the_next_row_is_that_of_whichever_stream_comes_first() {
        check(0, true, Some(5));
        check(5, true, Some(10));
        check(30, true, Some(40));
        check(45, true, None);
        check(45, false, Some(40));
        check(11, false, Some(10));
        check(10, false, Some(5));
        check(5, false, None);
    }
}
