//! By how much a robot follows its commands later: the delay at which commands fit what was measured best.

use std::collections::VecDeque;

use super::pair::{Pair, Sides};
use crate::replay::RobotRecord;
use crate::timeline::Span;

/// Both sides are read at instants this far apart, ns.
const GRID_NS: i64 = 10_000_000;
const GRID_MS: f64 = 10.0;
/// Delays that are tried, in steps of the grid: -100 ms (the robot moves before its command: a clock is wrong) to 1 s (an
/// operator's targets that are smoothed on the way).
const LEADS: usize = 10;
const LAGS: usize = 100;
const TRIED: usize = LEADS + LAGS + 1;
/// A command that moves less than this (standard deviation) tells nothing of a delay: rad, m.
const MOTION_MIN: [f64; 2] = [0.0087, 0.001];
/// At the best delay commands fit better than at some shorter and at some longer one by this factor, or the delay is not told.
const CONTRAST_MIN: f64 = 2.0;
/// A motion that repeats fits again a period later: of delays that fit as well but for this factor, the shortest is meant.
const AS_GOOD: f64 = 1.5;
/// And those must misfit by at least this share of [`MOTION_MIN`]: an even motion fits every delay.
const MISFIT_SHARE_MIN: f64 = 0.1;

/// What commands and measured positions tell of the delay between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delay {
    /// The robot follows this much later, ms.
    Follows(f64),
    /// The command moves too little to tell.
    Still,
    /// No delay from -100 ms to 1 s fits clearly better than others.
    Unclear,
}

/// Sums of one joint.
#[derive(Clone, Debug)]
struct Sums {
    /// For each tried delay: sum of differences and of their squares, rad or m.
    differences: [[f64; 2]; TRIED],
    /// The same of the command, from where it was first.
    motion: [f64; 2],
    first: f64,
}

/// Reads commands and measured positions on an even grid and compares them at each delay. A constant offset does not count:
/// a robot that hangs below its command follows it all the same.
#[derive(Clone, Debug)]
pub struct DelaySearch {
    span: Option<Span>,
    next_ns: i64,
    /// The last instants at which both were known without a break: measured and commanded, a value a joint.
    ring: VecDeque<(Vec<f64>, Vec<f64>)>,
    sums: Vec<Sums>,
    count: f64,
    sides: Sides,
}

impl DelaySearch {
    /// Searches where both were recorded.
    pub fn new(pair: &Pair, covered: Option<Span>) -> Self {
        let sums = vec![Sums { differences: [[0.0; 2]; TRIED], motion: [0.0; 2], first: 0.0 }; pair.joints.len()];
        let next_ns = covered.map_or(0, |span| span.from_ns);
        Self { span: covered, next_ns, ring: VecDeque::with_capacity(TRIED), sums, count: 0.0, sides: Sides::default() }
    }

    /// Whether everything was read.
    pub fn is_done(&self) -> bool {
        self.span.is_none_or(|span| self.next_ns > span.to_ns)
    }

    /// Reads up to `steps_max` further instants.
    pub fn step(&mut self, robot: &RobotRecord, pair: &Pair, steps_max: usize) {
        for _ in 0..steps_max {
            if self.is_done() {
                return;
            }
            let t_ns = self.next_ns;
            self.next_ns = t_ns.saturating_add(GRID_NS);
            if !pair.sides_at(robot, t_ns, 0, &mut self.sides) {
                self.ring.clear();
                continue;
            }
            let mut pass = if self.ring.len() == TRIED { self.ring.pop_front().unwrap_or_default() } else { Default::default() };
            pass.0.clear();
            pass.1.clear();
            for joint in &pair.joints {
                pass.0.push(self.sides.robot_q[joint.robot]);
                pass.1.push(self.sides.ghost_q[joint.ghost]);
            }
            self.ring.push_back(pass);
            if self.ring.len() == TRIED {
                self.add(pair);
            }
        }
    }

    /// Compares the measured positions of [`LEADS`] steps ago with every command of the ring.
    fn add(&mut self, pair: &Pair) {
        let Some((measured, commanded)) = self.ring.get(LAGS) else { return };
        for (index, (joint, sums)) in pair.joints.iter().zip(&mut self.sums).enumerate() {
            if self.count < 0.5 {
                sums.first = commanded[index];
            }
            let moved = joint.shortest(commanded[index] - sums.first);
            sums.motion = [sums.motion[0] + moved, sums.motion[1] + moved * moved];
            for ((_, commanded), sum) in self.ring.iter().rev().zip(&mut sums.differences) {
                let difference = joint.shortest(commanded[index] - measured[index]);
                *sum = [sum[0] + difference, sum[1] + difference * difference];
            }
        }
        self.count += 1.0;
    }

    /// What is known of a joint of the pair so far.
    pub fn delay(&self, pair: &Pair, joint: usize) -> Delay {
        let Some(sums) = self.sums.get(joint).filter(|_| self.count > 0.0) else { return Delay::Still };
        let variance = |[sum, squares]: [f64; 2]| (squares / self.count - (sum / self.count).powi(2)).max(0.0);
        if variance(sums.motion).sqrt() < MOTION_MIN[usize::from(pair.joints[joint].linear)] {
            return Delay::Still;
        }
        let fit = sums.differences.map(variance);
        let least = (MOTION_MIN[usize::from(pair.joints[joint].linear)] * MISFIT_SHARE_MIN).powi(2);
        let Some((best, beside, lowest)) = valley(&fit, least) else { return Delay::Unclear };
        let highest = |fits: &[f64]| fits.iter().copied().fold(0.0, f64::max);
        if highest(&fit[..best]).min(highest(&fit[best..])) < least.max(lowest * CONTRAST_MIN * CONTRAST_MIN) {
            return Delay::Unclear;
        }
        #[expect(clippy::cast_precision_loss, reason = "some hundred steps")]
        let steps = best as f64 - LEADS as f64 + beside;
        Delay::Follows(steps * GRID_MS)
    }

    /// The middle of all joints' delays that are known, ms, and of how many joints it is.
    pub fn overall_ms(&self, pair: &Pair) -> Option<(f64, usize)> {
        let known = (0..pair.joints.len()).filter_map(|joint| match self.delay(pair, joint) {
            Delay::Follows(ms) => Some(ms),
            Delay::Still | Delay::Unclear => None,
        });
        let mut known: Vec<f64> = known.collect();
        known.sort_by(f64::total_cmp);
        known.get(known.len() / 2).map(|ms| (*ms, known.len()))
    }
}

/// The lowest point of `fit`, or of those that are as low the one of the shortest delay: the index nearest to it, how far it is
/// beside that, and how low it is. `least` counts as nothing.
fn valley(fit: &[f64; TRIED], least: f64) -> Option<(usize, f64, f64)> {
    // Each is the lowest point of the parabola through an index and its neighbours.
    let valleys = (1..TRIED - 1).filter(|index| fit[index - 1] >= fit[*index] && fit[index + 1] >= fit[*index]).map(|index| {
        let (slope, bend) = (fit[index - 1] - fit[index + 1], fit[index - 1] - 2.0 * fit[index] + fit[index + 1]);
        if bend > 0.0 {
            (index, 0.5 * slope / bend, (fit[index] - slope * slope / (8.0 * bend)).max(0.0))
        } else {
            (index, 0.0, fit[index])
        }
    });
    let deepest = valleys.clone().map(|(.., low)| low).fold(f64::INFINITY, f64::min);
    let as_low = valleys.filter(|(.., low)| *low <= least.max(deepest * AS_GOOD * AS_GOOD));
    as_low.min_by_key(|(index, ..)| index.abs_diff(LEADS))
}
