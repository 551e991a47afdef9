//! A robot in 3D: its shapes once, the poses of its links over time.

use re_sdk::{EntityPath, RecordingStream, RecordingStreamResult};
use re_sdk_types::archetypes::Transform3D;
use sanqu_model::Id;
use sanqu_robot::{LinkPoses, RobotError};

use crate::batch::Batch;
use crate::error::LiveError;
use crate::shapes::{log_link, quaternion, translation};
use crate::stage::StagedRobot;

/// Poses closer together than this are not drawn: 50 links at 500 Hz would be 25 000 transforms a second.
const POSE_PERIOD_NS: i64 = 30_000_000;

/// Suffix of joint names that publishers may leave out.
const JOINT_SUFFIX: &str = "_joint";

/// One robot's moving body in one rerun stream.
pub(crate) struct Body {
    tf: EntityPath,
    /// Named frame of each link. Every moving frame of a robot is logged on one entity, as rerun demands.
    frames: Vec<String>,
    /// For each joint of the model, the element that carries it.
    elements: Vec<String>,
    columns: Vec<Option<usize>>,
    q: Vec<f64>,
    poses: LinkPoses,
    last_t_ns: Option<i64>,
    batch: Batch<Link>,
}

struct Link {
    translation: [f32; 3],
    quaternion: [f32; 4],
    frame: usize,
}

impl Body {
    /// Logs the robot's shapes.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn new(stream: &RecordingStream, robot: &Id, staged: &StagedRobot) -> RecordingStreamResult<Self> {
        let root = EntityPath::from_single_string(robot.to_string());
        let frames: Vec<String> = staged.model.links().iter().map(|link| format!("{robot}/{}", link.name)).collect();
        for (link, frame) in staged.model.links().iter().zip(&frames) {
            let path = root.join(&EntityPath::from_single_string("body")).join(&EntityPath::from_single_string(link.name.clone()));
            log_link(stream, &path, frame, &link.visuals)?;
        }
        Ok(Self {
            tf: root.join(&EntityPath::from_single_string("tf")),
            frames,
            elements: Vec::new(),
            columns: Vec::new(),
            q: vec![0.0; staged.model.joints().len()],
            poses: LinkPoses::default(),
            last_t_ns: None,
            batch: Batch::default(),
        })
    }

    /// Poses for one row of joint positions (`values[i]` belongs to `elements[i]`; rad or m). Joints without an element
    /// keep their last position, at first 0.
    ///
    /// # Errors
    /// A position that is not finite.
    pub(crate) fn push(&mut self, staged: &StagedRobot, t_ns: i64, elements: &[String], values: &[f64]) -> Result<(), RobotError> {
        if self.last_t_ns.is_some_and(|last| (0..POSE_PERIOD_NS).contains(&t_ns.saturating_sub(last))) {
            return Ok(());
        }
        if self.elements != elements {
            let short = |name: &str| name.strip_suffix(JOINT_SUFFIX).unwrap_or(name).to_owned();
            let column = |joint: &str| elements.iter().position(|element| short(element) == short(joint));
            self.columns = staged.model.joints().iter().map(|joint| column(&joint.name)).collect();
            self.elements = elements.to_vec();
        }
        for (q, column) in self.q.iter_mut().zip(&self.columns) {
            if let Some(value) = column.and_then(|column| values.get(column)) {
                *q = *value;
            }
        }
        staged.model.link_poses(&self.q, &staged.field_from_base, &mut self.poses)?;
        self.last_t_ns = Some(t_ns);
        for (frame, pose) in self.poses.iter().enumerate() {
            self.batch.push(t_ns, [Link { translation: translation(pose), quaternion: quaternion(pose), frame }]);
        }
        Ok(())
    }

    /// Sends what is due.
    ///
    /// # Errors
    /// rerun's.
    pub(crate) fn send(&mut self, stream: &RecordingStream, span_ns: i64) -> Result<(), LiveError> {
        if !self.batch.is_due(span_ns) {
            return Ok(());
        }
        let Some((times, _, links)) = self.batch.take() else { return Ok(()) };
        // Each row of Transform3D replaces the one before as a whole: all four parts, every time.
        let transforms = Transform3D::update_fields()
            .with_many_translation(links.iter().map(|link| link.translation))
            .with_many_quaternion(links.iter().map(|link| link.quaternion))
            .with_many_parent_frame(links.iter().map(|_| FIELD_FRAME))
            .with_many_child_frame(links.iter().map(|link| self.frames[link.frame].as_str()));
        let columns = transforms.columns_of_unit_batches().map_err(LiveError::rerun)?;
        stream.send_columns(self.tf.clone(), [times], columns).map_err(LiveError::rerun)
    }
}

/// The frame that link poses are expressed in; static, equal to the 3D view's own frame.
pub(crate) const FIELD_FRAME: &str = "field";

/// Ties [`FIELD_FRAME`] to the frame of rerun's root entity, which the 3D view looks from.
pub(crate) fn log_field_frame(stream: &RecordingStream) -> RecordingStreamResult<()> {
    stream
        .log_static("field/tf", &Transform3D::new().with_translation([0.0_f32; 3]).with_parent_frame("tf#/").with_child_frame(FIELD_FRAME))
}
