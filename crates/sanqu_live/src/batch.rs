//! Rows that are collected for a moment, because one rerun chunk costs some 2 kB however small it is.

use re_sdk::log::TimeColumn;

/// The timeline of everything: capture time, ns since the Unix epoch.
pub(crate) const TIMELINE: &str = "robot_time";

/// Rows of one entity in order of arrival, with their capture times.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    t_ns: Vec<i64>,
    items: Vec<T>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { t_ns: Vec::new(), items: Vec::new() }
    }
}

impl<T> Batch<T> {
    /// Adds one row of any number of items.
    pub(crate) fn push(&mut self, t_ns: i64, items: impl IntoIterator<Item = T>) {
        self.t_ns.push(t_ns);
        self.items.extend(items);
    }

    /// Whether the rows span at least `span_ns`. A clock that steps back is a reason to send, too.
    pub(crate) fn is_due(&self, span_ns: i64) -> bool {
        match (self.t_ns.first(), self.t_ns.last()) {
            (Some(first), Some(last)) => last < first || last.saturating_sub(*first) >= span_ns,
            _ => false,
        }
    }

    /// Takes the rows: their time column, their number, their items. None when there are none.
    pub(crate) fn take(&mut self) -> Option<(TimeColumn, usize, Vec<T>)> {
        if self.t_ns.is_empty() {
            return None;
        }
        let t_ns = std::mem::take(&mut self.t_ns);
        let rows = t_ns.len();
        // rerun reserves the smallest number for static data.
        let t_ns = t_ns.into_iter().map(|t| t.max(i64::MIN + 1));
        Some((TimeColumn::new_timestamp_nanos_since_epoch(TIMELINE, t_ns), rows, std::mem::take(&mut self.items)))
    }
}
