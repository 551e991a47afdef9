//! Videos of a dataset: the recorded access units one after another, not encoded again.

use std::path::{Path, PathBuf};

use sanqu_store::mp4::{Mp4Reader, Mp4Writer};
use sanqu_wire::h264;

use super::layout::camera_key;
use super::pictures::{PictureSampler, sampled_rows};
use super::stats::Histogram;
use super::tables::{VideoSpan, chunked_path};
use crate::DatasetError;

/// LeRobot compares times as float32, which fails beyond 1024 s into a file.
const FILE_SECS_MAX: u64 = 1000;
/// A video file is closed before it grows beyond this.
const FILE_BYTES_MAX: u64 = 200_000_000;
/// Ticks of one frame, as LeRobot's own files have them (15 360 a second at 30 fps).
const TICKS_PER_FRAME: u32 = 512;

/// Which frames of a recorded video are a part's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameRange {
    /// The keyframe from which the first row's picture can be decoded.
    pub(super) lead: usize,
    /// The first row's frame.
    pub(super) first: usize,
    /// Number of rows.
    pub(super) rows: usize,
}

/// The files of one camera.
pub(super) struct VideoTrack {
    folder: PathBuf,
    size: [u32; 2],
    fps: u32,
    files: usize,
    open: Option<OpenFile>,
}

struct OpenFile {
    writer: Mp4Writer,
    frames: u64,
    bytes: u64,
    parameters: (Vec<u8>, Vec<u8>),
}

impl VideoTrack {
    /// A track of camera `name` below the dataset's folder.
    pub(super) fn new(root: &Path, name: &str, size: [u32; 2], fps: u32) -> Self {
        Self { folder: root.join("videos").join(camera_key(name)), size, fps, files: 0, open: None }
    }

    /// Appends a part's frames with their lead-in; counts a sample of the rows' pictures into `histogram`.
    ///
    /// # Errors
    /// A reason when the recorded video cannot be read, decoded or continued; the caller adds episode and stream.
    pub(super) fn append(&mut self, video: &Mp4Reader, range: FrameRange, histogram: &mut Histogram) -> Result<VideoSpan, VideoError> {
        let first = video.frame(range.lead)?;
        let parameters =
            h264::parameter_sets(&first).ok_or_else(|| VideoError::Reason(format!("frame {} has no SPS and PPS", range.lead)))?;
        let parameters = (parameters.0.to_vec(), parameters.1.to_vec());
        let total = (range.first - range.lead + range.rows) as u64;
        self.make_room(total, bytes_of(video, range), &parameters)?;
        let Some(open) = &mut self.open else { return Err(VideoError::Reason("no file is open".to_owned())) };
        let span =
            VideoSpan { file: self.files - 1, first_frame: open.frames + (range.first - range.lead) as u64, frames: range.rows as u64 };
        let mut sampler = PictureSampler::new().map_err(VideoError::Reason)?;
        let mut sampled = sampled_rows(range.rows).into_iter().map(|row| range.first + row).peekable();
        for index in range.lead..range.first + range.rows {
            let unit = video.frame(index)?;
            if h264::parameter_sets(&unit).is_some_and(|(sps, pps)| (sps, pps) != (&open.parameters.0[..], &open.parameters.1[..])) {
                return Err(VideoError::Reason(format!("the encoder's parameters change at frame {index}")));
            }
            open.writer.push(&unit, open.frames * u64::from(TICKS_PER_FRAME), h264::is_keyframe(&unit))?;
            open.frames += 1;
            open.bytes += unit.len() as u64;
            let into = sampled.next_if_eq(&index).map(|_| &mut *histogram);
            sampler.push(&unit, into).map_err(|reason| VideoError::Reason(format!("frame {index} cannot be decoded: {reason}")))?;
        }
        Ok(span)
    }

    /// Begins a new file when these frames do not fit the open one.
    fn make_room(&mut self, frames: u64, bytes: u64, parameters: &(Vec<u8>, Vec<u8>)) -> Result<(), VideoError> {
        let fits = self.open.as_ref().is_some_and(|open| {
            open.frames + frames <= FILE_SECS_MAX * u64::from(self.fps)
                && open.bytes + bytes <= FILE_BYTES_MAX
                && &open.parameters == parameters
        });
        if fits {
            return Ok(());
        }
        self.close()?;
        let path = chunked_path(&self.folder, self.files, "mp4").map_err(VideoError::Dataset)?;
        let [width, height] = self.size;
        let writer = Mp4Writer::create(&path, width, height, &parameters.0, &parameters.1, self.fps * TICKS_PER_FRAME)?;
        self.open = Some(OpenFile { writer, frames: 0, bytes: 0, parameters: parameters.clone() });
        self.files += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), VideoError> {
        match self.open.take() {
            Some(open) => Ok(open.writer.finish().map(|_| ())?),
            None => Ok(()),
        }
    }

    /// Closes the last file.
    pub(super) fn finish(mut self) -> Result<(), VideoError> {
        self.close()
    }
}

fn bytes_of(video: &Mp4Reader, range: FrameRange) -> u64 {
    video.samples().get(range.lead..range.first + range.rows).into_iter().flatten().map(|sample| u64::from(sample.bytes)).sum()
}

/// Why a video could not be passed on.
#[derive(Debug)]
pub(super) enum VideoError {
    /// A file could not be read or written.
    Store(sanqu_store::StoreError),
    /// A folder could not be made.
    Dataset(DatasetError),
    /// The pictures do not fit.
    Reason(String),
}

impl From<sanqu_store::StoreError> for VideoError {
    fn from(error: sanqu_store::StoreError) -> Self {
        Self::Store(error)
    }
}

impl VideoError {
    /// With the episode and stream whose video it was.
    pub(super) fn of(self, episode: &str, stream: &str) -> DatasetError {
        match self {
            Self::Store(error) => error.into(),
            Self::Dataset(error) => error,
            Self::Reason(reason) => DatasetError::Episode { episode: episode.to_owned(), stream: stream.to_owned(), reason },
        }
    }
}
