//! Pairs, differences and delays of recordings made by hand.

use std::sync::Arc;

use nalgebra::Isometry3;
use sanqu_model::FieldConfig;
use sanqu_robot::RobotModel;
use sanqu_store::Series;

use super::pair::pair_robots;
use super::*;
use crate::body::Looks;
use crate::replay::{Replay, RobotRecord};
use crate::track::{Breaks, Gap, Track};

const MS: i64 = 1_000_000;
/// Rows are 10 ms apart.
const ROW_NS: i64 = 10 * MS;

fn urdf(name: &str) -> String {
    let link = |name: &str| format!("<link name=\"{name}\"/>");
    let joint = |name: &str, kind: &str, parent: &str, child: &str| {
        format!(
            "<joint name=\"{name}\" type=\"{kind}\"><parent link=\"{parent}\"/><child link=\"{child}\"/><origin xyz=\"0 0 0.2\"/>
             <axis xyz=\"0 1 0\"/><limit lower=\"-3\" upper=\"3\" velocity=\"1\" effort=\"1\"/></joint>"
        )
    };
    let links: String = ["base", "upper", "lower", "palm", "thumb", "finger", "sensor", "wheel", "neck", "head", "far"].map(link).concat();
    let joints = [
        joint("shoulder_joint", "revolute", "base", "upper"),
        joint("slide", "prismatic", "upper", "lower"),
        joint("wrist", "revolute", "lower", "palm"),
        joint("thumb_joint", "revolute", "palm", "thumb"),
        joint("finger_joint", "revolute", "palm", "finger"),
        joint("mount", "fixed", "palm", "sensor"),
        joint("turn", "continuous", "base", "wheel"),
        // A head branches off near an arm, but is no finger.
        joint("nod", "revolute", "upper", "neck"),
        joint("tilt", "revolute", "neck", "head"),
        joint("eye", "fixed", "head", "far"),
    ];
    format!("<robot name=\"{name}\">{links}{}</robot>", joints.concat())
}

/// A robot whose named joints are `values(row)` in each of `rows` rows from 0 s on.
fn record(id: &str, model: &str, names: &[&str], rows: usize, values: impl Fn(usize) -> Vec<f64>) -> RobotRecord {
    let model = RobotModel::from_urdf_str(&urdf(model)).unwrap();
    let t_ns = (0..rows).map(|row| ROW_NS * i64::try_from(row).unwrap()).collect();
    let series =
        Series { t_ns, names: names.iter().map(|name| (*name).to_owned()).collect(), values: (0..rows).flat_map(values).collect() };
    let rest = vec![0.0; model.joints().len()];
    let track = Track::new(&model, series, rest, Breaks::default());
    RobotRecord {
        robot: id.parse().unwrap(),
        name: id.to_owned(),
        station: "a01".parse().unwrap(),
        episode: "01K".to_owned(),
        looks: Arc::new(Looks::default()),
        model,
        track,
        drives: None,
        base: None,
        world_from_station: Isometry3::identity(),
        shift_ns: 0,
        lost_rows: 0,
    }
}

fn seconds_of(row: usize) -> f64 {
    f64::from(u32::try_from(row).unwrap()) * 0.01
}

fn replay(robots: Vec<RobotRecord>, end_ns: i64) -> Replay {
    Replay::new(FieldConfig::parse("field = \"f\"\nname = \"f\"\ntime_zone = \"UTC\"\n").unwrap(), robots, 0, end_ns)
}

/// Both sides compared to the end.
fn compared(robot: RobotRecord, ghost: RobotRecord, how: &CompareOptions) -> (Replay, Progress) {
    let end = |record: &RobotRecord| record.track.t_ns().last().copied().unwrap();
    let ends = (end(&robot), end(&ghost));
    let mut first = replay(vec![robot], ends.0);
    compare_with(&mut first, replay(vec![ghost], ends.1), how, &mut Vec::new()).unwrap();
    let comparison = first.comparison.as_ref().unwrap();
    let mut progress = Progress::new(comparison, comparison.nudge_ns);
    progress.go_on(&first.robots, comparison, None, || false);
    (first, progress)
}

/// RMS, greatest difference and its row, of the only joint; how long was compared, ms, and how many rows.
fn only(progress: &Progress) -> ((f64, f64, i64), (i64, u64)) {
    let table = progress.walk(0).unwrap().table();
    let (max, at_ns) = table.joints[0].max().unwrap();
    ((table.joints[0].rms().unwrap(), max, at_ns / ROW_NS), (table.compared_ns / MS, table.rows))
}

#[track_caller]
fn close(found: f64, expect: f64) {
    assert!((found - expect).abs() < 1e-9, "{found}, not {expect}");
}

#[test]
fn robots_are_paired_by_id_then_by_model() {
    let one = |id: &str, model: &str| record(id, model, &["wrist"], 10, |_| vec![0.0]);
    let robots = [one("a", "m"), one("b", "m"), one("c", "n")];
    let mut warnings = Vec::new();
    let pairs = pair_robots(&robots, vec![one("x", "m"), one("a", "m"), one("y", "o")], &mut warnings).unwrap();
    let found: Vec<(usize, &str)> = pairs.iter().map(|pair| (pair.robot, pair.ghost.robot.as_str())).collect();
    assert_eq!(found, [(0, "a"), (1, "x")]);
    let told = |part: &str| assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:?}");
    told("b is compared with another robot of the same model: x");
    told("not compared: c (model n): the other recording has neither");
    told("not compared: y (model o): the first recording has neither");
}

#[test]
fn robots_of_other_models_are_refused_and_joints_go_by_name() {
    let refused = |robot: RobotRecord, ghost: RobotRecord| pair_robots(&[robot], vec![ghost], &mut Vec::new()).unwrap_err().to_string();
    let one = |id: &str, model: &str, joint: &str| record(id, model, &[joint], 10, |_| vec![0.0]);
    let error = refused(one("a", "m", "wrist"), one("b", "n", "wrist"));
    assert!(error.contains("a (model m)") && error.contains("b (model n)"), "{error}");
    let error = refused(one("a", "m", "wrist"), one("a", "m", "turn"));
    assert!(error.contains("no joint has rows in both"), "{error}");

    let robot = record("a", "m", &["wrist", "turn", "shoulder"], 10, |_| vec![0.0; 3]);
    let ghost = record("a", "n", &["shoulder_joint", "slide", "turn"], 10, |_| vec![0.0; 3]);
    let mut warnings = Vec::new();
    let pairs = pair_robots(&[robot], vec![ghost], &mut warnings).unwrap();
    let names: Vec<&str> = pairs[0].joints.iter().map(|joint| joint.name.as_str()).collect();
    assert_eq!(names, ["shoulder_joint", "turn"]);
    assert!(warnings[0].contains("descriptions differ (m, n)") && warnings[1].ends_with("not compared: wrist"), "{warnings:?}");
}

#[test]
fn a_hand_is_one_tip_and_not_its_fingers() {
    let robots = [record("a", "m", &["wrist"], 10, |_| vec![0.0])];
    let pairs = pair_robots(&robots, vec![record("a", "m", &["wrist"], 10, |_| vec![0.0])], &mut Vec::new()).unwrap();
    let names: Vec<&str> = pairs[0].tips.iter().map(|tip| tip.name.as_str()).collect();
    assert_eq!(names, ["sensor", "wheel", "far"], "what the wrist carries farthest out, not thumb and finger");
}

#[test]
fn differences_are_ghost_minus_robot_in_the_units_of_the_joint() {
    let robot = record("a", "m", &["wrist", "slide"], 101, |row| vec![seconds_of(row), 0.001]);
    let ghost = record("a", "m", &["wrist", "slide"], 101, |row| vec![seconds_of(row) + if row == 40 { -0.5 } else { 0.1 }, 0.003]);
    let (replay, progress) = compared(robot, ghost, &CompareOptions::default());
    let pair = &replay.comparison.as_ref().unwrap().pairs[0];
    let table = progress.walk(0).unwrap().table();
    let [slide, wrist] = [0, 1].map(|joint| &table.joints[joint]);
    assert_eq!((pair.joints[0].name.as_str(), pair.joints[0].unit(), pair.joints[1].unit()), ("slide", "mm", "°"));
    close(pair.joints[0].shown(slide.rms().unwrap()), 2.0);
    close(wrist.rms().unwrap(), ((100.0 * 0.01 + 0.25) / 101.0_f64).sqrt());
    let (max, at_ns) = wrist.max().unwrap();
    close(max, -0.5);
    assert_eq!((at_ns, table.rows, table.compared_ns, table.span_ns()), (40 * ROW_NS, 101, 100 * ROW_NS, 100 * ROW_NS));
    assert_eq!(table.order(pair), [1, 0], "9 degrees are more than 2 mm");
}

#[test]
fn a_joint_without_end_differs_the_short_way_round() {
    use std::f64::consts::TAU;
    let robot = record("a", "m", &["turn"], 50, |_| vec![0.05]);
    let ghost = record("a", "m", &["turn"], 50, |row| vec![if row % 2 == 0 { TAU - 0.05 } else { 5.0 * TAU - 0.05 }]);
    let (_, progress) = compared(robot, ghost, &CompareOptions::default());
    let ((rms, max, _), _) = only(&progress);
    close(rms, 0.1);
    close(max, -0.1);
}

#[test]
fn gaps_and_rows_that_are_no_numbers_do_not_count_and_are_not_drawn() {
    let robot = record("a", "m", &["wrist"], 101, |row| vec![if row == 20 { f64::NAN } else { 0.0 }]);
    let mut ghost = record("a", "m", &["wrist"], 101, |_| vec![0.2]);
    let lost = Gap { from_ns: 40 * ROW_NS, to_ns: 60 * ROW_NS, rows: Some(19), cause: None };
    let kept: Vec<i64> = (0..=100).filter(|row| *row <= 40 || *row >= 60).map(|row| row * ROW_NS).collect();
    // What lies in the gap would be a wild difference.
    let values = kept.iter().map(|t_ns| if *t_ns == 40 * ROW_NS { 3.0 } else { 0.2 }).collect();
    let series = Series { t_ns: kept, names: vec!["wrist".to_owned()], values };
    ghost.track =
        Track::new(&ghost.model, series, vec![0.0; ghost.model.joints().len()], Breaks { gaps: vec![lost], restarts: Vec::new() });
    let (_, progress) = compared(robot, ghost, &CompareOptions::default());
    let ((_, max, at), (compared_ms, rows)) = only(&progress);
    close(max, 3.0);
    // Rows 0 to 40 and 60 to 100 without row 20; row 20 takes the way before and behind it along.
    assert_eq!((at, rows, compared_ms), (40, 81, 190 + 190 + 400));
    let curve = progress.walk(0).unwrap().table().joints[0].curve();
    let at = |row: usize| curve[row * CURVE_POINTS / 100];
    assert!(at(50).is_none() && at(45).is_none() && at(20).is_none(), "nothing is known there");
    assert_eq!((at(10), at(70)), (Some([0.2; 2]), Some([0.2; 2])));
}

#[test]
fn only_what_both_recorded_is_compared_and_a_nudge_moves_the_ghost() {
    let wave = |row: usize| (seconds_of(row) * 4.0).sin();
    let robot = || record("a", "m", &["wrist"], 301, |row| vec![wave(row)]);
    // The ghost begins 50 rows earlier in the motion, and is shorter.
    let ghost = || record("a", "m", &["wrist"], 201, |row| vec![wave(row + 50)]);
    let (replay, progress) = compared(robot(), ghost(), &CompareOptions::default());
    let ((rms, ..), (compared_ms, rows)) = only(&progress);
    assert!(rms > 0.5 && replay.comparison.as_ref().unwrap().align == Align::Time, "{rms}");
    assert_eq!((compared_ms, rows), (2000, 201));
    let how = CompareOptions { align: Some(Align::Start), nudge_ns: 50 * ROW_NS };
    let (replay, progress) = compared(robot(), ghost(), &how);
    let ((rms, ..), (compared_ms, rows)) = only(&progress);
    close(rms, 0.0);
    assert_eq!((compared_ms, rows), (2000, 201));
    let span = replay.comparison.as_ref().unwrap().covered(50 * ROW_NS).unwrap();
    assert_eq!((span.from_ns, span.to_ns), (50 * ROW_NS, 250 * ROW_NS));

    let mut first = crate::compare::tests::replay(vec![robot()], 300 * ROW_NS);
    let far = CompareOptions { nudge_ns: 400 * ROW_NS, ..how };
    let error = compare_with(&mut first, crate::compare::tests::replay(vec![ghost()], 200 * ROW_NS), &far, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("nudged by 4 s"), "{error}");
}

#[test]
fn steps_and_one_go_give_the_same_table() {
    let robot = record("a", "m", &["wrist"], 301, |row| vec![seconds_of(row).sin()]);
    let ghost = record("a", "m", &["wrist"], 301, |row| vec![seconds_of(row).cos()]);
    let (replay, whole) = compared(robot, ghost, &CompareOptions::default());
    let comparison = replay.comparison.as_ref().unwrap();
    let (pair, mut walk) = (&comparison.pairs[0], Walk::new(&comparison.pairs[0], comparison.timeline, comparison.covered(0), 0));
    for _ in 0..1000 {
        walk.step(&replay.robots[0], pair, 7);
    }
    assert!(walk.is_done());
    assert_eq!(walk.table(), whole.walk(0).unwrap().table());
}

/// The delay of a joint that follows `command` by `lag_ms`, `hangs` below it.
fn delay_of(command: impl Fn(f64) -> f64, lag_ms: f64, hangs: f64) -> Delay {
    let robot = record("a", "m", &["wrist"], 600, |row| vec![command(seconds_of(row) - lag_ms / 1e3) - hangs]);
    let ghost = record("a", "m", &["wrist"], 600, |row| vec![command(seconds_of(row))]);
    let pair = Pair::new(0, &robot, ghost, GhostKind::Command);
    let mut search = DelaySearch::new(&pair, Some(Span { from_ns: 0, to_ns: 599 * ROW_NS }));
    search.step(&robot, &pair, usize::MAX);
    assert!(search.is_done());
    search.delay(&pair, 0)
}

#[test]
fn a_delay_is_found_where_there_is_motion_enough() {
    let wave = |t: f64| 0.4 * (t * 3.0).sin() + 0.2 * (t * 5.3).sin();
    for (lag_ms, hangs) in [(0.0, 0.0), (63.0, 0.0), (140.0, 0.1), (-40.0, 0.0), (700.0, 0.0)] {
        let Delay::Follows(ms) = delay_of(wave, lag_ms, hangs) else { panic!("{lag_ms} ms: not found") };
        assert!((ms - lag_ms).abs() < 1.0, "{ms} ms, not {lag_ms}");
    }
    assert_eq!(delay_of(|t| 0.004 * (t * 3.0).sin(), 60.0, 0.0), Delay::Still);
    assert_eq!(delay_of(wave, 1300.0, 0.0), Delay::Unclear);
    let Delay::Follows(ms) = delay_of(|t| 0.4 * (t * 10.0).sin(), 63.0, 0.0) else { panic!("what repeats is not found") };
    assert!((ms - 63.0).abs() < 1.0, "not a period of 628 ms later: {ms} ms");
    assert_eq!(delay_of(|t| 0.5 * t, 60.0, 0.0), Delay::Unclear, "an even motion fits every delay");
}
