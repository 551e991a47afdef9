//! The same part over several episodes.

use sanqu_robot::{Estimate, Trend, trend};
use serde_json::{Value, json};

use super::read::Assessed;
use super::report::EpisodeDrives;

/// ns a day.
const DAY_NS: f64 = 86_400e9;

/// How one number of one part changes.
pub(super) struct PartTrend {
    pub(super) serial: Option<String>,
    /// Where it is; of a part with a serial number, where it was last.
    pub(super) robot: String,
    pub(super) name: String,
    pub(super) motor: String,
    pub(super) quantity: &'static str,
    pub(super) order: Option<f64>,
    pub(super) unit: &'static str,
    pub(super) trend: Trend,
}

impl PartTrend {
    pub(super) fn part(&self) -> String {
        let place = format!("{} {}", self.robot, self.name);
        self.serial.as_ref().map_or(place.clone(), |serial| format!("{serial} ({place})"))
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "serial": self.serial,
            "robot": self.robot,
            "motor": self.motor,
            "quantity": self.quantity,
            "order": self.order,
            "unit": self.unit,
            "episodes": self.trend.recordings,
            "median": self.trend.median,
            "per_day": self.trend.per_day,
            "sigma_per_day": self.trend.sigma_per_day,
        })
    }
}

/// A drive in an episode.
struct Seen<'a> {
    robot: &'a str,
    start_ns: i64,
    drive: &'a Assessed,
}

/// Trends of every number that at least two episodes have, part by part in order of first appearance: by serial number, or by robot
/// and motor where none is known.
pub(super) fn of(episodes: &[EpisodeDrives], shown: impl Fn(&Assessed) -> bool) -> Vec<PartTrend> {
    let mut parts: Vec<Vec<Seen<'_>>> = Vec::new();
    for episode in episodes {
        let start_ns = episode.episode.manifest().start_ns;
        for robot in &episode.robots {
            for drive in robot.drives.iter().filter(|drive| shown(drive)) {
                let seen = Seen { robot: &robot.robot, start_ns, drive };
                match parts.iter_mut().find(|part| same(&part[0], &seen)) {
                    Some(part) => part.push(seen),
                    None => parts.push(vec![seen]),
                }
            }
        }
    }
    parts.iter().flat_map(|part| of_part(part)).collect()
}

fn same(one: &Seen<'_>, other: &Seen<'_>) -> bool {
    match (&one.drive.serial, &other.drive.serial) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.robot == other.robot && one.drive.motor == other.drive.motor,
        _ => false,
    }
}

fn of_part(part: &[Seen<'_>]) -> Vec<PartTrend> {
    let Some(last) = part.iter().max_by_key(|seen| seen.start_ns) else { return Vec::new() };
    let lines = last.drive.health.quantities();
    let trend_of = |name: &'static str, order: Option<f64>, unit: &'static str| {
        let healths: Vec<_> = part.iter().map(|seen| (seen.start_ns, seen.drive.health.quantities())).collect();
        let points: Vec<(f64, &Estimate)> = healths
            .iter()
            .filter_map(|(start_ns, lines)| {
                let line = lines.iter().find(|line| line.name == name && line.order == order)?;
                #[expect(clippy::cast_precision_loss, reason = "days are enough to a microsecond")]
                let day = start_ns.saturating_sub(last.start_ns) as f64 / DAY_NS;
                Some((day, line.answer.as_ref().ok()?))
            })
            .collect();
        Some(PartTrend {
            serial: last.drive.serial.clone(),
            robot: last.robot.to_owned(),
            name: last.drive.name(),
            motor: last.drive.motor.clone(),
            quantity: name,
            order,
            unit,
            trend: trend(&points).ok()?,
        })
    };
    lines.iter().filter_map(|line| trend_of(line.name, line.order, last.drive.unit(line))).collect()
}
