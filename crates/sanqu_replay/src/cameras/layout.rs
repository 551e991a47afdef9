use bevy::math::{Rect, Vec2};

use crate::replay::Replay;

/// Most video panels at once.
pub const PANELS_MAX: usize = 6;
/// Panels in one column, at most; more make a second.
const COLUMN_MAX: usize = 3;
/// Sizes at a picture height of 720, pixels. The zones' names are above the panels.
const TOP_PX: f32 = 104.0;
const MARGIN_PX: f32 = 12.0;
const SPACE_PX: f32 = 6.0;
const WIDTH_RANGE_PX: (f32, f32) = (40.0, 232.0);
/// Height of the line under a picture.
pub(super) const CAPTION_PX: f32 = 15.0;

/// The cameras that have panels, by robot and name: all when they are few, else those of the robot in focus.
pub fn shown_cameras(replay: &Replay, focus: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..replay.cameras.len()).collect();
    let place = |camera: usize| (replay.cameras[camera].robot, replay.lanes.get(replay.cameras[camera].lane).map(|lane| &lane.stream));
    all.sort_by(|a, b| place(*a).cmp(&place(*b)));
    if all.len() > PANELS_MAX {
        all.retain(|camera| replay.cameras[*camera].robot == focus);
        all.truncate(PANELS_MAX);
    }
    all
}

/// Where the video panels are, in the user interface's pixels: at the right, under the zones' names.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PanelLayout {
    picture: Vec2,
    columns: usize,
    count: usize,
    width: f32,
}

impl PanelLayout {
    /// For `count` panels in a picture whose lowest part is the bar.
    #[expect(clippy::cast_precision_loss, reason = "a handful of panels")]
    pub fn new(picture: Vec2, bar_px: f32, count: usize) -> Self {
        let columns = count.div_ceil(COLUMN_MAX).max(1);
        let lines = count.div_ceil(columns).max(1) as f32;
        let free = (picture.y - bar_px - TOP_PX) / lines - CAPTION_PX - SPACE_PX;
        let widest = (picture.x * 0.3 / columns as f32).min(WIDTH_RANGE_PX.1);
        // Rooms are 4 by 3; wider pictures leave some of it free.
        let width = (free * 4.0 / 3.0).min(widest).max(WIDTH_RANGE_PX.0);
        Self { picture, columns, count, width }
    }

    /// How much of the picture's width they take.
    #[expect(clippy::cast_precision_loss, reason = "a handful of panels")]
    pub fn covered_px(&self) -> f32 {
        if self.count == 0 { 0.0 } else { MARGIN_PX + (self.width + SPACE_PX) * self.columns as f32 }
    }

    /// Room of panel `index`, without its caption. The first column is the one at the edge.
    #[expect(clippy::cast_precision_loss, reason = "a handful of panels")]
    pub fn room(&self, index: usize) -> Rect {
        let lines = self.count.div_ceil(self.columns).max(1);
        let (column, line) = ((index / lines) as f32, (index % lines) as f32);
        let height = self.width * 0.75;
        let right = self.picture.x - MARGIN_PX - (self.width + SPACE_PX) * column;
        let top = TOP_PX + (height + CAPTION_PX + SPACE_PX) * line;
        Rect::new(right - self.width, top, right, top + height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(picture: (f32, f32), bar_px: f32, count: usize) {
        let layout = PanelLayout::new(picture.into(), bar_px, count);
        let rooms: Vec<Rect> = (0..count).map(|index| layout.room(index)).collect();
        for (index, room) in rooms.iter().enumerate() {
            assert!(room.max.y + CAPTION_PX <= picture.1 - bar_px + 0.1 && room.min.x >= picture.0 - layout.covered_px() - 0.1, "{room:?}");
            let others = rooms.iter().skip(index + 1);
            assert!(others.clone().all(|other| other.intersect(*room).is_empty()), "{room:?} overlaps another of {rooms:?}");
        }
    }

    #[test]
    fn panels_lie_beside_each_other_above_the_bar() {
        for count in 1..=PANELS_MAX {
            check((1280.0, 720.0), 150.0, count);
            check((1280.0, 720.0), 0.0, count);
            check((960.0, 720.0), 190.0, count);
        }
    }
}
