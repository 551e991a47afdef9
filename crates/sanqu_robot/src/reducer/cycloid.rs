use serde::Deserialize;

use crate::part::{Part, Range, Row};

/// A cycloidal gear: a lobed disc that an eccentric rolls inside a ring of pins.
///
/// The same mesh as a strain-wave gear, `z_d (ω_d − ω_e) = z_p (ω_p − ω_e)`: the eccentric takes the wave generator's place,
/// the disc the flexspline's, the pins the circular spline's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycloid {
    /// Lobes of the disc.
    pub lobes: u32,
    /// Pins of the ring: usually one more.
    pub pins: u32,
    /// Offset of the disc's centre from the axis, m.
    pub eccentricity_m: Option<f64>,
    /// Names of the fields above that no public text gives.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

impl Cycloid {
    /// Eccentric over disc with the pins fixed, signed: `−z_d/(z_p − z_d)`.
    pub fn reduction(&self) -> f64 {
        -f64::from(self.lobes) / (f64::from(self.pins) - f64::from(self.lobes))
    }
}

impl Part for Cycloid {
    fn rows(&self) -> Vec<Row> {
        vec![
            ("lobes", Some(f64::from(self.lobes)), Range::Above0),
            ("pins", Some(f64::from(self.pins)), Range::Above0),
            ("eccentricity_m", self.eccentricity_m, Range::Above0),
        ]
    }

    fn evidence(&self) -> (&[String], &str) {
        (&self.assumed, &self.source)
    }

    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let reason = format!("pins is {}, expected more than the {} lobes", self.pins, self.lobes);
        if self.pins > self.lobes { Vec::new() } else { vec![("pins", reason)] }
    }
}
