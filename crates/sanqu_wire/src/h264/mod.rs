//! H.264 access units: NAL units, parameter sets, and the two ways in which they are stored.
//!
//! On the wire an access unit is *Annex B*: NAL units behind start codes, with SPS and PPS before every IDR picture. In
//! MP4 the parameter sets stand once in the track's header and every NAL unit is preceded by its length.

mod bits;
mod sps;
mod unit;

use crate::WireError;
use bits::BitReader;
pub use sps::{SPS_BYTES_MAX, Sps, parse_sps};
pub use unit::AccessUnit;

const NAL_SLICE: u8 = 1;
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_ACCESS_UNIT_DELIMITER: u8 = 9;

/// Bytes of a NAL unit's length in an MP4 sample.
pub const AVCC_LENGTH_BYTES: usize = 4;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The NAL units of an access unit in Annex B form, without start codes and without the zero bytes that may follow a
/// unit. Bytes before the first start code belong to no unit.
pub fn nals(access_unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = next_start_code(access_unit, 0).map(|at| at + 3);
    std::iter::from_fn(move || {
        let from = start?;
        let code = next_start_code(access_unit, from);
        start = code.map(|at| at + 3);
        Some(trim_zeros(&access_unit[from..code.unwrap_or(access_unit.len())]))
    })
    .filter(|nal| !nal.is_empty())
}

/// Offset of the next `00 00 01` at or after `from`.
fn next_start_code(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(three) = bytes.get(at..at + 3) {
        match three {
            [0, 0, 1] => return Some(at),
            // No start code can begin within three bytes of which the last is not zero.
            [_, _, 0] => at += 1,
            _ => at += 3,
        }
    }
    None
}

/// A NAL unit never ends in a zero byte: zeros there are padding, or the first byte of a four-byte start code.
fn trim_zeros(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &nal[..end]
}

fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |first| first & 0x1f)
}

/// Whether decoding can begin at this access unit: it has an IDR slice.
pub fn is_keyframe(access_unit: &[u8]) -> bool {
    nals(access_unit).any(|nal| nal_type(nal) == NAL_IDR)
}

/// Whether the access unit has a bidirectional slice. Such pictures are stored in another order than they were captured
/// in; robots must not send them.
pub fn has_b_slice(access_unit: &[u8]) -> bool {
    nals(access_unit).any(is_b_slice)
}

fn is_b_slice(nal: &[u8]) -> bool {
    if nal_type(nal) != NAL_SLICE {
        return false;
    }
    let mut bits = BitReader::new(&nal[1..]);
    let _first_macroblock = bits.ue();
    // Types 5 to 9 say that all slices of the picture are of type 0 to 4.
    matches!(bits.ue(), Ok(1 | 6))
}

/// The first SPS and the first PPS of an access unit, if it has both.
pub fn parameter_sets(access_unit: &[u8]) -> Option<(&[u8], &[u8])> {
    let find = |kind| nals(access_unit).find(|nal| nal_type(nal) == kind);
    Some((find(NAL_SPS)?, find(NAL_PPS)?))
}

/// All SPS and PPS units of an access unit, in order.
pub fn all_parameter_sets(access_unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    nals(access_unit).filter(|nal| matches!(nal_type(nal), NAL_SPS | NAL_PPS))
}

/// The NAL units that an MP4 sample keeps: everything but SPS, PPS and access unit delimiters. Two access units hold the
/// same pictures when these are equal.
pub fn picture_nals(access_unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    nals(access_unit).filter(|nal| is_of_picture(nal))
}

fn is_of_picture(nal: &[u8]) -> bool {
    !matches!(nal_type(nal), NAL_SPS | NAL_PPS | NAL_ACCESS_UNIT_DELIMITER)
}

/// An access unit as an MP4 sample: every unit of [`picture_nals`] behind its length, 4 bytes big-endian.
///
/// # Errors
/// As [`AccessUnit::parse`].
pub fn to_avcc(access_unit: &[u8]) -> Result<Vec<u8>, WireError> {
    Ok(AccessUnit::parse(access_unit)?.avcc_parts().collect::<Vec<_>>().concat())
}

/// An MP4 sample as an access unit in Annex B form, with `parameter_sets` before its first IDR slice.
///
/// * `length_bytes`: 1 to 4, bytes of each NAL unit's length ([`AVCC_LENGTH_BYTES`] in files of our own).
///
/// # Errors
/// [`WireError::BadVideo`] when a length is zero or leads outside of the sample.
pub fn to_annex_b(sample: &[u8], length_bytes: usize, parameter_sets: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, WireError> {
    to_annex_b_before(sample, length_bytes, parameter_sets, |nal| nal_type(nal) == NAL_IDR)
}

/// As [`to_annex_b`], with the parameter sets before the first NAL unit that `begins`.
pub(crate) fn to_annex_b_before(
    sample: &[u8],
    length_bytes: usize,
    parameter_sets: &[impl AsRef<[u8]>],
    begins: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, WireError> {
    let bad = |reason: String| WireError::BadVideo { what: "length-prefixed sample", reason };
    let extra: usize = parameter_sets.iter().map(|set| set.as_ref().len() + START_CODE.len()).sum();
    let mut access_unit = Vec::with_capacity(sample.len() + extra);
    let (mut rest, mut sets_due) = (sample, true);
    while !rest.is_empty() {
        let at = sample.len() - rest.len();
        let (prefix, tail) = rest
            .split_at_checked(length_bytes)
            .filter(|_| (1..=AVCC_LENGTH_BYTES).contains(&length_bytes))
            .ok_or_else(|| bad(format!("byte {at}: {} bytes are left, a length has {length_bytes}", rest.len())))?;
        let length = prefix.iter().fold(0, |length: usize, byte| (length << 8) | usize::from(*byte));
        let (nal, tail) = tail
            .split_at_checked(length)
            .filter(|_| length > 0)
            .ok_or_else(|| bad(format!("byte {at}: a NAL unit of {length} bytes, {} bytes are left", tail.len())))?;
        if sets_due && begins(nal) {
            sets_due = false;
            for set in parameter_sets {
                access_unit.extend_from_slice(&START_CODE);
                access_unit.extend_from_slice(set.as_ref());
            }
        }
        access_unit.extend_from_slice(&START_CODE);
        access_unit.extend_from_slice(nal);
        rest = tail;
    }
    Ok(access_unit)
}

#[cfg(test)]
mod tests;
