use nalgebra::{SMatrix, SVector};

use crate::Stiffness;

/// How far the measured slope of the motor on the output may be from the table's signed ratio, relative.
pub const RATIO_TOLERANCE: f64 = 0.002;
/// Fewest samples that are fitted.
const SAMPLES_MIN: usize = 20;
/// Smallest travel that is fitted at all, rad or m.
pub(super) const TRAVEL_MIN: f64 = 1e-3;
/// Error of an output encoder that repeats with its turn (orders 1 and 2) and looks like a slope over a short travel: each
/// amplitude, rad (one standard deviation). Higher orders are taken to be a slope of as much over the travel.
const FOOTPRINT_RAD: f64 = 0.25e-3;
/// Stiffness taken for a drive whose table gives none, N·m/rad: soft, so that its wind-up is not trusted.
const STIFFNESS_UNKNOWN: f64 = 4000.0;
/// How far a table's compliance may be wrong, relative to it (one standard deviation).
const COMPLIANCE_SIGMA: f64 = 1.0;
/// How far the two directions of motion may be apart beyond wind-up, rad (one standard deviation).
const DIRECTION_SIGMA_RAD: f64 = 1e-3;
/// How far the two sides of the load may be apart: half of a drive's play, rad (one standard deviation).
const PLAY_SIGMA_RAD: f64 = 1e-3;
/// Speeds below this share of the fastest one count as standing.
const STANDING_SHARE: f64 = 0.02;

/// Columns: constant, output, twist, direction, side of the load; cosine and sine of the output and of twice the output.
const TERMS: usize = 9;

/// Simultaneous samples of one drive, in order of time.
#[derive(Debug, Clone, Copy)]
pub struct RatioSamples<'a> {
    /// Rotor position, unwrapped, rad.
    pub motor: &'a [f64],
    /// The reducer's output, from the joints through the linkage, rad or m.
    pub output: &'a [f64],
    /// Torque (or force) at the output; empty where it was not recorded.
    pub torque: &'a [f64],
}

/// The slope of the rotor on the output, freed of the wind-up that the load makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioFit {
    /// Rotor per output, signed.
    pub slope: f64,
    /// Its standard deviation: scatter (as few samples as its memory leaves), the compliance's, and the output encoder's.
    pub sigma: f64,
    /// Travel of the output, rad or m.
    pub travel: f64,
    /// Samples used.
    pub samples: usize,
    /// Measured over described compliance; 1 where the load did not tell.
    pub compliance: f64,
}

/// Whether a fit speaks for the described ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatioVerdict {
    /// Within [`RATIO_TOLERANCE`], and certain enough to say so.
    Fits,
    /// Beyond [`RATIO_TOLERANCE`] by more than the doubt, or of the other sign.
    Wrong,
    /// The motion cannot tell to [`RATIO_TOLERANCE`].
    NotEnoughMotion,
}

impl RatioFit {
    /// What it says about a described signed ratio.
    pub fn verdict(&self, signed_ratio: f64) -> RatioVerdict {
        let off = (self.slope / signed_ratio - 1.0).abs();
        let doubt = 2.0 * self.sigma / signed_ratio.abs();
        let certain = doubt <= RATIO_TOLERANCE;
        if certain && off <= RATIO_TOLERANCE {
            RatioVerdict::Fits
        } else if off > RATIO_TOLERANCE + if certain { doubt } else { 2.0 * doubt } {
            RatioVerdict::Wrong
        } else {
            RatioVerdict::NotEnoughMotion
        }
    }
}

/// Fits `motor = constant + slope·(output + c·twist(torque)) + d·direction + h·side + footprint(output)` by least squares; `side` is
/// the torque's sign, the footprint orders 1 and 2 of the output.
///
/// The load winds the drive up, and load often goes with position (gravity), so a plain slope is off by stiffness of the load
/// over stiffness of the drive. Here the compliance `c` is fitted, too, with what the table says (`stiffness`, 1 ± 100 %) as
/// prior knowledge: where load and position cannot be told apart, the slope's `sigma` says so. Play (`h`) is crossed where the
/// load changes sides, which often goes with position, too: 0 ± 1 mrad of it are taken for possible. `None` for fewer than 20
/// samples, arrays of different length, values that are not finite, or next to no motion.
///
/// * `signed_ratio`: the described one; it only scales the prior knowledge.
pub fn fit_ratio(samples: &RatioSamples<'_>, signed_ratio: f64, stiffness: Option<Stiffness>) -> Option<RatioFit> {
    let RatioSamples { motor, output, torque } = *samples;
    let count = motor.len();
    let all_finite = [motor, output, torque].iter().all(|values| values.iter().all(|value| value.is_finite()));
    if count < SAMPLES_MIN || output.len() != count || !(torque.is_empty() || torque.len() == count) || !all_finite {
        return None;
    }
    let (low, high) = output.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
    let travel = high - low;
    if travel < TRAVEL_MIN {
        return None;
    }
    let stiffness = stiffness.unwrap_or_else(|| Stiffness::linear(STIFFNESS_UNKNOWN));
    let rows = design(samples, &stiffness, signed_ratio, (low + high) / 2.0);
    let mut noise = Noise { variance: signed_ratio.powi(2) * 1e-12, share: 1.0 };
    let mut found = None;
    // The prior knowledge weighs against the noise, and the noise is what the fit leaves: three rounds settle it.
    for _ in 0..3 {
        let (estimate, covariance) = solve(&rows, motor, noise, signed_ratio)?;
        noise = Noise::of(&rows, motor, &estimate, noise.variance);
        found = Some((estimate, covariance));
    }
    let (estimate, covariance) = found?;
    let footprint = signed_ratio * FOOTPRINT_RAD / travel;
    let sigma = (covariance[(1, 1)].max(0.0) + footprint * footprint).sqrt();
    let compliance = if torque.is_empty() { 1.0 } else { estimate[2] };
    Some(RatioFit { slope: estimate[1], sigma, travel, samples: count, compliance })
}

fn design(samples: &RatioSamples<'_>, stiffness: &Stiffness, signed_ratio: f64, middle: f64) -> Vec<SVector<f64, TERMS>> {
    let output = samples.output;
    let speed = |row: usize| output[(row + 1).min(output.len() - 1)] - output[row.saturating_sub(1)];
    let fastest = (0..output.len()).map(|row| speed(row).abs()).fold(0.0, f64::max);
    let direction = |row: usize| if speed(row).abs() > STANDING_SHARE * fastest { speed(row).signum() } else { 0.0 };
    let twist = |row: usize| samples.torque.get(row).map_or(0.0, |torque| stiffness.twist(*torque));
    let side = |row: usize| samples.torque.get(row).map_or(0.0, |torque| if *torque == 0.0 { 0.0 } else { torque.signum() });
    (0..output.len())
        .map(|row| {
            let (once, twice) = (output[row].sin_cos(), (2.0 * output[row]).sin_cos());
            let seen = [twist(row), direction(row), side(row), once.0, once.1, twice.0, twice.1];
            let mut terms = SVector::<f64, TERMS>::from([1.0, output[row] - middle, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
            terms.iter_mut().skip(2).zip(seen).for_each(|(term, seen)| *term = signed_ratio * seen);
            terms
        })
        .collect()
}

/// Scatter of the residuals, and which share of the samples is independent.
#[derive(Debug, Clone, Copy)]
struct Noise {
    variance: f64,
    share: f64,
}

impl Noise {
    fn of(rows: &[SVector<f64, TERMS>], motor: &[f64], estimate: &SVector<f64, TERMS>, floor: f64) -> Self {
        let residuals: Vec<f64> = rows.iter().zip(motor).map(|(row, motor)| motor - row.dot(estimate)).collect();
        let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
        let neighbours: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let memory = if squares > 0.0 { (neighbours / squares).clamp(0.0, 1.0) } else { 0.0 };
        let independent = (1.0 - memory) / (1.0 + memory);
        let count = residuals.len().max(1) as f64;
        Self { variance: (squares / count).max(floor), share: independent.max(1.0 / count) }
    }
}

fn solve(
    rows: &[SVector<f64, TERMS>],
    motor: &[f64],
    noise: Noise,
    signed_ratio: f64,
) -> Option<(SVector<f64, TERMS>, SMatrix<f64, TERMS, TERMS>)> {
    let weight = noise.share / noise.variance;
    let mut normal = SMatrix::<f64, TERMS, TERMS>::zeros();
    let mut right = SVector::<f64, TERMS>::zeros();
    let start = motor.first().copied()?;
    for (row, motor) in rows.iter().zip(motor) {
        normal += row * row.transpose() * weight;
        right += row * ((motor - start) * weight);
    }
    let footprint = (0.0, FOOTPRINT_RAD);
    let priors = [
        (0.0, f64::INFINITY),
        (signed_ratio, f64::INFINITY),
        (1.0, COMPLIANCE_SIGMA),
        (0.0, DIRECTION_SIGMA_RAD),
        (0.0, PLAY_SIGMA_RAD),
        footprint,
        footprint,
        footprint,
        footprint,
    ];
    for (term, (mean, sigma)) in priors.into_iter().enumerate() {
        let precision = 1.0 / (sigma * sigma);
        normal[(term, term)] += precision;
        right[term] += precision * mean;
    }
    let inverse = normal.cholesky()?.inverse();
    let mut estimate = inverse * right;
    estimate[0] += start;
    Some((estimate, inverse))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A drive of 100:1 and 12 kN·m/rad under 60 N·m/rad of gravity-like load, swept `sweeps` times over `travel`.
    fn recording(travel: f64, friction_nm: f64, real_ratio: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let output: Vec<f64> = (0..4000_u32).map(|row| 0.3 + 0.5 * travel * (f64::from(row) * 0.004).sin()).collect();
        let torque: Vec<f64> = output
            .iter()
            .enumerate()
            .map(|(row, output)| 60.0 * output + friction_nm * ((row as f64) * 0.004).cos().signum() + 5.0 * ((row as f64) * 0.013).sin())
            .collect();
        let motor = output.iter().zip(&torque).map(|(output, torque)| real_ratio * (output + torque / 12_000.0) + 7.0).collect();
        (motor, output, torque)
    }

    fn fit(data: &(Vec<f64>, Vec<f64>, Vec<f64>), with_torque: bool, described: Option<f64>) -> RatioFit {
        let torque = if with_torque { &data.2[..] } else { &[] };
        let samples = RatioSamples { motor: &data.0, output: &data.1, torque };
        fit_ratio(&samples, 100.0, described.map(Stiffness::linear)).unwrap()
    }

    #[test]
    fn load_that_goes_with_position_does_not_bias_the_ratio() {
        let data = recording(1.2, 8.0, 100.0);
        // Without the torque the slope is 0.5 % off: the load's stiffness over the drive's.
        let plain = fit(&data, false, Some(12_000.0));
        assert!((plain.slope - 100.5).abs() < 0.05 && plain.verdict(100.0) == RatioVerdict::Wrong, "{plain:?}");
        // With it the ratio is right whether the table's stiffness is, or is two times off.
        for described in [6_000.0, 12_000.0, 24_000.0] {
            let fit = fit(&data, true, Some(described));
            assert!((fit.slope - 100.0).abs() < 0.03 && fit.verdict(100.0) == RatioVerdict::Fits, "{described}: {fit:?}");
            assert!((fit.compliance - described / 12_000.0).abs() < 0.05, "{described}: {fit:?}");
        }
    }

    #[test]
    fn play_that_is_crossed_in_the_middle_of_the_travel_does_not_bias_the_ratio() {
        let mut data = recording(0.5, 0.0, 100.0);
        for (motor, torque) in data.0.iter_mut().zip(&mut data.2) {
            *torque -= 18.0;
            *motor += 100.0 * (-18.0 / 12_000.0 + 0.00045 * torque.signum());
        }
        let fit = fit(&data, true, Some(12_000.0));
        assert!((fit.slope - 100.0).abs() < 0.03 && fit.verdict(100.0) == RatioVerdict::Fits, "{fit:?}");
    }

    #[test]
    fn other_ratios_and_signs_are_wrong() {
        for real in [101.0, -100.0, 100.3, 99.0] {
            let fit = fit(&recording(1.2, 8.0, real), true, Some(12_000.0));
            assert_eq!(fit.verdict(100.0), RatioVerdict::Wrong, "{real}: {fit:?}");
        }
    }

    #[test]
    fn a_ratio_is_wrong_only_beyond_its_doubt() {
        let verdict = |slope, sigma| RatioFit { slope, sigma, travel: 1.0, samples: 1000, compliance: 1.0 }.verdict(100.0);
        assert_eq!(verdict(100.19, 0.09), RatioVerdict::Fits);
        assert_eq!(verdict(100.21, 0.09), RatioVerdict::NotEnoughMotion);
        assert_eq!(verdict(99.61, 0.09), RatioVerdict::Wrong);
        assert_eq!(verdict(100.19, 0.11), RatioVerdict::NotEnoughMotion);
        assert_eq!(verdict(100.6, 0.11), RatioVerdict::NotEnoughMotion);
        assert_eq!(verdict(100.7, 0.11), RatioVerdict::Wrong);
    }

    #[test]
    fn little_motion_says_so_instead_of_passing() {
        let fit = fit(&recording(0.1, 8.0, 100.0), true, Some(12_000.0));
        assert_eq!(fit.verdict(100.0), RatioVerdict::NotEnoughMotion, "{fit:?}");
        let standing = RatioSamples { motor: &[1.0; 50], output: &[0.2; 50], torque: &[] };
        assert_eq!(fit_ratio(&standing, 100.0, None), None);
        let bad = RatioSamples { motor: &[f64::NAN; 50], output: &[0.2; 50], torque: &[] };
        assert_eq!(fit_ratio(&bad, 100.0, None), None);
    }

    #[test]
    fn load_that_cannot_be_told_from_position_widens_the_doubt() {
        let output: Vec<f64> = (0..2000_u32).map(|row| 0.6 * (f64::from(row) * 0.004).sin()).collect();
        let torque: Vec<f64> = output.iter().map(|output| 60.0 * output).collect();
        let motor: Vec<f64> = output.iter().map(|output| 100.0 * output * 1.005).collect();
        let samples = RatioSamples { motor: &motor, output: &output, torque: &torque };
        let fit = fit_ratio(&samples, 100.0, Some(Stiffness::linear(12_000.0))).unwrap();
        assert!(fit.sigma > 0.3 && fit.verdict(100.0) == RatioVerdict::NotEnoughMotion, "{fit:?}");
    }
}
