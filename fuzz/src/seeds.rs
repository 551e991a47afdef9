//! First inputs of the wire's targets.

use arrow_array::types::{Float32Type, UInt8Type};
use sanqu_model::{Quantity, ValueType};
use sanqu_wire::{FLAG_KEYFRAME, SampleHeader, encode_rows, fixed_list};

use crate::bench::{START_NS, joint, joint_rows};

/// SPS and PPS of x264, 320 by 240, baseline.
const SPS: &[u8] = b"\x67\x42\xc0\x0d\xd9\x01\x41\xfb\x01\x10\0\0\x03\0\x01\0\0\x03\x03\xc0\xf1\x42\xa4\x80";
/// High profile, 1920 by 1080, cropped.
const SPS_HIGH: &[u8] = b"\x67\x64\0\x28\xac\xb2\0\xf0\x04\x4f\xcb\x80\x88\0\0\x03\0\x08\0\0\x03\x01\xe0\x78\xc1\x92\x40";
/// 4:4:4, and interlaced.
const SPS_RARE: [&[u8]; 2] = [
    b"\x67\xf4\0\x1e\x91\x96\x40\x28\x0b\xfb\x8b\xc0\x44\0\0\x03\0\x04\0\0\x03\0\xf0\x3c\x58\xb9\x20",
    b"\x67\x4d\x40\x1e\xec\xa0\x50\x31\xf9\xf0\x11\0\0\x03\0\x01\0\0\x03\0\x3c\x1f\x14\x29\x96",
];
const PPS: &[u8] = b"\x68\xcb\x83\xcb\x20";

/// An access unit: keyframes bring SPS and PPS.
pub(crate) fn picture(number: u8, keyframe: bool) -> Vec<u8> {
    let code = [0, 0, 0, 1];
    let slice: &[u8] = if keyframe { &[0x65, 0x88] } else { &[0x41, 0x98] };
    let sets = if keyframe { [&code, SPS, &code, PPS].concat() } else { Vec::new() };
    [&sets, &code[..], slice, &[number | 0x80, 1]].concat()
}

/// SPS and PPS as a writer of MP4 takes them.
pub(crate) fn parameter_sets() -> (&'static [u8], &'static [u8]) {
    (SPS, PPS)
}

pub(crate) fn headers() -> Vec<Vec<u8>> {
    let header = SampleHeader { flags: FLAG_KEYFRAME, rows: 10, boot: 77, seq: 500, capture_ns: START_NS, clock: 2, schema_id: 5 };
    let far = SampleHeader { seq: sanqu_wire::SEQ_END - 10, boot: (1 << 53) - 1, capture_ns: i64::MIN, ..header };
    vec![[&header.encode(b"payload")[..], b"payload"].concat(), far.encode(b"").to_vec()]
}

pub(crate) fn rows() -> Vec<Vec<u8>> {
    let types = [ValueType::F32, ValueType::U8, ValueType::Bool];
    let mut seeds = vec![joint_rows(0, 1, START_NS), joint_rows(5, 40, START_NS)];
    let mut mixed = joint();
    mixed.quantities =
        types[..2].iter().map(|t| Quantity { value_type: *t, ..Quantity::f64("q", "rad", &["a".into(), "b".into()]) }).collect();
    mixed.quantities[1].name = "r".to_owned();
    let columns = vec![fixed_list::<Float32Type>(vec![0.5; 6], 2).unwrap(), fixed_list::<UInt8Type>(vec![1; 6], 2).unwrap()];
    seeds.push(encode_rows(&mixed, &[1, 2, 3], columns).unwrap());
    seeds
}

pub(crate) fn video() -> Vec<Vec<u8>> {
    let mut seeds =
        vec![picture(1, true), picture(2, false), [&[0, 0, 1][..], SPS_HIGH, &[0, 0, 1], PPS, &[0, 0, 1, 0x65, 0x88, 0x84]].concat()];
    seeds.extend([SPS, SPS_HIGH].into_iter().chain(SPS_RARE).map(<[u8]>::to_vec));
    // A bidirectional slice, and an MP4 sample.
    seeds.push(vec![0, 0, 1, 0x01, 0b1010_0000, 0x80]);
    seeds.push(sanqu_wire::h264::to_avcc(&picture(3, false)).unwrap());
    seeds
}
