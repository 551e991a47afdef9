use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sanqu_wire::{av1, h264, h265};

use super::boxes;
use super::tables::{Coding, Mp4Sample, VideoCodec, VideoTrack, video_track};
use crate::StoreError;
use crate::error::IoContext as _;

/// The largest index (`moov` box) that is read.
pub const MOOV_BYTES_MAX: u64 = 256 << 20;

const NS_PER_S: i128 = 1_000_000_000;

/// Reads the video track of an MP4 file, picture by picture.
///
/// The index is read and checked once, in [`Mp4Reader::open`]; pictures are read when asked for.
#[derive(Debug)]
pub struct Mp4Reader {
    path: PathBuf,
    file: File,
    track: VideoTrack,
}

impl Mp4Reader {
    /// Opens a file and reads its index, wherever in the file it stands.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::Damaged`] saying what is wrong: no MP4, no index (the writer was killed), a length
    /// that leads outside, tables that contradict each other, other codecs, B-frames, fragments, several tracks.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).at("open", path)?;
        let file_bytes = file.metadata().at("read", path)?.len();
        let moov = find_moov(&file, file_bytes, path)?;
        let track = video_track(&moov, file_bytes).map_err(|reason| StoreError::damaged(path, reason))?;
        Ok(Self { path: path.to_path_buf(), file, track })
    }

    /// Number of pictures; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a file without pictures is not opened")]
    pub fn len(&self) -> usize {
        self.track.samples.len()
    }

    /// Width and height, pixels.
    pub fn size(&self) -> [u32; 2] {
        [self.track.width.into(), self.track.height.into()]
    }

    /// What the pictures are coded in.
    pub fn codec(&self) -> VideoCodec {
        self.track.coding.codec
    }

    /// Ticks a second of [`Mp4Sample::pts`].
    pub fn timescale(&self) -> u32 {
        self.track.timescale
    }

    /// Pictures a second on average, each counted with its own duration.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people and rough comparison")]
    pub fn frame_rate(&self) -> f64 {
        self.len() as f64 * f64::from(self.track.timescale) / (self.track.duration.max(1) as f64)
    }

    /// All pictures, in order.
    pub fn samples(&self) -> &[Mp4Sample] {
        &self.track.samples
    }

    /// Presentation time of picture `index`, ns, rounded to the nearest; none beyond the end.
    pub fn pts_ns(&self, index: usize) -> Option<i64> {
        let timescale = i128::from(self.track.timescale);
        let scaled = i128::from(self.track.samples.get(index)?.pts) * NS_PER_S;
        i64::try_from((scaled * 2 + timescale).div_euclid(timescale * 2)).ok()
    }

    /// Whether decoding can begin at picture `index`; false beyond the end.
    pub fn is_keyframe(&self, index: usize) -> bool {
        self.track.samples.get(index).is_some_and(|sample| sample.keyframe)
    }

    /// The last keyframe at or before picture `index`: where decoding must begin to show it.
    pub fn keyframe_before(&self, index: usize) -> Option<usize> {
        self.track.samples.get(..=index)?.iter().rposition(|sample| sample.keyframe)
    }

    /// Picture `index` as it travels on the wire: an access unit in Annex B form with the parameter sets before what
    /// decoding can begin at, or AV1's temporal unit as it is in the file.
    ///
    /// # Errors
    /// [`StoreError::BadFrame`] beyond the end, or when the lengths in it lead outside; [`StoreError::Io`].
    pub fn frame(&self, index: usize) -> Result<Vec<u8>, StoreError> {
        let bad = |reason: String| StoreError::BadFrame { path: self.path.clone(), frame: index, reason };
        let sample = self.track.samples.get(index).ok_or_else(|| bad(format!("the file has {} frames", self.len())))?;
        let mut bytes = vec![0; sample.bytes as usize];
        self.file.read_exact_at(&mut bytes, sample.offset).at("read", &self.path)?;
        let Coding { codec, length_bytes, parameter_sets } = &self.track.coding;
        let unit = match codec {
            VideoCodec::H264 => h264::to_annex_b(&bytes, *length_bytes, parameter_sets),
            VideoCodec::H265 => h265::to_annex_b(&bytes, *length_bytes, parameter_sets),
            VideoCodec::Av1 => av1::check(&bytes).map(|()| bytes),
        };
        unit.map_err(|e| bad(e.to_string()))
    }
}

/// Walks the file's outermost boxes and reads the index.
fn find_moov(file: &File, file_bytes: u64, path: &Path) -> Result<Vec<u8>, StoreError> {
    let damaged = |reason: String| StoreError::damaged(path, reason);
    let mut position = 0;
    while position < file_bytes {
        let left = file_bytes - position;
        let mut head = [0; 16];
        let head = &mut head[..usize::try_from(left).map_or(16, |left| left.min(16))];
        file.read_exact_at(head, position).at("read", path)?;
        if position == 0 && head.get(4..8) != Some(b"ftyp") {
            break;
        }
        let (kind, header_bytes, bytes) = boxes::header(head).map_err(|reason| damaged(format!("byte {position}: {reason}")))?;
        let bytes = bytes.unwrap_or(left);
        if bytes > left {
            let kind = kind.escape_ascii();
            return Err(damaged(format!("byte {position}: box \"{kind}\" has {bytes} bytes, the file has {left} more: it is cut off")));
        }
        match &kind {
            b"moof" => return Err(damaged("fragmented MP4 is not supported (box \"moof\")".to_owned())),
            b"moov" => {
                let body_bytes = usize::try_from(bytes - header_bytes).ok().filter(|_| bytes <= MOOV_BYTES_MAX);
                let body_bytes =
                    body_bytes.ok_or_else(|| damaged(format!("an index of {bytes} bytes; at most {MOOV_BYTES_MAX} are read")))?;
                let mut body = vec![0; body_bytes];
                file.read_exact_at(&mut body, position + header_bytes).at("read", path)?;
                return Ok(body);
            }
            _ => position += bytes,
        }
    }
    Err(damaged(match position {
        0 => "it is no MP4 file (box \"ftyp\" does not come first)".to_owned(),
        _ => "it has no index (box \"moov\"): writing it was never finished".to_owned(),
    }))
}
