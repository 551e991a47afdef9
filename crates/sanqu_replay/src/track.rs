//! A robot's recorded joints as a function of time: hold the last sample or go straight to the next, say how old it is,
//! invent nothing.

mod grow;

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use sanqu_model::LossCause;
use sanqu_robot::{JointKind, RobotModel};
use sanqu_store::Series;

use crate::windows::{Reading, RowSource, RowValues, Unreadable};

pub use grow::Growth;

/// Age from which a held sample no longer counts as the robot's state.
pub const STALE_AGE_NS: i64 = 100_000_000;

/// A joint's name without the suffix that some descriptions give it: the same joint is recorded with or without.
pub(crate) fn short_name(joint: &str) -> &str {
    joint.strip_suffix("_joint").unwrap_or(joint)
}

/// What is shown between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blend {
    /// The sample before.
    #[default]
    Hold,
    /// The straight way from the sample before to the one after, where both are there and near each other.
    Interpolate,
}

/// A span without samples that were numbered, from the last sample before it to the first after it (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Capture time of the last sample before the gap, ns.
    pub from_ns: i64,
    /// Capture time of the first sample after it, ns.
    pub to_ns: i64,
    /// How many samples are missing; none when nobody knows.
    pub rows: Option<u64>,
    /// Why; none when the ledger does not say.
    pub cause: Option<LossCause>,
}

impl Gap {
    /// Whether an instant lies inside one of `gaps`, which are sorted by time and do not overlap.
    pub fn holds(gaps: &[Self], t_ns: i64) -> bool {
        let after = gaps.partition_point(|gap| gap.from_ns < t_ns);
        after.checked_sub(1).is_some_and(|last| t_ns < gaps[last].to_ns)
    }
}

/// What the recording says about an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Age of the held sample, ns; none before the first sample.
    pub age_ns: Option<i64>,
    /// The row that is held.
    pub row: Option<usize>,
    /// Whether samples are missing here.
    pub in_gap: bool,
    /// Index in [`RobotModel::joints`] of a joint whose recorded value is not a number: the row cannot be shown.
    pub not_finite: Option<usize>,
    /// Whether rows of this instant cannot be read; [`crate::replay::RobotRecord::problem`] says why.
    pub unreadable: bool,
    /// Whether the positions lie between two samples.
    pub interpolated: bool,
    /// Whether the recorded base is not that of this instant.
    pub base_stale: bool,
}

impl Held {
    /// Whether what is shown is not the robot's state at this instant.
    pub fn is_stale(&self) -> bool {
        self.in_gap || self.base_stale || self.unreadable || self.not_finite.is_some() || self.age_ns.is_none_or(|age| age > STALE_AGE_NS)
    }
}

/// When the rows of a stream were valid: the running maximum of their capture times, because a clock may step back. After
/// a step back, rows follow in file order at the instant before it until the clock has caught up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instants(Arc<Vec<i64>>);

impl Instants {
    /// From capture times in file order, ns.
    pub fn new(t_ns: impl IntoIterator<Item = i64>) -> Self {
        let mut latest = i64::MIN;
        let later = |t: i64| {
            latest = latest.max(t);
            latest
        };
        Self(Arc::new(t_ns.into_iter().map(later).collect()))
    }

    /// From capture times in file order, ns. Times that never step back, as nearly all do, are shared, not copied.
    pub fn of(t_ns: &Arc<Vec<i64>>) -> Self {
        if t_ns.is_sorted() { Self(Arc::clone(t_ns)) } else { Self::new(t_ns.iter().copied()) }
    }

    /// The instants, ascending, ns.
    pub fn as_slice(&self) -> &[i64] {
        &self.0
    }

    /// The last row at or before `t_ns`; none before the first.
    pub fn row_at(&self, t_ns: i64) -> Option<usize> {
        self.0.partition_point(|t| *t <= t_ns).checked_sub(1)
    }

    /// The first instant after `t_ns`.
    pub fn after(&self, t_ns: i64) -> Option<i64> {
        self.0.get(self.0.partition_point(|t| *t <= t_ns)).copied()
    }

    /// The last instant before `t_ns`.
    pub fn before(&self, t_ns: i64) -> Option<i64> {
        self.0[..self.0.partition_point(|t| *t < t_ns)].last().copied()
    }

    /// How far `t_ns` lies on the way from `row` to the next, 0 to 1; none where there is no way: behind the last row, or
    /// between rows farther apart than [`STALE_AGE_NS`].
    #[expect(clippy::cast_precision_loss, reason = "at most 100 ms in ns")]
    fn share(&self, row: usize, t_ns: i64) -> Option<f64> {
        let (from, to) = (*self.0.get(row)?, *self.0.get(row + 1)?);
        (from < t_ns && t_ns < to && to - from <= STALE_AGE_NS).then(|| (t_ns - from) as f64 / (to - from) as f64)
    }

    /// The way from `row` to the next at `t_ns`, unless `blend`, a gap or a restart of the source forbids it.
    pub(crate) fn way(&self, row: usize, t_ns: i64, blend: Blend, breaks: &Breaks) -> Option<f64> {
        let allowed = blend == Blend::Interpolate && !Gap::holds(&breaks.gaps, t_ns) && !breaks.restarts.contains(&(row + 1));
        self.share(row, t_ns).filter(|_| allowed)
    }

    /// Adds the readings that the rows of an instant need: the one held, and the one behind it where there is a way.
    pub(crate) fn announce(&self, rows: &RowSource, (t_ns, blend): (i64, Blend), breaks: &Breaks, readings: &mut Vec<Reading>) {
        let Some(row) = self.row_at(t_ns) else { return };
        let here = rows.announce(row);
        let next = self.way(row, t_ns, blend, breaks).and_then(|_| rows.announce_peek(row + 1));
        // Both lie in one window as a rule.
        readings.extend(next.filter(|next| here.as_ref() != Some(next)));
        readings.extend(here);
    }
}

/// Where a stream is broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaks {
    /// Missing rows, sorted by time, without overlap.
    pub gaps: Vec<Gap>,
    /// Rows that begin a new run: what was before them came from another start of the source.
    pub restarts: Vec<usize>,
}

/// Recorded joint positions of one robot, in the order of its model's joints.
#[derive(Debug)]
pub struct Track {
    /// Names of the elements, in the order of a row's values.
    names: Vec<String>,
    rows: RowSource,
    /// Capture times in file order, ns.
    t_ns: Arc<Vec<i64>>,
    instants: Instants,
    /// For each joint of the model: its column in the rows.
    columns: Vec<Option<usize>>,
    /// For each joint of the model: whether it turns without end, so that the short way round is meant.
    endless: Vec<bool>,
    /// For each joint of the model: where it stays when it has no column, rad or m.
    rest: Vec<f64>,
    breaks: Breaks,
}

impl Track {
    /// Fits `series` (position of each named element) to the joints of `model`. Elements are named like joints, with or
    /// without the suffix `_joint`. `rest` (one value a joint) is used where the series has no element.
    pub fn new(model: &RobotModel, series: Series, rest: Vec<f64>, breaks: Breaks) -> Self {
        let rows = RowSource::Memory { width: series.names.len(), values: series.values };
        Self::of_rows(model, series.names, rows, Arc::new(series.t_ns), rest, breaks)
    }

    /// As [`Self::new`], with rows from any source: an element's name for each value of a row, and a time (ns, in file order)
    /// for each row.
    pub fn of_rows(model: &RobotModel, names: Vec<String>, rows: RowSource, t_ns: Arc<Vec<i64>>, rest: Vec<f64>, breaks: Breaks) -> Self {
        let named = |wanted: &str| names.iter().position(|name| short_name(name) == short_name(wanted));
        let columns = model.joints().iter().map(|joint| named(&joint.name)).collect();
        let endless = model.joints().iter().map(|joint| joint.kind == JointKind::Continuous).collect();
        let instants = Instants::of(&t_ns);
        Self { names, rows, t_ns, instants, columns, endless, rest, breaks }
    }

    /// Names of the recorded elements, in the order of a row's values.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Joints of `model` that were not recorded.
    pub fn unrecorded<'a>(&self, model: &'a RobotModel) -> Vec<&'a str> {
        let joints = model.joints().iter().zip(&self.columns);
        joints.filter(|(_, column)| column.is_none()).map(|(joint, _)| joint.name.as_str()).collect()
    }

    /// Recorded elements that are no joint of the model.
    pub fn unknown(&self) -> Vec<&str> {
        let used = |index: usize| self.columns.contains(&Some(index));
        self.names.iter().enumerate().filter(|(index, _)| !used(*index)).map(|(_, name)| name.as_str()).collect()
    }

    /// Where each joint stays when nothing is known of it, in model order, rad or m.
    pub fn rest(&self) -> &[f64] {
        &self.rest
    }

    /// The gaps, sorted by time.
    pub fn gaps(&self) -> &[Gap] {
        &self.breaks.gaps
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.t_ns.len()
    }

    /// Capture times of the rows, ns.
    pub fn t_ns(&self) -> &[i64] {
        &self.t_ns
    }

    /// Why the row that was last shown could not be read; none when it could.
    pub fn problem(&self) -> Option<Unreadable> {
        self.rows.problem()
    }

    /// Adds the readings that [`Self::joints_at`] would wait for, with the same `t_ns` and `blend`.
    pub fn announce(&self, t_ns: i64, blend: Blend, readings: &mut Vec<Reading>) {
        self.instants.announce(&self.rows, (t_ns, blend), &self.breaks, readings);
    }

    /// Writes the joint positions at `t_ns` into `q` (resized to the model's joints; rad or m) and says how far they
    /// can be trusted. Before the first sample `q` is the rest pose; a row that cannot be read, or with a value that is not
    /// finite, leaves `q` as it was.
    pub fn joints_at(&self, t_ns: i64, blend: Blend, q: &mut Vec<f64>) -> Held {
        q.resize(self.rest.len(), 0.0);
        let none = Held {
            age_ns: None,
            row: None,
            in_gap: Gap::holds(self.gaps(), t_ns),
            not_finite: None,
            unreadable: false,
            interpolated: false,
            base_stale: false,
        };
        let Some(row) = self.instants.row_at(t_ns) else {
            q.copy_from_slice(&self.rest);
            return none;
        };
        let held = Held { age_ns: Some(t_ns.saturating_sub(self.instants.as_slice()[row])), row: Some(row), ..none };
        let Ok(from) = self.rows.row(row) else { return Held { unreadable: true, ..held } };
        let not_finite = self.bad_joint(&from);
        if not_finite.is_some() {
            return Held { not_finite, ..held };
        }
        let way = self.instants.way(row, t_ns, blend, &self.breaks).and_then(|share| {
            let next = self.rows.row_after(row).ok().filter(|next| self.bad_joint(next).is_none())?;
            Some((share, next))
        });
        for (joint, q) in q.iter_mut().enumerate() {
            let here = self.value(&from, joint);
            *q = way.as_ref().map_or(here, |(share, next)| here + share * step(here, self.value(next, joint), self.endless[joint]));
        }
        Held { interpolated: way.is_some(), ..held }
    }

    /// A joint's position in a row; where it rests when it was not recorded. What a row does not have is not a number.
    fn value(&self, row: &RowValues<'_>, joint: usize) -> f64 {
        self.columns[joint].map_or(self.rest[joint], |column| row.get(column).copied().unwrap_or(f64::NAN))
    }

    fn bad_joint(&self, row: &RowValues<'_>) -> Option<usize> {
        (0..self.rest.len()).find(|joint| !self.value(row, *joint).is_finite())
    }
}

/// From one position to the next; the short way round for a joint that turns without end.
fn step(from: f64, to: f64, endless: bool) -> f64 {
    if endless { (to - from + PI).rem_euclid(TAU) - PI } else { to - from }
}

/// Gaps in a stream's numbering, sorted by time: `rows` gives run, sequence and capture time (ns) of each row in file order. A new run
/// (a restart of the robot's publisher) begins its own numbering; what was lost in between is in the ledger only.
pub fn gaps_of(rows: impl IntoIterator<Item = (u32, u64, i64)>) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut last: Option<(u32, u64, i64)> = None;
    for (run, seq, t_ns) in rows {
        if let Some((last_run, last_seq, last_t_ns)) = last
            && run == last_run
            && seq > last_seq + 1
        {
            gaps.push(Gap { from_ns: last_t_ns, to_ns: t_ns, rows: Some(seq - last_seq - 1), cause: None });
        }
        last = Some((run, seq, t_ns));
    }
    gaps.sort_by_key(|gap| gap.from_ns);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM: &str = r#"<robot name="arm">
        <link name="base"/><link name="upper"/><link name="lower"/><link name="hand"/>
        <joint name="shoulder_joint" type="revolute"><parent link="base"/><child link="upper"/><axis xyz="0 1 0"/>
          <limit lower="-3" upper="3" velocity="1" effort="1"/></joint>
        <joint name="elbow_joint" type="revolute"><parent link="upper"/><child link="lower"/><axis xyz="0 1 0"/>
          <limit lower="-3" upper="3" velocity="1" effort="1"/></joint>
        <joint name="wrist" type="revolute"><parent link="lower"/><child link="hand"/><axis xyz="0 1 0"/>
          <limit lower="-3" upper="3" velocity="1" effort="1"/></joint>
      </robot>"#;

    fn track(values: Vec<f64>) -> (RobotModel, Track) {
        let model = RobotModel::from_urdf_str(ARM).unwrap();
        let names = vec!["wrist".to_owned(), "shoulder".to_owned(), "tail".to_owned()];
        let series = Series { t_ns: vec![1_000, 2_000, 900_000_000], names, values };
        let gaps = gaps_of([(0, 0, 1_000), (0, 1, 2_000), (0, 40, 900_000_000), (1, 90, 900_000_001)]);
        let track = Track::new(&model, series, vec![0.1, 0.2, 0.3], Breaks { gaps, restarts: Vec::new() });
        (model, track)
    }

    #[test]
    fn columns_go_to_joints_by_name_and_the_rest_stays() {
        let (model, track) = track(vec![1.0, 2.0, 9.0, 1.5, 2.5, 9.0, 1.6, 2.6, 9.0]);
        assert_eq!(track.unrecorded(&model), ["elbow_joint"]);
        assert_eq!(track.unknown(), ["tail"]);
        let mut q = Vec::new();
        let held = track.joints_at(1_999, Blend::Hold, &mut q);
        assert_eq!((q.as_slice(), held.row, held.age_ns, held.is_stale()), ([2.0, 0.2, 1.0].as_slice(), Some(0), Some(999), false));
    }

    #[test]
    fn gaps_age_and_absence_are_stale() {
        let (_, track) = track(vec![1.0, 2.0, 9.0, 1.5, 2.5, 9.0, 1.6, 2.6, 9.0]);
        assert_eq!(track.gaps(), [Gap { from_ns: 2_000, to_ns: 900_000_000, rows: Some(38), cause: None }]);
        let mut q = Vec::new();
        let mut at = |t_ns| track.joints_at(t_ns, Blend::Hold, &mut q);
        assert!(at(999).is_stale() && at(999).age_ns.is_none(), "before the first sample");
        assert!(!at(2_000).is_stale(), "a sample that is there is good");
        assert!(at(2_001).in_gap && at(899_999_999).in_gap);
        assert!(!at(900_000_000).is_stale() && !at(1_000_000_000).is_stale());
        assert!(at(1_000_000_001).is_stale(), "older than 100 ms");
    }

    #[test]
    fn a_row_with_nan_keeps_the_last_pose_and_says_so() {
        let (_, track) = track(vec![1.0, 2.0, f64::NAN, f64::NAN, 2.5, 9.0, 1.6, 2.6, 9.0]);
        let mut q = Vec::new();
        assert_eq!(track.joints_at(1_000, Blend::Hold, &mut q).not_finite, None, "NaN of a foreign element does not matter");
        let held = track.joints_at(2_000, Blend::Hold, &mut q);
        assert_eq!((held.not_finite, held.is_stale(), q.as_slice()), (Some(2), true, [2.0, 0.2, 1.0].as_slice()));
    }

    #[track_caller]
    fn between(breaks: Breaks, t_ns: i64, expect: (f64, bool)) {
        let model = RobotModel::from_urdf_str(&ARM.replacen("revolute", "continuous", 1)).unwrap();
        let names = vec!["shoulder".to_owned(), "wrist".to_owned()];
        let t_ns_rows = vec![0, 4_000_000, 8_000_000, 300_000_000, 304_000_000, 308_000_000];
        let values = vec![3.0, 1.0, -3.0, 2.0, -2.5, 3.0, -2.0, 4.0, -1.5, 5.0, -1.0, f64::NAN];
        let track = Track::new(&model, Series { t_ns: t_ns_rows, names, values }, vec![0.0; 3], breaks);
        let mut q = Vec::new();
        let held = track.joints_at(t_ns, Blend::Interpolate, &mut q);
        assert!((q[2] - expect.0).abs() < 1e-12 && held.interpolated == expect.1, "wrist {} {held:?}, expected {expect:?}", q[2]);
        if t_ns == 1_000_000 && expect.1 {
            let quarter = 3.0 + 0.25 * (TAU - 6.0);
            assert!((q[0] - quarter).abs() < 1e-12, "an endless joint goes the short way: {} instead of {quarter}", q[0]);
        }
    }

    #[test]
    fn interpolation_goes_straight_and_never_across_what_is_not_known() {
        let none = Breaks::default;
        between(none(), 1_000_000, (1.25, true));
        between(none(), 4_000_000, (2.0, false));
        between(none(), 100_000_000, (3.0, false)); // the next sample is 292 ms after the one before
        between(none(), 306_000_000, (5.0, false)); // the next row is not a number
        between(none(), 400_000_000, (0.0, false)); // behind the last row, which is not a number either
        let gaps = vec![Gap { from_ns: 0, to_ns: 4_000_000, rows: Some(1), cause: None }];
        between(Breaks { gaps, restarts: Vec::new() }, 1_000_000, (1.0, false));
        between(Breaks { gaps: Vec::new(), restarts: vec![1] }, 1_000_000, (1.0, false));
        between(Breaks { gaps: Vec::new(), restarts: vec![1] }, 5_000_000, (2.25, true));
    }
}
