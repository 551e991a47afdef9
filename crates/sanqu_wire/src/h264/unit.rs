use super::{AVCC_LENGTH_BYTES, NAL_IDR, NAL_PPS, NAL_SPS, is_b_slice, is_of_picture, nal_type, nals};
use crate::WireError;

/// An access unit that holds a picture, with its NAL units found: the bytes are searched for start codes once.
#[derive(Clone, Debug)]
pub struct AccessUnit<'a> {
    units: Vec<Unit<'a>>,
}

#[derive(Clone, Debug)]
struct Unit<'a> {
    length: [u8; AVCC_LENGTH_BYTES],
    nal: &'a [u8],
}

impl<'a> AccessUnit<'a> {
    /// Finds the NAL units of an access unit in Annex B form.
    ///
    /// # Errors
    /// [`WireError::BadVideo`] when the bytes do not begin with a start code, or hold no picture.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let bad = |reason: &str| WireError::BadVideo { what: "access unit", reason: reason.to_owned() };
        let lead = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        if lead < 2 || bytes.get(lead) != Some(&1) {
            return Err(bad("it does not begin with a start code 00 00 01 or 00 00 00 01"));
        }
        let unit = |nal: &'a [u8]| -> Result<Unit<'a>, WireError> {
            let length = u32::try_from(nal.len()).map_err(|_| bad("a NAL unit is larger than 4 GiB"))?.to_be_bytes();
            Ok(Unit { length, nal })
        };
        let units = nals(bytes).map(unit).collect::<Result<Vec<_>, WireError>>()?;
        if !units.iter().any(|unit| is_of_picture(unit.nal)) {
            return Err(bad("it has no picture"));
        }
        Ok(Self { units })
    }

    /// As [`is_keyframe`](super::is_keyframe).
    pub fn is_keyframe(&self) -> bool {
        self.units.iter().any(|unit| nal_type(unit.nal) == NAL_IDR)
    }

    /// As [`has_b_slice`](super::has_b_slice).
    pub fn has_b_slice(&self) -> bool {
        self.units.iter().any(|unit| is_b_slice(unit.nal))
    }

    /// All SPS and PPS units, in order.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &'a [u8]> {
        self.units.iter().map(|unit| unit.nal).filter(|nal| matches!(nal_type(nal), NAL_SPS | NAL_PPS))
    }

    /// The MP4 sample in parts: [`to_avcc`](super::to_avcc) gives them joined.
    pub fn avcc_parts(&self) -> impl Iterator<Item = &[u8]> {
        self.units.iter().filter(|unit| is_of_picture(unit.nal)).flat_map(|unit| [&unit.length[..], unit.nal])
    }
}
