use std::sync::Arc;

use crate::WireError;

/// One message with its fields in order of the definition.
///
/// Fields are asked for by path: `joint_data.joint_q`. What a path names must be of the type asked for; nothing is
/// converted silently.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    message_type: Arc<str>,
    fields: Vec<(Arc<str>, Value)>,
}

/// The value of a field, as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `bool`.
    Bool(bool),
    /// `uint8`, `char`, `uint16`, `uint32`, `uint64`.
    Unsigned(u64),
    /// `int8`, `byte`, `int16`, `int32`, `int64`.
    Signed(i64),
    /// `float32`.
    F32(f32),
    /// `float64`.
    F64(f64),
    /// `time`: since the Unix epoch.
    Time {
        /// Whole seconds.
        secs: u32,
        /// Nanoseconds on top.
        nanos: u32,
    },
    /// `duration`.
    Duration {
        /// Whole seconds.
        secs: i32,
        /// Nanoseconds on top.
        nanos: i32,
    },
    /// `string`.
    Text(String),
    /// A message inside.
    Message(Message),
    /// `uint8[]`, `char[]`.
    Bytes(Vec<u8>),
    /// `float32[]`.
    F32s(Vec<f32>),
    /// `float64[]`.
    F64s(Vec<f64>),
    /// An array of messages.
    Messages(Vec<Message>),
    /// An array of anything else.
    Array(Vec<Value>),
}

impl Value {
    /// The message, if this is one.
    pub(super) fn into_message(self) -> Option<Message> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Unsigned(_) => "an unsigned integer",
            Self::Signed(_) => "a signed integer",
            Self::F32(_) => "float32",
            Self::F64(_) => "float64",
            Self::Time { .. } => "time",
            Self::Duration { .. } => "duration",
            Self::Text(_) => "string",
            Self::Message(_) => "a message",
            Self::Bytes(_) => "uint8[]",
            Self::F32s(_) => "float32[]",
            Self::F64s(_) => "float64[]",
            Self::Messages(_) => "an array of messages",
            Self::Array(_) => "an array",
        }
    }
}

impl Message {
    pub(super) fn new(message_type: Arc<str>, fields: Vec<(Arc<str>, Value)>) -> Self {
        Self { message_type, fields }
    }

    /// The message's type, `sensor_msgs/JointState`.
    pub fn message_type(&self) -> &str {
        &self.message_type
    }

    /// Names and values of the fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }

    /// The value at a path; none when the definition has no such field.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let (_, value) = self.fields.iter().find(|(field, _)| &**field == name)?;
        match (rest, value) {
            (None, value) => Some(value),
            (Some(rest), Value::Message(inside)) => inside.get(rest),
            (Some(_), _) => None,
        }
    }

    /// A number: `float64`, `float32`, or an integer of at most 32 bits, all of which are exact in `f64`.
    ///
    /// # Errors
    /// [`WireError::BadField`] for a missing field, another type, or an integer that is too large.
    #[expect(clippy::cast_precision_loss, reason = "the guards leave integers that are exact in f64")]
    pub fn f64(&self, path: &str) -> Result<f64, WireError> {
        const EXACT_MAX: u64 = 1 << 53;
        match self.get(path) {
            Some(Value::F64(value)) => Ok(*value),
            Some(Value::F32(value)) => Ok(f64::from(*value)),
            Some(Value::Unsigned(value)) if *value <= EXACT_MAX => Ok(*value as f64),
            Some(Value::Signed(value)) if value.unsigned_abs() <= EXACT_MAX => Ok(*value as f64),
            other => Err(self.bad_field(path, "a number that is exact in float64", other)),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// [`WireError::BadField`] for a missing field, another type, or a `uint64` beyond `i64`.
    pub fn i64(&self, path: &str) -> Result<i64, WireError> {
        let found = self.get(path);
        let value = match found {
            Some(Value::Signed(value)) => Some(*value),
            Some(Value::Unsigned(value)) => i64::try_from(*value).ok(),
            _ => None,
        };
        value.ok_or_else(|| self.bad_field(path, "an integer within int64", found))
    }

    /// A `bool`.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn bool(&self, path: &str) -> Result<bool, WireError> {
        match self.get(path) {
            Some(Value::Bool(value)) => Ok(*value),
            other => Err(self.bad_field(path, "bool", other)),
        }
    }

    /// A `string`.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn text(&self, path: &str) -> Result<&str, WireError> {
        match self.get(path) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(self.bad_field(path, "string", other)),
        }
    }

    /// A `string[]`.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn text_array(&self, path: &str) -> Result<Vec<&str>, WireError> {
        let found = self.get(path);
        let texts = match found {
            Some(Value::Array(values)) => {
                values.iter().map(|value| if let Value::Text(text) = value { Some(text.as_str()) } else { None }).collect()
            }
            _ => None,
        };
        texts.ok_or_else(|| self.bad_field(path, "string[]", found))
    }

    /// A `float64[]`.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn f64_array(&self, path: &str) -> Result<&[f64], WireError> {
        match self.get(path) {
            Some(Value::F64s(values)) => Ok(values),
            other => Err(self.bad_field(path, "float64[]", other)),
        }
    }

    /// A `float32[]`.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn f32_array(&self, path: &str) -> Result<&[f32], WireError> {
        match self.get(path) {
            Some(Value::F32s(values)) => Ok(values),
            other => Err(self.bad_field(path, "float32[]", other)),
        }
    }

    /// An array of integers other than `uint8[]`.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn i64_array(&self, path: &str) -> Result<Vec<i64>, WireError> {
        let found = self.get(path);
        let integer = |value: &Value| match value {
            Value::Signed(value) => Some(*value),
            Value::Unsigned(value) => i64::try_from(*value).ok(),
            _ => None,
        };
        let numbers = match found {
            Some(Value::Array(values)) => values.iter().map(integer).collect(),
            _ => None,
        };
        numbers.ok_or_else(|| self.bad_field(path, "an array of integers within int64", found))
    }

    /// A `uint8[]`: pictures, hand positions.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn bytes(&self, path: &str) -> Result<&[u8], WireError> {
        match self.get(path) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            other => Err(self.bad_field(path, "uint8[]", other)),
        }
    }

    /// A message inside.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn message(&self, path: &str) -> Result<&Message, WireError> {
        match self.get(path) {
            Some(Value::Message(message)) => Ok(message),
            other => Err(self.bad_field(path, "a message", other)),
        }
    }

    /// An array of messages.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn messages(&self, path: &str) -> Result<&[Message], WireError> {
        match self.get(path) {
            Some(Value::Messages(messages)) => Ok(messages),
            other => Err(self.bad_field(path, "an array of messages", other)),
        }
    }

    /// A `time`, ns since the Unix epoch. Every time that ROS 1 can say fits.
    ///
    /// # Errors
    /// [`WireError::BadField`].
    pub fn time_ns(&self, path: &str) -> Result<i64, WireError> {
        match self.get(path) {
            Some(Value::Time { secs, nanos }) => Ok(i64::from(*secs) * 1_000_000_000 + i64::from(*nanos)),
            other => Err(self.bad_field(path, "time", other)),
        }
    }

    fn bad_field(&self, path: &str, expected: &'static str, found: Option<&Value>) -> WireError {
        WireError::BadField {
            message_type: self.message_type.to_string(),
            field: path.to_owned(),
            expected,
            found: found.map_or("no such field", Value::kind).to_owned(),
        }
    }
}
