//! Rows of one Arrow stream, collected until a payload is full.

use arrow_array::ArrayRef;
use arrow_array::types::{Float32Type, Float64Type, UInt32Type};
use sanqu_model::{StreamDescription, ValueType};
use sanqu_wire::{encode_rows, fixed_list};

use crate::{SimError, SimSample};

/// Time that one payload spans, s.
const PAYLOAD_SECS: f64 = 0.02;

/// Values of one quantity, row-major.
#[derive(Debug)]
enum Column {
    F64(Vec<f64>),
    F32(Vec<f32>),
    U32(Vec<u32>),
}

/// A stream under construction.
#[derive(Debug)]
pub(crate) struct RowStream {
    pub(crate) description: StreamDescription,
    rows_per_payload: usize,
    t_ns: Vec<i64>,
    columns: Vec<Column>,
}

impl RowStream {
    /// The description's quantities must be of f64, f32 or u32.
    pub(crate) fn new(description: StreamDescription) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate between 1 and 10000 Hz times 20 ms")]
        let rows_per_payload = ((description.rate_hz * PAYLOAD_SECS).round() as usize).max(1);
        let columns = description.quantities.iter().map(|quantity| match quantity.value_type {
            ValueType::F32 => Column::F32(Vec::new()),
            ValueType::U32 => Column::U32(Vec::new()),
            _ => Column::F64(Vec::new()),
        });
        Self { columns: columns.collect(), description, rows_per_payload, t_ns: Vec::new() }
    }

    /// Rows until the next payload is full, at least 1.
    pub(crate) fn missing(&self) -> u64 {
        (self.rows_per_payload - self.t_ns.len()).max(1) as u64
    }

    /// Begins a row.
    pub(crate) fn begin(&mut self, t_ns: i64) {
        self.t_ns.push(t_ns);
    }

    /// Adds the row's values of one quantity, converted to the type that the description says.
    pub(crate) fn extend(&mut self, quantity: usize, values: impl IntoIterator<Item = f64>) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "temperatures and error words; made here, in range")]
        match self.columns.get_mut(quantity) {
            Some(Column::F64(column)) => column.extend(values),
            Some(Column::F32(column)) => column.extend(values.into_iter().map(|value| value as f32)),
            Some(Column::U32(column)) => column.extend(values.into_iter().map(|value| value as u32)),
            None => {}
        }
    }

    /// The payload, when enough rows are there.
    pub(crate) fn take(&mut self) -> Result<Option<SimSample>, SimError> {
        let (Some(first_ns), Some(last_ns)) = (self.t_ns.first().copied(), self.t_ns.last().copied()) else { return Ok(None) };
        if self.t_ns.len() < self.rows_per_payload {
            return Ok(None);
        }
        let failed = |source| SimError::Encode { stream: self.description.stream.clone(), source };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, quantity) in self.columns.iter_mut().zip(&self.description.quantities) {
            let elements = quantity.elements.len();
            let array = match column {
                Column::F64(values) => fixed_list::<Float64Type>(std::mem::take(values), elements),
                Column::F32(values) => fixed_list::<Float32Type>(std::mem::take(values), elements),
                Column::U32(values) => fixed_list::<UInt32Type>(std::mem::take(values), elements),
            };
            arrays.push(array.map_err(failed)?);
        }
        let payload = encode_rows(&self.description, &self.t_ns, arrays).map_err(failed)?;
        let rows = u32::try_from(self.t_ns.len()).unwrap_or(u32::MAX);
        self.t_ns.clear();
        let stream = self.description.stream.clone();
        Ok(Some(SimSample { stream, rows, capture_ns: first_ns, due_ns: last_ns, keyframe: false, payload }))
    }
}
