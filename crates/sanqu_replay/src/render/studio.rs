//! A bevy app without a window that gives one picture a frame, on demand and repeatably.

use std::time::Duration;

use bevy::app::{App, PluginGroup, PluginsState, Startup};
use bevy::asset::{AssetPlugin, Assets};
use bevy::camera::RenderTarget;
use bevy::image::Image;
use bevy::log::LogPlugin;
use bevy::math::UVec2;
use bevy::prelude::{
    BackgroundColor, Color, Commands, Component, DefaultPlugins, IntoScheduleConfigs, Node, PositionType, Res, Text, TextColor, TextFont,
    UiRect, Val, With,
};
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::render_resource::{PipelineCache, TextureFormat, TextureUsages};
use bevy::render::settings::RenderCreation;
use bevy::render::{RenderApp, RenderPlugin};
use bevy::text::FontSize;
use bevy::time::TimeUpdateStrategy;
use bevy::window::{ExitCondition, WindowPlugin};
use bevy::winit::WinitPlugin;

use super::adapter::settings;
use super::capture::{Pixels, Shutter, install};
use crate::ReplayError;
use crate::bar::Panels;
use crate::camera::CameraStart;
use crate::cameras::{Library, Picture, WaitForFrames};
use crate::replay::Replay;
use crate::scene::{Quality, ReplayFont, load_font};
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
    /// Whether the time stands in large figures in the picture.
    pub(super) caption: bool,
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
        if options.caption {
            app.add_systems(Startup, write_caption.after(load_font));
        }
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

    /// Goes to an instant and writes it into the picture, if there is a caption.
    pub(super) fn show(&mut self, t_ns: i64) {
        let mut playhead = self.app.world_mut().resource_mut::<Playhead>();
        playhead.seek_ns(t_ns);
        let text = format!("{:.2} s", playhead.seconds());
        let world = self.app.world_mut();
        for mut caption in world.query_filtered::<&mut Text, With<Caption>>().iter_mut(world) {
            caption.0.clone_from(&text);
        }
    }

    /// The frame of a camera at an instant, and whether it is of that instant; none before the first, and where there is none to see.
    pub(super) fn frame(&self, camera: usize, t_ns: i64) -> Option<(Picture, bool)> {
        let world = self.app.world();
        let replay = world.resource::<Replay>();
        let record = replay.cameras.get(camera)?;
        let lane = &replay.lanes[record.lane];
        let shot = world.get_resource::<Library>()?.wait(camera, record.picture(lane.instants.row_at(t_ns)?))?;
        let live = !lane.in_gap(t_ns) && lane.age_ns(t_ns).is_some_and(|age| age <= lane.stale_age_ns());
        shot.as_ref().as_ref().ok().map(|picture| (picture.clone(), live))
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

/// The time in large figures.
#[derive(Component)]
struct Caption;

/// Height of its figures in a picture of a height of 720, pixels.
const CAPTION_PX: f32 = 46.0;

fn write_caption(mut commands: Commands<'_, '_>, font: Res<'_, ReplayFont>) {
    let place = Node {
        position_type: PositionType::Absolute,
        right: Val::Px(16.0),
        bottom: Val::Px(10.0),
        padding: UiRect::axes(Val::Px(12.0), Val::Px(2.0)),
        ..Default::default()
    };
    let font = TextFont { font: font.0.clone().into(), font_size: FontSize::Px(CAPTION_PX), ..Default::default() };
    commands.spawn((Caption, place, BackgroundColor(Color::srgba(0.06, 0.08, 0.10, 0.8)), Text::default(), font, TextColor(Color::WHITE)));
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
