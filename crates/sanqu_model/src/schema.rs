use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{ModelError, StreamName};

/// The number type of a quantity. Values keep the type they came in, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// Unsigned 8 bit.
    U8,
    /// Unsigned 16 bit.
    U16,
    /// Unsigned 32 bit.
    U32,
    /// Unsigned 64 bit.
    U64,
    /// Signed 8 bit.
    I8,
    /// Signed 16 bit.
    I16,
    /// Signed 32 bit.
    I32,
    /// Signed 64 bit.
    I64,
    /// True or false.
    Bool,
}

impl ValueType {
    const ALL: [(Self, DataType); 11] = [
        (Self::F64, DataType::Float64),
        (Self::F32, DataType::Float32),
        (Self::U8, DataType::UInt8),
        (Self::U16, DataType::UInt16),
        (Self::U32, DataType::UInt32),
        (Self::U64, DataType::UInt64),
        (Self::I8, DataType::Int8),
        (Self::I16, DataType::Int16),
        (Self::I32, DataType::Int32),
        (Self::I64, DataType::Int64),
        (Self::Bool, DataType::Boolean),
    ];

    /// The Arrow type of one value.
    pub fn arrow(self) -> DataType {
        Self::ALL.iter().find(|(value, _)| *value == self).map_or(DataType::Null, |(_, arrow)| arrow.clone())
    }

    /// The value type of an Arrow type, if it is one of ours.
    pub fn from_arrow(arrow: &DataType) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known == arrow).map(|(value, _)| *value)
    }
}

/// One quantity of a stream: a fixed-size list with one element per name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity {
    /// `pos`, `vel`, `effort`, …
    pub name: String,
    /// Type of each element.
    pub value_type: ValueType,
    /// `rad`, `rad/s`, `N·m`, `A`, `°C`; empty when it has none or nobody said.
    #[serde(default)]
    pub unit: String,
    /// The frame the values are expressed in; empty when it has none.
    #[serde(default)]
    pub frame: String,
    /// Element names in order: joint names, `x`, `y`, `z`, …
    pub elements: Vec<String>,
}

impl Quantity {
    /// A `f64` quantity.
    pub fn f64(name: &str, unit: &str, elements: &[String]) -> Self {
        Self { name: name.into(), value_type: ValueType::F64, unit: unit.into(), frame: String::new(), elements: elements.to_vec() }
    }

    /// The Arrow field: `FixedSizeList<T; n>` with unit, frame and element names in its metadata.
    pub fn field(&self) -> Field {
        let item = Arc::new(Field::new("item", self.value_type.arrow(), false));
        let size = i32::try_from(self.elements.len()).unwrap_or(i32::MAX);
        let mut meta = HashMap::new();
        for (key, text) in [("unit", &self.unit), ("frame", &self.frame)] {
            if !text.is_empty() {
                meta.insert(key.to_owned(), text.clone());
            }
        }
        meta.insert("names".to_owned(), self.elements.join(","));
        Field::new(&self.name, DataType::FixedSizeList(item, size), false).with_metadata(meta)
    }

    /// Reads a quantity back from a field made by [`Quantity::field`] or by any Arrow publisher. Elements that carry no
    /// names are numbered `0`, `1`, ….
    ///
    /// # Errors
    /// [`ModelError::BadDescription`] when the field is no fixed-size list of numbers, has more than
    /// [`Quantity::ELEMENTS_MAX`] elements, or the number of names differs from the list's size.
    pub fn from_field(field: &Field) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::BadDescription { quantity: field.name().clone(), reason };
        let DataType::FixedSizeList(item, size) = field.data_type() else {
            return Err(bad(format!("expected FixedSizeList<number; n>, found {}", field.data_type())));
        };
        let value_type = ValueType::from_arrow(item.data_type())
            .ok_or_else(|| bad(format!("elements of type {} are not supported", item.data_type())))?;
        let size = usize::try_from(*size)
            .ok()
            .filter(|n| *n <= Self::ELEMENTS_MAX)
            .ok_or_else(|| bad(format!("{size} elements; at most {} are allowed", Self::ELEMENTS_MAX)))?;
        let meta = field.metadata();
        let elements: Vec<String> = match meta.get("names") {
            Some(names) if !names.is_empty() => names.split(',').map(|name| name.trim().to_owned()).collect(),
            _ => (0..size).map(|i| i.to_string()).collect(),
        };
        if elements.len() != size {
            return Err(bad(format!("{} names for {size} elements", elements.len())));
        }
        let text = |key: &str| meta.get(key).cloned().unwrap_or_default();
        Ok(Self { name: field.name().clone(), value_type, unit: text("unit"), frame: text("frame"), elements })
    }

    /// The largest number of elements of one quantity.
    pub const ELEMENTS_MAX: usize = 1024;
}

/// What a stream says about itself before its first sample: the reply of its liveliness queryable, kept in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamDescription {
    /// The stream's name.
    pub stream: StreamName,
    /// The payload's zenoh encoding: `application/vnd.apache.arrow.stream`, `video/h264`, …
    pub encoding: String,
    /// Nominal samples (rows) a second; 0 when there is no fixed rate.
    pub rate_hz: f64,
    /// The clock's id as in the sample header: 0 unknown, 1 robot, 2 PTP, 3 receiver.
    pub clock: u16,
    /// The quantities of an Arrow stream; empty for pictures and JSON.
    #[serde(default)]
    pub quantities: Vec<Quantity>,
    /// Free facts: `width`, `height`, `encoder`, `evidence`, `derived`, `robot_description` (hash), ….
    #[serde(default)]
    pub facts: std::collections::BTreeMap<String, String>,
}

impl StreamDescription {
    /// The Arrow schema of a payload: `t` (ns, UTC) and the quantities in order.
    pub fn payload_schema(&self) -> Schema {
        let t = Field::new(crate::T, DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false);
        Schema::new(std::iter::once(t).chain(self.quantities.iter().map(Quantity::field)).collect::<Vec<_>>())
    }

    /// CRC-32 of the schema part (encoding and quantities), as carried in the sample header.
    pub fn schema_id(&self) -> u32 {
        // Serialisation of strings and integers into memory cannot fail.
        let text = serde_json::to_string(&(&self.encoding, &self.quantities)).unwrap_or_default();
        crc32fast::hash(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity() -> Quantity {
        Quantity { frame: "base_link".into(), ..Quantity::f64("pos", "rad", &["l_knee".into(), "r_knee".into()]) }
    }

    #[test]
    fn quantities_survive_arrow() {
        for (value_type, _) in ValueType::ALL {
            let quantity = Quantity { value_type, ..quantity() };
            assert_eq!(Quantity::from_field(&quantity.field()).unwrap(), quantity);
        }
    }

    #[test]
    fn bad_fields_are_named() {
        let lying = quantity().field().with_metadata(HashMap::from([("names".to_owned(), "a,b,c".to_owned())]));
        assert!(Quantity::from_field(&lying).unwrap_err().to_string().contains("3 names for 2 elements"));
        let text = Field::new("note", DataType::Utf8, false);
        assert!(Quantity::from_field(&text).unwrap_err().to_string().contains("note"));
        let huge = Field::new("pos", DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float64, false)), i32::MAX), false);
        assert!(Quantity::from_field(&huge).unwrap_err().to_string().contains("at most 1024"));
    }

    #[test]
    fn the_schema_id_ignores_rates_but_not_units() {
        let one = StreamDescription {
            stream: "joint".parse().unwrap(),
            encoding: "e".into(),
            rate_hz: 500.0,
            clock: 1,
            quantities: vec![quantity()],
            facts: Default::default(),
        };
        let slower = StreamDescription { rate_hz: 100.0, ..one.clone() };
        let other = StreamDescription { quantities: vec![Quantity { unit: "deg".into(), ..quantity() }], ..one.clone() };
        assert_eq!(one.schema_id(), slower.schema_id());
        assert_ne!(one.schema_id(), other.schema_id());
    }
}
