use std::f64::consts::TAU;

use serde::Deserialize;

use crate::part::{Part, Range, Row};

/// How far the number of starts may be from what the diameters ask for.
const STARTS_TOLERANCE: f64 = 1e-6;

/// Which part of a planetary roller screw the rotor turns, and with which part the rollers stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScrewDesign {
    /// The screw turns, the nut slides, rollers stay with the nut: starts `k + 2`, rollers threaded like the screw.
    Standard,
    /// The nut (the rotor) turns, the screw (the rod) slides, rollers stay with the screw: starts `k`, rollers of opposite hand.
    Inverted,
}

/// A planetary roller screw with a right-hand thread: a positive turn of the screw moves the nut along +x.
///
/// Source: rolling of the carrier (nut as ring gear) and thread phases, `docs/drives.md`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollerScrew {
    /// What turns and what slides.
    pub design: ScrewDesign,
    /// Axial distance of neighbouring threads, m.
    pub pitch_m: f64,
    /// Starts of screw and nut; rollers have one.
    pub starts: u32,
    /// Number of rollers.
    pub rollers: u32,
    /// Pitch radius of the screw over that of a roller, k.
    pub screw_over_roller: f64,
    /// Pitch diameter of the screw, m.
    pub screw_diameter_m: Option<f64>,
    /// Travel from end to end, m.
    pub stroke_m: Option<f64>,
    /// Axial play, m.
    pub axial_play_m: Option<f64>,
    /// Dynamic load rating, N.
    pub dynamic_load_n: Option<f64>,
    /// Friction coefficient of the thread.
    pub friction: Option<f64>,
    /// Names of the fields above that no public text gives.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

/// Where everything in a roller screw is; angles in rad about the screw's axis, positions along it in m.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ScrewMotion {
    /// Screw.
    pub screw_rad: f64,
    /// Nut.
    pub nut_rad: f64,
    /// Carrier: the rollers' orbit.
    pub orbit_rad: f64,
    /// Rollers' spin, absolute. Nominal: slip makes real rollers lag.
    pub roller_rad: f64,
    /// Nut against screw.
    pub nut_travel_m: f64,
    /// Rollers against screw.
    pub roller_from_screw_m: f64,
    /// Rollers against nut.
    pub roller_from_nut_m: f64,
}

impl ScrewMotion {
    /// The rollers' spin seen from the carrier.
    pub fn roller_in_carrier_rad(&self) -> f64 {
        self.roller_rad - self.orbit_rad
    }
}

impl RollerScrew {
    /// Travel per turn, m.
    pub fn lead_m(&self) -> f64 {
        self.pitch_m * f64::from(self.starts)
    }

    /// Rotor angle per length of the actuator, rad/m.
    pub fn reduction(&self) -> f64 {
        TAU / self.lead_m()
    }

    /// Everything for the angles of screw and nut.
    pub fn motion(&self, screw_rad: f64, nut_rad: f64) -> ScrewMotion {
        let (k, starts) = (self.screw_over_roller, f64::from(self.starts));
        let hand = if self.design == ScrewDesign::Standard { 1.0 } else { -1.0 };
        let orbit_rad = (k * screw_rad + (k + 2.0) * nut_rad) / (2.0 * k + 2.0);
        let pitch_per_rad = self.pitch_m / TAU;
        ScrewMotion {
            screw_rad,
            nut_rad,
            orbit_rad,
            roller_rad: orbit_rad - k * (screw_rad - orbit_rad),
            nut_travel_m: self.lead_m() / TAU * (screw_rad - nut_rad),
            roller_from_screw_m: pitch_per_rad * (starts + hand * k) * (screw_rad - orbit_rad),
            roller_from_nut_m: pitch_per_rad * (starts - hand * (k + 2.0)) * (nut_rad - orbit_rad),
        }
    }

    /// Everything for the angle of the rotor: the screw of a standard design, the nut of an inverted one.
    pub fn motion_of_rotor(&self, rotor_rad: f64) -> ScrewMotion {
        match self.design {
            ScrewDesign::Standard => self.motion(rotor_rad, 0.0),
            ScrewDesign::Inverted => self.motion(0.0, rotor_rad),
        }
    }

    /// Life that 90 % reach under a mean axial force, revolutions: `(C/F)³ 10⁶`. Strokes under 1.5 nut lengths shorten it.
    pub fn l10_turns(&self, mean_force_n: f64) -> Option<f64> {
        Some((self.dynamic_load_n? / mean_force_n).powi(3) * 1e6)
    }

    /// Efficiency (driving, back-driven) of the thread with its friction: `tan λ/tan(λ+ρ)` and `tan(λ−ρ)/tan λ`; the second
    /// is 0 or less where the screw holds by itself.
    pub fn efficiency(&self) -> Option<(f64, f64)> {
        let lead_angle = (self.lead_m() / (std::f64::consts::PI * self.screw_diameter_m?)).atan();
        let friction_angle = self.friction?.atan();
        Some((lead_angle.tan() / (lead_angle + friction_angle).tan(), (lead_angle - friction_angle).tan() / lead_angle.tan()))
    }
}

impl Part for RollerScrew {
    fn rows(&self) -> Vec<Row> {
        use Range::{Above0, AtLeast0};
        vec![
            ("pitch_m", Some(self.pitch_m), Above0),
            ("starts", Some(f64::from(self.starts)), Above0),
            ("rollers", Some(f64::from(self.rollers)), Above0),
            ("screw_over_roller", Some(self.screw_over_roller), Above0),
            ("screw_diameter_m", self.screw_diameter_m, Above0),
            ("stroke_m", self.stroke_m, Above0),
            ("axial_play_m", self.axial_play_m, AtLeast0),
            ("dynamic_load_n", self.dynamic_load_n, Above0),
            ("friction", self.friction, AtLeast0),
        ]
    }

    fn other_names(&self) -> &'static [&'static str] {
        &["design"]
    }

    fn evidence(&self) -> (&[String], &str) {
        (&self.assumed, &self.source)
    }

    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let (expected, rule) = match self.design {
            ScrewDesign::Standard => (self.screw_over_roller + 2.0, "screw_over_roller + 2 for the standard design"),
            ScrewDesign::Inverted => (self.screw_over_roller, "screw_over_roller for the inverted design"),
        };
        if (f64::from(self.starts) - expected).abs() <= STARTS_TOLERANCE {
            return Vec::new();
        }
        vec![("starts", format!("starts is {}, expected {expected}: {rule}, else the rollers wander along the thread", self.starts))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screw() -> RollerScrew {
        RollerScrew {
            design: ScrewDesign::Standard,
            pitch_m: 0.0004,
            starts: 5,
            rollers: 9,
            screw_over_roller: 3.0,
            screw_diameter_m: Some(0.012),
            stroke_m: None,
            axial_play_m: None,
            dynamic_load_n: None,
            friction: Some(0.01),
            assumed: Vec::new(),
            source: "test".to_owned(),
        }
    }

    #[test]
    fn efficiency_of_the_published_example() {
        let (driving, back) = screw().efficiency().unwrap();
        assert!((driving - 0.841).abs() < 5e-4 && back > 0.8 && back < driving, "{driving} {back}");
        // 3900 N through a lead of 2 mm.
        let torque = 3900.0 * screw().lead_m() / (TAU * driving);
        assert!((torque - 1.476).abs() < 5e-4, "{torque}");
    }

    #[test]
    fn wrong_starts_are_refused() {
        assert_eq!(screw().contradictions(), []);
        let inverted = RollerScrew { design: ScrewDesign::Inverted, ..screw() };
        assert!(inverted.contradictions()[0].1.contains("starts is 5, expected 3"), "{:?}", inverted.contradictions());
    }

    #[test]
    fn rollers_stay_with_their_part_whatever_turns() {
        let standard = screw().motion(3.0, -1.0);
        assert!(standard.roller_from_nut_m.abs() < 1e-15);
        assert!((standard.roller_from_screw_m - standard.nut_travel_m).abs() < 1e-15, "{standard:?}");
        let inverted = RollerScrew { design: ScrewDesign::Inverted, starts: 3, ..screw() }.motion(3.0, -1.0);
        assert!(inverted.roller_from_screw_m.abs() < 1e-15);
        assert!((inverted.roller_from_nut_m + inverted.nut_travel_m).abs() < 1e-15, "{inverted:?}");
    }
}
