//! The interactive window.

mod help;
mod keys;
mod mouse;

use bevy::app::{App, AppExit, PluginGroup};
use bevy::asset::AssetPlugin;
use bevy::log::LogPlugin;
use bevy::math::UVec2;
use bevy::prelude::DefaultPlugins;
use bevy::render::RenderPlugin;
use bevy::render::settings::RenderCreation;
use bevy::window::{Window, WindowPlugin, WindowResolution};

use crate::ReplayError;
use crate::bar::{Panels, ScrubPlugin};
use crate::camera::CameraStart;
use crate::cameras::WaitForFrames;
use crate::inspector::PickingPlugin;
use crate::render::{find_adapter, settings};
use crate::replay::Replay;
use crate::scene::Quality;
use crate::timeline::Playhead;
use crate::view::View;
use crate::viewer::ViewerPlugins;

pub use keys::{KeysPlugin, StepLane};
pub use mouse::MousePlugin;

/// Size of a new window, pixels.
pub const WINDOW_SIZE: UVec2 = UVec2::new(1280, 720);

/// Opens the window and returns when it was closed.
///
/// # Errors
/// [`ReplayError::NoDisplay`], [`ReplayError::NoAdapter`]; [`ReplayError::Render`] when the window ended with a failure.
pub fn show(replay: Replay, playhead: Playhead, view: View, size: Option<UVec2>) -> Result<(), ReplayError> {
    if std::env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        return Err(ReplayError::NoDisplay);
    }
    let adapter = find_adapter()?;
    let size = size.unwrap_or(WINDOW_SIZE);
    let window = Window {
        title: format!("sanqu replay: {}", replay.field.name),
        resolution: WindowResolution::new(size.x, size.y),
        ..Default::default()
    };
    let render = RenderPlugin { render_creation: RenderCreation::Automatic(Box::new(settings())), ..Default::default() };
    let plugins = DefaultPlugins
        .set(WindowPlugin { primary_window: Some(window), ..Default::default() })
        .set(AssetPlugin { watch_for_changes_override: Some(false), ..Default::default() })
        .set(render)
        .disable::<LogPlugin>();
    let quality = if adapter.software { Quality::PLAIN } else { Quality::FULL };
    let exit = App::new()
        .add_plugins(plugins)
        .insert_resource(CameraStart { preset: view.preset, size: size.as_vec2(), target: None, inset: view.inset(&replay, size) })
        .insert_resource(view.focus(&replay))
        .insert_resource(Panels(view.panels))
        .insert_resource(view.lang)
        .insert_resource(WaitForFrames(false))
        .insert_resource(quality)
        .insert_resource(playhead)
        .insert_resource(view.xray)
        .insert_resource(replay)
        .add_plugins((ViewerPlugins, KeysPlugin, MousePlugin, ScrubPlugin, help::HelpPlugin, PickingPlugin))
        .run();
    match exit {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => Err(ReplayError::Render { reason: format!("the window ended with code {code}") }),
    }
}
