//! Rows of one stream for the motors or joints of one drive.

use sanqu_store::Series;

use crate::track::{Blend, Breaks, Gap, Instants};

/// One recorded quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// `pos`, `vel`, `current`, …
    pub quantity: String,
    /// Its unit as recorded.
    pub unit: String,
    /// Row-major, one value for each of [`Log::names`].
    pub values: Vec<f64>,
}

/// Rows of a stream, reduced to the elements that one x-ray needs.
#[derive(Clone, Debug, Default, PartialEq)]
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

    /// Adds a quantity; false when its rows are not the log's.
    #[must_use]
    pub fn add(&mut self, quantity: &str, unit: &str, series: Series) -> bool {
        let fits = series.names == self.names && series.values.len() == self.rows() * self.names.len();
        if fits {
            self.channels.push(Channel { quantity: quantity.to_owned(), unit: unit.to_owned(), values: series.values });
        }
        fits
    }

    /// The part of the log that concerns these elements, in this order; none when one is missing.
    pub fn pick(&self, wanted: &[String]) -> Option<Self> {
        let columns = wanted.iter().map(|name| self.names.iter().position(|known| known == name)).collect::<Option<Vec<_>>>()?;
        let picked = |channel: &Channel| Channel {
            values: channel.values.chunks(self.names.len().max(1)).flat_map(|row| columns.iter().map(|column| row[*column])).collect(),
            ..channel.clone()
        };
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

    /// A recorded value; none where the quantity was not recorded or is not a finite number.
    pub fn value(&self, quantity: &str, element: usize, row: usize) -> Option<f64> {
        let channel = self.channels.iter().find(|channel| channel.quantity == quantity)?;
        let value = *channel.values.get(row * self.names.len() + element)?;
        (element < self.names.len() && value.is_finite()).then_some(value)
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

    /// A value at an instant: held from the row before, or on the straight way to the next where `blend` asks for it and
    /// nothing is missing between them.
    pub fn at(&self, quantity: &str, element: usize, t_ns: i64, blend: Blend) -> Option<f64> {
        let row = self.instants.row_at(t_ns)?;
        let before = self.value(quantity, element, row)?;
        let Some(share) = self.instants.way(row, t_ns, blend, &self.breaks) else { return Some(before) };
        Some(before + (self.value(quantity, element, row + 1)? - before) * share)
    }

    /// The value of an instant that lies on a row, or on a way between two rows; none elsewhere: a held value would be late.
    pub fn exact(&self, quantity: &str, element: usize, t_ns: i64) -> Option<f64> {
        let HeldRow { row, age_ns } = self.held(t_ns)?;
        let known = age_ns == 0 || self.instants.way(row, t_ns, Blend::Interpolate, &self.breaks).is_some();
        if known { self.at(quantity, element, t_ns, Blend::Interpolate) } else { None }
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
        assert_eq!(log().pick(&["c".to_owned()]), None);
    }
}
