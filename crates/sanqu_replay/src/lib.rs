//! 3D replay of episodes: recorded robots in their training field, on one timeline of capture time.
//!
//! [`load::load`] turns episode folders into a [`replay::Replay`], plain data that knows nothing of bevy's entities. The
//! plugins of [`viewer::ViewerPlugins`] put it on a stage; each frame, [`timeline::Playhead`] says which instant is shown,
//! [`track::Track`] holds the last recorded row at that instant (or goes straight to the next), forward kinematics (`sanqu_robot`) gives link poses, and
//! [`frame::bevy_from_world`], the only place that knows both frames, makes transforms of them. Row times are in memory, values come from [`windows`] of the files. Nothing is
//! invented: where samples are missing or old, the robot turns grey, and nothing is interpolated.
//!
//! [`window::show`] opens a window, [`picker::pick`] one with the episodes to choose from; [`render::render`] draws stills and films without a display.

pub mod bar;
pub mod base;
pub mod body;
pub mod camera;
pub mod cameras;
pub mod compare;
mod error;
pub mod frame;
pub mod ground;
pub mod hud;
pub mod inspector;
pub mod lane;
pub mod lang;
pub mod live;
pub mod load;
pub mod mark;
pub mod measure;
pub mod mesh_file;
pub mod picker;
pub mod render;
pub mod replay;
pub mod robots;
pub mod scene;
pub mod settings;
pub mod timeline;
pub mod track;
pub mod view;
pub mod viewer;
pub mod window;
pub mod windows;
pub mod xray;

pub use error::ReplayError;
