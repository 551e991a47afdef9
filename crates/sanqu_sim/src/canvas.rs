//! A picture in planar YUV 4:2:0 that convex polygons are filled into.

use openh264::formats::YUVSource;

/// A colour in BT.601 limited range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Yuv {
    y: u8,
    u: u8,
    v: u8,
}

impl Yuv {
    /// From sRGB components 0..1.
    pub(crate) fn from_rgb([r, g, b]: [f32; 3]) -> Self {
        let byte = |value: f32, low: f32, high: f32| -> u8 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped into 16..=240 first")]
            {
                value.round().clamp(low, high) as u8
            }
        };
        Self {
            y: byte(16.0 + 65.481 * r + 128.553 * g + 24.966 * b, 16.0, 235.0),
            u: byte(128.0 - 37.797 * r - 74.203 * g + 112.0 * b, 16.0, 240.0),
            v: byte(128.0 + 112.0 * r - 93.786 * g - 18.214 * b, 16.0, 240.0),
        }
    }
}

/// Three planes; `u` and `v` have half the width and height.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Canvas {
    /// A black picture; both sides must be even.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let chroma = width / 2 * (height / 2);
        Self { width, height, y: vec![16; width * height], u: vec![128; chroma], v: vec![128; chroma] }
    }

    /// Width in pixels.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Fills rows `top..bottom` with one colour.
    pub(crate) fn fill_rows(&mut self, top: usize, bottom: usize, colour: Yuv) {
        for row in top..bottom.min(self.height) {
            self.fill_span(row, 0, self.width, colour);
        }
    }

    /// Fills a convex polygon given in pixels (x right, y down; corners may lie outside the picture). A pixel belongs to
    /// the polygon when its centre does.
    pub(crate) fn fill_convex(&mut self, corners: &[[f32; 2]], colour: Yuv) {
        let (top, bottom) = corners.iter().fold((f32::MAX, f32::MIN), |(top, bottom), p| (top.min(p[1]), bottom.max(p[1])));
        let Some(last) = corners.last() else { return };
        for row in pixel(top, self.height)..pixel(bottom, self.height) {
            #[expect(clippy::cast_precision_loss, reason = "rows of a picture are far below 2^24")]
            let centre = row as f32 + 0.5;
            let (mut left, mut right) = (f32::MAX, f32::MIN);
            let mut from = last;
            for to in corners {
                if (from[1] <= centre) != (to[1] <= centre) {
                    let x = from[0] + (to[0] - from[0]) * (centre - from[1]) / (to[1] - from[1]);
                    (left, right) = (left.min(x), right.max(x));
                }
                from = to;
            }
            if left < right {
                self.fill_span(row, pixel(left, self.width), pixel(right, self.width), colour);
            }
        }
    }

    fn fill_span(&mut self, row: usize, left: usize, right: usize, colour: Yuv) {
        if left >= right {
            return;
        }
        self.y[row * self.width..][left..right].fill(colour.y);
        if row.is_multiple_of(2) {
            let chroma = row / 2 * (self.width / 2);
            self.u[chroma..][left / 2..right.div_ceil(2)].fill(colour.u);
            self.v[chroma..][left / 2..right.div_ceil(2)].fill(colour.v);
        }
    }

    /// The luma plane; its stride is the width.
    pub(crate) fn luma_mut(&mut self) -> &mut [u8] {
        &mut self.y
    }
}

/// The first pixel whose centre is not before `edge`, within `0..=limit`.
fn pixel(edge: f32, limit: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to the picture first; pictures are far below 2^24"
    )]
    {
        (edge - 0.5).ceil().clamp(0.0, limit as f32) as usize
    }
}

impl YUVSource for Canvas {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }
    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }
    fn y(&self) -> &[u8] {
        &self.y
    }
    fn u(&self) -> &[u8] {
        &self.u
    }
    fn v(&self) -> &[u8] {
        &self.v
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(corners: &[[f32; 2]], expect: &str) {
        let mut canvas = Canvas::new(8, 4);
        canvas.fill_convex(corners, Yuv::from_rgb([1.0, 1.0, 1.0]));
        let found: Vec<String> = canvas.y.chunks(8).map(|row| row.iter().map(|y| if *y == 235 { '#' } else { '.' }).collect()).collect();
        assert_eq!(found.join(" "), expect);
    }

    #[test]
    fn polygons_fill_the_pixels_whose_centres_they_hold() {
        check(&[[1.0, 1.0], [5.0, 1.0], [5.0, 3.0], [1.0, 3.0]], "........ .####... .####... ........");
        check(&[[0.0, 0.0], [4.0, 4.0], [0.0, 4.0]], "........ #....... ##...... ###.....");
        check(&[[-100.0, -100.0], [100.0, -100.0], [100.0, 100.0], [-100.0, 100.0]], "######## ######## ######## ########");
        check(&[[20.0, 1.0], [30.0, 1.0], [30.0, 3.0]], "........ ........ ........ ........");
        check(&[], "........ ........ ........ ........");
    }

    #[test]
    fn grey_has_no_chroma() {
        assert_eq!(Yuv::from_rgb([0.0; 3]), Yuv { y: 16, u: 128, v: 128 });
        assert_eq!(Yuv::from_rgb([1.0; 3]), Yuv { y: 235, u: 128, v: 128 });
        assert!(Yuv::from_rgb([1.0, 0.0, 0.0]).v > 200);
    }
}
