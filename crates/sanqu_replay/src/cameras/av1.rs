//! AV1: temporal units to pictures.

#[cfg(test)]
mod tests;

use bevy::math::UVec2;
use rav1d::{BitsPerComponent, Decoder, PixelLayout, PlanarImageComponent, Settings, pixel};

use super::film::size_of;
use super::walk::{Decode, Pixels};

/// Largest picture that is decoded, pixels; the decoder refuses what is larger.
const PIXELS_MAX: u32 = 8192 * 8192;

/// Height from which colours that nobody describes are taken for those of high definition.
const HD_HEIGHT_PX: u32 = 720;

/// An AV1 decoder.
pub(super) struct Av1(Decoder);

impl Decode for Av1 {
    /// One thread, no delay: a unit in, its picture out.
    fn new() -> Result<Self, String> {
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_frame_size_limit(PIXELS_MAX);
        Decoder::with_settings(&settings).map(Self).map_err(|error| format!("AV1 decoder: {error}"))
    }

    fn decode(&mut self, unit: Vec<u8>, shown: bool) -> Result<Option<Pixels>, String> {
        let decoded = decode(&mut self.0, unit).map_err(|error| format!("AV1: {error}"))?;
        decoded.filter(|_| shown).map(|picture| Ok(Planes::of(&picture)?.rgba())).transpose()
    }
}

/// The picture of a temporal unit, which is the last that the decoder gives for it (layers of a scalable film come one
/// after the other).
fn decode(decoder: &mut Decoder, unit: Vec<u8>) -> Result<Option<rav1d::Picture>, rav1d::Error> {
    let mut sent = decoder.send_data(unit, None, None, None);
    let mut picture = None;
    loop {
        match decoder.get_picture() {
            Ok(next) => picture = Some(next),
            Err(error) if error.is_again() => match sent {
                Ok(()) => return Ok(picture),
                Err(error) if error.is_again() => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
        if sent.is_err() {
            sent = decoder.send_pending_data();
        }
    }
}

/// The planes of a decoded picture, and what their numbers mean.
struct Planes {
    size: UVec2,
    luma: rav1d::Plane,
    luma_stride: usize,
    /// Cb and Cr; none for grey pictures.
    chroma: Option<[rav1d::Plane; 2]>,
    chroma_stride: usize,
    /// How far coordinates are shifted to get those of Cb and Cr.
    chroma_shift: (u32, u32),
    bits: usize,
    full_range: bool,
    /// Weights of red and blue in luma; none where the planes are G, B, R themselves.
    weights: Option<(f32, f32)>,
}

impl Planes {
    fn of(picture: &rav1d::Picture) -> Result<Self, String> {
        let size = size_of(picture.width() as usize, picture.height() as usize)?;
        let BitsPerComponent(bits) = picture.bits_per_component().ok_or("AV1: a number of bits that is not 8, 10 or 12")?;
        let chroma_shift = match picture.pixel_layout() {
            PixelLayout::I420 => (1, 1),
            PixelLayout::I422 => (1, 0),
            PixelLayout::I400 | PixelLayout::I444 => (0, 0),
        };
        let colour = picture.pixel_layout() != PixelLayout::I400;
        Ok(Self {
            size,
            luma: picture.plane(PlanarImageComponent::Y),
            luma_stride: picture.stride(PlanarImageComponent::Y) as usize,
            chroma: colour.then(|| [picture.plane(PlanarImageComponent::U), picture.plane(PlanarImageComponent::V)]),
            chroma_stride: picture.stride(PlanarImageComponent::U) as usize,
            chroma_shift,
            bits,
            full_range: picture.color_range() == pixel::YUVRange::Full,
            weights: weights(picture.matrix_coefficients(), size)?,
        })
    }

    /// One number of a plane, 8 bits scaled.
    fn at(&self, plane: &[u8], stride: usize, x: u32, y: u32) -> f32 {
        let (x, y) = (x as usize, y as usize);
        let value = if self.bits == 8 {
            plane.get(y * stride + x).copied().map(f32::from)
        } else {
            let begin = y * stride + 2 * x;
            plane.get(begin..begin + 2).and_then(|bytes| bytes.try_into().ok()).map(|bytes| f32::from(u16::from_ne_bytes(bytes)))
        };
        // The planes are as large as the picture's size says; the decoder has made them.
        value.unwrap_or_default()
            / if self.bits == 12 {
                16.0
            } else if self.bits == 10 {
                4.0
            } else {
                1.0
            }
    }

    /// ITU-T H.273, 8.3: what the planes say, as red, green and blue.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float to integer saturates, which is what colours shall do"
    )]
    fn rgba(&self) -> (UVec2, Vec<u8>) {
        let (offset, luma_range, chroma_range) = if self.full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
        let mut rgba = Vec::with_capacity(self.size.element_product() as usize * 4);
        for y in 0..self.size.y {
            for x in 0..self.size.x {
                let luma = (self.at(&self.luma, self.luma_stride, x, y) - offset) / luma_range;
                let (chroma_x, chroma_y) = (x >> self.chroma_shift.0, y >> self.chroma_shift.1);
                let chroma = self
                    .chroma
                    .as_ref()
                    .map(|planes| planes.each_ref().map(|plane| self.at(plane, self.chroma_stride, chroma_x, chroma_y)));
                let rgb = match (chroma, self.weights) {
                    (None, _) => [luma; 3],
                    (Some([blue, red]), None) => [(red - offset) / luma_range, luma, (blue - offset) / luma_range],
                    (Some(chroma), Some((red_weight, blue_weight))) => {
                        let [cb, cr] = chroma.map(|value| (value - 128.0) / chroma_range);
                        let (red, blue) = (luma + 2.0 * (1.0 - red_weight) * cr, luma + 2.0 * (1.0 - blue_weight) * cb);
                        [red, (luma - red_weight * red - blue_weight * blue) / (1.0 - red_weight - blue_weight), blue]
                    }
                };
                rgba.extend(rgb.map(|value| (value * 255.0).round() as u8));
                rgba.push(u8::MAX);
            }
        }
        (self.size, rgba)
    }
}

/// Weights of red and blue in luma (ITU-T H.273, table 4); none where the planes are green, blue and red themselves. What
/// nobody says is taken as players do: by the picture's height.
fn weights(matrix: pixel::MatrixCoefficients, size: UVec2) -> Result<Option<(f32, f32)>, String> {
    use pixel::MatrixCoefficients as M;
    let (bt601, bt709) = ((0.299, 0.114), (0.2126, 0.0722));
    Ok(Some(match matrix {
        M::Identity => return Ok(None),
        M::BT709 => bt709,
        M::Unspecified | M::Reserved => {
            if size.y >= HD_HEIGHT_PX {
                bt709
            } else {
                bt601
            }
        }
        M::BT470BG | M::ST170M => bt601,
        M::BT470M => (0.30, 0.11),
        M::ST240M => (0.212, 0.087),
        M::BT2020NonConstantLuminance => (0.2627, 0.0593),
        other => return Err(format!("AV1: the colour matrix {other:?} is not shown")),
    }))
}
