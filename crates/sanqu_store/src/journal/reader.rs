use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use mcap::records::{Channel, Record, op};

use crate::StoreError;
use crate::error::IoContext;

/// The longest record that is read, in bytes: a chunk that one payload of the largest size fits into.
const RECORD_BYTES_MAX: u64 = super::PAYLOAD_BYTES_MAX as u64 + (64 << 20);
/// Operation code and length before every record.
const FRAME_BYTES: usize = 9;
/// Channel id, sequence, log time and publish time before the data of a message.
const MESSAGE_HEADER_BYTES: u64 = 22;

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
    /// Chunks in the middle whose checksum or form is wrong.
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

/// Reads a segment from its beginning up to the last complete record, whatever a crash or a bad disk made of the rest.
///
/// Every length is checked against the file's size and a limit before anything is allocated for it.
pub(super) fn read(path: &Path, visit: Visit<'_>) -> Result<Damage, StoreError> {
    let file = File::open(path).at("open", path)?;
    let size = file.metadata().at("read", path)?.len();
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut pass = Pass { path, channels: BTreeMap::new(), damage: Damage::default(), visit };
    let mut position = mcap::MAGIC.len() as u64;
    let mut magic = [0; mcap::MAGIC.len()];
    if size < position || input.read_exact(&mut magic).is_err() || magic != mcap::MAGIC {
        return Ok(Damage { torn_bytes: size, ..Damage::default() });
    }
    let mut body = Vec::new();
    while size - position >= FRAME_BYTES as u64 {
        let mut frame = [0; FRAME_BYTES];
        input.read_exact(&mut frame).at("read", path)?;
        let [code, length @ ..] = frame;
        let length = u64::from_le_bytes(length);
        if length > RECORD_BYTES_MAX || length > size - position - FRAME_BYTES as u64 {
            break;
        }
        let data_offset = position + FRAME_BYTES as u64;
        position = data_offset + length;
        match code {
            op::CHUNK => {
                body.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
                input.read_exact(&mut body).at("read", path)?;
                pass.chunk(&body, data_offset)?;
            }
            op::CHANNEL | op::MESSAGE => {
                body.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
                input.read_exact(&mut body).at("read", path)?;
                pass.record(code, &body, data_offset)?;
            }
            op::FOOTER => return Ok(pass.damage),
            _ => drop(input.seek(SeekFrom::Start(position)).at("read", path)?),
        }
    }
    pass.damage.torn_bytes = size - position;
    Ok(pass.damage)
}

struct Pass<'a> {
    path: &'a Path,
    channels: BTreeMap<u16, Arc<Channel>>,
    damage: Damage,
    visit: Visit<'a>,
}

impl Pass<'_> {
    fn chunk(&mut self, body: &[u8], body_offset: u64) -> Result<(), StoreError> {
        let Ok(Record::Chunk { header, data }) = mcap::parse_record(op::CHUNK, body) else {
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
        let data_offset = body_offset + (body.len() - data.len()) as u64;
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
            op::CHANNEL => match mcap::parse_record(code, body) {
                Ok(Record::Channel(channel)) => drop(self.channels.insert(channel.id, Arc::new(channel))),
                _ => self.damage.bad_chunks += 1,
            },
            op::MESSAGE => {
                let Ok(Record::Message { header, data }) = mcap::parse_record(code, body) else {
                    self.damage.bad_chunks += 1;
                    return Ok(());
                };
                let Some(channel) = self.channels.get(&header.channel_id) else {
                    self.damage.orphans += 1;
                    return Ok(());
                };
                let (log_ns, publish_ns) = (header.log_time.cast_signed(), header.publish_time.cast_signed());
                (self.visit)(Message { channel, log_ns, publish_ns, data: &data, offset: offset + MESSAGE_HEADER_BYTES })?;
            }
            _ => {}
        }
        Ok(())
    }
}
