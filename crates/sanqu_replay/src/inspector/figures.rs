//! The figures of a drive at an instant: each with its unit, its limit and its age.

use std::f64::consts::TAU;

use sanqu_robot::Drive;

use super::curves::{Power, WINDOW_SECS, power, windup_at};
use crate::lang::Lang;
use crate::replay::{Replay, RobotRecord};
use crate::xray::{DriveMoment, Moment, RobotDrives, RotorSource, Shown, full_name};

/// How near a value is to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Level {
    /// A heading.
    Heading,
    /// Within its limits, or without any.
    #[default]
    Fine,
    /// Beyond nine tenths of its limit.
    Near,
    /// Beyond its limit.
    Beyond,
    /// Nothing is known here.
    Gap,
}

/// One line of the panel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The value with its unit.
    pub value: String,
    /// Its limit with its unit; empty where there is none.
    pub limit: String,
    /// How old it is; empty for what does not age.
    pub age: String,
    /// How it is shown.
    pub level: Level,
}

/// Where a share of a limit begins to be near it.
const NEAR_SHARE: f64 = 0.9;
const ARCMIN_PER_RAD: f64 = 60.0 * 360.0 / TAU;

/// What a figure is read from.
struct Source<'a> {
    record: &'a RobotRecord,
    shown: &'a Shown,
    moment: &'a Moment,
    lang: Lang,
}

/// All lines for a subject at a moment.
pub fn figures(replay: &Replay, shown: &Shown, moment: &Moment, lang: Lang) -> Vec<Figure> {
    let source = Source { record: &replay.robots[shown.joint.robot], shown, moment, lang };
    let drive = |index: usize| shown.of(replay)?.table.drives().get(*shown.drives.get(index)?);
    let joints = drive(0).map(|drive| drive.joints.clone()).unwrap_or_default();
    let mut lines = Vec::new();
    if joints.len() < 2 {
        lines.push(heading(&full_name(replay, shown.joint)));
    }
    for (element, joint) in joints.iter().enumerate() {
        if joints.len() > 1 {
            lines.push(heading(&format!("{} {joint}", lang.pick("joint", "关节"))));
        }
        lines.extend(joint_lines(&source, (element, joint)));
    }
    let live = shown.of(replay).is_some_and(RobotDrives::is_live);
    let mut any_assumed = false;
    for (index, moment) in moment.drives.iter().enumerate() {
        let Some(described) = drive(index) else { continue };
        lines.push(heading(&motor_heading(described, moment, live, lang)));
        lines.extend(motor_lines(&source, (index, moment, described)));
        any_assumed |= described.is_assumed("ratio") || described.is_assumed("efficiency") || described.is_assumed("strain_wave");
    }
    if any_assumed {
        let name = lang.pick("* assumed, not published", "* 假设值，未公布").to_owned();
        lines.push(Figure { name, level: Level::Gap, ..Figure::default() });
    }
    lines
}

fn heading(text: &str) -> Figure {
    Figure { name: text.to_owned(), level: Level::Heading, ..Figure::default() }
}

fn motor_heading(described: &Drive, drive: &DriveMoment, live: bool, lang: Lang) -> String {
    let source = match (drive.source, live) {
        (RotorSource::Recorded, false) => lang.pick("recorded", "已记录"),
        (RotorSource::Recorded, true) => lang.pick("received", "已接收"),
        (RotorSource::TurnsFromJoint, false) => lang.pick("recorded, turns from joint", "已记录，圈数由关节推算"),
        (RotorSource::TurnsFromJoint, true) => lang.pick("received, turns from joint", "已接收，圈数由关节推算"),
        (RotorSource::Computed, _) => lang.pick("computed from joint", "由关节计算"),
    };
    format!("{} {} · {source}", lang.pick("motor", "电机"), described.motor)
}

/// A value with its unit; `-` where there is none.
fn shown_value(value: Option<f64>, digits: usize, unit: &str) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$} {unit}"))
}

/// How near a value is to a limit that holds for both signs.
fn level(value: Option<f64>, limit: Option<f64>) -> Level {
    match value.zip(limit) {
        Some((value, limit)) if value.abs() > limit => Level::Beyond,
        Some((value, limit)) if value.abs() > NEAR_SHARE * limit => Level::Near,
        _ => Level::Fine,
    }
}

fn up_to(limit: Option<f64>, digits: usize, unit: &str) -> String {
    limit.map_or_else(String::new, |limit| format!("≤ {limit:.digits$} {unit}"))
}

fn age_words(age_ns: Option<i64>) -> String {
    age_ns.map_or_else(String::new, |age| {
        let ms = crate::timeline::seconds(age) * 1e3;
        if ms < 1000.0 { format!("{ms:.1} ms") } else { format!("{:.1} s", ms / 1e3) }
    })
}

/// In a gap the last value stays, grey, and is said to be old.
fn in_gap(stale: bool, line: Figure, lang: Lang) -> Figure {
    if stale {
        Figure { level: Level::Gap, age: format!("{} {}", lang.pick("gap", "缺口"), line.age).trim_end().to_owned(), ..line }
    } else {
        line
    }
}

fn joint_lines(source: &Source<'_>, (element, name): (usize, &str)) -> Vec<Figure> {
    let lang = source.lang;
    let log = source.shown.telemetry.joint.as_ref();
    let held = log.and_then(|log| log.held(source.moment.t_ns));
    let value = |quantity: &str| log.zip(held).and_then(|(log, held)| log.value(quantity, element, held.row));
    let described = source.record.model.joint_index(name).map(|index| &source.record.model.joints()[index]);
    let age = age_words(held.map(|held| held.age_ns));
    let line = |name: &str, value: String, limit: String, level: Level| {
        in_gap(source.moment.joint_stale, Figure { name: name.to_owned(), value, limit, age: age.clone(), level }, lang)
    };
    let position = value("pos");
    let range = described.filter(|joint| joint.lower.is_finite() && joint.upper.is_finite());
    let beyond = range.zip(position).is_some_and(|(joint, position)| !(joint.lower..=joint.upper).contains(&position));
    let limit = range.map_or_else(String::new, |joint| format!("{:.0}…{:.0}°", joint.lower.to_degrees(), joint.upper.to_degrees()));
    let speed_limit = described.map(|joint| joint.velocity).filter(|limit| *limit > 0.0);
    let torque_limit = described.map(|joint| joint.effort).filter(|limit| *limit > 0.0);
    let (speed, torque) = (value("vel"), value("effort"));
    let position_level = if beyond { Level::Beyond } else { Level::Fine };
    let mut lines = vec![
        line(lang.pick("joint", "关节"), shown_value(position.map(f64::to_degrees), 3, "°"), limit, position_level),
        line(lang.pick("speed", "速度"), shown_value(speed, 3, "rad/s"), up_to(speed_limit, 1, "rad/s"), level(speed, speed_limit)),
    ];
    if let Some(unit) = log.and_then(|log| log.unit("effort")) {
        let limit = up_to(torque_limit, 0, "N·m");
        lines.push(line(lang.pick("torque", "力矩"), shown_value(torque, 2, unit), limit, level(torque, torque_limit)));
    }
    lines
}

fn motor_lines(source: &Source<'_>, (index, drive, described): (usize, &DriveMoment, &Drive)) -> Vec<Figure> {
    let lang = source.lang;
    let log = source.shown.telemetry.motor.as_ref();
    let value = |quantity: &str| log.zip(drive.held).and_then(|(log, held)| log.value(quantity, index, held.row));
    let age = age_words(drive.held.map(|held| held.age_ns));
    let stale = source.moment.is_stale(index);
    let line = |name: &str, value: String, limit: String, level: Level| {
        in_gap(stale, Figure { name: name.to_owned(), value, limit, age: age.clone(), level }, lang)
    };
    let electric = described.electric.as_ref();
    let turns = drive.rotor_rad / TAU;
    let rpm = |rate: f64| rate / TAU * 60.0;
    let speed_limit = electric.and_then(|electric| electric.speed_limit_rad_per_s);
    let speed = shown_value(drive.rotor_rate.map(rpm), 0, "rpm");
    let mut lines = vec![
        line(lang.pick("rotor", "转子"), format!("{turns:+.3} rev"), format!("{:.1}°", (turns - turns.floor()) * 360.0), Level::Fine),
        line(lang.pick("speed", "速度"), speed, up_to(speed_limit.map(rpm), 0, "rpm"), level(drive.rotor_rate, speed_limit)),
        ratio_line(described, lang),
        windup_line(source, (index, drive, described)),
    ];
    if let Some(unit) = log.and_then(|log| log.unit("torque")) {
        let side = if source.shown.telemetry.rotor_torque {
            lang.pick("rotor torque", "转子力矩")
        } else {
            lang.pick("torque (side?)", "力矩（侧别？）")
        };
        let limit = electric.and_then(|electric| electric.torque_limit_nm);
        lines.push(line(side, shown_value(value("torque"), 3, unit), up_to(limit, 2, "N·m"), level(value("torque"), limit)));
    }
    if let Some(unit) = log.and_then(|log| log.unit("current")) {
        let limit = described.current_limit_a;
        lines.push(line(
            lang.pick("current", "电流"),
            shown_value(value("current"), 2, unit),
            up_to(limit, 0, "A"),
            level(value("current"), limit),
        ));
    }
    if let Some(unit) = log.and_then(|log| log.unit("temp")) {
        let limit = electric.and_then(|electric| electric.temperature_limit_c);
        lines.push(line(
            lang.pick("temperature", "温度"),
            shown_value(value("temp"), 1, unit),
            up_to(limit, 0, "°C"),
            level(value("temp"), limit),
        ));
    }
    lines.push(efficiency_line(source, (index, described)));
    if let Some(limit) = described.strain_wave.as_ref().and_then(|gear| gear.ratcheting_torque_nm) {
        let torque = output_torque(source, index);
        let name = lang.pick("ratcheting", "跳齿力矩").to_owned();
        let limit_text = format!("≤ {limit:.0} N·m{}", star(described, "strain_wave"));
        lines.push(Figure {
            name,
            value: shown_value(torque, 1, "N·m"),
            limit: limit_text,
            age: String::new(),
            level: level(torque, Some(limit)),
        });
    }
    lines
}

fn star(described: &Drive, field: &str) -> &'static str {
    if described.is_assumed(field) { " *" } else { "" }
}

/// Torque at the joint of a drive that moves one joint.
fn output_torque(source: &Source<'_>, index: usize) -> Option<f64> {
    let log = source.shown.telemetry.joint.as_ref()?;
    log.value("effort", index, log.held(source.moment.t_ns)?.row)
}

fn ratio_line(described: &Drive, lang: Lang) -> Figure {
    let sign = if described.sign < 0.0 { "-" } else { "+" };
    let value = if described.linkage.is_linear() {
        format!("{sign}{:.3} mm/rev", TAU / described.ratio * 1e3)
    } else {
        format!("{sign}{} : 1{}", described.ratio, star(described, "ratio"))
    };
    Figure { name: lang.pick("ratio", "传动比").to_owned(), value, ..Figure::default() }
}

fn windup_line(source: &Source<'_>, (index, drive, described): (usize, &DriveMoment, &Drive)) -> Figure {
    let lang = source.lang;
    let name = lang.pick("wind-up", "扭转").to_owned();
    if drive.source == RotorSource::Computed {
        return Figure { name, value: lang.pick("- (no motor rows)", "-（无电机数据）").to_owned(), ..Figure::default() };
    }
    let windup = drive.held.and_then(|held| windup_at(source.record, source.shown, index, held.row));
    let value = if described.linkage.is_linear() {
        shown_value(windup.map(|windup| windup * 1e6), 1, "µm")
    } else {
        shown_value(windup.map(|windup| windup * ARCMIN_PER_RAD), 2, "arcmin")
    };
    let line = Figure { name, value, limit: String::new(), age: age_words(drive.held.map(|held| held.age_ns)), level: Level::Fine };
    in_gap(source.moment.is_stale(index), line, lang)
}

fn efficiency_line(source: &Source<'_>, (index, described): (usize, &Drive)) -> Figure {
    let lang = source.lang;
    let mark = star(described, "efficiency");
    let limit = described.efficiency.map_or_else(String::new, |share| format!("{} {:.0} %{mark}", lang.pick("table", "表"), share * 100.0));
    let (value, age) = match power(source.record, source.shown, index, source.moment.t_ns) {
        Power::Motoring(share) => (format!("{:.0} % {}", share * 100.0, lang.pick("driving", "驱动")), true),
        Power::Driven(share) => (format!("{:.0} % {}", share * 100.0, lang.pick("back-driven", "反驱")), true),
        Power::TooLittle => (lang.pick("- (low power)", "-（功率小）").to_owned(), false),
        Power::NotRecorded => (lang.pick("- (no torques)", "-（无力矩）").to_owned(), false),
    };
    let age = if age { format!("{WINDOW_SECS:.0} s") } else { String::new() };
    Figure { name: lang.pick("efficiency", "效率").to_owned(), value, limit, age, level: Level::Fine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_near_and_beyond_their_limits_are_told_apart() {
        for (value, expect) in [(0.0, Level::Fine), (-8.9, Level::Fine), (9.1, Level::Near), (-10.1, Level::Beyond)] {
            assert_eq!(level(Some(value), Some(10.0)), expect, "{value}");
        }
        assert_eq!((level(None, Some(1.0)), level(Some(5.0), None)), (Level::Fine, Level::Fine));
        assert_eq!(
            (age_words(Some(12_340_000)), age_words(Some(3_400_000_000)), age_words(None)),
            ("12.3 ms".into(), "3.4 s".into(), String::new())
        );
        let line = in_gap(true, Figure { age: "120.0 ms".to_owned(), ..Figure::default() }, Lang::En);
        assert_eq!((line.level, line.age.as_str()), (Level::Gap, "gap 120.0 ms"));
    }
}
