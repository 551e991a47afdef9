use super::answer::{Answer, Doubt, Estimate, Refusal};
use super::figures::DriveFigures;
use super::orders::{OrderAmplitude, transmission_error};
use super::power::{Quadrant, Usage, efficiency, rise_per_watt, temperature_rise, usage};
use super::ratio::{RatioFit, RatioSamples, RatioVerdict, fit_ratio};
use super::samples::DriveSamples;
use super::torsion::{Torsion, torsion};
use super::windup::{Footprint, direction_split, windup};

/// Most samples that the ratio is fitted to; of more, every n-th is taken.
const RATIO_SAMPLES_MAX: usize = 20_000;

/// Everything that a recording says about one drive.
#[derive(Debug, Clone, PartialEq)]
pub struct DriveHealth {
    /// Slope of the motor on the output.
    pub ratio: Answer,
    /// See [`windup`].
    pub windup: Answer,
    /// See [`direction_split`].
    pub direction_split: Answer,
    /// See [`torsion`].
    pub torsion: Torsion,
    /// See [`transmission_error`].
    pub orders: Vec<OrderAmplitude>,
    /// While the motor drives; see [`efficiency`].
    pub efficiency: Answer,
    /// While the joint drives the motor.
    pub efficiency_back_driven: Answer,
    /// See [`temperature_rise`].
    pub temperature_rise: Answer,
    /// See [`rise_per_watt`].
    pub rise_per_watt: Answer,
    /// See [`usage`].
    pub usage: Usage,
}

/// One line of a [`DriveHealth`].
#[derive(Debug, Clone, Copy)]
pub struct HealthQuantity<'a> {
    /// A word for programs; it does not change.
    pub name: &'static str,
    /// Unit of value and uncertainty. For a screw, rad at the output are m and N·m are N.
    pub unit: &'static str,
    /// For the transmission error: periods per turn of the motor.
    pub order: Option<f64>,
    /// The number, or why there is none.
    pub answer: &'a Answer,
}

impl DriveHealth {
    /// The same refusal for everything.
    pub fn refused(reason: Refusal, figures: &DriveFigures) -> Self {
        let none = || Err(reason);
        Self {
            ratio: none(),
            windup: none(),
            direction_split: none(),
            torsion: Torsion { stiffness: [none(), none(), none()], hysteresis: none(), play: none(), lost_motion: none() },
            orders: figures.orders.iter().map(|order| OrderAmplitude { order: *order, amplitude: none() }).collect(),
            efficiency: none(),
            efficiency_back_driven: none(),
            temperature_rise: none(),
            rise_per_watt: none(),
            usage: Usage { revolutions: none(), equivalent_load: none(), life_used: none() },
        }
    }

    /// Runs every estimator. `samples` are unwrapped, and get a joint torque from the current where none was recorded and the
    /// description says how.
    ///
    /// * `footprint`: of this drive's joint encoder, from [`Footprint::calibrate`].
    pub fn assess(samples: &mut DriveSamples, figures: &DriveFigures, footprint: Option<&Footprint>) -> Self {
        let mut health = Self::refused(Refusal::TooFewSamples { found: samples.len(), needed: 1 }, figures);
        health.temperature_rise = temperature_rise(samples);
        health.rise_per_watt = rise_per_watt(samples, figures);
        if let Err(reason) = samples.unwrap_motor(figures.signed_ratio) {
            let heat = (health.temperature_rise, health.rise_per_watt);
            health = Self::refused(reason, figures);
            (health.temperature_rise, health.rise_per_watt) = heat;
            return health;
        }
        // The efficiency needs a torque that the current did not make.
        health.efficiency = efficiency(samples, figures, Quadrant::Motoring);
        health.efficiency_back_driven = efficiency(samples, figures, Quadrant::BackDriven);
        let from_current = figures.output_constant_nm_per_a.filter(|_| !samples.has_torque());
        if let Some(constant) = from_current {
            samples.torque_from_current(constant);
        }
        health.usage = usage(samples, figures);
        let fit = ratio(samples, figures);
        health.ratio = match &fit {
            Some(fit) if fit.verdict(figures.signed_ratio) == RatioVerdict::NotEnoughMotion => {
                let needed = fit.travel * 2.0 * fit.sigma / (super::ratio::RATIO_TOLERANCE * figures.signed_ratio.abs());
                Err(Refusal::NotEnoughMotion { travel: fit.travel, needed })
            }
            Some(fit) => Ok(Estimate { value: fit.slope, sigma: fit.sigma, samples: fit.samples, doubts: samples.doubts() }),
            None => Err(Refusal::NotEnoughMotion { travel: samples.travel(), needed: super::ratio::TRAVEL_MIN }),
        };
        match fit.filter(|fit| fit.verdict(figures.signed_ratio) == RatioVerdict::Wrong) {
            Some(fit) => health.refuse_windup(Refusal::RatioWrong { measured: fit.slope, described: figures.signed_ratio }),
            None => {
                health.windup = windup(samples, figures, footprint);
                health.direction_split = direction_split(samples, figures);
                health.torsion = torsion(samples, figures, footprint);
                health.orders = transmission_error(samples, figures, footprint);
            }
        }
        if from_current.is_some() {
            let torsion = &mut health.torsion;
            let answers = torsion.stiffness.iter_mut().chain([&mut torsion.hysteresis, &mut torsion.play, &mut torsion.lost_motion]);
            let loads = [&mut health.usage.equivalent_load, &mut health.usage.life_used];
            answers.chain(loads).filter_map(|answer| answer.as_mut().ok()).for_each(|found| found.doubts.push(Doubt::TorqueFromCurrent));
        }
        health
    }

    fn refuse_windup(&mut self, reason: Refusal) {
        let none = || Err(reason);
        (self.windup, self.direction_split) = (none(), none());
        self.torsion = Torsion { stiffness: [none(), none(), none()], hysteresis: none(), play: none(), lost_motion: none() };
        self.orders.iter_mut().for_each(|order| order.amplitude = none());
    }

    /// Every number with its name, in a fixed order.
    pub fn quantities(&self) -> Vec<HealthQuantity<'_>> {
        let line = |name, unit, answer| HealthQuantity { name, unit, order: None, answer };
        let [first, second, third] = &self.torsion.stiffness;
        let before = [
            line("ratio", "", &self.ratio),
            line("windup", "rad", &self.windup),
            line("direction_split", "rad", &self.direction_split),
            line("lost_motion", "rad", &self.torsion.lost_motion),
            line("play", "rad", &self.torsion.play),
            line("hysteresis", "rad", &self.torsion.hysteresis),
            line("stiffness_1", "N·m/rad", first),
            line("stiffness_2", "N·m/rad", second),
            line("stiffness_3", "N·m/rad", third),
        ];
        let orders = self.orders.iter().map(|found| HealthQuantity {
            name: "transmission_error",
            unit: "rad",
            order: Some(found.order),
            answer: &found.amplitude,
        });
        let after = [
            line("efficiency", "", &self.efficiency),
            line("efficiency_back_driven", "", &self.efficiency_back_driven),
            line("temperature_rise", "K", &self.temperature_rise),
            line("temperature_rise_per_watt", "K/W", &self.rise_per_watt),
            line("motor_revolutions", "rev", &self.usage.revolutions),
            line("equivalent_load", "N·m", &self.usage.equivalent_load),
            line("l10_used", "", &self.usage.life_used),
        ];
        before.into_iter().chain(orders).chain(after).collect()
    }
}

fn ratio(samples: &DriveSamples, figures: &DriveFigures) -> Option<RatioFit> {
    let stride = samples.len().div_ceil(RATIO_SAMPLES_MAX).max(1);
    let picked = || (0..samples.len()).step_by(stride);
    let motor: Vec<f64> = picked().map(|at| samples.motor()[at]).collect();
    let output: Vec<f64> = picked().map(|at| samples.output()[at]).collect();
    // A torque that is missing at some moments is not used at all.
    let torque: Option<Vec<f64>> = picked().map(|at| samples.torque(at)).collect();
    let torque = torque.unwrap_or_default();
    fit_ratio(&RatioSamples { motor: &motor, output: &output, torque: &torque }, figures.signed_ratio, figures.stiffness)
}
