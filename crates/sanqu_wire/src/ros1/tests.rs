use proptest::prelude::*;

use super::*;

/// As a 夸父's bag carries it, with the comments shortened.
const SENSORS: &str = "std_msgs/Header header
time sensor_time
kuavo_msgs/jointData joint_data
kuavo_msgs/imuData imu_data
kuavo_msgs/endEffectorData end_effector_data

================================================================================
MSG: std_msgs/Header
# Standard metadata for higher-level stamped data types.
#Two-integer timestamp that is expressed as:
# * stamp.sec: seconds (stamp_secs) since epoch
uint32 seq
time stamp
string frame_id

================================================================================
MSG: kuavo_msgs/jointData
float64[] joint_q  
float64[] joint_v  
float64[] joint_vd    
float64[] joint_current  

================================================================================
MSG: kuavo_msgs/imuData
geometry_msgs/Vector3 gyro    #陀螺仪数据
geometry_msgs/Quaternion quat    #四元数数据

================================================================================
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
================================================================================
MSG: geometry_msgs/Quaternion
float64 x
float64 y
float64 z
float64 w

================================================================================
MSG: kuavo_msgs/endEffectorData
string[] name  
float64[] position
";

const POSES: &str = "int64 timestamp_ms
bool is_high_confidence
PoseInfo[] poses
================================================================================
MSG: noitom_hi5_hand_udp_python/PoseInfo
geometry_msgs/Point position
================================================================================
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
";

fn f64s(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn counted(length: u32, bytes: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes(), bytes].concat()
}

fn sensors() -> Vec<u8> {
    [
        7u32.to_le_bytes().to_vec(),
        [1_745_041_096u32.to_le_bytes(), 123_456_789u32.to_le_bytes()].concat(),
        counted(4, b"base"),
        [1u32.to_le_bytes(), 2u32.to_le_bytes()].concat(),
        counted(2, &f64s(&[0.5, -0.0])),
        counted(1, &f64s(&[f64::NAN])),
        counted(0, b""),
        counted(0, b""),
        f64s(&[0.1, 0.2, 0.3]),
        f64s(&[0.0, 0.0, 0.0, 1.0]),
        counted(2, &[counted(1, b"l"), counted(1, b"r")].concat()),
        counted(1, &f64s(&[100.0])),
    ]
    .concat()
}

#[test]
fn a_robots_sensors_are_read() {
    let layout = MessageLayout::parse("kuavo_msgs/sensorsData", SENSORS).unwrap();
    let message = layout.read(&sensors()).unwrap();
    assert_eq!(message.message_type(), "kuavo_msgs/sensorsData");
    assert_eq!(message.time_ns("header.stamp").unwrap(), 1_745_041_096_123_456_789);
    assert_eq!(message.time_ns("sensor_time").unwrap(), 1_000_000_002);
    assert_eq!(message.text("header.frame_id").unwrap(), "base");
    assert_eq!(message.i64("header.seq").unwrap(), 7);
    let bits: Vec<u64> = message.f64_array("joint_data.joint_q").unwrap().iter().map(|q| q.to_bits()).collect();
    assert_eq!(bits, [0.5f64.to_bits(), (-0.0f64).to_bits()]);
    assert!(message.f64_array("joint_data.joint_v").unwrap()[0].is_nan());
    assert_eq!(message.f64("imu_data.gyro.y").unwrap(), 0.2);
    assert_eq!(message.message("imu_data.quat").unwrap().f64("w").unwrap(), 1.0);
    assert_eq!(message.text_array("end_effector_data.name").unwrap(), ["l", "r"]);
    assert_eq!(message.get("imu_data.acc"), None);
}

#[test]
fn arrays_of_messages_resolve_in_their_package() {
    let layout = MessageLayout::parse("noitom_hi5_hand_udp_python/PoseInfoList", POSES).unwrap();
    let bytes = [&1234i64.to_le_bytes()[..], &[1], &counted(2, &f64s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))].concat();
    let message = layout.read(&bytes).unwrap();
    assert_eq!((message.i64("timestamp_ms").unwrap(), message.bool("is_high_confidence").unwrap()), (1234, true));
    let poses = message.messages("poses").unwrap();
    assert_eq!((poses.len(), poses[1].f64("position.x").unwrap()), (2, 4.0));
    let joystick = MessageLayout::parse("a/B", "float32 left_x\nbool pressed").unwrap().read(&[0, 0, 0, 0x3f, 0]).unwrap();
    assert_eq!((joystick.f64("left_x").unwrap(), joystick.bool("pressed").unwrap()), (0.5, false));
    assert!(MessageLayout::parse("std_msgs/Bool", "bool data").unwrap().read(&[1]).unwrap().bool("data").unwrap());
}

#[test]
fn constants_fixed_arrays_and_old_names_are_understood() {
    let text = "uint8 DEBUG=1\nstring NAME=a # b = c\nHeader header\nint32[2] modes # two\nbyte b\nuint8[3] rgb\nduration d\nint16[] none
================================================================================
MSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id";
    let layout = MessageLayout::parse("a/B", text).unwrap();
    let bytes = [&[0u8; 16][..], &(-1i32).to_le_bytes(), &2i32.to_le_bytes(), &[0xff, 1, 2, 3], &[1; 8], &[0; 4]].concat();
    let message = layout.read(&bytes).unwrap();
    assert_eq!(message.fields().map(|(name, _)| name).collect::<Vec<_>>(), ["header", "modes", "b", "rgb", "d", "none"]);
    assert_eq!(message.i64_array("modes").unwrap(), [-1, 2]);
    assert_eq!((message.i64("b").unwrap(), message.bytes("rgb").unwrap()), (-1, &[1, 2, 3][..]));
    assert!(message.i64_array("none").unwrap().is_empty());
}

#[test]
fn wrong_definitions_are_named() {
    let refuses = |text: &str, part: &str| {
        let error = MessageLayout::parse("a/B", text).unwrap_err().to_string();
        assert!(error.contains("definition of a/B") && error.contains(part), "{error} should say {part:?}");
    };
    refuses("c/D d", "type \"c/D\" is not in the definition");
    refuses("float64", "\"float64\" is no field");
    refuses("float64 x\nfloat64 x", "\"x\" appears twice");
    refuses("float64 x y", "\"x y\" is no field name");
    refuses("float64[70000] x", "at most 65536");
    refuses("a/B self", "contains itself");
    refuses("C c\n====================\nMSG: a/C\nB b", "contains itself");
    refuses("bool x\n====================\nbool y", "expected MSG: package/Type");
    refuses(&" ".repeat(DEFINITION_BYTES_MAX + 1), "at most 262144");
    assert!(MessageLayout::parse("B", "").unwrap_err().to_string().contains("not package/Type"));
}

#[test]
fn wrong_bytes_name_field_and_offset() {
    let layout = MessageLayout::parse("kuavo_msgs/sensorsData", SENSORS).unwrap();
    let refuses = |bytes: &[u8], part: &str| {
        let error = layout.read(bytes).unwrap_err().to_string();
        assert!(error.starts_with("kuavo_msgs/sensorsData message") && error.contains(part), "{error} should say {part:?}");
    };
    let good = sensors();
    refuses(&good[..40], "field \"joint_data.joint_q\" at byte 32: 16 bytes are needed, 8 are left");
    refuses(&[&good[..], &[0]].concat(), "1 bytes follow the last field");
    let mut long = good.clone();
    long[28..32].copy_from_slice(&u32::MAX.to_le_bytes());
    refuses(&long, "joint_data.joint_q");
    let mut names = good;
    let at = names.len() - 12 - 10 - 4;
    names[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    refuses(&names, "end_effector_data.name\" at byte");
    let flag = MessageLayout::parse("a/B", "bool x").unwrap();
    assert!(flag.read(&[2]).unwrap_err().to_string().contains("neither false (0) nor true (1)"));
    let text = MessageLayout::parse("a/B", "string x").unwrap();
    assert!(text.read(&counted(1, &[0xff])).unwrap_err().to_string().contains("utf-8"));
}

#[test]
fn nothing_multiplies_without_bytes() {
    // Messages without fields take no bytes: only the limits stop them.
    let text = "C[65536] c\n====================\nMSG: a/C\nD[65536] d\n====================\nMSG: a/D";
    let error = MessageLayout::parse("a/B", text).unwrap().read(&[]).unwrap_err().to_string();
    assert!(error.contains("more than 1048576 values"), "{error}");
    // Nor do arrays of no elements: a message of many of them is large in memory however short it is.
    let fields: String = (0..FIELDS_MAX).map(|n| format!("uint8[0] f{n}\n")).collect();
    let layout = MessageLayout::parse("a/B", &format!("C[] c\n====================\nMSG: a/C\n{fields}")).unwrap();
    let error = layout.read(&65_536u32.to_le_bytes()).unwrap_err().to_string();
    assert!(error.contains("more than 1048576 values"), "{error}");
    let layers: String = (1..15).map(|n| format!("\n====================\nMSG: a/T{n}\nT{0} a\nT{0} b", n + 1)).collect();
    let fan = format!("T1 a\nT1 b{layers}\n====================\nMSG: a/T15\nbool x");
    let layout = MessageLayout::parse("a/B", &fan).unwrap();
    assert!(layout.read(&[0; 10]).unwrap_err().to_string().contains("are needed"));
}

#[test]
fn fields_of_another_type_are_named() {
    let layout = MessageLayout::parse("kuavo_msgs/sensorsData", SENSORS).unwrap();
    let message = layout.read(&sensors()).unwrap();
    let error = message.f64_array("joint_data.joint_torque").unwrap_err().to_string();
    assert!(error.contains("\"joint_data.joint_torque\": expected float64[], found no such field"), "{error}");
    let error = message.f64("header").unwrap_err().to_string();
    assert!(error.contains("found a message"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_panic(cut in 0usize..200, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let layout = MessageLayout::parse("kuavo_msgs/sensorsData", SENSORS).unwrap();
        let mut bytes = sensors();
        bytes.truncate(cut.max(1));
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = layout.read(&bytes);
    }

    #[test]
    fn no_text_panics(text in "([a-zA-Z0-9_/=#\\[\\] .:]{0,12}\n?){0,12}") {
        let _ = MessageLayout::parse("a/B", &text);
    }
}
