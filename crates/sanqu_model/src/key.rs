use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Id, ModelError};

/// The longest stream name, in bytes (`<kind>/<id>`).
pub const STREAM_NAME_BYTES_MAX: usize = 48;

/// What a stream carries; decides its payload form, its priority on the wire and its file in an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StreamKind {
    /// Joint side: `pos`, `vel`, `effort`.
    Joint,
    /// Motor side: unwrapped `pos`, `vel`, `current`, `torque`, `temp`, `err`.
    Motor,
    /// Hand joints of one side.
    Hand,
    /// Targets of the teleoperation.
    Command,
    /// Poses and buttons of a headset or controller.
    Teleop,
    /// An inertial measurement unit.
    Imu,
    /// A force-torque sensor.
    Wrench,
    /// The floating base's pose.
    Base,
    /// H.264/H.265 access units or JPEG pictures.
    Camera,
    /// 16-bit depth pictures, millimetres.
    Depth,
    /// A small lossy picture for people; never recorded.
    Preview,
    /// Things that happened, as JSON.
    Event,
    /// Heartbeats with the next sequence of every stream; accounted for, not recorded as data.
    Status,
}

impl StreamKind {
    const ALL: [(&'static str, Self, bool); 13] = [
        ("joint", Self::Joint, false),
        ("motor", Self::Motor, false),
        ("hand", Self::Hand, true),
        ("command", Self::Command, false),
        ("teleop", Self::Teleop, true),
        ("imu", Self::Imu, true),
        ("wrench", Self::Wrench, true),
        ("base", Self::Base, false),
        ("camera", Self::Camera, true),
        ("depth", Self::Depth, true),
        ("preview", Self::Preview, true),
        ("event", Self::Event, false),
        ("status", Self::Status, false),
    ];

    /// Whether rows of this kind belong into an episode's files.
    pub fn is_recorded(self) -> bool {
        !matches!(self, Self::Preview | Self::Status)
    }

    /// Whether the payloads are pictures rather than Arrow rows or JSON.
    pub fn is_picture(self) -> bool {
        matches!(self, Self::Camera | Self::Depth | Self::Preview)
    }
}

/// A stream's name within its robot: `joint`, `camera/head`, `imu/torso`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamName(String);

impl StreamName {
    /// What the stream carries.
    pub fn kind(&self) -> StreamKind {
        let head = self.0.split('/').next();
        // The constructor has checked that the head is one of the table's.
        StreamKind::ALL.iter().find(|(name, _, _)| Some(*name) == head).map_or(StreamKind::Event, |(_, kind, _)| *kind)
    }

    /// The name's text, with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part: the camera's, sensor's or side's name (`head` of `camera/head`), else the whole.
    pub fn leaf(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The name in a file name, with a dot: `camera.head`.
    pub fn file_stem(&self) -> String {
        self.0.replace('/', ".")
    }
}

impl FromStr for StreamName {
    type Err = ModelError;

    fn from_str(value: &str) -> Result<Self, ModelError> {
        let bad = |expected| Err(ModelError::BadStream { value: value.to_owned(), expected });
        if value.len() > STREAM_NAME_BYTES_MAX {
            return bad("at most 48 bytes");
        }
        let mut parts = value.split('/');
        let (head, leaf, rest) = (parts.next(), parts.next(), parts.next());
        let Some((_, _, wants_leaf)) = StreamKind::ALL.iter().find(|(name, _, _)| Some(*name) == head) else {
            return bad(
                "expected joint, motor, hand/<side>, command, teleop/<device>, imu/<name>, wrench/<name>, base, camera/<name>, depth/<name>, preview/<name>, event or status",
            );
        };
        if rest.is_some() || leaf.is_some() != *wants_leaf {
            return bad(if *wants_leaf {
                "expected one name after the slash, as in camera/head"
            } else {
                "expected no slash after this kind"
            });
        }
        if let Some(leaf) = leaf {
            Id::new("stream", leaf)?;
        }
        Ok(Self(value.to_owned()))
    }
}

impl TryFrom<String> for StreamName {
    type Error = ModelError;
    fn try_from(value: String) -> Result<Self, ModelError> {
        value.parse()
    }
}

impl From<StreamName> for String {
    fn from(name: StreamName) -> Self {
        name.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stream's key on the bus: `sanqu/<field>/<robot>/<stream>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// The field.
    pub field: Id,
    /// The robot.
    pub robot: Id,
    /// The stream within the robot.
    pub stream: StreamName,
}

impl FromStr for StreamKey {
    type Err = ModelError;

    fn from_str(key: &str) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::BadKey { key: key.chars().take(160).collect(), reason };
        let mut parts = key.splitn(4, '/');
        if parts.next() != Some("sanqu") {
            return Err(bad("it does not begin with sanqu/".into()));
        }
        let (Some(field), Some(robot), Some(stream)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("it has fewer than four parts".into()));
        };
        Ok(Self {
            field: Id::new("field", field).map_err(|e| bad(e.to_string()))?,
            robot: Id::new("robot", robot).map_err(|e| bad(e.to_string()))?,
            stream: stream.parse().map_err(|e: ModelError| bad(e.to_string()))?,
        })
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sanqu/{}/{}/{}", self.field, self.robot, self.stream)
    }
}

/// The control queryable of a station. The `@` chunk keeps it out of wildcards, and access rules can name it.
pub fn control_key(field: &Id, station: &Id) -> String {
    format!("sanqu/{field}/@station/{station}/ctl")
}

/// Where a recorder says once a second how it is, as JSON. Wildcards do not match it: it is asked for by name.
pub fn recorder_key(field: &Id) -> String {
    format!("sanqu/{field}/@recorder/status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expect: Result<StreamKind, &str>) {
        match (key.parse::<StreamKey>(), expect) {
            (Ok(parsed), Ok(kind)) => {
                assert_eq!(parsed.stream.kind(), kind);
                assert_eq!(parsed.to_string(), key);
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error} should name {part:?}"),
            (parsed, expect) => panic!("{key}: {parsed:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn keys_parse_and_print() {
        check("sanqu/desk/kuavo-01/joint", Ok(StreamKind::Joint));
        check("sanqu/desk/kuavo-01/camera/head", Ok(StreamKind::Camera));
        check("sanqu/desk/kuavo-01/imu/torso", Ok(StreamKind::Imu));
        check("sanqu/desk/kuavo-01", Err("fewer than four"));
        check("field/desk/kuavo-01/joint", Err("begin with sanqu/"));
        check("sanqu/desk/Kuavo/joint", Err("robot \"Kuavo\""));
        check("sanqu/desk/kuavo-01/camera", Err("one name after the slash"));
        check("sanqu/desk/kuavo-01/joint/left", Err("no slash"));
        check("sanqu/desk/kuavo-01/camera/a/b", Err("one name"));
        check("sanqu/desk/kuavo-01/wheels", Err("expected joint, motor"));
        check("sanqu/desk/@station/a01/ctl", Err("robot \"@station\""));
    }

    #[test]
    fn file_names_have_no_slash() {
        let name: StreamName = "camera/wrist-left".parse().unwrap();
        assert_eq!((name.file_stem().as_str(), name.leaf()), ("camera.wrist-left", "wrist-left"));
    }
}
