use std::fmt;
use std::ops::Deref;
use std::path::Path;

use nalgebra::{Isometry3, Translation3, Unit, UnitQuaternion, Vector3};

use crate::shape::{Shape, Visual};
use crate::{RobotError, urdf};

/// A robot's kinematic tree: one root link, rigid links, joints with one degree of freedom.
///
/// Built from a URDF; immutable afterwards. A floating joint is accepted on the root link only and takes part as the
/// base pose that every call is given.
#[derive(Debug, Clone)]
pub struct RobotModel {
    pub(crate) name: String,
    pub(crate) joints: Vec<Joint>,
    pub(crate) mimics: Vec<Mimic>,
    pub(crate) links: Vec<Link>,
}

/// How a joint moves its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointKind {
    /// Turns about its axis between limits, rad.
    Revolute,
    /// Turns about its axis without limits, rad.
    Continuous,
    /// Slides along its axis between limits, m.
    Prismatic,
}

/// An independent movable joint.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// Name in the URDF.
    pub name: String,
    /// How it moves.
    pub kind: JointKind,
    /// Axis in the joint's frame, unit length.
    pub axis: Unit<Vector3<f64>>,
    /// Lowest position, rad or m; minus infinity for a continuous joint.
    pub lower: f64,
    /// Highest position, rad or m; plus infinity for a continuous joint.
    pub upper: f64,
    /// Greatest speed, rad/s or m/s; 0 where the URDF gives none.
    pub velocity: f64,
    /// Greatest torque or force, N·m or N; 0 where the URDF gives none.
    pub effort: f64,
    /// Index in [`RobotModel::links`] of the link that it moves.
    pub child: usize,
}

/// A joint that follows an independent one: `position = multiplier * q[joint] + offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mimic {
    /// Name in the URDF.
    pub name: String,
    /// Index in [`RobotModel::joints`] of the joint that it follows; chains are already resolved.
    pub joint: usize,
    /// Factor.
    pub multiplier: f64,
    /// Constant, rad or m.
    pub offset: f64,
}

/// A rigid body of the tree.
#[derive(Debug, Clone)]
pub struct Link {
    /// Name in the URDF.
    pub name: String,
    /// Index of the parent link, always lower than this link's own; `None` for the root.
    pub parent: Option<usize>,
    /// What is drawn, in this link's frame.
    pub visuals: Vec<Visual>,
    /// Mass, kg; 0 where the URDF gives none.
    pub mass_kg: f64,
    pub(crate) motion: Motion,
}

/// How a link stands in its parent's frame.
#[derive(Debug, Clone)]
pub(crate) struct Motion {
    pub(crate) parent_from_joint: Isometry3<f64>,
    pub(crate) driven: Option<Driven>,
}

/// The moving part of a [`Motion`]: `multiplier * q[joint] + offset` along or about `axis`.
#[derive(Debug, Clone)]
pub(crate) struct Driven {
    pub(crate) joint: usize,
    pub(crate) multiplier: f64,
    pub(crate) offset: f64,
    pub(crate) kind: JointKind,
    pub(crate) axis: Unit<Vector3<f64>>,
}

/// A joint position outside its limits.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitViolation {
    /// Index in [`RobotModel::joints`].
    pub joint: usize,
    /// The joint's name.
    pub name: String,
    /// The position, rad or m.
    pub value: f64,
    /// How far outside, rad or m: negative below the lower limit, positive above the upper; NaN for a NaN position.
    pub excess: f64,
}

impl fmt::Display for LimitViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "joint {:?} at {} is outside its limits by {}", self.name, self.value, self.excess)
    }
}

/// Poses of all links: `poses[i]` is `world_from_link[i]`, in the order of [`RobotModel::links`].
///
/// Start with `LinkPoses::default()` and reuse it: only the first [`RobotModel::link_poses`] allocates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkPoses(Vec<Isometry3<f64>>);

impl Deref for LinkPoses {
    type Target = [Isometry3<f64>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl RobotModel {
    /// Reads a URDF file and remembers its folder to find mesh files. Missing meshes are not errors.
    ///
    /// # Errors
    /// [`RobotError::Read`] if the file cannot be read; else [`RobotError::File`] around what [`Self::from_urdf_str`] says.
    pub fn from_urdf_file(path: &Path) -> Result<Self, RobotError> {
        urdf::read(path)
    }

    /// Builds a model from URDF text. Mesh references are kept, with `exists: false`.
    ///
    /// # Errors
    /// Text that is not a URDF; not exactly one root; loops; unknown or doubly used names; joint types other than
    /// revolute, continuous, prismatic, fixed and a floating one at the root; numbers that are not finite; a movable
    /// joint with a zero axis; a mimic joint that leads nowhere.
    pub fn from_urdf_str(xml: &str) -> Result<Self, RobotError> {
        urdf::build(xml, None)
    }

    /// The robot's name in the URDF; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Independent movable joints in document order: the order of every `q`. Mimic joints are not among them.
    pub fn joints(&self) -> &[Joint] {
        &self.joints
    }

    /// Joints that follow an independent one, in document order.
    pub fn mimics(&self) -> &[Mimic] {
        &self.mimics
    }

    /// Index of an independent joint in [`Self::joints`].
    pub fn joint_index(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|joint| joint.name == name)
    }

    /// All links, the root first, parents before children.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Index of a link in [`Self::links`].
    pub fn link_index(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.name == name)
    }

    /// Sum of all link masses, kg.
    pub fn mass_kg(&self) -> f64 {
        self.links.iter().map(|link| link.mass_kg).sum()
    }

    /// Mesh references whose file was not there when the description was read, as written.
    pub fn missing_meshes(&self) -> Vec<&str> {
        let visuals = self.links.iter().flat_map(|link| &link.visuals);
        visuals
            .filter_map(|visual| match &visual.shape {
                Shape::Mesh { file_name, exists: false, .. } => Some(file_name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Poses of all links for one joint configuration.
    ///
    /// * `q`: joint positions in the order of [`Self::joints`]; rad (revolute, continuous) or m (prismatic).
    /// * `world_from_base`: pose of the root link.
    /// * `out`: overwritten; `out[i]` is `world_from_link[i]`, m.
    ///
    /// Limits are not applied; see [`Self::check_limits`]. Allocates nothing after the first call with the same `out`.
    ///
    /// # Errors
    /// [`RobotError::JointCount`] if `q` has another length, [`RobotError::NotFinite`] for a NaN or infinite position;
    /// `out` is then unchanged.
    ///
    /// Source: URDF specification, `joint` element (origin, then motion about or along the axis; mimic).
    pub fn link_poses(&self, q: &[f64], world_from_base: &Isometry3<f64>, out: &mut LinkPoses) -> Result<(), RobotError> {
        self.check_positions(q)?;
        let poses = &mut out.0;
        poses.resize(self.links.len(), Isometry3::identity());
        for (index, link) in self.links.iter().enumerate() {
            let world_from_parent = link.parent.map_or(*world_from_base, |parent| poses[parent]);
            poses[index] = world_from_parent * link.motion.parent_from_link(q);
        }
        Ok(())
    }

    /// Joints whose position is outside `lower..=upper` or is NaN, in joint order; positions beyond `q`'s length are not looked at.
    pub fn check_limits(&self, q: &[f64]) -> Vec<LimitViolation> {
        let outside = |(index, (joint, &value)): (usize, (&Joint, &f64))| {
            let excess = if value < joint.lower {
                value - joint.lower
            } else if value > joint.upper {
                value - joint.upper
            } else if value.is_nan() {
                f64::NAN
            } else {
                return None;
            };
            Some(LimitViolation { joint: index, name: joint.name.clone(), value, excess })
        };
        self.joints.iter().zip(q).enumerate().filter_map(outside).collect()
    }

    /// Refuses a `q` of the wrong length or with a number that is not finite.
    pub(crate) fn check_positions(&self, q: &[f64]) -> Result<(), RobotError> {
        if q.len() != self.joints.len() {
            return Err(RobotError::JointCount { expected: self.joints.len(), found: q.len() });
        }
        match self.joints.iter().zip(q).find(|(_, value)| !value.is_finite()) {
            Some((joint, &value)) => Err(RobotError::NotFinite { joint: joint.name.clone(), value }),
            None => Ok(()),
        }
    }
}

impl Motion {
    pub(crate) fn fixed(parent_from_joint: Isometry3<f64>) -> Self {
        Self { parent_from_joint, driven: None }
    }

    fn parent_from_link(&self, q: &[f64]) -> Isometry3<f64> {
        let Some(driven) = &self.driven else { return self.parent_from_joint };
        let position = driven.multiplier * q[driven.joint] + driven.offset;
        match driven.kind {
            JointKind::Revolute | JointKind::Continuous => self.parent_from_joint * UnitQuaternion::from_axis_angle(&driven.axis, position),
            JointKind::Prismatic => self.parent_from_joint * Translation3::from(driven.axis.into_inner() * position),
        }
    }
}
