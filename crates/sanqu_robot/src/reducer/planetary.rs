use std::f64::consts::{PI, TAU};

use serde::Deserialize;

use crate::part::{Part, Range, Row};

/// Most stages in series that a description may have.
pub const STAGES_MAX: usize = 3;

/// Which member of a planetary stage stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixedMember {
    /// Ring fixed, sun in, carrier out: `1 + z_r/z_s`.
    #[default]
    Ring,
    /// Carrier fixed, sun in, ring out: `−z_r/z_s`.
    Carrier,
    /// Sun fixed, ring in, carrier out: `1 + z_s/z_r`.
    Sun,
}

/// One planetary stage.
///
/// Willis: `z_s (ω_s − ω_c) + z_r (ω_r − ω_c) = 0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanetaryStage {
    /// Teeth of the sun.
    pub sun: u32,
    /// Teeth of a planet.
    pub planet: u32,
    /// Teeth of the ring: `sun + 2 planet`.
    pub ring: u32,
    /// Number of planets.
    pub planets: u32,
    /// Which member stands still.
    #[serde(default)]
    pub fixed: FixedMember,
}

/// Angles (or rates) of one stage about its axis; planets about their own axes, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StageAngles {
    /// Sun, rad.
    pub sun: f64,
    /// Ring, rad.
    pub ring: f64,
    /// Carrier, which the planets' centres orbit with, rad.
    pub carrier: f64,
    /// Planets, absolute, rad.
    pub planet: f64,
}

impl StageAngles {
    /// The planets' spin seen from the carrier.
    pub fn planet_in_carrier(&self) -> f64 {
        self.planet - self.carrier
    }
}

impl PlanetaryStage {
    /// Input over output, signed.
    pub fn reduction(&self) -> f64 {
        let (sun, ring) = (f64::from(self.sun), f64::from(self.ring));
        match self.fixed {
            FixedMember::Ring => 1.0 + ring / sun,
            FixedMember::Carrier => -ring / sun,
            FixedMember::Sun => 1.0 + sun / ring,
        }
    }

    /// All members from sun and ring.
    pub fn angles(&self, sun: f64, ring: f64) -> StageAngles {
        let (sun_teeth, ring_teeth) = (f64::from(self.sun), f64::from(self.ring));
        self.with_carrier(sun, ring, (sun_teeth * sun + ring_teeth * ring) / (sun_teeth + ring_teeth))
    }

    /// All members for an input angle, the fixed member at 0.
    pub fn angles_of_input(&self, input: f64) -> StageAngles {
        match self.fixed {
            FixedMember::Ring => self.angles(input, 0.0),
            FixedMember::Carrier => self.with_carrier(input, input / self.reduction(), 0.0),
            FixedMember::Sun => self.angles(0.0, input),
        }
    }

    /// The output member's angle.
    pub fn output(&self, angles: &StageAngles) -> f64 {
        if self.fixed == FixedMember::Carrier { angles.ring } else { angles.carrier }
    }

    /// Tooth engagements per second of sun and planets for rates in rad/s, Hz.
    pub fn mesh_frequency_hz(&self, rates: &StageAngles) -> f64 {
        (rates.sun - rates.carrier).abs() * f64::from(self.sun) / TAU
    }

    /// Teeth left over when sun and ring are shared among `planets` planets; equal spacing needs 0.
    pub fn spacing_remainder(&self, planets: u32) -> u32 {
        (self.sun + self.ring).checked_rem(planets).unwrap_or(self.sun + self.ring)
    }

    fn with_carrier(&self, sun: f64, ring: f64, carrier: f64) -> StageAngles {
        let planet = carrier - (sun - carrier) * f64::from(self.sun) / f64::from(self.planet);
        StageAngles { sun, ring, carrier, planet }
    }

    fn contradiction(&self) -> Option<String> {
        let Self { sun, planet, ring, planets, .. } = *self;
        if [sun, planet, ring, planets].iter().any(|count| *count == 0 || *count > TEETH_MAX) {
            return Some(format!("sun {sun}, planet {planet}, ring {ring}, planets {planets}: expected 1 to {TEETH_MAX} each"));
        }
        if ring != sun + 2 * planet {
            return Some(format!("ring is {ring}, expected sun + 2 planet = {}", sun + 2 * planet));
        }
        if self.spacing_remainder(planets) != 0 {
            return Some(format!(
                "{planets} planets cannot be spaced equally: (sun + ring)/planets = {}/{planets} is no whole number",
                sun + ring
            ));
        }
        let room = f64::from(sun + planet) * (PI / f64::from(planets)).sin();
        (planets > 1 && room <= f64::from(planet) + 2.0)
            .then(|| format!("{planets} planets of {planet} teeth touch each other around a sun of {sun}"))
    }
}

/// Most teeth of a gear and planets of a stage.
const TEETH_MAX: u32 = 10_000;

/// One or more planetary stages in series, the motor's first.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planetary {
    /// The stages, the motor's first; 1 to [`STAGES_MAX`].
    pub stages: Vec<PlanetaryStage>,
    /// Play of each stage at its own output, rad; empty where unknown.
    #[serde(default)]
    pub stage_backlash_rad: Vec<f64>,
    /// Stiffness of each stage at its own output, N·m/rad; empty where unknown.
    #[serde(default)]
    pub stage_stiffness_nm_per_rad: Vec<f64>,
    /// Efficiency of each stage; empty where unknown.
    #[serde(default)]
    pub stage_efficiency: Vec<f64>,
    /// Names of the fields above that no public text gives.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

impl Planetary {
    /// Motor over output, signed: the product of the stages.
    pub fn reduction(&self) -> f64 {
        self.stages.iter().map(PlanetaryStage::reduction).product()
    }

    /// Play at the output: each stage's own, divided by what follows (`b2 + b1/i2`), rad. `None` where unknown.
    pub fn backlash_rad(&self) -> Option<f64> {
        self.at_output(&self.stage_backlash_rad, |own, following| own / following).map(|parts| parts.into_iter().sum())
    }

    /// Stiffness at the output: `1/K = 1/K2 + 1/(K1 i2²)`, N·m/rad. `None` where unknown.
    pub fn stiffness_nm_per_rad(&self) -> Option<f64> {
        let parts = self.at_output(&self.stage_stiffness_nm_per_rad, |own, following| 1.0 / (own * following * following))?;
        Some(1.0 / parts.into_iter().sum::<f64>())
    }

    /// Efficiency: the product of the stages. `None` where unknown.
    pub fn efficiency(&self) -> Option<f64> {
        self.at_output(&self.stage_efficiency, |own, _| own).map(|parts| parts.into_iter().product())
    }

    /// Each stage's number seen at the output, `following` being the magnitude of the reduction after that stage.
    fn at_output(&self, values: &[f64], seen: impl Fn(f64, f64) -> f64) -> Option<Vec<f64>> {
        if values.len() != self.stages.len() || values.is_empty() {
            return None;
        }
        let mut following = 1.0;
        let mut out = Vec::new();
        for (stage, value) in self.stages.iter().zip(values).rev() {
            out.push(seen(*value, following));
            following *= stage.reduction().abs();
        }
        Some(out)
    }
}

impl Part for Planetary {
    fn rows(&self) -> Vec<Row> {
        let each = |name, values: &[f64], range| values.iter().map(|value| (name, Some(*value), range)).collect::<Vec<Row>>();
        [
            each("stage_backlash_rad", &self.stage_backlash_rad, Range::AtLeast0),
            each("stage_stiffness_nm_per_rad", &self.stage_stiffness_nm_per_rad, Range::Above0),
            each("stage_efficiency", &self.stage_efficiency, Range::Share),
        ]
        .concat()
    }

    fn other_names(&self) -> &'static [&'static str] {
        &["stages", "stage_backlash_rad", "stage_stiffness_nm_per_rad", "stage_efficiency"]
    }

    fn evidence(&self) -> (&[String], &str) {
        (&self.assumed, &self.source)
    }

    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.stages.is_empty() || self.stages.len() > STAGES_MAX {
            found.push(("stages", format!("{} stages, expected 1 to {STAGES_MAX}", self.stages.len())));
        }
        for (number, reason) in self.stages.iter().enumerate().filter_map(|(index, stage)| Some((index + 1, stage.contradiction()?))) {
            found.push(("stages", format!("stage {number}: {reason}")));
        }
        let lists = [
            ("stage_backlash_rad", self.stage_backlash_rad.len()),
            ("stage_stiffness_nm_per_rad", self.stage_stiffness_nm_per_rad.len()),
            ("stage_efficiency", self.stage_efficiency.len()),
        ];
        for (name, length) in lists.into_iter().filter(|(_, length)| *length != 0 && *length != self.stages.len()) {
            found.push((name, format!("{name} has {length} values for {} stages", self.stages.len())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Planetary {
        let stage = |sun, planet, ring, planets| PlanetaryStage { sun, planet, ring, planets, fixed: FixedMember::Ring };
        Planetary {
            stages: vec![stage(12, 24, 60, 3), stage(24, 12, 48, 3)],
            stage_backlash_rad: vec![0.003, 0.001],
            stage_stiffness_nm_per_rad: vec![1000.0, 9000.0],
            stage_efficiency: vec![0.97, 0.96],
            assumed: Vec::new(),
            source: "test".to_owned(),
        }
    }

    #[test]
    fn two_stages_multiply_and_their_losses_are_seen_at_the_output() {
        let gear = two();
        assert_eq!(gear.reduction(), 18.0);
        assert!((gear.backlash_rad().unwrap() - (0.001 + 0.003 / 3.0)).abs() < 1e-15);
        assert!((gear.stiffness_nm_per_rad().unwrap() - 1.0 / (1.0 / 9000.0 + 1.0 / (1000.0 * 9.0))).abs() < 1e-9);
        assert!((gear.efficiency().unwrap() - 0.97 * 0.96).abs() < 1e-15);
        assert_eq!(gear.contradictions(), []);
    }

    #[test]
    fn every_fixed_member_obeys_willis_and_its_own_reduction() {
        for fixed in [FixedMember::Ring, FixedMember::Carrier, FixedMember::Sun] {
            let stage = PlanetaryStage { fixed, ..two().stages[0] };
            let angles = stage.angles_of_input(2.5);
            let willis = 12.0 * (angles.sun - angles.carrier) + 60.0 * (angles.ring - angles.carrier);
            assert!(willis.abs() < 1e-12, "{fixed:?}: {willis}");
            assert!((stage.output(&angles) * stage.reduction() - 2.5).abs() < 1e-12, "{fixed:?}: {angles:?}");
            // A planet rolls on both gears: equal speeds at both contacts.
            let at_ring = 60.0 * (angles.ring - angles.carrier) - 24.0 * angles.planet_in_carrier();
            assert!(at_ring.abs() < 1e-12, "{fixed:?}: slips by {at_ring}");
        }
    }

    fn refused(sun: u32, planet: u32, ring: u32, planets: u32, part: &str) {
        let gear = Planetary { stages: vec![PlanetaryStage { sun, planet, ring, planets, fixed: FixedMember::Ring }], ..two() };
        let found = gear.contradictions();
        assert!(found.iter().any(|(_, reason)| reason.contains(part)), "{found:?}");
    }

    #[test]
    fn impossible_stages_are_refused() {
        refused(12, 24, 61, 3, "ring is 61, expected sun + 2 planet = 60");
        refused(13, 24, 61, 3, "cannot be spaced equally");
        refused(12, 24, 60, 4, "touch each other");
        refused(0, 24, 48, 3, "expected 1 to");
        refused(12, 24, 60, 3, "stage_efficiency has 2 values for 1 stages");
    }
}
