use bevy::asset::RenderAssetUsages;
use bevy::image::Image;
use bevy::math::UVec2;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};

/// Largest edge of a picture that is shown, pixels.
pub(super) const EDGE_MAX: usize = 8192;

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its row in the stream.
    pub row: usize,
    /// The row of the picture that its decoding began at; itself when it stands alone.
    pub from_row: usize,
    /// Width and height, pixels.
    pub size: UVec2,
    /// Rows from the top, 4 bytes a pixel: sRGB and opacity.
    pub rgba: Vec<u8>,
}

impl Picture {
    /// As a texture.
    pub(super) fn image(&self) -> Image {
        let extent = Extent3d { width: self.size.x, height: self.size.y, depth_or_array_layers: 1 };
        let format = TextureFormat::Rgba8UnormSrgb;
        Image::new(extent, TextureDimension::D2, self.rgba.clone(), format, RenderAssetUsages::RENDER_WORLD)
    }

    /// The same picture, at most `width` by `height` pixels: each pixel the mean of those it stands for.
    pub(crate) fn shrunk(&self, width: u32, height: u32) -> Self {
        let size = UVec2::new(width.clamp(1, self.size.x.max(1)), height.clamp(1, self.size.y.max(1)));
        let mut rgba = Vec::with_capacity(size.element_product() as usize * 4);
        for y in 0..size.y {
            for x in 0..size.x {
                let (x_from, x_to) = (x * self.size.x / size.x, ((x + 1) * self.size.x / size.x).max(x * self.size.x / size.x + 1));
                let (y_from, y_to) = (y * self.size.y / size.y, ((y + 1) * self.size.y / size.y).max(y * self.size.y / size.y + 1));
                let mut sums = [0_u32; 4];
                for row in y_from..y_to {
                    for column in x_from..x_to {
                        let at = (row * self.size.x + column) as usize * 4;
                        sums.iter_mut().zip(self.rgba.get(at..at + 4).unwrap_or(&[0; 4])).for_each(|(sum, byte)| *sum += u32::from(*byte));
                    }
                }
                let count = (x_to - x_from) * (y_to - y_from);
                rgba.extend(sums.map(|sum| u8::try_from(sum / count).unwrap_or(u8::MAX)));
            }
        }
        Self { size, rgba, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shrunk_pixel_is_the_mean_of_those_it_stands_for() {
        let rgba = [0_u8, 10, 20, 40].iter().flat_map(|grey| [*grey, *grey, *grey, 255]).collect();
        let picture = Picture { row: 3, from_row: 0, size: UVec2::new(4, 1), rgba };
        let small = picture.shrunk(2, 9);
        assert_eq!((small.size, small.rgba), (UVec2::new(2, 1), vec![5, 5, 5, 255, 30, 30, 30, 255]));
        assert_eq!(picture.shrunk(9, 9), picture, "it never grows");
    }
}
