//! A few strokes of SVG: what the drawings need and no more.

use std::f64::consts::TAU;
use std::fmt::Write as _;

/// Colours of the drawings: one per kind of part, the same on every page.
pub(super) const INK: &str = "#22303c";
pub(super) const GREY: &str = "#9aa7b1";
pub(super) const PALE: &str = "#dfe5ea";
pub(super) const INPUT: &str = "#c2410c";
pub(super) const FLEX: &str = "#1d6fb8";
pub(super) const FIXED: &str = "#5b6770";
pub(super) const OUTPUT: &str = "#15803d";

/// A picture in pixels, y down.
pub(super) struct Svg {
    body: String,
    size: [f64; 2],
}

/// Maps a drawing in metres, y up, into a picture.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) centre: [f64; 2],
    pub(super) pixels_per_unit: f64,
}

impl Frame {
    pub(super) fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.centre[0] + x * self.pixels_per_unit, self.centre[1] - y * self.pixels_per_unit]
    }
}

pub(super) fn polar(radius: f64, angle: f64) -> [f64; 2] {
    [radius * angle.cos(), radius * angle.sin()]
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), size: [width, height] }
    }

    pub(super) fn text(&mut self, [x, y]: [f64; 2], size: f64, colour: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(self.body, r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" fill="{colour}">{text}</text>"#);
    }

    pub(super) fn middle(&mut self, [x, y]: [f64; 2], size: f64, colour: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(self.body, r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" fill="{colour}" text-anchor="middle">{text}</text>"#);
    }

    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], width: f64, colour: &str) {
        self.path(&[from, to], width, colour, "none", "");
    }

    pub(super) fn dashed(&mut self, from: [f64; 2], to: [f64; 2], width: f64, colour: &str) {
        self.path(&[from, to], width, colour, "none", r#" stroke-dasharray="5 4""#);
    }

    pub(super) fn curve(&mut self, points: &[[f64; 2]], width: f64, colour: &str) {
        self.path(points, width, colour, "none", "");
    }

    /// A closed outline, filled.
    pub(super) fn shape(&mut self, points: &[[f64; 2]], width: f64, colour: &str, fill: &str) {
        let closed: Vec<[f64; 2]> = points.iter().chain(points.first()).copied().collect();
        self.path(&closed, width, colour, fill, "");
    }

    pub(super) fn circle(&mut self, [x, y]: [f64; 2], radius: f64, width: f64, colour: &str, fill: &str) {
        let _ = writeln!(
            self.body,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" stroke="{colour}" stroke-width="{width}" fill="{fill}"/>"#
        );
    }

    /// A line with a head at `to`.
    pub(super) fn arrow(&mut self, from: [f64; 2], to: [f64; 2], width: f64, colour: &str) {
        self.line(from, to, width, colour);
        self.head(from, to, colour);
    }

    /// An arc about `centre` from one angle to another (radians, counter-clockwise positive, y up) with a head.
    pub(super) fn turn(&mut self, centre: [f64; 2], radius: f64, [from, to]: [f64; 2], colour: &str) {
        let frame = Frame { centre, pixels_per_unit: 1.0 };
        let points: Vec<[f64; 2]> = (0..=32).map(|step| frame.at(polar(radius, from + (to - from) * f64::from(step) / 32.0))).collect();
        self.curve(&points, 2.0, colour);
        self.head(points[28], points[32], colour);
    }

    fn head(&mut self, from: [f64; 2], to: [f64; 2], colour: &str) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = dx.hypot(dy).max(1e-9);
        let (ux, uy) = (dx / length, dy / length);
        let side = |turn: f64| [to[0] - 10.0 * ux + turn * 4.0 * uy, to[1] - 10.0 * uy - turn * 4.0 * ux];
        self.shape(&[to, side(1.0), side(-1.0)], 0.5, colour, colour);
    }

    fn path(&mut self, points: &[[f64; 2]], width: f64, colour: &str, fill: &str, more: &str) {
        let mut list = String::new();
        for [x, y] in points {
            let _ = write!(list, "{x:.1},{y:.1} ");
        }
        let _ = writeln!(
            self.body,
            r#"<polyline points="{}" stroke="{colour}" stroke-width="{width}" fill="{fill}" stroke-linejoin="round"{more}/>"#,
            list.trim_end()
        );
    }

    /// Axes of a diagram in the rectangle (left, top, width, height) with their titles.
    pub(super) fn axes(&mut self, [left, top, width, height]: [f64; 4], across: &str, up: &str) {
        self.line([left, top], [left, top + height], 1.2, INK);
        self.line([left, top + height], [left + width, top + height], 1.2, INK);
        self.middle([left + 0.5 * width, top + height + 34.0], 13.0, INK, across);
        self.text([left - 6.0, top - 10.0], 13.0, INK, up);
    }

    pub(super) fn finish(self) -> String {
        let [width, height] = self.size;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// The outline of an external gear (or, with a negative height, an internal one): simple trapezoid teeth.
pub(super) fn gear(frame: Frame, centre: [f64; 2], radius: f64, teeth: u32, angle: f64, height: f64) -> Vec<[f64; 2]> {
    let pitch = TAU / f64::from(teeth);
    let corner = |tooth: u32, part: f64, out: f64| {
        let [x, y] = polar(radius + out * height, angle + pitch * (f64::from(tooth) + part));
        frame.at([centre[0] + x, centre[1] + y])
    };
    (0..teeth)
        .flat_map(|tooth| [corner(tooth, -0.27, -1.0), corner(tooth, -0.15, 1.0), corner(tooth, 0.15, 1.0), corner(tooth, 0.27, -1.0)])
        .collect()
}
