use std::f64::consts::TAU;

use super::friction::Friction;
use super::random::Random;
use super::thermal::Thermal;
use super::{EncoderModel, Harmonic};
use crate::drive::Drive;
use crate::part::Range;
use crate::{Arrangement, CurrentConvention, EncoderSide, ReducerKind, RobotError, Stiffness};

const ARCSEC: f64 = std::f64::consts::PI / 648_000.0;
/// Most orders of a transmission error or footprint: bounds the cost of a step.
pub const ORDERS_MAX: usize = 64;

/// Everything that a [`super::DriveSimulation`] is made from. All of it may be changed before use.
///
/// Figures are at the output, in rad and N·m, unless a name or a sentence says rotor; for a roller screw, whose output is a
/// length, read m and N.
#[derive(Debug, Clone, PartialEq)]
pub struct DriveParameters {
    /// Rotor per output, signed: s·N.
    pub signed_ratio: f64,
    /// Twist under load.
    pub stiffness: Stiffness,
    /// Width of the loop of twist at one torque between rising and falling torque, rad.
    pub hysteresis_rad: f64,
    /// Play, rad: wind-up jumps by this where the load changes sides.
    pub backlash_rad: f64,
    /// Load at which one side touches for good, N·m: what seals and bearings of the freed part drag. 0 crosses at once.
    pub play_torque_nm: f64,
    /// Transmission error by orders of the rotor's turn: adds to the wind-up.
    pub orders: Vec<Harmonic>,
    /// How often a tooth of the flexspline meets the major axis per turn of the rotor, and when; `None` without a flexspline.
    pub tooth_order: Option<f64>,
    /// Where the damaged tooth of [`super::DriveFault::Tooth`] is, rad.
    pub tooth_phase_rad: f64,
    /// Losses.
    pub friction: Friction,
    /// Inertia of the rotor and what turns with it, kg·m².
    pub rotor_inertia_kg_m2: f64,
    /// Torque of the rotor per current, before all losses of the gear, N·m/A.
    pub torque_constant_nm_per_a: f64,
    /// Heat.
    pub thermal: Thermal,
    /// Reads the rotor; its step is in rotor angle.
    pub motor_encoder: EncoderModel,
    /// Reads the output.
    pub output_encoder: EncoderModel,
    /// Noise of the reading of the output's load, one standard deviation, N·m.
    pub load_noise_nm: f64,
    /// Noise of the reading of the current, one standard deviation, A.
    pub current_noise_a: f64,
    /// Steps of the reading of the winding's temperature, K.
    pub temperature_step_c: f64,
}

impl DriveParameters {
    /// What a description says of a drive; what it leaves open is filled in with usual figures of its kind of reducer, scattered by
    /// `seed`: assumptions, every one. Transmission errors stay below the catalogue's accuracy.
    ///
    /// * `effort_limit_nm`: of the joint (URDF); 0 where unknown.
    pub fn of(drive: &Drive, effort_limit_nm: f64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let effort = if effort_limit_nm > 0.0 { effort_limit_nm } else { EFFORT_UNKNOWN_NM };
        let strain_wave = drive.strain_wave.as_ref();
        let rated = drive.rated_torque_nm.or_else(|| strain_wave?.rated_torque_nm).unwrap_or(RATED_SHARE * effort);
        let rotor_rate = drive.rated_speed_rad_per_s.map_or(RATED_RATE_RAD_PER_S, |speed| speed * drive.ratio);
        let efficiency = drive.efficiency.or_else(|| drive.planetary.as_ref()?.efficiency()).unwrap_or(usual_efficiency(drive.reducer));
        let tooth_order = tooth_order(drive);
        let constant = torque_constant(drive, efficiency);
        let bits = |side| drive.encoders.iter().find(|encoder| encoder.side == side).map(crate::Encoder::step_rad);
        let encoder = |side, unknown| {
            let step_rad = bits(side).unwrap_or_else(|| crate::step_rad(unknown));
            EncoderModel { step_rad, noise_rad: 0.3 * step_rad, footprint: Vec::new() }
        };
        let screw = drive.reducer == ReducerKind::RollerScrew;
        Self {
            signed_ratio: drive.signed_ratio(),
            stiffness: drive
                .stiffness()
                .unwrap_or_else(|| Stiffness::linear(if screw { SCREW_N_PER_M } else { STIFFNESS_PER_EFFORT * effort })),
            hysteresis_rad: hysteresis(drive, &mut random),
            backlash_rad: backlash(drive),
            play_torque_nm: PLAY_SHARE * rated,
            orders: usual_orders(drive, &mut random),
            tooth_order,
            tooth_phase_rad: TAU * random.uniform(),
            friction: usual_friction(efficiency, rated / drive.ratio, rotor_rate),
            rotor_inertia_kg_m2: drive
                .electric
                .as_ref()
                .and_then(|motor| motor.rotor_inertia_kg_m2)
                .unwrap_or_else(|| drive.armature_kg_m2.unwrap_or_default() / (drive.ratio * drive.ratio)),
            torque_constant_nm_per_a: constant,
            thermal: usual_thermal(drive, rated.max(RATED_SHARE * effort) / (drive.ratio * efficiency * constant), &mut random),
            motor_encoder: encoder(EncoderSide::Motor, 17),
            output_encoder: if screw {
                EncoderModel { step_rad: 1e-6, noise_rad: 3e-7, footprint: Vec::new() }
            } else {
                encoder(EncoderSide::Joint, 20)
            },
            load_noise_nm: 0.002 * rated,
            current_noise_a: 0.002 * rated / (drive.ratio * constant),
            temperature_step_c: 0.1,
        }
    }

    /// The first number that cannot be, with what was expected.
    pub(crate) fn check(&self) -> Result<(), RobotError> {
        use Range::{Above0, Any, AtLeast0, Share};
        let (friction, thermal) = (&self.friction, &self.thermal);
        let rows = [
            ("hysteresis_rad", self.hysteresis_rad, AtLeast0),
            ("backlash_rad", self.backlash_rad, AtLeast0),
            ("play_torque_nm", self.play_torque_nm, AtLeast0),
            ("tooth_order", self.tooth_order.unwrap_or(1.0), Above0),
            ("tooth_phase_rad", self.tooth_phase_rad, Any),
            ("mesh_efficiency", friction.mesh_efficiency, Share),
            ("constant_nm", friction.constant_nm, AtLeast0),
            ("speed_nm", friction.speed_nm, AtLeast0),
            ("temperature_k", friction.temperature_k, Above0),
            ("presliding_rad", friction.presliding_rad, Above0),
            ("rotor_inertia_kg_m2", self.rotor_inertia_kg_m2, AtLeast0),
            ("torque_constant_nm_per_a", self.torque_constant_nm_per_a, Above0),
            ("winding_j_per_k", thermal.winding_j_per_k, Above0),
            ("housing_j_per_k", thermal.housing_j_per_k, Above0),
            ("winding_to_housing_k_per_w", thermal.winding_to_housing_k_per_w, Above0),
            ("housing_to_air_k_per_w", thermal.housing_to_air_k_per_w, Above0),
            ("loss_w_per_a2", thermal.loss_w_per_a2, AtLeast0),
            ("ambient_c", thermal.ambient_c, Any),
            ("start_c", thermal.start_c, Any),
            ("motor_encoder.step_rad", self.motor_encoder.step_rad, AtLeast0),
            ("motor_encoder.noise_rad", self.motor_encoder.noise_rad, AtLeast0),
            ("output_encoder.step_rad", self.output_encoder.step_rad, AtLeast0),
            ("output_encoder.noise_rad", self.output_encoder.noise_rad, AtLeast0),
            ("load_noise_nm", self.load_noise_nm, AtLeast0),
            ("current_noise_a", self.current_noise_a, AtLeast0),
            ("temperature_step_c", self.temperature_step_c, AtLeast0),
        ];
        let bad = |field, value, expected| Err(RobotError::BadNumber { element: ELEMENT.to_owned(), field, value, expected });
        if let Some((field, value, range)) = rows.into_iter().find(|(_, value, range)| !range.accepts(*value)) {
            return bad(field, value, range.expected());
        }
        if !(self.signed_ratio.is_finite() && self.signed_ratio != 0.0) {
            return bad("signed_ratio", self.signed_ratio, "a finite number other than 0");
        }
        if let Some(reason) = self.stiffness.contradiction() {
            return Err(RobotError::BadEntry { element: ELEMENT.to_owned(), reason });
        }
        for (name, list) in [
            ("orders", &self.orders),
            ("motor_encoder.footprint", &self.motor_encoder.footprint),
            ("output_encoder.footprint", &self.output_encoder.footprint),
        ] {
            if list.len() > ORDERS_MAX {
                let reason = format!("{name} has {} orders, expected at most {ORDERS_MAX}", list.len());
                return Err(RobotError::BadEntry { element: ELEMENT.to_owned(), reason });
            }
            let numbers = list.iter().flat_map(|one| [one.order, one.amplitude_rad, one.phase_rad]);
            if let Some(value) = numbers.into_iter().find(|value| !value.is_finite()) {
                return bad(name, value, "finite numbers");
            }
        }
        Ok(())
    }
}

/// What errors about parameters are about.
pub(crate) const ELEMENT: &str = "drive simulation";

/// Effort limit of a joint whose URDF gives none, N·m.
const EFFORT_UNKNOWN_NM: f64 = 50.0;
/// Rated torque per effort limit where no rated torque is given.
const RATED_SHARE: f64 = 0.4;
/// Rated rate of a rotor where none is given: 2000 rpm.
const RATED_RATE_RAD_PER_S: f64 = 209.4;
/// Stiffness per effort limit where none is given: 2.5 mrad at the limit.
const STIFFNESS_PER_EFFORT: f64 = 400.0;
/// Axial stiffness of a roller screw where none is given, N/m.
const SCREW_N_PER_M: f64 = 5e7;
/// Load that crosses the play, per rated torque.
const PLAY_SHARE: f64 = 0.005;
/// Torque at the rotor per current where none is given, N·m/A.
const TORQUE_CONSTANT_NM_PER_A: f64 = 0.1;

fn usual_efficiency(reducer: ReducerKind) -> f64 {
    match reducer {
        ReducerKind::Planetary => 0.94,
        ReducerKind::StrainWave => 0.72,
        ReducerKind::Cycloidal => 0.85,
        ReducerKind::RollerScrew => 0.8,
        ReducerKind::None | ReducerKind::Unknown => 0.98,
    }
}

/// Before losses: a drive's own constant has its losses in it, that of an electric motor has not.
fn torque_constant(drive: &Drive, efficiency: f64) -> f64 {
    let with_losses = drive.torque_constant_nm_per_a.map(|constant| constant / (drive.ratio * efficiency));
    with_losses.or_else(|| drive.electric.as_ref()?.torque_constant_nm_per_a).unwrap_or(TORQUE_CONSTANT_NM_PER_A)
}

fn hysteresis(drive: &Drive, random: &mut Random) -> f64 {
    let usual = random.between(0.4, 0.8) * 60.0 * ARCSEC;
    match drive.reducer {
        // The teeth of a strain-wave gear have no play: what a table calls so is its lost motion.
        ReducerKind::StrainWave => drive.strain_wave.as_ref().and_then(|gear| gear.hysteresis_rad).or(drive.backlash_rad).unwrap_or(usual),
        ReducerKind::Planetary | ReducerKind::Cycloidal => usual,
        ReducerKind::RollerScrew | ReducerKind::None | ReducerKind::Unknown => 0.0,
    }
}

fn backlash(drive: &Drive) -> f64 {
    let own = drive.backlash_rad.or_else(|| drive.planetary.as_ref()?.backlash_rad());
    match drive.reducer {
        ReducerKind::StrainWave => 0.0,
        ReducerKind::Planetary => own.unwrap_or(600.0 * ARCSEC),
        ReducerKind::RollerScrew => own.unwrap_or(25e-6),
        ReducerKind::Cycloidal | ReducerKind::None | ReducerKind::Unknown => own.unwrap_or(0.0),
    }
}

fn tooth_order(drive: &Drive) -> Option<f64> {
    let splines = drive.strain_wave.as_ref()?.splines()?;
    let angles = splines.angles(drive.arrangement?, 1.0);
    let order = 2.0 * (angles.wave_generator - angles.flexspline).abs();
    (order > 0.0).then_some(order)
}

fn usual_orders(drive: &Drive, random: &mut Random) -> Vec<Harmonic> {
    let mut orders = Vec::new();
    let mut add = |order: f64, amplitude_rad: f64, random: &mut Random| {
        orders.push(Harmonic { order, amplitude_rad, phase_rad: TAU * random.uniform() });
        amplitude_rad
    };
    match drive.reducer {
        ReducerKind::StrainWave => {
            let second = add(2.0, random.between(3.0, 15.0) * ARCSEC, random);
            // Orders 2 and 2 (1 ± 1/N): one for each spline.
            let partner = match drive.arrangement {
                Some(Arrangement::FsFixed) => 2.0 - 2.0 / drive.ratio,
                _ => 2.0 + 2.0 / drive.ratio,
            };
            add(partner, second * random.between(0.3, 0.6), random);
            add(1.0, random.between(1.0, 5.0) * ARCSEC, random);
            add(4.0, random.between(1.0, 2.0) * ARCSEC, random);
        }
        ReducerKind::Planetary | ReducerKind::Cycloidal => {
            add(1.0, random.between(5.0, 15.0) * ARCSEC, random);
            let carrier =
                drive.planetary.as_ref().and_then(|gear| gear.stages.first()).map_or(drive.ratio, |stage| stage.reduction().abs());
            add(1.0 / carrier, random.between(5.0, 15.0) * ARCSEC, random);
        }
        ReducerKind::RollerScrew => _ = add(1.0, random.between(1e-6, 3e-6), random),
        ReducerKind::None | ReducerKind::Unknown => {}
    }
    let catalogue = drive.strain_wave.as_ref().map(|gear| gear.accuracy_rad.unwrap_or(60.0 * ARCSEC));
    let most: f64 = 2.0 * orders.iter().map(|order| order.amplitude_rad).sum::<f64>();
    if let Some(accuracy) = catalogue.filter(|accuracy| most > *accuracy) {
        orders.iter_mut().for_each(|order| order.amplitude_rad *= 0.95 * accuracy / most);
    }
    orders
}

/// Half of the loss at the rated point is no-load torque, 40 % of that constant; the rest is in the teeth.
fn usual_friction(efficiency: f64, rated_rotor_nm: f64, rated_rate: f64) -> Friction {
    let half = 0.5 * (1.0 / efficiency - 1.0);
    let no_load = half * rated_rotor_nm;
    Friction {
        mesh_efficiency: 1.0 / (1.0 + half),
        constant_nm: 0.4 * no_load,
        speed_nm: 0.6 * no_load / (rated_rate * rated_rate).cbrt(),
        temperature_k: 60.0,
        presliding_rad: 0.02,
    }
}

/// The current that the motor can hold for long warms its winding by about 60 K: in 42 s against the housing, which takes 13 min.
fn usual_thermal(drive: &Drive, rated_a: f64, random: &mut Random) -> Thermal {
    const RISE_K: f64 = 60.0;
    const UNKNOWN_W: f64 = 30.0;
    let electric = drive.electric.as_ref();
    // Between two phases: 3/2 of half of it for the peak of a phase, 3 of half of it for its root mean square.
    let share = match electric.and_then(|motor| motor.current) {
        Some(CurrentConvention::PhaseRms) => 1.5,
        _ => 0.75,
    };
    let loss_w_per_a2 = electric.and_then(|motor| motor.resistance_ohm).map_or(UNKNOWN_W / (rated_a * rated_a), |ohm| share * ohm);
    let resistance = RISE_K / (loss_w_per_a2 * rated_a * rated_a);
    let (inner, outer) = (0.35 * resistance, 0.65 * resistance);
    Thermal {
        winding_j_per_k: 42.0 / inner,
        housing_j_per_k: 780.0 / outer,
        winding_to_housing_k_per_w: inner,
        housing_to_air_k_per_w: outer,
        loss_w_per_a2,
        ambient_c: 24.0,
        start_c: 28.0 + random.between(-2.0, 2.0),
    }
}
