//! The plugins that every way of showing a replay has in common.

use bevy::app::{PluginGroup, PluginGroupBuilder};

use crate::bar::BarPlugin;
use crate::body::BodyPlugin;
use crate::camera::CameraPlugin;
use crate::cameras::CamerasPlugin;
use crate::compare::{CompareLookPlugin, ComparePlugin};
use crate::hud::HudPlugin;
use crate::inspector::InspectorPlugin;
use crate::robots::RobotsPlugin;
use crate::scene::ScenePlugin;
use crate::timeline::TimelinePlugin;
use crate::xray::{XrayLookPlugin, XrayPlugin};

/// Timeline, robots, scene, camera, status line, bar, video, x-ray and comparison. Needs the resources [`crate::replay::Replay`],
/// [`crate::timeline::Playhead`], [`crate::scene::Quality`], [`crate::camera::CameraStart`], [`crate::bar::Focus`],
/// [`crate::bar::Panels`], [`crate::lang::Lang`] and [`crate::cameras::WaitForFrames`].
pub struct ViewerPlugins;

impl PluginGroup for ViewerPlugins {
    fn build(self) -> PluginGroupBuilder {
        PluginGroupBuilder::start::<Self>()
            .add(TimelinePlugin)
            .add(RobotsPlugin)
            .add(BodyPlugin)
            .add(ScenePlugin)
            .add(CameraPlugin)
            .add(HudPlugin)
            .add(BarPlugin)
            .add(CamerasPlugin)
            .add(XrayPlugin)
            .add(XrayLookPlugin)
            .add(InspectorPlugin)
            .add(ComparePlugin)
            .add(CompareLookPlugin)
    }
}
