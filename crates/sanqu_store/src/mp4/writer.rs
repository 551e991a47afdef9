use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mp4_atom::{
    Avc1, Avcc, AvccExt, Co64, Codec, Dinf, Dref, Encode, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov, Mvhd, Stbl, Stco, Stsc, StscEntry, Stsd,
    Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Trak, Url, Visual, Vmhd,
};
use sanqu_wire::h264::{self, Sps};

use super::tables::{SAMPLE_BYTES_MAX, SAMPLES_MAX};
use crate::StoreError;
use crate::error::IoContext as _;

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
    file: BufWriter<File>,
    track: Track,
    position: u64,
    failed: Option<String>,
}

/// What the index will say.
#[derive(Debug)]
struct Track {
    width: u16,
    height: u16,
    parameter_sets: [Vec<u8>; 2],
    sps: Sps,
    timescale: u32,
    sizes: Vec<u32>,
    pts: Vec<u64>,
    /// Numbers of the IDR pictures, from 1.
    keyframes: Vec<u32>,
    /// Offset of each chunk and the number of its first sample, from 0.
    chunks: Vec<(u64, usize)>,
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
        let file = BufWriter::new(File::create(path).at("create", path)?);
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
        let frame = self.track.sizes.len();
        let path = &self.path;
        let bad = |reason: String| StoreError::BadFrame { path: path.clone(), frame, reason };
        let idr = h264::is_keyframe(access_unit);
        if keyframe && !idr {
            return Err(bad("called a keyframe, but it has no IDR slice".to_owned()));
        }
        if h264::has_b_slice(access_unit) {
            return Err(bad("it has a bidirectional slice; only streams without B-frames can be stored".to_owned()));
        }
        if h264::all_parameter_sets(access_unit).any(|set| !self.track.parameter_sets.iter().any(|known| known == set)) {
            return Err(bad("its SPS or PPS differs from the file's; a new file must begin here".to_owned()));
        }
        let sample = h264::to_avcc(access_unit).map_err(|e| bad(e.to_string()))?;
        let Some(bytes) = u32::try_from(sample.len()).ok().filter(|_| sample.len() <= SAMPLE_BYTES_MAX) else {
            return Err(bad(format!("{} bytes; at most {SAMPLE_BYTES_MAX} are allowed", sample.len())));
        };
        self.track.check_time(pts).map_err(bad)?;
        let offset = self.position;
        self.write(&sample)?;
        self.track.add(pts, bytes, offset, idr);
        Ok(Placed { offset, bytes })
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

impl Track {
    fn check_time(&self, pts: u64) -> Result<(), String> {
        if self.sizes.len() >= SAMPLES_MAX {
            return Err(format!("a file holds at most {SAMPLES_MAX} pictures"));
        }
        match self.pts.last() {
            None if pts == 0 => Ok(()),
            None => Err(format!("the first picture's time is {pts}, expected 0")),
            Some(last) => match pts.checked_sub(*last) {
                Some(1..=0xffff_ffff) => Ok(()),
                _ => Err(format!("time {pts} does not follow {last}: expected 1 to 4294967295 ticks more")),
            },
        }
    }

    fn add(&mut self, pts: u64, bytes: u32, offset: u64, idr: bool) {
        let index = self.sizes.len();
        // A chunk holds about one second.
        let chunk_full = |(_, first): &(u64, usize)| pts - self.pts[*first] >= u64::from(self.timescale);
        if self.chunks.last().is_none_or(chunk_full) {
            self.chunks.push((offset, index));
        }
        self.sizes.push(bytes);
        self.pts.push(pts);
        if idr {
            self.keyframes.push(number(index + 1));
        }
    }

    /// Run lengths of the pictures' durations; the last picture lasts as long as the one before.
    fn durations(&self) -> Vec<SttsEntry> {
        let mut entries: Vec<SttsEntry> = Vec::new();
        let mut count = |delta: u64, samples: u32| match entries.last_mut() {
            Some(entry) if u64::from(entry.sample_delta) == delta => entry.sample_count += samples,
            _ => entries.push(SttsEntry { sample_count: samples, sample_delta: u32::try_from(delta).unwrap_or(u32::MAX) }),
        };
        for pair in self.pts.windows(2) {
            count(pair[1] - pair[0], 1);
        }
        count(self.last_duration(), 1);
        entries
    }

    fn last_duration(&self) -> u64 {
        match self.pts.as_slice() {
            [.., before, last] => last - before,
            // A single picture: nobody said how long; one tick is the shortest that players accept.
            _ => 1,
        }
    }

    fn chunk_runs(&self) -> Vec<StscEntry> {
        let mut entries: Vec<StscEntry> = Vec::new();
        for (index, (_, first)) in self.chunks.iter().enumerate() {
            let end = self.chunks.get(index + 1).map_or(self.sizes.len(), |(_, next)| *next);
            let samples_per_chunk = number(end - first);
            if entries.last().is_none_or(|entry| entry.samples_per_chunk != samples_per_chunk) {
                entries.push(StscEntry { first_chunk: number(index + 1), samples_per_chunk, sample_description_index: 1 });
            }
        }
        entries
    }

    fn sample_entry(&self, path: &Path) -> Result<Codec, StoreError> {
        let [sps, pps] = &self.parameter_sets;
        let mut avcc = Avcc::new(sps, pps).map_err(|e| StoreError::damaged(path, format!("SPS: {e}")))?;
        if !matches!(self.sps.profile, 66 | 77 | 88) {
            avcc.ext = Some(AvccExt {
                chroma_format: self.sps.chroma_format,
                bit_depth_luma: self.sps.luma_bits,
                bit_depth_chroma: self.sps.chroma_bits,
                sequence_parameter_sets_ext: Vec::new(),
            });
        }
        let visual = Visual { data_reference_index: 1, width: self.width, height: self.height, ..Visual::default() };
        Ok(Avc1 { visual, avcc, ..Avc1::default() }.into())
    }

    fn moov(&self, path: &Path) -> Result<Moov, StoreError> {
        let duration = self.pts.last().map_or(0, |last| last + self.last_duration());
        let offsets: Vec<u64> = self.chunks.iter().map(|(offset, _)| *offset).collect();
        let short: Result<Vec<u32>, _> = offsets.iter().map(|offset| u32::try_from(*offset)).collect();
        let (stco, co64) = match short {
            Ok(entries) => (Some(Stco { entries }), None),
            Err(_) => (None, Some(Co64 { entries: offsets })),
        };
        let stbl = Stbl {
            stsd: Stsd { codecs: vec![self.sample_entry(path)?] },
            stts: Stts { entries: self.durations() },
            stss: Some(Stss { entries: self.keyframes.clone() }),
            stsc: Stsc { entries: self.chunk_runs() },
            stsz: Stsz { samples: StszSamples::Different { sizes: self.sizes.clone() } },
            stco,
            co64,
            ..Stbl::default()
        };
        let dinf = Dinf { dref: Dref { entries: vec![Url::default().into()] } };
        let mdia = Mdia {
            mdhd: Mdhd { timescale: self.timescale, duration, language: "und".to_owned(), ..Mdhd::default() },
            hdlr: Hdlr { handler: b"vide".into(), name: "VideoHandler".to_owned() },
            minf: Minf { vmhd: Some(Vmhd::default()), dinf, stbl, ..Minf::default() },
        };
        let tkhd = Tkhd {
            track_id: 1,
            duration,
            enabled: true,
            in_movie: true,
            width: self.width.into(),
            height: self.height.into(),
            ..Tkhd::default()
        };
        let trak = Trak { tkhd, mdia, ..Trak::default() };
        let mvhd = Mvhd { timescale: self.timescale, duration, rate: 1.into(), next_track_id: 2, ..Mvhd::default() };
        Ok(Moov { mvhd, trak: vec![trak], ..Moov::default() })
    }
}

/// Counts of samples and chunks; [`SAMPLES_MAX`] keeps them far below the limit.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
