//! Robot descriptions: URDF to a kinematic tree, forward kinematics, drives, cameras and named poses.
//!
//! [`simulate`] adds what real drives do besides. Everything is f64 and SI (metres, radians, kilograms), right-handed, z up, x forward. The crate knows none of the
//! other `sanqu_*` crates: positions come in as `&[f64]` in the order of [`RobotModel::joints`], poses go out as
//! [`LinkPoses`].
//!
//! ```
//! use nalgebra::Isometry3;
//! use sanqu_robot::{LinkPoses, RobotModel};
//!
//! let model = RobotModel::from_urdf_str(
//!     r#"<robot name="hinge">
//!          <link name="base"/>
//!          <link name="arm"/>
//!          <joint name="j" type="revolute">
//!            <parent link="base"/><child link="arm"/><origin xyz="0 0 1"/><axis xyz="0 1 0"/>
//!            <limit lower="-1" upper="1" velocity="1" effort="1"/>
//!          </joint>
//!        </robot>"#,
//! )?;
//! let mut poses = LinkPoses::default();
//! model.link_poses(&[0.5], &Isometry3::identity(), &mut poses)?;
//! assert_eq!(poses[1].translation.z, 1.0);
//! # Ok::<(), sanqu_robot::RobotError>(())
//! ```

mod assign;
mod check;
mod drive;
mod electric;
mod encoder;
mod error;
mod health;
mod linkage;
mod mesh;
mod model;
mod part;
mod places;
mod reducer;
mod shape;
pub mod simulate;
mod table;
mod train;
mod urdf;

pub use assign::parse_q;
pub use check::{CheckIssue, CheckReport, Severity, check_description};
pub use drive::{Drive, ReducerKind};
pub use electric::{CurrentConvention, Electric};
pub use encoder::{Encoder, EncoderSide, step_rad, turns_ambiguous_beyond_rad, turns_from_joint, unwraps, windup_sigma_rad};
pub use error::RobotError;
pub use health::{
    Answer, COPPER_PER_K, Calibration, DRIVE_SAMPLES_MAX, Doubt, DriveFigures, DriveHealth, DriveSample, DriveSamples, Estimate,
    FOOTPRINT_HARMONICS, Footprint, HealthQuantity, HeatPath, LifeRule, Missing, OrderAmplitude, Quadrant, RATIO_TOLERANCE, REGIONS,
    RatioFit, RatioSamples, RatioVerdict, Refusal, Torsion, Trend, Usage, beat_turns, direction_split, efficiency, efficiency_of,
    fit_ratio, nearest_turn, orders_condition, rise_per_watt, temperature_rise, torsion, transmission_error, trend, usage,
    winding_resistance_ohm, windup, windup_scatter,
};
pub use linkage::{
    AnkleLeg, Assembly, COND_MAX, CrankAnkle, CrankSlider, FourBar, ITERATIONS_MAX, LinearAnkle, LinearLeg, LinkageKind, Parallelogram,
    RESIDUAL_M2, SolvedPose, Universal, condition,
};
pub use model::{Joint, JointKind, LimitViolation, Link, LinkPoses, Mimic, RobotModel};
pub use reducer::{
    Arrangement, Cycloid, FixedMember, Flexspline, FlexsplinePoint, LifeRating, Planetary, PlanetaryStage, RollerScrew, STAGES_MAX,
    ScrewDesign, ScrewMotion, SplineAngles, Splines, StageAngles, Stiffness, StrainWave, dead_band_torque, efficiency_at_load,
};
pub use shape::{Shape, Visual};
pub use table::{CameraMount, DriveTable, Pose};
pub use train::{Apparent, Bars, DriveState, Drivetrain, GearState, readable_joint_rate};
