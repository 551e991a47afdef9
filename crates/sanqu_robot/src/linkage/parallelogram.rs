use serde::Deserialize;

use crate::RobotError;
use crate::linkage::points;

/// A parallelogram: the crank, the rod and the joint's horn; the joint copies the crank.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parallelogram {
    /// From the crank's pivot to its tip with the joint at 0, in the parent link's frame, m; the joint's horn is the same.
    pub crank_m: [f64; 3],
    /// From the crank's pivot to the joint's centre, in the parent link's frame, m: the rod is parallel to it.
    pub rod_m: [f64; 3],
}

impl Parallelogram {
    pub(crate) fn contradiction(&self) -> Option<RobotError> {
        points(&[("crank_m", self.crank_m), ("rod_m", self.rod_m)])
    }
}
