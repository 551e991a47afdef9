//! Values of a payload as doubles.

use sanqu_model::ValueType;

/// The values of a quantity as they were sent (little-endian, booleans as bits) as doubles; `count` of them.
pub(super) fn widened(value_type: ValueType, bytes: &[u8], count: usize) -> Vec<f64> {
    fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (values, _) = bytes.as_chunks::<N>();
        values.iter().map(|bytes| value(*bytes)).collect()
    }
    match value_type {
        ValueType::F64 => each(bytes, f64::from_le_bytes),
        ValueType::F32 => each(bytes, |value| f64::from(f32::from_le_bytes(value))),
        ValueType::U8 => each(bytes, |[value]| f64::from(value)),
        ValueType::U16 => each(bytes, |value| f64::from(u16::from_le_bytes(value))),
        ValueType::U32 => each(bytes, |value| f64::from(u32::from_le_bytes(value))),
        ValueType::I8 => each(bytes, |value| f64::from(i8::from_le_bytes(value))),
        ValueType::I16 => each(bytes, |value| f64::from(i16::from_le_bytes(value))),
        ValueType::I32 => each(bytes, |value| f64::from(i32::from_le_bytes(value))),
        #[expect(clippy::cast_precision_loss, reason = "a count to be drawn")]
        ValueType::U64 => each(bytes, |value| u64::from_le_bytes(value) as f64),
        #[expect(clippy::cast_precision_loss, reason = "a count to be drawn")]
        ValueType::I64 => each(bytes, |value| i64::from_le_bytes(value) as f64),
        ValueType::Bool => {
            let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (index % 8) & 1);
            (0..count).map(|index| f64::from(bit(index))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_type_is_read() {
        let check =
            |value_type, bytes: &[u8], expect: &[f64]| assert_eq!(widened(value_type, bytes, expect.len()), expect, "{value_type:?}");
        check(ValueType::F64, &[1.5_f64.to_le_bytes(), (-2.0_f64).to_le_bytes()].concat(), &[1.5, -2.0]);
        check(ValueType::F32, &0.5_f32.to_le_bytes(), &[0.5]);
        check(ValueType::U8, &[7, 200], &[7.0, 200.0]);
        check(ValueType::I8, &[0xff], &[-1.0]);
        check(ValueType::U16, &[1, 2], &[513.0]);
        check(ValueType::I16, &[0xfe, 0xff], &[-2.0]);
        check(ValueType::U32, &70_000_u32.to_le_bytes(), &[70_000.0]);
        check(ValueType::I32, &(-70_000_i32).to_le_bytes(), &[-70_000.0]);
        check(ValueType::U64, &(1_u64 << 40).to_le_bytes(), &[f64::from(1_u32 << 20).powi(2)]);
        check(ValueType::I64, &(-5_i64).to_le_bytes(), &[-5.0]);
        check(ValueType::Bool, &[0b0000_0101, 1], &[1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    }
}
