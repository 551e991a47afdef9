use crate::Stiffness;

/// The spring of a gear with its memory: hysteresis and play.
///
/// `w = P(φ(T)) + h(T)`. φ is the piecewise stiffness; P the play operator of radius H/2 (twist lags torque, so that both branches
/// are φ(T) ∓ H/2 and a loop of torque dissipates energy); h the dead band, ± half of the backlash by the side that touches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Windup {
    /// Twist with its lag; `None` before the first load.
    lagging_rad: Option<f64>,
}

/// Parts of a wind-up, rad.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindupParts {
    pub(crate) elastic_rad: f64,
    pub(crate) play_rad: f64,
}

/// The constants of a [`Windup`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spring {
    pub(crate) stiffness: Stiffness,
    pub(crate) hysteresis_rad: f64,
    pub(crate) backlash_rad: f64,
    pub(crate) play_torque_nm: f64,
}

impl Windup {
    pub(crate) fn load(&mut self, spring: &Spring, torque_nm: f64) -> WindupParts {
        let twist = spring.stiffness.twist(torque_nm);
        let radius = 0.5 * spring.hysteresis_rad;
        let elastic_rad = self.lagging_rad.map_or(twist, |before| before.clamp(twist - radius, twist + radius));
        self.lagging_rad = Some(elastic_rad);
        let side = if spring.play_torque_nm > 0.0 { (torque_nm / spring.play_torque_nm).clamp(-1.0, 1.0) } else { sign(torque_nm) };
        WindupParts { elastic_rad, play_rad: 0.5 * spring.backlash_rad * side }
    }
}

/// −1, 0 or 1.
fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_band_torque;

    const ARCMIN: f64 = std::f64::consts::PI / 10_800.0;
    /// Size 20, ratio above 50: Harmonic Drive CHA manual, table 54.4.
    const SIZE_20: Stiffness =
        Stiffness { t1_nm: 7.0, t2_nm: 25.0, k1_nm_per_rad: 16_000.0, k2_nm_per_rad: 25_000.0, k3_nm_per_rad: 29_000.0 };

    /// Twist at torques, on the way up and on the way down of the second cycle to ±50 N·m.
    fn branches(spring: &Spring, torques: &[f64]) -> Vec<(f64, f64)> {
        let mut windup = Windup::default();
        let steps = |from: f64, to: f64| (0..=20_000_u32).map(move |step| from + (to - from) * f64::from(step) / 20_000.0);
        let mut at = |torque: f64| {
            let parts = windup.load(spring, torque);
            parts.elastic_rad + parts.play_rad
        };
        steps(0.0, 50.0).chain(steps(50.0, -50.0)).for_each(|torque| _ = at(torque));
        let up: Vec<(f64, f64)> = steps(-50.0, 50.0).map(|torque| (torque, at(torque))).collect();
        let down: Vec<(f64, f64)> = steps(50.0, -50.0).map(|torque| (torque, at(torque))).collect();
        let find = |branch: &[(f64, f64)], torque: f64| {
            branch.iter().min_by(|a, b| (a.0 - torque).abs().total_cmp(&(b.0 - torque).abs())).map_or(f64::NAN, |row| row.1)
        };
        torques.iter().map(|torque| (find(&up, *torque), find(&down, *torque))).collect()
    }

    #[test]
    fn the_loop_has_the_reference_width_lost_motion_and_slopes() {
        // Case ES01: hysteresis 0.9 arcmin, rated torque 40 N·m; elastic lost motion at ±4 % is 0.6875 arcmin.
        let spring = Spring { stiffness: SIZE_20, hysteresis_rad: 0.9 * ARCMIN, backlash_rad: 0.0, play_torque_nm: 0.0 };
        let rows = branches(&spring, &[0.0, 1.6, -1.6, 5.0, 10.0, 20.0, 30.0, 40.0]);
        // Twist lags torque: on the way up it is the smaller one.
        assert!((rows[0].1 - rows[0].0 - 0.9 * ARCMIN).abs() < 1e-12, "{:?}", rows[0]);
        let mean = |row: usize| 0.5 * (rows[row].0 + rows[row].1);
        assert!(((mean(1) - mean(2)) / ARCMIN - 0.687_549_354_156_988).abs() < 1e-9, "{}", (mean(1) - mean(2)) / ARCMIN);
        for branch in [|row: &(f64, f64)| row.0, |row: &(f64, f64)| row.1] {
            let slope = |from: usize, to: usize, torque: f64| torque / (branch(&rows[to]) - branch(&rows[from]));
            assert!((slope(1, 3, 3.4) - 16_000.0).abs() < 1e-3, "K1 {}", slope(1, 3, 3.4));
            assert!((slope(4, 5, 10.0) - 25_000.0).abs() < 1e-3, "K2 {}", slope(4, 5, 10.0));
            assert!((slope(6, 7, 10.0) - 29_000.0).abs() < 1e-3, "K3 {}", slope(6, 7, 10.0));
        }
    }

    #[test]
    fn play_is_the_reference_dead_band_outside_of_the_torque_that_crosses_it() {
        let spring = Spring { stiffness: Stiffness::linear(8000.0), hysteresis_rad: 0.0, backlash_rad: 0.0009, play_torque_nm: 0.1 };
        for torque in [-30.0, -1.0, -0.1, 0.1, 0.5, 12.0] {
            let parts = Windup::default().load(&spring, torque);
            let back = dead_band_torque(8000.0, 0.0009, parts.elastic_rad + parts.play_rad);
            assert!((back - torque).abs() < 1e-9, "{torque} came back as {back}");
        }
        // Inside it the sides change over; exactly without load nothing is pushed to either side.
        let inside = |torque| Windup::default().load(&spring, torque).play_rad;
        assert_eq!((inside(0.0), inside(0.05), inside(-0.05)), (0.0, 0.000_225, -0.000_225));
        let abrupt = Spring { play_torque_nm: 0.0, ..spring };
        assert_eq!([-1e-9, 0.0, 1e-9].map(|torque| Windup::default().load(&abrupt, torque).play_rad), [-0.00045, 0.0, 0.00045]);
    }

    #[test]
    fn a_loop_of_torque_costs_energy() {
        let spring = Spring { stiffness: SIZE_20, hysteresis_rad: ARCMIN, backlash_rad: 0.0, play_torque_nm: 0.0 };
        let (mut windup, mut before, mut work) = (Windup::default(), (0.0, 0.0), 0.0);
        for step in 0..=8000_u32 {
            let torque = 20.0 * (f64::from(step) * std::f64::consts::TAU / 2000.0).sin();
            let twist = windup.load(&spring, torque).elastic_rad;
            work += if step > 4000 { 0.5 * (torque + before.0) * (twist - before.1) } else { 0.0 };
            before = (torque, twist);
        }
        // Two loops of width H between ±20 N·m, less the two corners, where torque goes back by K2 H at the same twist.
        let expect = 2.0 * ARCMIN * (40.0 - 25_000.0 * ARCMIN);
        assert!((work / expect - 1.0).abs() < 1e-4, "{work} J, expected {expect}");
    }
}
