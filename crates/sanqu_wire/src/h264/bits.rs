use crate::WireError;

/// Reads bits of a NAL unit's payload, most significant first, skipping emulation prevention bytes (`00 00 03`).
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Index of the byte being read.
    at: usize,
    bit: u32,
    zeros: u32,
}

impl<'a> BitReader<'a> {
    /// * `bytes`: the NAL unit after its first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, bit: 0, zeros: 0 }
    }

    pub(super) fn bit(&mut self) -> Result<u32, WireError> {
        if self.bit == 0 && self.zeros >= 2 && self.bytes.get(self.at) == Some(&3) {
            self.at += 1;
            self.zeros = 0;
        }
        let byte = *self.bytes.get(self.at).ok_or_else(|| bad("it ends too early"))?;
        let bit = (byte >> (7 - self.bit)) & 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.at += 1;
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
        }
        Ok(bit.into())
    }

    pub(super) fn flag(&mut self) -> Result<bool, WireError> {
        Ok(self.bit()? == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, WireError> {
        (0..count).try_fold(0, |value: u32, _| Ok((value << 1) | self.bit()?))
    }

    /// An unsigned exp-Golomb number.
    pub(super) fn ue(&mut self) -> Result<u32, WireError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(bad("an exp-Golomb number has more than 32 bits"));
            }
        }
        // At most 2^31 - 1 + (2^31 - 1).
        Ok((1u32 << zeros) - 1 + self.bits(zeros)?)
    }

    /// A signed exp-Golomb number.
    pub(super) fn se(&mut self) -> Result<i64, WireError> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

pub(super) fn bad(reason: impl Into<String>) -> WireError {
    WireError::BadVideo { what: "SPS", reason: reason.into() }
}
