//! From episodes on disk to a comparison.

use std::sync::Arc;

use super::Comparison;
use super::align::{Align, Recording, align};
use super::pair::{GhostKind, Pair, pair_robots, tell_left_out};
use crate::ReplayError;
use crate::load::{CommandTrack, KnownLooks, LoadOptions, Loaded, command_track, load_with};
use crate::replay::{Replay, RobotRecord};
use crate::timeline::{Span, seconds};
use crate::windows::{WINDOW_BYTES_MAX, WindowCache};

/// How recordings are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompareOptions {
    /// How they are aligned; none for the usual way.
    pub align: Option<Align>,
    /// How much later than aligned the ghosts are shown, ns.
    pub nudge_ns: i64,
}

/// Loads an episode and what it is compared with: a second episode, or, where only one is named, its commands.
///
/// # Errors
/// As [`crate::load::load`]; [`ReplayError::Compare`] when there is nothing to compare.
pub fn load_compared(options: &LoadOptions, how: &CompareOptions) -> Result<Loaded, ReplayError> {
    let refuse = |reason: String| Err(ReplayError::Compare { reason });
    let mut known = KnownLooks::new();
    let only = |episode: &String| LoadOptions { episodes: vec![episode.clone()], ..options.clone() };
    let mut loaded = match options.episodes.as_slice() {
        [one] | [one, _] => load_with(&only(one), &mut known)?,
        more => return refuse(format!("expected one episode (its commands) or two, not {}", more.len())),
    };
    if let [_, second] = options.episodes.as_slice() {
        let ghosts = load_with(&only(second), &mut known)?;
        for warning in ghosts.warnings {
            if !loaded.warnings.contains(&warning) {
                loaded.warnings.push(warning);
            }
        }
        compare_with(&mut loaded.replay, ghosts.replay, how, &mut loaded.warnings)?;
        return Ok(loaded);
    }
    if how.align.as_ref().is_some_and(|align| *align != Align::Time) {
        return refuse("commands and what was measured are of one recording: they can only be aligned by time".to_owned());
    }
    let pairs = commands(&loaded.replay, options, &mut loaded.warnings)?;
    let timeline = Span { from_ns: loaded.replay.start_ns, to_ns: loaded.replay.end_ns };
    let (kind, align) = (GhostKind::Command, Align::Time);
    let comparison = Comparison { pairs, kind, align, timeline, ghost_span: timeline, nudge_ns: how.nudge_ns };
    loaded.replay.comparison = Some(checked(comparison)?);
    Ok(loaded)
}

/// A comparison of which both sides have an instant in common.
fn checked(comparison: Comparison) -> Result<Comparison, ReplayError> {
    let nudge_ns = comparison.nudge_ns;
    if comparison.covered(nudge_ns).is_none() {
        let reason = format!("nudged by {} s the recordings have no instant in common", seconds(nudge_ns));
        return Err(ReplayError::Compare { reason });
    }
    Ok(comparison)
}

/// Compares the robots of `replay` with those of another recording, `ghosts`, which take their places.
///
/// # Errors
/// [`ReplayError::Compare`] when no robot or no instant can be compared.
pub fn compare_with(replay: &mut Replay, ghosts: Replay, how: &CompareOptions, warnings: &mut Vec<String>) -> Result<(), ReplayError> {
    let timeline = Span { from_ns: replay.start_ns, to_ns: replay.end_ns };
    let first = Recording { start_ns: replay.start_ns, end_ns: replay.end_ns, marks: &replay.marks };
    let second = Recording { start_ns: ghosts.start_ns, end_ns: ghosts.end_ns, marks: &ghosts.marks };
    let aligned = align(how.align.as_ref(), &first, &second)?;
    let on_timeline = |t_ns: i64| t_ns.saturating_sub(aligned.shift_ns);
    let ghost_span = Span { from_ns: on_timeline(ghosts.start_ns), to_ns: on_timeline(ghosts.end_ns) };
    let shifted = ghosts.robots.into_iter().map(|ghost| RobotRecord { shift_ns: ghost.shift_ns + aligned.shift_ns, ..ghost });
    let pairs = pair_robots(&replay.robots, shifted.collect(), warnings)?;
    let kind = GhostKind::Recording;
    let comparison = Comparison { pairs, kind, align: aligned.align, timeline, ghost_span, nudge_ns: how.nudge_ns };
    replay.comparison = Some(checked(comparison)?);
    Ok(())
}

/// Ghosts from the commands of the same recording.
fn commands(replay: &Replay, options: &LoadOptions, warnings: &mut Vec<String>) -> Result<Vec<Pair>, ReplayError> {
    let (mut pairs, mut without) = (Vec::new(), Vec::new());
    let cache = WindowCache::new(WINDOW_BYTES_MAX).map_err(|source| ReplayError::Thread { name: "rows", source })?;
    for (index, robot) in replay.robots.iter().enumerate() {
        let track = match command_track(options, robot, &cache)? {
            CommandTrack::Found(track) => *track,
            CommandTrack::None(why) => {
                without.push(format!("{}: {why}", robot.robot));
                continue;
            }
        };
        let unknown = track.unknown().join(", ");
        let ghost = RobotRecord {
            robot: robot.robot.clone(),
            name: robot.name.clone(),
            station: robot.station.clone(),
            episode: robot.episode.clone(),
            model: robot.model.clone(),
            looks: Arc::clone(&robot.looks),
            track,
            drives: None,
            base: None,
            world_from_station: robot.world_from_station,
            shift_ns: robot.shift_ns,
            lost_rows: 0,
        };
        let pair = Pair::new(index, robot, ghost, GhostKind::Command);
        if pair.joints.is_empty() {
            without.push(format!("{}: its commands are for no joint that was measured, but for {unknown}", robot.robot));
            continue;
        }
        tell_left_out(robot, &pair, warnings);
        pairs.push(pair);
    }
    if pairs.is_empty() {
        return Err(ReplayError::Compare { reason: format!("there is no command to compare with: {}", without.join("; ")) });
    }
    warnings.extend(without.into_iter().map(|who| format!("not compared: {who}")));
    Ok(pairs)
}
