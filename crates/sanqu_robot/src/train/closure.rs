//! Whether the linkages of a table close over the whole range of their joints.

use crate::part::Problem;
use crate::train::{Drivetrain, Unit};
use crate::{DriveTable, Joint, RobotError, RobotModel};

/// Positions tried along the range of a joint.
const STEPS: u32 = 16;
/// How far a round trip joint → motor → joint may end from where it began, rad.
const ROUND_TRIP_RAD: f64 = 1e-9;

/// Drives that cannot be paired or closed, the first bad pose of each.
pub(crate) fn closure_problems(table: &DriveTable, model: &RobotModel) -> Vec<Problem> {
    let train = match Drivetrain::new(table, model) {
        Ok(train) => train,
        Err(error) => {
            let element = |drive: &crate::Drive| error.to_string().starts_with(&drive.element());
            let index = table.drives().iter().position(element).unwrap_or_default();
            return vec![Problem::new(format!("drive.{index}.joints"), error)];
        }
    };
    let bad = |unit: &Unit| {
        let error = first_failure(&train, unit, model)?;
        let index = unit.drives[0];
        Some(Problem::new(format!("drive.{index}.linkage"), error))
    };
    train.units.iter().filter_map(bad).collect()
}

fn first_failure(train: &Drivetrain, unit: &Unit, model: &RobotModel) -> Option<RobotError> {
    let size = unit.coupling.size();
    let joints = unit.joints.map(|joint| &model.joints()[joint]);
    let across = if size == 2 { STEPS } else { 0 };
    let mut turning = None;
    for first in 0..=STEPS {
        for second in 0..=across {
            let pose = [at(joints[0], first)?, if size == 2 { at(joints[1], second)? } else { 0.0 }];
            let failure = match round_trip(unit, pose) {
                Err(problem) => problem,
                Ok(sense) if sense == *turning.get_or_insert(sense) => continue,
                Ok(_) => {
                    let reason = format!("at joint position {pose:?} the motors turn the other way than elsewhere in the joint's range");
                    RobotError::BadEntry { element: "linkage".to_owned(), reason }
                }
            };
            return Some(train.at(unit, failure));
        }
    }
    None
}

/// A position of the joint's range; `None` for one without limits.
fn at(joint: &Joint, step: u32) -> Option<f64> {
    let range = joint.upper - joint.lower;
    range.is_finite().then(|| joint.lower + range * f64::from(step) / f64::from(STEPS))
}

/// Whether joints and outputs turn in the same sense at a pose from which the motors alone lead back, starting at zero.
fn round_trip(unit: &Unit, pose: [f64; 2]) -> Result<bool, RobotError> {
    let back = unit.coupling.pose(unit.coupling.outputs(pose)?, [0.0; 2])?;
    let off = (back[0] - pose[0]).abs().max((back[1] - pose[1]).abs());
    if off <= ROUND_TRIP_RAD {
        return Ok(unit.coupling.jacobian(pose)?.determinant() > 0.0);
    }
    let reason = format!("joint position {pose:?} comes back from the motors as {back:?}: another pose has the same motor positions");
    Err(RobotError::BadEntry { element: "linkage".to_owned(), reason })
}
