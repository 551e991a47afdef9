//! Reducers: what a rotor's turn becomes at the output, and the angles of everything between.
//!
//! All relations are homogeneous and linear, so each function serves angles (rad) and rates (rad/s) alike. Angles count
//! counter-clockwise about the output's axis.

mod cycloid;
mod flexspline;
mod life;
mod planetary;
mod roller_screw;
mod strain_wave;
mod torsion;

pub use cycloid::Cycloid;
pub use flexspline::{Flexspline, FlexsplinePoint};
pub use life::{LifeRating, efficiency_at_load};
pub use planetary::{FixedMember, Planetary, PlanetaryStage, STAGES_MAX, StageAngles};
pub use roller_screw::{RollerScrew, ScrewDesign, ScrewMotion};
pub use strain_wave::{Arrangement, SplineAngles, Splines, StrainWave};
pub use torsion::{Stiffness, dead_band_torque};
