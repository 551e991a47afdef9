//! The pictures of one camera and episode: which samples of an mp4 they are, and when they were taken.

use std::ops::Range;
use std::path::{Path, PathBuf};

use sanqu_store::mp4::{Mp4Reader, VideoCodec};
use sanqu_wire::{ENCODING_AV1, ENCODING_H264, ENCODING_H265};

use super::data::{GRID_TOLERANCE_S, grid_ns, to_ns};
use super::episodes::VideoPlace;
use crate::DatasetError;
use crate::outside::sha256;

/// An opened mp4.
#[derive(Debug)]
pub(super) struct Film {
    /// The file.
    pub(super) path: PathBuf,
    /// SHA-256 of it.
    pub(super) sha256: String,
    /// Its index.
    pub(super) reader: Mp4Reader,
}

/// The samples of one episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Samples that are needed to decode the first picture and lie before it.
    pub(super) lead: Range<usize>,
    /// The episode's pictures.
    pub(super) frames: Range<usize>,
}

impl Film {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        Ok(Self { path: path.to_owned(), sha256: sha256(path)?, reader: Mp4Reader::open(path)? })
    }

    /// The payload encoding of its pictures.
    pub(super) fn encoding(&self) -> &'static str {
        match self.reader.codec() {
            VideoCodec::H264 => ENCODING_H264,
            VideoCodec::H265 => ENCODING_H265,
            VideoCodec::Av1 => ENCODING_AV1,
        }
    }

    /// Finds an episode's pictures: those whose time lies within its span, half a picture early allowed.
    ///
    /// # Errors
    /// Why there are none that can be shown.
    pub(super) fn cut(&self, place: VideoPlace, fps: f64) -> Result<Cut, String> {
        let VideoPlace { from_s, to_s, .. } = place;
        if !from_s.is_finite() || to_s.is_some_and(|to| !to.is_finite() || to <= from_s) {
            return Err(format!("its pictures are said to lie from {from_s} s to {to_s:?} s"));
        }
        let half_s = 0.5 / fps;
        let at = |seconds: f64| self.reader.samples().partition_point(|sample| self.seconds(sample.pts) < seconds - half_s);
        let frames = at(from_s)..to_s.map_or(self.reader.len(), at);
        if frames.is_empty() {
            let end_s = self.reader.samples().last().map_or(0.0, |last| self.seconds(last.pts));
            return Err(format!("no picture from {from_s} s on: its last is at {end_s:.3} s"));
        }
        // Decoding begins at the last key frame that is not after the first picture, as in datasets that are exported.
        let first = self.reader.keyframe_before(frames.start);
        let first = first.ok_or_else(|| format!("no key frame at or before frame {}: it cannot be decoded", frames.start))?;
        Ok(Cut { lead: first..frames.start, frames })
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks of one film are far fewer than 2^53")]
    fn seconds(&self, pts: i64) -> f64 {
        pts as f64 / f64::from(self.reader.timescale())
    }

    /// When picture `index` was taken, ns, and whether it is the picture of a row.
    ///
    /// * `t_ns`: the rows' times.
    pub(super) fn time(&self, index: usize, cut: &Cut, place: VideoPlace, (t_ns, fps): (&[i64], f64)) -> (i64, bool) {
        let start_ns = t_ns.first().copied().unwrap_or_default();
        if index < cut.frames.start {
            return (start_ns.saturating_sub(grid_ns((cut.frames.start - index) as u64, fps)), true);
        }
        let since_s = self.reader.samples().get(index).map_or(0.0, |sample| self.seconds(sample.pts)) - place.from_s;
        let row = nearest(since_s * fps);
        let off_ns = (to_ns(since_s) - grid_ns(row as u64, fps)).abs();
        match t_ns.get(row) {
            Some(t_ns) if off_ns <= to_ns(GRID_TOLERANCE_S) => (*t_ns, true),
            // Times in whole milliseconds still say which row is meant.
            row => (start_ns.saturating_add(to_ns(since_s)), row.is_some() && off_ns <= grid_ns(1, fps) / 4),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float saturates")]
fn nearest(row: f64) -> usize {
    row.round().max(0.0) as usize
}
