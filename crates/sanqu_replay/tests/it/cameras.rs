//! Video beside the scene: the frame shown is the newest of the instant, through the real decoder.

use std::path::Path;

use bevy::math::UVec2;
use sanqu_model::{StreamDescription, StreamEntry};
use sanqu_replay::bar::{BarLayout, bar_rows};
use sanqu_replay::camera::Preset;
use sanqu_replay::cameras::{FrameSource, Library, PanelLayout, Picture, THUMBNAIL_PX, shown_cameras};
use sanqu_replay::load::{LoadOptions, load};
use sanqu_replay::render::{Choice, RenderJob, render};
use sanqu_replay::replay::Replay;
use sanqu_replay::scene::Quality;
use sanqu_replay::timeline::Playhead;
use sanqu_replay::view::View;
use sanqu_store::{Control, Sample};
use sanqu_wire::{ENCODING_AV1, ENCODING_JPEG, ENCODING_PNG, FLAG_KEYFRAME, SampleHeader};

use crate::episodes::{id, sealed, start, store};
use crate::picture::{Shown, adapter};
use crate::synthetic::START_NS;

pub(crate) fn golden() -> Replay {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let store = Some(repository.join("recordings/golden/v1/store"));
    let options = LoadOptions { episodes: vec!["last".to_owned()], store, assets: vec![repository.join("assets")], ..Default::default() };
    load(&options).unwrap().replay
}

fn library(replay: &Replay) -> Library {
    Library::open(replay.cameras.iter().map(|camera| camera.source.clone()).collect()).unwrap()
}

/// The number burnt into the top of every simulated frame: 40 cells over its width, 4 to tell bright from dark, 32 bits,
/// highest first. `bright` looks at the middle of a cell.
fn number(bright: impl Fn(f32) -> bool) -> Option<u32> {
    let cell = |index: u16| bright((f32::from(index) + 0.5) / 40.0);
    let is_strip = cell(0) && !cell(1) && cell(2) && !cell(3);
    is_strip.then(|| (4..36).fold(0, |number, index| (number << 1) | u32::from(cell(index))))
}

pub(crate) fn number_of(picture: &Picture) -> Option<u32> {
    number(|x| {
        let column = (x * picture.size.x as f32) as usize;
        picture.rgba[(3 * picture.size.x as usize + column) * 4 + 1] > 128
    })
}

#[test]
fn every_instant_shows_the_newest_frame_whichever_was_shown_before() {
    let replay = golden();
    let library = library(&replay);
    assert_eq!(replay.cameras.len(), 2);
    let (mut seed, mut last) = (1_u64, None);
    for _ in 0..60 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let t_ns = replay.start_ns + i64::try_from(seed >> 33).unwrap() % (replay.end_ns - replay.start_ns);
        let camera = usize::try_from(seed >> 20).unwrap() % replay.cameras.len();
        let instants = replay.lanes[replay.cameras[camera].lane].instants.as_slice();
        // The golden recording lost no frame: row n is the camera's frame n.
        let expect = instants.iter().filter(|t| **t <= t_ns).count() - 1;
        let row = replay.lanes[replay.cameras[camera].lane].instants.row_at(t_ns).unwrap();
        let shot = library.wait(camera, row).unwrap();
        let picture = shot.as_ref().as_ref().unwrap();
        assert_eq!((number_of(picture), picture.row), (u32::try_from(expect).ok(), expect), "camera {camera} after {last:?}");
        assert!(picture.from_row <= row && row - picture.from_row < 15, "decoding began at {}", picture.from_row);
        last = Some((camera, row));
    }
}

#[test]
fn what_is_not_decoded_yet_is_not_waited_for() {
    let replay = golden();
    let library = library(&replay);
    assert!(library.ask(0, 14).is_none(), "nothing is decoded before it is asked for");
    assert!(library.ask_later(1, 3).is_none());
    let shot = library.wait(0, 20).unwrap();
    assert_eq!(number_of(shot.as_ref().as_ref().unwrap()), Some(20));
    assert!(library.ask(0, 20).is_some());
    assert_eq!(library.before(0, 22, 5).map(|(row, _)| row), Some(20), "what is decoded is shown while the next is not");
    assert!(library.before(0, 20, 5).is_none() && library.before(0, 26, 5).is_none() && library.before(1, 22, 5).is_none());
    let failure = library.wait(0, 100_000).unwrap();
    assert!(failure.as_ref().as_ref().unwrap_err().contains("frames"), "{failure:?}");
    assert!(library.wait(9, 0).is_none(), "there is no such camera");
    let unreadable = Library::open(vec![FrameSource::Unreadable("video/av1: not shown".to_owned())]).unwrap();
    assert_eq!(unreadable.wait(0, 0).unwrap().as_ref().as_ref().unwrap_err(), "video/av1: not shown");
}

#[test]
fn cameras_sit_where_the_robots_description_says() {
    let replay = golden();
    for camera in &replay.cameras {
        let record = &replay.robots[camera.robot];
        let mount = camera.mount.as_ref().unwrap_or_else(|| panic!("{}: no mount", record.robot));
        let name = &record.model.links()[mount.link].name;
        let expect = if record.robot.as_str() == "kuavo-01" { ("camera", 1.6406) } else { (name.as_str(), 1.7802) };
        assert_eq!(name, expect.0);
        assert!((mount.fov_rad - expect.1).abs() < 1e-9 && (camera.aspect - 4.0 / 3.0).abs() < 0.4, "{mount:?} {}", camera.aspect);
    }
}

#[test]
fn a_drawn_picture_has_the_frame_of_its_instant_in_the_panel() {
    if adapter("a_drawn_picture_has_the_frame_of_its_instant_in_the_panel").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("panel.png");
    let (replay, size) = (golden(), UVec2::new(800, 450));
    let mut playhead = Playhead::new(replay.start_ns, replay.end_ns);
    playhead.seek_secs(1.333);
    let lane = &replay.lanes[replay.cameras[0].lane];
    let expect = lane.instants.row_at(playhead.t_ns).unwrap();
    let view = View { preset: Preset::Robot(0), ..View::default() };
    let bar = BarLayout::new(size, 0.625, bar_rows(&replay, 0).len(), THUMBNAIL_PX);
    let room = PanelLayout::new(bar.picture, bar.height(), shown_cameras(&replay, 0).len()).room(0);
    let job = RenderJob { out: out.clone(), playhead, view, size: Some(size), seconds: 1.0 };
    render(replay, &job, Choice { size, quality: Quality::PLAIN }, &mut |_| {}).unwrap();
    let shown = Shown::open(&out);
    let found = number(|x| shown.at(((room.min.x + x * room.width()) * 0.625) as u32, (room.min.y * 0.625) as u32 + 1)[1] > 0.5);
    assert_eq!(found, u32::try_from(expect).ok());
}

/// A grey JPEG of 8 x 8 pixels: one block that has only its mean.
fn jpeg(grey: u8) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    bytes.extend([8; 64]);
    bytes.extend([0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    // DC: sizes 0 to 8 in four bits each; AC: only "end of block", in one bit.
    bytes.extend([0xff, 0xc4, 0, 28, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    bytes.extend([0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    let value = i32::from(grey) - 128;
    let size = 32 - value.unsigned_abs().leading_zeros();
    let written = if value < 0 { value + (1 << size) - 1 } else { value };
    let bits = format!("{size:04b}{}0", if size == 0 { String::new() } else { format!("{written:0width$b}", width = size as usize) });
    for byte in format!("{bits:1<16}").as_bytes().chunks(8) {
        let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
        bytes.push(byte);
        bytes.extend((byte == 0xff).then_some(0));
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

/// A picture of a camera: its bytes, and whether decoding can begin at it.
type Frame = (Vec<u8>, bool);

/// A sealed episode with one camera of ten pictures a second.
fn camera_episode(root: &Path, encoding: &str, frames: &[Frame]) -> (sanqu_store::Episode, StreamEntry) {
    let store = store(root);
    let description = StreamDescription {
        stream: "camera/wrist".parse().unwrap(),
        encoding: encoding.to_owned(),
        rate_hz: 10.0,
        clock: 1,
        quantities: Vec::new(),
        facts: Default::default(),
    };
    let key = "sanqu/test/tin-01/camera/wrist".parse().unwrap();
    let at = |frame: usize| START_NS + 100_000_000 * i64::try_from(frame).unwrap();
    sealed(&store, &start("a01", START_NS), |journal| {
        journal.control(&Control::Describe { robot: id("tin-01"), description: description.clone() }).unwrap();
        for (frame, (payload, keyframe)) in frames.iter().enumerate() {
            let (capture_ns, schema_id) = (at(frame), description.schema_id());
            let flags = if *keyframe { FLAG_KEYFRAME } else { 0 };
            let header = SampleHeader { flags, rows: 1, boot: 7, seq: frame as u64, capture_ns, clock: 1, schema_id };
            let attachment = header.encode(payload);
            let sample = Sample { key: &key, encoding, attachment: &attachment, payload, recv_ns: capture_ns };
            journal.append(&sample).unwrap();
        }
        at(frames.len())
    });
    let episode = store.find("last").unwrap();
    let stream = episode.stream(&id("tin-01"), "camera/wrist").unwrap().clone();
    (episode, stream)
}

/// Frame n as bright as 20 n; frame 7 is damaged.
fn grey_frames(still: impl Fn(u8) -> Vec<u8>) -> Vec<Frame> {
    (0..10).map(|frame| (if frame == 7 { vec![0xff, 0xd8, 1, 2, 3] } else { still(20 * frame) }, true)).collect()
}

/// A grey PNG of 8 x 8 pixels, one byte each.
fn png(grey: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[grey; 64]).unwrap();
    bytes
}

#[track_caller]
fn check_stills(encoding: &str, still: impl Fn(u8) -> Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let stream = camera_episode(&folder.path().join("store"), encoding, &grey_frames(still));
    let library = Library::open(vec![FrameSource::Stills(Box::new(stream))]).unwrap();
    for row in [0_u8, 9, 3, 4, 3] {
        let shot = library.wait(0, row.into()).unwrap();
        let picture = shot.as_ref().as_ref().unwrap();
        assert_eq!((picture.size, picture.row), (UVec2::new(8, 8), usize::from(row)));
        assert!(picture.rgba.chunks(4).all(|pixel| pixel[0].abs_diff(20 * row) <= 2 && pixel[3] == 255), "{row}: {:?}", &picture.rgba[..4]);
    }
    let damaged = library.wait(0, 7).unwrap();
    assert!(damaged.as_ref().as_ref().unwrap_err().contains("frame 7"), "{damaged:?}");
    assert!(library.wait(0, 10).unwrap().as_ref().as_ref().unwrap_err().contains("no row 10"));
}

#[test]
fn jpegs_and_pngs_are_shown_one_by_one_and_a_damaged_one_says_so() {
    check_stills(ENCODING_JPEG, jpeg);
    check_stills(ENCODING_PNG, png);
}

/// The pictures of an IVF file.
fn ivf(name: &str) -> Vec<Frame> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/video").join(name);
    let bytes = std::fs::read(path).unwrap();
    let (mut rest, mut frames) = (&bytes[32..], Vec::new());
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        let unit = rest[12..12 + length].to_vec();
        let keyframe = sanqu_wire::is_keyframe(ENCODING_AV1, &unit);
        frames.push((unit, keyframe));
        rest = &rest[12 + length..];
    }
    frames
}

/// Twelve pictures, keyframes at 0 and 6; below the strip with the number: red, green, blue.
#[track_caller]
fn check_av1(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let stream = camera_episode(&folder.path().join("store"), ENCODING_AV1, &ivf(name));
    let library = Library::open(vec![FrameSource::Av1(Box::new(stream))]).unwrap();
    for row in [0_usize, 1, 2, 11, 5, 6, 7, 3, 10, 4] {
        let shot = library.wait(0, row).unwrap();
        let picture = shot.as_ref().as_ref().unwrap_or_else(|reason| panic!("{name}, frame {row}: {reason}"));
        assert_eq!((number_of(picture), picture.row, picture.from_row), (u32::try_from(row).ok(), row, row / 6 * 6), "{name}");
        for (x, expect) in [(13, [200, 30, 30]), (40, [30, 200, 30]), (67, [30, 30, 200])] {
            let at = (36 * 80 + x) * 4;
            let off = picture.rgba[at..at + 3].iter().zip(expect).map(|(found, expect)| found.abs_diff(expect)).max().unwrap();
            assert!(off <= 6, "{name}, frame {row}, column {x}: {:?} instead of {expect:?}", &picture.rgba[at..at + 3]);
        }
    }
    assert!(library.wait(0, 12).unwrap().as_ref().as_ref().unwrap_err().contains("12 frames"));
}

#[test]
fn av1_is_exact_to_the_frame_in_any_order() {
    check_av1("numbers-8bit.ivf");
    check_av1("numbers-10bit.ivf");
}

#[test]
fn a_damaged_av1_frame_says_so_and_the_next_keyframe_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut frames = ivf("numbers-8bit.ivf");
    let middle = frames[3].0.len() / 2;
    frames[3].0.truncate(middle);
    let stream = camera_episode(&folder.path().join("store"), ENCODING_AV1, &frames);
    let library = Library::open(vec![FrameSource::Av1(Box::new(stream))]).unwrap();
    let row = |row| library.wait(0, row).unwrap();
    assert!(row(4).as_ref().as_ref().unwrap_err().contains("frame 3: AV1"), "{:?}", row(4).as_ref().as_ref().err());
    assert_eq!(number_of(row(2).as_ref().as_ref().unwrap()), Some(2));
    assert_eq!(number_of(row(7).as_ref().as_ref().unwrap()), Some(7));
}

#[test]
fn what_a_decoder_cannot_bear_is_that_pictures_damage_and_no_other_cameras() {
    let folder = tempfile::tempdir().unwrap();
    let good = ivf("numbers-8bit.ivf");
    let mut bad = good.clone();
    // The keyframe's sequence header names the reserved colour matrix 3, at which the decoder's library panics.
    bad[0].0[15] ^= 2;
    let streams = [("bad", &bad), ("good", &good)].map(|(name, frames)| camera_episode(&folder.path().join(name), ENCODING_AV1, frames));
    let library = Library::open(streams.map(|stream| FrameSource::Av1(Box::new(stream))).into()).unwrap();
    for row in 0..2 {
        let damaged = library.wait(0, row).unwrap();
        assert_eq!(damaged.as_ref().as_ref().unwrap_err(), &format!("frame {row}: the decoder failed"));
        assert_eq!(number_of(library.wait(1, row).unwrap().as_ref().as_ref().unwrap()), u32::try_from(row).ok());
    }
    assert_eq!(number_of(library.wait(0, 8).unwrap().as_ref().as_ref().unwrap()), Some(8), "behind the next keyframe it goes on");
    for (row, expect) in
        [(2, "frame 2: the decoder failed"), (3, "frame 3: the decoder failed"), (9, "frame 3: the decoder failed, as 3 times before")]
    {
        assert_eq!(library.wait(0, row).unwrap().as_ref().as_ref().unwrap_err(), expect, "it is not tried for ever");
    }
}
