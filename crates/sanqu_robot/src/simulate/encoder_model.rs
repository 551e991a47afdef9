use super::harmonics::{Harmonic, sum};
use super::random::Random;
use crate::linkage::finite;
use crate::{RobotError, step_rad};

/// How an encoder reads an angle: an error that repeats with the turn, noise, then whole counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EncoderModel {
    /// One count, rad (m for a screw's output); 0 reads exactly.
    pub step_rad: f64,
    /// Noise before counting, one standard deviation, rad.
    pub noise_rad: f64,
    /// Error that repeats with the turn (eccentric mounting: order 1): the reading is the angle minus this sum. Subtracted, so that
    /// a joint encoder's footprint F(q) adds to the wind-up that motor and joint readings show.
    pub footprint: Vec<Harmonic>,
}

impl EncoderModel {
    /// An encoder of that many bits, with 0.3 counts of noise and no footprint.
    pub fn of_bits(bits: u32) -> Self {
        let step_rad = step_rad(bits);
        Self { step_rad, noise_rad: 0.3 * step_rad, footprint: Vec::new() }
    }

    /// The footprint at an angle, rad.
    pub fn footprint_rad(&self, angle_rad: f64) -> f64 {
        sum(&self.footprint, angle_rad).0
    }

    pub(crate) fn read(&self, angle_rad: f64, random: &mut Random) -> f64 {
        let seen = angle_rad - self.footprint_rad(angle_rad) + self.noise_rad * random.normal();
        if self.step_rad > 0.0 { (seen / self.step_rad).round() * self.step_rad } else { seen }
    }
}

/// An encoder that reads a joint without a drive of its own in the simulation (a joint of an ankle, a passive one).
#[derive(Debug, Clone)]
pub struct EncoderSimulation {
    model: EncoderModel,
    random: Random,
}

impl EncoderSimulation {
    /// The same model and seed read the same.
    pub fn new(model: EncoderModel, seed: u64) -> Self {
        Self { model, random: Random::new(seed) }
    }

    /// What it reads at an angle.
    ///
    /// # Errors
    /// [`RobotError::BadNumber`] for an angle that is not finite.
    pub fn read(&mut self, angle_rad: f64) -> Result<f64, RobotError> {
        Ok(self.model.read(finite("encoder angle", angle_rad)?, &mut self.random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCSEC: f64 = std::f64::consts::PI / 648_000.0;

    #[test]
    fn quantisation_scatters_the_windup_by_the_reference_figure() {
        // Case EN01_100_17_19: 0.714 arcsec, without noise.
        let (motor, joint) =
            (EncoderModel { noise_rad: 0.0, ..EncoderModel::of_bits(17) }, EncoderModel { noise_rad: 0.0, ..EncoderModel::of_bits(19) });
        let mut random = Random::new(2024);
        let errors: Vec<f64> = (0..20_000)
            .map(|_| {
                let joint_rad = random.between(-3.0, 3.0);
                motor.read(100.0 * joint_rad, &mut random) / 100.0 - joint.read(joint_rad, &mut random)
            })
            .collect();
        let sigma = (errors.iter().map(|error| error * error).sum::<f64>() / 20_000.0).sqrt() / ARCSEC;
        assert!((sigma - 0.714_153_583_198_096).abs() < 0.02, "{sigma}");
    }

    #[test]
    fn a_footprint_is_what_the_reading_is_short_of() {
        let footprint = vec![Harmonic { order: 1.0, amplitude_rad: 2.5e-4, phase_rad: 0.4 }];
        let mut encoder = EncoderSimulation::new(EncoderModel { step_rad: 0.0, noise_rad: 0.0, footprint }, 1);
        let reading = encoder.read(1.1).unwrap();
        assert!((1.1 - reading - 2.5e-4 * 1.5_f64.cos()).abs() < 1e-15, "{reading}");
        assert!(encoder.read(f64::NAN).is_err());
    }
}
