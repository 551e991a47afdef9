//! Pictures of both robots, the field, a comparison, x-rayed drives and a gap beside the committed ones: the same to the eye,
//! not to the bit, because drivers differ. `SANQU_WRITE_PICTURES=1 cargo nextest run -p sanqu_replay looks` writes them anew.

use std::path::{Path, PathBuf};

use bevy::math::UVec2;
use sanqu_replay::camera::Preset;
use sanqu_replay::compare::{Align, CompareOptions, compare_with};
use sanqu_replay::lang::Lang;
use sanqu_replay::load::{LoadOptions, load};
use sanqu_replay::render::{Choice, RenderJob, render};
use sanqu_replay::replay::Replay;
use sanqu_replay::scene::Quality;
use sanqu_replay::timeline::Playhead;
use sanqu_replay::view::View;
use sanqu_replay::xray::{Xray, find_joint};

use crate::drives::{stand, telemetry};
use crate::picture::{SIZE, Shown, adapter};
use crate::synthetic::{replay as synthetic, replay_without};

/// Of an x-rayed drive.
const XRAY_SIZE: UVec2 = UVec2::new(384, 216);
/// When the stand is drawn, s after its start, and when its motors' rows are missing.
const XRAY_SECS: f64 = 0.88;
const GAP_SECS: f64 = 2.08;

/// Edge of the squares whose mean colours are compared, pixels: a driver may draw an edge elsewhere within a pixel.
const SQUARE_PX: u32 = 4;
/// The part of a picture that is compared, as shares of its size from left to right and from top to bottom.
type Part = [(f32, f32); 2];
/// Nothing lies over it.
const SCENE: Part = [(0.28, 0.80), (0.20, 0.74)];
/// Figures stand beside an x-rayed drive.
const DRIVE: Part = [(0.28, 0.60), (0.14, 0.98)];
/// Robot and ghost, and the panel of a comparison.
const ROBOT: Part = [(0.58, 0.74), (0.12, 0.56)];
const PANEL: Part = [(0.01, 0.36), (0.52, 0.88)];
/// Greatest mean difference of a channel, and the share of squares that may differ by more than [`SQUARE_DIFFERENCE`].
const MEAN_DIFFERENCE_MAX: f32 = 0.02;
const SQUARE_DIFFERENCE: f32 = 0.12;
const SQUARES_SHARE_MAX: f32 = 0.02;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Mean difference, and the share of squares that differ much.
fn difference(a: &Shown, b: &Shown, part: Part) -> (f32, f32) {
    assert_eq!(a.size, b.size);
    let edges = |(low, high): (f32, f32), size: u32| ((low * size as f32) as u32 / SQUARE_PX, (high * size as f32) as u32 / SQUARE_PX);
    let ((left, right), (top, bottom)) = (edges(part[0], a.size.x), edges(part[1], a.size.y));
    let mean = |picture: &Shown, x: u32, y: u32| {
        let pixels = (0..SQUARE_PX).flat_map(|dy| (0..SQUARE_PX).map(move |dx| (x * SQUARE_PX + dx, y * SQUARE_PX + dy)));
        let sum = pixels.map(|(x, y)| picture.at(x, y)).fold([0.0; 3], |sum, rgb| [0, 1, 2].map(|c| sum[c] + rgb[c]));
        sum.map(|channel| channel / (SQUARE_PX * SQUARE_PX) as f32)
    };
    let differences: Vec<f32> = (top..bottom)
        .flat_map(|y| (left..right).map(move |x| (x, y)))
        .map(|(x, y)| {
            let (a, b) = (mean(a, x, y), mean(b, x, y));
            (0..3).map(|channel| (a[channel] - b[channel]).abs()).sum::<f32>() / 3.0
        })
        .collect();
    let count = differences.len() as f32;
    let much = differences.iter().filter(|difference| **difference > SQUARE_DIFFERENCE).count() as f32;
    (differences.iter().sum::<f32>() / count, much / count)
}

fn alike(a: &Shown, b: &Shown, part: Part) -> bool {
    let (mean, much) = difference(a, b, part);
    mean <= MEAN_DIFFERENCE_MAX && much <= SQUARES_SHARE_MAX
}

/// Draws `replay` at `seconds` into a file that is kept after the test: whoever sees a difference wants to see the picture.
fn draw(replay: Replay, seconds: f64, view: View, choice: Choice, name: &str) -> (PathBuf, Shown) {
    let mut playhead = Playhead::new(replay.start_ns, replay.end_ns);
    playhead.seek_secs(seconds);
    let out = std::env::temp_dir().join(format!("sanqu-replay-{name}.png"));
    let job = RenderJob { out: out.clone(), playhead, view, size: Some(choice.size), seconds: 1.0 };
    render(replay, &job, choice, &mut |_| {}).unwrap();
    let picture = Shown::open(&out);
    (out, picture)
}

/// The committed episode, drawn from `preset` at `seconds`.
fn draw_episode(preset: Preset, seconds: f64, name: &str) -> Option<(PathBuf, Shown)> {
    adapter(name)?;
    let root = repository();
    let options = LoadOptions {
        episodes: vec!["last".to_owned()],
        store: Some(root.join("recordings/golden/v1/store")),
        field: Some(root.join("assets/field/desk.toml")),
        assets: vec![root.join("assets")],
        ..LoadOptions::default()
    };
    Some(draw(load(&options).unwrap().replay, seconds, View::plain(preset), Choice { size: SIZE, quality: Quality::FULL }, name))
}

/// The stand with one drive of every kind, with the drive of `joint` looked into.
fn draw_xray(joint: &str, seconds: f64, name: &str) -> Option<(PathBuf, Shown)> {
    adapter(name)?;
    let replay = stand(telemetry());
    let xray = Xray { joint: Some(find_joint(&replay, joint).unwrap()), at_once: true };
    let view = View { preset: Preset::Robot(0), panels: false, xray, ..View::default() };
    // Without shadows: a drive that is looked into has none.
    Some(draw(replay, seconds, view, Choice { size: XRAY_SIZE, quality: Quality::PLAIN }, name))
}

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pictures").join(format!("{name}.png"))
}

#[track_caller]
fn check(name: &str, part: Part, drawn: Option<(PathBuf, Shown)>) {
    let Some((out, drawn)) = drawn else { return };
    let path = committed(name);
    if std::env::var_os("SANQU_WRITE_PICTURES").is_some() {
        std::fs::copy(&out, &path).unwrap();
    }
    let committed = Shown::open(&path);
    let (mean, much) = difference(&drawn, &committed, part);
    assert!(
        alike(&drawn, &committed, part),
        "{} differs from {}: by {mean:.3} in the mean, much in {much:.3} of all squares; look at both, and if the first is right, run this again with SANQU_WRITE_PICTURES=1",
        out.display(),
        path.display()
    );
}

#[test]
fn kuavo_looks_as_it_did() {
    check("kuavo", SCENE, draw_episode(Preset::Robot(0), 1.0, "kuavo"));
}

#[test]
fn walker_s_looks_as_it_did() {
    check("walker-s", SCENE, draw_episode(Preset::Robot(1), 1.0, "walker-s"));
}

#[test]
fn the_field_looks_as_it_did() {
    check("field", SCENE, draw_episode(Preset::Overview, 1.0, "field"));
}

#[test]
fn a_strain_wave_gear_looks_as_it_did() {
    check("xray-strain-wave", DRIVE, draw_xray("waist", XRAY_SECS, "xray-strain-wave"));
}

#[test]
fn a_planetary_stage_looks_as_it_did() {
    check("xray-planetary", DRIVE, draw_xray("hip", XRAY_SECS, "xray-planetary"));
}

#[test]
fn a_roller_screw_looks_as_it_did() {
    check("xray-roller-screw", DRIVE, draw_xray("knee", XRAY_SECS, "xray-roller-screw"));
}

#[test]
fn an_ankle_looks_as_it_did() {
    check("xray-ankle", DRIVE, draw_xray("pitch", XRAY_SECS, "xray-ankle"));
}

#[test]
fn a_drive_in_a_gap_looks_as_it_did() {
    check("xray-gap", DRIVE, draw_xray("waist", GAP_SECS, "xray-gap"));
}

/// A recording beside itself, some time later: ghost, panel and curve with a gap.
#[test]
fn a_comparison_looks_as_it_did() {
    let name = "comparison";
    if adapter(name).is_none() {
        return;
    }
    let mut replay = replay_without(1400..1600);
    let how = CompareOptions { align: Some(Align::Start), nudge_ns: 700_000_000 };
    compare_with(&mut replay, synthetic(), &how, &mut Vec::new()).unwrap();
    let view = View { preset: Preset::Robot(0), lang: Lang::Zh, ..View::default() };
    let (out, shown) = draw(replay, 1.5, view, Choice { size: UVec2::new(640, 360), quality: Quality::FULL }, name);
    check(name, PANEL, Some((out.clone(), shown)));
    check(name, ROBOT, Some((out.clone(), Shown::open(&out))));
}

#[test]
fn other_pictures_are_told_apart() {
    let names = ["kuavo", "walker-s", "field"];
    let drives = ["xray-strain-wave", "xray-planetary", "xray-roller-screw", "xray-ankle", "xray-gap"];
    for (group, part) in [(&names[..], SCENE), (&drives[..], DRIVE)] {
        let pictures: Vec<Shown> = group.iter().map(|name| Shown::open(&committed(name))).collect();
        for (a, first) in pictures.iter().enumerate() {
            for (b, second) in pictures.iter().enumerate() {
                assert_eq!(alike(first, second, part), a == b, "{} and {}: {:?}", group[a], group[b], difference(first, second, part));
            }
        }
    }
    // The arms move little in half a second: a small change must be seen, too.
    let Some((_, later)) = draw_episode(Preset::Robot(1), 1.9, "walker-s-later") else { return };
    let walker = Shown::open(&committed("walker-s"));
    assert!(!alike(&later, &walker, SCENE), "{:?}", difference(&later, &walker, SCENE));
}
