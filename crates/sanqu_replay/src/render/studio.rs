//! A bevy app without a window that gives one picture a frame, on demand and repeatably.

use std::time::Duration;

use bevy::app::{App, PluginGroup, PluginsState};
use bevy::asset::{AssetPlugin, Assets};
use bevy::camera::RenderTarget;
use bevy::image::Image;
use bevy::log::LogPlugin;
use bevy::math::UVec2;
use bevy::prelude::DefaultPlugins;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::render_resource::{PipelineCache, TextureFormat, TextureUsages};
use bevy::render::settings::RenderCreation;
use bevy::render::{RenderApp, RenderPlugin};
use bevy::time::TimeUpdateStrategy;
use bevy::window::{ExitCondition, WindowPlugin};
use bevy::winit::WinitPlugin;

use super::adapter::settings;
use super::capture::{Pixels, Shutter, install};
use crate::ReplayError;
use crate::bar::Panels;
use crate::camera::CameraStart;
use crate::cameras::WaitForFrames;
use crate::replay::Replay;
use crate::scene::Quality;
use crate::timeline::Playhead;
use crate::view::View;
use crate::viewer::ViewerPlugins;

/// Frames until texts are laid out and labels stand where they belong.
const SETTLE_FRAMES: u32 = 3;
/// Frames after which shaders that have still not been compiled are an error.
const WARM_UP_FRAMES_MAX: u32 = 400;

/// What a picture is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StudioOptions {
    pub(super) size: UVec2,
    pub(super) quality: Quality,
    pub(super) view: View,
    pub(super) frame: Duration,
}

pub(super) struct Studio {
    app: App,
    shutter: Shutter,
}

impl Studio {
    /// Sets up the scene and draws until everything is on the GPU. The playhead stands still until it is told to play.
    pub(super) fn open(replay: Replay, playhead: Playhead, options: StudioOptions) -> Result<Self, ReplayError> {
        let mut app = App::new();
        app.add_plugins(headless_plugins());
        while app.plugins_state() == PluginsState::Adding {
            bevy::tasks::tick_global_task_pools_on_main_thread();
        }
        let mut target = Image::new_target_texture(options.size.x, options.size.y, TextureFormat::Rgba8UnormSrgb, None);
        target.texture_descriptor.usage |= TextureUsages::COPY_SRC;
        let image = app.world_mut().resource_mut::<Assets<Image>>().add(target);
        let target = Some(RenderTarget::Image(image.clone().into()));
        app.insert_resource(TimeUpdateStrategy::ManualDuration(options.frame))
            .insert_resource(CameraStart {
                preset: options.view.preset,
                size: options.size.as_vec2(),
                target,
                inset: options.view.inset(&replay, options.size),
            })
            .insert_resource(options.view.focus(&replay))
            .insert_resource(Panels(options.view.panels))
            .insert_resource(options.view.lang)
            .insert_resource(WaitForFrames(true))
            .insert_resource(options.quality)
            .insert_resource(Playhead { playing: false, ..playhead })
            .insert_resource(options.view.xray)
            .insert_resource(replay)
            .add_plugins(ViewerPlugins);
        app.finish();
        app.cleanup();
        let Some(render_app) = app.get_sub_app_mut(RenderApp) else {
            return Err(ReplayError::Render { reason: "it did not start".to_owned() });
        };
        let shutter = install(render_app, image, options.size);
        let mut studio = Self { app, shutter };
        studio.warm_up()?;
        Ok(studio)
    }

    fn warm_up(&mut self) -> Result<(), ReplayError> {
        let mut settled = 0;
        for _ in 0..WARM_UP_FRAMES_MAX {
            self.app.update();
            let waiting = self.app.sub_app(RenderApp).world().resource::<PipelineCache>().waiting_pipelines().count();
            settled = if waiting == 0 { settled + 1 } else { 0 };
            if settled >= SETTLE_FRAMES {
                return Ok(());
            }
        }
        Err(ReplayError::Render { reason: format!("shaders were not ready after {WARM_UP_FRAMES_MAX} frames") })
    }

    /// Lets time pass from the next picture on, or not.
    pub(super) fn play(&mut self, playing: bool) {
        self.app.world_mut().resource_mut::<Playhead>().playing = playing;
    }

    /// Draws the next frame. While playing, time passes by one frame before it.
    pub(super) fn picture(&mut self) -> Result<Pixels, ReplayError> {
        self.shutter.press();
        self.app.update();
        match self.shutter.take() {
            Some(picture) => picture.map_err(|reason| ReplayError::Render { reason }),
            None => Err(ReplayError::Render { reason: "the frame was not drawn".to_owned() }),
        }
    }
}

/// Bevy without window, log set-up and the second render thread, which would deliver each picture a frame late.
fn headless_plugins() -> impl PluginGroup {
    DefaultPlugins
        .set(WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..Default::default() })
        .set(RenderPlugin {
            render_creation: RenderCreation::Automatic(Box::new(settings())),
            synchronous_pipeline_compilation: true,
            ..Default::default()
        })
        .set(AssetPlugin { watch_for_changes_override: Some(false), ..Default::default() })
        .disable::<WinitPlugin>()
        .disable::<LogPlugin>()
        .disable::<PipelinedRenderingPlugin>()
}
