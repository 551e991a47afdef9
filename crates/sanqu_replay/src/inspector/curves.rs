//! Motor against joint over the last seconds: positions, wind-up, power.

use crate::replay::RobotRecord;
use crate::track::STALE_AGE_NS;
use crate::xray::Shown;

/// How far back the curves go, s.
pub const WINDOW_SECS: f64 = 4.0;
const WINDOW_NS: i64 = 4_000_000_000;
/// Most points of a curve: of more rows every n-th is taken.
const POINTS_MAX: usize = 320;
/// Most rows that the efficiency is taken from.
const POWER_ROWS_MAX: usize = 120;
/// Below this mean power at the rotor an efficiency says nothing, W.
const POWER_MIN_W: f64 = 0.5;

/// Both sides of a drive at a motor row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Capture time, ns.
    pub t_ns: i64,
    /// Rotor, rad; none where it was not recorded.
    pub motor_rad: Option<f64>,
    /// Where the joint's position puts the rotor, rad; none in a gap of the joint's rows.
    pub joint_rad: Option<f64>,
    /// How far the motor is ahead at the output, rad or m.
    pub windup: Option<f64>,
}

/// The last [`WINDOW_SECS`] of a drive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// From this instant, ns.
    pub from_ns: i64,
    /// To this one.
    pub to_ns: i64,
    /// In order of time.
    pub points: Vec<Point>,
    /// Spans without rows, ns.
    pub gaps: Vec<[i64; 2]>,
}

/// The curves of a drive up to an instant.
pub fn curves(record: &RobotRecord, shown: &Shown, drive: usize, to_ns: i64) -> Curves {
    let from_ns = to_ns.saturating_sub(WINDOW_NS);
    let empty = Curves { from_ns, to_ns, ..Curves::default() };
    let Some(log) = shown.telemetry.motor.as_ref().or(shown.telemetry.joint.as_ref()) else { return empty };
    let rows = log.after(from_ns)..log.after(to_ns);
    let step = rows.len().div_ceil(POINTS_MAX).max(1);
    let recorded = shown.telemetry.motor.is_some();
    let mut points = Vec::with_capacity(POINTS_MAX);
    // Rows are taken by their number, so that the same rows are shown while the curve scrolls.
    for row in rows.clone().filter(|row| row % step == 0 || row + 1 == rows.end) {
        let Some(t_ns) = log.t_ns(row) else { continue };
        let joint_rad = ideal_at(record, shown, drive, t_ns);
        let motor_rad = if recorded { log.value("pos", drive, row) } else { None };
        let windup = motor_rad.zip(joint_rad).and_then(|(motor, joint)| Some((motor - joint) / signed(record, shown, drive)?));
        points.push(Point { t_ns, motor_rad, joint_rad, windup });
    }
    let times: Vec<i64> = std::iter::once(from_ns).chain(rows.filter_map(|row| log.t_ns(row))).chain([to_ns]).collect();
    // Before the first and after the last row of the window a neighbour outside it may be near.
    let apart = |pair: &[i64]| pair[1] - pair[0] > STALE_AGE_NS || log.in_gap(pair[0] + (pair[1] - pair[0]) / 2);
    let gaps = times.windows(2).filter(|pair| apart(pair)).map(|pair| [pair[0], pair[1]]).collect();
    Curves { points, gaps, ..empty }
}

/// How far the motor of a row is ahead of its joint at the same instant, rad or m at the output.
pub(super) fn windup_at(record: &RobotRecord, shown: &Shown, drive: usize, row: usize) -> Option<f64> {
    let log = shown.telemetry.motor.as_ref()?;
    let motor = log.value("pos", drive, row)?;
    let joint = ideal_at(record, shown, drive, log.t_ns(row)?)?;
    Some((motor - joint) / signed(record, shown, drive)?)
}

fn signed(record: &RobotRecord, shown: &Shown, drive: usize) -> Option<f64> {
    Some(record.drives.as_ref()?.table.drives().get(*shown.drives.get(drive)?)?.signed_ratio())
}

/// Where the joints' recorded positions put a rotor at an instant: between rows on a straight line, never across a gap.
fn ideal_at(record: &RobotRecord, shown: &Shown, drive: usize, t_ns: i64) -> Option<f64> {
    let drives = record.drives.as_ref()?;
    let q = joints_at(record, shown, "pos", t_ns)?;
    let mut motors = vec![0.0; drives.table.drives().len()];
    drives.train.motor_from_joint(&q, &mut motors).ok()?;
    motors.get(*shown.drives.get(drive)?).copied()
}

/// A quantity of the shown drives' joints at an instant, in the order of the model; other joints 0.
fn joints_at(record: &RobotRecord, shown: &Shown, quantity: &str, t_ns: i64) -> Option<Vec<f64>> {
    let log = shown.telemetry.joint.as_ref()?;
    let drives = record.drives.as_ref()?;
    let joints = &drives.table.drives().get(*shown.drives.first()?)?.joints;
    let mut q = vec![0.0; record.model.joints().len()];
    for (element, joint) in joints.iter().enumerate() {
        q[record.model.joint_index(joint)?] = log.exact(quantity, element, t_ns)?;
    }
    Some(q)
}

/// Output power over input power, over the last seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Power {
    /// The motor drives the joint.
    Motoring(f64),
    /// The joint drives the motor.
    Driven(f64),
    /// Too little to say.
    TooLittle,
    /// Torques of both sides were not recorded, or it is not known at which shaft.
    NotRecorded,
}

/// Efficiency from both torques: work at the joint over work at the rotor.
pub(super) fn power(record: &RobotRecord, shown: &Shown, drive: usize, to_ns: i64) -> Power {
    let telemetry = &shown.telemetry;
    let (Some(log), Some(joint), true) = (&telemetry.motor, &telemetry.joint, telemetry.rotor_torque) else { return Power::NotRecorded };
    if joint.unit("effort").is_none() || log.unit("torque").is_none() {
        return Power::NotRecorded;
    }
    let rows = log.after(to_ns.saturating_sub(WINDOW_NS))..log.after(to_ns);
    let step = rows.len().div_ceil(POWER_ROWS_MAX).max(1);
    let (mut count, mut sums) = (0.0, [[0.0; 2]; 2]);
    for row in rows.filter(|row| row % step == 0) {
        let Some([rotor, output]) = powers_at(record, shown, drive, row) else { continue };
        count += 1.0;
        // A row counts where power flows the same way on both sides.
        if rotor * output > 0.0 {
            let side = usize::from(rotor < 0.0);
            sums[side][0] += rotor.abs();
            sums[side][1] += output.abs();
        }
    }
    let mean = |side: usize| if count > 0.0 { sums[side][0] / count } else { 0.0 };
    match (mean(0), mean(1)) {
        (driving, driven) if driving.max(driven) < POWER_MIN_W => Power::TooLittle,
        (driving, driven) if driving >= driven => Power::Motoring(sums[0][1] / sums[0][0]),
        _ => Power::Driven(sums[1][0] / sums[1][1]),
    }
}

/// Power at the rotor, and that which the joint's torque would need there without losses, W.
fn powers_at(record: &RobotRecord, shown: &Shown, drive: usize, row: usize) -> Option<[f64; 2]> {
    let log = shown.telemetry.motor.as_ref()?;
    let drives = record.drives.as_ref()?;
    let t_ns = log.t_ns(row)?;
    let (rate, torque) = (log.value("vel", drive, row)?, log.value("torque", drive, row)?);
    let (q, efforts) = (joints_at(record, shown, "pos", t_ns)?, joints_at(record, shown, "effort", t_ns)?);
    let mut needed = vec![0.0; drives.table.drives().len()];
    drives.train.motor_torques(&q, &efforts, &mut needed).ok()?;
    Some([torque * rate, needed.get(*shown.drives.get(drive)?)? * rate])
}
