//! Stiffness, hysteresis, play and lost motion from wind-up against load.

use super::answer::{Answer, Doubt, Estimate, Missing, Refusal};
use super::figures::DriveFigures;
use super::fit::{Fitted, Model};
use super::samples::{DriveSamples, span};
use super::windup::{FOOTPRINT_TERMS, Footprint, HELD_RAD, SAMPLES_MIN, harmonics, stride, windup_at};
use crate::Stiffness;

/// Regions of a torsion curve.
pub const REGIONS: usize = 3;
/// A region is known where the load spans more than this share of it.
const REGION_SHARE: f64 = 0.2;
/// Widest variance that the other columns may make of a stiffness's: load that goes with position stays above.
pub(super) const INFLATION_MAX: f64 = 25.0;
/// Expected width of the twist loop where nobody says it, rad (1 arc minute).
const HYSTERESIS_RAD: f64 = 2.9e-4;
/// Rounds in which the loop's width settles.
const ROUNDS: usize = 16;
/// Change of the loop's width at which it has settled, relative.
const SETTLED: f64 = 1e-7;
/// A number whose doubt is larger than this share of it is none.
const DOUBT_SHARE_MAX: f64 = 0.5;
/// Loads below this share of the greatest one are on neither side of the play.
const SIDE_SHARE: f64 = 0.02;
/// Least share of the samples on each side or branch, for a play or a loop to be seen.
const BOTH_SHARE: usize = 20;

/// Columns after the constant, the footprint and the load's regions.
const BRANCH: usize = 1 + FOOTPRINT_TERMS + REGIONS;
const SIDE: usize = BRANCH + 1;
const TERMS: usize = SIDE + 1;

/// What wind-up against load says.
#[derive(Debug, Clone, PartialEq)]
pub struct Torsion {
    /// N·m/rad in each region: up to the first bend, between the bends, beyond. A drive with one described stiffness has only the
    /// first.
    pub stiffness: [Answer; REGIONS],
    /// Width of the loop at zero load, rad.
    pub hysteresis: Answer,
    /// Width of the dead band about zero load, rad.
    pub play: Answer,
    /// Twist between −4 % and +4 % of the rated torque on the mean of both branches, rad: elastic twist and play.
    pub lost_motion: Answer,
}

impl Torsion {
    fn refused(reason: Refusal) -> Self {
        let none = || Err(reason);
        Self { stiffness: [none(), none(), none()], hysteresis: none(), play: none(), lost_motion: none() }
    }
}

/// Fits `w = constant + footprint + Σ twist of each region/K ± half of the loop + half of the play by the load's side`.
///
/// Without a calibrated footprint one is fitted along, unless the joint is held: where load goes with position (gravity), the two
/// cannot be told apart and every answer is [`Refusal::LoadFollowsPosition`].
pub fn torsion(samples: &DriveSamples, figures: &DriveFigures, footprint: Option<&Footprint>) -> Torsion {
    if !samples.has_torque() {
        return Torsion::refused(Refusal::NotRecorded(Missing::JointTorque));
    }
    let loads = span((0..samples.len()).filter_map(|at| samples.torque(at)));
    let Some((low, high)) = loads.filter(|_| samples.len() >= SAMPLES_MIN) else {
        return Torsion::refused(Refusal::TooFewSamples { found: samples.len(), needed: SAMPLES_MIN });
    };
    let mut load = Load::new(figures, low, high);
    let mut width = figures.hysteresis_rad.filter(|width| *width > 0.0).unwrap_or(HYSTERESIS_RAD);
    for _ in 0..ROUNDS {
        let branches = load.branches(samples, width);
        let Some(fitted) = fit(&Fit { samples, figures, footprint, load: &load, branches: &branches }, |model| model.solve()) else {
            break;
        };
        let next = load.width(2.0 * fitted.coefficients[BRANCH].abs());
        let settled = (next - width).abs() < SETTLED * width;
        if next > 0.0 {
            width = next;
        }
        load.soften(&fitted);
        if settled {
            break;
        }
    }
    let branches = load.branches(samples, width);
    let Some(fitted) = fit(&Fit { samples, figures, footprint, load: &load, branches: &branches }, |model| model.fit()) else {
        return Torsion::refused(Refusal::TooFewSamples { found: samples.len(), needed: 4 * TERMS });
    };
    let doubts = || {
        let open = footprint.is_none() && samples.travel() > HELD_RAD;
        samples.doubts().into_iter().chain(open.then_some(Doubt::FootprintIncluded)).collect::<Vec<_>>()
    };
    let reading = Reading { fitted: &fitted, load: &load, doubts: doubts() };
    Torsion {
        stiffness: std::array::from_fn(|region| reading.stiffness(region)),
        hysteresis: reading.width(BRANCH),
        play: reading.width(SIDE),
        lost_motion: reading.lost_motion(figures),
    }
}

/// The load's span, the regions in it, and the curve by which its branches are told.
struct Load {
    low: f64,
    high: f64,
    bends: Option<[f64; 2]>,
    /// End of the third region.
    end: f64,
    curve: Stiffness,
}

impl Load {
    fn new(figures: &DriveFigures, low: f64, high: f64) -> Self {
        // Where none is described, a first guess: the loop is as wide as the twist of a twentieth of the load.
        let guess = || Stiffness::linear(low.abs().max(high.abs()).max(1e-9) * 0.05 / HYSTERESIS_RAD);
        let curve = figures.stiffness.unwrap_or_else(guess);
        let bends = figures.bends();
        let end = figures.peak_torque_nm.unwrap_or(0.0).max(bends.map_or(0.0, |[first, second]| 2.0 * second - first));
        Self { low, high, bends, end, curve }
    }

    /// Takes the stiffness that was found for telling the branches.
    fn soften(&mut self, fitted: &Fitted) {
        let found = |region: usize| {
            let term = 1 + FOOTPRINT_TERMS + region;
            let compliance = fitted.coefficients[term];
            (compliance > 0.0 && fitted.inflation[term] <= INFLATION_MAX).then_some(1.0 / compliance)
        };
        let [first, second, third] = [0, 1, 2].map(found);
        match (self.bends, first) {
            (None, Some(stiffness)) => self.curve = Stiffness::linear(stiffness),
            (None, None) => {}
            (Some(_), _) => {
                self.curve.k1_nm_per_rad = first.unwrap_or(self.curve.k1_nm_per_rad);
                self.curve.k2_nm_per_rad = second.unwrap_or(self.curve.k2_nm_per_rad);
                self.curve.k3_nm_per_rad = third.unwrap_or(self.curve.k3_nm_per_rad);
            }
        }
    }

    fn greatest(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// Where a region begins and ends, N·m; `None` for one that the drive does not have.
    fn region(&self, region: usize) -> Option<[f64; 2]> {
        match (self.bends, region) {
            (Some([first, _]), 0) => Some([0.0, first]),
            (Some([first, second]), 1) => Some([first, second]),
            (Some([_, second]), 2) => Some([second, self.end]),
            (None, 0) => Some([0.0, f64::INFINITY]),
            _ => None,
        }
    }

    /// The load's part in a region, by sign.
    fn part(&self, region: usize, torque: f64) -> f64 {
        let Some([from, to]) = self.region(region) else { return 0.0 };
        let to = if region + 1 == REGIONS { f64::INFINITY } else { to };
        (torque.abs().min(to) - from).max(0.0).copysign(torque)
    }

    /// How far the load reaches into a region on both sides together, and how far it must.
    fn reach(&self, region: usize) -> Option<[f64; 2]> {
        let [from, to] = self.region(region)?;
        let within = |value: f64| value.clamp(-to, to);
        let span = if from == 0.0 {
            within(self.high) - within(self.low)
        } else {
            (self.high.min(to) - from).max(0.0).max((-self.low).min(to) - from)
        };
        // Without described bends 20 % of the greatest load must be variation.
        let whole = if to.is_finite() { to - from } else { self.greatest() };
        Some([span, REGION_SHARE * whole])
    }

    /// A loop's width, at most half of what the load twists: a wider one would not be seen.
    fn width(&self, found: f64) -> f64 {
        found.min(0.5 * (self.curve.twist(self.high) - self.curve.twist(self.low)))
    }

    /// Where each sample lies between the branches: 1 on that of rising load, −1 on that of falling load. Not a number before the
    /// loop was crossed once in its run; 0 everywhere if it never was.
    fn branches(&self, samples: &DriveSamples, width: f64) -> Vec<f64> {
        let mut branches = vec![f64::NAN; samples.len()];
        for run in samples.runs() {
            let mut lagging: Option<f64> = None;
            // Until the load has crossed the loop once, nobody knows where in it the drive is.
            let mut known = false;
            for at in run {
                let Some(torque) = samples.torque(at) else { continue };
                let twist = self.curve.twist(torque);
                let held = lagging.unwrap_or(twist).clamp(twist - 0.5 * width, twist + 0.5 * width);
                lagging = Some(held);
                let branch = (twist - held) / (0.5 * width);
                known |= branch.abs() > 1.0 - 1e-9;
                branches[at] = if known { branch } else { f64::NAN };
            }
        }
        if branches.iter().all(|branch| branch.is_nan()) {
            branches.fill(0.0);
        }
        branches
    }

    /// ±1 by the load's side, 0 about zero.
    fn side(&self, torque: f64) -> f64 {
        if torque.abs() < SIDE_SHARE * self.greatest() { 0.0 } else { torque.signum() }
    }
}

/// What a fit is made of.
struct Fit<'a> {
    samples: &'a DriveSamples,
    figures: &'a DriveFigures,
    footprint: Option<&'a Footprint>,
    load: &'a Load,
    branches: &'a [f64],
}

fn fit(of: &Fit<'_>, run: fn(&Model<'_>) -> Option<Fitted>) -> Option<Fitted> {
    let Fit { samples, figures, footprint, load, branches } = *of;
    let held = footprint.is_some() || samples.travel() <= HELD_RAD;
    let known = |at: usize| samples.torque(at).filter(|_| branches[at].is_finite());
    let both = |of: &dyn Fn(usize, f64) -> f64| {
        let (mut above, mut below, mut all) = (0_usize, 0_usize, 0_usize);
        for at in 0..samples.len() {
            if let Some(torque) = known(at) {
                let value = of(at, torque);
                above += usize::from(value > 0.5);
                below += usize::from(value < -0.5);
                all += 1;
            }
        }
        above.min(below) * BOTH_SHARE >= all.max(1)
    };
    let looped = both(&|at, _| branches[at]);
    let sided = both(&|_, torque| load.side(torque));
    // Regions that the load hardly reaches only take their part out.
    let reached: Vec<usize> = (0..REGIONS).filter(|region| load.reach(*region).is_some_and(|[span, needed]| span >= needed)).collect();
    let order: Vec<usize> = (0..REGIONS).filter(|region| !reached.contains(region)).chain(reached.iter().copied()).collect();
    let first = 1 + FOOTPRINT_TERMS;
    let stride = stride(samples.len());
    let row = |row: usize, columns: &mut [f64]| {
        let at = row * stride;
        let torque = known(at)?;
        let windup = windup_at(samples, figures, footprint, at)?;
        columns.fill(0.0);
        columns[0] = 1.0;
        if !held {
            harmonics(samples.output()[at], &mut columns[1..first]);
        }
        for (place, region) in order.iter().enumerate() {
            columns[first + place] = load.part(*region, torque);
        }
        columns[BRANCH] = if looped { branches[at] } else { 0.0 };
        let side = load.side(torque);
        columns[SIDE] = if sided { side } else { 0.0 };
        (!sided || side != 0.0).then_some(windup)
    };
    let model = Model { terms: TERMS, nuisance: first + REGIONS - reached.len(), rows: samples.len().div_ceil(stride), row: &row };
    let mut fitted = run(&model)?;
    fitted.reorder(first, &order);
    Some(fitted)
}

/// Answers out of a fit.
struct Reading<'a> {
    fitted: &'a Fitted,
    load: &'a Load,
    doubts: Vec<Doubt>,
}

impl Reading<'_> {
    fn stiffness(&self, region: usize) -> Answer {
        let Some([span_nm, needed_nm]) = self.load.reach(region) else {
            return Err(Refusal::NotDescribed(Missing::Bends));
        };
        if span_nm < needed_nm || span_nm <= 0.0 {
            return Err(Refusal::NotEnoughLoad { span_nm, needed_nm });
        }
        let term = 1 + FOOTPRINT_TERMS + region;
        self.told(term)?;
        let compliance = self.fitted.coefficients[term];
        let sigma = self.fitted.sigma_of(&[(term, 1.0)], true);
        if sigma > DOUBT_SHARE_MAX * compliance.abs() {
            return Err(Refusal::TooUncertain { value: 1.0 / compliance, sigma: sigma / compliance.powi(2) });
        }
        if compliance <= 0.0 {
            return Err(Refusal::Implausible { value: 1.0 / compliance });
        }
        Ok(self.estimate(1.0 / compliance, sigma / compliance.powi(2)))
    }

    /// Width of the loop or the play: twice its column.
    fn width(&self, term: usize) -> Answer {
        if self.fitted.inflation[term].is_infinite() {
            return Err(Refusal::LoadOneSided);
        }
        self.told(term)?;
        let (value, sigma) = (2.0 * self.fitted.coefficients[term].abs(), 2.0 * self.fitted.sigma_of(&[(term, 1.0)], true));
        Ok(self.estimate(value, sigma))
    }

    fn lost_motion(&self, figures: &DriveFigures) -> Answer {
        let (load_nm, more) = figures.lost_motion_load().ok_or(Refusal::NotDescribed(Missing::RatedTorque))?;
        if self.load.low > -load_nm || self.load.high < load_nm {
            return Err(Refusal::LoadOneSided);
        }
        self.told(1 + FOOTPRINT_TERMS)?;
        let mut weights: Vec<(usize, f64)> =
            (0..REGIONS).map(|region| (1 + FOOTPRINT_TERMS + region, 2.0 * self.load.part(region, load_nm))).collect();
        if self.fitted.inflation[SIDE].is_finite() {
            weights.push((SIDE, 2.0));
        }
        let value: f64 = weights.iter().map(|(term, weight)| weight * self.fitted.coefficients[*term]).sum();
        let sigma = self.fitted.sigma_of(&weights, true);
        if sigma > DOUBT_SHARE_MAX * value.abs() {
            return Err(Refusal::TooUncertain { value, sigma });
        }
        let mut estimate = self.estimate(value, sigma);
        estimate.doubts.extend(more);
        Ok(estimate)
    }

    /// Whether a column can be told from the others.
    fn told(&self, term: usize) -> Result<(), Refusal> {
        let inflation = self.fitted.inflation[term];
        if inflation > INFLATION_MAX {
            return Err(Refusal::LoadFollowsPosition { inflation, max: INFLATION_MAX });
        }
        Ok(())
    }

    fn estimate(&self, value: f64, sigma: f64) -> Estimate {
        Estimate { value, sigma, samples: self.fitted.samples, doubts: self.doubts.clone() }
    }
}
