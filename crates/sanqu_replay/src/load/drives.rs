//! What was recorded of a drive, read when it is looked into.

use std::sync::Arc;

use sanqu_model::{Id, StreamEntry};
use sanqu_store::Episode;

use super::lanes;
use super::rows::{Streams, unfit};
use crate::ReplayError;
use crate::track::{Instants, short_name};
use crate::windows::{RowSource, WindowCache};
use crate::xray::{Channel, Log, Telemetry};

/// Quantities that an x-ray shows, of the motors' stream and of the joints'.
const QUANTITIES: [&str; 6] = ["pos", "vel", "current", "torque", "effort", "temp"];
/// Fact of a motor stream: whether its torques are at the rotor.
const TORQUE_SIDE: &str = "torque_side";

/// Where the motors and joints of a robot were recorded.
#[derive(Debug)]
pub(crate) struct DriveFiles {
    episode: Episode,
    robot: Id,
    cache: Arc<WindowCache>,
    motor: Option<lanes::Rows>,
    joint: Option<lanes::Rows>,
}

impl DriveFiles {
    pub(super) fn new(episode: Episode, robot: Id, cache: Arc<WindowCache>, times: &Streams) -> Self {
        let rows = |stream: &str| times.get(stream).cloned();
        Self { episode, robot, cache, motor: rows("motor"), joint: rows("joint") }
    }

    /// Rows of these motors and joints only: an episode may be long and a robot may have 50 motors. Values are read when they
    /// are looked at.
    pub(crate) fn telemetry(&self, motors: &[String], joints: &[String]) -> Result<Telemetry, ReplayError> {
        let motor = self.episode.stream(&self.robot, "motor");
        let rotor_torque = motor.is_some_and(|entry| entry.facts.get(TORQUE_SIDE).is_some_and(|side| side == "rotor"));
        let log = |entry: Option<&StreamEntry>, times: &Option<lanes::Rows>, wanted| match entry.zip(times.as_ref()) {
            Some((entry, times)) => self.log(entry, times, wanted),
            None => Ok(None),
        };
        let joint = self.episode.stream(&self.robot, "joint");
        Ok(Telemetry { motor: log(motor, &self.motor, motors)?, joint: log(joint, &self.joint, joints)?, rotor_torque })
    }

    /// The rows of a stream for these elements; none where it lacks one of them or has no positions.
    fn log(&self, entry: &StreamEntry, times: &lanes::Rows, wanted: &[String]) -> Result<Option<Log>, ReplayError> {
        let Some(pos) = entry.quantities.iter().find(|quantity| quantity.name == "pos") else { return Ok(None) };
        let named = |wanted: &String| pos.elements.iter().find(|element| short_name(element) == short_name(wanted)).cloned();
        let Some(names) = wanted.iter().map(named).collect::<Option<Vec<String>>>() else { return Ok(None) };
        let reader = self
            .episode
            .row_reader(entry, |quantity, element| QUANTITIES.contains(&quantity) && names.iter().any(|name| name == element))?;
        if reader.rows() != times.t_ns.len() {
            return Err(unfit(entry, format!("there are values of {} rows, but times of {}", reader.rows(), times.t_ns.len())));
        }
        let known = reader.columns().to_vec();
        let rows = Arc::new(RowSource::Windows(self.cache.add(reader)));
        let channel = |name: &&str| {
            let quantity = entry.quantities.iter().find(|quantity| quantity.name == *name)?;
            let place = |element: &String| known.iter().position(|column| column.quantity == quantity.name && column.element == *element);
            let columns = names.iter().map(place).collect::<Option<Vec<_>>>()?;
            Some(Channel { quantity: quantity.name.clone(), unit: quantity.unit.clone(), rows: Arc::clone(&rows), columns })
        };
        let channels = QUANTITIES.iter().filter_map(channel).collect();
        Ok(Some(Log::of_channels(names, Instants::of(&times.t_ns), times.breaks.clone(), channels)))
    }
}
