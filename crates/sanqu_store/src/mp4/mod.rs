//! MP4 files of video: pictures exactly as the encoder made them, each with its own time.
//!
//! [`Mp4Writer`] makes one file with one H.264 track (`avc1`); [`Mp4Reader`] reads such files, and those of other programs
//! with one H.264, H.265 or AV1 track in presentation order. Neither decodes a picture.

mod boxes;
mod index;
mod reader;
mod tables;
mod writer;

pub use reader::{MOOV_BYTES_MAX, Mp4Reader};
pub use tables::{Mp4Sample, SAMPLE_BYTES_MAX, SAMPLES_MAX, VideoCodec};
pub use writer::{Mp4Writer, Placed};

#[cfg(test)]
mod tests;
