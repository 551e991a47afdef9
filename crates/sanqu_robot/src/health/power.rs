//! Efficiency, temperatures and life.

use std::f64::consts::TAU;

use super::answer::{Answer, Doubt, Estimate, Missing, Refusal};
use super::figures::{DriveFigures, LifeRule};
use super::fit::count;
use super::samples::DriveSamples;
use super::windup::SAMPLES_MIN;
use crate::CurrentConvention;

/// How a copper winding's resistance grows per kelvin, relative to 20 °C.
pub const COPPER_PER_K: f64 = 0.003_93;
/// Efficiency is taken above this share of the rated torque (else of the greatest one).
const LOADED_SHARE: f64 = 0.1;
/// Efficiency is taken above this output speed, rad/s.
const DRIVING_RAD_PER_S: f64 = 0.05;
/// Output acceleration up to which motion is steady where the rotor's inertia is not known, rad/s².
const STEADY_RAD_PER_S2: f64 = 0.5;
/// Parts of the recording that uncertainties come from.
const PARTS: usize = 12;
/// Relative accuracy that loads are taken to have.
const LOAD_ACCURACY: f64 = 0.05;
/// A rotor that comes back within this angle has not turned, rad.
const JITTER_RAD: f64 = 0.01;
/// Shortest time over which a temperature is taken, and its share of the recording.
const WINDOW_S: f64 = 1.0;
const WINDOW_SHARE: f64 = 0.05;

/// Which way power flows through a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quadrant {
    /// From the motor to the joint.
    Motoring,
    /// From the joint to the motor.
    BackDriven,
}

/// Efficiency at one operating point: power out over power in.
///
/// * `motor_nm`: torque of the rotor times the ratio, N·m.
pub fn efficiency_of(quadrant: Quadrant, output_nm: f64, motor_nm: f64) -> f64 {
    match quadrant {
        Quadrant::Motoring => output_nm / motor_nm,
        Quadrant::BackDriven => motor_nm / output_nm,
    }
}

/// Efficiency over all steady samples of a quadrant: mean torque out over mean torque in.
pub fn efficiency(samples: &DriveSamples, figures: &DriveFigures, quadrant: Quadrant) -> Answer {
    if !samples.has_torque() {
        return Err(Refusal::NotRecorded(Missing::JointTorque));
    }
    let from_current = (0..samples.len()).all(|at| samples.motor_torque(at).is_none());
    let constant = figures.torque_constant_nm_per_a;
    if from_current && (0..samples.len()).all(|at| samples.current(at).is_none()) {
        return Err(Refusal::NotRecorded(Missing::MotorTorque));
    }
    if from_current && constant.is_none() {
        return Err(Refusal::NotDescribed(Missing::TorqueConstant));
    }
    let greatest = (0..samples.len()).filter_map(|at| samples.torque(at)).map(f64::abs).fold(0.0, f64::max);
    let least = LOADED_SHARE * figures.rated_torque_nm.unwrap_or(greatest);
    let rates = samples.motor_rates();
    let mut points: Vec<[f64; 2]> = Vec::new();
    for run in samples.runs() {
        for at in run.clone().skip(1).take(run.len().saturating_sub(2)) {
            let Some(output) = samples.torque(at).filter(|torque| torque.abs() >= least && *torque != 0.0) else { continue };
            let rotor = samples.motor_torque(at).or_else(|| Some(samples.current(at)? * constant?));
            let Some(rotor) = rotor else { continue };
            let rate = rates[at] / figures.signed_ratio;
            let pull = (rates[at + 1] - rates[at - 1]) / (samples.t_s(at + 1) - samples.t_s(at - 1)) / figures.signed_ratio;
            let steady = figures.inertia_kg_m2.is_some() || pull.abs() < STEADY_RAD_PER_S2;
            let flows = if output * rate > 0.0 { Quadrant::Motoring } else { Quadrant::BackDriven };
            if rate.abs() < DRIVING_RAD_PER_S || !steady || flows != quadrant {
                continue;
            }
            let motor = rotor * figures.signed_ratio - figures.inertia_kg_m2.unwrap_or(0.0) * pull;
            points.push([output.abs(), motor * output.signum()]);
        }
    }
    if points.len() < SAMPLES_MIN {
        return Err(Refusal::NoSteadyPower);
    }
    let share = |points: &[[f64; 2]]| {
        let sum = |side: usize| points.iter().map(|point| point[side]).sum::<f64>();
        efficiency_of(quadrant, sum(0), sum(1))
    };
    let value = share(&points);
    if !(value > 0.0 && value <= 1.02) {
        return Err(Refusal::Implausible { value: if value.is_finite() { value } else { 0.0 } });
    }
    let parts: Vec<f64> = points.chunks(points.len().div_ceil(PARTS)).map(share).filter(|part| part.is_finite()).collect();
    let mut doubts = samples.doubts();
    doubts.push(Doubt::LoadAccuracyAssumed);
    if from_current {
        doubts.extend((figures.current != CurrentConvention::QAxis).then_some(Doubt::CurrentConventionUnknown));
        doubts.extend(figures.constant_assumed.then_some(Doubt::DescriptionAssumed));
    }
    let sigma = spread(&parts).hypot(LOAD_ACCURACY * value);
    Ok(Estimate { value, sigma, samples: points.len(), doubts })
}

/// Standard deviation of the mean of parts.
fn spread(parts: &[f64]) -> f64 {
    if parts.len() < 2 {
        return 0.0;
    }
    let mean = parts.iter().sum::<f64>() / count(parts.len());
    let squares: f64 = parts.iter().map(|part| (part - mean).powi(2)).sum();
    (squares / count(parts.len() - 1) / count(parts.len())).sqrt()
}

/// Resistance of a winding at a temperature.
///
/// * `per_k`: growth relative to 20 °C, [`COPPER_PER_K`] for copper.
pub fn winding_resistance_ohm(at_20_c_ohm: f64, per_k: f64, temperature_c: f64) -> f64 {
    at_20_c_ohm * (1.0 + per_k * (temperature_c - 20.0))
}

/// How heat leaves a motor: winding, housing, air.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeatPath {
    /// K/W.
    pub winding_to_housing: f64,
    /// K/W.
    pub housing_to_air: f64,
}

impl HeatPath {
    /// Temperatures (winding, housing) that a steady loss settles at, °C.
    pub fn steady(&self, loss_w: f64, air_c: f64) -> (f64, f64) {
        let housing = air_c + loss_w * self.housing_to_air;
        (housing + loss_w * self.winding_to_housing, housing)
    }
}

/// Rise of the motor's temperature from the beginning to the end of the recording, K.
pub fn temperature_rise(samples: &DriveSamples) -> Answer {
    let known: Vec<[f64; 2]> = (0..samples.len()).filter_map(|at| Some([samples.t_s(at), samples.temperature(at)?])).collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return Err(Refusal::NotRecorded(Missing::Temperature)) };
    let seconds = (last[0] - first[0]).abs();
    let window = (WINDOW_SHARE * seconds).max(WINDOW_S);
    if known.len() < SAMPLES_MIN {
        return Err(Refusal::TooFewSamples { found: known.len(), needed: SAMPLES_MIN });
    }
    if seconds < 2.0 * window {
        return Err(Refusal::TooShort { seconds, needed_s: 2.0 * window });
    }
    let mean = |ends: &[&[f64; 2]]| ends.iter().map(|point| point[1]).sum::<f64>() / count(ends.len().max(1));
    let scatter =
        |ends: &[&[f64; 2]], mean: f64| ends.iter().map(|point| (point[1] - mean).powi(2)).sum::<f64>() / count(ends.len().max(1));
    let begin: Vec<&[f64; 2]> = known.iter().filter(|point| point[0] - first[0] <= window).collect();
    let end: Vec<&[f64; 2]> = known.iter().filter(|point| last[0] - point[0] <= window).collect();
    let (from, to) = (mean(&begin), mean(&end));
    // The sensor's step: the smallest change seen.
    let step = known.windows(2).map(|two| (two[1][1] - two[0][1]).abs()).filter(|change| *change > 0.0).fold(f64::INFINITY, f64::min);
    let step = if step.is_finite() { step } else { 0.0 };
    let variance = scatter(&begin, from) + scatter(&end, to) + step * step / 6.0;
    let mut doubts = samples.doubts();
    doubts.push(Doubt::NotSettled);
    Ok(Estimate { value: to - from, sigma: variance.sqrt(), samples: begin.len() + end.len(), doubts })
}

/// Rise of the motor's temperature per watt of copper loss, K/W: what a baseline at equal duty is compared with.
pub fn rise_per_watt(samples: &DriveSamples, figures: &DriveFigures) -> Answer {
    let rise = temperature_rise(samples)?;
    let resistance = figures.resistance_ohm.ok_or(Refusal::NotDescribed(Missing::Resistance))?;
    // Of the resistance between two phases, which is twice a phase's.
    let loss_per_square = match figures.current {
        CurrentConvention::QAxis => 0.75 * resistance,
        CurrentConvention::PhaseRms => 1.5 * resistance,
        CurrentConvention::Supply | CurrentConvention::Unknown => return Err(Refusal::NotDescribed(Missing::Resistance)),
    };
    let squares: Vec<f64> = (0..samples.len()).filter_map(|at| samples.current(at)).map(|current| current * current).collect();
    if squares.is_empty() {
        return Err(Refusal::NotRecorded(Missing::MotorTorque));
    }
    let loss = loss_per_square * squares.iter().sum::<f64>() / count(squares.len());
    if loss <= 0.0 {
        return Err(Refusal::NoSteadyPower);
    }
    let (value, sigma) = (rise.value / loss, (rise.sigma / loss).hypot(2.0 * LOAD_ACCURACY * rise.value / loss));
    let mut doubts = rise.doubts;
    doubts.push(Doubt::LoadAccuracyAssumed);
    Ok(Estimate { value, sigma, samples: squares.len(), doubts })
}

/// How much a drive turned under which load.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Turns of the motor, both directions, without coming and going within 0.01 rad.
    pub revolutions: Answer,
    /// Load that over the same turns wears as much, N·m: `∛(Σ |Δθ| |T|³ / Σ |Δθ|)`.
    pub equivalent_load: Answer,
    /// Part of the life that 90 % reach which the recording used up: `Σ (|T|/T_r)³ ΔN / (L10 N_r)`.
    pub life_used: Answer,
}

/// Adds up turns and load. Standing still under load adds nothing: the formulas are of a bearing that turns.
pub fn usage(samples: &DriveSamples, figures: &DriveFigures) -> Usage {
    let (mut turns, mut loaded_turns, mut cubes, mut used, mut reversals) = (0.0, 0.0, 0.0, 0.0, 0_usize);
    for run in samples.runs() {
        let Some(mut counted) = run.clone().next().map(|at| samples.motor()[at]) else { continue };
        let mut way = 0.0;
        for at in run {
            let step = samples.motor()[at] - counted;
            // Forth at once, back only beyond the jitter.
            if step == 0.0 || (step * way <= 0.0 && step.abs() < JITTER_RAD) {
                continue;
            }
            reversals += usize::from(step * way < 0.0);
            way = step.signum();
            counted = samples.motor()[at];
            let part = step.abs() / TAU;
            turns += part;
            if let Some(torque) = samples.torque(at) {
                loaded_turns += part;
                cubes += part * torque.abs().powi(3);
                used += figures.life.as_ref().map_or(0.0, |rule| used_up(rule, torque, part));
            }
        }
    }
    if samples.len() < 2 {
        let none = || Err(Refusal::TooFewSamples { found: samples.len(), needed: 2 });
        return Usage { revolutions: none(), equivalent_load: none(), life_used: none() };
    }
    let mut doubts = samples.doubts();
    let estimate = |value: f64, sigma: f64, doubts: Vec<Doubt>| Ok(Estimate { value, sigma, samples: samples.len(), doubts });
    let revolutions = estimate(turns, JITTER_RAD / TAU * (1.0 + count(reversals).sqrt()), doubts.clone());
    if !samples.has_torque() {
        let none = || Err(Refusal::NotRecorded(Missing::JointTorque));
        return Usage { revolutions, equivalent_load: none(), life_used: none() };
    }
    doubts.push(Doubt::LoadAccuracyAssumed);
    let load = if loaded_turns > 0.0 { (cubes / loaded_turns).cbrt() } else { 0.0 };
    let equivalent_load = if loaded_turns > 0.0 {
        estimate(load, LOAD_ACCURACY * load, doubts.clone())
    } else {
        Err(Refusal::NotEnoughMotion { travel: 0.0, needed: JITTER_RAD })
    };
    doubts.extend(figures.life_assumed.then_some(Doubt::DescriptionAssumed));
    let life_used = match figures.life {
        Some(_) => estimate(used, 3.0 * LOAD_ACCURACY * used, doubts),
        None => Err(Refusal::NotDescribed(Missing::LifeRating)),
    };
    Usage { revolutions, equivalent_load, life_used }
}

fn used_up(rule: &LifeRule, torque: f64, turns: f64) -> f64 {
    match rule {
        LifeRule::Rating(rating) => rating.used(torque, turns),
        LifeRule::Screw(screw) => screw.l10_turns(torque.abs()).filter(|life| *life > 0.0).map_or(0.0, |life| turns / life),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LifeRating;
    use crate::health::DriveSample;

    /// 100:1 at a steady speed under a load that changes sides: a motor that loses a quarter, and heats by 0.01 K/s.
    fn steady(seconds: u32) -> DriveSamples {
        let mut samples = DriveSamples::default();
        for row in 0..seconds * 100 {
            let t_s = f64::from(row) * 0.01;
            let torque = if (row / 500).is_multiple_of(2) { 27.0 } else { -30.0 };
            let current = if torque > 0.0 { torque / (9.0 * 0.75) } else { torque * 0.8 / 9.0 };
            samples.push(DriveSample {
                t_s,
                motor: 50.0 * t_s,
                output: 0.5 * t_s,
                torque_nm: Some(torque),
                motor_torque_nm: None,
                current_a: Some(current),
                temperature_c: Some(((30.0 + 0.01 * t_s) * 10.0).round() / 10.0),
            });
        }
        samples
    }

    fn figures() -> DriveFigures {
        DriveFigures {
            torque_constant_nm_per_a: Some(0.09),
            current: CurrentConvention::QAxis,
            resistance_ohm: Some(0.4),
            rated_torque_nm: Some(40.0),
            ..DriveFigures::of_ratio(100.0)
        }
    }

    #[test]
    fn efficiency_is_told_by_the_way_that_power_flows() {
        let samples = steady(60);
        let (driving, driven) = (Quadrant::Motoring, Quadrant::BackDriven);
        assert!((efficiency(&samples, &figures(), driving).unwrap().value - 0.75).abs() < 1e-9);
        assert!((efficiency(&samples, &figures(), driven).unwrap().value - 0.8).abs() < 1e-9);
        let none = DriveFigures { torque_constant_nm_per_a: None, ..figures() };
        assert_eq!(efficiency(&samples, &none, driving), Err(Refusal::NotDescribed(Missing::TorqueConstant)));
        // A constant that makes more power come out than goes in.
        let wrong = DriveFigures { torque_constant_nm_per_a: Some(0.06), ..figures() };
        assert!(matches!(efficiency(&samples, &wrong, driving), Err(Refusal::Implausible { value }) if value > 1.1));
        let unsaid = DriveFigures { current: CurrentConvention::Unknown, ..figures() };
        assert!(efficiency(&samples, &unsaid, driving).unwrap().doubts.contains(&Doubt::CurrentConventionUnknown));
    }

    #[test]
    fn heat_rises_over_the_recording() {
        let samples = steady(600);
        let rise = temperature_rise(&samples).unwrap();
        // Between the means of the first and last 30 s.
        assert!((rise.value - 5.7).abs() < 2.0 * rise.sigma && rise.sigma < 0.3, "{rise:?}");
        let watts: f64 = 0.75 * 0.4 * 0.5 * (4.0_f64.powi(2) + (30.0 * 0.8 / 9.0_f64).powi(2));
        let per_watt = rise_per_watt(&samples, &figures()).unwrap();
        assert!((per_watt.value - rise.value / watts).abs() < 1e-6, "{per_watt:?}");
        assert!(temperature_rise(&steady(1)).is_err() && temperature_rise(&DriveSamples::default()).is_err());
    }

    #[test]
    fn life_is_used_up_by_turns_under_load() {
        let rating = LifeRating { life_h: 7000.0, torque_nm: 40.0, speed_rad_per_s: 2000.0 / 60.0 * TAU };
        let figures = DriveFigures { life: Some(LifeRule::Rating(rating)), ..figures() };
        let found = usage(&steady(60), &figures);
        let turns = 50.0 * 59.99 / TAU;
        let revolutions = found.revolutions.unwrap();
        assert!((revolutions.value - turns).abs() < revolutions.sigma, "{revolutions:?}");
        let load = found.equivalent_load.unwrap().value;
        assert!((load.powi(3) - 0.5 * (27.0_f64.powi(3) + 30.0_f64.powi(3))).abs() < 20.0, "{load}");
        // The reference's telemetry form: 8.4e8 turns of the wave generator at the rated torque.
        let used = found.life_used.unwrap().value;
        assert!((used / ((load / 40.0).powi(3) * turns / 8.4e8) - 1.0).abs() < 1e-9, "{used}");
        assert_eq!(usage(&steady(60), &DriveFigures::of_ratio(100.0)).life_used, Err(Refusal::NotDescribed(Missing::LifeRating)));
    }

    #[test]
    fn coming_and_going_is_no_turning() {
        let mut samples = DriveSamples::default();
        for row in 0..4000_u32 {
            let motor = 0.004 * f64::from(row).sin() + if row < 2000 { 0.0 } else { -3.0 * f64::from(row - 2000) / 2000.0 };
            samples.push(DriveSample {
                t_s: f64::from(row),
                motor,
                output: motor / 100.0,
                torque_nm: None,
                motor_torque_nm: None,
                current_a: None,
                temperature_c: None,
            });
        }
        let found = usage(&samples, &figures());
        let turns = found.revolutions.unwrap();
        assert!((turns.value - 3.0 / TAU).abs() < 2.0 * turns.sigma && turns.sigma < 0.01, "{turns:?}");
        assert_eq!(found.life_used, Err(Refusal::NotRecorded(Missing::JointTorque)));
    }
}
