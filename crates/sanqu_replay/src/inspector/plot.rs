//! The curves as pictures: rotor against joint × ratio, and the wind-up below it.

use bevy::asset::RenderAssetUsages;
use bevy::image::Image;
use bevy::math::Vec2;
use bevy::prelude::{Assets, Component, Display, ImageNode, Node, Query, Res, ResMut, Text, Val, Without};
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};

use super::curves::{Curves, Point, curves};
use crate::frame::narrow;
use crate::lang::Lang;
use crate::replay::Replay;
use crate::xray::{Moment, Subject};

/// Two for each drive of a joint: positions and wind-up.
pub(super) const PLOTS_MAX: usize = 4;
/// Size of a plot's picture, pixels.
const WIDTH_PX: u32 = 716;
const HEIGHT_PX: u32 = 150;
/// Height on the panel when a joint has one drive, and when it has two; pixels.
const SHOWN_PX: [f32; 2] = [70.0, 22.0];
/// Half the width of a line, pixels of the picture.
const LINE_HALF_PX: f32 = 1.3;

const GROUND: [u8; 3] = [18, 22, 27];
const GRID: [u8; 3] = [52, 58, 66];
const GAP: [u8; 3] = [86, 88, 91];
const MOTOR: [u8; 3] = [230, 159, 0];
const JOINT: [u8; 3] = [86, 180, 233];
const WINDUP: [u8; 3] = [204, 121, 167];

/// Texts under the plots.
pub(super) const LEGEND: [(&str, [u8; 3]); 3] = [("", MOTOR), ("", JOINT), ("", WINDUP)];

const ARCMIN_PER_RAD: f64 = 60.0 * 360.0 / std::f64::consts::TAU;
const UM_PER_M: f64 = 1e6;

/// A plot of the panel.
#[derive(Component)]
pub(super) struct Plot {
    drive: usize,
    windup: bool,
}

impl Plot {
    pub(super) fn new(number: usize) -> Self {
        Self { drive: number / 2, windup: number % 2 == 1 }
    }
}

/// A text below the plots.
#[derive(Component)]
pub(super) struct Caption(pub(super) usize);

/// An empty picture.
pub(super) fn blank() -> Image {
    let size = Extent3d { width: WIDTH_PX, height: HEIGHT_PX, depth_or_array_layers: 1 };
    Image::new_fill(size, TextureDimension::D2, &[0, 0, 0, 255], TextureFormat::Rgba8UnormSrgb, RenderAssetUsages::default())
}

type Nodes<'w, 's> = Query<'w, 's, (&'static Plot, &'static ImageNode, &'static mut Node)>;
type Captions<'w, 's> = Query<'w, 's, (&'static Caption, &'static mut Text, &'static mut Node), Without<Plot>>;

/// Draws the curves that end at the instant shown.
pub(super) fn draw(
    (subject, moment, replay, lang): (Res<'_, Subject>, Res<'_, Moment>, Res<'_, Replay>, Res<'_, Lang>),
    mut images: ResMut<'_, Assets<Image>>,
    mut plots: Nodes<'_, '_>,
    mut captions: Captions<'_, '_>,
) {
    let Some(shown) = &subject.shown else { return };
    let record = &replay.robots[shown.joint.robot];
    let recorded = shown.telemetry.motor.is_some();
    let all: Vec<Curves> = (0..shown.drives.len()).map(|drive| curves(record, shown, drive, moment.t_ns)).collect();
    let linear = shown.of(&replay).is_some_and(|drives| shown.drives.iter().any(|drive| drives.table.drives()[*drive].linkage.is_linear()));
    let scale = if linear { UM_PER_M } else { ARCMIN_PER_RAD };
    let mut ranges = [None; 2];
    for (plot, image, mut node) in &mut plots {
        let Some(curves) = all.get(plot.drive).filter(|_| recorded || !plot.windup) else {
            node.display = Display::None;
            continue;
        };
        node.display = Display::Flex;
        node.height = Val::Px(SHOWN_PX[usize::from(all.len() > 1)]);
        let turns = |rad: Option<f64>| rad.map(|rad| rad / std::f64::consts::TAU);
        let lines: Vec<([u8; 3], Line)> = if plot.windup {
            vec![(WINDUP, line(curves, |point| point.windup.map(|windup| windup * scale)))]
        } else {
            vec![(JOINT, line(curves, |point| turns(point.joint_rad))), (MOTOR, line(curves, |point| turns(point.motor_rad)))]
        };
        let mut canvas = Canvas::new();
        let range = canvas.plot(curves, &lines);
        if plot.drive == 0 {
            ranges[usize::from(plot.windup)] = range;
        }
        if let Some(mut image) = images.get_mut(&image.image) {
            image.data = Some(canvas.pixels);
        }
    }
    let unit = if linear { "µm" } else { "arcmin" };
    for (caption, mut text, mut node) in &mut captions {
        let words = match (caption.0, ranges[usize::from(caption.0 == 2)]) {
            // Two drives leave room for one line.
            (0, _) if all.len() > 1 => {
                lang.pick("4 s of each: rotor, joint × ratio; wind-up", "各 4 秒：转子，关节 × 传动比；扭转").to_owned()
            }
            _ if all.len() > 1 => String::new(),
            (0, Some([low, high])) if recorded => format!("{} {low:.2} … {high:.2} rev", lang.pick("rotor, 4 s:", "转子，4 秒：")),
            (1, Some([low, high])) if !recorded => {
                format!("{} {low:.2} … {high:.2} rev", lang.pick("joint × ratio, 4 s:", "关节 × 传动比，4 秒："))
            }
            (1, Some(_)) => lang.pick("joint × ratio, under it", "关节 × 传动比（在下层）").to_owned(),
            (2, Some([low, high])) if recorded => format!("{} {low:.2} … {high:.2} {unit}", lang.pick("wind-up:", "扭转：")),
            _ => String::new(),
        };
        node.display = if words.is_empty() { Display::None } else { Display::Flex };
        if text.0 != words {
            text.0 = words;
        }
    }
}

/// Pieces of a curve between gaps: times in ns and values.
type Line = Vec<Vec<(i64, f64)>>;

fn line(curves: &Curves, value: impl Fn(&Point) -> Option<f64>) -> Line {
    let mut pieces: Line = vec![Vec::new()];
    let mut last_ns: Option<i64> = None;
    for point in &curves.points {
        let torn = last_ns.is_some_and(|last| curves.gaps.iter().any(|[from, to]| last <= *from && *to <= point.t_ns));
        last_ns = Some(point.t_ns);
        match value(point) {
            Some(value) if torn => pieces.push(vec![(point.t_ns, value)]),
            Some(value) => {
                if let Some(piece) = pieces.last_mut() {
                    piece.push((point.t_ns, value));
                }
            }
            None => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A picture that is drawn on.
struct Canvas {
    pixels: Vec<u8>,
}

impl Canvas {
    fn new() -> Self {
        let [r, g, b] = GROUND;
        Self { pixels: [r, g, b, 235].repeat((WIDTH_PX * HEIGHT_PX) as usize) }
    }

    /// Gaps as grey bands, a grid of seconds, and the lines; the range of the values.
    fn plot(&mut self, curves: &Curves, lines: &[([u8; 3], Line)]) -> Option<[f64; 2]> {
        let [width, height] = [WIDTH_PX, HEIGHT_PX].map(f64::from);
        let span = crate::timeline::seconds(curves.to_ns - curves.from_ns);
        let x = |t_ns: i64| crate::timeline::seconds(t_ns - curves.from_ns) / span * width;
        for [from, to] in &curves.gaps {
            self.band([x(*from), x(*to)]);
        }
        for second in 1..4 {
            let at = narrow(f64::from(second) / span * width);
            self.stroke(Vec2::new(at, 0.0), Vec2::new(at, narrow(height)), GRID, 0.6);
        }
        let values = || lines.iter().flat_map(|(_, pieces)| pieces.iter().flatten().map(|(_, value)| *value));
        let range = [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)];
        if !range[0].is_finite() {
            return None;
        }
        let margin = ((range[1] - range[0]) * 0.08).max(1e-9 + range[0].abs() * 1e-6);
        let y = |value: f64| height - (value - range[0] + margin) / (range[1] - range[0] + 2.0 * margin) * height;
        if range[0] < 0.0 && range[1] > 0.0 {
            let zero = narrow(y(0.0));
            self.stroke(Vec2::new(0.0, zero), Vec2::new(narrow(width), zero), GRID, 0.8);
        }
        for (number, (colour, pieces)) in lines.iter().enumerate() {
            // The first line is drawn wider, so that one sees it under the second.
            let half = if number + 1 < lines.len() { LINE_HALF_PX * 2.6 } else { LINE_HALF_PX };
            for piece in pieces {
                let at = |(t_ns, value): &(i64, f64)| Vec2::new(narrow(x(*t_ns)), narrow(y(*value)));
                for pair in piece.windows(2) {
                    self.stroke(at(&pair[0]), at(&pair[1]), *colour, half);
                }
                if let [one] = piece[..] {
                    self.stroke(at(&one), at(&one), *colour, half);
                }
            }
        }
        Some(range)
    }

    fn band(&mut self, [from, to]: [f64; 2]) {
        let (from, to) = (narrow(from), narrow(to));
        for y in 0..HEIGHT_PX {
            for x in span_of(from, to, WIDTH_PX) {
                self.mix(x, y, GAP, 1.0);
            }
        }
    }

    /// A line with soft edges.
    fn stroke(&mut self, from: Vec2, to: Vec2, colour: [u8; 3], half: f32) {
        let (low, high) = (from.min(to) - half - 1.0, from.max(to) + half + 1.0);
        let along = to - from;
        for y in span_of(low.y, high.y, HEIGHT_PX) {
            for x in span_of(low.x, high.x, WIDTH_PX) {
                #[expect(clippy::cast_precision_loss, reason = "pixels of a small picture")]
                let point = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
                let share = ((point - from).dot(along) / along.length_squared().max(1e-6)).clamp(0.0, 1.0);
                let cover = (half + 0.5 - point.distance(from + along * share)).clamp(0.0, 1.0);
                self.mix(x, y, colour, cover);
            }
        }
    }

    fn mix(&mut self, x: u32, y: u32, colour: [u8; 3], cover: f32) {
        let index = ((y * WIDTH_PX + x) * 4) as usize;
        for (channel, wanted) in self.pixels[index..index + 3].iter_mut().zip(colour) {
            let mixed = f32::from(*channel) + (f32::from(wanted) - f32::from(*channel)) * cover;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two u8")]
            {
                *channel = mixed.round() as u8;
            }
        }
    }
}

/// Whole pixels from `low` to `high` that there are.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture's edge")]
fn span_of(low: f32, high: f32, edge: u32) -> std::ops::Range<u32> {
    (low.floor().max(0.0) as u32).min(edge)..(high.ceil().max(0.0) as u32).min(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves() -> Curves {
        let point = |t_ns: i64, value: f64| Point { t_ns, motor_rad: Some(value), joint_rad: Some(value), windup: Some(value) };
        let second = 1_000_000_000;
        let points = vec![point(0, 0.0), point(second, 1.0), point(3 * second, 1.0), point(4 * second, 0.0)];
        Curves { from_ns: 0, to_ns: 4 * second, points, gaps: vec![[second, 3 * second]] }
    }

    fn pixel(canvas: &Canvas, x: u32, y: u32) -> [u8; 3] {
        let index = ((y * WIDTH_PX + x) * 4) as usize;
        [canvas.pixels[index], canvas.pixels[index + 1], canvas.pixels[index + 2]]
    }

    #[test]
    fn lines_stop_at_gaps_and_gaps_are_grey() {
        let pieces = line(&curves(), |point| point.windup);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        let mut canvas = Canvas::new();
        assert_eq!(canvas.plot(&curves(), &[(WINDUP, pieces)]), Some([0.0, 1.0]));
        for y in [5, 75, 140] {
            assert_eq!(pixel(&canvas, WIDTH_PX / 2 + 20, y), GAP, "nothing is drawn across the gap");
        }
        let rising = (0..HEIGHT_PX).filter(|y| pixel(&canvas, WIDTH_PX / 8, *y) == WINDUP).count();
        assert!((1..30).contains(&rising), "{rising} pixels of the line half a second after the start");
    }
}
