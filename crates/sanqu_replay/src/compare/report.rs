//! The table of a comparison for scripts.

use serde::Serialize;

use super::delay::{Delay, DelaySearch};
use super::pair::Pair;
use super::progress::Progress;
use super::table::{Table, Walk};
use super::{Comparison, GhostKind};
use crate::ReplayError;
use crate::replay::{Replay, RobotRecord};
use crate::timeline::seconds;

/// At how many even instants the outermost links are compared: positions of links cost more than those of joints.
const TIP_SAMPLES: i64 = 500;

#[derive(Serialize)]
struct Report<'a> {
    compared_with: &'static str,
    episode: &'a str,
    ghost_episode: &'a str,
    align: String,
    /// What to add to an instant of the episode to get that of the ghost's recording, s.
    shift_s: f64,
    nudge_s: f64,
    difference: &'static str,
    robots: Vec<RobotReport<'a>>,
}

#[derive(Serialize)]
struct RobotReport<'a> {
    robot: &'a str,
    ghost: &'a str,
    /// What both cover, seconds after the start of the timeline.
    span_s: Option<[f64; 2]>,
    compared_s: f64,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<f64>,
    joints: Vec<JointReport<'a>>,
    tips: Vec<TipReport<'a>>,
    tip_samples: usize,
}

#[derive(Serialize)]
struct JointReport<'a> {
    joint: &'a str,
    unit: &'static str,
    rms: Option<f64>,
    max: Option<f64>,
    max_at_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<f64>,
    /// Why there is no delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_delay: Option<&'static str>,
}

#[derive(Serialize)]
struct TipReport<'a> {
    link: &'a str,
    rms_mm: Option<f64>,
    max_mm: Option<f64>,
    max_at_s: Option<f64>,
}

/// Compares everything and gives the table as JSON; joints that differ most come first.
///
/// # Errors
/// [`ReplayError::Compare`] when the replay has nothing to compare.
pub fn report(replay: &Replay) -> Result<String, ReplayError> {
    let refuse = |reason: &str| ReplayError::Compare { reason: reason.to_owned() };
    let comparison = replay.comparison.as_ref().ok_or_else(|| refuse("nothing was loaded to compare with"))?;
    let first = comparison.pairs.first().ok_or_else(|| refuse("no robot has a ghost"))?;
    let mut progress = Progress::new(comparison, comparison.nudge_ns);
    progress.go_on(&replay.robots, comparison, None, || false);
    let robots = comparison.pairs.iter().enumerate().filter_map(|(index, pair)| {
        Some(robot_report(comparison, &replay.robots[pair.robot], pair, progress.walk(index)?, progress.delay(index)))
    });
    let report = Report {
        compared_with: match comparison.kind {
            GhostKind::Recording => "episode",
            GhostKind::Command => "command",
        },
        episode: &replay.robots[first.robot].episode,
        ghost_episode: &first.ghost.episode,
        align: comparison.align.to_string(),
        shift_s: seconds(first.ghost.shift_ns),
        nudge_s: seconds(comparison.nudge_ns),
        difference: "ghost minus robot, on the straight way between rows",
        robots: robots.collect(),
    };
    sanqu_model::canonical_json(&report).map_err(|error| refuse(&format!("the table cannot be written: {error}")))
}

fn robot_report<'a>(
    comparison: &Comparison,
    robot: &'a RobotRecord,
    pair: &'a Pair,
    walk: &Walk,
    delays: Option<&DelaySearch>,
) -> RobotReport<'a> {
    let table = walk.table();
    let after_start = |t_ns: i64| seconds(t_ns - comparison.timeline.from_ns);
    let joint = |index: usize| {
        let (known, joint) = (&table.joints[index], &pair.joints[index]);
        let delay = delays.map(|delays| delays.delay(pair, index));
        JointReport {
            joint: &joint.name,
            unit: if joint.linear { "mm" } else { "deg" },
            rms: known.rms().map(|rms| joint.shown(rms)),
            max: known.max().map(|(max, _)| joint.shown(max)),
            max_at_s: known.max().map(|(_, t_ns)| after_start(t_ns)),
            delay_ms: delay.and_then(|delay| if let Delay::Follows(ms) = delay { Some(ms) } else { None }),
            no_delay: match delay {
                Some(Delay::Still) => Some("the command moves too little"),
                Some(Delay::Unclear) => Some("no delay from -100 ms to 1 s fits clearly better than others"),
                Some(Delay::Follows(_)) | None => None,
            },
        }
    };
    let (tips, tip_samples) = tip_reports(comparison, robot, pair, table);
    RobotReport {
        robot: robot.robot.as_str(),
        ghost: pair.ghost.robot.as_str(),
        span_s: table.span.map(|span| [after_start(span.from_ns), after_start(span.to_ns)]),
        compared_s: seconds(table.compared_ns),
        rows: table.rows,
        delay_ms: delays.and_then(|delays| delays.overall_ms(pair)).map(|(ms, _)| ms),
        joints: table.order(pair).into_iter().map(joint).collect(),
        tips,
        tip_samples,
    }
}

/// Distances of the outermost links, the one that is farthest apart first.
#[expect(clippy::cast_precision_loss, reason = "a few hundred samples")]
fn tip_reports<'a>(comparison: &Comparison, robot: &RobotRecord, pair: &'a Pair, table: &Table) -> (Vec<TipReport<'a>>, usize) {
    let Some(span) = table.span else { return (Vec::new(), 0) };
    let instants = (0..=TIP_SAMPLES).map(|index| span.from_ns + (span.to_ns - span.from_ns) / TIP_SAMPLES * index);
    let samples: Vec<(i64, Vec<f64>)> = instants.filter_map(|t_ns| Some((t_ns, pair.tips_at(robot, t_ns, comparison.nudge_ns)?))).collect();
    let count = samples.len();
    let tip = |(index, tip): (usize, &'a super::TipPair)| {
        let distances = || samples.iter().map(|(t_ns, tips)| (*t_ns, tips[index] * 1e3));
        let squares: f64 = distances().map(|(_, distance)| distance * distance).sum();
        let max = distances().max_by(|a, b| a.1.total_cmp(&b.1));
        TipReport {
            link: &tip.name,
            rms_mm: (count > 0).then(|| (squares / count as f64).sqrt()),
            max_mm: max.map(|(_, distance)| distance),
            max_at_s: max.map(|(t_ns, _)| seconds(t_ns - comparison.timeline.from_ns)),
        }
    };
    let mut tips: Vec<TipReport<'_>> = pair.tips.iter().enumerate().map(tip).collect();
    tips.sort_by(|a, b| b.rms_mm.unwrap_or(-1.0).total_cmp(&a.rms_mm.unwrap_or(-1.0)));
    (tips, count)
}
