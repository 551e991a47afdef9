use std::f64::consts::TAU;

use crate::reducer::Splines;

/// The elastic ring of a two-wave strain-wave gear, for drawing.
///
/// Inextensible-ring theory of first order: with ψ = φ − θ_w, φ the lab angle of a material point of the undeformed ring,
///
/// ```text
/// w(φ) = w0 cos 2ψ                 radial, outward +
/// v(φ) = −(w0/2) sin 2ψ            tangential, counter-clockwise +
/// β(φ) = (3/2)(w0/r0) sin 2ψ       rotation of the normal (tooth tilt)
/// point = (r0 + w) at the polar angle φ + v/r0
/// ```
///
/// `w0 = r0/R` follows from no slip at the major axis; what slips is of second order, see [`Self::slip_at_major_axis`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flexspline {
    radius_m: f64,
    deflection_m: f64,
    teeth: f64,
    reduction: f64,
}

/// One material point of the deformed ring.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FlexsplinePoint {
    /// Radial displacement, outward positive, m.
    pub radial_m: f64,
    /// Tangential displacement, counter-clockwise positive, m.
    pub tangential_m: f64,
    /// Rotation of the ring's normal, hence of the tooth, rad.
    pub normal_rotation_rad: f64,
    /// Position across the axis, m.
    pub xy_m: [f64; 2],
}

impl Flexspline {
    /// The ring of pitch radius `radius_m` (undeformed) of a pair of splines.
    pub fn new(radius_m: f64, splines: Splines) -> Self {
        let reduction = splines.ratio();
        Self { radius_m, deflection_m: radius_m / reduction, teeth: f64::from(splines.flexspline_teeth()), reduction }
    }

    /// The same ring with its deflection enlarged, so that a drawing shows it. 8 to 15 is readable; print the factor.
    pub fn exaggerated(self, factor: f64) -> Self {
        Self { deflection_m: self.deflection_m * factor, ..self }
    }

    /// Pitch radius of the undeformed ring, m.
    pub fn radius_m(&self) -> f64 {
        self.radius_m
    }

    /// Radial deflection at the major axis `w0`, m.
    pub fn deflection_m(&self) -> f64 {
        self.deflection_m
    }

    /// Tooth `index` with the wave generator at `wave_generator_rad` and the material at `flexspline_rad`.
    pub fn tooth(&self, wave_generator_rad: f64, flexspline_rad: f64, index: u32) -> FlexsplinePoint {
        self.point(wave_generator_rad, flexspline_rad + TAU * f64::from(index) / self.teeth)
    }

    /// The material point whose lab angle is `material_rad` in the undeformed ring.
    pub fn point(&self, wave_generator_rad: f64, material_rad: f64) -> FlexsplinePoint {
        let (sine, cosine) = (2.0 * (material_rad - wave_generator_rad)).sin_cos();
        let radial_m = self.deflection_m * cosine;
        let tangential_m = -0.5 * self.deflection_m * sine;
        let (y, x) = (material_rad + tangential_m / self.radius_m).sin_cos();
        let reach = self.radius_m + radial_m;
        FlexsplinePoint {
            radial_m,
            tangential_m,
            normal_rotation_rad: 1.5 * self.deflection_m / self.radius_m * sine,
            xy_m: [reach * x, reach * y],
        }
    }

    /// Tangential speed of the material at the major axis against a fixed circular spline, per rate of the wave generator, m.
    ///
    /// Zero to first order in w0/r0: `(r0 + w0)(−1/R + (1 + 1/R) w0/r0)`.
    pub fn slip_at_major_axis(&self) -> f64 {
        let (r0, w0, per) = (self.radius_m, self.deflection_m, 1.0 / self.reduction);
        (r0 + w0) * ((1.0 + per) * w0 / r0 - per)
    }

    /// Length of the deformed ring over that of the undeformed one, by the trapezoidal rule (exact to rounding for a
    /// smooth closed curve).
    pub fn perimeter_ratio(&self) -> f64 {
        const STEPS: u32 = 512;
        let (r0, w0) = (self.radius_m, self.deflection_m);
        let length: f64 = (0..STEPS)
            .map(|step| {
                let (sine, cosine) = (2.0 * TAU * f64::from(step) / f64::from(STEPS)).sin_cos();
                let along = (r0 + w0 * cosine) * (1.0 - w0 * cosine / r0);
                along.hypot(2.0 * w0 * sine)
            })
            .sum();
        length / f64::from(STEPS) / r0
    }
}
