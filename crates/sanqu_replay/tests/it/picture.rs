//! Real pictures through Vulkan, on the processor if need be.

use std::path::PathBuf;

use bevy::math::{UVec2, Vec3};
use bevy::transform::components::GlobalTransform;
use sanqu_replay::ReplayError;
use sanqu_replay::bar::{BarLayout, bar_rows};
use sanqu_replay::camera::{FOV_RAD, Orbit, Preset};
use sanqu_replay::frame::bevy_from_world;
use sanqu_replay::render::{Adapter, RenderJob, SheetJob, contact_sheet, find_adapter, render};
use sanqu_replay::replay::{Posture, Replay};
use sanqu_replay::scene::{Quality, SKY_RGB};
use sanqu_replay::timeline::Playhead;
use sanqu_replay::track::Blend;
use sanqu_replay::view::View;
use sanqu_store::mp4::Mp4Reader;

use crate::synthetic::{PERIOD_NS, SKIN_RGBA, START_NS, replay, replay_without};

pub(crate) const SIZE: UVec2 = UVec2::new(320, 180);

/// The adapter; none, visibly, where there is none and pictures are not required.
pub(crate) fn adapter(test: &str) -> Option<Adapter> {
    match find_adapter() {
        Ok(adapter) => Some(adapter),
        Err(error @ ReplayError::NoAdapter) => {
            assert!(std::env::var("SANQU_REQUIRE_RENDER").as_deref() != Ok("1"), "{test}: {error}");
            eprintln!("SKIPPED {test}: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) struct Shown {
    pub(crate) size: UVec2,
    rgb: Vec<u8>,
}

impl Shown {
    pub(crate) fn open(path: &PathBuf) -> Self {
        let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        Self { size: UVec2::new(info.width, info.height), rgb }
    }

    pub(crate) fn at(&self, x: u32, y: u32) -> [f32; 3] {
        let index = ((y * self.size.x + x) * 3) as usize;
        [0, 1, 2].map(|channel| f32::from(self.rgb[index + channel]) / 255.0)
    }

    /// Share of pixels that `is` holds for.
    fn share(&self, is: impl Fn([f32; 3]) -> bool) -> f32 {
        let hits = (0..self.size.y).flat_map(|y| (0..self.size.x).map(move |x| (x, y))).filter(|(x, y)| is(self.at(*x, *y))).count();
        hits as f32 / self.size.element_product() as f32
    }
}

/// Whether two colours have the same hue, whatever the light: their channels are in the same order and both are colourful.
fn same_hue(a: [f32; 3], b: [f32; 3]) -> bool {
    let chroma = |c: [f32; 3]| {
        let grey = (c[0] + c[1] + c[2]) / 3.0;
        Vec3::new(c[0] - grey, c[1] - grey, c[2] - grey)
    };
    let (a, b) = (chroma(a), chroma(b));
    a.length() > 0.04 && a.dot(b) > 0.93 * a.length() * b.length()
}

#[test]
fn a_still_shows_the_zones_and_the_robot_where_it_stands() {
    let Some(adapter) = adapter("a_still_shows_the_zones_and_the_robot_where_it_stands") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("still.png");
    let scene = replay();
    let mut playhead = Playhead::new(scene.start_ns, scene.end_ns);
    playhead.seek_secs(1.3);
    let preset = Preset::Overview;
    let job = RenderJob { out: out.clone(), playhead, view: View::plain(preset), size: Some(SIZE), seconds: 1.0 };
    let zones: Vec<[f32; 3]> = scene.field.zones.iter().map(|zone| zone.colour).collect();
    render(scene, &job, job.choice(&adapter), &mut |_| {}).unwrap();
    let picture = Shown::open(&out);
    assert_eq!(picture.size, SIZE);

    let sky = picture.share(|rgb| rgb.iter().zip(SKY_RGB).all(|(a, b)| (a - b).abs() < 0.08));
    assert!(sky < 0.7, "{sky} of the picture is empty");
    for zone in [zones[0], zones[2]] {
        let share = picture.share(|rgb| same_hue(rgb, zone));
        assert!(share > 0.01, "zone colour {zone:?} covers only {share}");
    }

    let scene = replay();
    let orbit = Orbit::preset(preset, &scene, SIZE.x as f32 / SIZE.y as f32);
    let view = GlobalTransform::from(orbit.transform()).affine().inverse();
    let tangent = (FOV_RAD / 2.0).tan();
    let skin = [SKIN_RGBA[0], SKIN_RGBA[1], SKIN_RGBA[2]];
    for record in &scene.robots {
        let mut posture = Posture::default();
        record.posture_at(playhead.t_ns, &mut posture).unwrap();
        for (name, offset) in [("torso", [0.0, 0.0, 0.25]), ("head", [0.0, 0.0, 0.14])] {
            let link = bevy_from_world(&posture.links[record.model.link_index(name).unwrap()]);
            let seen = view.transform_point3(link.transform_point(sanqu_replay::frame::bevy_point(offset)));
            let half = SIZE.as_vec2() / 2.0;
            let x = half.x + seen.x / (-seen.z * tangent) * half.y;
            let y = half.y - seen.y / (-seen.z * tangent) * half.y;
            let found = picture.at(x.round() as u32, y.round() as u32);
            assert!(same_hue(found, skin), "{} {name} at {x:.0},{y:.0}: {found:?} is not the robot", record.robot);
        }
    }
}

#[test]
fn a_contact_sheet_shows_the_episode_and_repeats() {
    if adapter("a_contact_sheet_shows_the_episode_and_repeats").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let size = UVec2::new(400, 240);
    let sheet = |name: &str| {
        let out = folder.path().join(name);
        let view = View { preset: Preset::Robot(1), ..View::default() };
        let job = SheetJob { out: out.clone(), size, stills: 4, view };
        contact_sheet(replay(), &job, Quality::PLAIN, &mut |_| {}).unwrap();
        out
    };
    let (first, second) = (sheet("a.png"), sheet("b.png"));
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap(), "the same job gives the same sheet");
    let shown = Shown::open(&first);
    assert_eq!(shown.size, size);
    let skin = [SKIN_RGBA[0], SKIN_RGBA[1], SKIN_RGBA[2]];
    let columns = |row: u32, from: u32| (from..from + 200).filter(|x| same_hue(shown.at(*x, row), skin)).count();
    for (left, top) in [(0, 0), (200, 0), (0, 120), (200, 120)] {
        assert!(columns(top + 60, left) > 8, "the robot is in the still at {left},{top}");
        assert_eq!(shown.at(left, top).map(|channel| (channel * 255.0).round() as u8), [24, 28, 32], "stills are apart");
    }
}

/// Where a point of a link (z up, m) is in a picture.
fn place(replay: &Replay, robot: usize, point: (&str, [f64; 3]), view: (&View, UVec2), t_ns: i64) -> (u32, u32) {
    let (view, size) = view;
    let inset = view.inset(replay, size);
    let orbit = Orbit::preset_beside(view.preset, replay, size.x as f32 / size.y as f32, inset);
    let tangent = (inset.fov_rad() / 2.0).tan();
    let mut posture = Posture::default();
    let record = &replay.robots[robot];
    record.posture_at(t_ns, &mut posture).unwrap();
    let link = bevy_from_world(&posture.links[record.model.link_index(point.0).unwrap()]);
    let seen = GlobalTransform::from(orbit.transform()).affine().inverse();
    let seen = seen.transform_point3(link.transform_point(sanqu_replay::frame::bevy_point(point.1)));
    let half = size.as_vec2() / 2.0;
    ((half.x + seen.x / (-seen.z * tangent) * half.y).round() as u32, (half.y - seen.y / (-seen.z * tangent) * half.y).round() as u32)
}

#[test]
fn in_a_gap_the_robot_is_grey_and_the_timeline_says_so() {
    let Some(adapter) = adapter("in_a_gap_the_robot_is_grey_and_the_timeline_says_so") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("gap.png");
    let size = UVec2::new(640, 360);
    let replay = replay_without(500..900);
    let mut playhead = Playhead { blend: Blend::Interpolate, ..Playhead::new(replay.start_ns, replay.end_ns) };
    playhead.seek_ns(START_NS + 700 * PERIOD_NS);
    let view = View::default();
    let layout = BarLayout::new(size, 0.5, bar_rows(&replay, 0).len(), 0.0);
    let gap = replay.lanes[0].gaps[0];
    let (from, to) = (layout.x_of(gap.from_ns, &playhead) * 0.5, layout.x_of(gap.to_ns, &playhead) * 0.5);
    let lane = ((layout.track().min.y + layout.marks_px() + layout.lane_px() / 2.0) * 0.5) as u32;
    let torsos = [0, 1].map(|robot| place(&replay, robot, ("torso", [0.0, 0.0, 0.25]), (&view, size), playhead.t_ns));
    let job = RenderJob { out: out.clone(), playhead, view, size: Some(size), seconds: 1.0 };
    render(replay, &job, job.choice(&adapter), &mut |_| {}).unwrap();

    let shown = Shown::open(&out);
    let skin = [SKIN_RGBA[0], SKIN_RGBA[1], SKIN_RGBA[2]];
    let [stale, live] = torsos.map(|(x, y)| shown.at(x, y));
    assert!(same_hue(live, skin), "the other robot at {:?} is alive: {live:?}", torsos[1]);
    let grey = stale.iter().fold(0.0_f32, |most, channel| most.max((channel - stale[0]).abs()));
    assert!(grey < 0.09, "the robot at {:?} is grey: {stale:?}", torsos[0]);
    // Texts and cursor lie on their grounds: nothing else of the bar is this bright.
    let bright = |[r, g, b]: [f32; 3]| r.min(g).min(b) > 0.55;
    let labels =
        (6..(layout.track().min.x * 0.5) as u32 - 2).flat_map(|x| ((layout.track().min.y * 0.5) as u32..size.y).map(move |y| (x, y)));
    assert!(labels.filter(|(x, y)| bright(shown.at(*x, *y))).count() > 20, "the lanes' names can be read");
    assert!(bright(shown.at((layout.x_of(playhead.t_ns, &playhead) * 0.5) as u32, lane)), "the cursor is over the lanes");
    let is_gap = |[r, _, b]: [f32; 3]| r > b + 0.2;
    for x in (40..(size.x - 10)).filter(|x| *x as f32 > layout.track().min.x * 0.5) {
        let inside = (x as f32) > from + 1.0 && (x as f32) < to - 1.0;
        let outside = (x as f32) < from - 1.0 || (x as f32) > to + 1.0;
        let cursor = (x as f32 - from.midpoint(to)).abs() < 2.0;
        let found = shown.at(x, lane);
        assert!(cursor || !inside || is_gap(found), "column {x} of the gap {from}..{to} is {found:?}");
        assert!(!outside || !is_gap(found), "column {x} beside the gap {from}..{to} is {found:?}");
    }
}

#[test]
fn a_film_has_every_picture_and_repeats() {
    let Some(adapter) = adapter("a_film_has_every_picture_and_repeats") else { return };
    let folder = tempfile::tempdir().unwrap();
    let film = |name: &str| {
        let scene = replay();
        let playhead = Playhead::new(scene.start_ns, scene.end_ns);
        let out = folder.path().join(name);
        let job = RenderJob {
            out: out.clone(),
            playhead,
            view: View { preset: Preset::Robot(0), ..View::default() },
            size: Some(SIZE),
            seconds: 0.4,
        };
        let mut last = None;
        render(scene, &job, job.choice(&adapter), &mut |progress| last = Some(progress)).unwrap();
        assert_eq!(last.map(|progress| (progress.done, progress.total)), Some((10, 10)));
        out
    };
    let (first, second) = (film("a.mp4"), film("b.mp4"));
    let reader = Mp4Reader::open(&first).unwrap();
    assert_eq!((reader.len(), reader.size()), (10, SIZE.to_array()));
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap(), "the same job gives the same film");
}
