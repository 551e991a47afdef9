//! How a replay is shown, apart from when: what the command line and the remembered settings say.

use bevy::math::UVec2;

use crate::bar::{BarLayout, Focus, bar_rows};
use crate::camera::{Inset, Preset};
use crate::lang::Lang;
use crate::replay::Replay;
use crate::xray::Xray;

/// Height of a picture at which sizes in the user interface are pixels.
const REFERENCE_HEIGHT_PX: u32 = 720;

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

    /// What the panels cover of a picture.
    pub(crate) fn inset(&self, replay: &Replay) -> Inset {
        if !self.panels {
            return Inset::default();
        }
        let rows = bar_rows(replay, self.focus(replay).0).len();
        let layout = BarLayout::new(UVec2::splat(REFERENCE_HEIGHT_PX), 1.0, rows, 0.0);
        Inset { right: 0.0, bottom: layout.height() / layout.picture.y }
    }
}
