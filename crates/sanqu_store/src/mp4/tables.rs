use mp4_atom::{Atom, Av1c, Avcc, Co64, Ctts, Decode, Edts, Hvcc, Mdhd, Mvhd, Stco, Stsc, Stss, Stsz, StszSamples, Stts};

use super::boxes::{Part, only, optional, parts};

/// The largest number of pictures of one file: four days at 30 a second.
pub const SAMPLES_MAX: usize = 10_000_000;
/// The largest picture, in bytes.
pub const SAMPLE_BYTES_MAX: usize = 64 << 20;

/// Bytes of a visual sample entry before the boxes inside it.
const VISUAL_ENTRY_BYTES: usize = 78;

/// One picture of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mp4Sample {
    /// Offset in the file.
    pub offset: u64,
    /// Size in the file.
    pub bytes: u32,
    /// Presentation time, ticks; negative for pictures that an edit list cuts off at the start.
    pub pts: i64,
    /// Whether decoding can begin here.
    pub keyframe: bool,
}

/// What pictures are coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// AV1.
    Av1,
}

/// How a file's samples become payloads.
#[derive(Debug)]
pub(super) struct Coding {
    pub(super) codec: VideoCodec,
    /// Bytes of a NAL unit's length.
    pub(super) length_bytes: usize,
    /// What the track's header holds for the decoder, in order.
    pub(super) parameter_sets: Vec<Vec<u8>>,
}

/// The video track of a file, read out of its `moov` box.
#[derive(Debug)]
pub(super) struct VideoTrack {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) timescale: u32,
    pub(super) coding: Coding,
    pub(super) samples: Vec<Mp4Sample>,
    /// Sum of the pictures' durations, ticks.
    pub(super) duration: u64,
}

/// Reads the one video track.
///
/// # Errors
/// What is wrong, naming the box.
pub(super) fn video_track(moov: &[u8], file_bytes: u64) -> Result<VideoTrack, String> {
    let moov = parts(moov)?;
    if optional(&moov, b"mvex")?.is_some() {
        return Err("fragmented MP4 is not supported (box \"mvex\")".to_owned());
    }
    let movie: Mvhd = decode(only(&moov, b"mvhd")?)?;
    let mut videos = Vec::new();
    for trak in moov.iter().filter(|part| &part.kind == b"trak") {
        let trak = parts(trak.body)?;
        let mdia = parts(only(&trak, b"mdia")?.body)?;
        let handler = only(&mdia, b"hdlr")?.body.get(8..12).unwrap_or_default();
        if handler == b"vide" {
            videos.push((trak, mdia));
        }
    }
    let [(trak, mdia)] = videos.as_slice() else { return Err(format!("{} video tracks, expected one", videos.len())) };
    let media: Mdhd = decode(only(mdia, b"mdhd")?)?;
    if media.timescale == 0 || movie.timescale == 0 {
        return Err("a time scale of 0".to_owned());
    }
    let minf = parts(only(mdia, b"minf")?.body)?;
    let stbl = parts(only(&minf, b"stbl")?.body)?;
    let (width, height, coding) = sample_entry(only(&stbl, b"stsd")?.body)?;
    let shift = match optional(trak, b"edts")? {
        Some(edts) => first_edit(&decode(edts)?, movie.timescale, media.timescale)?,
        None => 0,
    };
    let (samples, duration) = samples(&stbl, shift, file_bytes)?;
    Ok(VideoTrack { width, height, timescale: media.timescale, coding, samples, duration })
}

fn decode<T: Atom>(part: Part<'_>) -> Result<T, String> {
    T::decode(&mut &*part.whole).map_err(|e| format!("box \"{}\": {e}", part.kind.escape_ascii()))
}

/// Size and decoder configuration of the first sample entry.
fn sample_entry(stsd: &[u8]) -> Result<(u16, u16, Coding), String> {
    let entries = parts(stsd.get(8..).ok_or("box \"stsd\" is too short")?)?;
    let [entry] = entries.as_slice() else { return Err(format!("{} sample descriptions, expected one", entries.len())) };
    let (visual, inside) = entry.body.split_at_checked(VISUAL_ENTRY_BYTES).ok_or("the sample description is too short")?;
    let inside = parts(inside)?;
    let coding = match &entry.kind {
        b"avc1" | b"avc3" => {
            let avcc: Avcc = decode(only(&inside, b"avcC")?)?;
            if avcc.sequence_parameter_sets.is_empty() && &entry.kind == b"avc1" {
                return Err("box \"avcC\" has no SPS".to_owned());
            }
            let parameter_sets = avcc.sequence_parameter_sets.into_iter().chain(avcc.picture_parameter_sets).collect();
            Coding { codec: VideoCodec::H264, length_bytes: avcc.length_size.into(), parameter_sets }
        }
        b"hvc1" | b"hev1" => {
            let hvcc: Hvcc = decode(only(&inside, b"hvcC")?)?;
            let parameter_sets: Vec<Vec<u8>> = hvcc.arrays.into_iter().flat_map(|array| array.nalus).collect();
            if parameter_sets.is_empty() && &entry.kind == b"hvc1" {
                return Err("box \"hvcC\" has no parameter sets".to_owned());
            }
            Coding { codec: VideoCodec::H265, length_bytes: usize::from(hvcc.length_size_minus_one) + 1, parameter_sets }
        }
        b"av01" => {
            let _: Av1c = decode(only(&inside, b"av1C")?)?;
            Coding { codec: VideoCodec::Av1, length_bytes: 0, parameter_sets: Vec::new() }
        }
        other => {
            let other = other.escape_ascii();
            return Err(format!("the video is \"{other}\"; only H.264 (avc1), H.265 (hvc1) and AV1 (av01) are supported"));
        }
    };
    Ok((u16::from_be_bytes([visual[24], visual[25]]), u16::from_be_bytes([visual[26], visual[27]]), coding))
}

/// What the edit list adds to every time, media ticks: an empty edit delays, a start within the media cuts off.
fn first_edit(edts: &Edts, movie_timescale: u32, media_timescale: u32) -> Result<i64, String> {
    let Some(list) = &edts.elst else { return Ok(0) };
    let (mut delay, mut start) = (0i128, None);
    for edit in &list.entries {
        match (edit.media_time, start) {
            (None, None) => delay += i128::from(edit.segment_duration) * i128::from(media_timescale) / i128::from(movie_timescale),
            (Some(time), None) => start = Some(i128::from(time)),
            _ => return Err("an edit list that rearranges the video is not supported".to_owned()),
        }
    }
    i64::try_from(delay - start.unwrap_or(0)).map_err(|_| "box \"elst\": its times do not fit 64 bits".to_owned())
}

fn samples(stbl: &[Part<'_>], shift: i64, file_bytes: u64) -> Result<(Vec<Mp4Sample>, u64), String> {
    let sizes: Stsz = decode(only(stbl, b"stsz")?)?;
    let sizes: Vec<u32> = match sizes.samples {
        StszSamples::Different { sizes } => sizes,
        StszSamples::Identical { count, size } => {
            // Written so that a count that cannot be true allocates nothing.
            if u64::from(count) * u64::from(size) > file_bytes {
                return Err(format!("box \"stsz\": {count} pictures of {size} bytes are more than the file has"));
            }
            vec![size; count as usize]
        }
    };
    if sizes.is_empty() || sizes.len() > SAMPLES_MAX {
        return Err(format!("{} pictures; expected 1 to {SAMPLES_MAX}", sizes.len()));
    }
    let (times, duration) = times(stbl, sizes.len())?;
    let offsets = offsets(stbl, &sizes)?;
    let mut samples = Vec::with_capacity(sizes.len());
    for (index, ((bytes, offset), time)) in sizes.iter().zip(offsets).zip(times).enumerate() {
        if *bytes as usize > SAMPLE_BYTES_MAX || offset.checked_add(u64::from(*bytes)).is_none_or(|end| end > file_bytes) {
            return Err(format!("frame {index}: {bytes} bytes at {offset}, the file has {file_bytes}"));
        }
        let pts = time.checked_add(shift).ok_or_else(|| format!("frame {index}: its time does not fit 64 bits"))?;
        samples.push(Mp4Sample { offset, bytes: *bytes, pts, keyframe: false });
    }
    match optional(stbl, b"stss")? {
        // Without the table every picture is a keyframe.
        None => samples.iter_mut().for_each(|sample| sample.keyframe = true),
        Some(part) => {
            for number in decode::<Stss>(part)?.entries {
                let index = (number as usize).checked_sub(1);
                let sample = index.and_then(|index| samples.get_mut(index));
                sample.ok_or_else(|| format!("box \"stss\": there is no picture {number}"))?.keyframe = true;
            }
        }
    }
    Ok((samples, duration))
}

/// Presentation time of each picture, ticks, before edits; and the sum of the durations.
fn times(stbl: &[Part<'_>], count: usize) -> Result<(Vec<i64>, u64), String> {
    let runs: Stts = decode(only(stbl, b"stts")?)?;
    let mut times = Vec::with_capacity(count);
    let mut now = 0i64;
    for run in &runs.entries {
        if run.sample_count as usize > count - times.len() {
            return Err(format!("box \"stts\" has times for more than {count} pictures"));
        }
        for _ in 0..run.sample_count {
            times.push(now);
            // At most 10^7 pictures of 2^32 ticks: 2^56.
            now += i64::from(run.sample_delta);
        }
    }
    if times.len() != count {
        return Err(format!("box \"stts\" has times for {} of {count} pictures", times.len()));
    }
    if let Some(part) = optional(stbl, b"ctts")? {
        let runs: Ctts = decode(part)?;
        let mut due = times.iter_mut();
        for run in &runs.entries {
            for time in due.by_ref().take(run.sample_count as usize) {
                *time += run.sample_offset;
            }
        }
        if due.next().is_some() {
            return Err(format!("box \"ctts\" has offsets for fewer than {count} pictures"));
        }
    }
    if let Some(index) = times.windows(2).position(|pair| pair[1] <= pair[0]) {
        return Err(format!("frame {} is not shown after frame {index}: video with B-frames is not supported", index + 1));
    }
    Ok((times, now.unsigned_abs()))
}

/// Offset of each picture.
fn offsets(stbl: &[Part<'_>], sizes: &[u32]) -> Result<Vec<u64>, String> {
    let chunks: Vec<u64> = match (optional(stbl, b"co64")?, optional(stbl, b"stco")?) {
        (Some(part), _) => decode::<Co64>(part)?.entries,
        (None, Some(part)) => decode::<Stco>(part)?.entries.into_iter().map(u64::from).collect(),
        (None, None) => return Err("boxes \"stco\" and \"co64\" are missing".to_owned()),
    };
    let runs = decode::<Stsc>(only(stbl, b"stsc")?)?.entries;
    let mut offsets = Vec::with_capacity(sizes.len());
    for (index, run) in runs.iter().enumerate() {
        let end = runs.get(index + 1).map_or(chunks.len() + 1, |next| next.first_chunk as usize);
        let inside = (run.first_chunk as usize).checked_sub(1).and_then(|first| chunks.get(first..end.checked_sub(1)?));
        let expected_first = index > 0 || run.first_chunk == 1;
        let Some(inside) = inside.filter(|_| expected_first && run.samples_per_chunk > 0) else {
            return Err(format!("box \"stsc\": entry {index} is not possible"));
        };
        for chunk in inside {
            let mut offset = *chunk;
            for _ in 0..run.samples_per_chunk {
                let Some(bytes) = sizes.get(offsets.len()) else {
                    return Err(format!("box \"stsc\" places more than {} pictures", sizes.len()));
                };
                offsets.push(offset);
                offset = offset.saturating_add(u64::from(*bytes));
            }
        }
    }
    if offsets.len() != sizes.len() {
        return Err(format!("box \"stsc\" places {} of {} pictures", offsets.len(), sizes.len()));
    }
    Ok(offsets)
}
