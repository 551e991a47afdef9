//! An episode on one page: stills at even times, each with the video's frames of that instant.

use std::path::PathBuf;
use std::time::Duration;

use bevy::math::{UVec2, Vec2};

use super::capture::PIXEL_BYTES;
use super::studio::{Studio, StudioOptions};
use super::{Progress, write_png};
use crate::ReplayError;
use crate::cameras::{Picture, shown_cameras};
use crate::replay::Replay;
use crate::scene::Quality;
use crate::timeline::Playhead;
use crate::view::View;

/// Stills of a sheet when nobody says.
pub const SHEET_STILLS: u32 = 12;
/// Most stills of a sheet.
pub const SHEET_STILLS_MAX: u32 = 100;
/// Size of a sheet when nobody says, pixels.
pub const SHEET_SIZE: UVec2 = UVec2::new(1920, 1080);
/// Space around stills, pixels.
const SPACE_PX: u32 = 4;
/// The video's share of a still's height.
const VIDEO_SHARE: u32 = 4;
/// Colour of the page, and how bright a frame is that is not of its instant.
const PAGE: [u8; PIXEL_BYTES] = [24, 28, 32, 255];
const STALE_PERCENT: u16 = 45;

/// What to draw.
#[derive(Clone, Debug)]
pub struct SheetJob {
    /// Where to, `.png`.
    pub out: PathBuf,
    /// Size of the page, pixels.
    pub size: UVec2,
    /// How many stills.
    pub stills: u32,
    /// From where, and in which language; panels are left out.
    pub view: View,
}

/// How a page is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    columns: u32,
    cell: UVec2,
    /// Height of the scene in a cell; the video is below.
    scene_height: u32,
}

impl Grid {
    fn new(size: UVec2, stills: u32, with_video: bool) -> Self {
        // As many columns as make cells about as wide as the page is for its height.
        let columns = (1..=stills).find(|columns| columns * columns >= stills).unwrap_or(1);
        let rows = stills.div_ceil(columns);
        let cell = (size / UVec2::new(columns, rows)).max(UVec2::splat(16));
        let inner = cell.saturating_sub(UVec2::splat(SPACE_PX)).max(UVec2::splat(8));
        let video = if with_video { inner.y / VIDEO_SHARE } else { 0 };
        Self { columns, cell, scene_height: inner.y - video }
    }

    fn scene(&self) -> UVec2 {
        UVec2::new(self.inner().x, self.scene_height)
    }

    fn inner(&self) -> UVec2 {
        self.cell.saturating_sub(UVec2::splat(SPACE_PX)).max(UVec2::splat(8))
    }

    fn corner(&self, index: u32) -> UVec2 {
        UVec2::new(index % self.columns, index / self.columns) * self.cell + SPACE_PX / 2
    }
}

/// Draws a contact sheet. The same job gives the same bytes on the same adapter.
///
/// # Errors
/// As [`super::render`].
pub fn contact_sheet(replay: Replay, job: &SheetJob, quality: Quality, progress: &mut dyn FnMut(Progress)) -> Result<(), ReplayError> {
    let cameras = shown_cameras(&replay, job.view.focus(&replay).0);
    let grid = Grid::new(job.size, job.stills.clamp(1, SHEET_STILLS_MAX), !cameras.is_empty());
    let times = even_times(replay.start_ns, replay.end_ns, job.stills.clamp(1, SHEET_STILLS_MAX));
    let total = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let playhead = Playhead::new(replay.start_ns, replay.end_ns);
    let view = View { panels: false, ..job.view };
    let options = StudioOptions { size: grid.scene(), quality, view, frame: Duration::ZERO, caption: true };
    let mut studio = Studio::open(replay, playhead, options)?;
    let mut page = Page { size: job.size, rgba: PAGE.repeat(job.size.element_product() as usize) };
    for (index, t_ns) in (0..).zip(times) {
        progress(Progress { done: index, total });
        studio.show(t_ns);
        let scene = studio.picture()?;
        page.put(grid.corner(index), grid.scene(), &scene);
        let frames: Vec<(Picture, bool)> = cameras.iter().filter_map(|camera| studio.frame(*camera, t_ns)).collect();
        page.put_frames(grid.corner(index) + UVec2::new(0, grid.scene_height), grid.inner() - UVec2::new(0, grid.scene_height), &frames);
    }
    progress(Progress { done: total, total });
    write_png(&job.out, job.size, &page.rgba)
}

/// The middles of `count` equal parts of a span.
fn even_times(start_ns: i64, end_ns: i64, count: u32) -> Vec<i64> {
    let length = i128::from(end_ns.saturating_sub(start_ns).max(0));
    let at = |index: u32| length * i128::from(2 * index + 1) / i128::from(2 * count);
    (0..count).map(|index| start_ns.saturating_add(i64::try_from(at(index)).unwrap_or(i64::MAX))).collect()
}

struct Page {
    size: UVec2,
    rgba: Vec<u8>,
}

impl Page {
    fn put(&mut self, corner: UVec2, size: UVec2, rgba: &[u8]) {
        let width = size.x as usize * PIXEL_BYTES;
        for (line, row) in (corner.y..).zip(rgba.chunks_exact(width)).take_while(|(line, _)| *line < self.size.y) {
            let from = (line as usize * self.size.x as usize + corner.x as usize) * PIXEL_BYTES;
            let room = (self.size.x.saturating_sub(corner.x) as usize * PIXEL_BYTES).min(width);
            self.rgba[from..from + room].copy_from_slice(&row[..room]);
        }
    }

    /// Puts frames beside each other into a room, as large as all fit.
    fn put_frames(&mut self, corner: UVec2, room: UVec2, frames: &[(Picture, bool)]) {
        let Some(count) = u32::try_from(frames.len()).ok().filter(|count| *count > 0) else { return };
        let each = UVec2::new(room.x / count, room.y).saturating_sub(UVec2::splat(2));
        for (index, (frame, live)) in (0..).zip(frames) {
            let size = fitting(frame.size, each);
            let small = frame.shrunk(size.x, size.y);
            let dim = |byte: &u8| u8::try_from(u16::from(*byte) * STALE_PERCENT / 100).unwrap_or(u8::MAX);
            let rgba = if *live { small.rgba } else { small.rgba.iter().map(dim).collect() };
            self.put(corner + UVec2::new(index * (room.x / count), 2), small.size, &rgba);
        }
    }
}

/// The largest size of the same aspect within a room.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer saturates; a few hundred pixels")]
fn fitting(size: UVec2, room: UVec2) -> UVec2 {
    let scale = (room.as_vec2() / size.as_vec2().max(Vec2::ONE)).min_element().min(1.0);
    let edge = |edge: f32| ((edge * scale) as u32).max(1);
    UVec2::new(edge(size.as_vec2().x), edge(size.as_vec2().y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stills_are_the_middles_of_equal_parts() {
        assert_eq!(even_times(1000, 1400, 4), [1050, 1150, 1250, 1350]);
        assert_eq!(even_times(7, 7, 2), [7, 7]);
    }

    #[test]
    fn cells_fill_the_page_and_stay_on_it() {
        for (stills, columns) in [(1, 1), (2, 2), (12, 4), (13, 4), (100, 10)] {
            let grid = Grid::new(SHEET_SIZE, stills, true);
            assert_eq!(grid.columns, columns, "{stills}");
            let last = grid.corner(stills - 1) + grid.inner();
            assert!(last.x <= SHEET_SIZE.x && last.y <= SHEET_SIZE.y && last.y + 2 * grid.cell.y > SHEET_SIZE.y, "{stills}: {grid:?}");
        }
        assert_eq!(fitting(UVec2::new(320, 240), UVec2::new(500, 60)), UVec2::new(80, 60));
    }
}
