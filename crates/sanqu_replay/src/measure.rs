//! Figures of a replay: how long it takes to open, to seek, to show video, and what a frame costs.

use std::time::{Duration, Instant};

use bevy::MinimalPlugins;
use bevy::app::App;
use bevy::time::TimeUpdateStrategy;

use crate::ReplayError;
use crate::cameras::{Library, shown_cameras};
use crate::load::{LoadOptions, load};
use crate::replay::{Posture, Replay};
use crate::robots::RobotsPlugin;
use crate::timeline::{Playhead, TimelinePlugin};
use crate::track::Blend;

/// How often each thing is done.
const SEEKS: u32 = 500;
const VIDEO_SEEKS: u32 = 60;
const FRAMES: u32 = 600;
/// One frame of a window.
const FRAME: Duration = Duration::from_nanos(16_666_667);

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Number of robots.
    pub robots: usize,
    /// Joint rows of all robots.
    pub rows: usize,
    /// What all joint positions of these rows would take in memory, bytes.
    pub value_bytes: usize,
    /// Length, s.
    pub length_secs: f64,
    /// From the start of loading to the first posture of every robot.
    pub open: Duration,
    /// A jump to any instant: postures of all robots, interpolated.
    pub seek: Spread,
    /// A jump to any instant: the frames of the cameras that have panels; none without cameras.
    pub video: Option<Spread>,
    /// One frame of playing: the replay's own systems for all robots, on one thread.
    pub frame: Spread,
}

/// Times of something that was done often.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Half of them were shorter.
    pub median: Duration,
    /// One in a hundred was longer.
    pub p99: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default();
        Self { median: at(50), p99: at(99) }
    }
}

/// Measures episodes; with `robots`, the same episodes are loaded again and again until there are that many.
///
/// # Errors
/// As [`load`].
pub fn measure(options: &LoadOptions, robots: Option<usize>) -> Result<Figures, ReplayError> {
    let mut options = options.clone();
    if let Some(robots) = robots {
        let once = load(&options)?.replay.robots.len().max(1);
        let again = robots.div_ceil(once);
        options.episodes = std::iter::repeat_n(options.episodes.clone(), again).flatten().collect();
    }
    let begun = Instant::now();
    let mut replay = load(&options)?.replay;
    replay.robots.truncate(robots.unwrap_or(usize::MAX));
    show(&replay, replay.start_ns);
    let open = begun.elapsed();
    let seek = seeks(&replay, SEEKS, |t_ns| show(&replay, t_ns));
    let video = video(&replay);
    let (rows, count) = (replay.robots.iter().map(|record| record.track.rows()).sum(), replay.robots.len());
    let value_bytes = replay.robots.iter().map(|record| record.track.rows() * record.track.names().len() * size_of::<f64>()).sum();
    let length_secs = crate::timeline::seconds(replay.end_ns - replay.start_ns);
    Ok(Figures { robots: count, rows, value_bytes, length_secs, open, seek, video, frame: frames(replay) })
}

/// Shows an instant: every robot's posture, with forward kinematics of all links.
fn show(replay: &Replay, t_ns: i64) {
    let mut posture = Posture::default();
    replay.read_for(t_ns, Blend::Interpolate);
    for record in &replay.robots {
        // Loading has checked that rows fit the model: this cannot fail for a good description.
        let _ = record.posture_between(t_ns, Blend::Interpolate, &mut posture);
    }
}

/// Times of `jump` to instants that are spread evenly but in no order.
fn seeks(replay: &Replay, count: u32, mut jump: impl FnMut(i64)) -> Spread {
    let length_ns = i128::from(replay.end_ns - replay.start_ns);
    // A step of 0.618 of the whole visits all parts of it, never in order.
    let instant = |index: u32| i64::try_from(i128::from(index) * 618_034 % 1_000_000 * length_ns / 1_000_000).unwrap_or(0);
    let times = (0..count).map(|index| {
        let begun = Instant::now();
        jump(replay.start_ns + instant(index));
        begun.elapsed()
    });
    Spread::of(times.collect())
}

/// Frames of all cameras with panels, asked for at once and waited for. Every instant lies in another group of pictures
/// than the one before, so that nearly none is decoded already.
fn video(replay: &Replay) -> Option<Spread> {
    let cameras = shown_cameras(replay, 0);
    let library = Library::open(replay.cameras.iter().map(|camera| camera.source.clone()).collect()).ok()?;
    let rows = |t_ns: i64| {
        cameras.iter().filter_map(move |camera| Some((*camera, replay.lanes[replay.cameras[*camera].lane].instants.row_at(t_ns)?)))
    };
    (!cameras.is_empty()).then(|| {
        seeks(replay, VIDEO_SEEKS, |t_ns| {
            rows(t_ns).for_each(|(camera, row)| drop(library.ask(camera, row)));
            rows(t_ns).for_each(|(camera, row)| drop(library.wait(camera, row)));
        })
    })
}

/// Plays, without window and renderer.
fn frames(replay: Replay) -> Spread {
    let mut playhead = Playhead { blend: Blend::Interpolate, playing: true, ..Playhead::new(replay.start_ns, replay.end_ns) };
    playhead.toggle_repeat();
    let mut app = App::new();
    app.add_plugins(MinimalPlugins)
        .insert_resource(TimeUpdateStrategy::ManualDuration(FRAME))
        .insert_resource(playhead)
        .insert_resource(replay)
        .add_plugins((TimelinePlugin, RobotsPlugin));
    app.update();
    let times = (0..FRAMES).map(|_| {
        let begun = Instant::now();
        app.update();
        begun.elapsed()
    });
    Spread::of(times.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_read_off_the_sorted_times() {
        let ms = Duration::from_millis;
        let spread = Spread::of((1..=200).rev().map(ms).collect());
        assert_eq!((spread.median, spread.p99), (ms(101), ms(199)));
        assert_eq!(Spread::of(Vec::new()).p99, Duration::ZERO);
    }
}
