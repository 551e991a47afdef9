use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;
use sanqu_sim::{CameraSpec, GOP, SimSample, strip};

use crate::support::{ROBOTS, SECOND_NS, START_NS, cameras, robot};

/// Decodes each frame of a camera and gives number, luma and stride to `look`.
fn decode(samples: &[SimSample], stream: &str, mut look: impl FnMut(usize, &[u8], usize)) -> usize {
    let mut decoder = Decoder::new().unwrap();
    let mine = samples.iter().filter(|sample| sample.stream.as_str() == stream);
    let mut count = 0;
    for (index, sample) in mine.enumerate() {
        let picture = decoder.decode(&sample.payload).unwrap().expect("one picture a sample");
        look(index, picture.y(), picture.strides().0);
        count += 1;
    }
    count
}

#[track_caller]
fn every_frame_carries_its_number(which: (&str, &str), cameras: &[CameraSpec]) {
    let mut robot = robot(which, cameras);
    let samples = robot.advance(START_NS + 3 * SECOND_NS).unwrap();
    for camera in cameras {
        let stream = format!("camera/{}", camera.name);
        let count = decode(&samples, &stream, |index, luma, stride| {
            let read = strip::read(luma, stride, usize::from(camera.width));
            assert_eq!(read, u32::try_from(index).ok(), "{which:?} {stream} at {}", camera.width);
        });
        assert!((89..=91).contains(&count), "{stream}: {count} frames in 3 s");
    }
}

#[test]
fn every_frame_carries_its_number_after_compression() {
    for which in ROBOTS {
        every_frame_carries_its_number(which, &cameras(320, 240));
    }
    every_frame_carries_its_number(ROBOTS[0], &cameras(160, 120));
    every_frame_carries_its_number(ROBOTS[1], &cameras(96, 64));
}

#[test]
fn decoding_can_begin_at_every_keyframe() {
    let mut robot = robot(ROBOTS[0], &cameras(320, 240)[..1]);
    let samples: Vec<_> =
        robot.advance(START_NS + 3 * SECOND_NS).unwrap().into_iter().filter(|s| s.stream.as_str() == "camera/head").collect();
    for (index, sample) in samples.iter().enumerate() {
        assert_eq!(sample.keyframe, index % GOP as usize == 0, "frame {index}");
        assert_eq!(sanqu_wire::h264::is_keyframe(&sample.payload), sample.keyframe, "frame {index}");
        assert_eq!(sanqu_wire::h264::parameter_sets(&sample.payload).is_some(), sample.keyframe, "frame {index}");
    }
    let (sps, _) = sanqu_wire::h264::parameter_sets(&samples[0].payload).unwrap();
    let sps = sanqu_wire::h264::parse_sps(sps).unwrap();
    assert_eq!((sps.width, sps.height, sps.profile), (320, 240, 66));
    let from = 2 * GOP as usize;
    decode(&samples[from..], "camera/head", |index, luma, stride| {
        assert_eq!(strip::read(luma, stride, 320), u32::try_from(from + index).ok());
    });
}

#[test]
fn cameras_run_freely_within_a_millisecond_of_their_rhythm() {
    let mut robot = robot(ROBOTS[1], &cameras(96, 64));
    let samples = robot.advance(START_NS + 10 * SECOND_NS).unwrap();
    let mut phases_ns = Vec::new();
    for name in ["head", "wrist-left", "wrist-right"] {
        let times_ns: Vec<i64> =
            samples.iter().filter(|s| s.stream.leaf() == name && s.stream.as_str().starts_with("camera")).map(|s| s.capture_ns).collect();
        let phase_ns = times_ns[0] - START_NS;
        for (index, t_ns) in times_ns.iter().enumerate() {
            let off_ns = t_ns - times_ns[0] - (index as f64 * 1e9 / 30.0) as i64;
            assert!(off_ns.abs() < 2_000_000, "{name} frame {index} is {off_ns} ns off");
        }
        assert!(times_ns.windows(2).any(|pair| (pair[1] - pair[0] - 33_333_333).abs() > 100_000), "{name} has no jitter");
        phases_ns.push(phase_ns);
    }
    assert!(phases_ns.windows(2).all(|pair| pair[1] - pair[0] > 3_000_000), "{phases_ns:?}");
}

#[test]
fn pictures_change_with_the_motion() {
    for which in ROBOTS {
        let cameras = cameras(160, 120);
        let mut robot = robot(which, &cameras);
        let samples = robot.advance(START_NS + 6 * SECOND_NS).unwrap();
        for camera in &cameras {
            let (mut first, mut changed) = (Vec::new(), 0_usize);
            decode(&samples, &format!("camera/{}", camera.name), |_, luma, stride| {
                let below_strip: Vec<u8> = luma.chunks(stride).skip(16).flat_map(|row| row[..160].to_vec()).collect();
                if first.is_empty() {
                    first.clone_from(&below_strip);
                }
                let moved = below_strip.iter().zip(&first).filter(|(a, b)| a.abs_diff(**b) > 20).count();
                changed = changed.max(moved);
            });
            assert!(changed > first.len() / 20, "{which:?} {}: {changed} of {} pixels changed", camera.name, first.len());
            let (dark, bright) = (first.iter().min().unwrap(), first.iter().max().unwrap());
            assert!(bright - dark > 80, "{which:?} {}: a flat picture", camera.name);
        }
    }
}
