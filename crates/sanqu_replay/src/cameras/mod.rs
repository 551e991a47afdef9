//! The recorded cameras: their pictures beside the scene, exact to the frame, their fields of view in it, and small
//! pictures on the timeline.

mod av1;
mod cache;
mod caption;
mod film;
mod frustum;
mod layout;
mod library;
mod live;
mod panels;
mod picture;
mod thumbnails;
mod units;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use bevy::app::{App, Plugin, PostStartup, Startup, Update};
use bevy::prelude::{IntoScheduleConfigs, Resource};
use nalgebra::Isometry3;
use sanqu_model::StreamEntry;
use sanqu_store::Episode;

pub use frustum::corners;
pub use layout::{PANELS_MAX, PanelLayout, shown_cameras};
pub use library::{Library, Shot};
pub use live::{LiveEncoding, LiveFilm};
pub use picture::Picture;
pub use thumbnails::THUMBNAIL_PX;

use crate::timeline::ReplaySystems;

/// Where the pictures of a camera are.
#[derive(Clone, Debug)]
pub enum FrameSource {
    /// H.264 in an MP4 file; picture n belongs to row n.
    Film(PathBuf),
    /// AV1 temporal units in a column of the stream's Parquet file.
    Av1(Box<(Episode, StreamEntry)>),
    /// JPEG or PNG files in a column of the stream's Parquet file, as its encoding says.
    Stills(Box<(Episode, StreamEntry)>),
    /// Pictures in memory, of a camera that is filming.
    Live(Arc<LiveFilm>),
    /// Pictures that this version cannot show, and why.
    Unreadable(String),
}

/// A camera of a robot of the [`crate::replay::Replay`].
#[derive(Clone, Debug)]
pub struct CameraRecord {
    /// Index of the robot.
    pub robot: usize,
    /// Index of its stream in [`crate::replay::Replay::lanes`]: row n of the lane is picture n, see [`CameraRecord::picture`].
    pub lane: usize,
    /// Where its pictures are.
    pub source: FrameSource,
    /// Where it sits; none where neither the stream nor the robot's description says.
    pub mount: Option<Mount>,
    /// Width by height of its pictures, as far as the recording says.
    pub aspect: f32,
}

impl CameraRecord {
    /// Number of the picture of a row of its lane: the same, unless rows before it were forgotten.
    pub fn picture(&self, row: usize) -> usize {
        match &self.source {
            FrameSource::Live(film) => film.first().saturating_add(row),
            _ => row,
        }
    }

    /// The row of a picture; none when it was forgotten.
    pub fn row(&self, picture: usize) -> Option<usize> {
        match &self.source {
            FrameSource::Live(film) => picture.checked_sub(film.first()),
            _ => Some(picture),
        }
    }
}

/// Where a camera sits and what it sees. It looks along its own x, its pictures' up is z.
#[derive(Clone, Debug, PartialEq)]
pub struct Mount {
    /// Index of the link that carries it.
    pub link: usize,
    /// Its pose on the link.
    pub link_from_camera: Isometry3<f64>,
    /// Horizontal field of view, rad.
    pub fov_rad: f64,
    /// Whether something of this is assumed, not known.
    pub assumed: bool,
}

/// Whether a picture waits for its video frames (so that it is the same every time), or shows what is decoded so far.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitForFrames(pub bool);

/// Shows the cameras; needs what [`crate::bar::BarPlugin`] needs, and [`WaitForFrames`].
pub struct CamerasPlugin;

impl Plugin for CamerasPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(Startup, (library::open, panels::build.after(crate::scene::load_font)));
        app.add_systems(PostStartup, thumbnails::build);
        app.add_systems(Update, frustum::draw.in_set(ReplaySystems::Follow));
        app.add_systems(
            Update,
            (library::add_cameras, panels::lay_out, panels::show, thumbnails::show)
                .chain()
                .after(crate::bar::lay_out)
                .in_set(ReplaySystems::Follow),
        );
    }
}
