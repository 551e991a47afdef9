//! MCAP files that may end anywhere: messages up to the last whole chunk. A reader of its own, so that neither sink is
//! read with what wrote it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use mcap::records::{Record, op};

/// The longest record that is read, in bytes.
const RECORD_BYTES_MAX: u64 = 256 << 20;
/// Operation code and length before every record.
const FRAME_BYTES: usize = 9;

/// Calls `visit` with topic and data of each message in order of the file. Returns the bytes behind the last whole
/// record.
pub(super) fn read(path: &Path, visit: &mut dyn FnMut(&str, &[u8])) -> Result<u64> {
    let at = || path.display().to_string();
    let file = File::open(path).with_context(at)?;
    let size = file.metadata().with_context(at)?.len();
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut position = mcap::MAGIC.len() as u64;
    let mut magic = [0; mcap::MAGIC.len()];
    if size < position {
        return Ok(size);
    }
    input.read_exact(&mut magic).with_context(at)?;
    ensure!(magic == mcap::MAGIC, "{} is no MCAP file", path.display());
    let (mut topics, mut body) = (BTreeMap::new(), Vec::new());
    while size - position >= FRAME_BYTES as u64 {
        let mut frame = [0; FRAME_BYTES];
        input.read_exact(&mut frame).with_context(at)?;
        let [code, length @ ..] = frame;
        let length = u64::from_le_bytes(length);
        if length > RECORD_BYTES_MAX || length > size - position - FRAME_BYTES as u64 {
            break;
        }
        position += FRAME_BYTES as u64 + length;
        match code {
            op::CHUNK | op::CHANNEL | op::MESSAGE => {
                body.resize(usize::try_from(length)?, 0);
                input.read_exact(&mut body).with_context(at)?;
                if code == op::CHUNK { chunk(&body, &mut topics, visit) } else { record(code, &body, &mut topics, visit) }
                    .with_context(at)?;
            }
            op::FOOTER => return Ok(0),
            _ => drop(input.seek(SeekFrom::Start(position)).with_context(at)?),
        }
    }
    Ok(size - position)
}

fn chunk(body: &[u8], topics: &mut BTreeMap<u16, String>, visit: &mut dyn FnMut(&str, &[u8])) -> Result<()> {
    let Record::Chunk { header, data } = mcap::parse_record(op::CHUNK, body)? else { return Ok(()) };
    ensure!(header.compression.is_empty(), "a chunk is compressed with {}", header.compression);
    let mut rest: &[u8] = &data;
    while let Some(([code, length @ ..], behind)) = rest.split_first_chunk::<FRAME_BYTES>() {
        let length = usize::try_from(u64::from_le_bytes(*length))?;
        let (found, behind) = behind.split_at_checked(length).context("a record leads out of its chunk")?;
        record(*code, found, topics, visit)?;
        rest = behind;
    }
    Ok(())
}

fn record(code: u8, body: &[u8], topics: &mut BTreeMap<u16, String>, visit: &mut dyn FnMut(&str, &[u8])) -> Result<()> {
    match code {
        op::CHANNEL => {
            if let Record::Channel(channel) = mcap::parse_record(code, body)? {
                topics.insert(channel.id, channel.topic);
            }
        }
        op::MESSAGE => {
            if let Record::Message { header, data } = mcap::parse_record(code, body)? {
                visit(topics.get(&header.channel_id).context("a message before its channel")?, &data);
            }
        }
        _ => {}
    }
    Ok(())
}
