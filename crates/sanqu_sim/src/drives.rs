//! The motor side of a simulated robot: wind-up, transmission error, current and heat.

use std::f64::consts::TAU;

use sanqu_robot::{Drive, DriveTable, Drivetrain, ReducerKind, RobotModel, Stiffness};

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

/// All drives of one robot.
pub(crate) struct Drives {
    table: DriveTable,
    train: Drivetrain,
    /// At the output, per drive.
    stiffness: Vec<Stiffness>,
    torque_constant: Vec<f64>,
    phases: Vec<f64>,
    temp_c: Vec<f64>,
    torque: Vec<f64>,
}

impl Drives {
    /// # Errors
    /// [`SimError::Robot`] for drives that do not fit the robot.
    pub(crate) fn new(table: DriveTable, model: &RobotModel, seed: u64) -> Result<Self, SimError> {
        let stiffness = table.drives().iter().map(|drive| stiffness_of(drive, model)).collect();
        let torque_constant = table.drives().iter().map(|drive| drive.torque_constant_nm_per_a.unwrap_or(TORQUE_CONSTANT * drive.ratio));
        let torque_constant = torque_constant.collect();
        let mut noise = Noise::new(seed, 2);
        Ok(Self {
            train: Drivetrain::new(&table, model)?,
            stiffness,
            torque_constant,
            phases: table.drives().iter().map(|_| TAU * noise.uniform()).collect(),
            temp_c: table.drives().iter().map(|_| AMBIENT_C + 4.0 + 2.0 * noise.uniform()).collect(),
            torque: vec![0.0; table.drives().len()],
            table,
        })
    }

    /// Motor names in drive order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.table.drives().iter().map(|drive| drive.motor.clone()).collect()
    }

    /// Rotor positions: the rigid drive's at the joints' positions, plus the wind-up of each drive under its own load, plus
    /// the transmission error.
    pub(crate) fn turn(&mut self, moment: &mut Moment) -> Result<(), SimError> {
        moment.motor.resize(self.table.drives().len(), 0.0);
        self.train.motor_from_joint(&moment.joints.pos, &mut moment.motor)?;
        self.train.motor_torques(&moment.joints.pos, &moment.effort, &mut self.torque)?;
        for (index, (rotor, drive)) in moment.motor.iter_mut().zip(self.table.drives()).enumerate() {
            let signed = drive.signed_ratio();
            *rotor += signed * self.stiffness[index].twist(self.torque[index] * signed);
            if drive.reducer != ReducerKind::None {
                *rotor += drive.ratio * TRANSMISSION_ERROR * (2.0 * *rotor + self.phases[index]).cos();
            }
        }
        Ok(())
    }

    /// Torque of each rotor (N·m) and current of each motor (A) for the joints' efforts at `pos`; heats the windings by
    /// `dt_secs`. `out` gets (torque, current, °C) per motor.
    pub(crate) fn load(&mut self, pos: &[f64], effort: &[f64], dt_secs: f64, out: &mut Vec<(f64, f64, f64)>) -> Result<(), SimError> {
        out.clear();
        self.train.motor_torques(pos, effort, &mut self.torque)?;
        for (index, drive) in self.table.drives().iter().enumerate() {
            let torque = self.torque[index];
            let current = torque * drive.ratio / self.torque_constant[index];
            let temp = &mut self.temp_c[index];
            *temp += (current * current * HEAT_C_PER_A2 - (*temp - AMBIENT_C)) * dt_secs / HEAT_SECS;
            out.push((torque, current, *temp));
        }
        Ok(())
    }
}

/// The gear's own curve, else the drive's one figure, else what the joint's effort limit suggests.
fn stiffness_of(drive: &Drive, model: &RobotModel) -> Stiffness {
    let limits = drive.joints.iter().filter_map(|joint| model.joint_index(joint)).map(|joint| model.joints()[joint].effort);
    let limit = limits.fold(0.0, f64::max);
    let guess = if limit > 0.0 { limit } else { EFFORT_UNKNOWN } * STIFFNESS_PER_EFFORT;
    drive.stiffness().unwrap_or_else(|| Stiffness::linear(guess))
}
