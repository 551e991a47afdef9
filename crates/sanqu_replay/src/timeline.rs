//! The playhead: one instant of capture time that everything on the stage shows.

use bevy::app::{App, Plugin, Update};
use bevy::ecs::change_detection::DetectChangesMut;
use bevy::ecs::schedule::{IntoScheduleConfigs, SystemSet};
use bevy::prelude::{Res, ResMut, Resource};
use bevy::time::Time;

use crate::track::Blend;

/// Slowest and fastest playing speed.
pub const SPEED_RANGE: (f64, f64) = (0.01, 16.0);
/// The speeds that keys go through.
const SPEEDS: [f64; 11] = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

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
    /// What is shown between two samples.
    pub blend: Blend,
    /// The span that playing repeats, from the first instant to where it begins again.
    pub repeat: Option<Span>,
}

/// Two instants of the timeline, ns, the first before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from_ns: i64,
    /// End.
    pub to_ns: i64,
}

impl Playhead {
    /// A paused playhead at the start.
    pub fn new(start_ns: i64, end_ns: i64) -> Self {
        Self { t_ns: start_ns, start_ns, end_ns: end_ns.max(start_ns), playing: false, speed: 1.0, blend: Blend::Hold, repeat: None }
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

    /// Goes to the instant `t_ns`, or to the nearest end.
    pub fn seek_ns(&mut self, t_ns: i64) {
        self.t_ns = t_ns.clamp(self.start_ns, self.end_ns);
    }

    /// Takes the next greater of the speeds 1/100, 1/50, 1/20, 1/10, 1/4, 1/2, 1, 2, 4, 8, 16.
    pub fn faster(&mut self) {
        self.speed = SPEEDS.into_iter().find(|speed| *speed > self.speed).unwrap_or(SPEED_RANGE.1);
    }

    /// Takes the next smaller of the same speeds.
    pub fn slower(&mut self) {
        self.speed = SPEEDS.into_iter().rev().find(|speed| *speed < self.speed).unwrap_or(SPEED_RANGE.0);
    }

    /// Repeats what lies between two times after the start, as far as it is inside; goes to its beginning.
    pub fn repeat_secs(&mut self, from_secs: f64, to_secs: f64) {
        self.seek_secs(to_secs);
        let to_ns = self.t_ns;
        self.seek_secs(from_secs);
        self.repeat = (self.t_ns < to_ns).then_some(Span { from_ns: self.t_ns, to_ns });
    }

    /// Lets the repeated span begin at the playhead; its end stays where it was, if that is later.
    pub fn repeat_from_here(&mut self) {
        let to_ns = self.repeat.map(|span| span.to_ns).filter(|to| *to > self.t_ns).unwrap_or(self.end_ns);
        self.repeat = (self.t_ns < to_ns).then_some(Span { from_ns: self.t_ns, to_ns });
    }

    /// Lets the repeated span end at the playhead; its beginning stays where it was, if that is earlier.
    pub fn repeat_to_here(&mut self) {
        let from_ns = self.repeat.map(|span| span.from_ns).filter(|from| *from < self.t_ns).unwrap_or(self.start_ns);
        self.repeat = (from_ns < self.t_ns).then_some(Span { from_ns, to_ns: self.t_ns });
    }

    /// Repeats everything, or nothing when something was repeated.
    pub fn toggle_repeat(&mut self) {
        let all = Span { from_ns: self.start_ns, to_ns: self.end_ns };
        self.repeat = match self.repeat {
            None if all.from_ns < all.to_ns => Some(all),
            _ => None,
        };
    }

    /// Lets `elapsed_secs` of the viewer's time pass. Stops at the end; from the end of the repeated span it goes on at its
    /// beginning.
    pub fn advance(&mut self, elapsed_secs: f64) {
        if !self.playing {
            return;
        }
        let next_ns = self.t_ns.saturating_add(nanoseconds(elapsed_secs * self.speed));
        self.t_ns = match self.repeat {
            Some(Span { from_ns, to_ns }) if next_ns >= to_ns => from_ns + (next_ns - to_ns) % (to_ns - from_ns),
            _ => next_ns.min(self.end_ns),
        };
        self.playing = self.repeat.is_some() || self.t_ns < self.end_ns;
    }
}

#[expect(clippy::cast_precision_loss, reason = "differences within an episode are far below 2^53 ns, which is 104 days")]
pub(crate) fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

#[expect(clippy::cast_possible_truncation, reason = "float to integer saturates; the caller clamps to the episode")]
pub(crate) fn nanoseconds(seconds: f64) -> i64 {
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
        head.faster();
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
    }

    #[test]
    fn speeds_go_from_a_hundredth_to_sixteen() {
        let mut head = Playhead::new(0, 1);
        (0..20).for_each(|_| head.faster());
        assert!((head.speed - SPEED_RANGE.1).abs() < 1e-9);
        (0..20).for_each(|_| head.slower());
        assert!((head.speed - SPEED_RANGE.0).abs() < 1e-9);
        head.speed = 0.3;
        head.slower();
        assert!((head.speed - 0.25).abs() < 1e-9, "a speed between two of the keys' goes to the next: {}", head.speed);
    }

    #[test]
    fn a_repeated_span_goes_on_at_its_beginning() {
        let mut head = Playhead::new(0, 10_000_000_000);
        head.seek_secs(4.0);
        head.repeat_to_here();
        assert_eq!(head.repeat, Some(Span { from_ns: 0, to_ns: 4_000_000_000 }));
        head.seek_secs(3.0);
        head.repeat_from_here();
        assert_eq!(head.repeat, Some(Span { from_ns: 3_000_000_000, to_ns: 4_000_000_000 }));
        head.toggle();
        head.advance(1.25);
        assert_eq!((head.t_ns, head.playing), (3_250_000_000, true));
        head.advance(7.5);
        assert_eq!(head.t_ns, 3_750_000_000, "several rounds in one step");
        head.seek_secs(9.0);
        head.advance(0.0);
        assert_eq!(head.t_ns, 3_000_000_000, "behind the span it begins again");
        head.seek_secs(6.0);
        head.repeat_from_here();
        assert_eq!(head.repeat, Some(Span { from_ns: 6_000_000_000, to_ns: head.end_ns }), "an end before the beginning is dropped");
        head.toggle_repeat();
        assert_eq!(head.repeat, None);
        head.toggle_repeat();
        assert_eq!(head.repeat, Some(Span { from_ns: 0, to_ns: head.end_ns }));
    }
}
