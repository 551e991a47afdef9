//! The playhead: one instant of capture time that everything on the stage shows.

use bevy::app::{App, Plugin, Update};
use bevy::ecs::change_detection::DetectChangesMut;
use bevy::ecs::schedule::{IntoScheduleConfigs, SystemSet};
use bevy::prelude::{Res, ResMut, Resource};
use bevy::time::Time;

/// Slowest and fastest playing speed.
pub const SPEED_RANGE: (f64, f64) = (1.0 / 16.0, 16.0);

/// The order of the replay's systems within a frame. Further plugins (drives, video panels, comparison) hang
/// themselves into these sets and need to know nothing of each other.
#[derive(SystemSet, Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReplaySystems {
    /// Keys and mouse change the playhead or the view.
    Input,
    /// The playhead advances.
    Advance,
    /// Recorded state at the playhead goes onto the stage.
    Apply,
    /// Labels and panels follow what was applied.
    Follow,
}

/// Where the replay is. Times are ns of capture time since the Unix epoch.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct Playhead {
    /// The instant shown; always within `start_ns..=end_ns`.
    pub t_ns: i64,
    /// First instant.
    pub start_ns: i64,
    /// Last instant.
    pub end_ns: i64,
    /// Whether time passes.
    pub playing: bool,
    /// Capture seconds per second.
    pub speed: f64,
}

impl Playhead {
    /// A paused playhead at the start.
    pub fn new(start_ns: i64, end_ns: i64) -> Self {
        Self { t_ns: start_ns, start_ns, end_ns: end_ns.max(start_ns), playing: false, speed: 1.0 }
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        seconds(self.t_ns - self.start_ns)
    }

    /// Length in seconds.
    pub fn length_secs(&self) -> f64 {
        seconds(self.end_ns - self.start_ns)
    }

    /// Goes to `seconds` after the start, or to the nearest end.
    pub fn seek_secs(&mut self, seconds: f64) {
        self.t_ns = self.start_ns.saturating_add(nanoseconds(seconds)).clamp(self.start_ns, self.end_ns);
    }

    /// Moves by `seconds` (negative: back), or to the nearest end.
    pub fn step_secs(&mut self, seconds: f64) {
        self.t_ns = self.t_ns.saturating_add(nanoseconds(seconds)).clamp(self.start_ns, self.end_ns);
    }

    /// Plays or pauses; at the end, begins again.
    pub fn toggle(&mut self) {
        if !self.playing && self.t_ns == self.end_ns {
            self.t_ns = self.start_ns;
        }
        self.playing = !self.playing;
    }

    /// Multiplies the speed, within [`SPEED_RANGE`].
    pub fn scale_speed(&mut self, factor: f64) {
        self.speed = (self.speed * factor).clamp(SPEED_RANGE.0, SPEED_RANGE.1);
    }

    /// Lets `elapsed_secs` of the viewer's time pass; stops at the end.
    pub fn advance(&mut self, elapsed_secs: f64) {
        if !self.playing {
            return;
        }
        self.step_secs(elapsed_secs * self.speed);
        self.playing = self.t_ns < self.end_ns;
    }
}

#[expect(clippy::cast_precision_loss, reason = "differences within an episode are far below 2^53 ns, which is 104 days")]
pub(crate) fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer saturates; the caller clamps to the episode")]
fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// Advances the [`Playhead`] by bevy's `Time` and puts [`ReplaySystems`] in order.
pub struct TimelinePlugin;

impl Plugin for TimelinePlugin {
    fn build(&self, app: &mut App) {
        use ReplaySystems::{Advance, Apply, Follow, Input};
        app.configure_sets(Update, (Input, Advance, Apply, Follow).chain());
        app.add_systems(Update, advance.in_set(Advance));
    }
}

fn advance(time: Res<'_, Time>, mut playhead: ResMut<'_, Playhead>) {
    let mut next = *playhead;
    next.advance(time.delta_secs_f64());
    playhead.set_if_neq(next);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_when_playing_and_stops_at_the_end() {
        let mut head = Playhead::new(1_000, 1_000 + 3_000_000_000);
        head.advance(1.0);
        assert_eq!(head.t_ns, 1_000);
        head.toggle();
        head.scale_speed(2.0);
        head.advance(1.0);
        assert_eq!((head.seconds(), head.playing), (2.0, true));
        head.advance(1.0);
        assert_eq!((head.t_ns, head.playing), (head.end_ns, false));
        head.toggle();
        assert_eq!((head.t_ns, head.playing), (head.start_ns, true), "playing at the end begins again");
    }

    #[test]
    fn seeking_stays_inside() {
        let mut head = Playhead::new(0, 2_000_000_000);
        for (seconds, expect) in [(0.5, 500_000_000), (-1.0, 0), (9.0, 2_000_000_000), (f64::INFINITY, 2_000_000_000)] {
            head.seek_secs(seconds);
            assert_eq!(head.t_ns, expect, "{seconds}");
        }
        head.step_secs(-0.25);
        assert_eq!(head.t_ns, 1_750_000_000);
        head.scale_speed(1e9);
        assert!((head.speed - SPEED_RANGE.1).abs() < 1e-9);
    }
}
