use crate::WireError;
use crate::rows::ROWS_MAX;

/// Size of the header that every sample carries as its attachment.
pub const HEADER_BYTES: usize = 48;
/// Flag: decoding can begin at this picture.
pub const FLAG_KEYFRAME: u16 = 1;
/// Flag: the last sample of this boot.
pub const FLAG_LAST: u16 = 2;
/// Clock id: nobody said.
pub const CLOCK_UNKNOWN: u16 = 0;
/// Clock id: the robot's own clock.
pub const CLOCK_ROBOT: u16 = 1;
/// Clock id: a clock disciplined by PTP.
pub const CLOCK_PTP: u16 = 2;
/// Clock id: the receiver's clock, for sources that have none.
pub const CLOCK_RECEIVER: u16 = 3;

const VERSION: u16 = 1;
const CRC_OFFSET: usize = 44;
/// Boot ids stay exact in every JSON reader.
const BOOT_END: u64 = 1 << 53;
/// Sequences, too, stay exact in every JSON reader; and sums of what robots claim stay far from overflow.
pub const SEQ_END: u64 = 1 << 53;

/// The 48-byte header of a sample, little-endian, version 1: who counted these rows, and when they were captured.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u16 | version = 1 |
/// | 2 | u16 | flags |
/// | 4 | u32 | rows |
/// | 8 | u64 | boot |
/// | 16 | u64 | seq |
/// | 24 | i64 | capture_ns |
/// | 32 | u16 | clock |
/// | 34 | u16 | zero |
/// | 36 | u32 | schema_id |
/// | 40 | u32 | zero |
/// | 44 | u32 | CRC-32 (IEEE) of bytes 0 to 43 and the payload |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleHeader {
    /// [`FLAG_KEYFRAME`], [`FLAG_LAST`]; bits that this version does not know are kept.
    pub flags: u16,
    /// Rows in the payload; 1 for a picture.
    pub rows: u32,
    /// Random number of this start of the publisher, below 2^53.
    pub boot: u64,
    /// Sequence of the first row, from 0 per boot and stream.
    pub seq: u64,
    /// Capture time of the first row, ns since the Unix epoch, as the stream's clock said it.
    pub capture_ns: i64,
    /// Clock id: 0 unknown, 1 robot, 2 PTP, 3 receiver.
    pub clock: u16,
    /// CRC-32 of the stream description's schema.
    pub schema_id: u32,
}

impl SampleHeader {
    /// The header's bytes, with the checksum over it and `payload`.
    pub fn encode(&self, payload: &[u8]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &VERSION.to_le_bytes());
        put(2, &self.flags.to_le_bytes());
        put(4, &self.rows.to_le_bytes());
        put(8, &self.boot.to_le_bytes());
        put(16, &self.seq.to_le_bytes());
        put(24, &self.capture_ns.to_le_bytes());
        put(32, &self.clock.to_le_bytes());
        put(36, &self.schema_id.to_le_bytes());
        let crc = checksum(&bytes, payload);
        bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header without looking at the payload; the checksum is not compared.
    ///
    /// # Errors
    /// [`WireError::BadHeader`] naming the field: length, version, a reserved field that is not zero, an unknown clock,
    /// a boot id of 2^53 or more, more than [`ROWS_MAX`] rows, a row whose sequence is [`SEQ_END`] or more.
    pub fn decode(attachment: &[u8]) -> Result<Self, WireError> {
        let bytes: &[u8; HEADER_BYTES] =
            attachment.try_into().map_err(|_| bad("length", format!("{HEADER_BYTES} bytes"), format!("{} bytes", attachment.len())))?;
        let version = u16::from_le_bytes(array(bytes, 0));
        if version != VERSION {
            return Err(bad("version", VERSION, version));
        }
        let (zero_16, zero_32) = (u16::from_le_bytes(array(bytes, 34)), u32::from_le_bytes(array(bytes, 40)));
        if zero_16 != 0 {
            return Err(bad("bytes 34 to 35", 0, zero_16));
        }
        if zero_32 != 0 {
            return Err(bad("bytes 40 to 43", 0, zero_32));
        }
        let header = Self {
            flags: u16::from_le_bytes(array(bytes, 2)),
            rows: u32::from_le_bytes(array(bytes, 4)),
            boot: u64::from_le_bytes(array(bytes, 8)),
            seq: u64::from_le_bytes(array(bytes, 16)),
            capture_ns: i64::from_le_bytes(array(bytes, 24)),
            clock: u16::from_le_bytes(array(bytes, 32)),
            schema_id: u32::from_le_bytes(array(bytes, 36)),
        };
        if header.clock > CLOCK_RECEIVER {
            return Err(bad("clock", format!("0 to {CLOCK_RECEIVER}"), header.clock));
        }
        if header.boot >= BOOT_END {
            return Err(bad("boot", "a number below 2^53", header.boot));
        }
        if usize::try_from(header.rows).map_or(true, |rows| rows > ROWS_MAX) {
            return Err(bad("rows", format!("at most {ROWS_MAX}"), header.rows));
        }
        if header.next_seq() > SEQ_END {
            return Err(bad("seq", "rows numbered below 2^53", header.seq));
        }
        Ok(header)
    }

    /// Reads a header and compares its checksum with the bytes of header and payload.
    ///
    /// # Errors
    /// As [`SampleHeader::decode`]; [`WireError::Checksum`] when the bytes were changed on the way. The checksum is
    /// compared first, except for the length: a damaged header is reported as damage, not as whatever it now says.
    pub fn decode_checked(attachment: &[u8], payload: &[u8]) -> Result<Self, WireError> {
        if let Ok(bytes) = <&[u8; HEADER_BYTES]>::try_from(attachment) {
            let (expected, found) = (u32::from_le_bytes(array(bytes, CRC_OFFSET)), checksum(bytes, payload));
            if expected != found {
                return Err(WireError::Checksum { expected, found });
            }
        }
        Self::decode(attachment)
    }

    /// Whether decoding can begin at this picture.
    pub fn keyframe(&self) -> bool {
        self.flags & FLAG_KEYFRAME != 0
    }

    /// Whether this is the last sample of its boot.
    pub fn last(&self) -> bool {
        self.flags & FLAG_LAST != 0
    }

    /// Sequence that the next payload of this boot and stream begins with.
    pub fn next_seq(&self) -> u64 {
        self.seq.saturating_add(u64::from(self.rows))
    }
}

fn checksum(header: &[u8; HEADER_BYTES], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..CRC_OFFSET]);
    crc.update(payload);
    crc.finalize()
}

fn bad(field: &'static str, expected: impl ToString, found: impl ToString) -> WireError {
    WireError::BadHeader { field, expected: expected.to_string(), found: found.to_string() }
}

/// The `N` bytes at a fixed offset of the header.
fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: SampleHeader = SampleHeader {
        flags: FLAG_KEYFRAME,
        rows: 10,
        boot: 0x0012_3456_789a_bcde,
        seq: 500,
        capture_ns: 1_745_041_096_123_456_789,
        clock: CLOCK_PTP,
        schema_id: 0xcafe_f00d,
    };

    /// Made with Python: `struct.pack("<HHIQQqHHII", …)` and `zlib.crc32(head + b"payload")`.
    const BYTES: &str = "010001000a000000debc9a7856341200f401000000000000159de59ca1a13718020000000df0feca00000000fb58c171";

    #[track_caller]
    fn refuses(at: usize, value: u8, part: &str) {
        let mut bytes = HEADER.encode(b"");
        bytes[at] = value;
        let error = SampleHeader::decode(&bytes).unwrap_err().to_string();
        assert!(error.contains(part), "{error} should name {part:?}");
    }

    #[test]
    fn the_bytes_are_those_of_a_python_publisher() {
        let hex: String = HEADER.encode(b"payload").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, BYTES);
    }

    #[test]
    fn every_checked_field_is_named() {
        refuses(0, 2, "version: expected 1, found 2");
        refuses(32, 4, "clock: expected 0 to 3, found 4");
        refuses(34, 1, "bytes 34 to 35");
        refuses(41, 1, "bytes 40 to 43");
        refuses(14, 0x20, "boot: expected a number below 2^53");
        refuses(7, 1, "rows: expected at most 65536");
        for seq in [SEQ_END - 9, u64::MAX - 9] {
            let absurd = SampleHeader { seq, ..HEADER }.encode(b"");
            assert!(SampleHeader::decode(&absurd).unwrap_err().to_string().contains("seq: expected rows numbered below 2^53"));
        }
        assert!(SampleHeader::decode(&SampleHeader { seq: SEQ_END - 10, ..HEADER }.encode(b"")).is_ok());
        assert!(SampleHeader::decode(&[1; 47]).unwrap_err().to_string().contains("expected 48 bytes, found 47 bytes"));
    }

    proptest! {
        #[test]
        fn headers_survive(flags: u16, rows in 0u32..=65536, boot in 0..BOOT_END, seq in 0..SEQ_END - 65536, capture_ns: i64,
                           clock in 0u16..=3, schema_id: u32, payload: Vec<u8>) {
            let header = SampleHeader { flags, rows, boot, seq, capture_ns, clock, schema_id };
            prop_assert_eq!(SampleHeader::decode_checked(&header.encode(&payload), &payload).unwrap(), header);
        }

        #[test]
        fn one_flipped_bit_is_noticed(bit in 0usize..(HEADER_BYTES + 7) * 8) {
            let mut message = [HEADER.encode(b"payload").as_slice(), b"payload"].concat();
            message[bit / 8] ^= 1 << (bit % 8);
            let (head, payload) = message.split_at(HEADER_BYTES);
            let checked = SampleHeader::decode_checked(head, payload);
            prop_assert!(matches!(checked, Err(WireError::Checksum { .. })), "{:?}", checked);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, payload: Vec<u8>) {
            prop_assert!(SampleHeader::decode_checked(&bytes, &payload).is_err());
        }
    }
}
