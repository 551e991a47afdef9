//! What recorded motor and joint streams say about a drive.

mod ratio;

pub use ratio::{RATIO_TOLERANCE, RatioFit, RatioSamples, RatioVerdict, fit_ratio};
