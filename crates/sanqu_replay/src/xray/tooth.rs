//! Outlines of gears with involute teeth.

use std::f64::consts::{PI, TAU};

use super::solid::Polar;

/// Pressure angle, rad.
const PRESSURE_RAD: f64 = 20.0 * PI / 180.0;
/// How much thinner than half a pitch a tooth is drawn, so that flanks do not touch: share of the pitch.
const PLAY: f64 = 0.02;
/// Points of a flank.
const FLANK_POINTS: u32 = 4;

/// A toothed wheel's teeth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Teeth {
    /// How many.
    pub(super) count: u32,
    /// Pitch radius, m.
    pub(super) pitch_m: f64,
    /// From the pitch circle to the tip, m.
    pub(super) addendum_m: f64,
    /// From the pitch circle to the root, m.
    pub(super) dedendum_m: f64,
}

impl Teeth {
    /// Teeth of usual height.
    pub(super) fn new(count: u32, pitch_m: f64) -> Self {
        let module_m = 2.0 * pitch_m / f64::from(count);
        Self { count, pitch_m, addendum_m: module_m, dedendum_m: 1.25 * module_m }
    }

    /// Outline of an external gear, counter-clockwise, the middle of tooth 0 at `phase_rad`.
    pub(super) fn external(&self, phase_rad: f64) -> Vec<Polar> {
        self.outline(phase_rad, -PLAY)
    }

    /// Outline of the hole of an internal gear, counter-clockwise, the middle of tooth 0 at `phase_rad`. The hole has the
    /// shape of the external gear that would fill it.
    pub(super) fn internal(&self, phase_rad: f64) -> Vec<Polar> {
        let filling = Self { addendum_m: self.dedendum_m, dedendum_m: self.addendum_m, ..*self };
        filling.outline(phase_rad + PI / f64::from(self.count), PLAY)
    }

    fn outline(&self, phase_rad: f64, play: f64) -> Vec<Polar> {
        let pitch_rad = TAU / f64::from(self.count);
        let base_m = self.pitch_m * PRESSURE_RAD.cos();
        let involute = |rho: f64| {
            let angle = (base_m / rho.max(base_m)).acos();
            angle.tan() - angle
        };
        let half_rad = |rho: f64| {
            let at_pitch = pitch_rad * (0.25 + play / 2.0);
            (at_pitch + involute(self.pitch_m) - involute(rho)).clamp(0.02 * pitch_rad, 0.48 * pitch_rad)
        };
        let (root_m, tip_m) = (self.pitch_m - self.dedendum_m, self.pitch_m + self.addendum_m);
        let flank = |step: u32| root_m + (tip_m - root_m) * f64::from(step) / f64::from(FLANK_POINTS - 1);
        let tooth = |index: u32| {
            let middle = phase_rad + pitch_rad * f64::from(index);
            let up = (0..FLANK_POINTS).map(move |step| [flank(step), middle - half_rad(flank(step))]);
            let down = (0..FLANK_POINTS).rev().map(move |step| [flank(step), middle + half_rad(flank(step))]);
            std::iter::once([root_m, middle - 0.5 * pitch_rad]).chain(up).chain([[tip_m, middle]]).chain(down)
        };
        (0..self.count).flat_map(tooth).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How deep teeth of one gear are inside those of another: the least distance from the other's outline, for points that
    /// are inside it.
    fn inside(outline: &[Polar], point: [f64; 2]) -> bool {
        let xy: Vec<[f64; 2]> = outline.iter().map(|[rho, phi]| [rho * phi.cos(), rho * phi.sin()]).collect();
        let mut odd = false;
        for (a, b) in xy.iter().zip(xy.iter().cycle().skip(1)) {
            if (a[1] > point[1]) != (b[1] > point[1]) && point[0] < (b[0] - a[0]) * (point[1] - a[1]) / (b[1] - a[1]) + a[0] {
                odd = !odd;
            }
        }
        odd
    }

    #[test]
    fn an_outline_has_its_teeth_and_a_gear_fits_into_its_own_hole() {
        let teeth = Teeth::new(24, 0.024);
        let (gear, hole) = (teeth.external(0.1), teeth.internal(0.1 + PI / 24.0));
        assert_eq!(gear.len(), 24 * 10);
        let highest = gear.iter().map(|[rho, _]| *rho).fold(0.0, f64::max);
        assert!((highest - 0.026).abs() < 1e-12);
        let pushed = gear.iter().filter(|[rho, phi]| !inside(&hole, [rho * 0.999 * phi.cos(), rho * 0.999 * phi.sin()])).count();
        // Tips of the gear end before the root of the hole, flanks leave a play.
        assert_eq!(pushed, 0, "of {} points", gear.len());
        assert!(gear.windows(2).all(|pair| pair[1][1] > pair[0][1] - 1e-12), "angles never go back");
    }
}
