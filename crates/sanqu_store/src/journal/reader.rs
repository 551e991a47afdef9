use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use mcap::records::{Channel, Record, op};

use super::SEGMENT_MARK;
use super::format::{CHUNK_HEADER_BYTES, FRAME_BYTES, MESSAGE_HEADER_BYTES};
use super::parse::parse;
use crate::StoreError;
use crate::error::IoContext;

/// The longest record that is read, in bytes: a chunk that one payload of the largest size fits into.
const RECORD_BYTES_MAX: u64 = super::PAYLOAD_BYTES_MAX as u64 + (64 << 20);
/// The footer's body: two offsets and a checksum.
const FOOTER_BYTES: usize = 20;
/// The longest record of a channel in a search: topic, encoding twice and some numbers.
const CHANNEL_BYTES_MAX: u64 = 16 << 10;
/// Message definitions before the first channel of a chunk, at most.
const SCHEMAS_BEFORE_MAX: usize = 4;
/// Read at once while looking for the next whole chunk.
const SEARCH_BYTES: usize = 1 << 20;

/// A message and where its data lies in the file.
pub(super) struct Message<'a> {
    pub(super) channel: &'a Arc<Channel>,
    pub(super) log_ns: i64,
    pub(super) publish_ns: i64,
    pub(super) data: &'a [u8],
    pub(super) offset: u64,
}

/// What of a journal segment could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Bytes behind the last complete record: the write that a crash cut off.
    pub(crate) torn_bytes: u64,
    /// Places in the middle where chunks are damaged or missing.
    pub(crate) bad_chunks: u64,
    /// Messages whose channel record was in a bad chunk.
    pub(crate) orphans: u64,
}

impl Damage {
    pub(crate) fn add(&mut self, other: Self) {
        self.torn_bytes += other.torn_bytes;
        self.bad_chunks += other.bad_chunks;
        self.orphans += other.orphans;
    }
}

type Visit<'v> = &'v mut dyn FnMut(Message<'_>) -> Result<(), StoreError>;

/// Reads a segment from its beginning to its end, whatever a crash or a bad disk made of parts of it: behind a damaged part
/// it goes on with the next whole chunk.
///
/// Every length is checked against the file's size and a limit before anything is allocated for it.
pub(super) fn read(path: &Path, visit: Visit<'_>) -> Result<Damage, StoreError> {
    let file = File::open(path).at("open", path)?;
    let size = file.metadata().at("read", path)?.len();
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut pass = Pass { path, mark: None, channels: BTreeMap::new(), damage: Damage::default(), visit };
    let mut position = mcap::MAGIC.len() as u64;
    let mut magic = [0; mcap::MAGIC.len()];
    if size < position || input.read_exact(&mut magic).is_err() || magic != mcap::MAGIC {
        return Ok(Damage { torn_bytes: size, ..Damage::default() });
    }
    let (mut body, mut last_bad) = (Vec::new(), None);
    while let Some(record) = frame(&mut input, path, position..size)? {
        let data_offset = position + FRAME_BYTES as u64;
        let bad_before = pass.damage.bad_chunks;
        let is_record = match record {
            Framed::End => return Ok(pass.damage),
            Framed::Broken => false,
            Framed::Body { code, bytes } => {
                body.resize(bytes, 0);
                input.read_exact(&mut body).at("read", path)?;
                let is_record = pass.body(code, &body, data_offset)?;
                if is_record {
                    last_bad = (pass.damage.bad_chunks > bad_before).then_some(position);
                    position = data_offset + bytes as u64;
                }
                is_record
            }
        };
        if !is_record {
            // A damaged chunk may have lied about its length.
            let from = last_bad.unwrap_or(position) + 1;
            let Some(found) = pass.next_chunk(input.get_ref(), from..size)? else { break };
            if last_bad.take().is_none() && pass.damage.bad_chunks == bad_before {
                pass.damage.bad_chunks += 1;
            }
            position = input.seek(SeekFrom::Start(found)).at("read", path)?;
        }
    }
    pass.damage.torn_bytes = size - position;
    Ok(pass.damage)
}

/// What the nine bytes before a record say.
enum Framed {
    Body {
        code: u8,
        bytes: usize,
    },
    /// The chunks end here, in an orderly way.
    End,
    /// No record of a journal.
    Broken,
}

/// Reads a record's frame; none at the end of the file.
fn frame(input: &mut BufReader<File>, path: &Path, rest: Range<u64>) -> Result<Option<Framed>, StoreError> {
    let left = rest.end - rest.start;
    let mut frame = [0; FRAME_BYTES];
    if left == 0 {
        return Ok(None);
    }
    if left < FRAME_BYTES as u64 {
        return Ok(Some(Framed::Broken));
    }
    input.read_exact(&mut frame).at("read", path)?;
    let [code, length @ ..] = frame;
    let length = u64::from_le_bytes(length);
    if length > RECORD_BYTES_MAX || length > left - FRAME_BYTES as u64 {
        return Ok(Some(Framed::Broken));
    }
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Some(match code {
        op::HEADER | op::SCHEMA | op::CHANNEL | op::MESSAGE | op::CHUNK | op::MESSAGE_INDEX => Framed::Body { code, bytes },
        // A chunk whose code was changed to this one is not as short as this.
        op::DATA_END if length == 4 && is_closed(input.get_ref(), rest.end) => Framed::End,
        _ => Framed::Broken,
    }))
}

/// Whether the file ends with a footer.
fn is_closed(file: &File, size: u64) -> bool {
    let mut end = [0; FRAME_BYTES + FOOTER_BYTES + mcap::MAGIC.len()];
    let read = size.checked_sub(end.len() as u64).map(|at| file.read_exact_at(&mut end, at));
    read.is_some_and(|read| read.is_ok())
        && end[0] == op::FOOTER
        && end[1..9] == (FOOTER_BYTES as u64).to_le_bytes()
        && end.ends_with(mcap::MAGIC)
}

struct Pass<'a> {
    path: &'a Path,
    /// The random number that all channels of the segment have.
    mark: Option<String>,
    /// The last record of each channel, and its bytes: every chunk repeats them.
    channels: BTreeMap<u16, (Box<[u8]>, Arc<Channel>)>,
    damage: Damage,
    visit: Visit<'a>,
}

impl Pass<'_> {
    /// The place of the segment's next chunk that is whole, in a part of the file in which lengths lead nowhere.
    fn next_chunk(&self, file: &File, within: Range<u64>) -> Result<Option<u64>, StoreError> {
        const HEAD_BYTES: usize = FRAME_BYTES + CHUNK_HEADER_BYTES;
        let Some(mark) = &self.mark else { return Ok(None) };
        let (mut window, mut data) = (vec![0; SEARCH_BYTES], Vec::new());
        let mut from = within.start;
        while within.end.saturating_sub(from) >= HEAD_BYTES as u64 {
            let bytes = usize::try_from(within.end - from).unwrap_or(usize::MAX).min(SEARCH_BYTES);
            file.read_exact_at(&mut window[..bytes], from).at("read", self.path)?;
            for (at, head) in window[..bytes].windows(HEAD_BYTES).enumerate().filter(|(_, head)| head[0] == op::CHUNK) {
                let place = from + at as u64;
                let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
                let (length, records) = (number(1), number(41));
                let fits = length == records.saturating_add(CHUNK_HEADER_BYTES as u64)
                    && number(25) == records
                    && head[37..41] == [0; 4]
                    && length <= RECORD_BYTES_MAX.min(within.end - place - FRAME_BYTES as u64);
                if !fits {
                    continue;
                }
                // The mark first: a payload full of what looks like chunks must not make this read its rest for each of them.
                if self.mark_at(file, place + HEAD_BYTES as u64..place + FRAME_BYTES as u64 + length)?.as_ref() != Some(mark) {
                    continue;
                }
                data.resize(usize::try_from(records).unwrap_or(usize::MAX), 0);
                file.read_exact_at(&mut data, place + HEAD_BYTES as u64).at("read", self.path)?;
                if head[33..37] == crc32fast::hash(&data).to_le_bytes() {
                    return Ok(Some(place));
                }
            }
            from += (bytes - HEAD_BYTES + 1) as u64;
        }
        Ok(None)
    }

    /// The mark in the first channel record among a chunk's records, which only a message definition may precede.
    fn mark_at(&self, file: &File, mut records: Range<u64>) -> Result<Option<String>, StoreError> {
        let mut record = Vec::new();
        for _ in 0..=SCHEMAS_BEFORE_MAX {
            let mut frame = [0; FRAME_BYTES];
            let Some(left) = records.end.checked_sub(records.start + FRAME_BYTES as u64) else { return Ok(None) };
            file.read_exact_at(&mut frame, records.start).at("read", self.path)?;
            let [code, length @ ..] = frame;
            let (length, body) = (u64::from_le_bytes(length), records.start + FRAME_BYTES as u64);
            match code {
                op::SCHEMA if length <= left => records.start = body + length,
                op::CHANNEL if length <= left.min(CHANNEL_BYTES_MAX) => {
                    record.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
                    file.read_exact_at(&mut record, body).at("read", self.path)?;
                    let Some(Record::Channel(channel)) = parse(code, &record) else { return Ok(None) };
                    return Ok(channel.metadata.get(SEGMENT_MARK).cloned());
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Reads a record; false when it cannot be one.
    fn body(&mut self, code: u8, body: &[u8], offset: u64) -> Result<bool, StoreError> {
        match code {
            op::CHUNK => {
                self.chunk(body, offset)?;
                // With another length than its own it may be whole, but what follows is not where the length says.
                let records =
                    body.get(CHUNK_HEADER_BYTES - 8..CHUNK_HEADER_BYTES).map(|r| u64::from_le_bytes(std::array::from_fn(|i| r[i])));
                Ok(records.is_some_and(|records| records.saturating_add(CHUNK_HEADER_BYTES as u64) == body.len() as u64))
            }
            // Its entries fill it: a chunk that was changed into one would be skipped without a word.
            op::MESSAGE_INDEX => {
                let entries = body.get(2..6).map(|bytes| u32::from_le_bytes(std::array::from_fn(|i| bytes[i])));
                Ok(entries.is_some_and(|bytes| u64::from(bytes) + 6 == body.len() as u64))
            }
            op::CHANNEL | op::MESSAGE => self.record(code, body, offset).map(|()| true),
            other => Ok(parse(other, body).is_some()),
        }
    }

    fn chunk(&mut self, body: &[u8], body_offset: u64) -> Result<(), StoreError> {
        let Some(Record::Chunk { header, data }) = parse(op::CHUNK, body) else {
            self.damage.bad_chunks += 1;
            return Ok(());
        };
        if !header.compression.is_empty() {
            let reason = format!("chunks compressed with {:?} are not supported", header.compression);
            return Err(StoreError::damaged(self.path, reason));
        }
        if header.uncompressed_crc != 0 && crc32fast::hash(&data) != header.uncompressed_crc {
            self.damage.bad_chunks += 1;
            return Ok(());
        }
        let data_offset = body_offset + CHUNK_HEADER_BYTES as u64;
        let mut rest: &[u8] = &data;
        while let Some(([code, length @ ..], behind)) = rest.split_first_chunk::<FRAME_BYTES>() {
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((record, behind)) = behind.split_at_checked(length) else {
                self.damage.bad_chunks += 1;
                return Ok(());
            };
            let offset = data_offset + (data.len() - rest.len() + FRAME_BYTES) as u64;
            self.record(*code, record, offset)?;
            rest = behind;
        }
        Ok(())
    }

    fn record(&mut self, code: u8, body: &[u8], offset: u64) -> Result<(), StoreError> {
        match code {
            op::CHANNEL => self.channel(body),
            op::MESSAGE => {
                let Some((header, data)) = body.split_first_chunk::<MESSAGE_HEADER_BYTES>() else {
                    self.damage.bad_chunks += 1;
                    return Ok(());
                };
                let Some((_, channel)) = self.channels.get(&u16::from_le_bytes([header[0], header[1]])) else {
                    self.damage.orphans += 1;
                    return Ok(());
                };
                let time = |at: usize| i64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
                let offset = offset + MESSAGE_HEADER_BYTES as u64;
                (self.visit)(Message { channel, log_ns: time(6), publish_ns: time(14), data, offset })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn channel(&mut self, body: &[u8]) {
        let id = body.first_chunk().map(|id| u16::from_le_bytes(*id));
        if id.and_then(|id| self.channels.get(&id)).is_some_and(|(known, _)| **known == *body) {
            return;
        }
        match parse(op::CHANNEL, body) {
            Some(Record::Channel(channel)) => {
                if self.channels.is_empty() {
                    self.mark = channel.metadata.get(SEGMENT_MARK).cloned();
                }
                self.channels.insert(channel.id, (body.into(), Arc::new(channel)));
            }
            _ => self.damage.bad_chunks += 1,
        }
    }
}
