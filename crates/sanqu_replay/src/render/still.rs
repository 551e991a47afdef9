use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use bevy::math::UVec2;

use super::capture::PIXEL_BYTES;
use crate::ReplayError;

/// Writes a picture (rows from the top, 4 bytes a pixel: sRGB, opacity is dropped) as PNG.
///
/// # Errors
/// [`ReplayError::Io`], [`ReplayError::Png`].
pub fn write_png(path: &Path, size: UVec2, pixels: &[u8]) -> Result<(), ReplayError> {
    let named = |source| ReplayError::Io { path: path.to_path_buf(), source };
    let bad = |source| ReplayError::Png { path: path.to_path_buf(), source };
    let file = File::create(path).map_err(named)?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), size.x, size.y);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    let rgb: Vec<u8> = pixels.chunks_exact(PIXEL_BYTES).flat_map(|pixel| &pixel[..3]).copied().collect();
    let mut writer = encoder.write_header().map_err(bad)?;
    writer.write_image_data(&rgb).map_err(bad)?;
    writer.finish().map_err(bad)
}
