/// One quantity of a stream over time, row-major: row `i` is `values[i * names.len()..][..names.len()]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Times on the field timeline in file order, ns since the Unix epoch: capture times, moved where the robot's clock was
    /// wrong ([`StreamEntry::field_ns`](sanqu_model::StreamEntry::field_ns)). Small steps back may be left.
    pub t_ns: Vec<i64>,
    /// Element names in order, as the stream gave them (`l_knee_pitch_joint`).
    pub names: Vec<String>,
    /// Values as f64, whatever type they have in the file.
    pub values: Vec<f64>,
}

impl Series {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.t_ns.len()
    }

    /// The values of a row; empty when there is no such row.
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.names.len();
        row.checked_mul(width).and_then(|start| self.values.get(start..start + width)).unwrap_or(&[])
    }

    /// A cursor over the series.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }
}

/// Finds the row that was valid at an instant.
///
/// A capture clock may step back by less than a timeline notices, so the search runs over the running maximum of the times:
/// after a step back, rows follow in file order at the instant before the step until the clock has caught up.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    series: &'a Series,
    timeline_ns: Vec<i64>,
}

/// What a [`Cursor`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampled<'a> {
    /// The row's values.
    pub values: &'a [f64],
    /// How much older the row is than the instant asked for, ns; never negative.
    pub age_ns: i64,
    /// The row's number.
    pub row: usize,
}

impl<'a> Cursor<'a> {
    /// Makes a cursor; takes one pass over the times.
    pub fn new(series: &'a Series) -> Self {
        let mut latest = i64::MIN;
        let timeline_ns = series
            .t_ns
            .iter()
            .map(|t| {
                latest = latest.max(*t);
                latest
            })
            .collect();
        Self { series, timeline_ns }
    }

    /// The last row at or before `t_ns` (held, not interpolated); none before the first.
    pub fn at(&self, t_ns: i64) -> Option<Sampled<'a>> {
        let row = self.timeline_ns.partition_point(|t| *t <= t_ns).checked_sub(1)?;
        Some(Sampled { values: self.series.row(row), age_ns: t_ns.saturating_sub(self.timeline_ns[row]), row })
    }
}
