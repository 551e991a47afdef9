//! The mechanics of a simulated robot: where its links are while one foot stands, and what its joints must hold.

use nalgebra::{Isometry3, Point3, Translation3, Vector3};
use sanqu_robot::simulate::DriveStep;
use sanqu_robot::{LinkPoses, Pose, RobotModel};

use crate::SimError;
use crate::motion::JointState;

/// Acceleration of free fall, m/s².
pub(crate) const GRAVITY: f64 = 9.806_65;
/// A joint carries the robot when something below it is no higher than this above the lowest link, m.
const FOOT_HEIGHT_M: f64 = 0.15;

/// A robot that stands on its lowest link.
pub(crate) struct Body {
    pub(crate) model: RobotModel,
    /// Whether each joint is in a leg.
    pub(crate) in_leg: Vec<bool>,
    /// Standing pose, model order.
    pub(crate) stand: Vec<f64>,
    foot: usize,
    world_from_foot: Isometry3<f64>,
    imu: usize,
    link_from_com: Vec<Point3<f64>>,
    inertia: Vec<f64>,
}

/// Everything about one moment. Reused from row to row.
#[derive(Default)]
pub(crate) struct Moment {
    pub(crate) t_ns: i64,
    pub(crate) joints: JointState,
    /// N·m, model order.
    pub(crate) effort: Vec<f64>,
    /// Drives, in drive order.
    pub(crate) drives: Vec<DriveStep>,
    /// What the joints' encoders read, rad, model order.
    pub(crate) seen: Vec<f64>,
    /// Pose of the IMU.
    pub(crate) world_from_imu: Isometry3<f64>,
    base_from_link: LinkPoses,
    weights: Vec<(f64, Vector3<f64>)>,
}

impl Body {
    /// # Errors
    /// [`SimError::Robot`] when the pose names a joint that the robot does not have.
    pub(crate) fn new(model: RobotModel, pose: &Pose) -> Result<Self, SimError> {
        let stand = pose.q(&model)?;
        let mut poses = LinkPoses::default();
        model.link_poses(&stand, &Isometry3::identity(), &mut poses)?;
        let height = |link: usize| poses[link].translation.z;
        let links = model.links();
        let foot = (0..links.len()).min_by(|a, b| height(*a).total_cmp(&height(*b))).unwrap_or(0);
        let mut lowest: Vec<f64> = (0..links.len()).map(height).collect();
        for link in (0..links.len()).rev() {
            if let Some(parent) = links[link].parent {
                lowest[parent] = lowest[parent].min(lowest[link]);
            }
        }
        let in_leg = model.joints().iter().map(|joint| lowest[joint.child] <= height(foot) + FOOT_HEIGHT_M).collect();
        let link_from_com = links.iter().map(|link| {
            let count = link.visuals.len().max(1) as f64;
            let sum: Vector3<f64> = link.visuals.iter().map(|visual| visual.link_from_visual.translation.vector).sum();
            Point3::from(sum / count)
        });
        let link_from_com: Vec<_> = link_from_com.collect();
        let world_from_base = Isometry3::from_parts(Translation3::new(0.0, 0.0, pose.base_height_m), nalgebra::UnitQuaternion::identity());
        let inertia = inertias(&model, &poses, &link_from_com);
        Ok(Self {
            world_from_foot: world_from_base * poses[foot],
            imu: model.link_index("imu_link").unwrap_or(0),
            model,
            in_leg,
            stand,
            foot,
            link_from_com,
            inertia,
        })
    }

    /// Poses of all links in the root's frame, and the root's pose in the world while the foot stands where it stood.
    pub(crate) fn place(&self, q: &[f64], base_from_link: &mut LinkPoses) -> Result<Isometry3<f64>, SimError> {
        self.model.link_poses(q, &Isometry3::identity(), base_from_link)?;
        Ok(self.world_from_foot * base_from_link[self.foot].inverse())
    }

    /// What the joints hold in the standing pose, N·m, model order.
    pub(crate) fn standing_effort(&self) -> Result<Vec<f64>, SimError> {
        let still = vec![0.0; self.stand.len()];
        let joints = JointState { pos: self.stand.clone(), vel: still.clone(), acc: still };
        let mut moment = Moment { joints, ..Moment::default() };
        self.settle(&mut moment)?;
        Ok(moment.effort)
    }

    /// Fills in the moment's IMU pose and efforts from its joint state.
    ///
    /// Efforts are simulated: point masses at the middle of each link's visuals, gravity, and each joint's own
    /// acceleration times a constant inertia. A leg's joint holds half of what stands above it.
    pub(crate) fn settle(&self, moment: &mut Moment) -> Result<(), SimError> {
        let world_from_base = self.place(&moment.joints.pos, &mut moment.base_from_link)?;
        let poses = &moment.base_from_link;
        moment.world_from_imu = world_from_base * poses[self.imu];
        let down = world_from_base.inverse_transform_vector(&Vector3::new(0.0, 0.0, -GRAVITY));

        // Mass and first moment of everything that hangs on each link, itself included.
        let weights = &mut moment.weights;
        weights.clear();
        weights.extend(
            self.model
                .links()
                .iter()
                .zip(poses.iter().zip(&self.link_from_com))
                .map(|(link, (pose, com))| (link.mass_kg, (pose * com).coords * link.mass_kg)),
        );
        for link in (1..weights.len()).rev() {
            let (mass, first) = weights[link];
            if let Some(parent) = self.model.links()[link].parent {
                weights[parent].0 += mass;
                weights[parent].1 += first;
            }
        }
        let all = weights.first().copied().unwrap_or_default();
        moment.effort.clear();
        for (index, joint) in self.model.joints().iter().enumerate() {
            let pose = &poses[joint.child];
            let (axis, pivot) = (pose.rotation * joint.axis.into_inner(), pose.translation.vector);
            let (mass, first) = weights[joint.child];
            let gravity = if self.in_leg[index] {
                let (mass, first) = (all.0 - mass, all.1 - first);
                axis.dot(&(first - pivot * mass).cross(&down)) / 2.0
            } else {
                -axis.dot(&(first - pivot * mass).cross(&down))
            };
            moment.effort.push(gravity + self.inertia[index] * moment.joints.acc[index]);
        }
        Ok(())
    }
}

/// Inertia of what hangs on each joint about its axis in the standing pose, kg·m².
fn inertias(model: &RobotModel, poses: &LinkPoses, link_from_com: &[Point3<f64>]) -> Vec<f64> {
    let hangs_on = |mut link: usize, child: usize| loop {
        if link == child {
            return true;
        }
        match model.links()[link].parent {
            Some(parent) => link = parent,
            None => return false,
        }
    };
    let about = |joint: &sanqu_robot::Joint| {
        let pose = &poses[joint.child];
        let axis = pose.rotation * joint.axis.into_inner();
        let carried = (0..model.links().len()).filter(|link| hangs_on(*link, joint.child));
        let inertia = carried.map(|link| {
            let arm = (poses[link] * link_from_com[link]).coords - pose.translation.vector;
            model.links()[link].mass_kg * axis.cross(&arm).norm_squared()
        });
        inertia.sum::<f64>()
    };
    model.joints().iter().map(about).collect()
}
