//! Motors and joints of a robot that is running, as its x-ray reads them.

use std::sync::Arc;

use sanqu_model::Quantity;
use sanqu_store::ValueColumn;
use sanqu_wire::Rows;

use super::widen::widened;
use crate::load::{JOINT, MOTOR, QUANTITIES, channels, names_in};
use crate::track::{Breaks, Growth, Instants};
use crate::windows::RowSource;
use crate::xray::{Log, Telemetry};

/// What a robot's motors and joints have sent, as much of it as its other rows.
#[derive(Debug, Default)]
pub(crate) struct LiveDrives {
    motor: Option<Growing>,
    joint: Option<Growing>,
    /// Whether motor torques are the rotor's own, as the stream's description says.
    pub(super) rotor_torque: bool,
}

/// Rows of one stream that grow, of the quantities that an x-ray shows.
#[derive(Debug)]
struct Growing {
    quantities: Arc<[Quantity]>,
    /// What each value of a row is.
    columns: Vec<ValueColumn>,
    rows: Arc<RowSource>,
    instants: Instants,
    breaks: Breaks,
}

/// What a payload has for an x-ray.
#[derive(Debug)]
pub(super) struct DriveRows {
    quantities: Arc<[Quantity]>,
    /// Row-major.
    values: Vec<f64>,
}

impl DriveRows {
    /// The values of a payload that an x-ray shows.
    pub(super) fn of(rows: &Rows<'_>) -> Self {
        let quantities = Arc::clone(rows.quantities());
        let shown = |(place, quantity): (usize, &Quantity)| {
            let width = quantity.elements.len();
            let values = widened(quantity.value_type, rows.values(place), rows.rows() * width);
            is_shown(quantity).then_some((width, values))
        };
        let columns: Vec<(usize, Vec<f64>)> = quantities.iter().enumerate().filter_map(shown).collect();
        let of_row = |row: usize| columns.iter().flat_map(move |(width, values)| values.iter().skip(row * width).take(*width).copied());
        let values = (0..rows.rows()).flat_map(of_row).collect();
        Self { quantities, values }
    }

    /// Number of values of all rows.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

fn is_shown(quantity: &Quantity) -> bool {
    QUANTITIES.contains(&quantity.name.as_str())
}

impl Growing {
    fn new(quantities: Arc<[Quantity]>) -> Self {
        let of = |quantity: &Quantity| {
            let name = quantity.name.clone();
            quantity.elements.clone().into_iter().map(move |element| ValueColumn { quantity: name.clone(), element })
        };
        let columns: Vec<ValueColumn> = quantities.iter().filter(|quantity| is_shown(quantity)).flat_map(of).collect();
        let rows = Arc::new(RowSource::Memory { width: columns.len(), values: Vec::new() });
        Self { quantities, columns, rows, instants: Instants::default(), breaks: Breaks::default() }
    }

    fn has_rows(&self) -> bool {
        !self.instants.as_slice().is_empty()
    }

    /// The rows, to be changed. An x-ray that holds them meanwhile keeps what it has.
    fn own_rows(&mut self) -> Option<&mut RowSource> {
        let is_shared = Arc::get_mut(&mut self.rows).is_none();
        if let (true, RowSource::Memory { width, values }) = (is_shared, &*self.rows) {
            self.rows = Arc::new(RowSource::Memory { width: *width, values: values.clone() });
        }
        Arc::get_mut(&mut self.rows)
    }

    fn grow(&mut self, values: &[f64], growth: &Growth) {
        let fits = values.len() == self.columns.len() * growth.t_ns.len();
        if fits && self.own_rows().is_some_and(|rows| rows.grow(values)) {
            self.breaks.grow(self.instants.as_slice().len(), growth);
            self.instants.grow(&growth.t_ns);
        }
    }

    fn forget(&mut self, rows: usize) {
        if rows > 0
            && let Some(source) = self.own_rows()
        {
            source.forget(rows);
            self.instants.forget(rows);
            self.breaks.forget(rows, self.instants.as_slice().first().copied());
        }
    }

    fn log(&self, wanted: &[String]) -> Option<Log> {
        let names = names_in(&self.quantities, wanted)?;
        let channels = channels(&self.quantities, &names, &self.columns, &self.rows);
        Some(Log::of_channels(names, self.instants.clone(), self.breaks.clone(), channels))
    }
}

impl LiveDrives {
    /// Rows of these motors and joints: what has come by now, and is still held. It does not change when more comes.
    pub(crate) fn telemetry(&self, motors: &[String], joints: &[String]) -> Telemetry {
        let log = |growing: &Option<Growing>, wanted| growing.as_ref().filter(|growing| growing.has_rows())?.log(wanted);
        Telemetry { motor: log(&self.motor, motors), joint: log(&self.joint, joints), rotor_torque: self.rotor_torque }
    }

    /// Whether an x-ray reads this stream.
    pub(super) fn reads(stream: &str) -> bool {
        [MOTOR, JOINT].contains(&stream)
    }

    fn of(&mut self, stream: &str) -> Option<&mut Option<Growing>> {
        match stream {
            MOTOR => Some(&mut self.motor),
            JOINT => Some(&mut self.joint),
            _ => None,
        }
    }

    /// Adds rows of a stream. False when they have other quantities than those before, which are forgotten.
    pub(super) fn grow(&mut self, stream: &str, more: &DriveRows, growth: &Growth) -> bool {
        let Some(place) = self.of(stream) else { return true };
        let known = place
            .as_ref()
            .is_none_or(|growing| Arc::ptr_eq(&growing.quantities, &more.quantities) || growing.quantities == more.quantities);
        let had_rows = place.as_ref().is_some_and(Growing::has_rows);
        if !known {
            *place = None;
        }
        place.get_or_insert_with(|| Growing::new(Arc::clone(&more.quantities))).grow(&more.values, growth);
        known || !had_rows
    }

    /// Forgets rows at the beginning of a stream, so that not more than the last `rows` stay.
    pub(super) fn keep(&mut self, stream: &str, rows: usize) {
        if let Some(Some(growing)) = self.of(stream) {
            growing.forget(growing.instants.as_slice().len().saturating_sub(rows));
        }
    }
}
