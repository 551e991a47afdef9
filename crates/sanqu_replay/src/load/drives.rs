//! What was recorded of a drive, read when it is looked into.

use sanqu_model::{Id, LossRow, StreamEntry};
use sanqu_store::Episode;

use super::lanes;
use crate::ReplayError;
use crate::xray::{Log, Telemetry};

/// Quantities that an x-ray shows, of the motors' stream and of the joints'.
const QUANTITIES: [&str; 6] = ["pos", "vel", "current", "torque", "effort", "temp"];
/// Fact of a motor stream: whether its torques are at the rotor.
const TORQUE_SIDE: &str = "torque_side";

/// Rows of these motors and joints only: an episode may be long and a robot may have 50 motors.
pub(crate) fn telemetry(episode: &Episode, robot: &Id, motors: &[String], joints: &[String]) -> Result<Telemetry, ReplayError> {
    let ledger = episode.loss()?;
    let stream = |name: &str| episode.stream(robot, name).filter(|entry| entry.rows > 0);
    let motor = stream("motor");
    let rotor_torque = motor.is_some_and(|entry| entry.facts.get(TORQUE_SIDE).is_some_and(|side| side == "rotor"));
    let log = |entry: Option<&StreamEntry>, wanted| entry.map_or(Ok(None), |entry| read(episode, entry, &ledger, wanted));
    Ok(Telemetry { motor: log(motor, motors)?, joint: log(stream("joint"), joints)?, rotor_torque })
}

/// The rows of a stream for these elements; none where it lacks one of them or has no positions.
fn read(episode: &Episode, entry: &StreamEntry, ledger: &[LossRow], wanted: &[String]) -> Result<Option<Log>, ReplayError> {
    let Some(pos) = entry.quantities.iter().find(|quantity| quantity.name == "pos") else { return Ok(None) };
    let named = |wanted: &String| pos.elements.iter().find(|element| short(element) == short(wanted)).cloned();
    let Some(names) = wanted.iter().map(named).collect::<Option<Vec<String>>>() else { return Ok(None) };
    let mut log: Option<Log> = None;
    for name in QUANTITIES {
        let Some(quantity) = entry.quantities.iter().find(|quantity| quantity.name == name) else { continue };
        if !names.iter().all(|name| quantity.elements.contains(name)) {
            continue;
        }
        let series = episode.series_of(entry, name, |element| names.iter().any(|name| name == element))?;
        let log = match &mut log {
            Some(log) => log,
            None => log.insert(Log::new(series.names.clone(), &series.t_ns, lanes::read(episode, entry, ledger)?.breaks)),
        };
        if !log.add(name, &quantity.unit, series) {
            let reason = format!("the rows of {name} are not those of pos");
            return Err(ReplayError::Stream { robot: entry.robot.to_string(), stream: entry.stream.to_string(), reason });
        }
    }
    // The file's order need not be the drives'.
    Ok(log.and_then(|log| log.pick(&names)))
}

/// Joints are recorded with or without the suffix of their description.
fn short(name: &str) -> &str {
    name.strip_suffix("_joint").unwrap_or(name)
}
