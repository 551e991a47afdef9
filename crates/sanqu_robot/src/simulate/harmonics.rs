use std::f64::consts::TAU;

/// One order of a periodic error: `amplitude · cos(order · angle + phase)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Harmonic {
    /// Periods per turn of what the error goes with.
    pub order: f64,
    /// At the output, rad (m for a screw).
    pub amplitude_rad: f64,
    /// At angle 0, rad.
    pub phase_rad: f64,
}

/// A sum of orders at an angle: the value, and its derivative after the angle.
pub(crate) fn sum(orders: &[Harmonic], angle: f64) -> (f64, f64) {
    orders.iter().fold((0.0, 0.0), |(value, slope), harmonic| {
        let (sin, cos) = (harmonic.order * angle + harmonic.phase_rad).sin_cos();
        (value + harmonic.amplitude_rad * cos, slope - harmonic.amplitude_rad * harmonic.order * sin)
    })
}

/// A damaged tooth of the flexspline: a bump each time when the major axis of the wave generator passes it, twice per turn of the
/// wave generator against the flexspline.
///
/// `peak · (exp(κ (cos x − 1)) − mean)`, `x = order · θ_m + phase`. With κ = 2 the bump is as wide as an engagement zone (about
/// 15 % of the teeth on each side are engaged).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bump {
    /// `2 (θ_w − θ_f)/θ_m`: 2 (1 + 1/R) with the circular spline fixed, 2 with the flexspline fixed.
    pub(crate) order: f64,
    pub(crate) phase_rad: f64,
}

/// κ of [`Bump`].
const SHARPNESS: f64 = 2.0;
/// Harmonics of a bump that are told as orders; the next one is below 0.03 % of the peak.
const BUMP_HARMONICS: u32 = 6;

impl Bump {
    /// Value and derivative at a rotor angle.
    pub(crate) fn at(self, peak_rad: f64, motor_rad: f64) -> (f64, f64) {
        let (sin, cos) = (self.order * motor_rad + self.phase_rad).sin_cos();
        let height = peak_rad * (SHARPNESS * (cos - 1.0)).exp();
        let mean = peak_rad * (-SHARPNESS).exp() * bessel_i(0);
        (height - mean, -height * SHARPNESS * self.order * sin)
    }

    /// The same as orders: order k has `2 peak e^−κ I_k(κ)`.
    pub(crate) fn orders(self, peak_rad: f64) -> impl Iterator<Item = Harmonic> {
        (1..=BUMP_HARMONICS).map(move |number| Harmonic {
            order: self.order * f64::from(number),
            amplitude_rad: 2.0 * peak_rad * (-SHARPNESS).exp() * bessel_i(number),
            phase_rad: (self.phase_rad * f64::from(number)).rem_euclid(TAU),
        })
    }
}

/// Modified Bessel function of the first kind at [`SHARPNESS`], by its series: `Σ (κ/2)^(2m+k) / (m! (m+k)!)`.
fn bessel_i(order: u32) -> f64 {
    let half = SHARPNESS / 2.0;
    let mut term = (1..=order).fold(1.0, |term, number| term * half / f64::from(number));
    let mut total = 0.0;
    for number in 1..=20_u32 {
        total += term;
        term *= half * half / (f64::from(number) * f64::from(number + order));
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bump_is_the_sum_of_its_orders() {
        let bump = Bump { order: 2.02, phase_rad: 0.7 };
        let orders: Vec<Harmonic> = bump.orders(3e-4).collect();
        for step in 0..500_u32 {
            let angle = f64::from(step) * 0.037;
            let (value, slope) = bump.at(3e-4, angle);
            let (sum_value, sum_slope) = sum(&orders, angle);
            assert!((value - sum_value).abs() < 3e-4 * 5e-4, "{angle}: {value} against {sum_value}");
            assert!((slope - sum_slope).abs() < 3e-4 * 1e-2, "{angle}: {slope} against {sum_slope}");
        }
        // The first order: 2 e^-2 I1(2) = 0.4305 of the peak (I1(2) = 1.59064 in tables).
        assert!((orders[0].amplitude_rad / 3e-4 - 2.0 * (-2.0_f64).exp() * 1.590_636_854_637_329).abs() < 1e-12);
    }
}
