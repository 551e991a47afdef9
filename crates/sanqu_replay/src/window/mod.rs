//! The interactive window.

mod help;
mod keys;
mod mouse;
mod reframe;
mod remember;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bevy::app::Update;
use bevy::app::{App, AppExit, PluginGroup as _, PluginGroupBuilder};
use bevy::asset::AssetPlugin;
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::log::LogPlugin;
use bevy::math::UVec2;
use bevy::prelude::{DefaultPlugins, IntoScheduleConfigs as _, MessageWriter, Res, Resource};
use bevy::render::RenderPlugin;
use bevy::render::settings::RenderCreation;
use bevy::window::{Window, WindowPlugin, WindowResolution};

use self::reframe::{LiveFrame, reframe};
use crate::ReplayError;
use crate::bar::{Panels, ScrubPlugin};
use crate::camera::CameraStart;
use crate::cameras::WaitForFrames;
use crate::compare::CompareKeysPlugin;
use crate::inspector::PickingPlugin;
use crate::live::{Follow, LivePlugin, LiveSource};
use crate::render::{Adapter, find_adapter, settings};
use crate::replay::Replay;
use crate::scene::Quality;
use crate::settings::SettingsFile;
use crate::timeline::{Playhead, ReplaySystems};
use crate::view::View;
use crate::viewer::ViewerPlugins;

pub use keys::{KeysPlugin, StepLane};
pub use mouse::MousePlugin;
pub use remember::RememberPlugin;

/// Size of a new window, pixels.
pub const WINDOW_SIZE: UVec2 = UVec2::new(1280, 720);

/// What ended the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was closed.
    Closed,
    /// Another episode is to be chosen.
    PickAgain,
}

/// Whether the list of episodes was asked for.
#[derive(Resource, Clone, Debug, Default)]
pub(crate) struct PickAgain(Arc<AtomicBool>);

/// Everything that a window needs, and what draws it.
///
/// # Errors
/// [`ReplayError::NoDisplay`], [`ReplayError::NoAdapter`].
pub(crate) fn window_plugins(title: String, size: Option<UVec2>) -> Result<(PluginGroupBuilder, Adapter), ReplayError> {
    if std::env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        return Err(ReplayError::NoDisplay);
    }
    let adapter = find_adapter()?;
    let size = size.unwrap_or(WINDOW_SIZE);
    let window = Window { title, resolution: WindowResolution::new(size.x, size.y), ..Default::default() };
    let render = RenderPlugin { render_creation: RenderCreation::Automatic(Box::new(settings())), ..Default::default() };
    let plugins = DefaultPlugins
        .set(WindowPlugin { primary_window: Some(window), ..Default::default() })
        .set(AssetPlugin { watch_for_changes_override: Some(false), ..Default::default() })
        .set(render)
        .disable::<LogPlugin>();
    Ok((plugins, adapter))
}

/// Opens the window and returns when it was closed, or when the list of episodes was asked for.
///
/// # Errors
/// [`ReplayError::NoDisplay`], [`ReplayError::NoAdapter`]; [`ReplayError::Render`] when the window ended with a failure.
pub fn show(replay: Replay, playhead: Playhead, view: View, size: Option<UVec2>, file: SettingsFile) -> Result<Ended, ReplayError> {
    let mut app = stage(replay, playhead, view, size, file)?;
    let again = PickAgain::default();
    app.insert_resource(again.clone()).add_systems(Update, pick_again.in_set(ReplaySystems::Input));
    run(app)?;
    Ok(if again.0.load(Ordering::Relaxed) { Ended::PickAgain } else { Ended::Closed })
}

/// As [`show`], of a field that is running. The program that subscribes ends with the window.
///
/// # Errors
/// As [`show`].
pub fn show_live(
    replay: Replay,
    (source, follow): (LiveSource, Follow),
    playhead: Playhead,
    view: View,
    size: Option<UVec2>,
    file: SettingsFile,
) -> Result<(), ReplayError> {
    let mut app = stage(replay, playhead, view, size, file)?;
    app.insert_resource(LiveFrame::new(view)).add_systems(Update, reframe.in_set(ReplaySystems::Follow));
    app.insert_resource(source).insert_resource(follow).add_plugins(LivePlugin);
    run(app)
}

/// Everything that a window of either kind shows.
fn stage(replay: Replay, playhead: Playhead, view: View, size: Option<UVec2>, file: SettingsFile) -> Result<App, ReplayError> {
    let size = size.or(file.settings.window.map(|place| place.size())).unwrap_or(WINDOW_SIZE);
    let (plugins, adapter) = window_plugins(format!("sanqu replay: {}", replay.field.name), Some(size))?;
    let quality = if adapter.software { Quality::PLAIN } else { Quality::FULL };
    let mut app = App::new();
    app.add_plugins(plugins)
        .insert_resource(CameraStart { preset: view.preset, size: size.as_vec2(), target: None, inset: view.inset(&replay, size) })
        .insert_resource(view.focus(&replay))
        .insert_resource(Panels(view.panels))
        .insert_resource(view.lang)
        .insert_resource(WaitForFrames(false))
        .insert_resource(quality)
        .insert_resource(playhead)
        .insert_resource(view.xray)
        .insert_resource(replay)
        .insert_resource(file)
        .add_plugins((
            ViewerPlugins,
            KeysPlugin,
            MousePlugin,
            ScrubPlugin,
            help::HelpPlugin,
            PickingPlugin,
            CompareKeysPlugin,
            RememberPlugin,
        ));
    Ok(app)
}

/// Runs until the window is closed.
pub(crate) fn run(mut app: App) -> Result<(), ReplayError> {
    match app.run() {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => Err(ReplayError::Render { reason: format!("the window ended with code {code}") }),
    }
}

/// `O`: the list of episodes again.
fn pick_again(keys: Res<'_, ButtonInput<KeyCode>>, again: Res<'_, PickAgain>, mut exit: MessageWriter<'_, AppExit>) {
    if keys.just_pressed(KeyCode::KeyO) {
        again.0.store(true, Ordering::Relaxed);
        exit.write(AppExit::Success);
    }
}
