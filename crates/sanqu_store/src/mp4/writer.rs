use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mp4_atom::{Encode, Ftyp};
use sanqu_wire::h264::{self, AccessUnit};

use super::index::Track;
use super::tables::SAMPLE_BYTES_MAX;
use crate::StoreError;
use crate::disk::{Disk, DiskFile};
use crate::error::IoContext as _;

/// Pictures are written together up to about this size.
const WRITE_BYTES: usize = 256 << 10;

/// Where a picture went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Offset of the sample in the file.
    pub offset: u64,
    /// Size of the sample.
    pub bytes: u32,
}

/// Writes one H.264 stream into an MP4 file, picture by picture, in presentation order.
///
/// The pictures stream to the file as they come; the index follows in [`Mp4Writer::finish`]. Without it the file is
/// unreadable, so write to a temporary place. The same pictures and times give the same bytes: no clock is read.
#[derive(Debug)]
pub struct Mp4Writer {
    path: PathBuf,
    file: BufWriter<DiskFile>,
    track: Track,
    position: u64,
    failed: Option<String>,
}

impl Mp4Writer {
    /// Creates the file, or empties it.
    ///
    /// * `width`, `height`: pixels; must be what the SPS says.
    /// * `sps`, `pps`: NAL units without start code, see [`h264::parameter_sets`]. They hold for the whole file.
    /// * `timescale`: ticks a second of the pictures' times.
    ///
    /// # Errors
    /// [`StoreError::BadFrame`] when the SPS cannot be read or says another size; [`StoreError::Io`].
    pub fn create(path: &Path, width: u32, height: u32, sps: &[u8], pps: &[u8], timescale: u32) -> Result<Self, StoreError> {
        Self::create_on(&Disk::default(), path, [width, height], [sps, pps], timescale)
    }

    pub(crate) fn create_on(
        disk: &Disk,
        path: &Path,
        [width, height]: [u32; 2],
        [sps, pps]: [&[u8]; 2],
        timescale: u32,
    ) -> Result<Self, StoreError> {
        let bad = |reason: String| StoreError::BadFrame { path: path.to_path_buf(), frame: 0, reason };
        let parsed = h264::parse_sps(sps).map_err(|e| bad(e.to_string()))?;
        if (parsed.width, parsed.height) != (width, height) {
            return Err(bad(format!("the SPS says {}x{} pixels, expected {width}x{height}", parsed.width, parsed.height)));
        }
        let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(bad(format!("{width}x{height} pixels do not fit MP4")));
        };
        if pps.is_empty() || pps.len() > h264::SPS_BYTES_MAX || timescale == 0 {
            return Err(bad(format!("a PPS of {} bytes and {timescale} ticks a second are not possible", pps.len())));
        }
        let track = Track {
            width,
            height,
            parameter_sets: [sps.to_vec(), pps.to_vec()],
            sps: parsed,
            timescale,
            sizes: Vec::new(),
            pts: Vec::new(),
            keyframes: Vec::new(),
            chunks: Vec::new(),
        };
        let file = BufWriter::with_capacity(WRITE_BYTES, disk.create(path)?);
        let mut writer = Self { path: path.to_path_buf(), file, track, position: 0, failed: None };
        let mut head = encoded(path, &file_type())?;
        // Length 0 means "to the end of the file": it stays so if the index is never written.
        head.extend_from_slice(&mdat_header(0, 0));
        writer.write(&head)?;
        Ok(writer)
    }

    /// Appends one access unit (Annex B). SPS, PPS and access unit delimiters are left out: the track's header has them.
    ///
    /// * `pts`: presentation time, ticks from the first picture's, which is 0; strictly increasing.
    /// * `keyframe`: whether the caller believes that decoding can begin here. The index says what the bytes say.
    ///
    /// # Errors
    /// [`StoreError::BadFrame`], after which the writer goes on as if the picture had not come: no picture in it, parameter
    /// sets that differ from the file's, a bidirectional slice, a keyframe without IDR slice, a time that does not
    /// follow. [`StoreError::Io`], after which every call gives [`StoreError::WriterFailed`].
    pub fn push(&mut self, access_unit: &[u8], pts: u64, keyframe: bool) -> Result<Placed, StoreError> {
        let unit = AccessUnit::parse(access_unit).map_err(|e| self.bad(e.to_string()))?;
        if keyframe && !unit.is_keyframe() {
            return Err(self.bad("called a keyframe, but it has no IDR slice".to_owned()));
        }
        self.push_unit(&unit, pts)
    }

    /// As [`push`](Self::push), for an access unit whose NAL units are found already.
    pub(crate) fn push_unit(&mut self, unit: &AccessUnit<'_>, pts: u64) -> Result<Placed, StoreError> {
        if unit.has_b_slice() {
            return Err(self.bad("it has a bidirectional slice; only streams without B-frames can be stored".to_owned()));
        }
        if unit.parameter_sets().any(|set| !self.track.parameter_sets.iter().any(|known| known == set)) {
            return Err(self.bad("its SPS or PPS differs from the file's; a new file must begin here".to_owned()));
        }
        let sample_bytes: usize = unit.avcc_parts().map(<[u8]>::len).sum();
        let Some(bytes) = u32::try_from(sample_bytes).ok().filter(|_| sample_bytes <= SAMPLE_BYTES_MAX) else {
            return Err(self.bad(format!("{sample_bytes} bytes; at most {SAMPLE_BYTES_MAX} are allowed")));
        };
        self.track.check_time(pts).map_err(|reason| self.bad(reason))?;
        let offset = self.position;
        for part in unit.avcc_parts() {
            self.write(part)?;
        }
        self.track.add(pts, bytes, offset, unit.is_keyframe());
        Ok(Placed { offset, bytes })
    }

    fn bad(&self, reason: String) -> StoreError {
        StoreError::BadFrame { path: self.path.clone(), frame: self.track.sizes.len(), reason }
    }

    /// Number of pictures so far.
    pub fn len(&self) -> usize {
        self.track.sizes.len()
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.track.sizes.is_empty()
    }

    /// Writes the index and makes the file durable; returns its size in bytes.
    ///
    /// # Errors
    /// [`StoreError::BadFrame`] when nothing was pushed, [`StoreError::Io`], [`StoreError::WriterFailed`].
    pub fn finish(mut self) -> Result<u64, StoreError> {
        if self.is_empty() {
            return Err(StoreError::BadFrame { path: self.path, frame: 0, reason: "the file has no picture".to_owned() });
        }
        let head_bytes = encoded(&self.path, &file_type())?.len() as u64;
        let mdat_bytes = self.position - head_bytes;
        let moov = encoded(&self.path, &self.track.moov(&self.path)?)?;
        self.write(&moov)?;
        let path = &self.path;
        self.file.seek(SeekFrom::Start(head_bytes)).at("seek", path)?;
        self.file.write_all(&mdat_header(1, mdat_bytes)).at("write", path)?;
        self.file.flush().at("write", path)?;
        self.file.get_ref().sync_all().at("sync", path)?;
        Ok(self.position)
    }

    /// Leaves a hole as large as `bytes` of pictures would be.
    #[cfg(test)]
    pub(super) fn skip_for_test(&mut self, bytes: u64) {
        self.file.seek(SeekFrom::Current(i64::try_from(bytes).unwrap())).unwrap();
        self.position += bytes;
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if let Some(reason) = &self.failed {
            return Err(StoreError::WriterFailed { path: self.path.clone(), reason: reason.clone() });
        }
        if let Err(source) = self.file.write_all(bytes) {
            self.failed = Some(source.to_string());
            return Err(source).at("write", &self.path);
        }
        self.position += bytes.len() as u64;
        Ok(())
    }
}

fn file_type() -> Ftyp {
    Ftyp {
        major_brand: b"isom".into(),
        minor_version: 0x200,
        compatible_brands: vec![b"isom".into(), b"iso2".into(), b"avc1".into(), b"mp41".into()],
    }
}

/// Header of the pictures' box: always the long form, so that a file may grow past 4 GiB. A `short` length of 1 says
/// that `long` holds the length.
fn mdat_header(short: u32, long: u64) -> Vec<u8> {
    [&short.to_be_bytes()[..], b"mdat", &long.to_be_bytes()].concat()
}

fn encoded(path: &Path, atom: &impl Encode) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    atom.encode(&mut bytes).map_err(|e| StoreError::damaged(path, format!("the MP4 index cannot be written: {e}")))?;
    Ok(bytes)
}
