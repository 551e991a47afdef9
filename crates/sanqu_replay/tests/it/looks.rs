//! Pictures of both robots, of the field and of a comparison beside the committed ones: the same to the eye, not to the bit, because
//! drivers differ. `SANQU_WRITE_PICTURES=1 cargo nextest run -p sanqu_replay looks` writes them anew.

use std::path::{Path, PathBuf};

use bevy::math::UVec2;
use sanqu_replay::camera::Preset;
use sanqu_replay::compare::{Align, CompareOptions, compare_with};
use sanqu_replay::lang::Lang;
use sanqu_replay::load::{LoadOptions, load};
use sanqu_replay::render::{RenderJob, render};
use sanqu_replay::timeline::Playhead;
use sanqu_replay::view::View;

use crate::picture::{SIZE, Shown, adapter};
use crate::synthetic::{replay as synthetic, replay_without};

/// Edge of the squares whose mean colours are compared, pixels: a driver may draw an edge elsewhere within a pixel.
const SQUARE_PX: u32 = 4;
/// The part of a picture that is compared, as shares of its size from left to right and from top to bottom.
type Part = [(f32, f32); 2];
/// Nothing lies over it.
const SCENE: Part = [(0.28, 0.80), (0.20, 0.74)];
const WHOLE: Part = [(0.0, 1.0), (0.0, 1.0)];
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

/// The committed episode, drawn from `preset` at `seconds`.
fn draw(preset: Preset, seconds: f64, name: &str) -> Option<(PathBuf, Shown)> {
    let adapter = adapter(name)?;
    let root = repository();
    let options = LoadOptions {
        episodes: vec!["last".to_owned()],
        store: Some(root.join("recordings/golden/v1/store")),
        field: Some(root.join("assets/field/desk.toml")),
        assets: vec![root.join("assets")],
        ..LoadOptions::default()
    };
    let replay = load(&options).unwrap().replay;
    let mut playhead = Playhead::new(replay.start_ns, replay.end_ns);
    playhead.seek_secs(seconds);
    // Kept after the test: whoever sees a difference wants to see the picture.
    let out = std::env::temp_dir().join(format!("sanqu-replay-{name}.png"));
    let job = RenderJob { out: out.clone(), playhead, view: View::plain(preset), size: Some(SIZE), seconds: 1.0 };
    render(replay, &job, job.choice(&adapter), &mut |_| {}).unwrap();
    let picture = Shown::open(&out);
    Some((out, picture))
}

#[track_caller]
fn check(name: &str, preset: Preset) {
    let Some((out, drawn)) = draw(preset, 1.0, name) else { return };
    check_drawn(name, (&out, &drawn), SCENE);
}

#[track_caller]
fn check_drawn(name: &str, (out, drawn): (&Path, &Shown), part: Part) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pictures").join(format!("{name}.png"));
    if std::env::var_os("SANQU_WRITE_PICTURES").is_some() {
        std::fs::copy(out, &path).unwrap();
    }
    let committed = Shown::open(&path);
    let (mean, much) = difference(drawn, &committed, part);
    assert!(
        alike(drawn, &committed, part),
        "{} differs from {}: by {mean:.3} in the mean, much in {much:.3} of all squares; look at both, and if the first is right, run this again with SANQU_WRITE_PICTURES=1",
        out.display(),
        path.display()
    );
}

#[test]
fn kuavo_looks_as_it_did() {
    check("kuavo", Preset::Robot(0));
}

#[test]
fn walker_s_looks_as_it_did() {
    check("walker-s", Preset::Robot(1));
}

#[test]
fn the_field_looks_as_it_did() {
    check("field", Preset::Overview);
}

/// A recording beside itself, some time later: ghost, panel and curve with a gap.
#[test]
fn a_comparison_looks_as_it_did() {
    let name = "comparison";
    let Some(adapter) = adapter(name) else { return };
    let mut replay = replay_without(1400..1600);
    let how = CompareOptions { align: Some(Align::Start), nudge_ns: 700_000_000 };
    compare_with(&mut replay, synthetic(), &how, &mut Vec::new()).unwrap();
    let mut playhead = Playhead::new(replay.start_ns, replay.end_ns);
    playhead.seek_secs(1.5);
    let out = std::env::temp_dir().join(format!("sanqu-replay-{name}.png"));
    let view = View { preset: Preset::Robot(0), lang: Lang::Zh, ..View::default() };
    let job = RenderJob { out: out.clone(), playhead, view, size: Some(UVec2::new(640, 360)), seconds: 1.0 };
    render(replay, &job, job.choice(&adapter), &mut |_| {}).unwrap();
    check_drawn(name, (&out, &Shown::open(&out)), WHOLE);
}

#[test]
fn other_pictures_are_told_apart() {
    let picture = |name: &str| Shown::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pictures").join(format!("{name}.png")));
    assert!(alike(&picture("kuavo"), &picture("kuavo"), SCENE));
    assert!(!alike(&picture("kuavo"), &picture("walker-s"), SCENE) && !alike(&picture("kuavo"), &picture("field"), SCENE));
    // The arms move little in half a second: a small change must be seen, too.
    let Some((_, later)) = draw(Preset::Robot(1), 1.9, "walker-s-later") else { return };
    assert!(!alike(&later, &picture("walker-s"), SCENE), "{:?}", difference(&later, &picture("walker-s"), SCENE));
}
