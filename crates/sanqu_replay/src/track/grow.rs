//! Tracks of a robot that is still moving: rows are added at the end and forgotten at the beginning.

use std::sync::Arc;

use sanqu_robot::RobotModel;

use super::{Breaks, Gap, Instants, Track};
use crate::windows::RowSource;

/// Rows that a stream has grown by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// When they were captured, on the field timeline, ns.
    pub t_ns: Vec<i64>,
    /// What is missing before the first of them.
    pub gap: Option<Gap>,
    /// Whether they come from another start of the source than the rows before.
    pub restart: bool,
}

impl Instants {
    /// Adds rows at the end.
    pub fn grow(&mut self, t_ns: &[i64]) {
        let mut latest = self.0.last().copied().unwrap_or(i64::MIN);
        Arc::make_mut(&mut self.0).extend(t_ns.iter().map(|t| {
            latest = latest.max(*t);
            latest
        }));
    }

    /// Forgets so many rows at the beginning.
    pub fn forget(&mut self, rows: usize) {
        let rows = rows.min(self.0.len());
        Arc::make_mut(&mut self.0).drain(..rows);
    }
}

impl Breaks {
    /// Takes down what is broken before rows that come behind `rows` others.
    pub fn grow(&mut self, rows: usize, growth: &Growth) {
        self.gaps.extend(growth.gap);
        if growth.restart {
            self.restarts.push(rows);
        }
    }

    /// Forgets what concerns only the first `rows` rows; the next is of `from_ns`, if there is one.
    pub fn forget(&mut self, rows: usize, from_ns: Option<i64>) {
        Gap::forget(&mut self.gaps, from_ns);
        self.restarts = self.restarts.iter().filter_map(|row| row.checked_sub(rows)).filter(|row| *row > 0).collect();
    }
}

impl Gap {
    /// Forgets the gaps before the first row that is left, at `from_ns`; all when none is left.
    pub fn forget(gaps: &mut Vec<Self>, from_ns: Option<i64>) {
        gaps.retain(|gap| from_ns.is_some_and(|from_ns| gap.to_ns > from_ns));
    }
}

impl RowSource {
    /// Adds values at the end; false when this source cannot grow.
    pub(crate) fn grow(&mut self, more: &[f64]) -> bool {
        match self {
            Self::Memory { values, .. } => values.extend(more),
            Self::Windows(_) => return false,
        }
        true
    }

    /// Forgets so many rows at the beginning, if this source can.
    pub(crate) fn forget(&mut self, rows: usize) {
        if let Self::Memory { width, values } = self {
            values.drain(..rows.saturating_mul(*width).min(values.len()));
        }
    }
}

impl Track {
    /// A track that has no rows yet, of positions of these elements.
    pub fn growing(model: &RobotModel, names: Vec<String>, rest: Vec<f64>) -> Self {
        let rows = RowSource::Memory { width: names.len(), values: Vec::new() };
        let track = Self::of_rows(model, names, rows, Arc::default(), rest, Breaks::default());
        // Times and instants that are shared would be copied each time.
        Self { instants: Instants::default(), ..track }
    }

    /// Adds rows at the end: `values` has one value for each element, row by row. False when it has not, or when the track
    /// is that of a file.
    #[must_use]
    pub fn grow(&mut self, growth: &Growth, values: &[f64]) -> bool {
        if values.len() != growth.t_ns.len() * self.names.len() || !self.rows.grow(values) {
            return false;
        }
        self.breaks.grow(self.t_ns.len(), growth);
        self.instants.grow(&growth.t_ns);
        Arc::make_mut(&mut self.t_ns).extend(&growth.t_ns);
        true
    }

    /// Forgets so many rows at the beginning.
    pub fn forget(&mut self, rows: usize) {
        let rows = rows.min(self.t_ns.len());
        Arc::make_mut(&mut self.t_ns).drain(..rows);
        self.rows.forget(rows);
        self.instants.forget(rows);
        self.breaks.forget(rows, self.instants.as_slice().first().copied());
    }
}

#[cfg(test)]
mod tests {
    use sanqu_store::Series;

    use super::*;
    use crate::track::Blend;

    fn gap(from_ns: i64, to_ns: i64) -> Gap {
        Gap { from_ns, to_ns, rows: Some(1), cause: None }
    }

    const ARM: &str = r#"<robot name="arm"><link name="a"/><link name="b"/>
        <joint name="j_joint" type="revolute"><parent link="a"/><child link="b"/><axis xyz="0 1 0"/>
        <limit lower="-3" upper="3" velocity="1" effort="1"/></joint></robot>"#;

    #[test]
    fn a_track_that_grew_is_the_track_of_all_its_rows() {
        let model = RobotModel::from_urdf_str(ARM).unwrap();
        let names = vec!["j".to_owned()];
        let (t_ns, values) = (vec![10, 20, 15, 40, 50], vec![1.0, 2.0, 3.0, 4.0, 5.0]);
        let breaks = Breaks { gaps: vec![gap(20, 40)], restarts: vec![4] };
        let whole = Track::new(&model, Series { t_ns, names: names.clone(), values }, vec![0.5], breaks);
        let mut grown = Track::growing(&model, names, vec![0.5]);
        let grow = |track: &mut Track, t_ns: &[i64], gap, restart, values: &[f64]| {
            assert!(track.grow(&Growth { t_ns: t_ns.to_vec(), gap, restart }, values));
        };
        grow(&mut grown, &[10], None, false, &[1.0]);
        grow(&mut grown, &[20, 15], None, false, &[2.0, 3.0]);
        grow(&mut grown, &[40], Some(gap(20, 40)), false, &[4.0]);
        grow(&mut grown, &[50], None, true, &[5.0]);
        assert!(!grown.grow(&Growth { t_ns: vec![60], ..Growth::default() }, &[1.0, 2.0]), "two values for one element");
        same(&whole, &grown, 0..70);

        grown.forget(2);
        assert_eq!((grown.rows(), grown.gaps()), (3, &[gap(20, 40)][..]));
        same(&whole, &grown, 20..70);
        grown.forget(1);
        assert_eq!((grown.rows(), grown.gaps(), &grown.breaks.restarts[..]), (2, &[][..], &[1][..]));
        same(&whole, &grown, 40..70);
        grown.forget(9);
        assert_eq!((grown.rows(), grown.breaks), (0, Breaks::default()));
    }

    /// Both say the same of all these instants, but for the number of the row.
    #[track_caller]
    fn same(whole: &Track, grown: &Track, instants: std::ops::Range<i64>) {
        for t_ns in instants {
            for blend in [Blend::Hold, Blend::Interpolate] {
                let (mut expect, mut found) = (Vec::new(), Vec::new());
                let (a, b) = (whole.joints_at(t_ns, blend, &mut expect), grown.joints_at(t_ns, blend, &mut found));
                assert_eq!((expect, a.age_ns, a.in_gap, a.interpolated), (found, b.age_ns, b.in_gap, b.interpolated), "{t_ns} {blend:?}");
            }
        }
    }
}
