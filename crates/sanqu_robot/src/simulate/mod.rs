//! A drive with its imperfections, for simulation: wind-up, hysteresis, play, transmission error, friction, heat, encoders, faults.
//!
//! [`DriveSimulation`] is one drive, from [`DriveParameters`] and a seed. Each step gives what is true ([`DriveTruth`]) and what
//! sensors read ([`DriveReading`]). The same parameters, seed and steps give the same numbers. Nothing is allocated per step.
//!
//! ```
//! use sanqu_robot::simulate::{DriveFault, DriveParameters, DriveSimulation, Harmonic};
//! # use sanqu_robot::DriveTable;
//! # let text = r#"
//! #     [[drive]]
//! #     motor = "m"
//! #     joints = ["j"]
//! #     ratio = 100
//! #     sign = -1
//! #     reducer = "strain_wave"
//! #     arrangement = "cs_fixed"
//! #     linkage = "direct"
//! #     source = "test"
//! #     [drive.strain_wave]
//! #     flexspline_teeth = 200
//! #     circular_spline_teeth = 202
//! #     source = "test"
//! # "#;
//! # let table = DriveTable::from_toml_str(text)?;
//! # let drive = &table.drives()[0];
//! let mut parameters = DriveParameters::of(drive, 100.0, 7); // or spell out every field
//! parameters.hysteresis_rad = 2.6e-4;
//! parameters.orders = vec![Harmonic { order: 2.0, amplitude_rad: 2.4e-5, phase_rad: 0.3 }];
//! let mut simulation = DriveSimulation::new(parameters, 7)?;
//! simulation.inject(DriveFault::Tooth { peak_rad: 3e-4 }, 1.0, 0.0)?; // from second 1 on, at once
//! for row in 0..1000 {
//!     let time_s = f64::from(row) * 0.002;
//!     // The output moves as told, the motor follows; `turn_motor` is the other way round.
//!     let step = simulation.move_output(0.002, 0.5 * time_s.sin(), 12.0)?;
//!     let windup = step.reading.motor_rad / -100.0 - step.reading.output_rad;
//!     assert!((windup - step.truth.windup_rad).abs() < 2e-5);
//! }
//! # Ok::<(), sanqu_robot::RobotError>(())
//! ```
//!
//! # What is modelled
//!
//! With the rotor's angle θ, the output o, the signed ratio s·N and the load T (positive: the drive pushes the output along +o):
//!
//! * wind-up `w = θ/(s·N) − o = P(φ(T)) + h(T) + e(θ)`: piecewise stiffness φ with hysteresis P, play h, transmission error e.
//!   Quasi-static: mass of the output is not simulated, whoever calls decides the motion and the load.
//! * hysteresis of width H: at one torque, the twist is φ − H/2 while torque rises and φ + H/2 while it falls (it lags), so
//!   `w↓(0) − w↑(0) = H`; the mean of both branches is φ exactly. Reversals smaller than H in twist do not move it.
//! * play of width b: half of it to the side of the load, crossed within ± `play_torque_nm`.
//! * `e(θ) = Σ A cos(order·θ + phase)`, added to w; a damaged tooth of the flexspline adds a bump twice per turn of the wave
//!   generator against the flexspline.
//! * rotor torque: see [`Friction`], plus the rotor's inertia times its acceleration; current is that over the torque constant.
//! * encoders read angle minus footprint, plus noise, in whole counts ([`EncoderModel`]): readings show `w + F(o)`. θ is never
//!   wrapped.
//! * heat: see [`Thermal`]; friction uses the housing's temperature.
//!
//! What is in force, faults included, is told by [`DriveSimulation::stiffness`], [`DriveSimulation::backlash_rad`],
//! [`DriveSimulation::order_amplitude_rad`] and [`DriveSimulation::lost_motion_rad`]; what never changes by
//! [`DriveSimulation::parameters`].

mod encoder_model;
mod fault;
mod friction;
mod harmonics;
mod parameters;
mod random;
#[cfg(test)]
mod tests;
mod thermal;
mod windup;

pub use encoder_model::{EncoderModel, EncoderSimulation};
pub use fault::DriveFault;
pub use friction::Friction;
pub use harmonics::Harmonic;
pub use parameters::{DriveParameters, ORDERS_MAX};
pub use thermal::Thermal;

use crate::linkage::finite;
use crate::{RobotError, Stiffness};
use fault::{Damage, Growing};
use harmonics::{Bump, sum};
use parameters::ELEMENT;
use random::Random;
use thermal::Temperatures;
use windup::{Spring, Windup};

/// Most faults of one drive.
pub const FAULTS_MAX: usize = 16;
/// How strongly the transmission error may go with the rotor: beyond this the rotor's angle for an output is not unique.
const ERROR_SLOPE_MAX: f64 = 0.5;
/// Newton steps from an output to its rotor angle; errors are so small that two are exact.
const SOLVE_STEPS: u32 = 2;

/// What is true of a drive at a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DriveTruth {
    /// Time since the beginning, s.
    pub time_s: f64,
    /// Rotor angle, many turns, rad.
    pub motor_rad: f64,
    /// Output, rad (m for a screw).
    pub output_rad: f64,
    /// `motor/(s·N) − output`, all of it.
    pub windup_rad: f64,
    /// Its part that the load makes through the spring, with hysteresis.
    pub elastic_rad: f64,
    /// Its part that is play.
    pub play_rad: f64,
    /// Its part that is transmission error, a damaged tooth included.
    pub transmission_error_rad: f64,
    /// Rotor rate, rad/s, over the last step.
    pub motor_rate_rad_per_s: f64,
    /// Torque that the rotor makes (load, friction, its own inertia), N·m, in the motor's direction of counting.
    pub motor_torque_nm: f64,
    /// Current that makes this torque, A.
    pub current_a: f64,
    /// Winding, °C.
    pub winding_c: f64,
    /// Housing, °C.
    pub housing_c: f64,
}

/// What the sensors of a drive read at a step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DriveReading {
    /// Rotor angle, many turns, whole counts, rad.
    pub motor_rad: f64,
    /// Output, whole counts, rad.
    pub output_rad: f64,
    /// Load of the output, N·m.
    pub load_nm: f64,
    /// Current, A.
    pub current_a: f64,
    /// The current times the torque constant, N·m: what a driver reports as the rotor's torque.
    pub motor_torque_nm: f64,
    /// Winding, °C.
    pub winding_c: f64,
}

/// A step of a [`DriveSimulation`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DriveStep {
    /// What is.
    pub truth: DriveTruth,
    /// What is seen.
    pub reading: DriveReading,
}

/// One drive that is simulated. See the module's page. Its first step is at time 0 (whatever `dt_s` is), at rest.
#[derive(Debug, Clone)]
pub struct DriveSimulation {
    parameters: DriveParameters,
    bump: Option<Bump>,
    faults: Vec<Growing>,
    damage: Damage,
    spring: Spring,
    windup: Windup,
    heat: Temperatures,
    /// Where friction stands between the directions, −1..=1, positive while the output moves along +.
    direction: f64,
    /// Rate of the output over the last step, rad/s.
    output_rate: Option<f64>,
    last: Option<DriveTruth>,
    random: Random,
}

/// The other side's position of a step, and how it came about.
struct Turned {
    motor_rad: f64,
    output_rad: f64,
    error_rad: f64,
}

impl DriveSimulation {
    /// A drive at rest without load, at time 0.
    ///
    /// # Errors
    /// [`RobotError::BadNumber`] and [`RobotError::BadEntry`] for parameters that cannot be, naming the field.
    pub fn new(parameters: DriveParameters, seed: u64) -> Result<Self, RobotError> {
        parameters.check()?;
        let slope: f64 = parameters.orders.iter().map(|one| (one.order * one.amplitude_rad * parameters.signed_ratio).abs()).sum();
        if slope > ERROR_SLOPE_MAX {
            let (field, expected) = ("orders", "sum of order times amplitude times ratio of at most 0.5");
            return Err(RobotError::BadNumber { element: ELEMENT.to_owned(), field, value: slope, expected });
        }
        let bump = parameters.tooth_order.map(|order| Bump { order, phase_rad: parameters.tooth_phase_rad });
        let start_c = parameters.thermal.start_c;
        let mut simulation = Self {
            bump,
            faults: Vec::new(),
            damage: Damage::NONE,
            spring: Spring {
                stiffness: parameters.stiffness,
                hysteresis_rad: parameters.hysteresis_rad,
                backlash_rad: parameters.backlash_rad,
                play_torque_nm: parameters.play_torque_nm,
            },
            windup: Windup::default(),
            heat: Temperatures { winding_c: start_c, housing_c: start_c },
            direction: 0.0,
            output_rate: None,
            last: None,
            random: Random::new(seed),
            parameters,
        };
        simulation.wear(0.0);
        Ok(simulation)
    }

    /// What it was made from, without faults.
    pub fn parameters(&self) -> &DriveParameters {
        &self.parameters
    }

    /// Lets a fault begin at `begin_s` of the simulation's time (before 0: it has grown already) and reach its size `growth_s` later.
    /// Faults of one kind add up.
    ///
    /// # Errors
    /// [`RobotError::BadEntry`] for a tooth without a flexspline, or more than [`FAULTS_MAX`] faults; [`RobotError::BadNumber`]
    /// for a size that cannot be.
    pub fn inject(&mut self, fault: DriveFault, begin_s: f64, growth_s: f64) -> Result<(), RobotError> {
        let refused = |reason: String| Err(RobotError::BadEntry { element: ELEMENT.to_owned(), reason });
        let bad = |field, value, expected| Err(RobotError::BadNumber { element: ELEMENT.to_owned(), field, value, expected });
        let (field, size, fits) = match fault {
            DriveFault::Backlash { add_rad } => ("add_rad", add_rad, add_rad >= 0.0),
            DriveFault::Stiffness { share } => ("share", share, share > 0.0 && share <= 1.0),
            DriveFault::Tooth { peak_rad } => ("peak_rad", peak_rad, peak_rad >= 0.0),
            DriveFault::HotMotor { extra_w } => ("extra_w", extra_w, extra_w >= 0.0),
        };
        if !(fits && size.is_finite()) {
            let expected = if field == "share" { "a number above 0 and at most 1" } else { "a finite number of at least 0" };
            return bad(field, size, expected);
        }
        if let DriveFault::Tooth { peak_rad } = fault {
            let Some(bump) = self.bump else { return refused("a damaged tooth needs a strain-wave gear with known teeth".to_owned()) };
            let slope: f64 = bump.orders(peak_rad).map(|one| one.order * one.amplitude_rad * self.parameters.signed_ratio.abs()).sum();
            if slope > ERROR_SLOPE_MAX {
                return bad("peak_rad", peak_rad, "a bump that the rotor passes: its slope times the ratio at most 0.5");
            }
        }
        for (field, seconds) in [("begin_s", begin_s), ("growth_s", growth_s)] {
            if !seconds.is_finite() || (field == "growth_s" && seconds < 0.0) {
                return bad(field, seconds, "a finite number of seconds");
            }
        }
        if self.faults.len() == FAULTS_MAX {
            return refused(format!("more than {FAULTS_MAX} faults"));
        }
        self.faults.push(Growing { fault, begun_s: begin_s, growth_s });
        self.wear(self.last.map_or(0.0, |last| last.time_s));
        Ok(())
    }

    /// Moves the output to `output_rad` within `dt_s` against `load_nm`; the rotor goes where it must.
    ///
    /// # Errors
    /// [`RobotError::BadNumber`] for numbers that are not finite, or a `dt_s` that is not above 0. Nothing has moved then.
    pub fn move_output(&mut self, dt_s: f64, output_rad: f64, load_nm: f64) -> Result<DriveStep, RobotError> {
        finite("output_rad", output_rad)?;
        self.step(dt_s, load_nm, |drive, windup_rad| {
            let signed = drive.parameters.signed_ratio;
            let without_error = output_rad + windup_rad;
            let before = drive.last.map_or(0.0, |last| last.transmission_error_rad);
            let mut motor_rad = signed * (without_error + before);
            for _ in 0..SOLVE_STEPS {
                let (error, slope) = drive.error_at(motor_rad);
                motor_rad -= (motor_rad - signed * (without_error + error)) / (1.0 - signed * slope);
            }
            Turned { motor_rad, output_rad, error_rad: motor_rad / signed - without_error }
        })
    }

    /// Turns the rotor to `motor_rad` within `dt_s` while the output carries `load_nm`; the output goes where it must.
    ///
    /// # Errors
    /// As [`Self::move_output`].
    pub fn turn_motor(&mut self, dt_s: f64, motor_rad: f64, load_nm: f64) -> Result<DriveStep, RobotError> {
        finite("motor_rad", motor_rad)?;
        self.step(dt_s, load_nm, |drive, windup_rad| {
            let error_rad = drive.error_at(motor_rad).0;
            Turned { motor_rad, output_rad: motor_rad / drive.parameters.signed_ratio - windup_rad - error_rad, error_rad }
        })
    }

    /// Stiffness in force.
    pub fn stiffness(&self) -> Stiffness {
        self.spring.stiffness
    }

    /// Play in force, rad.
    pub fn backlash_rad(&self) -> f64 {
        self.spring.backlash_rad
    }

    /// Lost motion in force: between ± `fraction` of a torque, on the mean of both branches, rad. Hysteresis is not in it.
    pub fn lost_motion_rad(&self, torque_nm: f64, fraction: f64) -> f64 {
        let free = Spring { hysteresis_rad: 0.0, ..self.spring };
        let at = |torque| {
            let parts = Windup::default().load(&free, torque);
            parts.elastic_rad + parts.play_rad
        };
        at(torque_nm * fraction) - at(-torque_nm * fraction)
    }

    /// Amplitude in force of one order of the rotor's turn, rad: own orders and those of a damaged tooth within 10⁻⁶ of it.
    pub fn order_amplitude_rad(&self, order: f64) -> f64 {
        const SAME: f64 = 1e-6;
        let own = self.parameters.orders.iter().copied();
        let tooth = self.bump.into_iter().flat_map(|bump| bump.orders(self.damage.tooth_rad));
        let (x, y) = own.chain(tooth).filter(|one| (one.order - order).abs() < SAME).fold((0.0, 0.0), |(x, y), one| {
            let (sin, cos) = one.phase_rad.sin_cos();
            (x + one.amplitude_rad * cos, y + one.amplitude_rad * sin)
        });
        f64::hypot(x, y)
    }

    /// Transmission error and its derivative after the rotor's angle.
    fn error_at(&self, motor_rad: f64) -> (f64, f64) {
        let own = sum(&self.parameters.orders, motor_rad);
        match self.bump {
            Some(bump) if self.damage.tooth_rad > 0.0 => {
                let tooth = bump.at(self.damage.tooth_rad, motor_rad);
                (own.0 + tooth.0, own.1 + tooth.1)
            }
            _ => own,
        }
    }

    /// Brings faults to where they are at a time.
    fn wear(&mut self, time_s: f64) {
        if self.faults.is_empty() {
            return;
        }
        self.damage = Damage::at(&self.faults, time_s);
        let (sound, share) = (self.parameters.stiffness, self.damage.stiffness_share);
        self.spring.stiffness = Stiffness {
            k1_nm_per_rad: sound.k1_nm_per_rad * share,
            k2_nm_per_rad: sound.k2_nm_per_rad * share,
            k3_nm_per_rad: sound.k3_nm_per_rad * share,
            ..sound
        };
        self.spring.backlash_rad = self.parameters.backlash_rad + self.damage.backlash_rad;
    }

    fn step(&mut self, dt_s: f64, load_nm: f64, turn: impl FnOnce(&Self, f64) -> Turned) -> Result<DriveStep, RobotError> {
        finite("load_nm", load_nm)?;
        if !(dt_s.is_finite() && dt_s > 0.0) {
            let expected = "a finite number above 0";
            return Err(RobotError::BadNumber { element: ELEMENT.to_owned(), field: "dt_s", value: dt_s, expected });
        }
        // The first step is at time 0.
        let time_s = self.last.map_or(0.0, |last| last.time_s + dt_s);
        self.wear(time_s);
        let parts = self.windup.load(&self.spring, load_nm);
        let turned = turn(self, parts.elastic_rad + parts.play_rad);

        let signed = self.parameters.signed_ratio;
        let (travel, output_travel) =
            self.last.map_or((0.0, 0.0), |last| (turned.motor_rad - last.motor_rad, turned.output_rad - last.output_rad));
        let (motor_rate, output_rate) = (travel / dt_s, output_travel / dt_s);
        // Of the output, because wind-up that jumps over the play would be a hammer.
        let acceleration = self.output_rate.map_or(0.0, |before| (output_rate - before) / dt_s);
        self.output_rate = self.last.map(|_| output_rate);
        let friction = &self.parameters.friction;
        self.direction = (self.direction + travel * signed.signum() / friction.presliding_rad).clamp(-1.0, 1.0);
        let against_load = friction.rotor_nm(load_nm / signed.abs(), self.direction, motor_rate, self.heat.housing_c);
        let motor_torque = signed.signum() * against_load + self.parameters.rotor_inertia_kg_m2 * acceleration * signed;
        let current_a = motor_torque / self.parameters.torque_constant_nm_per_a;
        let power_w = self.parameters.thermal.copper_w(current_a, self.heat.winding_c) + self.damage.extra_w;
        if self.last.is_some() {
            self.heat = self.parameters.thermal.later(self.heat, power_w, dt_s);
        }
        let truth = DriveTruth {
            time_s,
            motor_rad: turned.motor_rad,
            output_rad: turned.output_rad,
            windup_rad: turned.motor_rad / signed - turned.output_rad,
            elastic_rad: parts.elastic_rad,
            play_rad: parts.play_rad,
            transmission_error_rad: turned.error_rad,
            motor_rate_rad_per_s: motor_rate,
            motor_torque_nm: motor_torque,
            current_a,
            winding_c: self.heat.winding_c,
            housing_c: self.heat.housing_c,
        };
        self.last = Some(truth);
        Ok(DriveStep { truth, reading: self.read(&truth, load_nm) })
    }

    fn read(&mut self, truth: &DriveTruth, load_nm: f64) -> DriveReading {
        let (parameters, random) = (&self.parameters, &mut self.random);
        let current_a = truth.current_a + parameters.current_noise_a * random.normal();
        let step_c = parameters.temperature_step_c;
        DriveReading {
            motor_rad: parameters.motor_encoder.read(truth.motor_rad, random),
            output_rad: parameters.output_encoder.read(truth.output_rad, random),
            load_nm: load_nm + parameters.load_noise_nm * random.normal(),
            current_a,
            motor_torque_nm: current_a * parameters.torque_constant_nm_per_a,
            winding_c: if step_c > 0.0 { (truth.winding_c / step_c).round() * step_c } else { truth.winding_c },
        }
    }
}
