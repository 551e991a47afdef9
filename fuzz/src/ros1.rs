//! ROS 1 definitions and messages: a 16-bit length, that many bytes of definition, then a message.

use sanqu_wire::ros1::{MessageLayout, VALUES_MAX, Value};

use crate::script::Script;

const JOINTS: &str = "std_msgs/Header header
time sensor_time
pkg/Joints joints
pkg/Point[2] points
string[] names
uint8[] data
float32[3] gyro
duration d
bool ok
int8 small
uint16[] words
================================================================================
MSG: std_msgs/Header
uint32 seq
time stamp
string frame_id
================================================================================
MSG: pkg/Joints
# float64 commented
float64[] q
int64 n
string CONSTANT=a # b
================================================================================
MSG: pkg/Point
float64 x
float64 y
";

pub(crate) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let definition = String::from_utf8_lossy(script.bytes());
    let message = script.rest();
    let Ok(layout) = MessageLayout::parse("pkg/Top", &definition) else { return };
    assert_eq!(layout.message_type(), "pkg/Top");
    if let Ok(read) = layout.read(message) {
        assert_eq!(read.message_type(), "pkg/Top");
        for (name, value) in read.fields() {
            assert!(read.get(name).is_some());
            let _ = (read.f64(name), read.i64(name), read.text(name), read.time_ns(name), read.i64_array(name), read.text_array(name));
            assert!(values(value) <= VALUES_MAX, "{name} holds more values than a message may");
        }
    }
}

fn values(value: &Value) -> usize {
    match value {
        Value::Message(message) => message.fields().map(|(_, value)| values(value)).sum::<usize>() + 1,
        Value::Messages(messages) => {
            messages.iter().map(|message| message.fields().map(|(_, value)| values(value)).sum::<usize>() + 1).sum::<usize>()
        }
        Value::Array(array) => array.len(),
        _ => 1,
    }
}

fn input(definition: &str, message: &[u8]) -> Vec<u8> {
    [&u16::try_from(definition.len()).unwrap().to_le_bytes(), definition.as_bytes(), message].concat()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let counted = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
    let message = [
        &7u32.to_le_bytes()[..],
        &[1, 0, 0, 0, 2, 0, 0, 0],
        &counted(b"base"),
        &[3, 0, 0, 0, 4, 0, 0, 0],
        &1u32.to_le_bytes(),
        &0.5f64.to_le_bytes(),
        &(-3i64).to_le_bytes(),
        &[0; 32],
        &2u32.to_le_bytes(),
        &counted(b"l_knee"),
        &counted(b""),
        &counted(&[1, 2, 3]),
        &[0; 12],
        &[0; 8],
        &[1, 0xff],
        &1u32.to_le_bytes(),
        &[9, 9],
    ]
    .concat();
    // Many fields that take no bytes, many times over: what a message costs must not depend on its bytes alone.
    let fields: Vec<String> = (0..900).map(|n| format!("uint8[0] f{n}\n")).collect();
    let empty = format!("E[] e\n{}\nMSG: pkg/E\n{}", "=".repeat(80), fields.concat());
    vec![
        input(JOINTS, &message),
        input("int32 a\nE[65536] e\n====================\nMSG: pkg/E\n", &[1, 0, 0, 0]),
        input(&empty, &60_000u32.to_le_bytes()),
    ]
}
