//! The ratios and signs of a drive table against a recording of both encoders.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sanqu_model::{Id, StreamEntry};
use sanqu_robot::{
    CheckIssue, Drive, DriveTable, Drivetrain, RATIO_TOLERANCE, RatioFit, RatioSamples, RatioVerdict, RobotModel, Severity, fit_ratio,
};
use sanqu_store::{Episode, Series};
use serde_json::{Value, json};

use crate::table::table;

/// Most moments of a recording that are fitted; of longer ones every n-th is taken.
const MOMENTS_MAX: usize = 20_000;
/// Joint samples further apart than this are not interpolated between, ns.
const BRACKET_NS_MAX: i64 = 20_000_000;

/// What the recording says about one drive.
#[derive(Debug)]
pub(super) struct Row {
    motor: String,
    signed_ratio: f64,
    /// The fit, or why there is none.
    found: Result<RatioFit, &'static str>,
}

impl Row {
    fn verdict(&self) -> Option<RatioVerdict> {
        self.found.as_ref().ok().map(|fit| fit.verdict(self.signed_ratio))
    }

    fn word(&self) -> &'static str {
        match (&self.found, self.verdict()) {
            (_, Some(RatioVerdict::Fits)) => "fits",
            (_, Some(RatioVerdict::Wrong)) => "wrong",
            (_, Some(RatioVerdict::NotEnoughMotion)) => "not enough motion",
            (Err(reason), _) => reason,
            (Ok(_), None) => "not fitted",
        }
    }

    pub(super) fn json(&self) -> Value {
        let fit = self.found.as_ref().ok();
        json!({
            "motor": self.motor,
            "described": self.signed_ratio,
            "measured": fit.map(|fit| fit.slope),
            "sigma": fit.map(|fit| fit.sigma),
            "travel": fit.map(|fit| fit.travel),
            "samples": fit.map(|fit| fit.samples),
            "verdict": self.word(),
        })
    }
}

/// The rows as a table.
pub(super) fn as_table(rows: &[Row]) -> String {
    let number = |value: Option<f64>, decimals: usize| value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"));
    let lines = rows.iter().map(|row| {
        let fit = row.found.as_ref().ok();
        vec![
            row.motor.clone(),
            format!("{:.3}", row.signed_ratio),
            number(fit.map(|fit| fit.slope), 3),
            number(fit.map(|fit| 2.0 * fit.sigma), 3),
            number(fit.map(|fit| fit.travel), 3),
            row.word().to_owned(),
        ]
    });
    table(&["motor", "described", "measured", "± (2σ)", "travel", "verdict"], &["described", "measured", "± (2σ)", "travel"], lines)
        .to_string()
}

/// Fits every drive of the table to the motor and joint streams of one robot of an episode.
///
/// # Errors
/// Files that cannot be read, an episode with several robots and none named, or without a motor or a joint stream.
pub(super) fn check(urdf: &Path, drives: &Path, episode: &Episode, robot: Option<&str>) -> Result<(Vec<Row>, Vec<CheckIssue>)> {
    let model = RobotModel::from_urdf_file(urdf)?;
    let table = DriveTable::from_toml_file(drives)?;
    let train = Drivetrain::new(&table, &model)?;
    let robot = robot_of(episode, robot)?;
    let recording = Recording::read(episode, &robot, &model, &table)?;
    let moments = Moments::of(&recording, &table, &train);
    let mut rows = Vec::new();
    for (index, drive) in table.drives().iter().enumerate() {
        let described = drive.joints.iter().all(|joint| recording.joint_column(&model, joint).is_some());
        let found = match (recording.motors[index], described) {
            (None, _) => Err("motor not recorded"),
            (_, false) => Err("joint not recorded"),
            _ => fit(&moments, index, drive).ok_or("not enough motion"),
        };
        rows.push(Row { motor: drive.motor.clone(), signed_ratio: drive.signed_ratio(), found });
    }
    let mut issues: Vec<CheckIssue> = rows.iter().filter(|row| row.verdict() == Some(RatioVerdict::Wrong)).map(wrong).collect();
    let silent = rows.iter().filter(|row| !matches!(row.verdict(), Some(RatioVerdict::Fits | RatioVerdict::Wrong))).count();
    if silent > 0 {
        let detail = format!("{silent} of {} ratios could not be told from this recording, see the table", rows.len());
        issues.push(issue(Severity::Warning, "ratios", detail));
    }
    if moments.unreachable > 0 {
        let detail = format!("{} recorded poses cannot be reached by the described linkages and were left out", moments.unreachable);
        issues.push(issue(Severity::Warning, "ratios", detail));
    }
    Ok((rows, issues))
}

fn wrong(row: &Row) -> CheckIssue {
    let (measured, sigma) = row.found.as_ref().map(|fit| (fit.slope, fit.sigma)).unwrap_or_default();
    let off = 100.0 * (measured / row.signed_ratio - 1.0);
    let detail = format!(
        "signed ratio is {}, but the recording says {measured:.3} ± {:.3} ({off:+.2} %, accepted are ± {} %)",
        row.signed_ratio,
        2.0 * sigma,
        100.0 * RATIO_TOLERANCE
    );
    issue(Severity::Error, &format!("drive {:?}", row.motor), detail)
}

fn issue(severity: Severity, subject: &str, detail: String) -> CheckIssue {
    CheckIssue { severity, subject: subject.to_owned(), detail, line: None, column: None }
}

/// The robot that is named, or the only one that has a motor stream.
fn robot_of(episode: &Episode, named: Option<&str>) -> Result<Id> {
    let mut robots: Vec<&Id> =
        episode.manifest().streams.iter().filter(|entry| entry.stream.as_str() == "motor").map(|entry| &entry.robot).collect();
    robots.dedup();
    let known = robots.iter().map(|robot| robot.as_str()).collect::<Vec<_>>().join(", ");
    match (named, &robots[..]) {
        (Some(name), _) => {
            let found = robots.iter().find(|robot| robot.as_str() == name);
            Ok((*found.with_context(|| format!("robot {name:?} has no motor stream in this episode; these have: {known}"))?).clone())
        }
        (None, [one]) => Ok((*one).clone()),
        (None, []) => anyhow::bail!("the episode has no motor stream: ratios need both sides of a drive"),
        (None, _) => anyhow::bail!("the episode holds several robots, say --robot with one of: {known}"),
    }
}

/// Both sides of a robot's drives, with the places of joints and motors.
struct Recording {
    joint: Series,
    effort: Option<Series>,
    motor: Series,
    /// Column of the joint series for each joint of the model.
    joints: Vec<Option<usize>>,
    /// Column of the motor series for each drive.
    motors: Vec<Option<usize>>,
}

impl Recording {
    fn read(episode: &Episode, robot: &Id, model: &RobotModel, table: &DriveTable) -> Result<Self> {
        let entry = |stream: &str| -> Result<&StreamEntry> {
            episode.stream(robot, stream).with_context(|| format!("robot {robot} has no {stream} stream in this episode"))
        };
        let joint = episode.series(entry("joint")?, "pos")?;
        let effort =
            episode.series(entry("joint")?, "effort").ok().filter(|effort| effort.t_ns == joint.t_ns && effort.names == joint.names);
        let motor = episode.series(entry("motor")?, "pos")?;
        let short = |name: &str| name.strip_suffix("_joint").unwrap_or(name).to_owned();
        let names: Vec<String> = joint.names.iter().map(|name| short(name)).collect();
        let joints = model.joints().iter().map(|wanted| names.iter().position(|name| *name == short(&wanted.name))).collect();
        let motors = table.drives().iter().map(|drive| motor.names.iter().position(|name| *name == drive.motor)).collect();
        ensure!(joint.rows() > 1, "robot {robot} has fewer than two joint rows");
        Ok(Self { joint, effort, motor, joints, motors })
    }

    fn joint_column(&self, model: &RobotModel, joint: &str) -> Option<usize> {
        self.joints[model.joint_index(joint)?]
    }

    /// A series of the joint stream at an instant, between the rows `at` and `at + 1`; joints without a column are at 0.
    fn between(&self, series: &Series, at: usize, share: f64, out: &mut [f64]) {
        let (before, after) = (series.row(at), series.row(at + 1));
        for (value, column) in out.iter_mut().zip(&self.joints) {
            *value = column.map_or(0.0, |column| before[column] + share * (after[column] - before[column]));
        }
    }
}

/// Rotor, output and output torque of every drive at the same moments; per drive one list.
#[derive(Default)]
struct Moments {
    motor: Vec<Vec<f64>>,
    output: Vec<Vec<f64>>,
    torque: Vec<Vec<f64>>,
    /// Recorded poses that a described linkage cannot take.
    unreachable: usize,
}

impl Moments {
    fn of(recording: &Recording, table: &DriveTable, train: &Drivetrain) -> Self {
        let drives = table.drives();
        let empty = vec![Vec::new(); drives.len()];
        let mut moments = Self { motor: empty.clone(), output: empty.clone(), torque: empty, unreachable: 0 };
        let (mut q, mut effort) = (vec![0.0; recording.joints.len()], vec![0.0; recording.joints.len()]);
        let (mut rigid, mut load) = (vec![0.0; drives.len()], vec![0.0; drives.len()]);
        let stride = recording.motor.rows().div_ceil(MOMENTS_MAX).max(1);
        let mut at = 0;
        for row in (0..recording.motor.rows()).step_by(stride) {
            let t_ns = recording.motor.t_ns[row];
            while at + 2 < recording.joint.rows() && recording.joint.t_ns[at + 1] < t_ns {
                at += 1;
            }
            let (before_ns, after_ns) = (recording.joint.t_ns[at], recording.joint.t_ns[at + 1]);
            let span_ns = after_ns.saturating_sub(before_ns);
            if !(before_ns..=after_ns).contains(&t_ns) || span_ns == 0 || span_ns > BRACKET_NS_MAX {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "at most 20 ms in ns")]
            let share = (t_ns - before_ns) as f64 / span_ns as f64;
            recording.between(&recording.joint, at, share, &mut q);
            if train.motor_from_joint(&q, &mut rigid).is_err() {
                moments.unreachable += 1;
                continue;
            }
            let mut loaded = false;
            if let Some(series) = &recording.effort {
                recording.between(series, at, share, &mut effort);
                loaded = train.motor_torques(&q, &effort, &mut load).is_ok();
            }
            for (index, drive) in drives.iter().enumerate() {
                let Some(column) = recording.motors[index] else { continue };
                let signed = drive.signed_ratio();
                moments.motor[index].push(recording.motor.row(row)[column]);
                moments.output[index].push(rigid[index] / signed);
                if loaded {
                    moments.torque[index].push(load[index] * signed);
                }
            }
        }
        moments
    }
}

fn fit(moments: &Moments, index: usize, drive: &Drive) -> Option<RatioFit> {
    let (motor, output) = (&moments.motor[index], &moments.output[index]);
    // Torque that is missing at some moments, or is not a number, is not used at all.
    let torque = &moments.torque[index];
    let whole = torque.len() == motor.len() && torque.iter().all(|value| value.is_finite());
    let torque = if whole { torque.as_slice() } else { &[] };
    fit_ratio(&RatioSamples { motor, output, torque }, drive.signed_ratio(), drive.stiffness())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn root(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
    }

    /// The first episode of the golden store, and a robot in it with the folder of its description.
    fn golden(robot_model: &str) -> (Episode, String, PathBuf) {
        let store = sanqu_store::Store::open(&root("recordings/golden/v1/store")).unwrap();
        let episodes = store.episodes().unwrap();
        let found = episodes.into_iter().find_map(|episode| {
            let robot = episode.manifest().robots.iter().find(|robot| robot.model == robot_model)?;
            let (id, folder) = (robot.robot.to_string(), store.robot_folder(robot.description.as_deref()?));
            Some((episode, id, folder))
        });
        found.unwrap()
    }

    fn check_changed(change: Option<(&str, &str)>) -> (Vec<Row>, Vec<CheckIssue>) {
        let (episode, robot, folder) = golden("walker-s");
        let mut text = std::fs::read_to_string(folder.join("drives.toml")).unwrap();
        if let Some((from, to)) = change {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        check(&folder.join("robot.urdf"), file.path(), &episode, Some(&robot)).unwrap()
    }

    #[test]
    fn a_recorded_robot_fits_its_own_description() {
        let (rows, issues) = check_changed(None);
        assert!(issues.iter().all(|issue| issue.severity == Severity::Warning), "{issues:#?}\n{}", as_table(&rows));
        let fits = rows.iter().filter(|row| row.verdict() == Some(RatioVerdict::Fits)).count();
        assert!(fits >= 3, "{}", as_table(&rows));
    }

    #[test]
    fn a_wrong_sign_and_a_wrong_ratio_are_found() {
        let (rows, _) = check_changed(None);
        let (moving, ratio) =
            rows.iter().find(|row| row.verdict() == Some(RatioVerdict::Fits)).map(|row| (row.motor.clone(), row.signed_ratio)).unwrap();
        let (_, _, folder) = golden("walker-s");
        let text = std::fs::read_to_string(folder.join("drives.toml")).unwrap();
        let begin = text.find(&format!("motor = {moving:?}")).unwrap();
        let entry = text[begin..].split("[[drive]]").next().unwrap();
        let line = |key: &str| entry.lines().find(|line| line.starts_with(key)).unwrap();
        let sign = line("sign");
        let turned = if sign.contains('-') { "sign = 1.0" } else { "sign = -1.0" };
        let wrong_ratio = format!("ratio = {}", ratio.abs() * 1.01);
        for changed in [entry.replacen(sign, turned, 1), entry.replacen(line("ratio"), &wrong_ratio, 1)] {
            let (rows, issues) = check_changed(Some((entry, &changed)));
            let named = issues.iter().any(|issue| issue.severity == Severity::Error && issue.subject.contains(&moving));
            assert!(named, "{issues:#?}\n{}", as_table(&rows));
        }
    }
}
