//! Rows of one stream for the motors or joints of one drive.

use std::sync::Arc;

use sanqu_store::Series;

use crate::track::{Blend, Breaks, Gap, Instants};
use crate::windows::{RowSource, Unreadable};

/// One recorded quantity.
#[derive(Clone, Debug)]
pub struct Channel {
    /// `pos`, `vel`, `current`, …
    pub quantity: String,
    /// Its unit as recorded.
    pub unit: String,
    /// Where its values are.
    pub rows: Arc<RowSource>,
    /// For each of [`Log::names`], its place in a row.
    pub columns: Vec<usize>,
}

/// Rows of a stream, reduced to the elements that one x-ray needs. Times are in memory, values where their source has them.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Names of the elements, as recorded.
    pub names: Vec<String>,
    instants: Instants,
    breaks: Breaks,
    channels: Vec<Channel>,
}

/// The row held at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// Its number.
    pub row: usize,
    /// How old it is, ns.
    pub age_ns: i64,
}

impl Log {
    /// A log of rows at these capture times, without quantities yet.
    pub fn new(names: Vec<String>, t_ns: &[i64], breaks: Breaks) -> Self {
        Self { names, instants: Instants::new(t_ns.iter().copied()), breaks, channels: Vec::new() }
    }

    /// A log of channels whose rows are at these instants.
    pub fn of_channels(names: Vec<String>, instants: Instants, breaks: Breaks, channels: Vec<Channel>) -> Self {
        Self { names, instants, breaks, channels }
    }

    /// Adds a quantity; false when its rows are not the log's.
    #[must_use]
    pub fn add(&mut self, quantity: &str, unit: &str, series: Series) -> bool {
        let fits = series.names == self.names && series.values.len() == self.rows() * self.names.len();
        if fits {
            let (quantity, unit, columns) = (quantity.to_owned(), unit.to_owned(), (0..self.names.len()).collect());
            let rows = Arc::new(RowSource::Memory { width: self.names.len(), values: series.values });
            self.channels.push(Channel { quantity, unit, rows, columns });
        }
        fits
    }

    /// The part of the log that concerns these elements, in this order; none when one is missing.
    pub fn pick(&self, wanted: &[String]) -> Option<Self> {
        let columns = wanted.iter().map(|name| self.names.iter().position(|known| known == name)).collect::<Option<Vec<_>>>()?;
        let picked =
            |channel: &Channel| Channel { columns: columns.iter().map(|column| channel.columns[*column]).collect(), ..channel.clone() };
        let channels = self.channels.iter().map(picked).collect();
        Some(Self { names: wanted.to_vec(), instants: self.instants.clone(), breaks: self.breaks.clone(), channels })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.instants.as_slice().len()
    }

    /// Capture time of a row, ns.
    pub fn t_ns(&self, row: usize) -> Option<i64> {
        self.instants.as_slice().get(row).copied()
    }

    /// A recorded value; none where the quantity was not recorded, cannot be read or is not a finite number.
    pub fn value(&self, quantity: &str, element: usize, row: usize) -> Option<f64> {
        self.read(quantity, element, row, false)
    }

    /// Why the row that was last shown ([`Log::at`]) could not be read; none when it could.
    pub fn problem(&self) -> Option<Unreadable> {
        self.channels.iter().find_map(|channel| channel.rows.problem())
    }

    fn read(&self, quantity: &str, element: usize, row: usize, shown: bool) -> Option<f64> {
        let channel = self.channels.iter().find(|channel| channel.quantity == quantity)?;
        let values = if shown { channel.rows.row(row) } else { channel.rows.peek(row) };
        let value = *values.ok()?.get(*channel.columns.get(element)?)?;
        value.is_finite().then_some(value)
    }

    /// The unit of a quantity; none where it was not recorded.
    pub fn unit(&self, quantity: &str) -> Option<&str> {
        self.channels.iter().find(|channel| channel.quantity == quantity).map(|channel| channel.unit.as_str())
    }

    /// The last row at or before an instant.
    pub fn held(&self, t_ns: i64) -> Option<HeldRow> {
        let row = self.instants.row_at(t_ns)?;
        Some(HeldRow { row, age_ns: t_ns.saturating_sub(self.t_ns(row)?) })
    }

    /// Number of the first row after an instant.
    pub fn after(&self, t_ns: i64) -> usize {
        self.instants.row_at(t_ns).map_or(0, |row| row + 1)
    }

    /// Whether rows are missing at an instant.
    pub fn in_gap(&self, t_ns: i64) -> bool {
        Gap::holds(&self.breaks.gaps, t_ns)
    }

    /// A value at the instant that is shown: held from the row before, or on the straight way to the next where `blend` asks
    /// for it and nothing is missing between them.
    pub fn at(&self, quantity: &str, element: usize, t_ns: i64, blend: Blend) -> Option<f64> {
        self.between(quantity, element, t_ns, blend, true)
    }

    fn between(&self, quantity: &str, element: usize, t_ns: i64, blend: Blend, shown: bool) -> Option<f64> {
        let row = self.instants.row_at(t_ns)?;
        let before = self.read(quantity, element, row, shown)?;
        let Some(share) = self.instants.way(row, t_ns, blend, &self.breaks) else { return Some(before) };
        Some(before + (self.value(quantity, element, row + 1)? - before) * share)
    }

    /// The value of an instant that lies on a row, or on a way between two rows; none elsewhere: a held value would be late.
    pub fn exact(&self, quantity: &str, element: usize, t_ns: i64) -> Option<f64> {
        let HeldRow { row, age_ns } = self.held(t_ns)?;
        let known = age_ns == 0 || self.instants.way(row, t_ns, Blend::Interpolate, &self.breaks).is_some();
        if known { self.between(quantity, element, t_ns, Blend::Interpolate, false) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let gaps = vec![Gap { from_ns: 20, to_ns: 90, rows: Some(6), cause: None }];
        let mut log = Log::new(names.clone(), &[0, 10, 20, 90, 80], Breaks { gaps, restarts: Vec::new() });
        let values = vec![0.0, 1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0, 7.0, 8.0, 9.0];
        assert!(log.add("pos", "rad", Series { t_ns: vec![], names: names.clone(), values }));
        assert!(!log.add("vel", "rad/s", Series { t_ns: vec![], names, values: vec![0.0] }), "rows that are not the log's");
        log
    }

    #[test]
    fn rows_are_held_and_what_is_no_number_is_nothing() {
        let log = log();
        assert_eq!(log.held(-1), None);
        assert_eq!(log.held(19), Some(HeldRow { row: 1, age_ns: 9 }));
        assert_eq!(log.held(95), Some(HeldRow { row: 4, age_ns: 5 }), "after a step back the clock stands still");
        assert_eq!(
            (log.value("pos", 1, 1), log.value("pos", 1, 2), log.value("vel", 0, 0), log.value("pos", 2, 0)),
            (Some(3.0), None, None, None)
        );
        assert_eq!(log.unit("pos"), Some("rad"));
    }

    #[test]
    fn positions_between_rows_are_on_a_line_but_not_across_gaps() {
        let log = log();
        assert_eq!((log.exact("pos", 0, 15), log.exact("pos", 0, 20)), (Some(3.0), Some(4.0)));
        assert_eq!((log.at("pos", 0, 15, Blend::Hold), log.at("pos", 0, 15, Blend::Interpolate)), (Some(2.0), Some(3.0)));
        assert_eq!((log.exact("pos", 0, 50), log.exact("pos", 1, 15), log.exact("pos", 0, 99)), (None, None, None));
        assert_eq!(log.at("pos", 0, 50, Blend::Interpolate), Some(4.0), "held in a gap");
        assert!(log.in_gap(21) && !log.in_gap(20) && !log.in_gap(90));
    }

    #[test]
    fn elements_are_picked_by_name() {
        let picked = log().pick(&["b".to_owned()]).unwrap();
        assert_eq!((picked.names.len(), picked.value("pos", 0, 3)), (1, Some(7.0)));
        let turned = log().pick(&["b".to_owned(), "a".to_owned()]).unwrap();
        assert_eq!([0, 1].map(|element| turned.value("pos", element, 3)), [Some(7.0), Some(6.0)], "in the order asked for");
        assert!(log().pick(&["c".to_owned()]).is_none());
    }
}
