//! The lanes and marks as a picture: bounded work for any number of rows and gaps.

use bevy::math::UVec2;

use super::rows::BarRow;
use crate::lane::Lane;
use crate::mark::{Mark, MarkKind};
use crate::replay::Replay;
use crate::track::Gap;

/// Colours (sRGB) that stay apart for colour-blind eyes (Okabe and Ito); gaps are hatched as well, marks differ in form.
const ROWS_RGB: [u8; 3] = [0, 114, 178];
const GAP_RGB: [u8; 3] = [213, 94, 0];
const HATCH_RGB: [u8; 3] = [255, 196, 120];
const EMPTY_RGB: [u8; 3] = [52, 58, 64];
const EVENT_RGB: [u8; 3] = [240, 228, 66];
const DECISION_RGB: [u8; 3] = [0, 200, 150];
const SEAL_RGB: [u8; 3] = [240, 242, 244];
/// Opacity of what is painted, and of nothing.
const SOLID: u8 = 255;
const CLEAR: [u8; 4] = [0; 4];

/// What a lane says about a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Rows, or the last row is young enough.
    Rows,
    /// No row for a long time, but none is known to be missing.
    Empty,
    /// Rows are missing.
    Gap,
}

/// What a lane says about `from_ns..to_ns`.
pub fn cell(lane: &Lane, from_ns: i64, to_ns: i64) -> Cell {
    let after = lane.gaps.partition_point(|gap| gap.to_ns <= from_ns);
    if lane.gaps.get(after).is_some_and(|gap: &Gap| gap.from_ns < to_ns) {
        return Cell::Gap;
    }
    match lane.age_ns(to_ns.saturating_sub(1)) {
        Some(age) if age <= lane.stale_age_ns().max(to_ns - from_ns) => Cell::Rows,
        _ => Cell::Empty,
    }
}

/// Sizes of the picture, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PaintSize {
    pub(super) width: u32,
    pub(super) lane: u32,
    pub(super) marks: u32,
}

impl PaintSize {
    pub(super) fn picture(&self, rows: usize) -> UVec2 {
        UVec2::new(self.width, self.marks + self.lane * u32::try_from(rows).unwrap_or(u32::MAX))
    }
}

struct Canvas {
    size: UVec2,
    rgba: Vec<u8>,
}

impl Canvas {
    fn put(&mut self, x: u32, y: u32, [r, g, b]: [u8; 3]) {
        if x < self.size.x && y < self.size.y {
            let at = (y as usize * self.size.x as usize + x as usize) * 4;
            self.rgba[at..at + 4].copy_from_slice(&[r, g, b, SOLID]);
        }
    }
}

/// Paints the marks' line and the lanes below it; 4 bytes a pixel, rows from the top.
pub(super) fn paint(replay: &Replay, rows: &[BarRow], size: PaintSize) -> Vec<u8> {
    let picture = size.picture(rows.len());
    let rgba = CLEAR.repeat(picture.element_product() as usize);
    let mut canvas = Canvas { size: picture, rgba };
    for (index, row) in (0_u32..).zip(rows) {
        let top = size.marks + index * size.lane;
        // A line of the ground between lanes, where there is room for one.
        let bottom = top + if size.lane > 2 { size.lane - 1 } else { size.lane };
        for x in 0..picture.x {
            let (from_ns, to_ns) = column(replay, x, picture.x);
            let cell = row.lanes.iter().map(|lane| cell(&replay.lanes[*lane], from_ns, to_ns)).max();
            for y in top..bottom {
                let rgb = match cell {
                    Some(Cell::Rows) => ROWS_RGB,
                    Some(Cell::Gap) if (x + y) % 6 < 2 => HATCH_RGB,
                    Some(Cell::Gap) => GAP_RGB,
                    Some(Cell::Empty) | None => EMPTY_RGB,
                };
                canvas.put(x, y, rgb);
            }
        }
    }
    for mark in &replay.marks {
        paint_mark(&mut canvas, mark, place(replay, mark.t_ns, picture.x), size.marks);
    }
    canvas.rgba
}

/// The span of time under column `x` of `width`.
fn column(replay: &Replay, x: u32, width: u32) -> (i64, i64) {
    let length = i128::from(replay.end_ns.saturating_sub(replay.start_ns).max(1));
    let at = |x: u32| {
        let share = length * i128::from(x) / i128::from(width.max(1));
        replay.start_ns.saturating_add(i64::try_from(share).unwrap_or(i64::MAX))
    };
    (at(x), at(x + 1).max(at(x) + 1))
}

/// The column of an instant; that of the nearest end outside the timeline.
fn place(replay: &Replay, t_ns: i64, width: u32) -> u32 {
    let inside = i128::from(t_ns.clamp(replay.start_ns, replay.end_ns.max(replay.start_ns)) - replay.start_ns);
    let length = i128::from((replay.end_ns - replay.start_ns).max(1));
    u32::try_from(inside * i128::from(width.saturating_sub(1)) / length).unwrap_or(0)
}

/// An event is a diamond, a decision a square, the seal an upright bar.
fn paint_mark(canvas: &mut Canvas, mark: &Mark, x: u32, height: u32) {
    let radius = (height / 2).max(2);
    for dy in 0..=radius * 2 {
        let from_middle = dy.abs_diff(radius);
        let (half, rgb) = match mark.kind {
            MarkKind::Event => (radius - from_middle, EVENT_RGB),
            MarkKind::Decision => (radius * 2 / 3, DECISION_RGB),
            MarkKind::Seal => (radius / 4, SEAL_RGB),
        };
        for column in x.saturating_sub(half)..=x + half {
            canvas.put(column, dy.min(height.saturating_sub(1)), rgb);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::Instants;

    const MS: i64 = 1_000_000;

    #[track_caller]
    fn check(from_ms: i64, to_ms: i64, expect: Cell) {
        // Rows every 2 ms for a second, without those of 400 to 500 ms, which are known to be lost; then silence.
        let rows = (0..500).map(|row| row * 2 * MS).filter(|t| !(400 * MS..500 * MS).contains(t));
        let gaps = vec![Gap { from_ns: 398 * MS, to_ns: 500 * MS, rows: Some(50), cause: None }];
        let lane = Lane { instants: Instants::new(rows), gaps, period_ns: 2 * MS, ..Lane::default() };
        assert_eq!(cell(&lane, from_ms * MS, to_ms * MS), expect, "{from_ms}..{to_ms} ms");
    }

    #[test]
    fn a_column_shows_the_worst_of_its_span() {
        check(100, 101, Cell::Rows);
        check(390, 399, Cell::Gap);
        check(390, 398, Cell::Rows);
        check(450, 460, Cell::Gap);
        check(0, 1000, Cell::Gap);
        check(500, 501, Cell::Rows);
        check(1050, 1060, Cell::Rows);
        check(1200, 1210, Cell::Empty);
        check(-20, -10, Cell::Empty);
    }
}
