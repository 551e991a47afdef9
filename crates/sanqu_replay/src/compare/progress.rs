//! The table of differences, made while the replay is shown: some rows in each frame of a window, all at once for a picture.

use std::time::{Duration, Instant};

use bevy::prelude::{Res, ResMut, Resource};

use super::delay::DelaySearch;
use super::table::Walk;
use super::{CompareView, Comparison, GhostKind};
use crate::bar::Focus;
use crate::cameras::WaitForFrames;
use crate::replay::{Replay, RobotRecord};

/// Rows between two looks at the clock.
const STEP_ROWS: usize = 200;
/// How long a frame of a window may compare rows.
const FRAME_SHARE: Duration = Duration::from_millis(3);

/// How far the comparison is, a walk for each pair.
#[derive(Resource, Debug, Default)]
pub struct Progress {
    nudge_ns: i64,
    walks: Vec<Walk>,
    /// For commands: a search for each pair. The nudge does not matter to it.
    delays: Vec<DelaySearch>,
}

impl Progress {
    /// Nothing compared yet, with ghosts `nudge_ns` later than aligned.
    pub fn new(comparison: &Comparison, nudge_ns: i64) -> Self {
        let mut progress = Self { nudge_ns, ..Self::default() };
        progress.walk_again(comparison, nudge_ns);
        if comparison.kind == GhostKind::Command {
            progress.delays = comparison.pairs.iter().map(|pair| DelaySearch::new(pair, comparison.covered(0))).collect();
        }
        progress
    }

    fn walk_again(&mut self, comparison: &Comparison, nudge_ns: i64) {
        let covered = comparison.covered(nudge_ns);
        self.nudge_ns = nudge_ns;
        self.walks = comparison.pairs.iter().map(|pair| Walk::new(pair, comparison.timeline, covered, nudge_ns)).collect();
    }

    /// The walk of a pair.
    pub fn walk(&self, pair: usize) -> Option<&Walk> {
        self.walks.get(pair)
    }

    /// The search for a pair's delays; none unless it is compared with commands.
    pub fn delay(&self, pair: usize) -> Option<&DelaySearch> {
        self.delays.get(pair)
    }

    /// Whether all is compared.
    pub fn is_done(&self) -> bool {
        self.walks.iter().all(Walk::is_done) && self.delays.iter().all(DelaySearch::is_done)
    }

    /// Goes on until `enough` says so or all is compared, with `first` before the other pairs.
    pub fn go_on(&mut self, robots: &[RobotRecord], comparison: &Comparison, first: Option<usize>, mut enough: impl FnMut() -> bool) {
        let order = first.into_iter().chain((0..comparison.pairs.len()).filter(|index| Some(*index) != first));
        for index in order {
            let (Some(pair), Some(walk)) = (comparison.pairs.get(index), self.walks.get_mut(index)) else { continue };
            let robot = &robots[pair.robot];
            while !walk.is_done() {
                if enough() {
                    return;
                }
                walk.step(robot, pair, STEP_ROWS);
            }
            let Some(search) = self.delays.get_mut(index) else { continue };
            while !search.is_done() {
                if enough() {
                    return;
                }
                search.step(robot, pair, STEP_ROWS);
            }
        }
    }
}

/// Compares further rows; from the beginning when the nudge has changed.
pub(super) fn walk(
    (replay, view): (Res<'_, Replay>, Res<'_, CompareView>),
    (wait, focus): (Option<Res<'_, WaitForFrames>>, Option<Res<'_, Focus>>),
    mut progress: ResMut<'_, Progress>,
) {
    let Some(comparison) = &replay.comparison else { return };
    if progress.walks.len() != comparison.pairs.len() {
        *progress = Progress::new(comparison, view.nudge_ns);
    } else if progress.nudge_ns != view.nudge_ns {
        progress.walk_again(comparison, view.nudge_ns);
    } else if progress.is_done() {
        return;
    }
    let first = focus.and_then(|focus| comparison.pair_of(focus.0));
    // A picture must be the same every time: it does not look at the clock.
    if wait.is_some_and(|wait| wait.0) {
        progress.go_on(&replay.robots, comparison, first, || false);
        return;
    }
    let begun = Instant::now();
    progress.go_on(&replay.robots, comparison, first, || begun.elapsed() > FRAME_SHARE);
}
