//! Live data for pictures: some seconds of the field, then as a recording.

use std::time::{Duration, Instant};

use super::field::oldest_ns;
use super::{Child, LiveStage};
use crate::ReplayError;
use crate::cameras::{CameraRecord, FrameSource};
use crate::replay::Replay;
use crate::timeline::nanoseconds;

/// How long robots may take until their first rows.
const FIRST_ROWS_WAIT: Duration = Duration::from_secs(10);
/// How long is waited for what a robot says of its streams, and for those that it says it has, once its joints have come.
const OTHER_ROWS_WAIT: Duration = Duration::from_secs(3);
/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// What is gathered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gather {
    /// How much of it is wanted after every robot has come, s.
    pub seconds: f64,
    /// How far behind the newest rows pictures are, s.
    pub delay_secs: f64,
}

/// What was gathered: a replay whose rows are in memory.
#[derive(Debug)]
pub struct Gathered {
    /// The robots that have come.
    pub replay: Replay,
    /// Where a film begins, ns.
    pub from_ns: i64,
    /// The instant that lies the delay behind the newest row, ns.
    pub now_ns: i64,
    /// What there is to say, in whole sentences.
    pub notes: Vec<String>,
}

/// Waits until every robot that announces itself has rows, then gathers. The program that subscribes ends with this.
///
/// # Errors
/// [`ReplayError::Live`] when no robot comes, one that announces itself sends no joints, or the program ends.
pub fn gather(mut child: Child, staged: LiveStage, wanted: Gather, try_it: &str) -> Result<Gathered, ReplayError> {
    let LiveStage { mut replay, mut field, .. } = staged;
    let live = |reason: String| ReplayError::Live { reason };
    let (begun, mut last) = (Instant::now(), Instant::now());
    let (mut joined, mut from_ns, mut notes): (Option<Instant>, Option<i64>, Vec<String>) = (None, None, Vec::new());
    loop {
        let before_ns = field.newest_ns();
        field.apply(child.inbox().wait(LOOK), &mut replay);
        notes.extend(field.take_notes());
        let now = Instant::now();
        if field.newest_ns() != before_ns {
            last = now;
        }
        if let Some(why) = child.ended() {
            return Err(live(format!("{why}; to try it by hand: {try_it}")));
        }
        let missing = missing(&replay, &field);
        if missing.is_empty() {
            joined.get_or_insert(now);
        } else if joined.is_none() && now - begun > FIRST_ROWS_WAIT {
            let waited = FIRST_ROWS_WAIT.as_secs();
            return Err(live(format!("after {waited} s {}; to see what comes: {try_it} --seconds 5 | wc -c", missing.join(", "))));
        }
        if now - last > SILENCE_MAX && joined.is_some() {
            return Err(live(format!("nothing has come for {} s; to see what comes: {try_it}", SILENCE_MAX.as_secs())));
        }
        let Some((joined, newest_ns)) = joined.zip(field.newest_ns()) else { continue };
        let begun = |camera: &CameraRecord| !matches!(&camera.source, FrameSource::Live(film) if !film.has_keyframe());
        let complete = field.is_complete(&replay) && replay.cameras.iter().all(begun);
        if from_ns.is_none() && (complete || now - joined > OTHER_ROWS_WAIT) {
            from_ns = Some(newest_ns);
        }
        let Some(from_ns) = from_ns else { continue };
        let enough_ns = from_ns.saturating_add(nanoseconds(wanted.seconds + wanted.delay_secs));
        if newest_ns >= enough_ns {
            drop(child);
            let now_ns = newest_ns.saturating_sub(nanoseconds(wanted.delay_secs));
            only_those_who_came(&mut replay);
            replay.start_ns = oldest_ns(&replay).unwrap_or(from_ns).min(from_ns);
            replay.end_ns = newest_ns;
            for record in &mut replay.robots {
                record.episode = format!("{}, delay {:.2} s", record.episode, wanted.delay_secs);
            }
            return Ok(Gathered { replay, from_ns, now_ns, notes });
        }
    }
}

/// What is waited for, in words.
fn missing(replay: &Replay, field: &super::LiveField) -> Vec<String> {
    let has_rows = |index: usize| replay.robots[index].track.rows() > 0;
    let index = |robot: &sanqu_model::Id| replay.robots.iter().position(|record| record.robot == *robot);
    let silent = field.alive().iter().filter_map(index).filter(|index| !has_rows(*index));
    let mut missing: Vec<String> =
        silent.map(|index| format!("{} announces itself, but no joint rows of it have come", replay.robots[index].robot)).collect();
    if missing.is_empty() && !(0..replay.robots.len()).any(has_rows) {
        let known: Vec<&str> = replay.robots.iter().map(|record| record.robot.as_str()).collect();
        missing.push(format!("no robot of field {} has come (it has {})", replay.field.field, known.join(", ")));
    }
    missing
}

/// Leaves out robots of which nothing came; lanes and cameras count anew.
fn only_those_who_came(replay: &mut Replay) {
    let came: Vec<bool> = replay.robots.iter().map(|record| record.track.rows() > 0).collect();
    let new_index = |old: usize| came.iter().take(old).filter(|came| **came).count();
    let new_lane: Vec<Option<usize>> = replay
        .lanes
        .iter()
        .scan(0, |next, lane| {
            let kept = came.get(lane.robot).copied().unwrap_or(false);
            *next += usize::from(kept);
            Some(kept.then(|| *next - 1))
        })
        .collect();
    let kept = |robot: usize| came.get(robot).copied().unwrap_or(false);
    replay.lanes.retain(|lane| kept(lane.robot));
    replay.lanes.iter_mut().for_each(|lane| lane.robot = new_index(lane.robot));
    replay.cameras.retain_mut(|camera| {
        let lane = new_lane.get(camera.lane).copied().flatten();
        (camera.lane, camera.robot) = (lane.unwrap_or(camera.lane), new_index(camera.robot));
        lane.is_some()
    });
    let mut index = 0..;
    replay.robots.retain(|_| index.next().is_some_and(kept));
}
