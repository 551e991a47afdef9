use std::io::Read as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::{RecordBatch as Batch, root_as_message};

use super::{PIPE_BODY_BYTES_MAX, PIPE_ITEMS_MAX, PIPE_METADATA_BYTES_MAX, PipeEncoder, PipeItem, PipeKind, bad};
use crate::WireError;
use crate::rows::PAYLOAD_BYTES_MAX;

/// Marks the beginning of every message since Arrow 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Marker and length before a message's metadata.
const PREFIX_BYTES: usize = 8;
/// An offset of a text or of bytes within its buffer.
const OFFSET_BYTES: usize = 4;
/// Buffers of one item in each column: bits of a value, or texts and bytes with their offsets.
const COLUMNS: [Kind; 13] = [
    Kind::Bytes,
    Kind::Bytes,
    Kind::Bytes,
    Kind::Bytes,
    Kind::Bits(64),
    Kind::Bits(64),
    Kind::Bits(32),
    Kind::Bits(1),
    Kind::Bits(64),
    Kind::Bits(64),
    Kind::Bits(64),
    Kind::Bits(64),
    Kind::Bytes,
];

#[derive(Clone, Copy)]
enum Kind {
    Bits(usize),
    Bytes,
}

/// Reads a pipe from bytes as they come. Does no IO; no bytes make it panic or take more memory than one message's limits.
#[derive(Debug)]
pub struct PipeDecoder {
    held: Vec<u8>,
    /// What a pipe of this version begins with.
    pub(super) head: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl PipeDecoder {
    /// Waits for the beginning of a pipe.
    ///
    /// # Errors
    /// Arrow's; none are known.
    pub fn new() -> Result<Self, WireError> {
        let mut head = PipeEncoder::new()?.finish()?;
        head.truncate(head.len().saturating_sub(PREFIX_BYTES));
        Ok(Self { held: Vec::new(), head, begun: false, ended: false })
    }

    /// Takes bytes. Between two calls [`PipeDecoder::next_items`] has to be asked until it has nothing more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The items of the next message; none while it is not there in full, or after the end.
    ///
    /// # Errors
    /// [`WireError::BadPipe`] naming the place and what was expected. What follows cannot be read then.
    pub fn next_items(&mut self) -> Result<Option<Vec<PipeItem>>, WireError> {
        if !self.begun && !self.begin()? {
            return Ok(None);
        }
        let Some(prefix) = self.held.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [c0, c1, c2, c3, m0, m1, m2, m3] = *prefix;
        if self.ended || [c0, c1, c2, c3] != CONTINUATION {
            return Err(bad("message", "expected the continuation marker ff ff ff ff and nothing after the end"));
        }
        let metadata_bytes = length(i32::from_le_bytes([m0, m1, m2, m3]).into(), PIPE_METADATA_BYTES_MAX, "metadata length")?;
        if metadata_bytes == 0 {
            self.ended = true;
            self.held.drain(..PREFIX_BYTES);
            return if self.held.is_empty() { Ok(None) } else { Err(bad("end", format!("{} bytes follow it", self.held.len()))) };
        }
        let Some(metadata) = self.held.get(PREFIX_BYTES..PREFIX_BYTES + metadata_bytes) else { return Ok(None) };
        let message = root_as_message(metadata).map_err(|error| bad("message", format!("no valid flatbuffer: {error}")))?;
        let kind = || format!("expected a record batch, found {:?}", message.header_type());
        let batch = message.header_as_record_batch().ok_or_else(|| bad("message", kind()))?;
        let body_bytes = length(message.bodyLength(), PIPE_BODY_BYTES_MAX, "body length")?;
        check(batch, body_bytes)?;
        let message_bytes = PREFIX_BYTES + metadata_bytes + body_bytes;
        let Some(message) = self.held.get(..message_bytes) else { return Ok(None) };
        let mut reader = StreamReader::try_new(self.head.as_slice().chain(message), None)?;
        let batch = reader.next().ok_or_else(|| bad("message", "expected a record batch, found none"))??;
        let items = items(&batch)?;
        self.held.drain(..message_bytes);
        Ok(Some(items))
    }

    /// Whether the pipe said that it ends.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Says what is missing when no more bytes come.
    ///
    /// # Errors
    /// [`WireError::BadPipe`] when the pipe breaks off within a message.
    pub fn finish(&self) -> Result<(), WireError> {
        match self.held.len() {
            0 => Ok(()),
            bytes => Err(bad("end", format!("the pipe breaks off: {bytes} bytes of a message that is not whole"))),
        }
    }

    /// Whether the schema has come.
    fn begin(&mut self) -> Result<bool, WireError> {
        let known = self.held.len().min(self.head.len());
        if self.held[..known] != self.head[..known] {
            let reason = "expected the pipe's schema, version 1: the two programs are of different versions, or this is no pipe";
            return Err(bad("beginning", reason));
        }
        self.begun = known == self.head.len();
        if self.begun {
            self.held.drain(..known);
        }
        Ok(self.begun)
    }
}

/// A count from the bytes, if it lies within `0..=max`.
fn length(value: i64, max: usize, what: &str) -> Result<usize, WireError> {
    usize::try_from(value).ok().filter(|n| *n <= max).ok_or_else(|| bad(what, format!("{value} is not within 0 to {max}")))
}

/// Arrow's reader trusts lengths and places of buffers: none may lead outside of the body.
fn check(batch: Batch<'_>, body_bytes: usize) -> Result<(), WireError> {
    if batch.compression().is_some() || batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(bad("message", "expected plain buffers, found compressed or variadic ones"));
    }
    let items = length(batch.length(), PIPE_ITEMS_MAX, "number of items")?;
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else { return Err(bad("message", "expected columns")) };
    let expected: usize = COLUMNS.iter().map(|kind| if matches!(kind, Kind::Bytes) { 3 } else { 2 }).sum();
    if items == 0 || nodes.len() != COLUMNS.len() || buffers.len() != expected {
        let found = format!("{items} items, {} arrays in {} buffers", nodes.len(), buffers.len());
        return Err(bad("message", format!("{found}; expected at least 1 item, {} arrays in {expected} buffers", COLUMNS.len())));
    }
    let mut buffers = buffers.iter();
    for (index, (node, kind)) in nodes.iter().zip(COLUMNS).enumerate() {
        let place = format!("column {index}");
        if usize::try_from(node.length()).ok() != Some(items) {
            return Err(bad(place, format!("{} items, expected {items}", node.length())));
        }
        let nulls = length(node.null_count(), items, &place)?;
        let validity = if nulls > 0 { items.div_ceil(8) } else { 0 };
        let parts = match kind {
            Kind::Bits(bits) => [Some((validity, 1)), Some(((items * bits).div_ceil(8), 1)), None],
            Kind::Bytes => [Some((validity, 1)), Some(((items + 1) * OFFSET_BYTES, OFFSET_BYTES)), Some((0, 1))],
        };
        for (needed, unit) in parts.into_iter().flatten() {
            let Some(buffer) = buffers.next() else { return Err(bad(place, "too few buffers")) };
            let at = length(buffer.offset(), body_bytes, &place)?;
            let bytes = length(buffer.length(), body_bytes - at, &place)?;
            if bytes < needed {
                return Err(bad(place, format!("{bytes} bytes of values, expected at least {needed}")));
            }
            // Arrow's reader panics over a part of an offset.
            if !bytes.is_multiple_of(unit) {
                return Err(bad(place, format!("{bytes} bytes of offsets, expected a multiple of {unit}")));
            }
        }
    }
    Ok(())
}

fn items(batch: &RecordBatch) -> Result<Vec<PipeItem>, WireError> {
    let column = |index: usize| batch.column(index);
    let missing = |name: &'static str| bad(name, "the column has another type than the pipe's");
    let text = |index: usize, name| column(index).as_string_opt::<i32>().ok_or_else(|| missing(name));
    let count = |index: usize, name| column(index).as_primitive_opt::<UInt64Type>().ok_or_else(|| missing(name));
    let time = |index: usize, name| column(index).as_primitive_opt::<TimestampNanosecondType>().ok_or_else(|| missing(name));
    let (kind, robot, stream, encoding) = (text(0, "kind")?, text(1, "robot")?, text(2, "stream")?, text(3, "encoding")?);
    let (boot, seq, dropped) = (count(4, "boot")?, count(5, "seq")?, count(11, "dropped")?);
    let rows = column(6).as_primitive_opt::<UInt32Type>().ok_or_else(|| missing("rows"))?;
    let keyframe = column(7).as_boolean_opt().ok_or_else(|| missing("keyframe"))?;
    let (t, t_recv) = (time(8, "t")?, time(9, "t_recv")?);
    let shift = column(10).as_primitive_opt::<Int64Type>().ok_or_else(|| missing("shift_ns"))?;
    let payload = column(12).as_binary_opt::<i32>().ok_or_else(|| missing("payload"))?;
    let item = |row: usize| {
        let place = || format!("{} {}", robot.value(row), stream.value(row));
        let word = kind.value(row);
        let kind = PipeKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        let named = |what: &str, text: &str| bad(place(), format!("{what} {text:?} is none"));
        if payload.value(row).len() > PAYLOAD_BYTES_MAX {
            return Err(bad(place(), format!("a payload of {} bytes, expected at most {PAYLOAD_BYTES_MAX}", payload.value(row).len())));
        }
        let robot = optional(robot.value(row)).map(str::parse).transpose().map_err(|_| named("robot", robot.value(row)))?;
        let stream = optional(stream.value(row)).map(str::parse).transpose().map_err(|_| named("stream", stream.value(row)))?;
        Ok(PipeItem {
            kind: kind.ok_or_else(|| bad(place(), format!("kind {word:?} is none of {:?}", PipeKind::ALL.map(PipeKind::as_str))))?,
            robot,
            stream,
            encoding: encoding.value(row).to_owned(),
            boot: boot.is_valid(row).then(|| boot.value(row)),
            seq: seq.is_valid(row).then(|| seq.value(row)),
            rows: rows.value(row),
            keyframe: keyframe.value(row),
            t_ns: t.value(row),
            recv_ns: t_recv.value(row),
            shift_ns: shift.value(row),
            dropped: dropped.value(row),
            payload: payload.value(row).to_vec(),
        })
    };
    (0..batch.num_rows()).map(item).collect()
}

fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
