use serde::Deserialize;

/// Piecewise torsional stiffness: output torque against twist with the input locked, odd-symmetric.
///
/// ```text
/// |T| ≤ T1        φ = T/K1
/// T1 < |T| ≤ T2   φ = T1/K1 + (T−T1)/K2
/// |T| > T2        φ = T1/K1 + (T2−T1)/K2 + (T−T2)/K3
/// ```
///
/// Source: Harmonic Drive CHA manual, p. 68 (formula and worked example).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stiffness {
    /// End of the first region, N·m.
    pub t1_nm: f64,
    /// End of the second region, N·m.
    pub t2_nm: f64,
    /// Stiffness up to `t1_nm`, N·m/rad.
    pub k1_nm_per_rad: f64,
    /// Stiffness from `t1_nm` to `t2_nm`, N·m/rad.
    pub k2_nm_per_rad: f64,
    /// Stiffness beyond `t2_nm`, N·m/rad.
    pub k3_nm_per_rad: f64,
}

impl Stiffness {
    /// A spring of one stiffness, N·m/rad.
    pub fn linear(k_nm_per_rad: f64) -> Self {
        Self { t1_nm: 1.0, t2_nm: 2.0, k1_nm_per_rad: k_nm_per_rad, k2_nm_per_rad: k_nm_per_rad, k3_nm_per_rad: k_nm_per_rad }
    }

    /// Twist at an output torque, rad.
    pub fn twist(&self, torque_nm: f64) -> f64 {
        let torque = torque_nm.abs();
        let first = torque.min(self.t1_nm) / self.k1_nm_per_rad;
        let second = (torque.min(self.t2_nm) - self.t1_nm).max(0.0) / self.k2_nm_per_rad;
        let third = (torque - self.t2_nm).max(0.0) / self.k3_nm_per_rad;
        (first + second + third).copysign(torque_nm)
    }

    /// Output torque at a twist, N·m: the inverse of [`Self::twist`].
    pub fn torque(&self, twist_rad: f64) -> f64 {
        let twist = twist_rad.abs();
        let (bend1, bend2) = (self.twist(self.t1_nm), self.twist(self.t2_nm));
        let first = twist.min(bend1) * self.k1_nm_per_rad;
        let second = (twist.min(bend2) - bend1).max(0.0) * self.k2_nm_per_rad;
        let third = (twist - bend2).max(0.0) * self.k3_nm_per_rad;
        (first + second + third).copysign(twist_rad)
    }

    /// Elastic part of the lost motion: twist between −`fraction` and +`fraction` of a rated torque, rad.
    pub fn lost_motion(&self, rated_torque_nm: f64, fraction: f64) -> f64 {
        2.0 * self.twist(rated_torque_nm * fraction)
    }

    pub(crate) fn contradiction(&self) -> Option<String> {
        let all = [self.t1_nm, self.t2_nm, self.k1_nm_per_rad, self.k2_nm_per_rad, self.k3_nm_per_rad];
        if all.iter().any(|value| !(value.is_finite() && *value > 0.0)) {
            return Some(format!("stiffness has {all:?}, expected finite numbers above 0"));
        }
        (self.t1_nm >= self.t2_nm).then(|| format!("t1_nm is {}, expected it below t2_nm, which is {}", self.t1_nm, self.t2_nm))
    }
}

/// Torque of a gear with play: a spring of stiffness `k_nm_per_rad` beyond ± half of `backlash_rad`, 0 between.
pub fn dead_band_torque(k_nm_per_rad: f64, backlash_rad: f64, windup_rad: f64) -> f64 {
    let beyond = (windup_rad.abs() - 0.5 * backlash_rad).max(0.0);
    (k_nm_per_rad * beyond).copysign(windup_rad)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn twist_and_torque_are_inverse(torque in -500.0..500.0_f64, k1 in 1e3..1e5_f64, k2 in 1e3..1e5_f64, k3 in 1e3..1e5_f64) {
            let stiffness = Stiffness { t1_nm: 7.0, t2_nm: 25.0, k1_nm_per_rad: k1, k2_nm_per_rad: k2, k3_nm_per_rad: k3 };
            let back = stiffness.torque(stiffness.twist(torque));
            proptest::prop_assert!((back - torque).abs() <= 1e-10 * torque.abs().max(1.0), "{torque} came back as {back}");
        }
    }
}
