use nalgebra::{Matrix2, Vector2};

use crate::drive::Drive;
use crate::linkage::{COND_MAX, CrankAnkle, CrankSlider, FourBar, LinearAnkle, LinkageKind, Universal, finite, inverse};
use crate::{RobotError, RobotModel};

/// The linkage between one or two outputs and as many joints.
#[derive(Debug, Clone)]
pub(crate) enum Coupling {
    Copy,
    Slider { slider: CrankSlider, zero_m: f64 },
    Bars(FourBar),
    Cranks(Box<CrankAnkle>),
    Actuators { ankle: Box<LinearAnkle>, zeros_m: [f64; 2] },
}

/// Outputs per joint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Jacobian {
    One { slope: f64, cond: f64 },
    Two(Matrix2<f64>),
}

impl Coupling {
    pub(crate) fn new(drive: &Drive, second: &Drive, model: &RobotModel, joints: [usize; 2]) -> Result<Self, RobotError> {
        let universal = |centre: [f64; 3]| {
            // The joints' own axes, so that any sign convention of the robot is honoured, in the shank's frame.
            let [(pitch_frame, pitch_axis), (roll_frame, roll_axis)] = joints.map(|joint| {
                let joint = &model.joints()[joint];
                (model.links()[joint.child].motion.parent_from_joint.rotation, joint.axis)
            });
            Universal { pitch_axis: pitch_frame * pitch_axis, roll_axis: pitch_frame * roll_frame * roll_axis, centre: centre.into() }
        };
        Ok(match (&drive.linkage, &second.linkage) {
            (LinkageKind::Direct | LinkageKind::Rod1To1 | LinkageKind::Parallelogram(_), _) => Self::Copy,
            (LinkageKind::CrankSlider(slider), _) => Self::Slider { slider: *slider, zero_m: slider.zero_length()? },
            (LinkageKind::FourBar(bars), _) => Self::Bars(*bars),
            (LinkageKind::ParallelAnkle(first), LinkageKind::ParallelAnkle(other)) => {
                Self::Cranks(Box::new(CrankAnkle::new(universal(first.ankle_centre_m), [*first, *other])?))
            }
            (LinkageKind::LinearAnkle(first), LinkageKind::LinearAnkle(other)) => {
                let legs = [first, other];
                let ankle = LinearAnkle::new(
                    universal(first.ankle_centre_m),
                    legs.map(|leg| leg.anchor_m.into()),
                    legs.map(|leg| leg.foot_socket_m.into()),
                );
                Self::Actuators { ankle: Box::new(ankle), zeros_m: legs.map(|leg| leg.zero_length()) }
            }
            (LinkageKind::ParallelAnkle(_) | LinkageKind::LinearAnkle(_), _) => {
                let reason = "its partner has another kind of linkage".to_owned();
                return Err(RobotError::BadEntry { element: drive.element(), reason });
            }
        })
    }

    /// How many drives and joints it has.
    pub(crate) fn size(&self) -> usize {
        if matches!(self, Self::Cranks(_) | Self::Actuators { .. }) { 2 } else { 1 }
    }

    /// Outputs of the reducers at joint positions.
    pub(crate) fn outputs(&self, pose: [f64; 2]) -> Result<[f64; 2], RobotError> {
        Ok(match self {
            Self::Copy => [finite("joint position", pose[0])?, 0.0],
            Self::Slider { slider, zero_m } => [slider.length(pose[0])? - zero_m, 0.0],
            Self::Bars(bars) => [bars.output(pose[0], 0.0)?, 0.0],
            Self::Cranks(ankle) => ankle.cranks(pose)?,
            Self::Actuators { ankle, zeros_m } => {
                let [first, second] = ankle.lengths(pose)?;
                [first - zeros_m[0], second - zeros_m[1]]
            }
        })
    }

    /// Joint positions at outputs, from a start.
    pub(crate) fn pose(&self, outputs: [f64; 2], start: [f64; 2]) -> Result<[f64; 2], RobotError> {
        Ok(match self {
            Self::Copy => [finite("motor position", outputs[0])?, 0.0],
            Self::Slider { slider, zero_m } => [slider.joint(outputs[0] + zero_m)?, 0.0],
            Self::Bars(bars) => [bars.joint(outputs[0])?, 0.0],
            Self::Cranks(ankle) => ankle.pose(outputs, start)?.pose,
            Self::Actuators { ankle, zeros_m } => ankle.pose([outputs[0] + zeros_m[0], outputs[1] + zeros_m[1]], start)?.pose,
        })
    }

    pub(crate) fn jacobian(&self, pose: [f64; 2]) -> Result<Jacobian, RobotError> {
        Ok(match self {
            Self::Copy => Jacobian::One { slope: 1.0, cond: 1.0 },
            Self::Slider { slider, .. } => {
                let slope = slider.jacobian(pose[0])?;
                Jacobian::One { slope, cond: slider.condition(slope) }
            }
            Self::Bars(bars) => {
                let slope = bars.jacobian(bars.output(pose[0], 0.0)?)?;
                Jacobian::One { slope, cond: slope.abs().max(1.0 / slope.abs()) }
            }
            Self::Cranks(ankle) => Jacobian::Two(ankle.jacobian(pose)?),
            Self::Actuators { ankle, .. } => Jacobian::Two(ankle.jacobian(pose)?),
        })
    }
}

impl Jacobian {
    pub(crate) fn times(&self, rates: [f64; 2]) -> [f64; 2] {
        match self {
            Self::One { slope, .. } => [slope * rates[0], 0.0],
            Self::Two(slopes) => (slopes * Vector2::from(rates)).into(),
        }
    }

    pub(crate) fn determinant(&self) -> f64 {
        match self {
            Self::One { slope, .. } => *slope,
            Self::Two(slopes) => slopes.determinant(),
        }
    }

    pub(crate) fn transposed_times(&self, torques: [f64; 2]) -> [f64; 2] {
        match self {
            Self::One { slope, .. } => [slope * torques[0], 0.0],
            Self::Two(slopes) => (slopes.transpose() * Vector2::from(torques)).into(),
        }
    }

    /// Joint rates from output rates.
    pub(crate) fn solve(&self, rates: [f64; 2], pose: [f64; 2]) -> Result<[f64; 2], RobotError> {
        Ok(match self {
            Self::One { slope, cond } => [rates[0] / usable(*slope, *cond, pose)?, 0.0],
            Self::Two(slopes) => (inverse(slopes, pose)? * Vector2::from(rates)).into(),
        })
    }

    /// Output torques from joint torques.
    pub(crate) fn transposed_solve(&self, torques: [f64; 2], pose: [f64; 2]) -> Result<[f64; 2], RobotError> {
        Ok(match self {
            Self::One { slope, cond } => [torques[0] / usable(*slope, *cond, pose)?, 0.0],
            Self::Two(slopes) => (inverse(slopes, pose)?.transpose() * Vector2::from(torques)).into(),
        })
    }
}

fn usable(slope: f64, cond: f64, pose: [f64; 2]) -> Result<f64, RobotError> {
    if cond <= COND_MAX { Ok(slope) } else { Err(RobotError::NearSingular { pose, cond, smallest_pivot: slope }) }
}
