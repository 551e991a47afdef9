use std::path::PathBuf;

use thiserror::Error;

/// What can be wrong with a robot description or with the numbers given to it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RobotError {
    /// A description file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A description file was read and refused; the cause says why.
    #[error("robot description {path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<RobotError>,
    },
    /// A description is larger than any real one.
    #[error("description has {bytes} bytes; at most {max} are read")]
    TooLarge {
        /// Size found.
        bytes: u64,
        /// Size accepted.
        max: u64,
    },
    /// The text is not a URDF.
    #[error("not a URDF: {reason}")]
    UrdfSyntax {
        /// The parser's message.
        reason: String,
    },
    /// A robot needs exactly one link without a parent.
    #[error("expected exactly one root link, found {}: {}", roots.len(), roots.join(", "))]
    RootCount {
        /// The links without a parent, document order.
        roots: Vec<String>,
    },
    /// Some links hang on themselves.
    #[error("links form a loop and cannot be reached from a root: {}", links.join(", "))]
    Loop {
        /// The links of the loop and below it.
        links: Vec<String>,
    },
    /// Two joints claim the same child.
    #[error("link {link:?} is the child of both joint {first:?} and joint {second:?}")]
    TwoParents {
        /// The child link.
        link: String,
        /// The joint that came first.
        first: String,
        /// The joint that came second.
        second: String,
    },
    /// A joint names a link that does not exist.
    #[error("joint {joint:?}: {role} link {link:?} does not exist")]
    UnknownLink {
        /// The joint, or the camera.
        joint: String,
        /// "parent", "child" or "camera".
        role: &'static str,
        /// The link named.
        link: String,
    },
    /// Two things of one kind have the same name.
    #[error("{what} name {name:?} is used twice")]
    DuplicateName {
        /// "link", "joint", "motor", "camera".
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A joint type that this model does not move.
    #[error("joint {joint:?} is {kind}: expected revolute, continuous, prismatic, fixed, or floating at the root")]
    UnsupportedJoint {
        /// The joint.
        joint: String,
        /// Its type.
        kind: &'static str,
    },
    /// A number in a description is out of its range.
    #[error("{element}: {field} is {value}, expected {expected}")]
    BadNumber {
        /// Which element: `joint "knee"`, `drive "l_knee"`, …
        element: String,
        /// Which number.
        field: &'static str,
        /// What is there.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
    /// A mimic joint cannot be resolved to an independent joint.
    #[error("joint {joint:?} mimics {master:?}: {reason}")]
    BadMimic {
        /// The joint.
        joint: String,
        /// The joint that it names.
        master: String,
        /// Why this does not work.
        reason: &'static str,
    },
    /// A slice of joint positions has the wrong length.
    #[error("expected {expected} joint positions, found {found}")]
    JointCount {
        /// Independent joints of the model.
        expected: usize,
        /// Length given.
        found: usize,
    },
    /// A slice of motor positions has the wrong length.
    #[error("expected room for {expected} motor positions, found {found}")]
    MotorCount {
        /// Drives of the table.
        expected: usize,
        /// Length given.
        found: usize,
    },
    /// A joint position is NaN or infinite.
    #[error("joint {joint:?}: position {value} is not a finite number")]
    NotFinite {
        /// The joint.
        joint: String,
        /// The value given.
        value: f64,
    },
    /// A name that is not an independent joint of the robot.
    #[error("{element}: robot {robot:?} has no independent joint {joint:?}")]
    UnknownJoint {
        /// Who names it: `drive "l_knee"`, `pose "stand"`, …
        element: String,
        /// The robot.
        robot: String,
        /// The name.
        joint: String,
    },
    /// A drive table is not readable TOML of the expected form.
    #[error("drive table: {reason}")]
    DriveSyntax {
        /// The parser's message, with line and column where it knows them.
        reason: String,
    },
    /// An entry of a drive table contradicts itself.
    #[error("{element}: {reason}")]
    BadEntry {
        /// Which entry: `drive "l_knee"`, `camera "head"`, `pose "stand"`.
        element: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// Something wrong at a place of a drive table.
    #[error("line {line}, column {column}: {problem}")]
    InTable {
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in characters.
        column: usize,
        /// What is wrong there.
        problem: Box<RobotError>,
    },
    /// Something wrong with one drive's linkage.
    #[error("{element}: {problem}")]
    AtDrive {
        /// Which drive: `drive "l_knee"`.
        element: String,
        /// What is wrong with it.
        problem: Box<RobotError>,
    },
    /// A bar of a linkage cannot reach in this pose.
    #[error("leg {} cannot close at pose {pose:?} rad, it misses by {gap_m:.6} m", leg + 1)]
    CannotClose {
        /// Which leg, from 0.
        leg: usize,
        /// By how much its rod would have to be longer (+) or shorter (-), m; 0 where it closes in the other assembly only.
        gap_m: f64,
        /// Pitch and roll, or the driving angle and 0, rad.
        pose: [f64; 2],
    },
    /// A linear actuator's length that no joint position has.
    #[error("actuator length {length_m} m is {} by {:.6} m", if *by_m < 0.0 { "too short" } else { "too long" }, by_m.abs())]
    OutOfReach {
        /// The length asked for, m.
        length_m: f64,
        /// How far outside: negative too short, positive too long, m.
        by_m: f64,
    },
    /// A joint position beyond the point at which a linkage turns over.
    #[error("joint position {joint_rad} rad is {by_rad} rad past the linkage's dead point")]
    PastDeadPoint {
        /// The joint position, rad.
        joint_rad: f64,
        /// How far past: negative below the lower dead point, rad.
        by_rad: f64,
    },
    /// Newton's method found no pose for motor angles or actuator lengths.
    #[error(
        "no pose closes both legs after {iterations} steps: the best one nearby, {pose:?} rad, leaves {best_gap_m:.6} m (condition {cond:.3e})"
    )]
    NoPose {
        /// The smallest that the larger gap of both legs can be made, m.
        best_gap_m: f64,
        /// Newton steps taken.
        iterations: u32,
        /// Where that gap is, rad.
        pose: [f64; 2],
        /// Condition number of the closure there.
        cond: f64,
    },
    /// A pose at which speeds or torques cannot be passed through a linkage; positions can.
    #[error("linkage is near a singular pose {pose:?} rad: condition {cond:.3e}, smallest pivot {smallest_pivot:.3e}")]
    NearSingular {
        /// Pitch and roll, or the driving angle and 0, rad.
        pose: [f64; 2],
        /// Condition number; infinite at the singular pose itself.
        cond: f64,
        /// What a division would be by: m² (cranks), m or m/rad (actuators), 1 (motors per joint).
        smallest_pivot: f64,
    },
    /// A motor angle on another branch than the previous one.
    #[error("leg {}: the crank would jump by {by_rad:.3} rad at pose {pose:?} rad", leg + 1)]
    BranchJump {
        /// Which leg, from 0.
        leg: usize,
        /// From the previous angle, rad.
        by_rad: f64,
        /// Pitch and roll, rad.
        pose: [f64; 2],
    },
    /// A `name=value` list could not be read.
    #[error("joint value {text:?}: {reason}")]
    BadAssignment {
        /// The item.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl RobotError {
    /// The same error, saying which drive it is about.
    pub(crate) fn at_drive(self, element: &str) -> Self {
        Self::AtDrive { element: element.to_owned(), problem: Box::new(self) }
    }
}
