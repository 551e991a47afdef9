//! From rows of lists, as they travel, to one column for each element, as they are stored.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeListArray, PrimitiveArray, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use sanqu_model::{Quantity, RUN, SEQ, T, T_RECV, ValueType};

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

/// Transposes a chunk's batch into the stored form.
pub(super) fn transpose(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let leading = leading_fields().len();
    let mut columns: Vec<ArrayRef> = batch.columns()[..leading].to_vec();
    for column in &batch.columns()[leading..] {
        match column.as_fixed_size_list_opt() {
            Some(list) => elements(list, &mut columns)?,
            None => columns.push(Arc::clone(column)),
        }
    }
    RecordBatch::try_new(Arc::clone(schema), columns)
}

fn elements(list: &FixedSizeListArray, columns: &mut Vec<ArrayRef>) -> Result<(), ArrowError> {
    let width = usize::try_from(list.value_length()).unwrap_or(0);
    let values = list.values();
    let value_type = ValueType::from_arrow(values.data_type())
        .ok_or_else(|| ArrowError::SchemaError(format!("elements of type {} are not stored", values.data_type())))?;
    columns.extend((0..width).map(|element| match value_type {
        ValueType::F64 => strided::<Float64Type>(values, element, width),
        ValueType::F32 => strided::<Float32Type>(values, element, width),
        ValueType::U8 => strided::<UInt8Type>(values, element, width),
        ValueType::U16 => strided::<UInt16Type>(values, element, width),
        ValueType::U32 => strided::<UInt32Type>(values, element, width),
        ValueType::U64 => strided::<UInt64Type>(values, element, width),
        ValueType::I8 => strided::<Int8Type>(values, element, width),
        ValueType::I16 => strided::<Int16Type>(values, element, width),
        ValueType::I32 => strided::<Int32Type>(values, element, width),
        ValueType::I64 => strided::<Int64Type>(values, element, width),
        ValueType::Bool => {
            let bits = values.as_boolean();
            Arc::new(BooleanArray::from_iter((element..bits.len()).step_by(width).map(|i| Some(bits.value(i))))) as ArrayRef
        }
    }));
    Ok(())
}

fn strided<P: ArrowPrimitiveType>(values: &ArrayRef, element: usize, width: usize) -> ArrayRef {
    let values = values.as_primitive::<P>().values();
    Arc::new(PrimitiveArray::<P>::from_iter_values(values.iter().skip(element).step_by(width).copied()))
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
