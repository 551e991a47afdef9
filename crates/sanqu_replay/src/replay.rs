//! What is shown: recordings of robots at their places in the field, on one timeline. Plain data, no bevy entities.

use std::sync::Arc;

use bevy::prelude::Resource;
use nalgebra::{Isometry3, Translation3};
use sanqu_model::{FieldConfig, Id};
use sanqu_robot::{LinkPoses, RobotError, RobotModel};

use crate::base::BaseTrack;
use crate::body::Looks;
use crate::cameras::CameraRecord;
use crate::compare::Comparison;
use crate::ground::lowest_point_m;
use crate::lane::Lane;
use crate::mark::Mark;
use crate::track::{Blend, Held, Track};
use crate::windows::{Unreadable, read_all};
use crate::xray::RobotDrives;

/// One or more episodes, ready to be shown.
#[derive(Resource, Debug)]
pub struct Replay {
    /// The field the robots stand in.
    pub field: FieldConfig,
    /// The robots, in the order of the episodes.
    pub robots: Vec<RobotRecord>,
    /// First instant of the timeline, capture time, ns.
    pub start_ns: i64,
    /// Last instant, ns.
    pub end_ns: i64,
    /// Every recorded stream of the robots, by robot and name.
    pub lanes: Vec<Lane>,
    /// What happened, was decided or found, by time.
    pub marks: Vec<Mark>,
    /// The robots' cameras, in the order of their lanes.
    pub cameras: Vec<CameraRecord>,
    /// What the robots are compared with, if that was asked for.
    pub comparison: Option<Comparison>,
}

impl Replay {
    /// Robots and their time span, without streams, marks, cameras and comparison.
    pub fn new(field: FieldConfig, robots: Vec<RobotRecord>, start_ns: i64, end_ns: i64) -> Self {
        Self { field, robots, start_ns, end_ns, lanes: Vec::new(), marks: Vec::new(), cameras: Vec::new(), comparison: None }
    }

    /// Reads what [`RobotRecord::posture_between`] would read for all robots at an instant, at the same time: robot after robot, a jump
    /// of a whole field would take many times as long. Postures are the same without.
    pub fn read_for(&self, t_ns: i64, blend: Blend) {
        let mut readings = Vec::new();
        for record in &self.robots {
            let t_ns = t_ns.saturating_add(record.shift_ns);
            record.track.announce(t_ns, blend, &mut readings);
            if let Some(base) = &record.base {
                base.announce(t_ns, blend, &mut readings);
            }
        }
        read_all(&readings);
    }
}

/// One robot of one episode.
#[derive(Debug)]
pub struct RobotRecord {
    /// The robot.
    pub robot: Id,
    /// Its name for people.
    pub name: String,
    /// Where it stands.
    pub station: Id,
    /// The episode's id.
    pub episode: String,
    /// Its description.
    pub model: RobotModel,
    /// What is drawn of it; shared by robots that look alike.
    pub looks: Arc<Looks>,
    /// Its joints over time.
    pub track: Track,
    /// Its drives; none where they are not described.
    pub drives: Option<RobotDrives>,
    /// Its base over time, if that was recorded.
    pub base: Option<BaseTrack>,
    /// The station's frame: on the floor, x where the robot looks, z up, metres.
    pub world_from_station: Isometry3<f64>,
    /// What to add to the timeline's instant to get this episode's capture time, ns.
    pub shift_ns: i64,
    /// Joint rows that the loss ledger counts as lost.
    pub lost_rows: u64,
}

/// A robot's posture, reused from frame to frame.
#[derive(Debug, Default)]
pub struct Posture {
    /// Joint positions in model order, rad or m.
    pub q: Vec<f64>,
    /// World poses of all links.
    pub links: LinkPoses,
}

impl RobotRecord {
    /// Writes the posture held at the timeline's instant `t_ns` into `posture` and says how far it can be trusted.
    ///
    /// # Errors
    /// As [`Self::posture_between`].
    pub fn posture_at(&self, t_ns: i64, posture: &mut Posture) -> Result<Held, RobotError> {
        self.posture_between(t_ns, Blend::Hold, posture)
    }

    /// As [`Self::posture_at`], with what `blend` shows between two samples.
    ///
    /// Without a recorded base the robot stands at its station, upright, as high as puts its lowest point on the floor.
    ///
    /// # Errors
    /// Those of [`RobotModel::link_poses`].
    pub fn posture_between(&self, t_ns: i64, blend: Blend, posture: &mut Posture) -> Result<Held, RobotError> {
        let t_ns = t_ns.saturating_add(self.shift_ns);
        let mut held = self.track.joints_at(t_ns, blend, &mut posture.q);
        held.base_stale = self.base.as_ref().is_some_and(|base| base.is_stale_at(t_ns));
        if (held.not_finite.is_some() || held.unreadable) && posture.links.is_empty() {
            posture.q.copy_from_slice(self.track.rest());
        }
        let station_from_base = match self.base.as_ref().and_then(|base| base.pose_at(t_ns, blend)) {
            Some(recorded) => recorded,
            None => {
                self.model.link_poses(&posture.q, &Isometry3::identity(), &mut posture.links)?;
                Translation3::new(0.0, 0.0, -lowest_point_m(&self.looks, &posture.links)).into()
            }
        };
        self.model.link_poses(&posture.q, &(self.world_from_station * station_from_base), &mut posture.links)?;
        held.unreadable |= self.base.as_ref().is_some_and(|base| base.problem().is_some());
        Ok(held)
    }

    /// Why rows of the instant that was last shown could not be read; none when they could.
    pub fn problem(&self) -> Option<Unreadable> {
        self.track.problem().or_else(|| self.base.as_ref()?.problem())
    }
}
