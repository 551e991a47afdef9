//! What is written down of every sample of a journal.

use sanqu_wire::SampleHeader;

use super::spool::Record;

/// One sample: what it is and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) recv_ns: i64,
    pub(crate) publish_ns: i64,
    /// Number of the zenoh encoding.
    pub(crate) encoding: u32,
    pub(crate) payload: Place,
    /// The header's bytes; empty where there were none.
    pub(crate) attachment: Place,
    pub(crate) grade: Grade,
}

/// Some bytes of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
}

/// What was seen of a sample while its journal was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grade {
    /// Something is unusual: header and payload have to be looked at.
    Unclear,
    /// No header, and a readable payload of this class and length.
    Bare { class: u16, rows: u32 },
    /// The checksum holds, the payload is readable and has as many rows as the header says.
    Whole { class: u16, header: SampleHeader },
}

const UNCLEAR: u8 = 0;
const BARE: u8 = 1;
const WHOLE: u8 = 2;

impl Record for Entry {
    const BYTES: usize = 8 + 8 + 4 + 2 * 16 + 1 + 2 + 36;

    fn encode(&self, to: &mut Vec<u8>) {
        to.extend(self.recv_ns.to_le_bytes());
        to.extend(self.publish_ns.to_le_bytes());
        to.extend(self.encoding.to_le_bytes());
        for place in [self.payload, self.attachment] {
            to.extend(place.segment.to_le_bytes());
            to.extend(place.offset.to_le_bytes());
            to.extend(place.bytes.to_le_bytes());
        }
        let (grade, class, header) = match &self.grade {
            Grade::Unclear => (UNCLEAR, 0, SampleHeader::default()),
            Grade::Bare { class, rows } => (BARE, *class, SampleHeader { rows: *rows, ..SampleHeader::default() }),
            Grade::Whole { class, header } => (WHOLE, *class, *header),
        };
        to.push(grade);
        to.extend(class.to_le_bytes());
        to.extend(header.flags.to_le_bytes());
        to.extend(header.rows.to_le_bytes());
        to.extend(header.boot.to_le_bytes());
        to.extend(header.seq.to_le_bytes());
        to.extend(header.capture_ns.to_le_bytes());
        to.extend(header.clock.to_le_bytes());
        to.extend(header.schema_id.to_le_bytes());
    }

    fn decode(from: &[u8]) -> Self {
        let mut fields = Fields(from);
        let (recv_ns, publish_ns) = (fields.i64(), fields.i64());
        let encoding = fields.u32();
        let [payload, attachment] = std::array::from_fn(|_| Place { segment: fields.u32(), offset: fields.u64(), bytes: fields.u32() });
        let [grade] = fields.take();
        let class = fields.u16();
        let header = SampleHeader {
            flags: fields.u16(),
            rows: fields.u32(),
            boot: fields.u64(),
            seq: fields.u64(),
            capture_ns: fields.i64(),
            clock: fields.u16(),
            schema_id: fields.u32(),
        };
        let grade = match grade {
            BARE => Grade::Bare { class, rows: header.rows },
            WHOLE => Grade::Whole { class, header },
            _ => Grade::Unclear,
        };
        Self { recv_ns, publish_ns, encoding, payload, attachment, grade }
    }
}

/// Little-endian numbers one after the other; zeros behind the end.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (first, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        *first
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_survive(recv_ns: i64, publish_ns: i64, encoding: u32, places: [(u32, u64, u32); 2], grade in 0..3, class: u16,
                           flags: u16, rows: u32, boot: u64, seq: u64, capture_ns: i64, clock: u16, schema_id: u32) {
            let [payload, attachment] = places.map(|(segment, offset, bytes)| Place { segment, offset, bytes });
            let grade = match grade {
                0 => Grade::Unclear,
                1 => Grade::Bare { class, rows },
                _ => Grade::Whole { class, header: SampleHeader { flags, rows, boot, seq, capture_ns, clock, schema_id } },
            };
            let entry = Entry { recv_ns, publish_ns, encoding, payload, attachment, grade };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            prop_assert_eq!(bytes.len(), Entry::BYTES);
            prop_assert_eq!(Entry::decode(&bytes), entry);
        }
    }
}
