/// Losses of a reducer, seen at the rotor.
///
/// Motoring `τ_m = τ/(N η) + τ_0`, driven back `τ_m = τ η/N − τ_0`, with `τ_0 = (c0 + c1 |ω|^⅔) exp(−(T − 20 °C)/T0)`. Between the
/// directions friction changes over within `presliding_rad` of the rotor's travel, so that standing still holds what it had.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Friction {
    /// η: power out of the teeth per power in, without the no-load torque; 0 < η ≤ 1.
    pub mesh_efficiency: f64,
    /// c0: torque at the rotor that turns it slowly without load, N·m.
    pub constant_nm: f64,
    /// c1: how the no-load torque grows, N·m per (rad/s)^⅔.
    pub speed_nm: f64,
    /// T0: housing temperature rise that divides the no-load torque by e, K.
    pub temperature_k: f64,
    /// Travel of the rotor from one full direction of friction to none, rad.
    pub presliding_rad: f64,
}

impl Friction {
    /// Torque at the rotor without load, N·m.
    ///
    /// * `rate_rad_per_s`: of the rotor; `housing_c`: °C.
    pub fn no_load_nm(&self, rate_rad_per_s: f64, housing_c: f64) -> f64 {
        (self.constant_nm + self.speed_nm * (rate_rad_per_s * rate_rad_per_s).cbrt()) * (-(housing_c - 20.0) / self.temperature_k).exp()
    }

    /// Torque that the rotor must make against load and friction, N·m, positive with the output's direction.
    ///
    /// * `load_nm`: the output's load divided by N; `direction`: −1..=1, where friction is fully against −1 or +1.
    pub fn rotor_nm(&self, load_nm: f64, direction: f64, rate_rad_per_s: f64, housing_c: f64) -> f64 {
        let with = direction * load_nm.signum();
        let gain = if with >= 0.0 { 1.0 + with * (1.0 / self.mesh_efficiency - 1.0) } else { 1.0 + with * (1.0 - self.mesh_efficiency) };
        load_nm * gain + direction * self.no_load_nm(rate_rad_per_s, housing_c)
    }

    /// Power out per power in while motoring steadily against a load (output load divided by N).
    pub fn efficiency(&self, load_nm: f64, rate_rad_per_s: f64, housing_c: f64) -> f64 {
        load_nm.abs() / self.rotor_nm(load_nm.abs(), 1.0, rate_rad_per_s, housing_c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRICTION: Friction =
        Friction { mesh_efficiency: 0.85, constant_nm: 0.02, speed_nm: 0.001, temperature_k: 60.0, presliding_rad: 0.02 };

    #[test]
    fn motoring_and_back_driving_are_the_reference_formulas() {
        let no_load = 0.02 + 0.001 * 200.0_f64.powf(2.0 / 3.0);
        assert!((FRICTION.no_load_nm(-200.0, 20.0) - no_load).abs() < 1e-15);
        assert!((FRICTION.no_load_nm(200.0, 80.0) * std::f64::consts::E - no_load).abs() < 1e-15);
        // Motoring, either way round.
        assert!((FRICTION.rotor_nm(0.3, 1.0, 200.0, 20.0) - (0.3 / 0.85 + no_load)).abs() < 1e-15);
        assert!((FRICTION.rotor_nm(-0.3, -1.0, 200.0, 20.0) + (0.3 / 0.85 + no_load)).abs() < 1e-15);
        // Driven back by the load.
        assert!((FRICTION.rotor_nm(0.3, -1.0, 200.0, 20.0) - (0.3 * 0.85 - no_load)).abs() < 1e-15);
        assert_eq!(FRICTION.rotor_nm(0.3, 0.0, 0.0, 20.0), 0.3);
        let efficiency = FRICTION.efficiency(0.3, 200.0, 20.0);
        assert!((efficiency - 0.3 / (0.3 / 0.85 + no_load)).abs() < 1e-15 && efficiency < 0.85);
    }
}
