//! From rows of lists, as they travel, to one column for each element, as they are stored.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, TimestampNanosecondArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sanqu_model::{Quantity, RUN, SEQ, T, T_RECV, ValueType};
use sanqu_wire::Rows;

use crate::episode::{META_ELEMENT, META_QUANTITY};

/// How joints are called in robot descriptions; columns leave it out, as LeRobot names motors.
const JOINT_SUFFIX: &str = "_joint";

/// The four columns that every stream begins with.
pub(super) fn leading_fields() -> Vec<Field> {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    vec![
        Field::new(T, time.clone(), false),
        Field::new(T_RECV, time, false),
        Field::new(SEQ, DataType::UInt64, false),
        Field::new(RUN, DataType::UInt32, false),
    ]
}

/// The schema of a stream's file: the leading columns, then `<element>.<quantity>`.
pub(super) fn stored_schema(quantities: &[Quantity]) -> SchemaRef {
    let mut fields = leading_fields();
    let names = column_names(quantities);
    let elements = quantities.iter().flat_map(|quantity| quantity.elements.iter().map(move |element| (quantity, element)));
    for ((quantity, element), name) in elements.zip(names) {
        let mut meta = HashMap::from([(META_ELEMENT.to_owned(), element.clone()), (META_QUANTITY.to_owned(), quantity.name.clone())]);
        for (key, text) in [("unit", &quantity.unit), ("frame", &quantity.frame)] {
            if !text.is_empty() {
                meta.insert(key.to_owned(), text.clone());
            }
        }
        fields.push(Field::new(name, quantity.value_type.arrow(), false).with_metadata(meta));
    }
    Arc::new(Schema::new(fields))
}

/// Short names, unless leaving the suffix out or an odd element name makes two columns the same.
fn column_names(quantities: &[Quantity]) -> Vec<String> {
    let named = |element: &dyn Fn(usize, &str) -> String| -> Option<Vec<String>> {
        let names: Vec<String> =
            quantities.iter().flat_map(|q| q.elements.iter().enumerate().map(|(i, e)| format!("{}.{}", element(i, e), q.name))).collect();
        (names.iter().collect::<BTreeSet<_>>().len() == names.len()).then_some(names)
    };
    named(&|_, e| e.strip_suffix(JOINT_SUFFIX).filter(|short| !short.is_empty()).unwrap_or(e).to_owned())
        .or_else(|| named(&|_, e| e.to_owned()))
        .or_else(|| named(&|i, e| format!("{e}#{i}")))
        .unwrap_or_else(|| (0..quantities.iter().map(|q| q.elements.len()).sum()).map(|column| format!("{column}.value")).collect())
}

/// The leading columns of rows that are collected.
#[derive(Debug, Default)]
pub(super) struct Leading {
    t_ns: Vec<i64>,
    t_recv_ns: Vec<i64>,
    seq: Vec<u64>,
    run: Vec<u32>,
}

impl Leading {
    pub(super) fn rows(&self) -> usize {
        self.run.len()
    }

    /// Adds consecutive rows of one sample.
    pub(super) fn push(&mut self, t_ns: impl Iterator<Item = i64>, recv_ns: i64, (run, first_seq): (u32, u64)) {
        self.t_ns.extend(t_ns);
        let rows = self.t_ns.len() - self.run.len();
        self.t_recv_ns.extend(std::iter::repeat_n(recv_ns, rows));
        self.seq.extend((first_seq..).take(rows));
        self.run.extend(std::iter::repeat_n(run, rows));
    }

    /// Takes the columns out.
    pub(super) fn finish(&mut self) -> Vec<ArrayRef> {
        let Self { t_ns, t_recv_ns, seq, run } = std::mem::take(self);
        let time = |values: Vec<i64>| Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"));
        vec![time(t_ns), time(t_recv_ns), Arc::new(UInt64Array::from(seq)), Arc::new(UInt32Array::from(run))]
    }
}

macro_rules! values {
    ($($name:ident($native:ty, $array:ident)),*) => {
        /// One column of values that are collected.
        #[derive(Debug)]
        enum Values {
            $($name(Vec<$native>),)*
            Bool(Vec<bool>),
        }

        impl Values {
            fn new(value_type: ValueType) -> Self {
                match value_type {
                    $(ValueType::$name => Self::$name(Vec::new()),)*
                    ValueType::Bool => Self::Bool(Vec::new()),
                }
            }

            /// Adds one element of each row. `bytes` are the values of all elements, row by row.
            fn extend(&mut self, bytes: &[u8], element: usize, width: usize, rows: Range<usize>) {
                let cells = || rows.clone().map(|row| row * width + element);
                match self {
                    $(Self::$name(values) => {
                        let (natives, _) = bytes.as_chunks();
                        values.extend(cells().filter_map(|at| natives.get(at)).map(|cell| <$native>::from_le_bytes(*cell)));
                    })*
                    Self::Bool(values) => {
                        values.extend(cells().filter_map(|at| Some(bytes.get(at / 8)? >> (at % 8) & 1 == 1)));
                    }
                }
            }

            fn finish(self) -> ArrayRef {
                match self {
                    $(Self::$name(values) => Arc::new($array::from(values)),)*
                    Self::Bool(values) => Arc::new(BooleanArray::from(values)),
                }
            }
        }
    };
}

values! {
    F64(f64, Float64Array), F32(f32, Float32Array),
    U8(u8, UInt8Array), U16(u16, UInt16Array), U32(u32, UInt32Array), U64(u64, UInt64Array),
    I8(i8, Int8Array), I16(i16, Int16Array), I32(i32, Int32Array), I64(i64, Int64Array)
}

/// Collects rows of lists as one column for each element.
#[derive(Debug)]
pub(super) struct Transposed {
    /// Type and number of elements of each quantity.
    quantities: Vec<(ValueType, usize)>,
    columns: Vec<Values>,
}

impl Transposed {
    pub(super) fn new(quantities: &[Quantity]) -> Self {
        let quantities: Vec<_> = quantities.iter().map(|quantity| (quantity.value_type, quantity.elements.len())).collect();
        let columns = Self::empty(&quantities);
        Self { quantities, columns }
    }

    fn empty(quantities: &[(ValueType, usize)]) -> Vec<Values> {
        quantities.iter().flat_map(|(value_type, elements)| (0..*elements).map(|_| Values::new(*value_type))).collect()
    }

    /// Adds some rows of a payload of the quantities that it was made for.
    pub(super) fn push(&mut self, payload: &Rows<'_>, rows: Range<usize>) {
        let mut columns = self.columns.iter_mut();
        for (quantity, (_, width)) in self.quantities.iter().enumerate() {
            let values = payload.values(quantity);
            for (element, column) in columns.by_ref().take(*width).enumerate() {
                column.extend(values, element, *width, rows.clone());
            }
        }
    }

    /// Takes the columns out.
    pub(super) fn finish(&mut self) -> Vec<ArrayRef> {
        let columns = std::mem::replace(&mut self.columns, Self::empty(&self.quantities));
        columns.into_iter().map(Values::finish).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(elements: &[&[&str]], expect: &[&str]) {
        let quantities: Vec<Quantity> = elements
            .iter()
            .zip(["pos", "vel"])
            .map(|(elements, name)| Quantity::f64(name, "", &elements.iter().map(ToString::to_string).collect::<Vec<_>>()))
            .collect();
        let schema = stored_schema(&quantities);
        let names: Vec<&str> = schema.fields().iter().skip(4).map(|f| f.name().as_str()).collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn columns_are_named_as_lerobot_names_motors() {
        check(&[&["l_knee_pitch_joint", "head"], &["l_knee_pitch_joint"]], &["l_knee_pitch.pos", "head.pos", "l_knee_pitch.vel"]);
        check(&[&["a_joint", "a"]], &["a_joint.pos", "a.pos"]);
        check(&[&["x", "x"]], &["x#0.pos", "x#1.pos"]);
        check(&[&["_joint"]], &["_joint.pos"]);
    }
}
