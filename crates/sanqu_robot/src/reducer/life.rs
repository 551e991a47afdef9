/// What the life of a reducer is rated at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LifeRating {
    /// Life at the rated torque and speed, h: L10 or L50, as the rating says.
    pub life_h: f64,
    /// Rated output torque, N·m.
    pub torque_nm: f64,
    /// Rated input speed, rad/s.
    pub speed_rad_per_s: f64,
}

impl LifeRating {
    /// Life at a mean torque and mean input speed, h: `L (T_r/T_av)³ (N_r/N_av)`. It is the wave generator's bearing that wears.
    ///
    /// Source: Harmonic Drive CSF/CSG catalogue, p. 14, equation 8.
    pub fn life_h(&self, mean_torque_nm: f64, mean_speed_rad_per_s: f64) -> f64 {
        self.life_h * (self.torque_nm / mean_torque_nm).powi(3) * (self.speed_rad_per_s / mean_speed_rad_per_s)
    }

    /// Part of the life that input turns under one torque use up: additive over a recording.
    ///
    /// The same formula as [`Self::life_h`]; standing still under load adds nothing.
    pub fn used(&self, torque_nm: f64, input_turns: f64) -> f64 {
        let turns = self.life_h * 3600.0 * self.speed_rad_per_s / std::f64::consts::TAU;
        (torque_nm.abs() / self.torque_nm).powi(3) * input_turns.abs() / turns
    }
}

/// Efficiency at part load: `η_L = K (η_R + η_e)` with the maker's factor `K` for the load ratio `T_av/T_N`.
///
/// Source: Harmonic Drive CSD-2A manual, p. 24 (worked example 73 %); HFUS-2SH manual, p. 36.
pub fn efficiency_at_load(load_factor: f64, at_rated: f64, correction: f64) -> f64 {
    load_factor * (at_rated + correction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_used_up_and_life_in_hours_are_one_formula() {
        let rating = LifeRating { life_h: 7000.0, torque_nm: 40.0, speed_rad_per_s: 2000.0 / 60.0 * std::f64::consts::TAU };
        let hours = rating.life_h(30.0, 500.0 / 60.0 * std::f64::consts::TAU);
        let used = rating.used(-30.0, 500.0 * 60.0 * hours);
        assert!((used - 1.0).abs() < 1e-12, "{used}");
        // The denominator of the telemetry form: 8.4e8 turns of the wave generator.
        assert!((rating.used(40.0, 8.4e8) - 1.0).abs() < 1e-12);
    }
}
