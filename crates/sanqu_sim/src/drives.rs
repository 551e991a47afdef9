//! The motor side of a simulated robot, and what its joints' encoders read: each drive is a `DriveSimulation`.

use std::f64::consts::TAU;

use sanqu_model::Id;
use sanqu_robot::simulate::{DriveParameters, DriveSimulation, DriveStep, EncoderModel, EncoderSimulation, Harmonic};
use sanqu_robot::{Drive, DriveTable, Drivetrain, JointKind, RobotModel};

use crate::body::{Body, Moment};
use crate::fault::{DueFault, PlannedFault};
use crate::noise::Noise;
use crate::telemetry::seconds;
use crate::{SimError, SimSpec};

/// Bits of a joint's encoder; assumed.
pub(crate) const JOINT_BITS: u32 = 20;
/// Error of a joint's encoder that repeats with the turn, rad: least and greatest amplitude. A real arm had 0.9 mrad; assumed.
const FOOTPRINT_RAD: (f64, f64) = (0.1e-3, 0.5e-3);
/// Its second harmonic, relative to the first.
const FOOTPRINT_SECOND: f64 = 0.3;
/// How much warmer than its surroundings a motor may get by standing, K, and how much more current its motion takes.
const STANDING_RISE_K: f64 = 60.0;
const MOTION_FACTOR: f64 = 1.5;

/// All drives of one robot, and the encoders of all its joints.
pub(crate) struct Drives {
    robot: Id,
    table: DriveTable,
    train: Drivetrain,
    drives: Vec<DriveSimulation>,
    joints: Vec<EncoderSimulation>,
    /// Faults that were not announced yet, the next one last.
    faults: Vec<DueFault>,
    last_ns: Option<i64>,
    begun_ns: i64,
    rotors: Vec<f64>,
    torques: Vec<f64>,
}

impl Drives {
    /// # Errors
    /// [`SimError::Robot`] for drives that do not fit the robot or cannot have a fault, [`SimError::Missing`] for a fault of a
    /// drive that the robot does not have.
    pub(crate) fn new(table: DriveTable, body: &Body, spec: &SimSpec) -> Result<Self, SimError> {
        let (model, mut noise) = (&body.model, Noise::new(spec.seed, 2));
        let train = Drivetrain::new(&table, model)?;
        let mut standing = vec![0.0; table.drives().len()];
        train.motor_torques(&body.stand, &body.standing_effort()?, &mut standing)?;
        let mut drives = Vec::new();
        for (drive, rotor_nm) in table.drives().iter().zip(standing) {
            let mut parameters = DriveParameters::of(drive, effort_limit(drive, model), noise.seed());
            // The simulated bodies are coarse: whatever they ask of a motor, it must be one that can stand it.
            let heat = &mut parameters.thermal;
            let standing_a = MOTION_FACTOR * rotor_nm / (parameters.friction.mesh_efficiency * parameters.torque_constant_nm_per_a);
            let power_w = STANDING_RISE_K / (heat.winding_to_housing_k_per_w + heat.housing_to_air_k_per_w);
            heat.loss_w_per_a2 = heat.loss_w_per_a2.min(power_w / (standing_a * standing_a));
            drives.push(DriveSimulation::new(parameters, noise.seed())?);
        }
        let faults = PlannedFault::inject_all(&spec.faults, &table, &mut drives, &spec.model_dir)?;
        let joints = model.joints().iter().map(|joint| {
            let mut encoder = EncoderModel::of_bits(JOINT_BITS);
            if joint.kind != JointKind::Prismatic {
                encoder.footprint = footprint(&mut noise);
            }
            EncoderSimulation::new(encoder, noise.seed())
        });
        Ok(Self {
            robot: spec.robot.clone(),
            train,
            joints: joints.collect(),
            faults,
            last_ns: None,
            begun_ns: 0,
            rotors: vec![0.0; drives.len()],
            torques: vec![0.0; drives.len()],
            drives,
            table,
        })
    }

    /// Motor names in drive order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.table.drives().iter().map(|drive| drive.motor.clone()).collect()
    }

    /// Moves all drives to a moment, later than the one before: each output where the joints are, under their load.
    pub(crate) fn turn(&mut self, moment: &mut Moment) -> Result<(), SimError> {
        let dt_s = match self.last_ns.replace(moment.t_ns) {
            Some(last_ns) => seconds(moment.t_ns - last_ns),
            None => {
                self.begun_ns = moment.t_ns;
                1.0
            }
        };
        self.announce(seconds(moment.t_ns - self.begun_ns));
        self.train.motor_from_joint(&moment.joints.pos, &mut self.rotors)?;
        self.train.motor_torques(&moment.joints.pos, &moment.effort, &mut self.torques)?;
        moment.drives.resize(self.drives.len(), DriveStep::default());
        for (index, (drive, step)) in self.drives.iter_mut().zip(&mut moment.drives).enumerate() {
            let signed = self.table.drives()[index].signed_ratio();
            *step = drive.move_output(dt_s, self.rotors[index] / signed, self.torques[index] * signed)?;
        }
        moment.seen.clear();
        for (encoder, pos) in self.joints.iter_mut().zip(&moment.joints.pos) {
            moment.seen.push(encoder.read(*pos)?);
        }
        Ok(())
    }

    /// Says which faults begin by now.
    fn announce(&mut self, time_s: f64) {
        while let Some(fault) = self.faults.pop_if(|fault| fault.at_secs <= time_s) {
            tracing::warn!(robot = %self.robot, motor = fault.motor, at_secs = fault.at_secs, "a fault, as ordered: {}", fault.what);
        }
    }
}

/// The greatest effort limit of a drive's joints, N·m; 0 where the URDF gives none.
fn effort_limit(drive: &Drive, model: &RobotModel) -> f64 {
    let limits = drive.joints.iter().filter_map(|joint| model.joint_index(joint)).map(|joint| model.joints()[joint].effort);
    limits.fold(0.0, f64::max)
}

fn footprint(noise: &mut Noise) -> Vec<Harmonic> {
    let (least, greatest) = FOOTPRINT_RAD;
    let amplitude_rad = least + (greatest - least) * 0.5 * (1.0 + noise.uniform());
    let mut phase_rad = || TAU * noise.uniform();
    vec![
        Harmonic { order: 1.0, amplitude_rad, phase_rad: phase_rad() },
        Harmonic { order: 2.0, amplitude_rad: FOOTPRINT_SECOND * amplitude_rad, phase_rad: phase_rad() },
    ]
}
