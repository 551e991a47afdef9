//! What recorded motor and joint streams say about a drive.
//!
//! Samples go into [`DriveSamples`], what is known of the drive into [`DriveFigures`]; every estimator answers with an [`Estimate`]
//! (value, uncertainty, samples used, [`Doubt`]s) or a [`Refusal`]. Nothing here guesses: a number that the motion or the load
//! cannot tell is refused. Memory is that of the samples.

mod answer;
mod assess;
mod figures;
mod fit;
mod orders;
mod power;
mod ratio;
mod samples;
mod torsion;
mod trend;
mod windup;

pub use answer::{Answer, Doubt, Estimate, Missing, Refusal};
pub use assess::{DriveHealth, HealthQuantity};
pub use figures::{DriveFigures, LifeRule};
pub use orders::{OrderAmplitude, beat_turns, orders_condition, transmission_error};
pub use power::{
    COPPER_PER_K, HeatPath, Quadrant, Usage, efficiency, efficiency_of, rise_per_watt, temperature_rise, usage, winding_resistance_ohm,
};
pub use ratio::{RATIO_TOLERANCE, RatioFit, RatioSamples, RatioVerdict, fit_ratio};
pub use samples::{DRIVE_SAMPLES_MAX, DriveSample, DriveSamples, nearest_turn};
pub use torsion::{REGIONS, Torsion, torsion};
pub use trend::{Trend, trend};
pub use windup::{Calibration, FOOTPRINT_HARMONICS, Footprint, direction_split, windup, windup_scatter};
