use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::op;
use sanqu_model::StreamKey;

use super::format::{self, CHUNK_HEADER_BYTES, ChannelText, ChunkPlace, FRAME_BYTES, MessageHeader, Statistics, Times};
use super::{HEADER_SUFFIX, SEGMENT_MARK};
use crate::control::CONTROL_TOPIC;
use crate::disk::{Disk, DiskFile, OpenFile};
use crate::error::IoContext;
use crate::{Sample, StoreError};

/// A chunk is closed early when it holds this much, so that memory stays bounded between flushes.
pub(super) const CHUNK_BYTES_TARGET: usize = 8 << 20;
/// A segment ends when what must be remembered for its summary is larger than this.
const SUMMARY_BYTES_TARGET: usize = 8 << 20;
/// Channels that are told apart by boot and schema too, at most. MCAP numbers channels with 16 bits, of which a publisher
/// that counts wildly must not use up all: then nobody else could be recorded.
const CHANNELS_MAX: usize = 8192;
/// A longer name of an encoding is none; the sample is then kept aside when the episode is sealed.
const ENCODING_BYTES_MAX: usize = 4096;
/// Before the records of a chunk.
const CHUNK_HEAD_BYTES: usize = FRAME_BYTES + CHUNK_HEADER_BYTES;

/// One MCAP file that is being written: chunks with their message indexes, then a summary.
///
/// A chunk ends at a flush only, so that a payload and its header are always in the same chunk, and it holds the records of
/// all channels that it uses, so that a damaged one costs only itself.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: DiskFile,
    mark: String,
    /// Bytes in the file.
    position: u64,
    /// The chunk that is being filled; its frame and header are filled in when it is closed.
    chunk: Vec<u8>,
    /// Over the chunk's records so far: they are summed up while they are still in the processor's cache.
    crc: crc32fast::Hasher,
    times: Option<Times>,
    /// Channels that have messages in the chunk.
    used: Vec<u16>,
    /// Channel n + 1.
    channels: Vec<Channel>,
    pairs: HashMap<StreamKey, Vec<Pair>>,
    pair_count: usize,
    schemas: BTreeMap<(String, String), u16>,
    schema_records: Vec<u8>,
    chunk_indexes: Vec<u8>,
    statistics: Statistics,
}

#[derive(Debug)]
struct Channel {
    record: Box<[u8]>,
    /// Times and places of its messages in the chunk.
    entries: Vec<(u64, u64)>,
    messages: u64,
}

/// The channels of one stream, as long as nothing changes that a channel says.
#[derive(Debug)]
struct Pair {
    encoding: Box<str>,
    /// Boot and schema id.
    header: Option<(u64, u32)>,
    channels: Channels,
}

/// The channels of payload and header, and the message's number in both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    pub(super) payload: u16,
    pub(super) header: u16,
    pub(super) sequence: u32,
}

/// The channel of control records.
pub(super) const CONTROL_CHANNEL: u16 = 1;

impl Segment {
    /// Makes the file `unnamed`, which will be renamed to `path`. Nothing is in it before the first [`Segment::flush`].
    pub(super) fn create(disk: &Disk, unnamed: &Path, path: PathBuf) -> Result<Self, StoreError> {
        let file = disk.create(unnamed)?;
        let mut segment = Self {
            path,
            file,
            mark: format!("{:016x}", RandomState::new().hash_one(0)),
            position: 0,
            chunk: vec![0; CHUNK_HEAD_BYTES],
            crc: crc32fast::Hasher::new(),
            times: None,
            used: Vec::new(),
            channels: Vec::new(),
            pairs: HashMap::new(),
            pair_count: 0,
            schemas: BTreeMap::new(),
            schema_records: Vec::new(),
            chunk_indexes: Vec::new(),
            statistics: Statistics::default(),
        };
        let metadata = &BTreeMap::from([(SEGMENT_MARK, segment.mark.clone())]);
        segment.add_channel(&ChannelText { schema: 0, topic: CONTROL_TOPIC, encoding: "json", metadata })?;
        Ok(segment)
    }

    /// Gives the file its name.
    pub(super) fn name(&self, disk: &Disk) -> Result<(), StoreError> {
        disk.rename_open(&self.file, &self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn shared(&self) -> Arc<OpenFile> {
        self.file.shared()
    }

    /// Whether the chunk is to be closed.
    pub(super) fn is_chunk_full(&self) -> bool {
        self.chunk.len() > CHUNK_BYTES_TARGET
    }

    /// Whether another segment is to begin.
    pub(super) fn is_full(&self, bytes_target: u64) -> bool {
        self.position >= bytes_target || self.chunk_indexes.len() > SUMMARY_BYTES_TARGET
    }

    /// Adds a message to the chunk.
    pub(super) fn message(&mut self, header: MessageHeader, data: &[u8]) {
        let Some(channel) = self.channels.get_mut(usize::from(header.channel).wrapping_sub(1)) else { return };
        let begin = self.chunk.len();
        if channel.entries.is_empty() {
            self.used.push(header.channel);
            self.chunk.extend_from_slice(&channel.record);
        }
        channel.entries.push((header.log_ns.cast_unsigned(), (self.chunk.len() - CHUNK_HEAD_BYTES) as u64));
        channel.messages += 1;
        Times::widen(&mut self.times, header.log_ns);
        format::message(&mut self.chunk, header, data);
        self.crc.update(&self.chunk[begin..]);
    }

    /// The channels for a sample, which are made when it is the first of its kind. `ros1` is the type and definition of the
    /// stream's messages, where it is one of ROS 1.
    pub(super) fn channels(
        &mut self,
        sample: &Sample<'_>,
        header: Option<(u64, u32)>,
        ros1: impl FnOnce() -> Option<(String, String)>,
    ) -> Result<Channels, StoreError> {
        let encoding = if sample.encoding.len() > ENCODING_BYTES_MAX { "" } else { sample.encoding };
        if let Some(known) = self.known(sample.key, encoding, header) {
            return Ok(known);
        }
        // Boot and schema are in every sample's header as well. An encoding that is left out makes seal keep it aside.
        let header = header.filter(|_| self.pair_count < CHANNELS_MAX);
        let encoding = if self.pair_count < 2 * CHANNELS_MAX { encoding } else { "" };
        if let Some(known) = self.known(sample.key, encoding, header) {
            return Ok(known);
        }
        let mut metadata = BTreeMap::from([("encoding", encoding.to_owned()), (SEGMENT_MARK, self.mark.clone())]);
        if let Some((boot, schema_id)) = header {
            metadata.extend([("boot", boot.to_string()), ("schema_id", schema_id.to_string())]);
        }
        let (metadata, topic, message_encoding) = (&metadata, sample.key.to_string(), message_encoding(encoding));
        let schema = match ros1().filter(|_| message_encoding == "ros1") {
            Some((name, definition)) => self.schema(name, definition)?,
            None => 0,
        };
        let payload = self.add_channel(&ChannelText { schema, topic: &topic, encoding: message_encoding, metadata })?;
        let topic = format!("{topic}{HEADER_SUFFIX}");
        let channels = Channels {
            payload,
            header: self.add_channel(&ChannelText { schema: 0, topic: &topic, encoding: "sanqu-header", metadata })?,
            sequence: 0,
        };
        let pair = Pair { encoding: encoding.into(), header, channels };
        self.pairs.entry(sample.key.clone()).or_default().insert(0, pair);
        self.pair_count += 1;
        Ok(channels)
    }

    /// The channels of a stream, and the next number in them. The ones used last are the first that are looked at.
    fn known(&mut self, key: &StreamKey, encoding: &str, header: Option<(u64, u32)>) -> Option<Channels> {
        let pairs = self.pairs.get_mut(key)?;
        let at = pairs.iter().position(|pair| pair.header == header && *pair.encoding == *encoding)?;
        pairs.swap(0, at);
        let channels = &mut pairs.first_mut()?.channels;
        channels.sequence = channels.sequence.wrapping_add(1);
        Some(*channels)
    }

    fn schema(&mut self, name: String, definition: String) -> Result<u16, StoreError> {
        let schema = (name, definition);
        if let Some(id) = self.schemas.get(&schema) {
            return Ok(*id);
        }
        let id = u16::try_from(self.schemas.len() + 1).map_err(|_| StoreError::damaged(&self.path, "too many message definitions"))?;
        let from = self.schema_records.len();
        format::schema(&mut self.schema_records, id, &schema.0, "ros1msg", schema.1.as_bytes());
        self.chunk.extend_from_slice(&self.schema_records[from..]);
        self.crc.update(&self.schema_records[from..]);
        self.schemas.insert(schema, id);
        self.statistics.schemas = id;
        Ok(id)
    }

    fn add_channel(&mut self, text: &ChannelText<'_>) -> Result<u16, StoreError> {
        let id = u16::try_from(self.channels.len() + 1);
        let id = id.map_err(|_| StoreError::damaged(&self.path, format!("too many channels; {} is not recorded", text.topic)))?;
        let mut record = Vec::new();
        format::channel(&mut record, id, text);
        self.channels.push(Channel { record: record.into(), entries: Vec::new(), messages: 0 });
        Ok(id)
    }

    /// Closes the chunk and writes it to the file. After an error nothing more may be written: a part of the chunk may be in
    /// the file.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(times) = self.times.take() else { return Ok(()) };
        format::finish_chunk(&mut self.chunk, times, std::mem::take(&mut self.crc).finalize());
        let chunk_bytes = self.chunk.len();
        let mut start = Vec::new();
        if self.position == 0 {
            start.extend_from_slice(mcap::MAGIC);
            format::header(&mut start);
            self.file.write_all(&start)?;
            self.position = start.len() as u64;
        }
        let mut indexes = Vec::with_capacity(self.used.len());
        for id in self.used.drain(..) {
            let Some(channel) = self.channels.get_mut(usize::from(id) - 1) else { continue };
            indexes.push((id, self.position + self.chunk.len() as u64));
            format::message_index(&mut self.chunk, id, &channel.entries);
            channel.entries.clear();
        }
        self.file.write_all(&self.chunk)?;
        let index_bytes = self.chunk.len() - chunk_bytes;
        let place = ChunkPlace { times, offset: self.position, chunk_bytes, indexes: &indexes, index_bytes };
        format::chunk_index(&mut self.chunk_indexes, &place);
        self.position += self.chunk.len() as u64;
        self.statistics.chunks += 1;
        let all = self.statistics.times.get_or_insert(times);
        *all = Times { first: all.first.min(times.first), last: all.last.max(times.last) };
        self.chunk.truncate(CHUNK_HEAD_BYTES);
        // One very large payload must not be paid for ever after.
        if self.chunk.capacity() > 4 * CHUNK_BYTES_TARGET {
            self.chunk.shrink_to(CHUNK_BYTES_TARGET);
        }
        Ok(())
    }

    /// Writes the summary and makes the file durable. What is in the chunk must have been flushed.
    pub(super) fn finish(mut self) -> Result<PathBuf, StoreError> {
        let numbers = self.channels.iter().zip(1u16..);
        self.statistics.messages = numbers.filter(|(channel, _)| channel.messages > 0).map(|(c, id)| (id, c.messages)).collect();
        let mut statistics = Vec::new();
        format::statistics(&mut statistics, &self.statistics);
        let channels = self.channels.iter().filter(|channel| channel.messages > 0).flat_map(|channel| channel.record.iter().copied());
        let groups = [
            (op::SCHEMA, std::mem::take(&mut self.schema_records)),
            (op::CHANNEL, channels.collect()),
            (op::STATISTICS, statistics),
            (op::CHUNK_INDEX, std::mem::take(&mut self.chunk_indexes)),
        ];
        self.file.write_all(&format::ending(self.position, &groups)).at("write", &self.path)?;
        self.file.sync_all().at("sync", &self.path)?;
        Ok(self.path)
    }
}

/// The name that MCAP tools know an encoding by.
fn message_encoding(encoding: &str) -> &str {
    match encoding {
        sanqu_wire::ENCODING_ARROW => "arrow",
        sanqu_wire::ENCODING_H264 => "h264",
        sanqu_wire::ENCODING_H265 => "h265",
        sanqu_wire::ENCODING_AV1 => "av1",
        sanqu_wire::ENCODING_JPEG => "jpeg",
        sanqu_wire::ENCODING_PNG => "png",
        sanqu_wire::ENCODING_JSON => "json",
        sanqu_wire::ENCODING_ROS1 => "ros1",
        other => other,
    }
}
