//! What was recorded of a drive: its motors' stream and its joints' stream.

use sanqu_robot::{DriveTable, Drivetrain, RobotModel};

use super::log::Log;
use crate::ReplayError;
use crate::live::LiveDrives;
use crate::load::DriveFiles;

/// Motors and joints of one drive over time.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// The motors; none where they were not recorded.
    pub motor: Option<Log>,
    /// The joints; none where they were not recorded.
    pub joint: Option<Log>,
    /// Whether recorded motor torques are the rotor's own, before the reducer.
    pub rotor_torque: bool,
}

/// The drives of a robot, and where what was recorded of them is.
#[derive(Debug)]
pub struct RobotDrives {
    /// What each drive is.
    pub table: DriveTable,
    /// How they move.
    pub train: Drivetrain,
    recorded: Recorded,
}

#[derive(Debug)]
enum Recorded {
    /// Read where a joint is picked, and only what concerns it.
    Files(Box<DriveFiles>),
    /// Still coming.
    Live(Box<LiveDrives>),
    Memory(Box<Telemetry>),
}

impl RobotDrives {
    /// Drives whose telemetry is read from an episode's files when it is needed.
    pub(crate) fn of_files(table: DriveTable, train: Drivetrain, files: DriveFiles) -> Self {
        Self { table, train, recorded: Recorded::Files(Box::new(files)) }
    }

    /// Drives of a robot that is running: nothing is known of them yet.
    pub(crate) fn of_live(table: DriveTable, train: Drivetrain) -> Self {
        Self { table, train, recorded: Recorded::Live(Box::default()) }
    }

    /// Where rows of a running robot go; none for a recorded one.
    pub(crate) fn live_mut(&mut self) -> Option<&mut LiveDrives> {
        match &mut self.recorded {
            Recorded::Live(live) => Some(live),
            Recorded::Files(_) | Recorded::Memory(_) => None,
        }
    }

    /// Whether rows are those that a running robot sends, not recorded ones.
    pub fn is_live(&self) -> bool {
        matches!(self.recorded, Recorded::Live(_))
    }

    /// Drives whose telemetry is at hand, for all motors and joints.
    pub fn with_telemetry(table: DriveTable, train: Drivetrain, telemetry: Telemetry) -> Self {
        Self { table, train, recorded: Recorded::Memory(Box::new(telemetry)) }
    }

    /// What was recorded of these drives (indices in the table) and of the joints that they move, in their order.
    ///
    /// # Errors
    /// [`ReplayError::Store`] when files cannot be read.
    pub fn telemetry(&self, drives: &[usize]) -> Result<Telemetry, ReplayError> {
        let picked = || drives.iter().filter_map(|drive| self.table.drives().get(*drive));
        let motors: Vec<String> = picked().map(|drive| drive.motor.clone()).collect();
        let joints: Vec<String> = picked().next().map(|drive| drive.joints.clone()).unwrap_or_default();
        match &self.recorded {
            Recorded::Memory(all) => Ok(Telemetry {
                motor: all.motor.as_ref().and_then(|log| log.pick(&motors)),
                joint: all.joint.as_ref().and_then(|log| log.pick(&joints)),
                rotor_torque: all.rotor_torque,
            }),
            Recorded::Live(live) => Ok(live.telemetry(&motors, &joints)),
            Recorded::Files(files) => files.telemetry(&motors, &joints),
        }
    }

    /// Indices of the drives that move a joint of the model, in the table's order.
    pub fn of_joint(&self, model: &RobotModel, joint: usize) -> Vec<usize> {
        let Some(joint) = model.joints().get(joint) else { return Vec::new() };
        self.table.drives().iter().enumerate().filter(|(_, drive)| drive.moves(&joint.name)).map(|(index, _)| index).collect()
    }
}
