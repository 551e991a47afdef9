use serde::Deserialize;

use crate::part::{Part, Range, Row};

/// What a current figure means: the same motor has constants that differ by √2 and √3 between these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurrentConvention {
    /// Quadrature current with amplitude-invariant transformation: the peak of a phase.
    QAxis,
    /// Root mean square of a phase.
    PhaseRms,
    /// Current of the supply.
    Supply,
    /// Not said.
    Unknown,
}

/// The electric motor of a drive, at its own shaft.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Electric {
    /// Torque at the rotor per current, N·m/A.
    pub torque_constant_nm_per_a: Option<f64>,
    /// What the currents of this drive mean.
    pub current: Option<CurrentConvention>,
    /// Pole pairs.
    pub pole_pairs: Option<u32>,
    /// Inertia of the rotor, kg·m².
    pub rotor_inertia_kg_m2: Option<f64>,
    /// Winding resistance between two phases at 20 °C, Ω.
    pub resistance_ohm: Option<f64>,
    /// Greatest speed of the rotor, rad/s.
    pub speed_limit_rad_per_s: Option<f64>,
    /// Greatest torque at the rotor, N·m.
    pub torque_limit_nm: Option<f64>,
    /// Greatest winding temperature, °C.
    pub temperature_limit_c: Option<f64>,
    /// Names of the fields above that no public text gives.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

impl Part for Electric {
    fn rows(&self) -> Vec<Row> {
        use Range::{Above0, Any, AtLeast0};
        vec![
            ("torque_constant_nm_per_a", self.torque_constant_nm_per_a, Above0),
            ("pole_pairs", self.pole_pairs.map(f64::from), Above0),
            ("rotor_inertia_kg_m2", self.rotor_inertia_kg_m2, AtLeast0),
            ("resistance_ohm", self.resistance_ohm, Above0),
            ("speed_limit_rad_per_s", self.speed_limit_rad_per_s, Above0),
            ("torque_limit_nm", self.torque_limit_nm, Above0),
            ("temperature_limit_c", self.temperature_limit_c, Any),
        ]
    }

    fn other_names(&self) -> &'static [&'static str] {
        &["current"]
    }

    fn evidence(&self) -> (&[String], &str) {
        (&self.assumed, &self.source)
    }
}
