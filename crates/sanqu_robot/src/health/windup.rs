//! How far the motor leads the joint, and the encoder's footprint in it.

use super::answer::{Answer, Doubt, Estimate, Refusal};
use super::figures::DriveFigures;
use super::fit::{Model, count};
use super::samples::{DriveSamples, span};

/// Harmonics of a turn of the joint that a footprint has.
pub const FOOTPRINT_HARMONICS: usize = 6;
/// Columns of a footprint in a fit.
pub(super) const FOOTPRINT_TERMS: usize = 2 * FOOTPRINT_HARMONICS;
/// Travel below which a joint counts as held: a footprint does not change over it, rad.
pub(super) const HELD_RAD: f64 = 1e-3;
/// Least travel of a calibrating sweep, rad.
const SWEEP_MIN_RAD: f64 = 0.5;
/// What a calibration may leave of the wind-up, root mean square, rad: more is no encoder's, but a wrong ratio.
const LEFT_MAX_RAD: f64 = 5e-3;
/// Output speed above which a joint moves, rad/s.
pub(super) const MOVING_RAD_PER_S: f64 = 0.02;
/// Fewest samples of an estimate.
pub(super) const SAMPLES_MIN: usize = 50;
/// Load of an unloaded sweep, share of the torque at which the stiffness bends first.
const UNLOADED_SHARE: f64 = 0.25;
/// Most samples that a fit takes; of more, every n-th: what is left then is no matter of scatter.
const FITTED_MAX: usize = 100_000;
/// Positions in which the directions of motion are compared.
const PLACES: usize = 24;

/// The error of a joint's encoder that repeats with the joint's turn: `F(q) = Σ (a cos nq + b sin nq)`, n up to
/// [`FOOTPRINT_HARMONICS`]. It belongs to the drive's serial number, not to a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// a, rad.
    pub cos: [f64; FOOTPRINT_HARMONICS],
    /// b, rad.
    pub sin: [f64; FOOTPRINT_HARMONICS],
    /// Outputs that it was measured over, rad; it says nothing elsewhere.
    pub valid: [f64; 2],
}

/// A footprint with its doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// The footprint.
    pub footprint: Footprint,
    /// Largest standard deviation over the sweep, rad.
    pub sigma: f64,
    /// What is left of the wind-up after taking it out, root mean square, rad.
    pub rms: f64,
    /// Samples used.
    pub samples: usize,
    /// Why it may be wrong.
    pub doubts: Vec<Doubt>,
}

impl Footprint {
    /// The error at an output; `None` where it was not measured.
    pub fn at(&self, output: f64) -> Option<f64> {
        let [low, high] = self.valid;
        (output >= low - HELD_RAD && output <= high + HELD_RAD).then(|| {
            let mut columns = [0.0; FOOTPRINT_TERMS];
            harmonics(output, &mut columns);
            columns.chunks_exact(2).zip(self.cos.iter().zip(&self.sin)).map(|(pair, (a, b))| a * pair[0] + b * pair[1]).sum()
        })
    }

    /// Fits a footprint to an unloaded sweep in both directions.
    ///
    /// # Errors
    /// [`Refusal::NotEnoughMotion`], [`Refusal::OneDirection`], [`Refusal::NotUnloaded`], [`Refusal::TooFewSamples`],
    /// [`Refusal::Implausible`] for a wind-up that no footprint explains.
    pub fn calibrate(samples: &DriveSamples, figures: &DriveFigures) -> Result<Calibration, Refusal> {
        let travel = samples.travel();
        if travel < SWEEP_MIN_RAD {
            return Err(Refusal::NotEnoughMotion { travel, needed: SWEEP_MIN_RAD });
        }
        let mut doubts = samples.doubts();
        match span((0..samples.len()).filter_map(|at| samples.torque(at))) {
            Some((low, high)) => {
                let max_nm = UNLOADED_SHARE * figures.bends().map_or(1.0, |[first, _]| first);
                if high - low > max_nm {
                    return Err(Refusal::NotUnloaded { span_nm: high - low, max_nm });
                }
            }
            None => doubts.push(Doubt::LoadNotRecorded),
        }
        let directions = directions(samples, figures);
        let forward = directions.iter().filter(|way| **way > 0).count();
        let backward = directions.iter().filter(|way| **way < 0).count();
        if forward.min(backward) < SAMPLES_MIN || forward.min(backward) * 10 < forward.max(backward) {
            return Err(Refusal::OneDirection);
        }
        let stride = stride(samples.len());
        let row = |row: usize, columns: &mut [f64]| {
            let at = row * stride;
            if directions[at] == 0 {
                return None;
            }
            columns[0] = 1.0;
            columns[1] = f64::from(directions[at]);
            harmonics(samples.output()[at], &mut columns[2..]);
            Some(lead(samples, figures, at))
        };
        let terms = 2 + FOOTPRINT_TERMS;
        let model = Model { terms, nuisance: terms, rows: samples.len().div_ceil(stride), row: &row };
        let fitted = model.fit().ok_or(Refusal::TooFewSamples { found: samples.len(), needed: 4 * terms })?;
        if fitted.rms > LEFT_MAX_RAD {
            return Err(Refusal::Implausible { value: fitted.rms });
        }
        let valid = span(samples.output().iter().copied()).map_or([0.0; 2], |(low, high)| [low, high]);
        let part = |offset: usize| std::array::from_fn(|n| fitted.coefficients[2 + 2 * n + offset]);
        let sigma_at = |place: usize| {
            let mut columns = [0.0; FOOTPRINT_TERMS];
            harmonics(valid[0] + travel * count(place) / count(PLACES), &mut columns);
            let weights: Vec<(usize, f64)> = columns.iter().enumerate().map(|(at, weight)| (2 + at, *weight)).collect();
            fitted.sigma_of(&weights, true)
        };
        let sigma = (0..=PLACES).map(sigma_at).fold(0.0, f64::max);
        let footprint = Self { cos: part(0), sin: part(1), valid };
        Ok(Calibration { footprint, sigma, rms: fitted.rms, samples: fitted.samples, doubts })
    }
}

/// Every how many samples one is fitted.
pub(super) fn stride(samples: usize) -> usize {
    samples.div_ceil(FITTED_MAX).max(1)
}

/// cos q, sin q, cos 2q, …
pub(super) fn harmonics(output: f64, columns: &mut [f64]) {
    for (n, pair) in columns.chunks_exact_mut(2).enumerate() {
        let (sin, cos) = (count(n + 1) * output).sin_cos();
        pair.copy_from_slice(&[cos, sin]);
    }
}

/// `s θ/N − q` of a sample, up to a constant, rad.
pub(super) fn lead(samples: &DriveSamples, figures: &DriveFigures, at: usize) -> f64 {
    (samples.motor()[at] - samples.motor()[0]) / figures.signed_ratio - (samples.output()[at] - samples.output()[0])
}

/// Wind-up of a sample without the footprint; `None` where the footprint was not measured.
pub(super) fn windup_at(samples: &DriveSamples, figures: &DriveFigures, footprint: Option<&Footprint>, at: usize) -> Option<f64> {
    let error = footprint.map_or(Some(0.0), |footprint| footprint.at(samples.output()[at]))?;
    Some(lead(samples, figures, at) - error)
}

/// Direction in which the output moves at each sample: −1, 0 (standing), 1.
pub(super) fn directions(samples: &DriveSamples, figures: &DriveFigures) -> Vec<i8> {
    let way = |rate: f64| {
        let rate = rate / figures.signed_ratio;
        if rate.abs() < MOVING_RAD_PER_S {
            0
        } else if rate > 0.0 {
            1
        } else {
            -1
        }
    };
    samples.motor_rates().into_iter().map(way).collect()
}

/// Wind-up of the recording: greatest less smallest lead of the motor over the joint, `w = s θ/N − q`, rad.
///
/// The uncertainty is the scatter of single samples, as large as the greatest of so many is expected.
pub fn windup(samples: &DriveSamples, figures: &DriveFigures, footprint: Option<&Footprint>) -> Answer {
    let mut found = None;
    let (mut used, mut bends, mut squares) = (0, 0, 0.0);
    for run in samples.runs() {
        let mut before: [Option<f64>; 2] = [None, None];
        for at in run {
            let now = windup_at(samples, figures, footprint, at);
            if let Some(now) = now {
                used += 1;
                let (low, high) = found.unwrap_or((now, now));
                found = Some((now.min(low), now.max(high)));
                if let [Some(first), Some(second)] = before {
                    squares += (now - 2.0 * second + first).powi(2) / 6.0;
                    bends += 1;
                }
            }
            before = [before[1], now];
        }
    }
    let Some((low, high)) = found.filter(|_| used >= SAMPLES_MIN && bends > 0) else {
        return Err(Refusal::TooFewSamples { found: used, needed: SAMPLES_MIN });
    };
    let scatter = (squares / count(bends)).sqrt();
    let mut doubts = samples.doubts();
    if footprint.is_none() && samples.travel() > HELD_RAD {
        doubts.push(Doubt::FootprintIncluded);
    }
    Ok(Estimate { value: high - low, sigma: scatter * (2.0 * count(used).ln()).sqrt(), samples: used, doubts })
}

/// Scatter of the wind-up from sample to sample, rad: what encoders and their noise leave of a single reading.
///
/// From second differences, so that smooth motion and load do not count.
pub fn windup_scatter(windup_rad: &[f64]) -> Answer {
    let bends: Vec<f64> = windup_rad.windows(3).map(|three| three[2] - 2.0 * three[1] + three[0]).collect();
    if bends.len() < SAMPLES_MIN || bends.iter().any(|bend| !bend.is_finite()) {
        return Err(Refusal::TooFewSamples { found: windup_rad.len(), needed: SAMPLES_MIN + 2 });
    }
    let value = (bends.iter().map(|bend| bend * bend).sum::<f64>() / (6.0 * count(bends.len()))).sqrt();
    // Neighbouring second differences share samples: 35/18 as few are independent.
    let sigma = value / (2.0 * count(bends.len()) * 18.0 / 35.0).sqrt();
    Ok(Estimate { value, sigma, samples: windup_rad.len(), doubts: Vec::new() })
}

/// How far the motor's lead differs between the directions of motion at the same positions, rad: hysteresis, play and twice the
/// twist of friction together.
pub fn direction_split(samples: &DriveSamples, figures: &DriveFigures) -> Answer {
    let (low, travel) = (span(samples.output().iter().copied()).map_or(0.0, |(low, _)| low), samples.travel());
    if travel < HELD_RAD {
        return Err(Refusal::NotEnoughMotion { travel, needed: HELD_RAD });
    }
    let directions = directions(samples, figures);
    // Sum and number by place and direction.
    let mut places = vec![[(0.0, 0_usize); 2]; PLACES];
    for (at, way) in directions.iter().enumerate().filter(|(_, way)| **way != 0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the travel times 24")]
        let place = ((samples.output()[at] - low) / travel * count(PLACES)) as usize;
        let slot = &mut places[place.min(PLACES - 1)][usize::from(*way > 0)];
        *slot = (slot.0 + lead(samples, figures, at), slot.1 + 1);
    }
    let both = places.iter().filter(|[back, forth]| back.1 >= 3 && forth.1 >= 3);
    let splits: Vec<f64> = both.clone().map(|[back, forth]| forth.0 / count(forth.1) - back.0 / count(back.1)).collect();
    if splits.len() < 4 {
        return Err(Refusal::OneDirection);
    }
    let value = splits.iter().sum::<f64>() / count(splits.len());
    let scatter = splits.iter().map(|split| (split - value).powi(2)).sum::<f64>() / count(splits.len() - 1);
    let used = both.map(|[back, forth]| back.1 + forth.1).sum();
    let mut doubts = samples.doubts();
    doubts.push(Doubt::FrictionIncluded);
    Ok(Estimate { value, sigma: (scatter / count(splits.len())).sqrt(), samples: used, doubts })
}
