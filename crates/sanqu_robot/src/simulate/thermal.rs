use crate::COPPER_PER_K;

/// Two bodies that heat: winding and housing.
///
/// `C_w Ṫ_w = P − (T_w − T_h)/R_wh`, `C_h Ṫ_h = (T_w − T_h)/R_wh − (T_h − T_a)/R_ha`; `P = k i² (1 + 0.00393 (T_w − 20 °C))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thermal {
    /// C_w, J/K.
    pub winding_j_per_k: f64,
    /// C_h, J/K.
    pub housing_j_per_k: f64,
    /// R_wh, K/W.
    pub winding_to_housing_k_per_w: f64,
    /// R_ha, K/W.
    pub housing_to_air_k_per_w: f64,
    /// k: copper loss per current squared at 20 °C, W/A².
    pub loss_w_per_a2: f64,
    /// T_a, °C.
    pub ambient_c: f64,
    /// Both bodies at the beginning, °C.
    pub start_c: f64,
}

/// Winding and housing, °C.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Temperatures {
    pub(crate) winding_c: f64,
    pub(crate) housing_c: f64,
}

impl Thermal {
    /// Copper loss of a current, W.
    pub fn copper_w(&self, current_a: f64, winding_c: f64) -> f64 {
        self.loss_w_per_a2 * current_a * current_a * (1.0 + COPPER_PER_K * (winding_c - 20.0))
    }

    /// Temperatures `dt_s` later under a power, by an implicit step: stable for any `dt_s`, exact in the steady state.
    pub(crate) fn later(&self, from: Temperatures, power_w: f64, dt_s: f64) -> Temperatures {
        let (inner, outer) = (dt_s / self.winding_to_housing_k_per_w, dt_s / self.housing_to_air_k_per_w);
        let (winding, housing) = (self.winding_j_per_k + inner, self.housing_j_per_k + inner + outer);
        let winding_side = self.winding_j_per_k * from.winding_c + power_w * dt_s;
        let housing_side = self.housing_j_per_k * from.housing_c + outer * self.ambient_c;
        let determinant = winding * housing - inner * inner;
        Temperatures {
            winding_c: (winding_side * housing + inner * housing_side) / determinant,
            housing_c: (winding * housing_side + inner * winding_side) / determinant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOTOR: Thermal = Thermal {
        winding_j_per_k: 60.0,
        housing_j_per_k: 600.0,
        winding_to_housing_k_per_w: 1.0,
        housing_to_air_k_per_w: 2.0,
        loss_w_per_a2: 0.3,
        ambient_c: 25.0,
        start_c: 25.0,
    };

    #[test]
    fn temperatures_settle_where_the_reference_says() {
        // Case ES08: 40 W, 1 and 2 K/W, 25 °C: housing 105 °C, winding 145 °C.
        let mut now = Temperatures { winding_c: 25.0, housing_c: 25.0 };
        for _ in 0..400 {
            now = MOTOR.later(now, 40.0, 100.0);
        }
        assert!((now.housing_c - 105.0).abs() < 1e-6 && (now.winding_c - 145.0).abs() < 1e-6, "{now:?}");
        // Case ES06: 0.2 Ω at 20 °C is 0.2786 Ω at 120 °C.
        let copper = Thermal { loss_w_per_a2: 0.2, ..MOTOR };
        assert!((copper.copper_w(1.0, 120.0) - 0.2786).abs() < 1e-12);
    }

    #[test]
    fn heat_goes_nowhere_but_into_the_bodies_and_the_air() {
        let mut now = Temperatures { winding_c: 40.0, housing_c: 30.0 };
        let (mut into_air, dt_s) = (0.0, 0.05);
        let before = 60.0 * now.winding_c + 600.0 * now.housing_c;
        for _ in 0..2000 {
            now = MOTOR.later(now, 15.0, dt_s);
            into_air += (now.housing_c - 25.0) / 2.0 * dt_s;
        }
        let held = 60.0 * now.winding_c + 600.0 * now.housing_c - before;
        assert!((held + into_air - 15.0 * 100.0).abs() < 1e-6, "{held} J held, {into_air} J given away");
        assert!(now.winding_c > 44.0, "{now:?}");
    }
}
