use serde::Deserialize;

use crate::part::{Part, Range, Row};
use crate::reducer::{Flexspline, LifeRating, Stiffness};

/// Which part of a strain-wave gear stands still, and which one is driven: it decides between R and R + 1 and the sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrangement {
    /// Circular spline fixed, wave generator in, flexspline out: ratio R, output against the motor.
    CsFixed,
    /// Flexspline fixed, wave generator in, circular spline out: ratio R + 1, output with the motor.
    FsFixed,
    /// Wave generator fixed, flexspline in, circular spline out: ratio (R + 1)/R.
    WgFixedFsIn,
    /// Wave generator fixed, circular spline in, flexspline out: ratio R/(R + 1).
    WgFixedCsIn,
}

/// Teeth of the two meshing splines of a two-wave strain-wave gear.
///
/// Mesh: `z_f (ω_f − ω_w) = z_c (ω_c − ω_w)`, valid for the rigid-body (mean) motion.
///
/// Source: mesh constraint; the maker's manual uses the same negative ratio for a fixed circular spline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splines {
    flexspline: u32,
    circular: u32,
}

/// Angles (or rates) of the three coaxial members.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SplineAngles {
    /// Wave generator, rad.
    pub wave_generator: f64,
    /// Flexspline's material (its shape follows the wave generator), rad.
    pub flexspline: f64,
    /// Circular spline, rad.
    pub circular_spline: f64,
}

impl Splines {
    /// `None` unless the circular spline has more teeth than the flexspline and that has some.
    pub fn new(flexspline: u32, circular: u32) -> Option<Self> {
        (flexspline > 0 && circular > flexspline).then_some(Self { flexspline, circular })
    }

    /// The splines of a catalogue ratio R: `z_f = R d`, `z_c = R d + d` for a tooth difference d (2 for two waves).
    pub fn from_ratio(ratio: u32, tooth_difference: u32) -> Option<Self> {
        let flexspline = ratio.checked_mul(tooth_difference)?;
        Self::new(flexspline, flexspline.checked_add(tooth_difference)?)
    }

    /// Teeth of the flexspline.
    pub fn flexspline_teeth(self) -> u32 {
        self.flexspline
    }

    /// Teeth of the circular spline.
    pub fn circular_spline_teeth(self) -> u32 {
        self.circular
    }

    /// `R = z_f / (z_c − z_f)`.
    pub fn ratio(self) -> f64 {
        f64::from(self.flexspline) / f64::from(self.circular - self.flexspline)
    }

    /// Input over output, signed: −R, R + 1, (R + 1)/R or R/(R + 1).
    pub fn reduction(self, arrangement: Arrangement) -> f64 {
        let (flexspline, circular) = (f64::from(self.flexspline), f64::from(self.circular));
        match arrangement {
            Arrangement::CsFixed => -flexspline / (circular - flexspline),
            Arrangement::FsFixed => circular / (circular - flexspline),
            Arrangement::WgFixedFsIn => circular / flexspline,
            Arrangement::WgFixedCsIn => flexspline / circular,
        }
    }

    /// The flexspline's motion from the two others.
    pub fn flexspline(self, wave_generator: f64, circular_spline: f64) -> f64 {
        wave_generator + f64::from(self.circular) / f64::from(self.flexspline) * (circular_spline - wave_generator)
    }

    /// The circular spline's motion from the two others.
    pub fn circular_spline(self, wave_generator: f64, flexspline: f64) -> f64 {
        wave_generator + f64::from(self.flexspline) / f64::from(self.circular) * (flexspline - wave_generator)
    }

    /// The wave generator's motion from the two others.
    pub fn wave_generator(self, flexspline: f64, circular_spline: f64) -> f64 {
        let (f, c) = (f64::from(self.flexspline), f64::from(self.circular));
        (c * circular_spline - f * flexspline) / (c - f)
    }

    /// All three members for an input angle, the fixed one at 0.
    pub fn angles(self, arrangement: Arrangement, input: f64) -> SplineAngles {
        let output = input / self.reduction(arrangement);
        let (wave_generator, flexspline, circular_spline) = match arrangement {
            Arrangement::CsFixed => (input, output, 0.0),
            Arrangement::FsFixed => (input, 0.0, output),
            Arrangement::WgFixedFsIn => (0.0, input, output),
            Arrangement::WgFixedCsIn => (0.0, output, input),
        };
        SplineAngles { wave_generator, flexspline, circular_spline }
    }

    /// Teeth that the flexspline falls back against the circular spline in one turn of the wave generator.
    pub fn tooth_shift_per_turn(self) -> f64 {
        f64::from(self.circular) - f64::from(self.flexspline)
    }
}

/// A strain-wave gear of a drive table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrainWave {
    /// Teeth of the flexspline.
    pub flexspline_teeth: u32,
    /// Teeth of the circular spline.
    pub circular_spline_teeth: u32,
    /// The maker's series and size, for instance "CSF-20-100".
    pub model: Option<String>,
    /// Pitch radius of the undeformed flexspline, m.
    pub pitch_radius_m: Option<f64>,
    /// Piecewise torsional stiffness at the output.
    pub stiffness: Option<Stiffness>,
    /// Width of the twist loop at zero torque after cycles of the rated torque, rad.
    pub hysteresis_rad: Option<f64>,
    /// Greatest positive plus greatest negative transmission error over an output turn, rad.
    pub accuracy_rad: Option<f64>,
    /// Twist between about ±4 % of the rated torque, rad.
    pub lost_motion_rad: Option<f64>,
    /// Rated output torque at the rated input speed, N·m.
    pub rated_torque_nm: Option<f64>,
    /// Input speed of the ratings, rad/s (2000 rpm in catalogues).
    pub rated_input_speed_rad_per_s: Option<f64>,
    /// Limit for repeated peak torque, N·m.
    pub repeated_peak_torque_nm: Option<f64>,
    /// Limit for average torque, N·m.
    pub average_torque_nm: Option<f64>,
    /// Limit for momentary peak torque, N·m.
    pub momentary_torque_nm: Option<f64>,
    /// Torque at which teeth skip, N·m.
    pub ratcheting_torque_nm: Option<f64>,
    /// Torque at which the flexspline buckles, N·m.
    pub buckling_torque_nm: Option<f64>,
    /// Life that 90 % reach at rated torque and speed, h (the wave generator's bearing).
    pub l10_h: Option<f64>,
    /// Inertia at the input, kg·m².
    pub input_inertia_kg_m2: Option<f64>,
    /// Names of the fields above that no public text gives.
    #[serde(default)]
    pub assumed: Vec<String>,
    /// Where the other fields come from.
    pub source: String,
}

impl StrainWave {
    /// The meshing splines; `None` for impossible teeth, which a checked table does not have.
    pub fn splines(&self) -> Option<Splines> {
        Splines::new(self.flexspline_teeth, self.circular_spline_teeth)
    }

    /// The flexspline's shape for drawing, where the pitch radius is known.
    pub fn flexspline(&self) -> Option<Flexspline> {
        Some(Flexspline::new(self.pitch_radius_m?, self.splines()?))
    }

    /// What the life formula needs, where all of it is known.
    pub fn life_rating(&self) -> Option<LifeRating> {
        let (life_h, torque_nm, speed_rad_per_s) = (self.l10_h?, self.rated_torque_nm?, self.rated_input_speed_rad_per_s?);
        Some(LifeRating { life_h, torque_nm, speed_rad_per_s })
    }
}

impl Part for StrainWave {
    fn rows(&self) -> Vec<Row> {
        use Range::{Above0, AtLeast0};
        vec![
            ("flexspline_teeth", Some(f64::from(self.flexspline_teeth)), Above0),
            ("circular_spline_teeth", Some(f64::from(self.circular_spline_teeth)), Above0),
            ("pitch_radius_m", self.pitch_radius_m, Above0),
            ("hysteresis_rad", self.hysteresis_rad, AtLeast0),
            ("accuracy_rad", self.accuracy_rad, AtLeast0),
            ("lost_motion_rad", self.lost_motion_rad, AtLeast0),
            ("rated_torque_nm", self.rated_torque_nm, Above0),
            ("rated_input_speed_rad_per_s", self.rated_input_speed_rad_per_s, Above0),
            ("repeated_peak_torque_nm", self.repeated_peak_torque_nm, Above0),
            ("average_torque_nm", self.average_torque_nm, Above0),
            ("momentary_torque_nm", self.momentary_torque_nm, Above0),
            ("ratcheting_torque_nm", self.ratcheting_torque_nm, Above0),
            ("buckling_torque_nm", self.buckling_torque_nm, Above0),
            ("l10_h", self.l10_h, Above0),
            ("input_inertia_kg_m2", self.input_inertia_kg_m2, AtLeast0),
        ]
    }

    fn other_names(&self) -> &'static [&'static str] {
        &["model", "stiffness"]
    }

    fn evidence(&self) -> (&[String], &str) {
        (&self.assumed, &self.source)
    }

    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let (flexspline, circular) = (self.flexspline_teeth, self.circular_spline_teeth);
        if flexspline > 0 && circular.checked_sub(flexspline).is_none_or(|more| more == 0 || more % 2 != 0) {
            let expected = "expected an even number more than the flexspline's, one tooth per wave and half turn";
            found
                .push(("circular_spline_teeth", format!("circular_spline_teeth is {circular}, flexspline_teeth {flexspline}: {expected}")));
        }
        if let Some(stiffness) = &self.stiffness
            && let Some(reason) = stiffness.contradiction()
        {
            found.push(("stiffness", reason));
        }
        let limits = [
            ("rated_torque_nm", self.rated_torque_nm),
            ("repeated_peak_torque_nm", self.repeated_peak_torque_nm),
            ("momentary_torque_nm", self.momentary_torque_nm),
        ];
        let given: Vec<(&'static str, f64)> = limits.into_iter().filter_map(|(name, limit)| Some((name, limit?))).collect();
        for pair in given.windows(2) {
            if let [(low_name, low), (high_name, high)] = *pair
                && low > high
            {
                found.push((high_name, format!("{high_name} is {high}, below {low_name} {low}")));
            }
        }
        found
    }
}
