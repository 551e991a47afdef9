use std::collections::HashMap;
use std::sync::Arc;

use super::Message;
use super::read::{ARRAY_LEN_MAX, Reader};
use crate::WireError;

/// The largest definition text, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 256 << 10;
/// The largest number of message types in one definition.
pub const TYPES_MAX: usize = 256;
/// The largest number of fields of one message type.
pub const FIELDS_MAX: usize = 1024;
/// How deep messages may be nested.
pub const DEPTH_MAX: usize = 16;

/// How the bytes of one message type are laid out.
#[derive(Clone, Debug)]
pub struct MessageLayout {
    /// The message itself first, then the types inside it.
    types: Vec<MessageType>,
}

#[derive(Clone, Debug)]
pub(super) struct MessageType {
    pub(super) name: Arc<str>,
    pub(super) fields: Vec<FieldLayout>,
}

#[derive(Clone, Debug)]
pub(super) struct FieldLayout {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
    pub(super) count: Count,
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    One,
    /// `T[n]`: no length in the bytes.
    Fixed(usize),
    /// `T[]`: a 32-bit length first.
    Counted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Time,
    Duration,
    Text,
    /// Index of a message type.
    Message(usize),
}

/// `byte` and `char` are ROS 1's old names of `int8` and `uint8`.
const BUILT_IN: [(&str, Kind); 16] = [
    ("bool", Kind::Bool),
    ("uint8", Kind::U8),
    ("char", Kind::U8),
    ("int8", Kind::I8),
    ("byte", Kind::I8),
    ("uint16", Kind::U16),
    ("int16", Kind::I16),
    ("uint32", Kind::U32),
    ("int32", Kind::I32),
    ("uint64", Kind::U64),
    ("int64", Kind::I64),
    ("float32", Kind::F32),
    ("float64", Kind::F64),
    ("time", Kind::Time),
    ("duration", Kind::Duration),
    ("string", Kind::Text),
];

impl MessageLayout {
    /// Understands a definition.
    ///
    /// * `message_type`: `kuavo_msgs/sensorsData`.
    /// * `definition`: the message's own text, then for each type inside it a line of `=`, a line `MSG: package/Type` and
    ///   that type's text.
    ///
    /// # Errors
    /// [`WireError::BadDefinition`] naming the line or type: unknown or missing types, types that contain themselves, names
    /// used twice, more than the limits of this module.
    pub fn parse(message_type: &str, definition: &str) -> Result<Self, WireError> {
        let bad = |reason: String| WireError::BadDefinition { message_type: message_type.chars().take(128).collect(), reason };
        if definition.len() > DEFINITION_BYTES_MAX {
            return Err(bad(format!("{} bytes; at most {DEFINITION_BYTES_MAX} are allowed", definition.len())));
        }
        let sections = sections(message_type, definition).map_err(bad)?;
        let mut index_of: HashMap<&str, usize> = HashMap::new();
        for (index, (name, _)) in sections.iter().enumerate() {
            // The same type may be given twice; the texts are the same then.
            index_of.entry(name).or_insert(index);
        }
        let mut types = Vec::with_capacity(sections.len());
        for (name, lines) in &sections {
            let fields = fields(name, lines, &index_of).map_err(|reason| bad(format!("{name}: {reason}")))?;
            types.push(MessageType { name: Arc::from(*name), fields });
        }
        let layout = Self { types };
        layout.check_depth().map_err(bad)?;
        Ok(layout)
    }

    /// The message's type, `kuavo_msgs/sensorsData`.
    pub fn message_type(&self) -> &str {
        &self.types[0].name
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`WireError::BadMessage`] naming type, field and byte: the bytes end early or go on, a length beyond
    /// [`ARRAY_LEN_MAX`] or beyond the bytes, text that is no UTF-8, more values than [`super::VALUES_MAX`].
    pub fn read(&self, bytes: &[u8]) -> Result<Message, WireError> {
        Reader::new(&self.types, bytes).message()
    }

    /// Refuses types that contain themselves, and bounds the work of [`MessageLayout::read`].
    fn check_depth(&self) -> Result<(), String> {
        // Visiting a type once per level is enough, and keeps definitions that fan out from taking for ever.
        let mut due = vec![0];
        for _ in 0..DEPTH_MAX {
            let inside = due.iter().flat_map(|index| &self.types[*index].fields).filter_map(|field| match field.kind {
                Kind::Message(index) => Some(index),
                _ => None,
            });
            let mut next: Vec<usize> = inside.collect();
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return Ok(());
            }
            due = next;
        }
        Err(format!("{} is nested deeper than {DEPTH_MAX}, or contains itself", self.types[due[0]].name))
    }
}

type Section<'a> = (&'a str, Vec<&'a str>);

/// Name and lines of each type, the message itself first.
fn sections<'a>(message_type: &'a str, definition: &'a str) -> Result<Vec<Section<'a>>, String> {
    if !is_full_name(message_type) {
        return Err("the message type is not package/Type".to_owned());
    }
    let mut sections: Vec<Section<'a>> = vec![(message_type, Vec::new())];
    let mut after_rule = false;
    for line in definition.lines() {
        let is_rule = line.len() >= 20 && line.bytes().all(|byte| byte == b'=');
        match line.strip_prefix("MSG:") {
            _ if is_rule => {}
            Some(name) if after_rule => {
                let name = name.trim();
                if !is_full_name(name) {
                    return Err(format!("line {line:?} does not name package/Type"));
                }
                if sections.len() >= TYPES_MAX {
                    return Err(format!("more than {TYPES_MAX} types"));
                }
                sections.push((name, Vec::new()));
            }
            _ if after_rule => return Err(format!("line {line:?} follows a rule, expected MSG: package/Type")),
            _ => {
                if let Some((_, lines)) = sections.last_mut() {
                    lines.push(line);
                }
            }
        }
        after_rule = is_rule;
    }
    Ok(sections)
}

fn is_full_name(name: &str) -> bool {
    name.split_once('/').is_some_and(|(package, leaf)| is_word(package) && is_word(leaf))
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= 128 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn fields(of: &str, lines: &[&str], index_of: &HashMap<&str, usize>) -> Result<Vec<FieldLayout>, String> {
    let mut fields: Vec<FieldLayout> = Vec::new();
    for line in lines {
        let Some((type_text, rest)) = line.trim().split_once(char::is_whitespace) else {
            match line.trim() {
                "" => continue,
                comment if comment.starts_with('#') => continue,
                other => return Err(format!("line {other:?} is no field")),
            }
        };
        if type_text.starts_with('#') {
            continue;
        }
        let name = rest.split('#').next().unwrap_or_default();
        // A constant has no bytes; a string constant may contain '#'.
        if name.contains('=') {
            continue;
        }
        let name = name.trim();
        if !is_word(name) {
            return Err(format!("line {:?}: {name:?} is no field name", line.trim()));
        }
        if fields.iter().any(|field| &*field.name == name) {
            return Err(format!("field {name:?} appears twice"));
        }
        if fields.len() >= FIELDS_MAX {
            return Err(format!("more than {FIELDS_MAX} fields"));
        }
        let (kind, count) = field_type(of, type_text, index_of)?;
        fields.push(FieldLayout { name: Arc::from(name), kind, count });
    }
    Ok(fields)
}

fn field_type(of: &str, text: &str, index_of: &HashMap<&str, usize>) -> Result<(Kind, Count), String> {
    let (base, count) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        None => (text, Count::One),
        Some((base, "")) => (base, Count::Counted),
        Some((base, length)) => {
            let length = length.parse().ok().filter(|length| *length <= ARRAY_LEN_MAX);
            (base, Count::Fixed(length.ok_or_else(|| format!("type {text:?}: expected at most {ARRAY_LEN_MAX} elements"))?))
        }
    };
    if let Some((_, kind)) = BUILT_IN.iter().find(|(name, _)| *name == base) {
        return Ok((*kind, count));
    }
    let full = match base {
        "Header" => "std_msgs/Header".to_owned(),
        base if base.contains('/') => base.to_owned(),
        base => format!("{}/{base}", of.split('/').next().unwrap_or_default()),
    };
    let index = index_of.get(full.as_str()).ok_or_else(|| format!("type {full:?} is not in the definition"))?;
    Ok((Kind::Message(*index), count))
}
