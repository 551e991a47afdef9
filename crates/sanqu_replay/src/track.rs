//! A robot's recorded joints as a function of time: hold the last sample, say how old it is, invent nothing.

use sanqu_robot::RobotModel;
use sanqu_store::{Cursor, Series};

/// Age from which a held sample no longer counts as the robot's state.
pub const STALE_AGE_NS: i64 = 100_000_000;

/// A span without samples that were numbered, from the last sample before it to the first after it (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Capture time of the last sample before the gap, ns.
    pub from_ns: i64,
    /// Capture time of the first sample after it, ns.
    pub to_ns: i64,
    /// How many samples are missing.
    pub rows: u64,
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
}

impl Held {
    /// Whether what is shown is not the robot's state at this instant.
    pub fn is_stale(&self) -> bool {
        self.in_gap || self.not_finite.is_some() || self.age_ns.is_none_or(|age| age > STALE_AGE_NS)
    }
}

/// Recorded joint positions of one robot, in the order of its model's joints.
#[derive(Debug)]
pub struct Track {
    series: Series,
    /// For each joint of the model: its column in the series.
    columns: Vec<Option<usize>>,
    /// For each joint of the model: where it stays when it has no column, rad or m.
    rest: Vec<f64>,
    gaps: Vec<Gap>,
}

impl Track {
    /// Fits `series` (position of each named element) to the joints of `model`. Elements are named like joints, with or
    /// without the suffix `_joint`. `rest` (one value a joint) is used where the series has no element; `gaps` are
    /// sorted by time.
    pub fn new(model: &RobotModel, series: Series, rest: Vec<f64>, gaps: Vec<Gap>) -> Self {
        let short = |name: &str| name.strip_suffix("_joint").unwrap_or(name).to_owned();
        let names: Vec<String> = series.names.iter().map(|name| short(name)).collect();
        let columns = model.joints().iter().map(|joint| names.iter().position(|name| *name == short(&joint.name))).collect();
        Self { series, columns, rest, gaps }
    }

    /// Joints of `model` that were not recorded.
    pub fn unrecorded<'a>(&self, model: &'a RobotModel) -> Vec<&'a str> {
        let joints = model.joints().iter().zip(&self.columns);
        joints.filter(|(_, column)| column.is_none()).map(|(joint, _)| joint.name.as_str()).collect()
    }

    /// Recorded elements that are no joint of the model.
    pub fn unknown(&self) -> Vec<&str> {
        let used = |index: usize| self.columns.contains(&Some(index));
        self.series.names.iter().enumerate().filter(|(index, _)| !used(*index)).map(|(_, name)| name.as_str()).collect()
    }

    /// Where each joint stays when nothing is known of it, in model order, rad or m.
    pub fn rest(&self) -> &[f64] {
        &self.rest
    }

    /// The gaps, sorted by time.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.series.t_ns.len()
    }

    /// Capture times of the rows, ns.
    pub fn t_ns(&self) -> &[i64] {
        &self.series.t_ns
    }

    /// Writes the joint positions held at `t_ns` into `q` (resized to the model's joints; rad or m) and says how far they
    /// can be trusted. Before the first sample `q` is the rest pose; a row with a value that is not finite leaves `q` as it was.
    pub fn joints_at(&self, t_ns: i64, q: &mut Vec<f64>) -> Held {
        q.resize(self.rest.len(), 0.0);
        let Some(sampled) = Cursor::new(&self.series).at(t_ns) else {
            q.copy_from_slice(&self.rest);
            return Held { age_ns: None, row: None, in_gap: false, not_finite: None };
        };
        let value = |joint: usize| self.columns[joint].map_or(self.rest[joint], |column| sampled.values[column]);
        let not_finite = (0..self.rest.len()).find(|joint| !value(*joint).is_finite());
        if not_finite.is_none() {
            q.iter_mut().enumerate().for_each(|(joint, q)| *q = value(joint));
        }
        Held { age_ns: Some(sampled.age_ns), row: Some(sampled.row), in_gap: self.in_gap(t_ns), not_finite }
    }

    fn in_gap(&self, t_ns: i64) -> bool {
        let after = self.gaps.partition_point(|gap| gap.from_ns < t_ns);
        after.checked_sub(1).is_some_and(|last| t_ns < self.gaps[last].to_ns)
    }
}

/// Gaps in a stream's numbering: `rows` gives run, sequence and capture time (ns) of each row in file order. A new run
/// (a restart of the robot's publisher) begins its own numbering; what was lost in between is in the ledger only.
pub fn gaps_of(rows: impl IntoIterator<Item = (u32, u64, i64)>) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut last: Option<(u32, u64, i64)> = None;
    for (run, seq, t_ns) in rows {
        if let Some((last_run, last_seq, last_t_ns)) = last
            && run == last_run
            && seq > last_seq + 1
        {
            gaps.push(Gap { from_ns: last_t_ns, to_ns: t_ns, rows: seq - last_seq - 1 });
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
        let track = Track::new(&model, series, vec![0.1, 0.2, 0.3], gaps);
        (model, track)
    }

    #[test]
    fn columns_go_to_joints_by_name_and_the_rest_stays() {
        let (model, track) = track(vec![1.0, 2.0, 9.0, 1.5, 2.5, 9.0, 1.6, 2.6, 9.0]);
        assert_eq!(track.unrecorded(&model), ["elbow_joint"]);
        assert_eq!(track.unknown(), ["tail"]);
        let mut q = Vec::new();
        let held = track.joints_at(1_999, &mut q);
        assert_eq!((q.as_slice(), held.row, held.age_ns, held.is_stale()), ([2.0, 0.2, 1.0].as_slice(), Some(0), Some(999), false));
    }

    #[test]
    fn gaps_age_and_absence_are_stale() {
        let (_, track) = track(vec![1.0, 2.0, 9.0, 1.5, 2.5, 9.0, 1.6, 2.6, 9.0]);
        assert_eq!(track.gaps(), [Gap { from_ns: 2_000, to_ns: 900_000_000, rows: 38 }]);
        let mut q = Vec::new();
        let mut at = |t_ns| track.joints_at(t_ns, &mut q);
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
        assert_eq!(track.joints_at(1_000, &mut q).not_finite, None, "NaN of a foreign element does not matter");
        let held = track.joints_at(2_000, &mut q);
        assert_eq!((held.not_finite, held.is_stale(), q.as_slice()), (Some(2), true, [2.0, 0.2, 1.0].as_slice()));
    }
}
