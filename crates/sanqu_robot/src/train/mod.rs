//! All drives of a robot, with every name looked up once.

mod closure;
mod coupling;
mod state;

pub(crate) use closure::closure_problems;

use coupling::{Coupling, Jacobian};
pub use state::{Apparent, Bars, DriveState, GearState, readable_joint_rate};
use state::{Frame, Inside};

use crate::drive::Drive;
use crate::linkage::LinkageKind;
use crate::{DriveTable, RobotError, RobotModel};

/// The drives of one robot, ready for calculation: no names, no allocation per call.
///
/// Joint arrays are in the order of [`RobotModel::joints`], motor arrays in that of [`DriveTable::drives`]. Everything is
/// rigid (no wind-up, no play) and lossless. Sums are never clamped: a pose that a linkage cannot take is an error that names
/// the drive.
#[derive(Debug, Clone)]
pub struct Drivetrain {
    units: Vec<Unit>,
    joint_count: usize,
    /// Names of the motors, for errors.
    motors: Vec<String>,
}

/// One drive, or the two of an ankle.
#[derive(Debug, Clone)]
struct Unit {
    /// Its first drive and, for an ankle, the second.
    drives: [usize; 2],
    joints: [usize; 2],
    /// Motor per output, signed, of both drives.
    signed: [f64; 2],
    coupling: Coupling,
    insides: [Inside; 2],
    frame: Frame,
}

impl Drivetrain {
    /// From a checked table and its robot.
    ///
    /// # Errors
    /// Joints that the robot does not have or that slide; an ankle drive without its partner; a joint that several drives
    /// claim; a linkage that does not close at the zero pose.
    pub fn new(table: &DriveTable, model: &RobotModel) -> Result<Self, RobotError> {
        let drives = table.drives();
        let (mut units, mut claimed) = (Vec::new(), vec![false; model.joints().len()]);
        for (index, drive) in drives.iter().enumerate() {
            if let Some(problem) = drive.problems_with(model, "").into_iter().next() {
                return Err(problem.error);
            }
            let bad = |reason: String| RobotError::BadEntry { element: drive.element(), reason };
            let partner = partner_of(drives, index)?;
            if partner.is_some_and(|partner| partner < index) {
                continue;
            }
            let mut joints = [0; 2];
            for (slot, name) in joints.iter_mut().zip(&drive.joints) {
                *slot = model.joint_index(name).ok_or_else(|| crate::drive::unknown_joint(drive.element(), model, name))?;
                if std::mem::replace(&mut claimed[*slot], true) {
                    return Err(bad(format!("joint {name:?} is moved by another drive, too")));
                }
            }
            let second = partner.unwrap_or(index);
            let coupling = Coupling::new(drive, &drives[second], model, joints).map_err(|problem| problem.at_drive(&drive.element()))?;
            let signed = [drive.signed_ratio(), drives[second].signed_ratio()];
            let insides = [Inside::new(drive), Inside::new(&drives[second])];
            let frame = Frame::new(drive, model, joints);
            units.push(Unit { drives: [index, second], joints, signed, coupling, insides, frame });
        }
        let motors = drives.iter().map(|drive| drive.motor.clone()).collect();
        Ok(Self { units, joint_count: model.joints().len(), motors })
    }

    /// Motor positions for joint positions `q`, rad, many turns.
    ///
    /// # Errors
    /// Arrays of wrong length; [`RobotError::AtDrive`] around what the linkage says. `out` is then partly written.
    pub fn motor_from_joint(&self, q: &[f64], out: &mut [f64]) -> Result<(), RobotError> {
        self.check(q, out)?;
        for unit in &self.units {
            let outputs = unit.coupling.outputs(unit.pose(q)).map_err(|problem| self.at(unit, problem))?;
            unit.scatter(outputs, out);
        }
        Ok(())
    }

    /// Joint positions for motor positions. `q` holds the last known positions (the standing pose or zeros to begin with):
    /// two-motor linkages start from there. Joints without a drive keep theirs.
    ///
    /// # Errors
    /// Arrays of wrong length or not finite; [`RobotError::AtDrive`] around what the linkage says. `q` is then partly written.
    pub fn joint_from_motor(&self, motor: &[f64], q: &mut [f64]) -> Result<(), RobotError> {
        self.check(q, motor)?;
        for unit in &self.units {
            let outputs = unit.gather(motor);
            let pose = unit.coupling.pose(outputs, unit.pose(q)).map_err(|problem| self.at(unit, problem))?;
            for (joint, position) in unit.joints.into_iter().zip(pose).take(unit.coupling.size()) {
                q[joint] = position;
            }
        }
        Ok(())
    }

    /// Motor speeds for joint speeds at `q`: `ṁ = J q̇`.
    ///
    /// # Errors
    /// Arrays of wrong length; [`RobotError::AtDrive`] around [`RobotError::NearSingular`] or what the linkage says.
    pub fn motor_rates(&self, q: &[f64], joint_rates: &[f64], out: &mut [f64]) -> Result<(), RobotError> {
        self.check(q, out)?;
        self.check(joint_rates, out)?;
        for unit in &self.units {
            let rates = self.jacobian_of(unit, q)?.times(unit.pose(joint_rates));
            unit.scatter(rates, out);
        }
        Ok(())
    }

    /// Joint speeds for motor speeds at `q`: `q̇ = J⁻¹ ṁ`. Joints without a drive get 0.
    ///
    /// # Errors
    /// As [`Self::motor_rates`].
    pub fn joint_rates(&self, q: &[f64], motor_rates: &[f64], out: &mut [f64]) -> Result<(), RobotError> {
        self.check(q, motor_rates)?;
        self.check(out, motor_rates)?;
        out.fill(0.0);
        for unit in &self.units {
            let jacobian = self.jacobian_of(unit, q)?;
            let rates = jacobian.solve(unit.gather(motor_rates), unit.pose(q)).map_err(|problem| self.at(unit, problem))?;
            for (joint, rate) in unit.joints.into_iter().zip(rates).take(unit.coupling.size()) {
                out[joint] = rate;
            }
        }
        Ok(())
    }

    /// Joint torques that rotor torques make at `q` without losses: `τ_q = Jᵀ τ_m`. Joints without a drive get 0.
    ///
    /// # Errors
    /// As [`Self::motor_rates`].
    pub fn joint_torques(&self, q: &[f64], motor_torques: &[f64], out: &mut [f64]) -> Result<(), RobotError> {
        self.check(q, motor_torques)?;
        self.check(out, motor_torques)?;
        out.fill(0.0);
        for unit in &self.units {
            let seen = [0, 1].map(|side| motor_torques[unit.drives[side]] * unit.signed[side]);
            let torques = self.jacobian_of(unit, q)?.transposed_times(seen);
            for (joint, torque) in unit.joints.into_iter().zip(torques).take(unit.coupling.size()) {
                out[joint] = torque;
            }
        }
        Ok(())
    }

    /// Rotor torques that hold joint torques at `q` without losses: `τ_m = J⁻ᵀ τ_q`.
    ///
    /// # Errors
    /// As [`Self::motor_rates`].
    pub fn motor_torques(&self, q: &[f64], joint_torques: &[f64], out: &mut [f64]) -> Result<(), RobotError> {
        self.check(q, out)?;
        self.check(joint_torques, out)?;
        for unit in &self.units {
            let jacobian = self.jacobian_of(unit, q)?;
            let seen = jacobian.transposed_solve(unit.pose(joint_torques), unit.pose(q)).map_err(|problem| self.at(unit, problem))?;
            for (side, torque) in seen.into_iter().enumerate().take(unit.coupling.size()) {
                out[unit.drives[side]] = torque / unit.signed[side];
            }
        }
        Ok(())
    }

    /// What every drive looks like, in the order of [`DriveTable::drives`]: `out` is overwritten and allocates only when it grows.
    ///
    /// * `motor`: recorded motor positions; without them they are derived from `q` and the wind-up is 0.
    ///
    /// # Errors
    /// As [`Self::motor_from_joint`].
    pub fn states(&self, q: &[f64], motor: Option<&[f64]>, out: &mut Vec<DriveState>) -> Result<(), RobotError> {
        const BLANK: DriveState = DriveState { drive: 0, output: 0.0, windup: 0.0, gear: GearState::Opaque { rotor: 0.0 }, bars: None };
        if let Some(motor) = motor {
            self.check(q, motor)?;
        } else if q.len() != self.joint_count {
            return Err(RobotError::JointCount { expected: self.joint_count, found: q.len() });
        }
        out.clear();
        out.resize(self.motors.len(), BLANK);
        for unit in &self.units {
            let pose = unit.pose(q);
            let outputs = unit.coupling.outputs(pose).map_err(|problem| self.at(unit, problem))?;
            for (side, output) in outputs.into_iter().enumerate().take(unit.coupling.size()) {
                let drive = unit.drives[side];
                let rotor = motor.map_or(output * unit.signed[side], |motor| motor[drive]);
                let windup = motor.map_or(0.0, |_| rotor / unit.signed[side] - output);
                let bars = match &unit.coupling {
                    Coupling::Cranks(ankle) => unit.frame.crank_leg(ankle, side, output, pose),
                    Coupling::Actuators { ankle, .. } => unit.frame.linear_leg(ankle.joint(), ankle.ends(side, pose)),
                    alone => unit.frame.bars(alone, output, pose[0]).map_err(|problem| self.at(unit, problem))?,
                };
                out[drive] = DriveState { drive, output, windup, gear: unit.insides[side].state(rotor, output), bars };
            }
        }
        Ok(())
    }

    /// How the part of a drive that repeats most often a turn looks at a motor rate and a frame rate: the wave generator of a
    /// strain-wave gear, the first carrier of a planetary one, the rollers of a screw, else the rotor. `None` for no such drive.
    pub fn apparent(&self, drive: usize, motor_rate: f64, frame_hz: f64) -> Option<Apparent> {
        let (unit, side) = self.units.iter().find_map(|unit| {
            let side = unit.drives[..unit.coupling.size()].iter().position(|index| *index == drive)?;
            Some((unit, side))
        })?;
        let inside = &unit.insides[side];
        Some(Apparent::new(motor_rate * inside.symmetric_part_per_motor(), inside.symmetry(), frame_hz))
    }

    fn jacobian_of(&self, unit: &Unit, q: &[f64]) -> Result<Jacobian, RobotError> {
        unit.coupling.jacobian(unit.pose(q)).map_err(|problem| self.at(unit, problem))
    }

    fn at(&self, unit: &Unit, problem: RobotError) -> RobotError {
        let side = match &problem {
            RobotError::CannotClose { leg, .. } | RobotError::BranchJump { leg, .. } => (*leg).min(1),
            _ => 0,
        };
        problem.at_drive(&format!("drive {:?}", self.motors[unit.drives[side]]))
    }

    fn check(&self, joints: &[f64], motors: &[f64]) -> Result<(), RobotError> {
        if joints.len() != self.joint_count {
            return Err(RobotError::JointCount { expected: self.joint_count, found: joints.len() });
        }
        if motors.len() != self.motors.len() {
            return Err(RobotError::MotorCount { expected: self.motors.len(), found: motors.len() });
        }
        Ok(())
    }
}

impl Unit {
    fn pose(&self, joints: &[f64]) -> [f64; 2] {
        [joints[self.joints[0]], if self.coupling.size() == 2 { joints[self.joints[1]] } else { 0.0 }]
    }

    fn gather(&self, motors: &[f64]) -> [f64; 2] {
        [0, 1].map(|side| motors[self.drives[side]] / self.signed[side])
    }

    fn scatter(&self, outputs: [f64; 2], motors: &mut [f64]) {
        for (side, output) in outputs.into_iter().enumerate().take(self.coupling.size()) {
            motors[self.drives[side]] = output * self.signed[side];
        }
    }
}

/// The other drive of an ankle; `None` for a drive that moves its joint alone.
fn partner_of(drives: &[Drive], index: usize) -> Result<Option<usize>, RobotError> {
    let drive = &drives[index];
    if drive.linkage.joints() == 1 {
        return Ok(None);
    }
    let same = |other: &Drive| match (&drive.linkage, &other.linkage) {
        (LinkageKind::ParallelAnkle(mine), LinkageKind::ParallelAnkle(its)) => mine.ankle_centre_m == its.ankle_centre_m,
        (LinkageKind::LinearAnkle(mine), LinkageKind::LinearAnkle(its)) => mine.ankle_centre_m == its.ankle_centre_m,
        _ => false,
    };
    let mut others = (0..drives.len()).filter(|&other| other != index && drives[other].joints == drive.joints && same(&drives[other]));
    match (others.next(), others.next()) {
        (Some(partner), None) => Ok(Some(partner)),
        _ => Err(RobotError::BadEntry {
            element: drive.element(),
            reason: "expected exactly one other drive with the same joints, linkage and ankle_centre_m".to_owned(),
        }),
    }
}
