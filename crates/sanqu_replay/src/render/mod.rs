//! Pictures and films without a display.

mod adapter;
mod capture;
mod film;
mod sheet;
mod still;
mod studio;

use std::path::PathBuf;
use std::time::Duration;

use bevy::math::UVec2;

pub(crate) use adapter::settings;
pub use adapter::{Adapter, find_adapter};
pub use sheet::{SHEET_SIZE, SHEET_STILLS, SHEET_STILLS_MAX, SheetJob, contact_sheet};
pub use still::write_png;

use crate::ReplayError;
use crate::replay::Replay;
use crate::scene::Quality;
use crate::timeline::Playhead;
use crate::view::View;
use studio::{Studio, StudioOptions};

/// Pictures a second of a film.
pub const FILM_FPS: u32 = 25;
/// Size of a still, pixels.
pub const STILL_SIZE: UVec2 = UVec2::new(1280, 720);
/// Size of a film that a graphics card draws, pixels.
pub const FILM_SIZE: UVec2 = UVec2::new(1280, 720);
/// Size of a film that the processor draws, pixels: about 30 times cheaper than [`FILM_SIZE`].
pub const SOFTWARE_FILM_SIZE: UVec2 = UVec2::new(640, 360);
/// Least and greatest picture edge, pixels.
pub const EDGE_RANGE_PX: (u32, u32) = (16, 4096);

/// What to draw.
#[derive(Clone, Debug)]
pub struct RenderJob {
    /// Where to: `.png` a still, `.mp4` a film.
    pub out: PathBuf,
    /// Where the playhead stands (first picture of a film) and how fast it goes.
    pub playhead: Playhead,
    /// How it is shown.
    pub view: View,
    /// Picture size in pixels, both even for a film; none lets the adapter decide.
    pub size: Option<UVec2>,
    /// Length of a film, s.
    pub seconds: f64,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pictures drawn.
    pub done: u32,
    /// Pictures in all.
    pub total: u32,
}

/// What was chosen for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Picture size, pixels.
    pub size: UVec2,
    /// What a picture may cost.
    pub quality: Quality,
}

impl RenderJob {
    /// Whether the job is a film.
    pub fn is_film(&self) -> bool {
        self.out.extension().is_some_and(|extension| extension == "mp4")
    }

    /// Size and quality for this adapter: stills are always drawn in full; a film that the processor draws is small and
    /// plain unless the job says a size.
    pub fn choice(&self, adapter: &Adapter) -> Choice {
        match (self.is_film(), adapter.software) {
            (false, _) => Choice { size: self.size.unwrap_or(STILL_SIZE), quality: Quality::FULL },
            (true, false) => Choice { size: self.size.unwrap_or(FILM_SIZE), quality: Quality::FULL },
            (true, true) => Choice { size: self.size.unwrap_or(SOFTWARE_FILM_SIZE), quality: Quality::PLAIN },
        }
    }
}

/// Draws a job. The same job gives the same pictures on the same adapter: time is stepped, not measured.
///
/// # Errors
/// A renderer that does not deliver, encoders that fail, files that cannot be written.
pub fn render(replay: Replay, job: &RenderJob, choice: Choice, progress: &mut dyn FnMut(Progress)) -> Result<(), ReplayError> {
    let frame = Duration::from_nanos(1_000_000_000 / u64::from(FILM_FPS));
    let options = StudioOptions { size: choice.size, quality: choice.quality, view: job.view, frame, caption: false };
    let mut studio = Studio::open(replay, job.playhead, options)?;
    if job.is_film() {
        film::film(&mut studio, job, choice.size, progress)
    } else {
        progress(Progress { done: 0, total: 1 });
        let picture = studio.picture()?;
        write_png(&job.out, choice.size, &picture)
    }
}
