//! H.265 access units, as far as they must be understood to be passed through.

use crate::{WireError, h264};

/// NAL unit types of pictures at which decoding can begin: BLA, IDR, CRA and the reserved ones between.
const NAL_RANDOM_ACCESS: std::ops::RangeInclusive<u8> = 16..=23;

fn begins(nal: &[u8]) -> bool {
    nal.first().is_some_and(|first| NAL_RANDOM_ACCESS.contains(&(first >> 1 & 0x3f)))
}

/// Whether decoding can begin at this access unit (Annex B): it has an intra random access picture.
pub fn is_keyframe(access_unit: &[u8]) -> bool {
    h264::nals(access_unit).any(begins)
}

/// An MP4 sample as an access unit in Annex B form, with `parameter_sets` (VPS, SPS, PPS) before its first random access
/// picture.
///
/// * `length_bytes`: 1 to 4, bytes of each NAL unit's length.
///
/// # Errors
/// [`WireError::BadVideo`] when a length is zero or leads outside of the sample.
pub fn to_annex_b(sample: &[u8], length_bytes: usize, parameter_sets: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, WireError> {
    h264::to_annex_b_before(sample, length_bytes, parameter_sets, begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_go_before_a_random_access_picture() {
        let sets = [[0x40, 1].as_slice(), &[0x42, 1], &[0x44, 1]];
        // A prefix SEI (39), then an IDR_N_LP (20).
        let key = to_annex_b(&[0, 2, 0x4e, 1, 0, 3, 0x28, 1, 9], 2, &sets).unwrap();
        let nals: Vec<&[u8]> = h264::nals(&key).collect();
        assert_eq!(nals, [&[0x4e, 1][..], &[0x40, 1], &[0x42, 1], &[0x44, 1], &[0x28, 1, 9]]);
        assert!(is_keyframe(&key));
        let trailing = to_annex_b(&[0, 3, 0x02, 1, 9], 2, &sets).unwrap();
        assert_eq!(trailing, [0, 0, 0, 1, 0x02, 1, 9]);
        assert!(!is_keyframe(&trailing));
        assert!(to_annex_b(&[0, 9, 0x02], 2, &sets).unwrap_err().to_string().contains("9 bytes"));
    }
}
