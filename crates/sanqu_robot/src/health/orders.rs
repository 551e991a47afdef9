//! The transmission error by order tracking.

use std::f64::consts::TAU;

use super::answer::{Answer, Doubt, Estimate, Refusal};
use super::figures::DriveFigures;
use super::fit::{Fitted, Model, condition};
use super::samples::DriveSamples;
use super::torsion::INFLATION_MAX;
use super::windup::{FOOTPRINT_TERMS, Footprint, MOVING_RAD_PER_S, SAMPLES_MIN, harmonics, stride, windup_at};

/// Largest condition number of a design of orders.
const COND_MAX: f64 = 30.0;
/// Fewest turns of the motor in one direction.
const TURNS_MIN: f64 = 3.0;

/// The amplitude of one order of the transmission error.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderAmplitude {
    /// Periods per turn of the motor.
    pub order: f64,
    /// Amplitude at the output, rad.
    pub amplitude: Answer,
}

/// Condition number of the design that separates orders at these motor angles: cos and sin of each, a constant and a slope, columns
/// of equal length.
pub fn orders_condition(orders: &[f64], motor_rad: &[f64]) -> f64 {
    let reach = motor_rad.iter().fold(0.0, |reach: f64, angle| reach.max(angle.abs())).max(f64::MIN_POSITIVE);
    let row = |at: usize, columns: &mut [f64]| {
        columns[0] = 1.0;
        columns[1] = motor_rad[at] / reach;
        waves(orders, motor_rad[at], &mut columns[2..]);
    };
    condition(2 + 2 * orders.len(), motor_rad.len(), &row)
}

/// Turns of the motor after which two orders have beaten once; infinite for equal ones.
pub fn beat_turns(order: f64, other: f64) -> f64 {
    1.0 / (order - other).abs()
}

/// cos, sin of each order.
fn waves(orders: &[f64], motor_rad: f64, columns: &mut [f64]) {
    for (order, pair) in orders.iter().zip(columns.chunks_exact_mut(2)) {
        let (sin, cos) = (order * motor_rad).sin_cos();
        pair.copy_from_slice(&[cos, sin]);
    }
}

/// Amplitudes of the transmission error's orders: least squares on cos and sin of `order · θ_m` beside the footprint and the load's
/// twist, from motion in the direction that has more of it.
pub fn transmission_error(samples: &DriveSamples, figures: &DriveFigures, footprint: Option<&Footprint>) -> Vec<OrderAmplitude> {
    let orders = &figures.orders;
    let refused = |reason: Refusal| orders.iter().map(|order| OrderAmplitude { order: *order, amplitude: Err(reason) }).collect();
    let chosen = match Chosen::of(samples, figures) {
        Ok(chosen) => chosen,
        Err(reason) => return refused(reason),
    };
    let mut kept = orders.clone();
    let mut merged: Vec<(f64, f64)> = Vec::new();
    let mut cond = chosen.condition(&kept);
    // Of two orders that this travel cannot separate, the one that is a whole number stays and holds both.
    while cond > COND_MAX {
        let Some(gone) = least_needed(&kept) else { return refused(Refusal::OrdersNotSeparable { cond, max: COND_MAX }) };
        let order = kept.remove(gone);
        let stays = kept.iter().copied().min_by(|a, b| (a - order).abs().total_cmp(&(b - order).abs()));
        merged.extend(stays.map(|stays| (order, stays)));
        cond = chosen.condition(&kept);
    }
    let Some(fitted) = chosen.fit(samples, figures, footprint, &kept) else {
        return refused(Refusal::TooFewSamples { found: chosen.at.len(), needed: SAMPLES_MIN });
    };
    let answer = |order: f64| {
        let Some(place) = kept.iter().position(|kept| *kept == order) else {
            return Err(Refusal::OrdersNotSeparable { cond: chosen.condition(orders), max: COND_MAX });
        };
        let mut estimate = amplitude(&fitted, chosen.first + 2 * place)?;
        estimate.doubts = samples.doubts();
        estimate
            .doubts
            .extend(merged.iter().filter(|(_, stays)| *stays == order).map(|(gone, _)| Doubt::NeighbourIncluded { order: *gone }));
        if !samples.has_torque() {
            estimate.doubts.push(Doubt::LoadNotRecorded);
        }
        Ok(estimate)
    };
    orders.iter().map(|order| OrderAmplitude { order: *order, amplitude: answer(*order) }).collect()
}

/// The order nearest to another one; of the two, the one that is no whole number.
fn least_needed(orders: &[f64]) -> Option<usize> {
    (0..orders.len()).filter(|at| orders[*at].fract() != 0.0).min_by(|a, b| nearest(orders, *a).total_cmp(&nearest(orders, *b)))
}

fn nearest(orders: &[f64], at: usize) -> f64 {
    let others = orders.iter().enumerate().filter(|(other, _)| *other != at);
    others.map(|(_, order)| (order - orders[at]).abs()).fold(f64::INFINITY, f64::min)
}

/// Amplitude of a pair of columns.
fn amplitude(fitted: &Fitted, column: usize) -> Answer {
    if fitted.inflation[column].max(fitted.inflation[column + 1]) > INFLATION_MAX {
        let cond = fitted.inflation[column].max(fitted.inflation[column + 1]).sqrt() * 2.0;
        return Err(Refusal::OrdersNotSeparable { cond, max: 2.0 * INFLATION_MAX.sqrt() });
    }
    let [cos, sin] = [0, 1].map(|part| fitted.coefficients[column + part]);
    let [sigma_cos, sigma_sin] = [0, 1].map(|part| fitted.sigma_of(&[(column + part, 1.0)], false));
    let value = cos.hypot(sin);
    let largest = sigma_cos.max(sigma_sin);
    // Along the amplitude. Scatter alone makes an amplitude, too: of one that is hardly above it, as much is doubtful.
    let sigma = if value < 3.0 * largest { largest * std::f64::consts::SQRT_2 } else { (cos * sigma_cos).hypot(sin * sigma_sin) / value };
    Ok(Estimate { value, sigma, samples: fitted.samples, doubts: Vec::new() })
}

/// Samples of one direction of motion that are close enough together for every order.
struct Chosen {
    at: Vec<usize>,
    /// First column of the orders.
    first: usize,
    motor: Vec<f64>,
}

impl Chosen {
    fn of(samples: &DriveSamples, figures: &DriveFigures) -> Result<Self, Refusal> {
        let highest = figures.orders.iter().copied().fold(0.0, f64::max);
        let moving = MOVING_RAD_PER_S * figures.signed_ratio.abs();
        let rates = samples.motor_rates();
        let (mut ways, mut too_fast, mut fastest): ([Vec<usize>; 2], usize, f64) = ([Vec::new(), Vec::new()], 0, 0.0);
        for run in samples.runs() {
            let period_s = samples.period_s(&run);
            for at in run.clone().filter(|at| rates[*at].abs() >= moving) {
                // Two samples a period of the highest order.
                if rates[at].abs() * highest / TAU * period_s * 2.0 >= 1.0 || run.len() < 3 {
                    too_fast += 1;
                    fastest = fastest.max(rates[at].abs());
                } else {
                    ways[usize::from(rates[at] > 0.0)].push(at);
                }
            }
        }
        let travel = |way: &Vec<usize>| {
            way.windows(2)
                .filter(|two| two[1] == two[0] + 1)
                .map(|two| (samples.motor()[two[1]] - samples.motor()[two[0]]).abs())
                .sum::<f64>()
        };
        let [back, forth] = ways;
        let (turned, at) = [(travel(&back), back), (travel(&forth), forth)]
            .into_iter()
            .fold((0.0, Vec::new()), |best, way| if way.0 > best.0 { way } else { best });
        if turned < TURNS_MIN * TAU || at.len() < SAMPLES_MIN {
            if too_fast > at.len() {
                return Err(Refusal::SampledTooSlowly { rate_hz: samples.rate_hz(), needed_hz: 2.0 * highest * fastest / TAU });
            }
            return Err(Refusal::NotEnoughMotion { travel: turned, needed: TURNS_MIN * TAU });
        }
        let at: Vec<usize> = at.iter().copied().step_by(stride(at.len())).collect();
        let motor = at.iter().map(|at| samples.motor()[*at]).collect();
        Ok(Self { at, first: 2 + FOOTPRINT_TERMS, motor })
    }

    fn condition(&self, orders: &[f64]) -> f64 {
        orders_condition(orders, &self.motor)
    }

    fn fit(&self, samples: &DriveSamples, figures: &DriveFigures, footprint: Option<&Footprint>, orders: &[f64]) -> Option<Fitted> {
        let loaded = samples.has_torque() && !self.load_follows_position(samples);
        let row = |row: usize, columns: &mut [f64]| {
            let at = self.at[row];
            columns.fill(0.0);
            columns[0] = 1.0;
            harmonics(samples.output()[at], &mut columns[1..=FOOTPRINT_TERMS]);
            if loaded {
                let torque = samples.torque(at)?;
                columns[1 + FOOTPRINT_TERMS] = figures.stiffness.map_or(torque, |curve| curve.twist(torque));
            }
            waves(orders, samples.motor()[at], &mut columns[self.first..]);
            windup_at(samples, figures, footprint, at)
        };
        Model { terms: self.first + 2 * orders.len(), nuisance: self.first, rows: self.at.len(), row: &row }.fit()
    }

    /// Then the footprint's columns take the load's twist out already, and better than a load's column that repeats them.
    fn load_follows_position(&self, samples: &DriveSamples) -> bool {
        let row = |row: usize, columns: &mut [f64]| {
            columns[0] = 1.0;
            harmonics(samples.output()[self.at[row]], &mut columns[1..=FOOTPRINT_TERMS]);
            columns[1 + FOOTPRINT_TERMS] = samples.torque(self.at[row])?;
            Some(0.0)
        };
        let fitted = Model { terms: self.first, nuisance: self.first, rows: self.at.len(), row: &row }.fit();
        fitted.is_none_or(|fitted| fitted.inflation[1 + FOOTPRINT_TERMS] > INFLATION_MAX)
    }
}
