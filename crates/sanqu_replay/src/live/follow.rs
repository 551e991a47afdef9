//! The playhead of a live replay.

use bevy::prelude::Resource;

use super::ring::HOLD_SECS;
use crate::timeline::{Playhead, nanoseconds, seconds};

/// How far behind the newest rows the playhead stays, s, so that streams that take longer are there, too.
pub const LIVE_DELAY_SECS: f64 = 0.3;
/// The longest delay, s: half of what is held.
pub const LIVE_DELAY_SECS_MAX: f64 = HOLD_SECS as f64 / 2.0;
/// How much slower than time the field's clock may seem, so that a single row that came fast does not count for ever.
const SLACK: f64 = 0.05;
/// What the timeline shows at least, ns.
const SPAN_NS_MIN: i64 = 10_000_000_000;
/// The timeline moves in steps of this, ns: painting it costs more than moving the cursor.
const SPAN_STEP_NS: i64 = 250_000_000;

/// Where now is on the field's timeline, and whether the playhead follows.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Follow {
    /// How far behind the newest rows the playhead stays, ns.
    pub delay_ns: i64,
    /// Whether the playhead follows; else it was paused or moved by hand.
    pub on: bool,
    /// Field time less the viewer's, ns; none before the first row.
    offset_ns: Option<i64>,
    newest_ns: Option<i64>,
    /// The viewer's time of the last look, ns.
    viewer_ns: i64,
    /// Where the playhead was left.
    left_ns: Option<i64>,
}

impl Follow {
    /// Follows, this far behind.
    pub fn new(delay_secs: f64) -> Self {
        let delay_ns = nanoseconds(delay_secs.clamp(0.0, LIVE_DELAY_SECS_MAX));
        Self { delay_ns, on: true, offset_ns: None, newest_ns: None, viewer_ns: 0, left_ns: None }
    }

    /// Now on the field's timeline, as far as known, ns.
    pub fn now_ns(&self) -> Option<i64> {
        Some(self.viewer_ns.saturating_add(self.offset_ns?))
    }

    /// How far an instant lies behind now, s.
    pub fn behind_secs(&self, t_ns: i64) -> Option<f64> {
        Some(seconds(self.now_ns()?.saturating_sub(t_ns)))
    }

    /// How old the newest row is, s.
    pub fn age_secs(&self) -> Option<f64> {
        self.behind_secs(self.newest_ns?)
    }

    /// Takes the newest row's capture time (ns) at the viewer's time `viewer_ns`. Rows come in packets and take their time: now
    /// is where the rows that came fastest say. Without new rows time goes on, and what is held grows old.
    pub fn hear(&mut self, newest_ns: Option<i64>, viewer_ns: i64) {
        let elapsed_ns = viewer_ns.saturating_sub(self.viewer_ns).max(0);
        self.viewer_ns = viewer_ns;
        let Some(newest_ns) = newest_ns.filter(|newest_ns| self.newest_ns != Some(*newest_ns)) else { return };
        let set_back = self.newest_ns.is_some_and(|known| newest_ns < known);
        self.newest_ns = Some(newest_ns);
        let heard_ns = newest_ns.saturating_sub(viewer_ns);
        self.offset_ns = Some(match self.offset_ns.filter(|_| !set_back) {
            None => heard_ns,
            Some(known_ns) => heard_ns.max(known_ns.saturating_sub(nanoseconds(seconds(elapsed_ns) * SLACK))),
        });
    }

    /// Whether the playhead was moved or paused since it was left, as by keys and mouse: it does not follow any more then.
    pub fn notice(&mut self, playhead: &Playhead) {
        let moved = self.left_ns.is_some_and(|left_ns| left_ns != playhead.t_ns);
        if moved || (self.left_ns.is_some() && !playhead.playing) {
            self.on = false;
        }
    }

    /// Moves the playhead and the timeline around it; the oldest row that is held is of `oldest_ns`. A playhead that plays
    /// by hand and catches up follows again.
    pub fn lead(&mut self, playhead: &mut Playhead, oldest_ns: Option<i64>) {
        let Some(now_ns) = self.now_ns() else { return };
        let target_ns = now_ns.saturating_sub(self.delay_ns);
        if !self.on && self.left_ns.is_some() && playhead.playing && playhead.t_ns >= target_ns {
            (self.on, playhead.speed) = (true, 1.0);
        }
        let step = |t_ns: i64| t_ns.div_euclid(SPAN_STEP_NS).saturating_add(1).saturating_mul(SPAN_STEP_NS);
        playhead.end_ns = step(now_ns);
        let held_ns = oldest_ns.unwrap_or(now_ns).min(playhead.end_ns.saturating_sub(SPAN_NS_MIN));
        playhead.start_ns = step(held_ns).saturating_sub(SPAN_STEP_NS);
        if self.on {
            // Small corrections of the clock do not let time run backwards.
            let back = self.left_ns.filter(|left_ns| (0..SPAN_STEP_NS).contains(&left_ns.saturating_sub(target_ns)));
            playhead.t_ns = back.unwrap_or(target_ns);
            playhead.playing = true;
        }
        playhead.t_ns = playhead.t_ns.clamp(playhead.start_ns, playhead.end_ns);
        self.left_ns = Some(playhead.t_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const T0: i64 = 1_763_740_800_000_000_000;

    /// A frame of 20 ms; rows up to `newest_ms`, if any came.
    fn frame(follow: &mut Follow, head: &mut Playhead, number: i64, newest_ms: Option<i64>) -> i64 {
        let newest = newest_ms.map(|ms| T0 + ms * MS).or(follow.newest_ns);
        follow.notice(head);
        follow.hear(newest, number * 20 * MS);
        head.advance(0.02);
        follow.lead(head, Some(T0));
        (head.t_ns - T0) / MS
    }

    fn begun() -> (Follow, Playhead) {
        let (mut follow, mut head) = (Follow::new(0.3), Playhead::new(0, 0));
        for number in 0..50 {
            frame(&mut follow, &mut head, number, Some(number * 20));
        }
        (follow, head)
    }

    #[test]
    fn it_stays_the_delay_behind_and_goes_on_when_nothing_comes() {
        let (mut follow, mut head) = begun();
        assert_eq!(frame(&mut follow, &mut head, 50, Some(1000)), 700);
        assert_eq!(frame(&mut follow, &mut head, 51, None), 720);
        assert_eq!(frame(&mut follow, &mut head, 100, None), 1700, "silence lets what is held grow old");
        assert!((follow.age_secs().unwrap() - 1.0).abs() < 1e-9 && follow.on && head.playing);
        assert!(head.start_ns <= T0 && head.end_ns >= head.t_ns && head.end_ns - T0 <= 2250 * MS);
        assert!(head.end_ns - head.start_ns >= 10_000 * MS, "at least ten seconds are shown");
        assert_eq!(Follow::new(1e9).delay_ns, 30_000 * MS, "half of what is held at most");
    }

    #[test]
    fn packets_that_come_late_do_not_let_it_jump() {
        let (mut follow, mut head) = begun();
        let mut last = 680;
        for number in 50..150 {
            // Every other packet comes a frame late, one in ten takes 200 ms.
            let late = if number % 10 == 0 { 200 } else { number % 2 * 20 };
            let newest_ms = (number * 20 - late).max((follow.newest_ns.unwrap() - T0) / MS);
            let t = frame(&mut follow, &mut head, number, Some(newest_ms));
            assert!((15..=25).contains(&(t - last)), "frame {number}: from {last} to {t}");
            last = t;
        }
    }

    #[test]
    fn a_source_that_became_slower_or_was_set_back_is_followed() {
        let (mut follow, mut head) = begun();
        // From one moment on everything takes half a second.
        for number in 50..1000 {
            frame(&mut follow, &mut head, number, Some((number * 20 - 500).max(980)));
        }
        assert!((follow.behind_secs(head.t_ns).unwrap() - 0.3).abs() < 0.01);
        assert!((head.t_ns - T0) / MS < 20 * 1000 - 500 - 280, "now is where the rows are, not where they were once");
        let set_back = frame(&mut follow, &mut head, 1000, Some(3000));
        assert_eq!(set_back, 2700);
    }

    #[test]
    fn a_clock_that_is_corrected_a_little_does_not_turn_time_around() {
        let (mut follow, mut head) = begun();
        assert_eq!([Some(900), Some(920), None].map(|newest_ms| frame(&mut follow, &mut head, 50, newest_ms)), [680, 680, 680]);
        assert_eq!(frame(&mut follow, &mut head, 60, Some(1120)), 820, "and goes on from there");
    }

    #[test]
    fn who_paused_ahead_of_the_delay_is_left_there() {
        let (mut follow, mut head) = begun();
        head.toggle();
        head.t_ns = T0 + 990 * MS;
        assert_eq!((frame(&mut follow, &mut head, 50, Some(1000)), follow.on, head.playing), (990, false, false));
    }

    #[test]
    fn it_is_left_by_hand_and_followed_again() {
        let (mut follow, mut head) = begun();
        head.toggle();
        assert_eq!(frame(&mut follow, &mut head, 50, Some(1000)), 680, "paused");
        assert_eq!((frame(&mut follow, &mut head, 60, Some(1200)), follow.on), (680, false));
        head.toggle();
        assert_eq!((frame(&mut follow, &mut head, 61, Some(1220)), follow.on), (700, false), "it plays on from there");
        head.speed = 8.0;
        for number in 62..80 {
            frame(&mut follow, &mut head, number, Some(number * 20));
        }
        assert_eq!((follow.on, (head.t_ns - T0) / MS), (true, 79 * 20 - 300), "faster, it catches up and follows");
        assert!((head.speed - 1.0).abs() < 1e-9);
        head.step_secs(-0.5);
        assert_eq!((frame(&mut follow, &mut head, 80, Some(1600)), follow.on), (800, false), "a step back is not followed");
        follow.on = true;
        assert_eq!(frame(&mut follow, &mut head, 81, Some(1620)), 1320);
    }

    #[test]
    fn what_is_forgotten_takes_a_paused_playhead_along() {
        let (mut follow, mut head) = begun();
        head.toggle();
        frame(&mut follow, &mut head, 50, Some(1000));
        follow.notice(&head);
        follow.hear(Some(T0 + 60_000 * MS), 60_000 * MS);
        follow.lead(&mut head, Some(T0 + 5_000 * MS));
        assert_eq!(((head.t_ns - T0) / MS, head.playing), (5_000, false));
    }
}
