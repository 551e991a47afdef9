//! The MCAP records that a journal is made of, as bytes (<https://mcap.dev/spec>).
//!
//! Written here and not by the `mcap` crate, because a payload is to be copied once, and a channel's record is to be in
//! every chunk that uses it.

use std::collections::BTreeMap;

use mcap::records::op;

/// Operation code and length before every record.
pub(super) const FRAME_BYTES: usize = 9;
/// Times, sizes, checksum and the empty name of the compression: what a chunk's record has before the records in it.
pub(super) const CHUNK_HEADER_BYTES: usize = 40;
/// Channel, sequence, log time and publish time before the data of a message.
pub(super) const MESSAGE_HEADER_BYTES: usize = 22;

/// Appends a record, whose length is known when its body is written.
pub(super) fn record(out: &mut Vec<u8>, code: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(code);
    let at = out.len();
    out.extend_from_slice(&[0; 8]);
    body(out);
    let length = (out.len() - at - 8) as u64;
    out[at..at + 8].copy_from_slice(&length.to_le_bytes());
}

/// Appends a length of 32 bits. Everything that is written here is bounded far below that.
fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn header(out: &mut Vec<u8>) {
    record(out, op::HEADER, |out| {
        put_text(out, "sanqu");
        put_text(out, "sanqu_store");
    });
}

pub(super) fn schema(out: &mut Vec<u8>, id: u16, name: &str, encoding: &str, definition: &[u8]) {
    record(out, op::SCHEMA, |out| {
        out.extend_from_slice(&id.to_le_bytes());
        put_text(out, name);
        put_text(out, encoding);
        put_length(out, definition.len());
        out.extend_from_slice(definition);
    });
}

/// What a channel's record says besides its number.
pub(super) struct ChannelText<'a> {
    pub(super) schema: u16,
    pub(super) topic: &'a str,
    pub(super) encoding: &'a str,
    pub(super) metadata: &'a BTreeMap<&'a str, String>,
}

pub(super) fn channel(out: &mut Vec<u8>, id: u16, text: &ChannelText<'_>) {
    record(out, op::CHANNEL, |out| {
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&text.schema.to_le_bytes());
        put_text(out, text.topic);
        put_text(out, text.encoding);
        put_length(out, text.metadata.iter().map(|(key, value)| 8 + key.len() + value.len()).sum());
        for (key, value) in text.metadata {
            put_text(out, key);
            put_text(out, value);
        }
    });
}

/// Which message of a channel it is, and when it came and was made; times before 1970 wrap.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageHeader {
    pub(super) channel: u16,
    pub(super) sequence: u32,
    pub(super) log_ns: i64,
    pub(super) publish_ns: i64,
}

pub(super) fn message(out: &mut Vec<u8>, header: MessageHeader, data: &[u8]) {
    let mut head = [0; FRAME_BYTES + MESSAGE_HEADER_BYTES];
    head[0] = op::MESSAGE;
    head[1..9].copy_from_slice(&((MESSAGE_HEADER_BYTES + data.len()) as u64).to_le_bytes());
    head[9..11].copy_from_slice(&header.channel.to_le_bytes());
    head[11..15].copy_from_slice(&header.sequence.to_le_bytes());
    head[15..23].copy_from_slice(&header.log_ns.to_le_bytes());
    head[23..31].copy_from_slice(&header.publish_ns.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(data);
}

/// First and last log time of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Times {
    pub(super) fn widen(known: &mut Option<Self>, log_ns: i64) {
        let time = log_ns.cast_unsigned();
        let times = known.get_or_insert(Self { first: time, last: time });
        *times = Self { first: times.first.min(time), last: times.last.max(time) };
    }
}

/// Fills in the frame and header of a chunk whose records are behind them in `chunk` and have the checksum `crc`.
pub(super) fn finish_chunk(chunk: &mut [u8], times: Times, crc: u32) {
    let (head, records) = chunk.split_at_mut(FRAME_BYTES + CHUNK_HEADER_BYTES);
    let bytes = (records.len() as u64).to_le_bytes();
    head[0] = op::CHUNK;
    head[1..9].copy_from_slice(&((CHUNK_HEADER_BYTES + records.len()) as u64).to_le_bytes());
    head[9..17].copy_from_slice(&times.first.to_le_bytes());
    head[17..25].copy_from_slice(&times.last.to_le_bytes());
    head[25..33].copy_from_slice(&bytes);
    head[33..37].copy_from_slice(&crc.to_le_bytes());
    head[37..41].copy_from_slice(&[0; 4]);
    head[41..49].copy_from_slice(&bytes);
}

/// Log time and place in the chunk of every message of a channel.
pub(super) fn message_index(out: &mut Vec<u8>, channel: u16, entries: &[(u64, u64)]) {
    record(out, op::MESSAGE_INDEX, |out| {
        out.extend_from_slice(&channel.to_le_bytes());
        put_length(out, 16 * entries.len());
        for (time, offset) in entries {
            out.extend_from_slice(&time.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
        }
    });
}

/// Where a chunk and the message indexes behind it are in the file.
pub(super) struct ChunkPlace<'a> {
    pub(super) times: Times,
    pub(super) offset: u64,
    pub(super) chunk_bytes: usize,
    /// Channel and offset of its message index in the file.
    pub(super) indexes: &'a [(u16, u64)],
    pub(super) index_bytes: usize,
}

pub(super) fn chunk_index(out: &mut Vec<u8>, place: &ChunkPlace<'_>) {
    record(out, op::CHUNK_INDEX, |out| {
        out.extend_from_slice(&place.times.first.to_le_bytes());
        out.extend_from_slice(&place.times.last.to_le_bytes());
        out.extend_from_slice(&place.offset.to_le_bytes());
        out.extend_from_slice(&(place.chunk_bytes as u64).to_le_bytes());
        put_length(out, 10 * place.indexes.len());
        for (channel, offset) in place.indexes {
            out.extend_from_slice(&channel.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
        }
        out.extend_from_slice(&(place.index_bytes as u64).to_le_bytes());
        put_text(out, "");
        let records = (place.chunk_bytes - FRAME_BYTES - CHUNK_HEADER_BYTES) as u64;
        out.extend_from_slice(&records.to_le_bytes());
        out.extend_from_slice(&records.to_le_bytes());
    });
}

/// Counts for the file's end.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    pub(super) schemas: u16,
    pub(super) chunks: u32,
    pub(super) times: Option<Times>,
    /// Messages by channel, in order of their numbers.
    pub(super) messages: Vec<(u16, u64)>,
}

pub(super) fn statistics(out: &mut Vec<u8>, counts: &Statistics) {
    record(out, op::STATISTICS, |out| {
        let times = counts.times.unwrap_or_default();
        out.extend_from_slice(&counts.messages.iter().map(|(_, count)| count).sum::<u64>().to_le_bytes());
        out.extend_from_slice(&counts.schemas.to_le_bytes());
        put_length(out, counts.messages.len());
        // No attachments, no metadata.
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&counts.chunks.to_le_bytes());
        out.extend_from_slice(&times.first.to_le_bytes());
        out.extend_from_slice(&times.last.to_le_bytes());
        put_length(out, 10 * counts.messages.len());
        for (channel, count) in &counts.messages {
            out.extend_from_slice(&channel.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
    });
}

/// The file's end: the mark behind the chunks, the summary with its offsets, and the footer. `position` is where it begins
/// in the file; `groups` are the summary's records by operation code.
pub(super) fn ending(position: u64, groups: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    // A checksum of 0 says that there is none: every chunk has its own.
    record(&mut out, op::DATA_END, |out| out.extend_from_slice(&[0; 4]));
    let summary = out.len();
    let at = |out: &Vec<u8>| position + out.len() as u64;
    let summary_start = at(&out);
    let mut places = Vec::new();
    for (code, records) in groups.iter().filter(|(_, records)| !records.is_empty()) {
        places.push((*code, at(&out), records.len() as u64));
        out.extend_from_slice(records);
    }
    let offsets_start = at(&out);
    for (code, start, length) in places {
        record(&mut out, op::SUMMARY_OFFSET, |out| {
            out.push(code);
            out.extend_from_slice(&start.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
        });
    }
    record(&mut out, op::FOOTER, |out| {
        out.extend_from_slice(&summary_start.to_le_bytes());
        out.extend_from_slice(&offsets_start.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
    });
    let crc_at = out.len() - 4;
    let crc = crc32fast::hash(&out[summary..crc_at]);
    out[crc_at..].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(mcap::MAGIC);
    out
}
