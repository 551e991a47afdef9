//! Seeded noise: the same seed and purpose give the same numbers on every run.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// A stream of random numbers for one purpose.
pub(crate) struct Noise(ChaCha8Rng);

impl Noise {
    /// Streams with another `purpose` share nothing, so adding a camera does not change the IMU.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose);
        Self(rng)
    }

    /// A seed for something else.
    pub(crate) fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in -1..1.
    pub(crate) fn uniform(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0
    }

    /// Close to normal with unit variance, never beyond 3.5 (the sum of four uniform numbers).
    pub(crate) fn normal(&mut self) -> f64 {
        let bits = self.0.next_u64();
        let sum: f64 = (0..4).map(|part| f64::from(u16::try_from((bits >> (16 * part)) & 0xffff).unwrap_or(0))).sum();
        (sum / 65_535.0 - 2.0) * 3.0_f64.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_repeats_has_unit_variance_and_separate_purposes() {
        let draw = |purpose| {
            let mut noise = Noise::new(7, purpose);
            (0..20_000).map(|_| noise.normal()).collect::<Vec<_>>()
        };
        let (one, other) = (draw(1), draw(2));
        assert_eq!(one, draw(1));
        assert_ne!(one, other);
        let mean = one.iter().sum::<f64>() / 20_000.0;
        let variance = one.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
    }
}
