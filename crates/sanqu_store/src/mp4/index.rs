use std::path::Path;

use mp4_atom::{
    Avc1, Avcc, AvccExt, Co64, Codec, Dinf, Dref, Hdlr, Mdhd, Mdia, Minf, Moov, Mvhd, Stbl, Stco, Stsc, StscEntry, Stsd, Stss, Stsz,
    StszSamples, Stts, SttsEntry, Tkhd, Trak, Url, Visual, Vmhd,
};
use sanqu_wire::h264::Sps;

use super::tables::SAMPLES_MAX;
use crate::StoreError;

/// What the index will say.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) parameter_sets: [Vec<u8>; 2],
    pub(super) sps: Sps,
    pub(super) timescale: u32,
    pub(super) sizes: Vec<u32>,
    pub(super) pts: Vec<u64>,
    /// Numbers of the IDR pictures, from 1.
    pub(super) keyframes: Vec<u32>,
    /// Offset of each chunk and the number of its first sample, from 0.
    pub(super) chunks: Vec<(u64, usize)>,
}

impl Track {
    pub(super) fn check_time(&self, pts: u64) -> Result<(), String> {
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

    pub(super) fn add(&mut self, pts: u64, bytes: u32, offset: u64, idr: bool) {
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

    pub(super) fn moov(&self, path: &Path) -> Result<Moov, StoreError> {
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
