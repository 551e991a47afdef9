//! How far two sides are apart over a whole recording, row by row, in one pass and bounded memory.

use super::pair::{JointPair, Pair, Sides};
use crate::frame::narrow;
use crate::replay::RobotRecord;
use crate::timeline::Span;
use crate::track::{Gap, STALE_AGE_NS};

/// Points of a curve over the whole timeline.
pub const CURVE_POINTS: usize = 360;
/// Units that differences are shown in, for one rad and one m.
const DEG_PER_RAD: f64 = 360.0 / std::f64::consts::TAU;
const MM_PER_M: f64 = 1e3;

impl JointPair {
    /// A difference (rad or m) as it is shown, degrees or millimetres.
    pub fn shown(&self, difference: f64) -> f64 {
        difference * if self.linear { MM_PER_M } else { DEG_PER_RAD }
    }

    /// The unit of [`Self::shown`].
    pub fn unit(&self) -> &'static str {
        if self.linear { "mm" } else { "°" }
    }
}

/// Differences of one joint, ghost minus robot, rad or m.
#[derive(Clone, Debug, PartialEq)]
pub struct JointDifference {
    rows: u64,
    sum_of_squares: f64,
    /// The one of greatest size, and when.
    max: Option<(f64, i64)>,
    /// Least and greatest in each part of the timeline; none where nothing could be compared.
    curve: Vec<Option<[f32; 2]>>,
}

impl JointDifference {
    fn new() -> Self {
        Self { rows: 0, sum_of_squares: 0.0, max: None, curve: vec![None; CURVE_POINTS] }
    }

    /// Root of the mean square; none when nothing could be compared.
    #[expect(clippy::cast_precision_loss, reason = "rows of an episode are far below 2^53")]
    pub fn rms(&self) -> Option<f64> {
        (self.rows > 0).then(|| (self.sum_of_squares / self.rows as f64).sqrt())
    }

    /// The difference of greatest size, and its instant on the timeline, ns.
    pub fn max(&self) -> Option<(f64, i64)> {
        self.max
    }

    /// Least and greatest in each of [`CURVE_POINTS`] parts of the timeline.
    pub fn curve(&self) -> &[Option<[f32; 2]>] {
        &self.curve
    }

    fn add(&mut self, difference: f64, t_ns: i64, point: usize) {
        self.rows += 1;
        self.sum_of_squares += difference * difference;
        if self.max.is_none_or(|(max, _)| difference.abs() > max.abs()) {
            self.max = Some((difference, t_ns));
        }
        self.draw(point, difference);
    }

    fn draw(&mut self, point: usize, difference: f64) {
        let value = narrow(difference);
        if let Some(range) = self.curve.get_mut(point) {
            let [low, high] = range.unwrap_or([value; 2]);
            *range = Some([low.min(value), high.max(value)]);
        }
    }
}

/// Differences of all joints of a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// In the order of [`Pair::joints`].
    pub joints: Vec<JointDifference>,
    /// What both recordings cover of the timeline; none when they have no instant in common.
    pub span: Option<Span>,
    /// How long both sides were known within it, ns.
    pub compared_ns: i64,
    /// Rows of the robot that were compared.
    pub rows: u64,
}

impl Table {
    /// The joints, the one that differs most first: by root mean square as it is shown, those without one last.
    pub fn order(&self, pair: &Pair) -> Vec<usize> {
        let size = |joint: &usize| self.joints[*joint].rms().map_or(-1.0, |rms| pair.joints[*joint].shown(rms));
        let mut order: Vec<usize> = (0..self.joints.len()).collect();
        order.sort_by(|a, b| size(b).total_cmp(&size(a)));
        order
    }

    /// Length of [`Self::span`], ns.
    pub fn span_ns(&self) -> i64 {
        self.span.map_or(0, |span| span.to_ns - span.from_ns)
    }
}

/// Walks the rows of a robot once, in order, and compares each with the ghost of its instant.
#[derive(Clone, Debug)]
pub struct Walk {
    timeline: Span,
    nudge_ns: i64,
    row: usize,
    latest_ns: i64,
    last: Option<(i64, Vec<f64>)>,
    sides: Sides,
    table: Table,
    done: bool,
}

impl Walk {
    /// A walk over `timeline` with the ghost `nudge_ns` later than it is aligned; both must have been recorded in `covered`.
    pub fn new(pair: &Pair, timeline: Span, covered: Option<Span>, nudge_ns: i64) -> Self {
        let joints = vec![JointDifference::new(); pair.joints.len()];
        let table = Table { joints, span: covered, compared_ns: 0, rows: 0 };
        let (row, latest_ns, last, sides, done) = (0, i64::MIN, None, Sides::default(), covered.is_none());
        Self { timeline, nudge_ns, row, latest_ns, last, sides, table, done }
    }

    /// What is known so far.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Whether all rows were compared.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// How much of the robot's rows was walked, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "rows of an episode are far below 2^53")]
    pub fn share(&self, robot: &RobotRecord) -> f64 {
        if self.done { 1.0 } else { self.row as f64 / robot.track.rows().max(1) as f64 }
    }

    /// Compares up to `rows_max` further rows.
    pub fn step(&mut self, robot: &RobotRecord, pair: &Pair, rows_max: usize) {
        let Some(span) = self.table.span else { return };
        for _ in 0..rows_max {
            let Some(captured_ns) = robot.track.t_ns().get(self.row).copied() else {
                self.done = true;
                return;
            };
            self.row += 1;
            // Rows after a step back of the clock are shown at the instant before it, all but the last unseen.
            if captured_ns <= self.latest_ns {
                continue;
            }
            self.latest_ns = captured_ns;
            let t_ns = captured_ns.saturating_sub(robot.shift_ns);
            if (span.from_ns..=span.to_ns).contains(&t_ns) {
                self.compare(robot, pair, t_ns);
            }
        }
    }

    fn compare(&mut self, robot: &RobotRecord, pair: &Pair, t_ns: i64) {
        if !pair.sides_at(robot, t_ns, self.nudge_ns, &mut self.sides) {
            self.last = None;
            return;
        }
        let mut now = self.last.take().filter(|(before_ns, _)| self.is_joined(robot, pair, [*before_ns, t_ns]));
        let point = self.point(t_ns);
        let next: Vec<f64> = pair.joints.iter().map(|joint| joint.difference(&self.sides.robot_q, &self.sides.ghost_q)).collect();
        for (joint, difference) in self.table.joints.iter_mut().zip(&next) {
            joint.add(*difference, t_ns, point);
        }
        self.table.rows += 1;
        if let Some((before_ns, before)) = now.take() {
            self.table.compared_ns += t_ns - before_ns;
            self.draw_between(pair, (before_ns, &before), (t_ns, &next));
        }
        self.last = Some((t_ns, next));
    }

    /// Whether both sides are known all the way between two rows of the robot.
    fn is_joined(&self, robot: &RobotRecord, pair: &Pair, [from_ns, to_ns]: [i64; 2]) -> bool {
        let middle_ns = from_ns.midpoint(to_ns);
        let ghost_ns = middle_ns.saturating_sub(self.nudge_ns).saturating_add(pair.ghost.shift_ns);
        let broken =
            Gap::holds(robot.track.gaps(), middle_ns.saturating_add(robot.shift_ns)) || Gap::holds(pair.ghost.track.gaps(), ghost_ns);
        to_ns - from_ns <= STALE_AGE_NS && !broken
    }

    /// Which part of the timeline an instant is in.
    fn point(&self, t_ns: i64) -> usize {
        let length = i128::from((self.timeline.to_ns - self.timeline.from_ns).max(1));
        let at = i128::from(t_ns - self.timeline.from_ns) * CURVE_POINTS as i128 / length;
        usize::try_from(at).unwrap_or(0).min(CURVE_POINTS - 1)
    }

    /// The straight way between two rows, where parts of the timeline lie between them.
    #[expect(clippy::cast_precision_loss, reason = "at most 100 ms in ns")]
    fn draw_between(&mut self, pair: &Pair, (from_ns, from): (i64, &[f64]), (to_ns, to): (i64, &[f64])) {
        let (first, last) = (self.point(from_ns), self.point(to_ns));
        let length = i128::from(self.timeline.to_ns - self.timeline.from_ns);
        for point in first..last {
            // Where the next part begins.
            let edge = self.timeline.from_ns + i64::try_from(length * (point as i128 + 1) / CURVE_POINTS as i128).unwrap_or(0);
            let share = (edge - from_ns) as f64 / (to_ns - from_ns).max(1) as f64;
            for (index, pair) in pair.joints.iter().enumerate() {
                let step = to[index] - from[index];
                // A difference that went round the other way has no way between.
                if !pair.endless || step.abs() < std::f64::consts::PI {
                    let value = from[index] + step * share.clamp(0.0, 1.0);
                    self.table.joints[index].draw(point, value);
                    self.table.joints[index].draw(point + 1, value);
                }
            }
        }
    }
}
