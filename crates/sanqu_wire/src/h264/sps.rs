use super::bits::{BitReader, bad};
use super::{NAL_SPS, nal_type};
use crate::WireError;

/// The largest sequence parameter set, in bytes: MP4 stores its length in 16 bits.
pub const SPS_BYTES_MAX: usize = 65_535;

/// Largest picture of level 6.2, in macroblocks along one side.
const MACROBLOCKS_MAX: u32 = 1055;
/// Profiles whose SPS says chroma format, bit depth and scaling lists.
const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// What a sequence parameter set says about its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Width of the cropped picture, pixels.
    pub width: u32,
    /// Height of the cropped picture, pixels.
    pub height: u32,
    /// `profile_idc`: 66 baseline, 77 main, 100 high.
    pub profile: u8,
    /// The constraint flags, as the byte after the profile.
    pub constraints: u8,
    /// `level_idc`: ten times the level, 31 is level 3.1.
    pub level: u8,
    /// Chroma format: 0 grey, 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
    pub chroma_format: u8,
    /// Bits of a luma sample, 8 to 14.
    pub luma_bits: u8,
    /// Bits of a chroma sample, 8 to 14.
    pub chroma_bits: u8,
}

/// Reads a sequence parameter set (one NAL unit without start code).
///
/// # Errors
/// [`WireError::BadVideo`] when the unit is no SPS, ends too early, or says something impossible.
pub fn parse_sps(nal: &[u8]) -> Result<Sps, WireError> {
    if nal.len() > SPS_BYTES_MAX {
        return Err(bad(format!("{} bytes; at most {SPS_BYTES_MAX} are allowed", nal.len())));
    }
    let [_, profile, constraints, level, payload @ ..] = nal else { return Err(bad("it has fewer than 4 bytes")) };
    if nal_type(nal) != NAL_SPS {
        return Err(bad(format!("NAL unit type {}, expected {NAL_SPS}", nal_type(nal))));
    }
    let mut bits = BitReader::new(payload);
    let mut sps = Sps {
        width: 0,
        height: 0,
        profile: *profile,
        constraints: *constraints,
        level: *level,
        chroma_format: 1,
        luma_bits: 8,
        chroma_bits: 8,
    };
    bounded(bits.ue()?, 31, "seq_parameter_set_id")?;
    let mut separate_planes = false;
    if HIGH_PROFILES.contains(profile) {
        separate_planes = read_high_profile(&mut bits, &mut sps)?;
    }
    bounded(bits.ue()?, 12, "log2_max_frame_num_minus4")?;
    skip_picture_order(&mut bits)?;
    bounded(bits.ue()?, 16, "max_num_ref_frames")?;
    let _gaps_allowed = bits.flag()?;
    let columns = bounded(bits.ue()?, MACROBLOCKS_MAX - 1, "pic_width_in_mbs_minus1")? + 1;
    let map_rows = bounded(bits.ue()?, MACROBLOCKS_MAX - 1, "pic_height_in_map_units_minus1")? + 1;
    let frames_only = bits.flag()?;
    if !frames_only {
        let _adaptive = bits.flag()?;
    }
    let _direct_8x8 = bits.flag()?;
    let fields: u32 = if frames_only { 1 } else { 2 };
    let crop = if bits.flag()? { [bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?] } else { [0; 4] };

    let (chroma_x, chroma_y) = match (sps.chroma_format, separate_planes) {
        (1, _) => (2, 2),
        (2, _) => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = crop;
    sps.width = cropped(columns * 16, chroma_x, left, right)?;
    sps.height = cropped(map_rows * 16 * fields, chroma_y * fields, top, bottom)?;
    Ok(sps)
}

fn bounded(value: u32, max: u32, what: &str) -> Result<u32, WireError> {
    if value > max { Err(bad(format!("{what} is {value}, at most {max} is possible"))) } else { Ok(value) }
}

fn cropped(size: u32, unit: u32, before: u32, after: u32) -> Result<u32, WireError> {
    let cut = before.checked_add(after).and_then(|units| units.checked_mul(unit)).filter(|cut| *cut < size);
    cut.map(|cut| size - cut).ok_or_else(|| bad(format!("cropping {before} and {after} leaves nothing of {size} pixels")))
}

/// Chroma format, bit depths and scaling lists; returns whether the colour planes are coded separately.
fn read_high_profile(bits: &mut BitReader<'_>, sps: &mut Sps) -> Result<bool, WireError> {
    let small = |value: u32| u8::try_from(value).map_err(|_| bad(format!("{value} does not fit 8 bits")));
    sps.chroma_format = small(bounded(bits.ue()?, 3, "chroma_format_idc")?)?;
    let separate_planes = sps.chroma_format == 3 && bits.flag()?;
    sps.luma_bits = 8 + small(bounded(bits.ue()?, 6, "bit_depth_luma_minus8")?)?;
    sps.chroma_bits = 8 + small(bounded(bits.ue()?, 6, "bit_depth_chroma_minus8")?)?;
    let _lossless_bypass = bits.flag()?;
    if bits.flag()? {
        let lists = if sps.chroma_format == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok(separate_planes)
}

fn skip_scaling_list(bits: &mut BitReader<'_>, size: usize) -> Result<(), WireError> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

fn skip_picture_order(bits: &mut BitReader<'_>) -> Result<(), WireError> {
    match bounded(bits.ue()?, 2, "pic_order_cnt_type")? {
        0 => {
            bounded(bits.ue()?, 12, "log2_max_pic_order_cnt_lsb_minus4")?;
        }
        1 => {
            let _always_zero = bits.flag()?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bounded(bits.ue()?, 255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                bits.se()?;
            }
        }
        _ => {}
    }
    Ok(())
}
