//! The floor's tiles as a picture with its smaller copies, so that far tiles do not flicker.

use bevy::asset::RenderAssetUsages;
use bevy::image::{Image, ImageAddressMode, ImageFilterMode, ImageSampler, ImageSamplerDescriptor};
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};

/// Edge of a tile, m.
pub(super) const TILE_M: f32 = 1.2;
/// Edge of its picture, pixels; a power of two.
const EDGE_PX: u32 = 256;
/// Half the width of the seam between tiles, pixels.
const SEAM_PX: u32 = 2;
/// Brightness of tile and seam.
const TILE: u8 = 250;
const SEAM: u8 = 205;
/// How much the brightness of a tile's grain varies.
const GRAIN: u32 = 7;

/// A picture that brightens or darkens a floor's colour.
pub(super) fn tile() -> Image {
    let mut level: Vec<u8> = (0..EDGE_PX * EDGE_PX).map(|place| brightness(place % EDGE_PX, place / EDGE_PX)).collect();
    let (mut edge, mut levels, mut bytes) = (EDGE_PX, 0, Vec::new());
    loop {
        bytes.extend(level.iter().flat_map(|value| [*value, *value, *value, u8::MAX]));
        levels += 1;
        if edge == 1 {
            break;
        }
        level = half(&level, edge);
        edge /= 2;
    }
    let size = Extent3d { width: EDGE_PX, height: EDGE_PX, depth_or_array_layers: 1 };
    let mut image = Image::new_uninit(size, TextureDimension::D2, TextureFormat::Rgba8UnormSrgb, RenderAssetUsages::RENDER_WORLD);
    image.texture_descriptor.mip_level_count = levels;
    image.data = Some(bytes);
    image.sampler = ImageSampler::Descriptor(ImageSamplerDescriptor {
        address_mode_u: ImageAddressMode::Repeat,
        address_mode_v: ImageAddressMode::Repeat,
        mag_filter: ImageFilterMode::Linear,
        min_filter: ImageFilterMode::Linear,
        mipmap_filter: ImageFilterMode::Linear,
        anisotropy_clamp: 4,
        ..Default::default()
    });
    image
}

fn brightness(x: u32, y: u32) -> u8 {
    let edge = [x, y, EDGE_PX - 1 - x, EDGE_PX - 1 - y].into_iter().min().unwrap_or(0);
    // A fixed scatter of numbers: grain without a generator.
    let scatter = (x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77)).wrapping_mul(0xC2B2_AE3D) >> 16;
    let grain = u8::try_from(scatter % GRAIN).unwrap_or(0);
    if edge < SEAM_PX { SEAM } else { TILE - grain }
}

/// The picture at half its edge: each pixel the mean of four.
fn half(level: &[u8], edge: u32) -> Vec<u8> {
    let at = |x: u32, y: u32| u16::from(level[(y * edge + x) as usize]);
    let mean = |x: u32, y: u32| (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4;
    (0..edge / 2)
        .flat_map(|y| (0..edge / 2).map(move |x| (x * 2, y * 2)))
        .map(|(x, y)| u8::try_from(mean(x, y)).unwrap_or(u8::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_all_its_smaller_copies_and_keeps_its_brightness() {
        let image = tile();
        let bytes = image.data.unwrap();
        let pixels: u32 = (0..=8).map(|level| (EDGE_PX >> level) * (EDGE_PX >> level)).sum();
        assert_eq!((image.texture_descriptor.mip_level_count, bytes.len()), (9, pixels as usize * 4));
        let first: Vec<u8> = bytes.iter().copied().step_by(4).take((EDGE_PX * EDGE_PX) as usize).collect();
        let mean = first.iter().map(|value| f64::from(*value)).sum::<f64>() / first.len() as f64;
        let last = f64::from(bytes[bytes.len() - 4]);
        assert!(first[0] == SEAM && (mean - last).abs() < 8.0, "{mean} {last}");
    }
}
