use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use sanqu_wire::{SampleHeader, decode_rows, h264};

use super::*;

fn rows_of(kind: Kind) -> Pool {
    Pool::new(kind, 7).unwrap()
}

#[test]
fn rows_decode_with_the_times_of_the_moment() {
    for kind in [Kind::Joint, Kind::Motor] {
        let pool = rows_of(kind);
        for number in 0..TEMPLATES as u64 {
            let (payload, _) = pool.payload(number, 1_000_000, 2_000);
            let batch = decode_rows(&payload).unwrap();
            let t: &[i64] = batch.column(0).as_primitive::<TimestampNanosecondType>().values();
            assert_eq!(t, (0..10).map(|row| 1_000_000 + row * 2_000).collect::<Vec<i64>>());
            let expected = description(kind, "joint".parse().unwrap()).payload_schema();
            assert_eq!(batch.schema_ref().as_ref(), &expected);
        }
    }
}

#[test]
fn pictures_parse_and_key_frames_carry_their_parameter_sets() {
    let pool = rows_of(Kind::Camera);
    for number in 0..3 * GOP {
        let (unit, is_key) = pool.payload(number, 0, 0);
        assert_eq!(unit.len(), PICTURE_BYTES);
        assert_eq!((h264::is_keyframe(&unit), is_key), (number % GOP == 0, number % GOP == 0));
        assert!(!h264::has_b_slice(&unit));
        assert_eq!(h264::picture_nals(&unit).count(), 1, "random bytes make no further unit");
        assert_eq!(h264::parameter_sets(&unit).is_some(), is_key);
        if let Some((sps, _)) = h264::parameter_sets(&unit) {
            let sps = h264::parse_sps(sps).unwrap();
            assert_eq!((sps.width, sps.height), (320, 240));
        }
        h264::to_avcc(&unit).unwrap();
    }
}

#[test]
fn bytes_that_look_like_a_start_code_are_escaped() {
    let mut unit = vec![0x41];
    push_escaped(&mut unit, &[0, 0, 1, 0, 0, 0, 0, 3, 7]);
    assert_eq!(unit, [0x41, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 7]);
    assert_eq!(h264::nals(&[&[0, 0, 1], unit.as_slice()].concat()).count(), 1);
}

#[test]
fn no_two_payloads_are_alike() {
    for kind in [Kind::Joint, Kind::Motor, Kind::Camera] {
        let pool = rows_of(kind);
        let payloads: BTreeSet<Vec<u8>> =
            (0..300).map(|number| pool.payload(number, number.cast_signed() * 20_000_000, 2_000_000).0).collect();
        assert_eq!(payloads.len(), 300);
    }
}

/// A byte of random bits has 8 bits of entropy; sign, mantissa and one exponent of a number make 53 of 64 bits.
#[test]
fn payloads_are_near_full_entropy() {
    let entropy_bits = |kind| {
        let pool = rows_of(kind);
        let mut counts = [0_u32; 256];
        for number in 0..TEMPLATES as u64 {
            pool.payload(number, 0, 0).0.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
        }
        let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
        -counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / total).map(|p| p * p.log2()).sum::<f64>()
    };
    assert!(entropy_bits(Kind::Camera) > 7.99);
    assert!(entropy_bits(Kind::Joint) > 6.5, "{}", entropy_bits(Kind::Joint));
}

#[test]
fn a_second_of_one_robot_has_the_bytes_of_the_tiers() {
    let bytes = |kind, rate| rows_of(kind).payload(1, 0, 0).0.len() * rate;
    let total = bytes(Kind::Joint, 50) + bytes(Kind::Motor, 50) + 3 * bytes(Kind::Camera, 30);
    let field_mb = total * 31 / 1_000_000;
    assert!((100..=140).contains(&field_mb), "31 robots send {field_mb} MB/s");
}

#[test]
fn headers_of_patched_payloads_are_whole() {
    let (payload, _) = rows_of(Kind::Motor).payload(5, 12, 34);
    let header = SampleHeader { rows: ROWS_PER_PAYLOAD, boot: 7, ..SampleHeader::default() };
    assert_eq!(SampleHeader::decode_checked(&header.encode(&payload), &payload).unwrap(), header);
}
