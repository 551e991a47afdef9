//! What payloads hold, told once and then remembered as a number.

use std::sync::Arc;

use sanqu_model::Quantity;
use sanqu_wire::h264::AccessUnit;
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, ENCODING_JSON, PAYLOAD_BYTES_MAX, RowsReader};

/// Classes of one stream that are remembered. A robot that sends something else every time costs time, not memory.
const CLASSES_MAX: usize = 64;

/// What a readable payload holds: payloads of the same class fit a stream alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Arrow rows of these quantities.
    Rows(Arc<[Quantity]>),
    /// An H.264 access unit without bidirectional slices, with these SPS and PPS in it.
    Video(Vec<Vec<u8>>),
    /// JSON, in UTF-8.
    Text,
    /// Anything else.
    Bytes,
}

/// The classes of one stream's payloads.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    known: Vec<Class>,
    rows: RowsReader,
}

impl Classes {
    /// The class of a payload and the number of its rows; none when it cannot be read, or when there are too many classes.
    pub(super) fn of(&mut self, encoding: &str, payload: &[u8]) -> Option<(u16, u32)> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        match encoding {
            ENCODING_ARROW => {
                let rows = self.rows.read(payload).ok()?;
                let quantities = rows.quantities();
                let known = |class: &Class| matches!(class, Class::Rows(known) if Arc::ptr_eq(known, quantities));
                let known = self.known.iter().position(known);
                let number = match known {
                    Some(number) => u16::try_from(number).ok(),
                    None => remember(&mut self.known, Class::Rows(Arc::clone(quantities))),
                };
                Some((number?, u32::try_from(rows.rows()).ok()?))
            }
            ENCODING_H264 => {
                let unit = AccessUnit::parse(payload).ok()?;
                if unit.has_b_slice() {
                    return None;
                }
                let known = |class: &Class| matches!(class, Class::Video(sets) if unit.parameter_sets().eq(sets.iter().map(Vec::as_slice)));
                let number = match self.known.iter().position(known) {
                    Some(number) => u16::try_from(number).ok(),
                    None => remember(&mut self.known, Class::Video(unit.parameter_sets().map(<[u8]>::to_vec).collect())),
                };
                Some((number?, 1))
            }
            ENCODING_JSON => {
                std::str::from_utf8(payload).ok()?;
                Some((remember(&mut self.known, Class::Text)?, 1))
            }
            _ => Some((remember(&mut self.known, Class::Bytes)?, 1)),
        }
    }

    pub(crate) fn get(&self, number: u16) -> Option<&Class> {
        self.known.get(usize::from(number))
    }
}

/// The number of a class; none when there are too many.
fn remember(known: &mut Vec<Class>, class: Class) -> Option<u16> {
    let number = known.iter().position(|other| *other == class).unwrap_or(known.len());
    if number == known.len() {
        if number >= CLASSES_MAX {
            return None;
        }
        known.push(class);
    }
    u16::try_from(number).ok()
}
