//! From an episode's motor and joint streams to the samples of each drive.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use sanqu_model::{RobotEntry, StreamEntry};
use sanqu_robot::{
    DRIVE_SAMPLES_MAX, Drive, DriveFigures, DriveHealth, DriveSamples, DriveTable, Drivetrain, LinkageKind, Missing, Refusal, RobotModel,
};
use sanqu_store::Episode;

use super::pairing::{MotorPlaces, Pairing};

/// One drive of one robot in one episode.
pub(super) struct Assessed {
    pub(super) motor: String,
    pub(super) joints: Vec<String>,
    pub(super) serial: Option<String>,
    /// The output is a length: m for rad, N for N·m.
    pub(super) linear: bool,
    /// Whether the measured ratio contradicts the described one, or values were not finite.
    pub(super) defective: bool,
    pub(super) health: DriveHealth,
}

/// The drives of one robot in one episode.
pub(super) struct RobotDrives {
    pub(super) robot: String,
    pub(super) model: String,
    /// Whether rows of the streams read were lost.
    pub(super) lossy: bool,
    pub(super) drives: Vec<Assessed>,
}

/// Reads and assesses every drive of a robot, one after another: memory is that of one.
///
/// # Errors
/// A robot without motor or joint stream or without a description of its drives; files that cannot be read.
pub(super) fn robot(episode: &Episode, entry: &RobotEntry) -> Result<RobotDrives> {
    let stream = |name: &str| {
        let found = episode.stream(&entry.robot, name);
        found.with_context(|| format!("robot {} has no {name} stream: health needs both sides of its drives", entry.robot))
    };
    let (motor, joint) = (stream("motor")?, stream("joint")?);
    let folder = description(episode, entry)?;
    let model = RobotModel::from_urdf_file(&folder.join("robot.urdf"))?;
    let table = DriveTable::from_toml_file(&folder.join("drives.toml"))?;
    ensure!(!table.drives().is_empty(), "{}: no drive is described", folder.join("drives.toml").display());
    for (entry, side) in [(motor, "motor"), (joint, "joint")] {
        let unit = entry.quantities.iter().find(|quantity| quantity.name == "pos").map(|quantity| quantity.unit.as_str());
        ensure!(matches!(unit, None | Some("" | "rad")), "{side} positions are in {:?}, expected rad", unit.unwrap_or_default());
    }
    let mut drives: Vec<Option<Assessed>> = table.drives().iter().map(|_| None).collect();
    for unit in units(&table) {
        let streams = Streams { episode, motor, joint };
        for (index, assessed) in unit.iter().zip(streams.assess(&table, &model, &unit)?) {
            drives[*index] = Some(assessed);
        }
    }
    let lossy = [motor, joint].iter().any(|entry| entry.lost.total() > 0 || entry.lost.open_ended);
    Ok(RobotDrives { robot: entry.robot.to_string(), model: entry.model.clone(), lossy, drives: drives.into_iter().flatten().collect() })
}

/// The folder of the robot's description in the store that the episode is in.
fn description(episode: &Episode, entry: &RobotEntry) -> Result<std::path::PathBuf> {
    let Some(hash) = &entry.description else {
        bail!("robot {}: the episode has no description of it, so nobody knows its drives", entry.robot);
    };
    // <store>/episodes/date=…/station=…/<episode>
    let dir = episode.dir().canonicalize().with_context(|| format!("cannot resolve {}", episode.dir().display()))?;
    let root = dir.ancestors().nth(4).filter(|root| root.join("sanqu.toml").is_file());
    let root = root.with_context(|| format!("{} is not in a store: its robots' descriptions are there", dir.display()))?;
    let folder = root.join("robots").join(Path::new(hash).file_name().unwrap_or_default());
    ensure!(folder.join("drives.toml").is_file(), "robot {}: no drive table {}", entry.robot, folder.join("drives.toml").display());
    Ok(folder)
}

/// Drives that share their joints, together: one, or the two of an ankle.
fn units(table: &DriveTable) -> Vec<Vec<usize>> {
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (index, drive) in table.drives().iter().enumerate() {
        match units.iter_mut().find(|unit| table.drives()[unit[0]].joints == drive.joints) {
            Some(unit) => unit.push(index),
            None => units.push(vec![index]),
        }
    }
    units
}

/// A joint's name without what URDFs append to it.
pub(super) fn short(name: &str) -> &str {
    name.strip_suffix("_joint").unwrap_or(name)
}

/// Where an element is called what.
fn element<'a>(entry: &'a StreamEntry, quantity: &str, wanted: &str) -> Option<&'a str> {
    let quantity = entry.quantities.iter().find(|known| known.name == quantity)?;
    quantity.elements.iter().map(String::as_str).find(|name| short(name) == short(wanted))
}

struct Streams<'a> {
    episode: &'a Episode,
    motor: &'a StreamEntry,
    joint: &'a StreamEntry,
}

impl Streams<'_> {
    fn assess(&self, table: &DriveTable, model: &RobotModel, unit: &[usize]) -> Result<Vec<Assessed>> {
        let drives: Vec<&Drive> = unit.iter().map(|index| &table.drives()[*index]).collect();
        let missing_motor = drives.iter().any(|drive| element(self.motor, "pos", &drive.motor).is_none());
        let joints: Option<Vec<&str>> = drives[0].joints.iter().map(|joint| element(self.joint, "pos", joint)).collect();
        let Some(joints) = joints.filter(|_| !missing_motor) else {
            let reason = Refusal::NotRecorded(if missing_motor { Missing::MotorPosition } else { Missing::JointPosition });
            return Ok(drives.iter().map(|drive| told(drive, DriveHealth::refused(reason, &DriveFigures::of(drive)), false)).collect());
        };
        let train = Drivetrain::new(&table.with_drives(unit), model)?;
        let places: Option<Vec<usize>> = drives[0].joints.iter().map(|joint| model.joint_index(joint)).collect();
        let places = places.context("a drive moves a joint that the robot does not have")?;
        let mut pairing = self.pairing(&train, &drives, &joints)?;
        pairing.places = places;
        pairing.q = vec![0.0; model.joints().len()];
        pairing.effort = pairing.q.clone();
        let (mut samples, defective) = pairing.samples();
        // All rows that the streams hold beyond what is read.
        let beyond = usize::try_from(self.motor.rows).unwrap_or(usize::MAX).saturating_sub(pairing.motor.rows());
        samples.iter_mut().for_each(|samples| samples.leave_out(beyond));
        drop(pairing);
        let assess = |(drive, mut samples): (&&Drive, DriveSamples)| {
            let health = DriveHealth::assess(&mut samples, &DriveFigures::of(drive), None);
            told(drive, health, defective)
        };
        Ok(drives.iter().zip(samples).map(assess).collect())
    }

    /// Reads what the unit needs.
    fn pairing<'a>(&self, train: &'a Drivetrain, drives: &[&'a Drive], joints: &[&str]) -> Result<Pairing<'a>> {
        let mut joint_picks: Vec<(&str, &str)> = joints.iter().map(|joint| (*joint, "pos")).collect();
        let loads: Option<Vec<&str>> = drives[0].joints.iter().map(|joint| element(self.joint, "effort", joint)).collect();
        joint_picks.extend(loads.iter().flatten().map(|joint| (*joint, "effort")));
        let rotor_side = self.motor.facts.get("torque_side").is_none_or(|side| side == "rotor");
        let (mut motor_picks, mut places) = (Vec::new(), Vec::new());
        for drive in drives {
            let mut place = |quantity: &'static str| {
                let found = element(self.motor, quantity, &drive.motor)?;
                motor_picks.push((found, quantity));
                Some(motor_picks.len() - 1)
            };
            let position = place("pos").context("a motor's position is gone")?;
            let torque = if rotor_side { place("torque") } else { None };
            places.push(MotorPlaces { position, current: place("current"), torque, temperature: place("temp") });
        }
        let joint = self.episode.columns(self.joint, &joint_picks, DRIVE_SAMPLES_MAX)?;
        let motor = self.episode.columns(self.motor, &motor_picks, DRIVE_SAMPLES_MAX)?;
        let signed = drives.iter().map(|drive| drive.signed_ratio()).collect();
        let loaded = loads.is_some();
        Ok(Pairing { train, signed, motor, joint, motors: places, loaded, places: Vec::new(), q: Vec::new(), effort: Vec::new() })
    }
}

fn told(drive: &Drive, health: DriveHealth, defective: bool) -> Assessed {
    let wrong = matches!(health.windup, Err(Refusal::RatioWrong { .. }));
    Assessed {
        motor: drive.motor.clone(),
        joints: drive.joints.clone(),
        serial: drive.serial.clone(),
        linear: matches!(drive.linkage, LinkageKind::CrankSlider(_) | LinkageKind::LinearAnkle(_)),
        defective: defective || wrong,
        health,
    }
}
