use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use sanqu_wire::h264;
use tempfile::TempDir;

use super::*;
use crate::StoreError;

/// SPS and PPS of x264, 320 by 240, baseline.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0xfb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42,
    0xa4, 0x80,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

struct Scratch {
    folder: TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("head.mp4")
    }

    fn writer(&self, timescale: u32) -> Mp4Writer {
        Mp4Writer::create(&self.path(), 320, 240, SPS, PPS, timescale).unwrap()
    }

    /// A file of `count` pictures at 30 a second, an IDR every ten.
    fn film(&self, count: u64) -> Vec<Vec<u8>> {
        let mut writer = self.writer(30 * 512);
        let units: Vec<Vec<u8>> = (0..count).map(|n| unit(n, n % 10 == 0)).collect();
        for (unit, n) in units.iter().zip(0..) {
            writer.push(unit, n * 512, n % 10 == 0).unwrap();
        }
        writer.finish().unwrap();
        units
    }
}

/// An access unit as the wire carries it; its slice is numbered, not decodable.
fn unit(number: u64, idr: bool) -> Vec<u8> {
    let code = [0, 0, 0, 1];
    let mut bytes = Vec::new();
    if idr {
        bytes.extend([&code, SPS, &code, PPS].concat());
    }
    bytes.extend(code);
    // first_mb_in_slice 0, slice_type 7 (all I) or 5 (all P).
    bytes.extend(if idr { [0x65, 0b1000_1000] } else { [0x41, 0b1001_1000] });
    bytes.extend(number.to_be_bytes().map(|byte| byte | 0x80));
    bytes
}

#[track_caller]
fn refuses<T>(result: Result<T, StoreError>, part: &str) {
    let error = result.err().expect("an error").to_string();
    assert!(error.contains(part) && error.contains("head.mp4"), "{error} should name the file and say {part:?}");
}

#[test]
fn pictures_come_back_with_their_times() {
    let scratch = Scratch::new();
    let units = scratch.film(95);
    let film = Mp4Reader::open(&scratch.path()).unwrap();
    assert_eq!((film.len(), film.size(), film.timescale()), (95, [320, 240], 15_360));
    assert!((film.frame_rate() - 30.0).abs() < 1e-12);
    for (index, unit) in units.iter().enumerate() {
        assert_eq!(&film.frame(index).unwrap(), unit);
        assert_eq!(film.is_keyframe(index), index % 10 == 0);
        let expected = (index as f64 * 1e9 / 30.0).round();
        assert_eq!(film.pts_ns(index).unwrap() as f64, expected);
    }
    assert_eq!((film.keyframe_before(19), film.keyframe_before(20), film.keyframe_before(95)), (Some(10), Some(20), None));
    assert_eq!(film.pts_ns(95), None);
    refuses(film.frame(95), "the file has 95 frames");
}

#[test]
fn the_same_pictures_give_the_same_bytes() {
    let (one, two) = (Scratch::new(), Scratch::new());
    one.film(40);
    two.film(40);
    assert_eq!(fs::read(one.path()).unwrap(), fs::read(two.path()).unwrap());
}

#[test]
fn the_writer_says_where_a_picture_went() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(90_000);
    let placed = writer.push(&unit(7, true), 0, true).unwrap();
    writer.finish().unwrap();
    let bytes = fs::read(scratch.path()).unwrap();
    let from = usize::try_from(placed.offset).unwrap();
    assert_eq!(&bytes[from..from + placed.bytes as usize], h264::to_avcc(&unit(7, true)).unwrap());
    assert_eq!(Mp4Reader::open(&scratch.path()).unwrap().samples()[0].offset, placed.offset);
}

#[test]
fn what_does_not_fit_is_refused_and_the_rest_goes_on() {
    let scratch = Scratch::new();
    refuses(Mp4Writer::create(&scratch.path(), 640, 480, SPS, PPS, 90_000), "320x240 pixels, expected 640x480");
    refuses(Mp4Writer::create(&scratch.path(), 320, 240, PPS, PPS, 90_000), "NAL unit type 8");
    refuses(scratch.writer(90_000).finish(), "no picture");
    let mut writer = scratch.writer(90_000);
    refuses(writer.push(&unit(0, true), 5, true), "first picture's time is 5");
    writer.push(&unit(0, true), 0, true).unwrap();
    refuses(writer.push(&unit(1, false), 0, false), "time 0 does not follow 0");
    refuses(writer.push(&unit(1, false), 1 << 33, false), "does not follow 0");
    refuses(writer.push(&unit(1, false), 3000, true), "no IDR slice");
    refuses(writer.push(b"\0\0\x01\x01\xa0\x80", 3000, false), "bidirectional");
    refuses(writer.push(b"\0\0\x01\x67\x42\x01\0\0\x01\x65\x88", 3000, true), "a new file must begin");
    refuses(writer.push(b"\x41", 3000, false), "start code");
    writer.push(&unit(1, false), 3000, false).unwrap();
    writer.finish().unwrap();
    assert_eq!(Mp4Reader::open(&scratch.path()).unwrap().len(), 2);
}

#[test]
fn unfinished_and_cut_files_are_named() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(90_000);
    writer.push(&unit(0, true), 0, true).unwrap();
    drop(writer);
    refuses(Mp4Reader::open(&scratch.path()), "never finished");
    scratch.film(20);
    let bytes = fs::read(scratch.path()).unwrap();
    fs::write(scratch.path(), &bytes[..bytes.len() - 1]).unwrap();
    refuses(Mp4Reader::open(&scratch.path()), "cut off");
    fs::write(scratch.path(), b"RIFF\0\0\0\0AVI LIST").unwrap();
    refuses(Mp4Reader::open(&scratch.path()), "no MP4 file");
    fs::write(scratch.path(), b"").unwrap();
    refuses(Mp4Reader::open(&scratch.path()), "no MP4 file");
}

#[test]
fn lying_tables_are_named() {
    let scratch = Scratch::new();
    scratch.film(20);
    let bytes = fs::read(scratch.path()).unwrap();
    let lie = |kind: &[u8], at: isize, value: u32, part: &str| {
        let mut bytes = bytes.clone();
        let kind_end = bytes.windows(4).rposition(|four| four == kind).unwrap() + 4;
        let found = kind_end.checked_add_signed(at).unwrap();
        bytes[found..found + 4].copy_from_slice(&value.to_be_bytes());
        fs::write(scratch.path(), bytes).unwrap();
        refuses(Mp4Reader::open(&scratch.path()), part);
    };
    lie(b"stsz", 8, u32::MAX, "stsz");
    lie(b"stsz", 12, u32::MAX, "frame 0: 4294967295 bytes");
    lie(b"stts", 8, 21, "more than 20 pictures");
    lie(b"stts", 8, 19, "times for 19 of 20");
    lie(b"stts", 12, 0, "not shown after");
    lie(b"stsc", 8, 2, "stsc");
    lie(b"stsc", 12, 21, "stsc");
    lie(b"stco", 8, u32::MAX, "frame 0");
    lie(b"stss", 8, 0, "no picture 0");
    lie(b"stss", 8, 21, "no picture 21");
    lie(b"avc1", -4, u32::from_be_bytes(*b"hvc1"), "\"hvcC\" is missing");
    lie(b"avc1", -4, u32::from_be_bytes(*b"av01"), "\"av1C\" is missing");
    lie(b"avc1", -4, u32::from_be_bytes(*b"mp4v"), "only H.264 (avc1), H.265 (hvc1) and AV1");
    lie(b"mdhd", 20, 0, "time scale");
}

#[test]
fn files_past_four_gib_get_long_offsets() {
    // A sparse hole instead of four gigabytes of pictures.
    let scratch = Scratch::new();
    let mut writer = scratch.writer(1);
    writer.push(&unit(0, true), 0, true).unwrap();
    writer.skip_for_test(5 << 30);
    let placed = writer.push(&unit(1, false), 1, false).unwrap();
    assert!(placed.offset > u64::from(u32::MAX));
    writer.finish().unwrap();
    let film = Mp4Reader::open(&scratch.path()).unwrap();
    assert_eq!(film.frame(1).unwrap(), unit(1, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_times_survive(steps in prop::collection::vec((1u64..200_000, any::<bool>()), 1..60)) {
        let scratch = Scratch::new();
        let mut writer = scratch.writer(90_000);
        let mut pts = 0;
        let mut expected = Vec::new();
        for (index, (step, idr)) in steps.into_iter().enumerate() {
            pts += if index == 0 { 0 } else { step };
            writer.push(&unit(index as u64, idr), pts, idr).unwrap();
            expected.push((i64::try_from(pts).unwrap(), idr));
        }
        writer.finish().unwrap();
        let film = Mp4Reader::open(&scratch.path()).unwrap();
        let found: Vec<(i64, bool)> = film.samples().iter().map(|sample| (sample.pts, sample.keyframe)).collect();
        prop_assert_eq!(found, expected);
        for index in 0..film.len() {
            prop_assert_eq!(film.frame(index).unwrap(), unit(index as u64, film.is_keyframe(index)));
        }
    }

    #[test]
    fn damaged_indexes_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let scratch = Scratch::new();
        scratch.film(12);
        let mut bytes = fs::read(scratch.path()).unwrap();
        let moov = bytes.windows(4).rposition(|four| four == b"moov").unwrap() - 4;
        for (at, byte) in edits {
            let at = moov + at.index(bytes.len() - moov);
            bytes[at] = byte;
        }
        fs::write(scratch.path(), bytes).unwrap();
        if let Ok(film) = Mp4Reader::open(&scratch.path()) {
            for index in 0..film.len() {
                let _ = (film.frame(index), film.pts_ns(index));
            }
        }
    }
}
