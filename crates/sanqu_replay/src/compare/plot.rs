//! The curve of a difference over the whole timeline.

use bevy::asset::RenderAssetUsages;
use bevy::image::Image;
use bevy::prelude::{Assets, Component, ImageNode, Local, Node, Query, ResMut, Text, Val, With, Without};
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};

use super::panel::Told;
use super::table::CURVE_POINTS;
use crate::timeline::seconds;

/// Height of the picture, pixels; its width is a pixel a point.
const HEIGHT: usize = 96;
/// Half the thickness of the curve, pixels.
const HALF: f32 = 1.2;

pub(super) const CURVE_RGB: [u8; 3] = [240, 228, 66];
const GROUND_RGB: [u8; 3] = [18, 22, 27];
const UNKNOWN_RGB: [u8; 3] = [86, 88, 91];
const ZERO_RGB: [u8; 3] = [110, 118, 126];

/// The curve's picture.
#[derive(Component)]
pub(super) struct Plot;

/// Where the playhead is on it.
#[derive(Component)]
pub(super) struct Cursor;

/// What the curve is of.
#[derive(Component)]
pub(super) struct Caption;

/// An empty picture.
pub(super) fn blank() -> Image {
    picture(paint(&[]))
}

fn picture(rgba: Vec<u8>) -> Image {
    let size = |edge: usize| u32::try_from(edge).unwrap_or(u32::MAX);
    let extent = Extent3d { width: size(CURVE_POINTS), height: size(HEIGHT), depth_or_array_layers: 1 };
    Image::new(extent, TextureDimension::D2, rgba, TextureFormat::Rgba8UnormSrgb, RenderAssetUsages::default())
}

type Cursors<'w, 's> = Query<'w, 's, &'static mut Node, With<Cursor>>;

/// Paints the curve when it has changed, and moves the cursor.
pub(super) fn draw(
    told: Told<'_>,
    mut images: ResMut<'_, Assets<Image>>,
    plots: Query<'_, '_, &ImageNode, (With<Plot>, Without<Cursor>)>,
    mut cursors: Cursors<'_, '_>,
    mut captions: Query<'_, '_, &mut Text, With<Caption>>,
    mut painted: Local<'_, Vec<Option<[f32; 2]>>>,
) {
    let (Some(about), false) = (told.about(), plots.is_empty()) else { return };
    let caption = about.caption();
    for mut text in &mut captions {
        if text.0 != caption {
            text.0.clone_from(&caption);
        }
    }
    let head = &told.playhead;
    let share = seconds(head.t_ns - head.start_ns) / head.length_secs().max(1e-9);
    for mut node in &mut cursors {
        node.left = Val::Percent(crate::frame::narrow(share * 100.0));
    }
    let curve = about.chosen().map(|joint| about.walk.table().joints[joint].curve()).unwrap_or_default();
    if curve == painted.as_slice() {
        return;
    }
    painted.clear();
    painted.extend_from_slice(curve);
    for plot in &plots {
        if let Some(mut image) = images.get_mut(&plot.image) {
            image.data = Some(paint(curve));
        }
    }
}

/// The curve from its least to its greatest value, with zero always in the picture; grey where nothing is known.
#[expect(clippy::cast_precision_loss, reason = "pixels of a small picture")]
fn paint(curve: &[Option<[f32; 2]>]) -> Vec<u8> {
    let rgba = |[r, g, b]: [u8; 3]| [r, g, b, 255];
    let (low, high) = curve.iter().flatten().fold((0.0_f32, 0.0_f32), |(low, high), range| (low.min(range[0]), high.max(range[1])));
    let margin = ((high - low) * 0.06).max(1e-9);
    let scale = (HEIGHT as f32 - 1.0) / (high - low + 2.0 * margin);
    let y_of = |value: f32| (high + margin - value) * scale;
    let zero = y_of(0.0);
    let mut pixels = Vec::with_capacity(CURVE_POINTS * HEIGHT * 4);
    for y in 0..HEIGHT {
        for x in 0..CURVE_POINTS {
            let y = y as f32;
            let colour = match curve.get(x).copied().flatten() {
                None => UNKNOWN_RGB,
                Some([low, high]) if y >= y_of(high) - HALF && y <= y_of(low) + HALF => CURVE_RGB,
                Some(_) if (y - zero).abs() <= 0.5 => ZERO_RGB,
                Some(_) => GROUND_RGB,
            };
            pixels.extend(rgba(colour));
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(pixels: &[u8], x: usize) -> Vec<[u8; 3]> {
        (0..HEIGHT).map(|y| (y * CURVE_POINTS + x) * 4).map(|at| [pixels[at], pixels[at + 1], pixels[at + 2]]).collect()
    }

    #[test]
    fn a_curve_is_drawn_where_it_is_known_and_grey_elsewhere() {
        let mut curve = vec![Some([0.0, 0.0]); CURVE_POINTS];
        curve[10] = Some([-1.0, 1.0]);
        curve[20] = None;
        let pixels = paint(&curve);
        let drawn = |x: usize| column(&pixels, x).iter().filter(|rgb| **rgb == CURVE_RGB).count();
        assert!(drawn(10) > HEIGHT * 8 / 10 && (1..=4).contains(&drawn(11)), "{} {}", drawn(10), drawn(11));
        assert!(column(&pixels, 20).iter().all(|rgb| *rgb == UNKNOWN_RGB));
        assert!(column(&pixels, 30)[HEIGHT / 2 - 2..HEIGHT / 2 + 3].contains(&CURVE_RGB), "zero is in the middle");
    }
}
