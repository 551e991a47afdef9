//! The motor side of a simulated robot: wind-up, transmission error, current and heat.

use std::f64::consts::TAU;

use nalgebra::{Matrix2, Vector2};
use sanqu_robot::{DriveTable, ReducerKind, RobotError, RobotModel};

use crate::SimError;
use crate::body::Moment;
use crate::noise::Noise;

/// Stiffness at the output per N·m of the joint's effort limit where the description gives none: 2.5 mrad at the limit.
const STIFFNESS_PER_EFFORT: f64 = 400.0;
/// Effort limit taken for joints whose URDF gives none, N·m.
const EFFORT_UNKNOWN: f64 = 50.0;
/// Output torque per ampere and unit of ratio where the description gives none, N·m/A.
const TORQUE_CONSTANT: f64 = 0.1;
/// Amplitude of the transmission error at order 2 of the motor's turn, at the output, rad (5 arc seconds).
const TRANSMISSION_ERROR: f64 = 5.0 / 3600.0 * std::f64::consts::PI / 180.0;
/// Counts per turn of a motor's encoder (17 bits).
pub(crate) const MOTOR_COUNTS: f64 = 131_072.0;
/// Surroundings, °C.
const AMBIENT_C: f64 = 24.0;
/// Time constant of a winding against the housing, s.
const HEAT_SECS: f64 = 120.0;
/// Temperature that one ampere squared settles at above the surroundings, °C/A².
const HEAT_C_PER_A2: f64 = 0.8;

/// How the torques of a motor follow from the joints it moves.
enum Share {
    /// One joint: the motor's torque is the joint's, divided by the signed ratio.
    Serial { joint: usize },
    /// Two joints with another motor: the row of the inverse transposed Jacobian of both in the standing pose.
    Pair { joints: [usize; 2], row: [f64; 2] },
}

/// All drives of one robot.
pub(crate) struct Drives {
    table: DriveTable,
    shares: Vec<Share>,
    stiffness: Vec<f64>,
    torque_constant: Vec<f64>,
    phases: Vec<f64>,
    temp_c: Vec<f64>,
    wound: Vec<f64>,
}

impl Drives {
    /// # Errors
    /// [`SimError::Robot`] for drives that do not fit the robot.
    pub(crate) fn new(table: DriveTable, model: &RobotModel, stand: &[f64], seed: u64) -> Result<Self, SimError> {
        let stiffness = model.joints().iter().map(|joint| {
            let given = table.drives_of_joint(&joint.name).find_map(|drive| drive.stiffness_nm_per_rad);
            let limit = if joint.effort > 0.0 { joint.effort } else { EFFORT_UNKNOWN };
            given.unwrap_or(limit * STIFFNESS_PER_EFFORT)
        });
        let stiffness = stiffness.collect();
        let torque_constant = table.drives().iter().map(|drive| drive.torque_constant_nm_per_a.unwrap_or(TORQUE_CONSTANT * drive.ratio));
        let torque_constant = torque_constant.collect();
        let mut noise = Noise::new(seed, 2);
        let shares = shares(&table, model, stand)?;
        Ok(Self {
            shares,
            stiffness,
            torque_constant,
            phases: table.drives().iter().map(|_| TAU * noise.uniform()).collect(),
            temp_c: table.drives().iter().map(|_| AMBIENT_C + 4.0 + 2.0 * noise.uniform()).collect(),
            wound: Vec::new(),
            table,
        })
    }

    /// Motor names in drive order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.table.drives().iter().map(|drive| drive.motor.clone()).collect()
    }

    /// Rotor positions: the rigid drive's at the joint's position plus its wind-up, plus the transmission error.
    pub(crate) fn turn(&mut self, model: &RobotModel, moment: &mut Moment) -> Result<(), SimError> {
        self.wound.clear();
        let joints = moment.joints.pos.iter().zip(moment.effort.iter().zip(&self.stiffness));
        self.wound.extend(joints.map(|(pos, (effort, stiffness))| pos + effort / stiffness));
        moment.motor.resize(self.table.drives().len(), 0.0);
        self.table.motor_from_joint(model, &self.wound, &mut moment.motor)?;
        for (rotor, (drive, phase)) in moment.motor.iter_mut().zip(self.table.drives().iter().zip(&self.phases)) {
            if drive.reducer != ReducerKind::None {
                *rotor += drive.ratio * TRANSMISSION_ERROR * (2.0 * *rotor + phase).cos();
            }
        }
        Ok(())
    }

    /// Torque of each rotor (N·m) and current of each motor (A) for the joints' efforts; heats the windings by `dt_secs`.
    /// `out` gets (torque, current, °C) per motor.
    pub(crate) fn load(&mut self, effort: &[f64], dt_secs: f64, out: &mut Vec<(f64, f64, f64)>) {
        out.clear();
        for (index, drive) in self.table.drives().iter().enumerate() {
            let signed_ratio = drive.sign * drive.ratio;
            let torque = match self.shares[index] {
                Share::Serial { joint } => effort[joint] / signed_ratio,
                Share::Pair { joints: [first, second], row } => row[0] * effort[first] + row[1] * effort[second],
            };
            let current = torque * drive.ratio / self.torque_constant[index];
            let temp = &mut self.temp_c[index];
            *temp += (current * current * HEAT_C_PER_A2 - (*temp - AMBIENT_C)) * dt_secs / HEAT_SECS;
            out.push((torque, current, *temp));
        }
    }
}

fn shares(table: &DriveTable, model: &RobotModel, stand: &[f64]) -> Result<Vec<Share>, SimError> {
    let mut shares = Vec::new();
    for (index, drive) in table.drives().iter().enumerate() {
        let joints: Vec<usize> = drive.joints.iter().filter_map(|name| model.joint_index(name)).collect();
        let partner = table.drives().iter().position(|other| other.motor != drive.motor && other.joints == drive.joints);
        shares.push(match (joints.as_slice(), partner) {
            ([first, second], Some(partner)) => {
                let joints = [*first, *second];
                let jacobian = jacobian(table, model, stand, (index, partner), joints)?;
                let inverse = jacobian.transpose().try_inverse().ok_or_else(|| RobotError::BadEntry {
                    element: format!("drive {:?}", drive.motor),
                    reason: "its two joints cannot be told apart by the two motors in the standing pose".to_owned(),
                })?;
                Share::Pair { joints, row: [inverse[(0, 0)], inverse[(0, 1)]] }
            }
            ([joint, ..], _) => Share::Serial { joint: *joint },
            ([], _) => {
                let (element, robot) = (format!("drive {:?}", drive.motor), model.name().to_owned());
                return Err(RobotError::UnknownJoint { element, robot, joint: drive.joints.join(", ") }.into());
            }
        });
    }
    Ok(shares)
}

/// Motor turns per joint turn of two motors that move two joints, by central differences about `stand`.
fn jacobian(
    table: &DriveTable,
    model: &RobotModel,
    stand: &[f64],
    motors: (usize, usize),
    joints: [usize; 2],
) -> Result<Matrix2<f64>, SimError> {
    const STEP: f64 = 1e-4;
    let mut columns = [Vector2::zeros(); 2];
    for (column, joint) in columns.iter_mut().zip(joints) {
        for side in [-1.0, 1.0] {
            let (mut q, mut motor) = (stand.to_vec(), vec![0.0; table.drives().len()]);
            q[joint] += side * STEP;
            table.motor_from_joint(model, &q, &mut motor)?;
            *column += Vector2::new(motor[motors.0], motor[motors.1]) * side / (2.0 * STEP);
        }
    }
    Ok(Matrix2::from_columns(&columns))
}
