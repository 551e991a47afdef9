//! Events of robots that are running, as marks.

use std::collections::VecDeque;

use crate::mark::{EVENT_MARKS_MAX, Mark};
use crate::replay::Replay;

/// What robots said that happened, with the lane of the stream that said it, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct LiveMarks {
    held: VecDeque<(usize, Mark)>,
    changed: bool,
}

impl LiveMarks {
    /// Adds one; false when the oldest had to go for it.
    pub(super) fn push(&mut self, lane: usize, mark: Mark) -> bool {
        self.held.push_back((lane, mark));
        self.changed = true;
        let fits = self.held.len() <= EVENT_MARKS_MAX;
        if !fits {
            self.held.pop_front();
        }
        fits
    }

    /// Forgets those of a lane.
    pub(super) fn forget_lane(&mut self, lane: usize) {
        self.retain(|of, _| of != lane);
    }

    /// Forgets those before an instant, ns.
    pub(super) fn forget_before(&mut self, from_ns: i64) {
        self.retain(|_, mark| mark.t_ns >= from_ns);
    }

    fn retain(&mut self, stays: impl Fn(usize, &Mark) -> bool) {
        let before = self.held.len();
        self.held.retain(|(lane, mark)| stays(*lane, mark));
        self.changed |= self.held.len() != before;
    }

    /// Puts them on the timeline, by time.
    pub(super) fn show(&mut self, replay: &mut Replay) {
        if std::mem::take(&mut self.changed) {
            replay.marks = self.held.iter().map(|(_, mark)| mark.clone()).collect();
            replay.marks.sort();
        }
    }
}
