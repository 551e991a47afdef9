use std::fmt;
use std::path::Path;

use sanqu_robot::DriveTable;
use sanqu_robot::simulate::{DriveFault, DriveSimulation};

use crate::SimError;

/// Names every drive that can have a fault.
const ALL: &str = "all";

/// A fault of a simulated robot's drives, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedFault {
    /// A motor, or a joint (then all drives that move it); `all` for every drive that can have this fault.
    pub place: String,
    /// What goes wrong.
    pub fault: DriveFault,
    /// When it begins, s after the robot's start; before 0 it was there already.
    pub at_secs: f64,
    /// How long it grows, s.
    pub growth_secs: f64,
}

/// A fault that is still to come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DueFault {
    pub(crate) motor: String,
    pub(crate) at_secs: f64,
    pub(crate) what: String,
}

impl PlannedFault {
    /// Drives of a robot that it concerns, by index; none when the robot has no such motor or joint, or for `all` when none of its
    /// drives can have it.
    pub fn drives(&self, table: &DriveTable) -> Vec<usize> {
        let named = |index: &usize| {
            let drive = &table.drives()[*index];
            match self.place.as_str() {
                ALL => drive.strain_wave.is_some() || !matches!(self.fault, DriveFault::Tooth { .. }),
                name => drive.motor == name || drive.moves(name),
            }
        };
        (0..table.drives().len()).filter(named).collect()
    }

    /// Hands faults to the drives that they concern, and returns them, the earliest last.
    pub(crate) fn inject_all(
        plans: &[Self],
        table: &DriveTable,
        drives: &mut [DriveSimulation],
        folder: &Path,
    ) -> Result<Vec<DueFault>, SimError> {
        let mut due = Vec::new();
        for plan in plans {
            let concerned = plan.drives(table);
            if concerned.is_empty() {
                let what = format!("drive {:?} that could have this fault: {plan}", plan.place);
                return Err(SimError::Missing { folder: folder.to_owned(), what });
            }
            for index in concerned {
                drives[index].inject(plan.fault, plan.at_secs, plan.growth_secs)?;
                let motor = table.drives()[index].motor.clone();
                due.push(DueFault { motor, at_secs: plan.at_secs, what: plan.fault.to_string() });
            }
        }
        due.sort_by(|a, b| b.at_secs.total_cmp(&a.at_secs));
        Ok(due)
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, fault, at_secs, growth_secs } = self;
        write!(f, "{place} from {at_secs} s on, growing for {growth_secs} s: {fault}")
    }
}
