//! How a replay is shown, apart from when: what the command line and the remembered settings say.

use bevy::math::UVec2;

use crate::bar::{BarLayout, Focus, bar_rows, thumbnails_px};
use crate::camera::{Inset, Preset};
use crate::cameras::{PanelLayout, shown_cameras};
use crate::compare::PANEL_PX;
use crate::lang::Lang;
use crate::replay::Replay;
use crate::xray::Xray;

/// Height of a picture at which sizes in the user interface are pixels.
const REFERENCE_HEIGHT_PX: f32 = 720.0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Where from.
    pub preset: Preset,
    /// Whether timeline and video panels are drawn.
    pub panels: bool,
    /// The language of words.
    pub lang: Lang,
    /// The joint that is looked into.
    pub xray: Xray,
}

impl Default for View {
    fn default() -> Self {
        Self { preset: Preset::default(), panels: true, lang: Lang::default(), xray: Xray::default() }
    }
}

impl View {
    /// The scene alone, from `preset`.
    pub fn plain(preset: Preset) -> Self {
        Self { preset, panels: false, ..Self::default() }
    }

    /// The robot whose streams have lanes of their own: the one that is looked at.
    pub fn focus(&self, replay: &Replay) -> Focus {
        match self.preset {
            Preset::Robot(number) => Focus(number.min(replay.robots.len().saturating_sub(1))),
            _ => Focus(0),
        }
    }

    /// What the panels cover of a picture of this `size`.
    pub fn inset(&self, replay: &Replay, size: UVec2) -> Inset {
        if !self.panels {
            return Inset::default();
        }
        let focus = self.focus(replay).0;
        let scale = size.as_vec2().y / REFERENCE_HEIGHT_PX;
        let bar = BarLayout::new(size, scale, bar_rows(replay, focus).len(), thumbnails_px(replay, focus));
        // An x-ray's figures take the place of the video.
        let cameras = if self.xray.joint.is_some() { 0 } else { shown_cameras(replay, focus).len() };
        let panels = PanelLayout::new(bar.picture, bar.height(), cameras);
        let compared = self.xray.joint.is_none() && replay.comparison.is_some();
        let left = if compared { PANEL_PX / bar.picture.x } else { 0.0 };
        Inset { left, right: panels.covered_px() / bar.picture.x, bottom: bar.height() / bar.picture.y }
    }
}
