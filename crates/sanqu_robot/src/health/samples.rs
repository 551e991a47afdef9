use std::f64::consts::{PI, TAU};
use std::ops::Range;

use super::answer::{Doubt, Refusal};
use super::fit::count;

/// Most samples of one drive that are held: more than an hour at 500 Hz.
pub const DRIVE_SAMPLES_MAX: usize = 2_000_000;
/// Beyond this no reading of a drive is one: rad, m, N·m, A, °C, s.
const READING_MAX: f64 = 1e10;
/// How far motor and joint may disagree from sample to sample, share of half a turn of the motor.
const TURN_SHARE: f64 = 0.8;
/// Time over which speeds are taken, s.
const RATE_SPAN_S: f64 = 0.01;

/// What was read of one drive at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriveSample {
    /// s, on any clock.
    pub t_s: f64,
    /// Rotor position, rad, as recorded.
    pub motor: f64,
    /// The reducer's output, from the joints through the linkage, rad (m for a screw).
    pub output: f64,
    /// Torque (or force) that the drive puts into the output, N·m.
    pub torque_nm: Option<f64>,
    /// Torque of the rotor, N·m.
    pub motor_torque_nm: Option<f64>,
    /// Current of the motor, A.
    pub current_a: Option<f64>,
    /// Temperature of the motor, °C.
    pub temperature_c: Option<f64>,
}

/// The samples of one drive, cut into runs without gaps.
#[derive(Debug, Clone, Default)]
pub struct DriveSamples {
    t_s: Vec<f64>,
    motor: Vec<f64>,
    output: Vec<f64>,
    /// NaN where it was not recorded; never handed out.
    torque: Vec<f64>,
    motor_torque: Vec<f64>,
    current: Vec<f64>,
    temperature: Vec<f64>,
    /// Where runs begin; the first one at 0.
    starts: Vec<usize>,
    cut: bool,
    left_out: usize,
}

impl DriveSamples {
    /// Adds a sample to the current run. One that is not finite or cannot be, or beyond [`DRIVE_SAMPLES_MAX`], is left out and counted, and
    /// ends the run; so does a clock that does not go forward.
    pub fn push(&mut self, sample: DriveSample) {
        let DriveSample { t_s, motor, output, .. } = sample;
        let read = |value: f64| value.abs() <= READING_MAX;
        if !(read(t_s) && read(motor) && read(output)) || self.t_s.len() >= DRIVE_SAMPLES_MAX {
            self.left_out += 1;
            self.cut = true;
            return;
        }
        if self.cut || self.t_s.last().is_none_or(|last| *last >= t_s) {
            self.starts.push(self.t_s.len());
            self.cut = false;
        }
        let known = |value: Option<f64>| value.filter(|value| read(*value)).unwrap_or(f64::NAN);
        self.t_s.push(t_s);
        self.motor.push(motor);
        self.output.push(output);
        self.torque.push(known(sample.torque_nm));
        self.motor_torque.push(known(sample.motor_torque_nm));
        self.current.push(known(sample.current_a));
        self.temperature.push(known(sample.temperature_c));
    }

    /// Ends the run: rows are missing here.
    pub fn cut(&mut self) {
        self.cut = true;
    }

    /// Ends the run and counts samples that were not given.
    pub fn leave_out(&mut self, samples: usize) {
        self.left_out += samples;
        self.cut |= samples > 0;
    }

    /// Samples held.
    pub fn len(&self) -> usize {
        self.t_s.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.t_s.is_empty()
    }

    /// Samples that were left out.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The runs, as ranges of samples.
    pub fn runs(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let ends = self.starts.iter().skip(1).copied().chain(std::iter::once(self.len()));
        self.starts.iter().copied().zip(ends).map(|(start, end)| start..end)
    }

    /// Greatest less smallest output, rad.
    pub fn travel(&self) -> f64 {
        span(self.output.iter().copied()).map_or(0.0, |(low, high)| high - low)
    }

    /// Rotor positions, rad.
    pub fn motor(&self) -> &[f64] {
        &self.motor
    }

    /// Outputs, rad (m for a screw).
    pub fn output(&self) -> &[f64] {
        &self.output
    }

    pub(super) fn t_s(&self, index: usize) -> f64 {
        self.t_s[index]
    }

    pub(super) fn torque(&self, index: usize) -> Option<f64> {
        known(&self.torque, index)
    }

    pub(super) fn motor_torque(&self, index: usize) -> Option<f64> {
        known(&self.motor_torque, index)
    }

    pub(super) fn current(&self, index: usize) -> Option<f64> {
        known(&self.current, index)
    }

    pub(super) fn temperature(&self, index: usize) -> Option<f64> {
        known(&self.temperature, index)
    }

    /// Whether nearly every sample has a joint torque.
    pub(super) fn has_torque(&self) -> bool {
        let found = self.torque.iter().filter(|torque| torque.is_finite()).count();
        found > 0 && found * 100 >= self.len() * 99
    }

    /// Puts `constant` times the current in the place of joint torques.
    pub(super) fn torque_from_current(&mut self, constant: f64) {
        self.torque = self.current.iter().map(|current| constant * current).collect();
    }

    /// Speed of the rotor at each sample, rad/s: over about 10 ms within the run; 0 in a run of one sample.
    pub(super) fn motor_rates(&self) -> Vec<f64> {
        let mut rates = vec![0.0; self.len()];
        for run in self.runs() {
            let period = self.period_s(&run);
            let reach = if period > 0.0 { (0.5 * RATE_SPAN_S / period).clamp(1.0, 50.0) } else { 1.0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=50")]
            let reach = reach as usize;
            for at in run.clone() {
                let (from, to) = (at.saturating_sub(reach).max(run.start), (at + reach).min(run.end - 1));
                let span = self.t_s[to] - self.t_s[from];
                rates[at] = if span > 0.0 { (self.motor[to] - self.motor[from]) / span } else { 0.0 };
            }
        }
        rates
    }

    /// Mean time between samples of a run, s.
    pub(super) fn period_s(&self, run: &Range<usize>) -> f64 {
        if run.len() < 2 { 0.0 } else { (self.t_s[run.end - 1] - self.t_s[run.start]) / count(run.len() - 1) }
    }

    /// Mean sampling rate within runs, Hz; 0 where no run has two samples.
    pub(super) fn rate_hz(&self) -> f64 {
        let (steps, seconds) = self
            .runs()
            .fold((0, 0.0), |(steps, seconds), run| (steps + run.len() - 1, seconds + self.period_s(&run) * count(run.len() - 1)));
        if seconds > 0.0 { count(steps) / seconds } else { 0.0 }
    }

    /// What every number from these samples suffers from.
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        let gaps: Vec<f64> = self.starts.iter().skip(1).map(|start| (self.t_s[*start] - self.t_s[start - 1]).max(0.0)).collect();
        let gaps = (!gaps.is_empty()).then(|| Doubt::Gaps { count: gaps.len(), seconds: gaps.iter().sum() });
        gaps.into_iter().chain((self.left_out > 0).then_some(Doubt::LeftOut { samples: self.left_out })).collect()
    }

    /// Makes many turns of a motor angle that was recorded within one; does nothing to one that counts turns.
    ///
    /// From sample to sample by what the joint moved, also over gaps: `k = round((θ' + s N Δq − θ)/2π)`. So speed is no limit, and
    /// neither an error of the joint's encoder nor R taken for R + 1 adds up.
    ///
    /// # Errors
    /// [`Refusal::TurnsAmbiguous`] where motor and joint disagree by nearly half a turn.
    pub fn unwrap_motor(&mut self, signed_ratio: f64) -> Result<(), Refusal> {
        let Some((low, high)) = span(self.motor.iter().copied()) else { return Ok(()) };
        if high - low > TAU * (1.0 + 1e-6) || self.travel() * signed_ratio.abs() < TAU * 1.2 {
            return Ok(());
        }
        for at in 1..self.len() {
            let near = self.motor[at - 1] + signed_ratio * (self.output[at] - self.output[at - 1]);
            self.motor[at] = nearest_turn(self.motor[at], near);
            let off = (self.motor[at] - near).abs();
            if off > TURN_SHARE * PI {
                return Err(Refusal::TurnsAmbiguous { step_rad: off });
            }
        }
        Ok(())
    }
}

/// The angle that differs from `wrapped_rad` by whole turns and is nearest to `near_rad`.
pub fn nearest_turn(wrapped_rad: f64, near_rad: f64) -> f64 {
    wrapped_rad + TAU * ((near_rad - wrapped_rad) / TAU).round()
}

fn known(values: &[f64], index: usize) -> Option<f64> {
    values.get(index).copied().filter(|value| value.is_finite())
}

/// Smallest and greatest; `None` for no values.
pub(super) fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found, value| {
        let (low, high) = found.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(t_s: f64, motor: f64, output: f64) -> DriveSample {
        DriveSample { t_s, motor, output, torque_nm: None, motor_torque_nm: None, current_a: None, temperature_c: None }
    }

    #[test]
    fn runs_end_at_gaps_bad_numbers_and_clocks_that_step_back() {
        let mut samples = DriveSamples::default();
        for (t_s, motor) in [(0.0, 1.0), (0.1, 1.0), (0.2, f64::NAN), (0.3, 1.0), (0.25, 1.0), (0.35, 1.0)] {
            samples.push(sample(t_s, motor, 0.0));
        }
        samples.cut();
        samples.cut();
        samples.push(sample(0.9, 1.0, 0.0));
        assert_eq!(samples.runs().collect::<Vec<_>>(), [0..2, 2..3, 3..5, 5..6]);
        let doubts = samples.doubts();
        assert_eq!(doubts[1], Doubt::LeftOut { samples: 1 });
        assert!(matches!(doubts[0], Doubt::Gaps { count: 3, seconds } if (seconds - 0.75).abs() < 1e-9), "{doubts:?}");
        assert!(samples.motor_rates().iter().all(|rate| rate.is_finite()) && samples.rate_hz() > 9.0);
        assert_eq!(DriveSamples::default().runs().count(), 0);
    }

    /// A motor at −100:1 that is seen within one turn, sampled every `step_s`, with a gap.
    fn wrapped(step_s: f64, windup: f64) -> (DriveSamples, Vec<f64>) {
        let (mut samples, mut truth) = (DriveSamples::default(), Vec::new());
        for row in 0..4000_u32 {
            let t_s = f64::from(row) * step_s;
            if (2000..2500).contains(&row) {
                samples.cut();
                continue;
            }
            let output = 0.8 * (1.3 * t_s).sin();
            let full = -100.0 * (output + windup * (3.0 * t_s).cos()) + 2.0;
            truth.push(full);
            samples.push(sample(t_s, full.rem_euclid(TAU), output));
        }
        (samples, truth)
    }

    #[test]
    fn a_wrapped_motor_is_unwrapped_also_when_it_turns_more_than_half_between_samples() {
        for step_s in [0.002, 0.05, 0.3] {
            let (mut samples, truth) = wrapped(step_s, 0.002);
            samples.unwrap_motor(-100.0).unwrap();
            let off = samples.motor()[0] - truth[0];
            let worst = samples.motor().iter().zip(&truth).map(|(found, truth)| (found - truth - off).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-9 && samples.len() == 3500, "{step_s}: {worst}");
        }
        // Half a turn of the motor is 0.031 rad at the joint: a wind-up that changes by so much between samples cannot be told.
        let (mut samples, _) = wrapped(0.5, 0.03);
        assert!(matches!(samples.unwrap_motor(-100.0), Err(Refusal::TurnsAmbiguous { .. })));
    }
}
