//! What was recorded of a drive, read when it is looked into; and which of a stream's values an x-ray shows, live as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use sanqu_model::{Id, Quantity, StreamEntry};
use sanqu_store::{Episode, ValueColumn};

use super::lanes;
use super::rows::{Streams, unfit};
use crate::ReplayError;
use crate::track::{Instants, short_name};
use crate::windows::{RowSource, WindowCache};
use crate::xray::{Channel, Log, Telemetry};

/// Quantities that an x-ray shows, of the motors' stream and of the joints'.
pub(crate) const QUANTITIES: [&str; 6] = ["pos", "vel", "current", "torque", "effort", "temp"];
/// Fact of a motor stream: whether its torques are at the rotor.
const TORQUE_SIDE: &str = "torque_side";

/// The streams of motors and joints.
pub(crate) const MOTOR: &str = "motor";
pub(crate) const JOINT: &str = "joint";

/// Whether a motor stream's facts say that its torques are the rotor's own, before the reducer.
pub(crate) fn is_rotor_torque(facts: &BTreeMap<String, String>) -> bool {
    facts.get(TORQUE_SIDE).is_some_and(|side| side == "rotor")
}

/// What these motors or joints are called in a stream of these quantities; none where it lacks one of them or has no positions.
pub(crate) fn names_in(quantities: &[Quantity], wanted: &[String]) -> Option<Vec<String>> {
    let pos = quantities.iter().find(|quantity| quantity.name == "pos")?;
    let named = |wanted: &String| pos.elements.iter().find(|element| short_name(element) == short_name(wanted)).cloned();
    wanted.iter().map(named).collect()
}

/// The quantities that an x-ray shows, as far as rows whose values are `columns` have them for all of `names`.
pub(crate) fn channels(quantities: &[Quantity], names: &[String], columns: &[ValueColumn], rows: &Arc<RowSource>) -> Vec<Channel> {
    let channel = |name: &&str| {
        let quantity = quantities.iter().find(|quantity| quantity.name == *name)?;
        let place = |element: &String| columns.iter().position(|column| column.quantity == quantity.name && column.element == *element);
        let columns = names.iter().map(place).collect::<Option<Vec<_>>>()?;
        Some(Channel { quantity: quantity.name.clone(), unit: quantity.unit.clone(), rows: Arc::clone(rows), columns })
    };
    QUANTITIES.iter().filter_map(channel).collect()
}

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
        Self { episode, robot, cache, motor: rows(MOTOR), joint: rows(JOINT) }
    }

    /// Rows of these motors and joints only: an episode may be long and a robot may have 50 motors. Values are read when they
    /// are looked at.
    pub(crate) fn telemetry(&self, motors: &[String], joints: &[String]) -> Result<Telemetry, ReplayError> {
        let motor = self.episode.stream(&self.robot, MOTOR);
        let rotor_torque = motor.is_some_and(|entry| is_rotor_torque(&entry.facts));
        let log = |entry: Option<&StreamEntry>, times: &Option<lanes::Rows>, wanted| match entry.zip(times.as_ref()) {
            Some((entry, times)) => self.log(entry, times, wanted),
            None => Ok(None),
        };
        let joint = self.episode.stream(&self.robot, JOINT);
        Ok(Telemetry { motor: log(motor, &self.motor, motors)?, joint: log(joint, &self.joint, joints)?, rotor_torque })
    }

    /// The rows of a stream for these elements; none where it lacks one of them or has no positions.
    fn log(&self, entry: &StreamEntry, times: &lanes::Rows, wanted: &[String]) -> Result<Option<Log>, ReplayError> {
        let Some(names) = names_in(&entry.quantities, wanted) else { return Ok(None) };
        let reader = self
            .episode
            .row_reader(entry, |quantity, element| QUANTITIES.contains(&quantity) && names.iter().any(|name| name == element))?;
        if reader.rows() != times.t_ns.len() {
            return Err(unfit(entry, format!("there are values of {} rows, but times of {}", reader.rows(), times.t_ns.len())));
        }
        let known = reader.columns().to_vec();
        let rows = Arc::new(RowSource::Windows(self.cache.add(reader)));
        let channels = channels(&entry.quantities, &names, &known, &rows);
        Ok(Some(Log::of_channels(names, Instants::of(&times.t_ns), times.breaks.clone(), channels)))
    }
}
