use bevy::math::{Rect, UVec2, Vec2};
use bevy::prelude::Resource;

use crate::timeline::Playhead;

/// Sizes at a picture height of 720, pixels.
const MARGIN_PX: f32 = 12.0;
const LABELS_PX: f32 = 150.0;
const LANE_PX: f32 = 11.0;
const MARKS_PX: f32 = 12.0;
const RULER_PX: f32 = 16.0;
const PADDING_PX: f32 = 6.0;

/// Where the bar is in the picture. Lengths are in the user interface's pixels, which [`BarLayout::scale`] makes the picture's.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct BarLayout {
    /// Size of the whole picture.
    pub picture: Vec2,
    /// Pixels of the picture for one of these.
    pub scale: f32,
    /// Number of lanes.
    pub rows: usize,
    /// Height of the row of thumbnails; 0 without.
    pub thumbnails_px: f32,
}

impl BarLayout {
    /// The layout in a picture of `size` pixels.
    pub fn new(size: UVec2, scale: f32, rows: usize, thumbnails_px: f32) -> Self {
        Self { picture: size.as_vec2() / scale, scale, rows, thumbnails_px }
    }

    /// Height of the bar; 0 when there is none.
    pub fn height(&self) -> f32 {
        if self.rows == 0 { 0.0 } else { PADDING_PX * 2.0 + self.thumbnails_px + RULER_PX + MARKS_PX + self.lane_px() * self.count() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of lanes")]
    fn count(&self) -> f32 {
        self.rows as f32
    }

    /// From one lane to the next.
    pub fn lane_px(&self) -> f32 {
        LANE_PX
    }

    /// Height of the line of marks, above the lanes.
    pub fn marks_px(&self) -> f32 {
        MARKS_PX
    }

    /// The bar's top edge.
    pub fn top(&self) -> f32 {
        self.picture.y - self.height()
    }

    /// Where thumbnails stand.
    pub fn thumbnails(&self) -> Rect {
        let top = self.top() + PADDING_PX;
        Rect::new(self.left(), top, self.right(), top + self.thumbnails_px)
    }

    /// Where the ruler's numbers stand.
    pub fn ruler_top(&self) -> f32 {
        self.top() + PADDING_PX + self.thumbnails_px
    }

    /// Marks and lanes: what time is read off.
    pub fn track(&self) -> Rect {
        let top = self.ruler_top() + RULER_PX;
        Rect::new(self.left(), top, self.right(), top + MARKS_PX + self.lane_px() * self.count())
    }

    fn left(&self) -> f32 {
        MARGIN_PX + LABELS_PX
    }

    fn right(&self) -> f32 {
        (self.picture.x - MARGIN_PX).max(self.left() + 1.0)
    }

    /// Where `t_ns` is, from the left.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a place in a picture")]
    pub fn x_of(&self, t_ns: i64, playhead: &Playhead) -> f32 {
        let length = (playhead.end_ns - playhead.start_ns).max(1) as f64;
        let share = ((t_ns - playhead.start_ns) as f64 / length).clamp(0.0, 1.0);
        self.left() + (self.right() - self.left()) * share as f32
    }

    /// The instant at `x`; that of the nearest end when `x` is beside the track.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a share of an episode, which is below 2^53 ns long")]
    pub fn t_at(&self, x: f32, playhead: &Playhead) -> i64 {
        let share = f64::from(((x - self.left()) / (self.right() - self.left())).clamp(0.0, 1.0));
        playhead.start_ns + ((playhead.end_ns - playhead.start_ns) as f64 * share).round() as i64
    }

    /// Whether a point is on the bar.
    pub fn holds(&self, point: Vec2) -> bool {
        self.rows > 0 && point.y >= self.top() && point.y <= self.picture.y && point.x >= 0.0 && point.x <= self.picture.x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_instants_are_each_others_inverse() {
        let layout = BarLayout::new(UVec2::new(2560, 1440), 2.0, 5, 36.0);
        let head = Playhead::new(1_000_000_000_000, 1_008_000_000_000);
        for t_ns in [head.start_ns, head.start_ns + 1_234_000_000, head.end_ns] {
            let back = layout.t_at(layout.x_of(t_ns, &head), &head);
            assert!((back - t_ns).abs() < 2_000_000, "{t_ns} came back as {back}");
        }
        assert_eq!((layout.t_at(0.0, &head), layout.t_at(9e9, &head)), (head.start_ns, head.end_ns));
        assert!(layout.holds(Vec2::new(400.0, 719.0)) && !layout.holds(Vec2::new(400.0, layout.top() - 1.0)));
        assert!(layout.track().max.y <= 720.0 && layout.track().min.y >= layout.thumbnails().max.y);
    }
}
