use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[track_caller]
fn check_sps(hex: &str, width: u32, height: u32, profile: u8, level: u8) {
    let sps = parse_sps(&bytes(hex)).unwrap();
    assert_eq!((sps.width, sps.height, sps.profile, sps.level), (width, height, profile, level));
}

#[test]
fn sps_of_a_known_encoder() {
    // Made with x264; sizes, profiles and levels as ffprobe reports them.
    check_sps("6742c00dd90141fb0110000003001000000303c0f142a480", 320, 240, 66, 13);
    // Cropped by 8 of 1088 lines.
    check_sps("67640028acb200f0044fcb8088000003000800000301e078c19240", 1920, 1080, 100, 40);
    // 4:4:4: cropping counts single pixels.
    check_sps("67f4001e919640280bfb8bc044000003000400000300f03c58b920", 638, 358, 244, 30);
    // Interlaced: map units are two lines high.
    check_sps("674d401eeca05031f9f0110000030001000003003c1f142996", 640, 360, 77, 30);
}

#[test]
fn impossible_sps_are_refused() {
    let refuses = |hex: &str, part: &str| {
        let error = parse_sps(&bytes(hex)).unwrap_err().to_string();
        assert!(error.contains(part), "{error} should say {part:?}");
    };
    refuses("68cb83cb20", "type 8, expected 7");
    refuses("6742c0", "fewer than 4 bytes");
    refuses("6742c00dd9", "ends too early");
    refuses("6742c00d00000000000000", "exp-Golomb");
}

#[test]
fn units_are_found_behind_both_start_codes() {
    let unit = b"\0\0\0\x01\x67\x42\0\0\x01\x68\xcb\0\0\0\0\0\x01\x65\x88\x80\0\0";
    let found: Vec<&[u8]> = nals(unit).collect();
    assert_eq!(found, [&b"\x67\x42"[..], b"\x68\xcb", b"\x65\x88\x80"]);
    assert_eq!(parameter_sets(unit), Some((&b"\x67\x42"[..], &b"\x68\xcb"[..])));
    assert!(is_keyframe(unit));
    assert!(!is_keyframe(b"\0\0\x01\x41\x9a\0\0\x01"));
    assert_eq!(to_avcc(unit).unwrap(), b"\0\0\0\x03\x65\x88\x80");
}

#[test]
fn slices_that_look_ahead_are_noticed() {
    // first_mb_in_slice 0 is `1`; slice_type 1 (B) is `010`, 6 (all B) is `00111`, 0 (P) is `1`, 5 (all P) is `00110`.
    assert!(has_b_slice(&[0, 0, 1, 0x01, 0b1010_0000, 0x80]));
    assert!(has_b_slice(&[0, 0, 1, 0x01, 0b1001_1100, 0x80]));
    assert!(!has_b_slice(&[0, 0, 1, 0x41, 0b1100_0000, 0x80]));
    assert!(!has_b_slice(&[0, 0, 1, 0x41, 0b1001_1000, 0x80]));
}

#[test]
fn what_is_no_access_unit_is_refused() {
    let refuses = |unit: &[u8], part: &str| {
        let error = to_avcc(unit).unwrap_err().to_string();
        assert!(error.contains(part), "{error} should say {part:?}");
    };
    refuses(b"", "start code");
    refuses(b"\x65\0\0\x01\x41", "start code");
    refuses(b"\0\x01\x41", "start code");
    refuses(b"\0\0\x01\x67\x42", "no picture");
    let error = to_annex_b(b"\0\0\0\x09\x65", 4, &[b""]).unwrap_err().to_string();
    assert!(error.contains("a NAL unit of 9 bytes, 1 bytes are left"), "{error}");
    assert!(to_annex_b(b"\0\0\0\0", 4, &[b""]).is_err());
    assert!(to_annex_b(b"\x65", 0, &[b""]).is_err());
}

/// A unit as an encoder writes it: no start code inside, not ending in zero.
fn unit() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![0x65u8, 0x41, 0x06, 0x67, 0x68, 0x09]);
    (kind, prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..40)).prop_map(|(kind, payload)| {
        let mut nal = vec![kind];
        for byte in payload {
            if byte <= 3 && nal.ends_with(&[0, 0]) {
                nal.push(3);
            }
            nal.push(byte);
        }
        nal.push(0x80);
        nal
    })
}

proptest! {
    #[test]
    fn units_survive_the_way_into_mp4_and_back(units in prop::collection::vec((unit(), 0usize..3), 1..8)) {
        let mut annex_b = Vec::new();
        for (nal, extra_zeros) in &units {
            annex_b.extend(std::iter::repeat_n(0, *extra_zeros));
            annex_b.extend_from_slice(&[0, 0, 1]);
            annex_b.extend_from_slice(nal);
        }
        let all: Vec<&[u8]> = units.iter().map(|(nal, _)| nal.as_slice()).collect();
        prop_assert_eq!(nals(&annex_b).collect::<Vec<_>>(), all);

        let kept: Vec<&[u8]> = picture_nals(&annex_b).collect();
        let Ok(sample) = to_avcc(&annex_b) else {
            prop_assert!(kept.is_empty());
            return Ok(());
        };
        let sets = [b"\x67\x42".as_slice(), b"\x68\xcb"];
        let back = to_annex_b(&sample, AVCC_LENGTH_BYTES, &sets).unwrap();
        prop_assert_eq!(picture_nals(&back).collect::<Vec<_>>(), kept);
        prop_assert_eq!(parameter_sets(&back).is_some(), is_keyframe(&annex_b));
        prop_assert_eq!(is_keyframe(&back), is_keyframe(&annex_b));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..200), length_bytes in 0usize..6) {
        let _ = (is_keyframe(&bytes), has_b_slice(&bytes), parameter_sets(&bytes), to_avcc(&bytes).is_ok());
        let _ = to_annex_b(&bytes, length_bytes, &[b"x"]);
        let _ = parse_sps(&[&[0x67, 100, 0, 31], bytes.as_slice()].concat());
        let _ = parse_sps(&bytes);
    }
}
