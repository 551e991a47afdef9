//! What stands between bytes from the bus and Arrow's reader.
//!
//! Arrow's IPC reader trusts its input: an odd integer width, a buffer that points past the body, a negative length or a
//! body of 2^60 bytes make it panic or allocate without limit. So the whole stream is checked here first; what passes
//! is one schema of supported columns and one batch whose every buffer lies within the payload.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow_ipc::{Field, Message, MessageHeader, MetadataVersion, Precision, RecordBatch, Schema, TimeUnit, Type, root_as_message};
use sanqu_model::{Quantity, RUN, SEQ, T, T_RECV};

use crate::WireError;
use crate::rows::{PAYLOAD_BYTES_MAX, ROWS_MAX};

/// The largest number of columns of a payload, `t` included.
pub const COLUMNS_MAX: usize = 256;
/// The largest number of values of one row, over all columns: each becomes a column of its own when it is stored, and what a
/// column costs does not depend on how few rows it has.
pub const ROW_VALUES_MAX: usize = 2048;
/// The longest column name, in bytes.
pub const COLUMN_NAME_BYTES_MAX: usize = 128;
/// The largest metadata of one message of the stream: schema with names and units.
pub const IPC_METADATA_BYTES_MAX: usize = 1 << 20;

/// Marks the beginning of every message since Arrow 0.15.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// One array of a column: a fixed-size list has two, itself and its values.
struct Node {
    length: usize,
    /// Bits of one value; none where the array has no buffer but validity.
    value_bits: Option<usize>,
}

/// Checks that `payload` is an Arrow IPC stream of one schema and one batch of at least one row, that `t` comes first and
/// every other column is a list of numbers or a number, and that no length in it leads outside of the payload.
pub(crate) fn check_stream(payload: &[u8]) -> Result<(), WireError> {
    let (columns, rest) = check_head(payload)?;
    check_rest(payload, rest, &columns).map(|_| ())
}

/// Checks the schema that `payload` begins with. Returns its columns and where the batch begins.
pub(crate) fn check_head(payload: &[u8]) -> Result<(Vec<Column>, usize), WireError> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(WireError::PayloadTooLarge { bytes: payload.len(), bytes_max: PAYLOAD_BYTES_MAX });
    }
    let (message, rest) = next_message(payload, "schema")?;
    let schema = message.header_as_schema().ok_or_else(|| bad(format!("begins with a {:?}, not a schema", message.header_type())))?;
    if message.bodyLength() != 0 {
        return Err(bad("the schema has a body"));
    }
    Ok((check_schema(schema)?, payload.len() - rest.len()))
}

/// Where the values of a checked payload lie in it.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) rows: usize,
    /// Of each column, exactly the bytes of its values.
    pub(crate) values: Vec<Range<usize>>,
}

/// Checks the batch that begins at `from` and what follows it, for a schema that was checked.
pub(crate) fn check_rest(payload: &[u8], from: usize, columns: &[Column]) -> Result<Places, WireError> {
    let (message, rest) = next_message(payload.get(from..).unwrap_or_default(), "record batch")?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => return Err(bad("dictionaries are not supported")),
        _ => None,
    };
    let batch = batch.ok_or_else(|| bad(format!("the schema is followed by a {:?}, not a record batch", message.header_type())))?;
    let body_bytes = length(message.bodyLength(), rest.len(), "body length")?;
    let places = check_batch(batch, columns, payload.len() - rest.len()..payload.len() - rest.len() + body_bytes)?;

    match rest.get(body_bytes..) {
        None | Some([] | [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]) => Ok(places),
        Some(more) => Err(bad(format!("{} bytes follow the first record batch; exactly one batch is allowed", more.len()))),
    }
}

fn bad(reason: impl Into<String>) -> WireError {
    WireError::BadRows { reason: reason.into() }
}

/// A count from the bytes, if it lies within `0..=max`.
fn length(value: i64, max: usize, what: &str) -> Result<usize, WireError> {
    usize::try_from(value).ok().filter(|n| *n <= max).ok_or_else(|| bad(format!("{what} {value} is not within 0 to {max}")))
}

/// The message at the start of `bytes` and what follows its metadata.
fn next_message<'a>(bytes: &'a [u8], what: &str) -> Result<(Message<'a>, &'a [u8]), WireError> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(bad(format!("the {what} is missing: {} bytes are left, a message has at least 8", bytes.len())));
    };
    let [m0, m1, m2, m3, l0, l1, l2, l3] = *prefix;
    if [m0, m1, m2, m3] != CONTINUATION {
        return Err(bad(format!("the {what} does not begin with the continuation marker ff ff ff ff")));
    }
    let metadata_bytes = length(i32::from_le_bytes([l0, l1, l2, l3]).into(), IPC_METADATA_BYTES_MAX.min(rest.len()), "metadata length")?;
    let (metadata, rest) = rest.split_at(metadata_bytes);
    let message = root_as_message(metadata).map_err(|e| bad(format!("the {what} is no valid flatbuffer: {e}")))?;
    if !matches!(message.version(), MetadataVersion::V4 | MetadataVersion::V5) {
        return Err(bad(format!("metadata version {:?} is not supported, expected V4 or V5", message.version())));
    }
    Ok((message, rest))
}

/// Elements of a list column (none for a plain number), and bits of one value.
pub(crate) type Column = (Option<usize>, usize);

fn check_schema(schema: Schema<'_>) -> Result<Vec<Column>, WireError> {
    if !schema.endianness().equals_to_target_endianness() {
        return Err(bad("big-endian columns are not supported"));
    }
    let fields = schema.fields().ok_or_else(|| bad("the schema has no columns"))?;
    if fields.len() > COLUMNS_MAX {
        return Err(bad(format!("{} columns; at most {COLUMNS_MAX} are allowed", fields.len())));
    }
    let mut names = BTreeSet::new();
    let mut columns = Vec::with_capacity(fields.len());
    for (index, field) in fields.iter().enumerate() {
        let name = field.name().unwrap_or_default();
        if index == 0 {
            check_time(name, field)?;
            columns.push((None, 64));
        } else {
            if [T, T_RECV, SEQ, RUN].contains(&name) {
                return Err(bad(format!("column {name:?} is the recorder's own name")));
            }
            columns.push(check_values(name, field)?);
        }
        if name.is_empty() || name.len() > COLUMN_NAME_BYTES_MAX {
            return Err(bad(format!("column {index} has a name of {} bytes, expected 1 to {COLUMN_NAME_BYTES_MAX}", name.len())));
        }
        if !names.insert(name) {
            return Err(bad(format!("column {name:?} appears twice")));
        }
    }
    if columns.is_empty() {
        return Err(bad("the schema has no columns"));
    }
    let values: usize = columns.iter().skip(1).map(|(elements, _)| elements.unwrap_or(1)).sum();
    if values > ROW_VALUES_MAX {
        return Err(bad(format!("{values} values in a row; at most {ROW_VALUES_MAX} are allowed")));
    }
    Ok(columns)
}

fn check_time(name: &str, field: Field<'_>) -> Result<(), WireError> {
    let expected = "first column \"t\" of type Timestamp(ns), without time zone or in UTC";
    let refuse = |found: String| Err(WireError::BadColumn { column: name.to_owned(), expected: expected.to_owned(), found });
    match field.type_as_timestamp() {
        _ if field.dictionary().is_some() => refuse("a dictionary".to_owned()),
        None => refuse(format!("{:?}", field.type_type())),
        Some(_) if name != T => refuse(format!("the name {name:?}")),
        Some(t) if t.unit() != TimeUnit::NANOSECOND => refuse(format!("Timestamp in {:?}", t.unit())),
        Some(t) if !matches!(t.timezone(), None | Some("" | "UTC")) => refuse(format!("time zone {:?}", t.timezone().unwrap_or_default())),
        Some(_) => Ok(()),
    }
}

fn check_values(name: &str, field: Field<'_>) -> Result<Column, WireError> {
    let refuse = |found: String| WireError::BadColumn {
        column: name.to_owned(),
        expected: "FixedSizeList<number; n> or a number".to_owned(),
        found,
    };
    if field.dictionary().is_some() {
        return Err(refuse("a dictionary".to_owned()));
    }
    let Some(list) = field.type_as_fixed_size_list() else {
        return value_bits(field).map(|bits| (None, bits)).map_err(refuse);
    };
    let children = field.children().filter(|children| children.len() == 1).ok_or_else(|| refuse("a list without its item".to_owned()))?;
    let item = children.get(0);
    if item.dictionary().is_some() {
        return Err(refuse("a list of dictionary values".to_owned()));
    }
    let elements = usize::try_from(list.listSize())
        .ok()
        .filter(|n| (1..=Quantity::ELEMENTS_MAX).contains(n))
        .ok_or_else(|| refuse(format!("a list of {} elements, allowed are 1 to {}", list.listSize(), Quantity::ELEMENTS_MAX)))?;
    value_bits(item).map(|bits| (Some(elements), bits)).map_err(|found| refuse(format!("a list of {found}")))
}

/// Bits of one number, or the name of a type that is none.
fn value_bits(field: Field<'_>) -> Result<usize, String> {
    let bits = match field.type_type() {
        Type::Bool => Some(1),
        Type::FloatingPoint => field.type_as_floating_point().and_then(|float| match float.precision() {
            Precision::SINGLE => Some(32),
            Precision::DOUBLE => Some(64),
            _ => None,
        }),
        Type::Int => field.type_as_int().and_then(|int| usize::try_from(int.bitWidth()).ok()).filter(|bits| [8, 16, 32, 64].contains(bits)),
        _ => None,
    };
    bits.ok_or_else(|| format!("{:?} of an unsupported kind", field.type_type()))
}

/// * `body`: where the buffers are.
fn check_batch(batch: RecordBatch<'_>, columns: &[Column], body: Range<usize>) -> Result<Places, WireError> {
    if batch.compression().is_some() {
        return Err(bad("compressed buffers are not supported"));
    }
    let rows = length(batch.length(), ROWS_MAX, "row count")?;
    if rows == 0 {
        return Err(bad("the batch has no rows"));
    }
    if batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(bad("variadic buffers are not supported"));
    }
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else { return Err(bad("the batch has no columns")) };
    let expected: Vec<Node> = columns.iter().flat_map(|column| column_nodes(*column, rows)).collect();
    let expected_buffers: usize = expected.iter().map(|node| if node.value_bits.is_some() { 2 } else { 1 }).sum();
    if nodes.len() != expected.len() || buffers.len() != expected_buffers {
        return Err(bad(format!(
            "the batch has {} arrays in {} buffers, its schema needs {} in {expected_buffers}",
            nodes.len(),
            buffers.len(),
            expected.len()
        )));
    }
    let body_bytes = body.len();
    let (mut buffers, mut values) = (buffers.iter(), Vec::with_capacity(columns.len()));
    for (index, (node, expected)) in nodes.iter().zip(&expected).enumerate() {
        let array = format!("array {index}");
        if length(node.length(), usize::MAX, &format!("{array}: length"))? != expected.length {
            return Err(bad(format!("{array} has length {}, expected {}", node.length(), expected.length)));
        }
        if node.null_count() != 0 {
            return Err(bad(format!("{array} counts {} nulls, none are allowed", node.null_count())));
        }
        for part in [Some(0), expected.value_bits].into_iter().flatten() {
            let Some(buffer) = buffers.next() else { return Err(bad(format!("{array} has too few buffers"))) };
            let at = length(buffer.offset(), body_bytes, &format!("{array}: buffer offset"))?;
            let bytes = length(buffer.length(), body_bytes - at, &format!("{array}: buffer length"))?;
            // At most ROWS_MAX * ELEMENTS_MAX * 64 bits: no overflow.
            let needed = (expected.length * part).div_ceil(8);
            if bytes < needed {
                return Err(bad(format!("{array} has {bytes} bytes of values, needs {needed}")));
            }
            if part > 0 {
                values.push(body.start + at..body.start + at + needed);
            }
        }
    }
    Ok(Places { rows, values })
}

fn column_nodes((elements, value_bits): Column, rows: usize) -> impl Iterator<Item = Node> {
    let list = elements.map(|_| Node { length: rows, value_bits: None });
    let values = Node { length: rows * elements.unwrap_or(1), value_bits: Some(value_bits) };
    list.into_iter().chain(std::iter::once(values))
}
