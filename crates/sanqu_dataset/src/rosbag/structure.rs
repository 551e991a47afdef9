//! The outer structure of a ROS 1 bag, checked before its content is read.
//!
//! The library that reads chunks trusts the index position, allocates what a chunk claims and unpacks LZ4 without a
//! limit. This pass walks the records once, bounds every length, and knows at which byte something is wrong.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::DatasetError;

/// The largest record header; real ones have some hundred bytes.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// The largest chunk, packed or unpacked; `rosbag record` writes 768 kB unless told otherwise.
const CHUNK_BYTES_MAX: u64 = 256 << 20;
const MAGIC: &[u8] = b"#ROSBAG V2.0\n";

const OP_BAG_HEADER: u8 = 0x03;
const OP_INDEX: u8 = 0x04;
const OP_CHUNK: u8 = 0x05;
const OP_CHUNK_INFO: u8 = 0x06;
const OP_CONNECTION: u8 = 0x07;

/// Where a bag's chunks are.
#[derive(Debug)]
pub(super) struct Structure {
    /// Offset of each chunk record, in file order.
    pub(super) chunks: Vec<u64>,
}

/// A record's header and the place of its data.
struct RecordHead {
    offset: u64,
    fields: Vec<(String, Vec<u8>)>,
    data_offset: u64,
    data_bytes: u64,
}

impl RecordHead {
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    fn u32(&self, name: &str) -> Option<u64> {
        Some(u64::from(u32::from_le_bytes(self.field(name)?.try_into().ok()?)))
    }
}

struct Walker {
    path: PathBuf,
    file: BufReader<File>,
    bytes: u64,
}

/// Walks all records of a bag.
///
/// # Errors
/// [`DatasetError::Bag`] naming file, byte and what was expected: no bag, a bag that was cut off or never closed, a length
/// that leads outside or is larger than any real bag's.
pub(super) fn check(path: &Path) -> Result<Structure, DatasetError> {
    let io = |source| DatasetError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let mut walker = Walker { path: path.to_owned(), file: BufReader::new(file), bytes };
    let mut magic = vec![0; MAGIC.len()];
    walker.read_at(0, &mut magic)?;
    if magic != MAGIC {
        return Err(walker.bad(0, "expected \"#ROSBAG V2.0\": this is no ROS 1 bag"));
    }
    let head = walker.record(MAGIC.len() as u64)?;
    let index_pos = head.field("index_pos").and_then(|value| value.try_into().ok()).map(u64::from_le_bytes);
    let (Some([OP_BAG_HEADER]), Some(index_pos), Some(chunk_count)) = (head.field("op"), index_pos, head.u32("chunk_count")) else {
        return Err(walker.bad(head.offset, "expected a bag header with index_pos and chunk_count"));
    };
    if index_pos == 0 {
        return Err(walker.bad(head.offset, "the bag was never closed and has no index; `rosbag reindex` makes one"));
    }
    let mut offset = head.data_offset + head.data_bytes;
    if index_pos < offset || index_pos > bytes {
        return Err(walker.bad(head.offset, &format!("the index should be at byte {index_pos}, but the file has {bytes}: it was cut off")));
    }
    let mut chunks = Vec::new();
    while offset < bytes {
        let record = walker.record(offset)?;
        let in_index = offset >= index_pos;
        match record.field("op") {
            Some([OP_CHUNK]) if !in_index => {
                walker.check_chunk(&record)?;
                chunks.push(offset);
            }
            Some([OP_INDEX]) if !in_index => {}
            Some([OP_CONNECTION | OP_CHUNK_INFO]) if in_index => {}
            _ => return Err(walker.bad(offset, if in_index { "not a record of the index" } else { "not a chunk or its index" })),
        }
        let next = record.data_offset + record.data_bytes;
        if offset < index_pos && next > index_pos {
            return Err(walker.bad(offset, "this record leads past the beginning of the index"));
        }
        offset = next;
    }
    if chunks.len() as u64 != chunk_count {
        return Err(walker.bad(head.offset, &format!("the header says {chunk_count} chunks, there are {}", chunks.len())));
    }
    Ok(Structure { chunks })
}

impl Walker {
    fn bad(&self, offset: u64, reason: &str) -> DatasetError {
        DatasetError::Bag { path: self.path.clone(), offset, reason: reason.to_owned() }
    }

    /// Reads exactly; a file that ends before is cut off.
    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<(), DatasetError> {
        let left = self.bytes.saturating_sub(offset);
        if (out.len() as u64) > left {
            return Err(self.bad(offset, &format!("expected {} bytes, the file has {left} more: it was cut off", out.len())));
        }
        let path = self.path.clone();
        self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.read_exact(out)).map_err(|source| DatasetError::Io { path, source })
    }

    fn length_at(&mut self, offset: u64) -> Result<u64, DatasetError> {
        let mut bytes = [0; 4];
        self.read_at(offset, &mut bytes)?;
        Ok(u64::from(u32::from_le_bytes(bytes)))
    }

    fn record(&mut self, offset: u64) -> Result<RecordHead, DatasetError> {
        let header_bytes = self.length_at(offset)?;
        if header_bytes > HEADER_BYTES_MAX {
            return Err(self.bad(offset, &format!("a record header of {header_bytes} bytes; at most {HEADER_BYTES_MAX} are read")));
        }
        let mut header = vec![0; usize::try_from(header_bytes).unwrap_or(usize::MAX)];
        self.read_at(offset + 4, &mut header)?;
        let fields = fields(&header).ok_or_else(|| self.bad(offset, "a record header that is no list of name=value fields"))?;
        let data_bytes = self.length_at(offset + 4 + header_bytes)?;
        let data_offset = offset + 8 + header_bytes;
        if data_bytes > self.bytes - data_offset {
            let left = self.bytes - data_offset;
            return Err(self.bad(offset, &format!("a record of {data_bytes} bytes, the file has {left} more: it was cut off")));
        }
        Ok(RecordHead { offset, fields, data_offset, data_bytes })
    }

    fn check_chunk(&mut self, record: &RecordHead) -> Result<(), DatasetError> {
        let size = record.u32("size").ok_or_else(|| self.bad(record.offset, "a chunk without its size"))?;
        let larger = size.max(record.data_bytes);
        if larger > CHUNK_BYTES_MAX {
            return Err(self.bad(record.offset, &format!("a chunk of {larger} bytes; at most {CHUNK_BYTES_MAX} are read")));
        }
        match record.field("compression") {
            Some(b"none" | b"bz2") => Ok(()),
            Some(b"lz4") => {
                let mut packed = vec![0; usize::try_from(record.data_bytes).unwrap_or(usize::MAX)];
                self.read_at(record.data_offset, &mut packed)?;
                match lz4_bytes_max(&packed) {
                    Some(bytes) if bytes <= 2 * CHUNK_BYTES_MAX => Ok(()),
                    Some(bytes) => Err(self.bad(record.offset, &format!("LZ4 data that may unpack to {bytes} bytes"))),
                    None => Err(self.bad(record.offset, "LZ4 data that is no single, complete LZ4 frame")),
                }
            }
            _ => Err(self.bad(record.offset, "a chunk whose compression is not none, bz2 or lz4")),
        }
    }
}

fn fields(mut header: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut fields = Vec::new();
    while !header.is_empty() {
        let (length, rest) = header.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        let equals = field.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
        let name = std::str::from_utf8(field.get(..equals)?).ok()?;
        fields.push((name.to_owned(), field.get(equals + 1..)?.to_vec()));
        header = rest;
    }
    Some(fields)
}

/// The most bytes that an LZ4 frame can unpack to: its blocks times the size that its descriptor allows a block. None
/// when it is no frame, or does not end with the data.
fn lz4_bytes_max(packed: &[u8]) -> Option<u64> {
    let (magic, rest) = packed.split_first_chunk::<4>()?;
    let (&[flags, block_sizes], rest) = rest.split_first_chunk::<2>()?;
    if u32::from_le_bytes(*magic) != 0x184D_2204 || flags >> 6 != 1 {
        return None;
    }
    let has = |bit: u8| usize::from(flags >> bit & 1);
    let block_bytes = match block_sizes >> 4 & 7 {
        size @ 4..=7 => 1u64 << (8 + 2 * u32::from(size)),
        _ => return None,
    };
    // Content size, dictionary id, header checksum.
    let (_, mut rest) = rest.split_at_checked(8 * has(3) + 4 * has(0) + 1)?;
    let mut blocks = 0u64;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        if length == 0 {
            return (after.len() == 4 * has(2)).then_some(blocks * block_bytes);
        }
        let length = usize::try_from(length & 0x7fff_ffff).ok()?;
        (_, rest) = after.split_at_checked(length + 4 * has(4))?;
        blocks += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lz4_frames_are_bounded_without_unpacking() {
        // lz4.frame.compress(b"abc"): one block of 3 plain bytes, 64 kB blocks, no checksums.
        let frame = [4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 3, 0, 0, 0x80, b'a', b'b', b'c', 0, 0, 0, 0];
        assert_eq!(lz4_bytes_max(&frame), Some(65536));
        for cut in 0..frame.len() {
            assert_eq!(lz4_bytes_max(&frame[..cut]), None, "{cut}");
        }
        assert_eq!(lz4_bytes_max(&[&frame[..], &frame[..]].concat()), None);
    }

    #[test]
    fn header_fields_are_read_or_refused() {
        assert_eq!(fields(b"\x04\0\0\0op=\x05").unwrap(), [("op".to_owned(), vec![5])]);
        assert!(fields(b"\xff\0\0\0op=\x05").is_none());
        assert!(fields(b"\x01\0\0\0=").is_none());
    }
}
