//! What is printed: tables for people, JSON for programs.

use sanqu_robot::{Answer, DriveHealth, Estimate, HealthQuantity};
use sanqu_store::Episode;
use serde_json::{Value, json};

use super::read::{Assessed, RobotDrives, short};
use super::trends::PartTrend;
use crate::table::table;

/// Arc minutes and seconds a radian.
const ARCMIN: f64 = 180.0 * 60.0 / std::f64::consts::PI;
const ARCSEC: f64 = 60.0 * ARCMIN;

/// An episode with the drives of its robots.
pub(super) struct EpisodeDrives {
    pub(super) episode: Episode,
    pub(super) robots: Vec<RobotDrives>,
    /// Robots that nothing can be said of, and why.
    pub(super) silent: Vec<(String, String)>,
    /// Where the numbers were written.
    pub(super) written: Option<String>,
}

impl Assessed {
    /// How people call it.
    pub(super) fn name(&self) -> String {
        let joints = self.joints.iter().map(|joint| short(joint)).collect::<Vec<_>>().join(" + ");
        if joints == self.motor { joints } else { format!("{joints} ({})", self.motor) }
    }

    pub(super) fn is(&self, wanted: &str) -> bool {
        self.motor == wanted || self.joints.iter().any(|joint| short(joint) == short(wanted))
    }

    /// Unit of a quantity at this drive's output.
    pub(super) fn unit(&self, quantity: &HealthQuantity<'_>) -> &'static str {
        match (self.linear, quantity.unit) {
            (true, "rad") => "m",
            (true, "N·m/rad") => "N/m",
            (true, "N·m") => "N",
            (_, unit) => unit,
        }
    }
}

/// One line a drive.
pub(super) fn overview(robot: &RobotDrives) -> String {
    const HEADER: [&str; 10] = [
        "joint (motor)",
        "ratio",
        "wind-up",
        "lost motion",
        "stiffness",
        "TE orders",
        "efficiency",
        "temp. rise",
        "motor turns",
        "L10 used",
    ];
    let lines = robot.drives.iter().map(|drive| {
        let DriveHealth { ratio, windup, torsion, orders, efficiency, temperature_rise, usage, .. } = &drive.health;
        let small = |answer: &Answer| if drive.linear { cell(answer, 1e6, " µm") } else { cell(answer, ARCMIN, "′") };
        let order = |found: &sanqu_robot::OrderAmplitude| {
            let amplitude = if drive.linear { cell(&found.amplitude, 1e6, " µm") } else { cell(&found.amplitude, ARCSEC, "″") };
            format!("{}: {amplitude}", trimmed(found.order))
        };
        let stiffness = if drive.linear { [1e-6, 1.0] } else { [1e-3, 1.0] };
        let unit = if drive.linear { " N/µm" } else { " kN·m/rad" };
        let regions =
            torsion.stiffness.iter().enumerate().map(|(region, answer)| (format!("K{}: ", region + 1), cell(answer, stiffness[0], unit)));
        vec![
            drive.name(),
            cell(ratio, 1.0, ""),
            small(windup),
            small(&torsion.lost_motion),
            stacked(regions.collect()),
            stacked(orders.iter().map(|found| (String::new(), order(found))).collect()),
            cell(efficiency, 100.0, " %"),
            cell(temperature_rise, 1.0, " K"),
            cell(&usage.revolutions, 1.0, ""),
            cell(&usage.life_used, 1e6, " ppm"),
        ]
    });
    table(&HEADER, &[], lines).to_string()
}

/// Several answers in a cell; the same refusal is said once.
fn stacked(lines: Vec<(String, String)>) -> String {
    let word = |line: &str| line.split_once(": ").map_or(line, |(_, rest)| rest).to_owned();
    let first = lines.first().map(|(_, line)| word(line)).unwrap_or_default();
    let refused = !first.contains('±');
    if refused && lines.iter().all(|(_, line)| word(line) == first) {
        return first;
    }
    lines.into_iter().map(|(label, line)| format!("{label}{line}")).collect::<Vec<_>>().join("\n")
}

/// Every number of a drive, with what it rests on and why it may be wrong.
pub(super) fn details(drive: &Assessed) -> String {
    let lines = drive.health.quantities().into_iter().map(|quantity| {
        let order = quantity.order.map(|order| format!(" order {}", trimmed(order))).unwrap_or_default();
        let name = format!("{}{order}", quantity.name.replace('_', " "));
        let unit = drive.unit(&quantity).to_owned();
        match quantity.answer {
            Ok(Estimate { value, sigma, samples, doubts }) => {
                let doubts = doubts.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                vec![name, digits(*value, *sigma), format!("± {}", digits(2.0 * sigma, *sigma)), unit, samples.to_string(), doubts]
            }
            Err(refusal) => vec![name, "-".to_owned(), String::new(), unit, String::new(), refusal.to_string()],
        }
    });
    let header = ["quantity", "value", "± (2σ)", "unit", "samples", "why it may be wrong, or is not there"];
    table(&header, &["value", "± (2σ)", "samples"], lines).to_string()
}

/// Value and 2σ in a unit, or the reason in a few words.
fn cell(answer: &Answer, scale: f64, unit: &str) -> String {
    match answer {
        Ok(found) => format!(
            "{} ± {}{unit}",
            digits(found.value * scale, found.sigma * scale),
            digits(2.0 * found.sigma * scale, found.sigma * scale)
        ),
        Err(refusal) if refusal.is_unidentifiable() => format!("not identifiable:\n{}", refusal.code().replace('_', " ")),
        Err(refusal) => refusal.code().replace('_', " "),
    }
}

/// A number with as many places as its doubt leaves.
fn digits(value: f64, sigma: f64) -> String {
    let size = if sigma > 0.0 { sigma } else { value.abs() * 1e-3 };
    if size <= 0.0 {
        return format!("{value}");
    }
    #[expect(clippy::cast_possible_truncation, reason = "a power of ten of an f64")]
    let power = size.log10().floor() as i32;
    match 1 - power {
        places if places > 6 => format!("{value:.1e}"),
        places if places > 0 => format!("{value:.*}", usize::try_from(places).unwrap_or(0)),
        _ => format!("{value:.0}"),
    }
}

/// At most three places.
pub(super) fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Trends of every part.
pub(super) fn trends_table(trends: &[PartTrend]) -> String {
    let lines = trends.iter().map(|trend| {
        let order = trend.order.map(|order| format!(" order {}", trimmed(order))).unwrap_or_default();
        let found = &trend.trend;
        vec![
            trend.part(),
            format!("{}{order}", trend.quantity.replace('_', " ")),
            trend.unit.to_owned(),
            found.recordings.to_string(),
            digits(found.median, found.sigma_per_day.abs().max(found.median.abs() * 1e-3)),
            digits(found.per_day, found.sigma_per_day),
            format!("± {}", digits(2.0 * found.sigma_per_day, found.sigma_per_day)),
        ]
    });
    let header = ["part", "quantity", "unit", "episodes", "median", "change a day", "± (2σ)"];
    table(&header, &["episodes", "median", "change a day", "± (2σ)"], lines).to_string()
}

/// The whole report.
pub(super) fn as_json(episodes: &[EpisodeDrives], trends: &[PartTrend], shown: impl Fn(&Assessed) -> bool) -> Value {
    let quantity = |drive: &Assessed, line: &HealthQuantity<'_>| {
        let found = line.answer.as_ref().ok();
        let doubts = found
            .map(|found| found.doubts.iter().map(|doubt| json!({ "code": doubt.code(), "text": doubt.to_string() })).collect::<Vec<_>>());
        json!({
            "name": line.name,
            "order": line.order,
            "unit": drive.unit(line),
            "value": found.map(|found| found.value),
            "sigma": found.map(|found| found.sigma),
            "samples": found.map(|found| found.samples),
            "doubts": doubts.unwrap_or_default(),
            "reason": line.answer.as_ref().err().map(|refusal| json!({ "code": refusal.code(), "text": refusal.to_string(), "identifiable": !refusal.is_unidentifiable() })),
        })
    };
    let drive = |drive: &Assessed| {
        json!({
            "motor": drive.motor,
            "joints": drive.joints,
            "serial": drive.serial,
            "quantities": drive.health.quantities().iter().map(|line| quantity(drive, line)).collect::<Vec<_>>(),
        })
    };
    let robot = |robot: &RobotDrives| {
        let drives: Vec<Value> = robot.drives.iter().filter(|drive| shown(drive)).map(drive).collect();
        json!({ "robot": robot.robot, "model": robot.model, "rows_lost": robot.lossy, "drives": drives })
    };
    let episode = |found: &EpisodeDrives| {
        let manifest = found.episode.manifest();
        let silent: Vec<Value> = found.silent.iter().map(|(robot, reason)| json!({ "robot": robot, "reason": reason })).collect();
        json!({
            "episode": manifest.episode,
            "path": found.episode.dir().display().to_string(),
            "start_ns": manifest.start_ns.to_string(),
            "robots": found.robots.iter().map(robot).collect::<Vec<_>>(),
            "not_assessed": silent,
            "written": found.written,
        })
    };
    json!({ "episodes": episodes.iter().map(episode).collect::<Vec<_>>(), "trends": trends.iter().map(PartTrend::json).collect::<Vec<_>>() })
}
