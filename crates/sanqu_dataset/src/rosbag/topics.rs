//! What 夸父's topics become: rows of streams, values bit for bit as they were published.

use std::sync::Arc;

use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, FixedSizeListArray};
use arrow_schema::{DataType, Field};
use sanqu_model::{Quantity, ValueType};
use sanqu_wire::ros1::{Message, Value};
use sanqu_wire::{WireError, fixed_list};

use super::torque;

/// A topic that is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// `kuavo_msgs/sensorsData`: joints, IMU, end effectors.
    Sensors,
    /// `sensor_msgs/JointState` in degrees: arm targets.
    ArmTargets,
    /// Headset and hand poses.
    BonePoses,
    /// Sticks and buttons.
    Joystick,
    /// Whether the operator's tool was recording.
    RecordingStatus,
}

impl Role {
    const ALL: [(&'static str, &'static str, Self); 5] = [
        ("/sensors_data_raw", "sensorsData", Self::Sensors),
        ("/kuavo_arm_traj", "JointState", Self::ArmTargets),
        ("/leju_quest_bone_poses", "PoseInfoList", Self::BonePoses),
        ("/quest_joystick_data", "JoySticks", Self::Joystick),
        ("/recording_status", "Bool", Self::RecordingStatus),
    ];

    /// The role of a topic with messages of this type; none when it is not imported.
    pub(super) fn of(topic: &str, message_type: &str) -> Option<Self> {
        let kind = message_type.rsplit('/').next();
        Self::ALL.iter().find(|(known, of_type, _)| *known == topic && Some(*of_type) == kind).map(|(_, _, role)| *role)
    }

    /// Whether its messages begin with a `std_msgs/Header`.
    pub(super) fn has_header(self) -> bool {
        matches!(self, Self::Sensors | Self::ArmTargets)
    }

    /// What its streams' rows a second should be; 0 when nothing says so.
    pub(super) fn nominal_rate_hz(self) -> f64 {
        if self == Self::Sensors { 500.0 } else { 0.0 }
    }

    /// The rows that a message makes, one a stream.
    pub(super) fn rows(self, message: &Message) -> Result<Vec<Row>, WireError> {
        match self {
            Self::Sensors => sensors(message),
            Self::ArmTargets => Ok(vec![arm_targets(message)?]),
            Self::BonePoses => Ok(vec![bone_poses(message)?]),
            Self::Joystick => Ok(vec![joystick(message)?]),
            Self::RecordingStatus => Ok(Vec::new()),
        }
    }
}

/// Values of one quantity in one row.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// Float64.
    F64(Vec<f64>),
    /// Float32.
    F32(Vec<f32>),
    /// Signed integers.
    I64(Vec<i64>),
    /// True or false.
    Bool(Vec<bool>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    fn value_type(&self) -> ValueType {
        match self {
            Self::F64(_) => ValueType::F64,
            Self::F32(_) => ValueType::F32,
            Self::I64(_) => ValueType::I64,
            Self::Bool(_) => ValueType::Bool,
        }
    }

    fn array(self) -> Result<ArrayRef, WireError> {
        let elements = self.len();
        match self {
            Self::F64(values) => fixed_list::<Float64Type>(values, elements),
            Self::F32(values) => fixed_list::<Float32Type>(values, elements),
            Self::I64(values) => fixed_list::<Int64Type>(values, elements),
            Self::Bool(values) => {
                let item = Arc::new(Field::new("item", DataType::Boolean, false));
                let size = i32::try_from(elements).unwrap_or(i32::MAX);
                Ok(Arc::new(FixedSizeListArray::try_new(item, size, Arc::new(BooleanArray::from(values)), None)?))
            }
        }
    }
}

/// One row of one stream.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The stream's name.
    pub(super) stream: &'static str,
    /// What its columns are: the same for every row of a stream.
    pub(super) quantities: Vec<Quantity>,
    values: Vec<Values>,
    /// Facts for the stream's description.
    pub(super) facts: Vec<(&'static str, String)>,
}

impl Row {
    fn new(stream: &'static str) -> Self {
        Self { stream, quantities: Vec::new(), values: Vec::new(), facts: Vec::new() }
    }

    /// Adds a quantity; one without values is left out.
    fn with(mut self, [name, unit, frame]: [&str; 3], elements: &[String], values: Values) -> Self {
        if values.len() > 0 {
            let value_type = values.value_type();
            let (name, unit, frame) = (name.to_owned(), unit.to_owned(), frame.to_owned());
            self.quantities.push(Quantity { name, value_type, unit, frame, elements: elements.to_vec() });
            self.values.push(values);
        }
        self
    }

    fn fact(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((key, value.into()));
        self
    }

    /// The columns of a batch of this row alone.
    pub(super) fn columns(self) -> Result<Vec<ArrayRef>, WireError> {
        self.values.into_iter().map(Values::array).collect()
    }
}

/// Names of the joints in the order of the robot's vectors: legs, arms, head; left before right. Numbers when the robot
/// has not the 28 joints of the known models.
fn joint_names(count: usize) -> Vec<String> {
    if count != torque::JOINTS {
        return (0..count).map(|i| format!("joint_{i:02}")).collect();
    }
    let limbs = [("leg_l", 6), ("leg_r", 6), ("zarm_l", 7), ("zarm_r", 7), ("zhead_", 2)];
    limbs.iter().flat_map(|(limb, joints)| (1..=*joints).map(move |joint| format!("{limb}{joint}_joint"))).collect()
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn sensors(message: &Message) -> Result<Vec<Row>, WireError> {
    // Older robots publish the same array as joint_current.
    let raw_field = ["joint_data.joint_torque", "joint_data.joint_current"]
        .into_iter()
        .find(|field| message.get(field).is_some())
        .unwrap_or("joint_data.joint_torque");
    let positions = message.f64_array("joint_data.joint_q")?.to_vec();
    let names = joint_names(positions.len());
    let raw = message.f64_array(raw_field)?.to_vec();
    let known = names.len() == torque::JOINTS && raw.len() == torque::JOINTS;
    let effort: Vec<f64> =
        if known { raw.iter().enumerate().filter_map(|(i, v)| torque::newton_metres(i, *v)).collect() } else { Vec::new() };
    let mut joint = Row::new("joint")
        .with(["pos", "rad", ""], &names, Values::F64(positions))
        .with(["vel", "rad/s", ""], &names, Values::F64(message.f64_array("joint_data.joint_v")?.to_vec()))
        .with(["acc", "rad/s²", ""], &names, Values::F64(message.f64_array("joint_data.joint_vd")?.to_vec()))
        .with(["effort_raw", torque::RAW_UNIT, ""], &names, Values::F64(raw))
        .with(["effort", "N·m", ""], &names, Values::F64(effort))
        .with(["sensor_time", "ns", ""], &texts(&["source"]), Values::I64(vec![message.time_ns("sensor_time")?]))
        .fact("effort_raw_field", raw_field)
        .fact("sensor_time", "the message's own second clock, kept as published; it is not the time of the rows");
    joint = if known {
        joint.fact("effort_rule", torque::RULE).fact("effort_source", torque::SOURCE).fact("effort_confidence", torque::CONFIDENCE)
    } else {
        joint.fact("effort_rule", format!("none: {} knows {} joints, this robot has {}", torque::RULE, torque::JOINTS, names.len()))
    };
    let end_effectors = end_effectors(message)?;
    joint = joint.fact("end_effector", if end_effectors.is_some() { "stream hand/end-effector" } else { "the published arrays are empty" });
    let xyz = texts(&["x", "y", "z"]);
    let vector = |field: &str| -> Result<Values, WireError> {
        let part = |axis: &str| message.f64(&format!("imu_data.{field}.{axis}"));
        Ok(Values::F64(vec![part("x")?, part("y")?, part("z")?]))
    };
    let quat = ["x", "y", "z", "w"].map(|axis| message.f64(&format!("imu_data.quat.{axis}"))).into_iter().collect::<Result<Vec<_>, _>>()?;
    let imu = Row::new("imu/torso")
        .with(["gyro", "rad/s", "torso"], &xyz, vector("gyro")?)
        .with(["acc", "m/s²", "torso"], &xyz, vector("acc")?)
        .with(["free_acc", "m/s²", ""], &xyz, vector("free_acc")?)
        .with(["quat", "", ""], &texts(&["x", "y", "z", "w"]), Values::F64(quat));
    Ok([joint, imu].into_iter().chain(end_effectors).collect())
}

/// Hand or claw data, where a message has any.
fn end_effectors(message: &Message) -> Result<Option<Row>, WireError> {
    let names = message.text_array("end_effector_data.name")?;
    let part = |field: &str| Ok::<_, WireError>(message.f64_array(&format!("end_effector_data.{field}"))?.to_vec());
    let (position, velocity, effort) = (part("position")?, part("velocity")?, part("effort")?);
    let count = position.len().max(velocity.len()).max(effort.len());
    if count == 0 {
        return Ok(None);
    }
    let names = if names.len() == count { texts(&names) } else { (0..count).map(|i| format!("end_effector_{i}")).collect() };
    let row = Row::new("hand/end-effector")
        .with(["pos", "as published", ""], &names, Values::F64(position))
        .with(["vel", "as published", ""], &names, Values::F64(velocity))
        .with(["effort", "as published", ""], &names, Values::F64(effort));
    Ok(Some(row))
}

/// Arm targets: degrees become radians, the published numbers stay beside them.
fn arm_targets(message: &Message) -> Result<Row, WireError> {
    const ARM: std::ops::Range<usize> = 12..26;
    let published = texts(&message.text_array("name")?);
    let degrees = message.f64_array("position")?.to_vec();
    let expected = |i: usize| format!("arm_joint_{}", i + 1);
    let arms = degrees.len() == ARM.len() && (published.is_empty() || published.iter().enumerate().all(|(i, name)| *name == expected(i)));
    let names: Vec<String> = match (arms, published.len() == degrees.len()) {
        (true, _) => joint_names(torque::JOINTS).into_iter().skip(ARM.start).take(ARM.len()).collect(),
        (false, true) => published,
        (false, false) => (0..degrees.len()).map(|i| format!("target_{i:02}")).collect(),
    };
    let radians = degrees.iter().map(|v| v.to_radians()).collect();
    Ok(Row::new("command")
        .with(["pos", "rad", ""], &names, Values::F64(radians))
        .with(["pos_raw", "deg", ""], &names, Values::F64(degrees))
        .with(["vel_raw", "as published", ""], &names, Values::F64(message.f64_array("velocity")?.to_vec()))
        .with(["effort_raw", "as published", ""], &names, Values::F64(message.f64_array("effort")?.to_vec()))
        .fact("conversion", "pos = pos_raw * pi / 180: /kuavo_arm_traj is published in degrees")
        .fact("names", if arms { "arm_joint_1..14 are the arm joints, left before right" } else { "as published" }))
}

fn bone_poses(message: &Message) -> Result<Row, WireError> {
    let poses = message.messages("poses")?;
    let (mut positions, mut orientations) = (Vec::new(), Vec::new());
    for pose in poses {
        for axis in ["x", "y", "z"] {
            positions.push(pose.f64(&format!("position.{axis}"))?);
        }
        for axis in ["x", "y", "z", "w"] {
            orientations.push(pose.f64(&format!("orientation.{axis}"))?);
        }
    }
    let elements = |axes: &[&str]| -> Vec<String> {
        (0..poses.len()).flat_map(|bone| axes.iter().map(move |axis| format!("bone_{bone:02}_{axis}"))).collect()
    };
    let flags = ["is_high_confidence", "is_hand_tracking"];
    let flag_values = flags.iter().map(|flag| message.bool(flag)).collect::<Result<Vec<_>, _>>()?;
    Ok(Row::new("teleop/bone-poses")
        .with(["position", "m", ""], &elements(&["x", "y", "z"]), Values::F64(positions))
        .with(["orientation", "", ""], &elements(&["x", "y", "z", "w"]), Values::F64(orientations))
        .with(["flag", "", ""], &texts(&flags), Values::Bool(flag_values))
        .with(["headset_time", "ms", ""], &texts(&["source"]), Values::I64(vec![message.i64("timestamp_ms")?]))
        .fact("bones", "numbered as in the message, which does not name them"))
}

/// Sticks are numbers, buttons are not: the message's own field names.
fn joystick(message: &Message) -> Result<Row, WireError> {
    let (mut axes, mut axis_values, mut buttons, mut button_values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, value) in message.fields() {
        match value {
            Value::F32(value) => {
                axes.push(name.to_owned());
                axis_values.push(*value);
            }
            Value::Bool(value) => {
                buttons.push(name.to_owned());
                button_values.push(*value);
            }
            _ => {
                let (message_type, field) = (message.message_type().to_owned(), name.to_owned());
                return Err(WireError::BadField { message_type, field, expected: "float32 or bool", found: "another type".to_owned() });
            }
        }
    }
    Ok(Row::new("teleop/joystick").with(["axis", "", ""], &axes, Values::F32(axis_values)).with(
        ["button", "", ""],
        &buttons,
        Values::Bool(button_values),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joints_are_named_in_the_order_of_the_vectors() {
        let names = joint_names(28);
        let at = |i: usize| names[i].as_str();
        assert_eq!(
            (names.len(), at(0), at(6), at(12), at(19), at(27)),
            (28, "leg_l1_joint", "leg_r1_joint", "zarm_l1_joint", "zarm_r1_joint", "zhead_2_joint")
        );
        assert_eq!(joint_names(2), ["joint_00", "joint_01"]);
    }

    #[test]
    fn topics_are_known_by_name_and_type() {
        assert_eq!(Role::of("/sensors_data_raw", "kuavo_msgs/sensorsData"), Some(Role::Sensors));
        assert_eq!(Role::of("/sensors_data_raw", "std_msgs/Bool"), None);
        assert_eq!(Role::of("/tf", "tf2_msgs/TFMessage"), None);
    }
}
