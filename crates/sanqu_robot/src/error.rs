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
    /// A rod of a parallel ankle cannot reach its socket in this pose.
    #[error("drive {motor:?}: the rod cannot close at this ankle pose, it misses by {gap_m:.6} m")]
    CannotClose {
        /// The motor of that rod.
        motor: String,
        /// By how much the rod would have to be longer (+) or shorter (-), m.
        gap_m: f64,
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
