//! Pictures of one camera by row: from the last keyframe on, or one JPEG or PNG.

use std::sync::Arc;

use bevy::math::UVec2;
use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;
use sanqu_model::{StreamEntry, VIDEO_DATA};
use sanqu_store::Episode;
use sanqu_store::mp4::Mp4Reader;
use sanqu_wire::ENCODING_PNG;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::av1::Av1;
use super::picture::EDGE_MAX;
use super::units::{Rows, Units, bytes_of};
use super::walk::{Decode, Pixels, Walk};
use super::{FrameSource, LiveEncoding, LiveFilm, Picture};

/// Reads and decodes the pictures of one camera.
pub(super) enum Film {
    H264(Box<Walk<H264>>),
    Av1(Box<Walk<Av1>>),
    Stills(Box<(Episode, StreamEntry)>),
    Live(Arc<LiveFilm>, Box<Option<Walk<H264>>>),
}

/// An H.264 decoder.
pub(super) struct H264(Decoder);

impl Film {
    /// Opens the pictures.
    ///
    /// # Errors
    /// In words for the picture's place.
    pub(super) fn open(source: &FrameSource) -> Result<Self, String> {
        match source {
            FrameSource::Film(path) => {
                let reader = Mp4Reader::open(path).map_err(|error| error.to_string())?;
                Ok(Self::H264(Box::new(Walk::of(Units::File(Box::new(reader)))?)))
            }
            FrameSource::Av1(stream) => {
                let rows = Rows::open(&stream.0, &stream.1)?;
                Ok(Self::Av1(Box::new(Walk::of(Units::Rows(Box::new(rows)))?)))
            }
            FrameSource::Stills(stream) => Ok(Self::Stills(stream.clone())),
            FrameSource::Live(film) => Ok(Self::Live(Arc::clone(film), Box::default())),
            FrameSource::Unreadable(reason) => Err(reason.clone()),
        }
    }

    /// The picture of a row.
    ///
    /// # Errors
    /// In words for the picture's place: files that cannot be read, pictures that cannot be decoded.
    pub(super) fn picture(&mut self, row: usize) -> Result<Picture, String> {
        match self {
            Self::H264(film) => film.picture(row),
            Self::Av1(film) => film.picture(row),
            Self::Stills(stream) => still(&stream.0, &stream.1, row),
            Self::Live(film, decoder) => live(film, decoder, row),
        }
    }
}

impl Decode for H264 {
    fn new() -> Result<Self, String> {
        Decoder::new().map(Self).map_err(|error| format!("H.264 decoder: {error}"))
    }

    fn decode(&mut self, unit: Vec<u8>, shown: bool) -> Result<Option<Pixels>, String> {
        let Some(decoded) = self.0.decode(&unit).map_err(|error| error.to_string())?.filter(|_| shown) else { return Ok(None) };
        let (width, height) = decoded.dimensions();
        let size = size_of(width, height)?;
        let mut rgba = vec![0; width * height * 4];
        decoded.write_rgba8(&mut rgba);
        Ok(Some((size, rgba)))
    }
}

/// A picture of a camera that is filming; the decoder is made when it is needed.
fn live(film: &Arc<LiveFilm>, decoder: &mut Option<Walk<H264>>, row: usize) -> Result<Picture, String> {
    let encoding = film.encoding().ok_or("no picture yet")?;
    if encoding == LiveEncoding::H264 {
        let decoder = match decoder {
            Some(decoder) => decoder,
            None => decoder.insert(Walk::of(Units::Live(Arc::clone(film)))?),
        };
        return decoder.picture(row);
    }
    let bytes = film.frame(row).ok_or("it is not held any more")?;
    pictured(row, if encoding == LiveEncoding::Png { png(&bytes) } else { jpeg(&bytes) })
}

fn still(episode: &Episode, stream: &StreamEntry, row: usize) -> Result<Picture, String> {
    let mut batches = episode.read_rows(stream, Some(&[VIDEO_DATA]), row..row + 1).map_err(|error| error.to_string())?;
    let batch = batches.next().ok_or_else(|| format!("no row {row}"))?.map_err(|error| error.to_string())?;
    let bytes = bytes_of(&batch)?.iter().next().flatten().ok_or_else(|| format!("no bytes in row {row}"))?;
    pictured(row, if stream.encoding == ENCODING_PNG { png(bytes) } else { jpeg(bytes) })
}

fn pictured(row: usize, decoded: Result<Pixels, String>) -> Result<Picture, String> {
    let (size, rgba) = decoded.map_err(|error| format!("frame {row}: {error}"))?;
    if rgba.len() != size.element_product() as usize * 4 {
        return Err(format!("frame {row}: {} bytes for {}x{} pixels", rgba.len(), size.x, size.y));
    }
    Ok(Picture { row, from_row: row, size, rgba })
}

fn jpeg(bytes: &[u8]) -> Result<Pixels, String> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGBA).set_max_width(EDGE_MAX).set_max_height(EDGE_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let rgba = decoder.decode().map_err(|error| format!("JPEG: {error}"))?;
    let (width, height) = decoder.dimensions().ok_or("a JPEG without size")?;
    Ok((size_of(width, height)?, rgba))
}

fn png(bytes: &[u8]) -> Result<Pixels, String> {
    let wrong = |error: png::DecodingError| format!("PNG: {error}");
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(wrong)?;
    let size = size_of(reader.info().width as usize, reader.info().height as usize)?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("PNG: too large")?];
    let info = reader.next_frame(&mut pixels).map_err(wrong)?;
    pixels.truncate(info.buffer_size());
    let rgba = match info.color_type {
        png::ColorType::Rgba => pixels,
        png::ColorType::GrayscaleAlpha => pixels.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]).collect(),
        other => return Err(format!("PNG: pixels came as {other:?}")),
    };
    Ok((size, rgba))
}

pub(super) fn size_of(width: usize, height: usize) -> Result<UVec2, String> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(x), Ok(y)) if (1..=EDGE_MAX).contains(&width) && (1..=EDGE_MAX).contains(&height) => Ok(UVec2::new(x, y)),
        _ => Err(format!("{width}x{height} pixels; at most {EDGE_MAX} a side are shown")),
    }
}
