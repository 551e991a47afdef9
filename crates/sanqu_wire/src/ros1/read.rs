use super::layout::{Count, FieldLayout, Kind, MessageType};
use super::{Message, Value};
use crate::WireError;
use crate::rows::PAYLOAD_BYTES_MAX;

/// The largest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;
/// The largest number of elements of an array, other than of bytes and floats, which cost no more than they take in the
/// message.
pub const ARRAY_LEN_MAX: usize = 65_536;
/// The largest number of values in one message: nested arrays cannot multiply beyond it.
pub const VALUES_MAX: usize = 1 << 20;

/// Reads one message.
pub(super) struct Reader<'a> {
    types: &'a [MessageType],
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

/// What is wrong, and the path of the field, innermost name last.
struct Fault {
    path: Vec<String>,
    reason: String,
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self { path: Vec::new(), reason }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(types: &'a [MessageType], bytes: &'a [u8]) -> Self {
        Self { types, bytes, at: 0, values: 0 }
    }

    /// Reads the message, which must be all there is.
    pub(super) fn message(mut self) -> Result<Message, WireError> {
        let message_type = self.types[0].name.to_string();
        if self.bytes.len() > MESSAGE_BYTES_MAX {
            return Err(WireError::PayloadTooLarge { bytes: self.bytes.len(), bytes_max: MESSAGE_BYTES_MAX });
        }
        let read = self.fields(0).and_then(|message| match self.bytes.len() - self.at {
            0 => Ok(message),
            more => Err(Fault::from(format!("{more} bytes follow the last field: they do not fit the definition"))),
        });
        read.map_err(|mut fault| {
            fault.path.reverse();
            WireError::BadMessage { message_type, field: fault.path.join("."), offset: self.at, reason: fault.reason }
        })
    }

    fn fields(&mut self, index: usize) -> Result<Message, Fault> {
        let layout = &self.types[index];
        let mut values = Vec::with_capacity(layout.fields.len());
        for field in &layout.fields {
            let value = self.field(field).map_err(|mut fault| {
                fault.path.push(field.name.to_string());
                fault
            })?;
            values.push((field.name.clone(), value));
        }
        Ok(Message::new(layout.name.clone(), values))
    }

    fn field(&mut self, field: &FieldLayout) -> Result<Value, Fault> {
        // An array is a value too: one of no elements takes no bytes, but a place in memory.
        self.count()?;
        match field.count {
            Count::One => self.one(field.kind),
            Count::Fixed(length) => self.array(field.kind, length),
            Count::Counted => {
                let length = self.length()?;
                self.array(field.kind, length)
            }
        }
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.values += 1;
        if self.values > VALUES_MAX { Err(format!("more than {VALUES_MAX} values").into()) } else { Ok(()) }
    }

    fn one(&mut self, kind: Kind) -> Result<Value, Fault> {
        Ok(match kind {
            Kind::Bool => Value::Bool(self.take_bool()?),
            Kind::U8 => Value::Unsigned(u8::from_le_bytes(self.take()?).into()),
            Kind::U16 => Value::Unsigned(u16::from_le_bytes(self.take()?).into()),
            Kind::U32 => Value::Unsigned(u32::from_le_bytes(self.take()?).into()),
            Kind::U64 => Value::Unsigned(u64::from_le_bytes(self.take()?)),
            Kind::I8 => Value::Signed(i8::from_le_bytes(self.take()?).into()),
            Kind::I16 => Value::Signed(i16::from_le_bytes(self.take()?).into()),
            Kind::I32 => Value::Signed(i32::from_le_bytes(self.take()?).into()),
            Kind::I64 => Value::Signed(i64::from_le_bytes(self.take()?)),
            Kind::F32 => Value::F32(f32::from_le_bytes(self.take()?)),
            Kind::F64 => Value::F64(f64::from_le_bytes(self.take()?)),
            Kind::Time => Value::Time { secs: u32::from_le_bytes(self.take()?), nanos: u32::from_le_bytes(self.take()?) },
            Kind::Duration => Value::Duration { secs: i32::from_le_bytes(self.take()?), nanos: i32::from_le_bytes(self.take()?) },
            Kind::Text => Value::Text(self.text()?),
            Kind::Message(index) => Value::Message(self.fields(index)?),
        })
    }

    fn array(&mut self, kind: Kind, length: usize) -> Result<Value, Fault> {
        match kind {
            Kind::U8 => return Ok(Value::Bytes(self.slice(length)?.to_vec())),
            Kind::F32 => return Ok(Value::F32s(self.numbers(length)?.map(f32::from_le_bytes).collect())),
            Kind::F64 => return Ok(Value::F64s(self.numbers(length)?.map(f64::from_le_bytes).collect())),
            _ if length > ARRAY_LEN_MAX => return Err(format!("an array of {length} elements; at most {ARRAY_LEN_MAX} are allowed").into()),
            _ => {}
        }
        let mut values = Vec::with_capacity(length.min(self.bytes.len() - self.at));
        for index in 0..length {
            let value = self.count().and_then(|()| self.one(kind)).map_err(|mut fault| {
                fault.path.push(index.to_string());
                fault
            })?;
            values.push(value);
        }
        Ok(match kind {
            // An array of messages stays one, so that it can be walked as such.
            Kind::Message(_) => Value::Messages(values.into_iter().filter_map(Value::into_message).collect()),
            _ => Value::Array(values),
        })
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let left = self.bytes.len() - self.at;
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return Err(format!("{length} bytes are needed, {left} are left").into()) };
        let slice = &self.bytes[self.at..end];
        self.at = end;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let slice = self.slice(N)?;
        Ok(std::array::from_fn(|i| slice[i]))
    }

    fn numbers<const N: usize>(&mut self, length: usize) -> Result<impl Iterator<Item = [u8; N]> + 'a, Fault> {
        let bytes = length.checked_mul(N).ok_or_else(|| format!("an array of {length} elements"))?;
        Ok(self.slice(bytes)?.as_chunks::<N>().0.iter().copied())
    }

    fn length(&mut self) -> Result<usize, Fault> {
        let length = u32::from_le_bytes(self.take()?);
        usize::try_from(length).map_err(|_| format!("a length of {length}").into())
    }

    fn take_bool(&mut self) -> Result<bool, Fault> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(format!("{other} is neither false (0) nor true (1)").into()),
        }
    }

    fn text(&mut self) -> Result<String, Fault> {
        let length = self.length()?;
        let bytes = self.slice(length)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|e| format!("text: {e}").into())
    }
}
