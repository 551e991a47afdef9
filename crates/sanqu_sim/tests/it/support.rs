use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{ArrowPrimitiveType, TimestampNanosecondType};
use sanqu_model::Id;
use sanqu_sim::{CameraSpec, SimRobot, SimSample, SimSpec};

/// The shipped robots: folder of the description, id.
pub(crate) const ROBOTS: [(&str, &str); 2] = [("walker-s", "walker-s-01"), ("kuavo-s45", "kuavo-01")];
pub(crate) const START_NS: i64 = 1_800_000_000_000_000_000;
pub(crate) const SECOND_NS: i64 = 1_000_000_000;

pub(crate) fn assets() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

pub(crate) fn spec((model, robot): (&str, &str), cameras: &[CameraSpec]) -> SimSpec {
    SimSpec {
        field: Id::new("field", "desk").unwrap(),
        robot: Id::new("robot", robot).unwrap(),
        model_dir: assets().join("robots").join(model),
        rate_hz: 500.0,
        cameras: cameras.to_vec(),
        seed: 7,
        faults: Vec::new(),
    }
}

pub(crate) fn cameras(width: u16, height: u16) -> Vec<CameraSpec> {
    ["head", "wrist-left", "wrist-right"].map(|name| CameraSpec { name: name.to_owned(), width, height, fps: 30 }).to_vec()
}

pub(crate) fn robot(which: (&str, &str), cameras: &[CameraSpec]) -> SimRobot {
    SimRobot::new(spec(which, cameras), START_NS).unwrap()
}

/// All rows of one stream.
pub(crate) struct Rows {
    pub(crate) t_ns: Vec<i64>,
    batches: Vec<RecordBatch>,
}

impl Rows {
    pub(crate) fn of(samples: &[SimSample], stream: &str) -> Self {
        let mine = samples.iter().filter(|sample| sample.stream.as_str() == stream);
        let batches: Vec<_> = mine.map(|sample| sanqu_wire::decode_rows(&sample.payload).unwrap()).collect();
        let t_ns = batches.iter().flat_map(|batch| batch.column(0).as_primitive::<TimestampNanosecondType>().values().to_vec()).collect();
        Self { t_ns, batches }
    }

    /// `[row][element]`.
    pub(crate) fn values<T: ArrowPrimitiveType>(&self, quantity: &str) -> Vec<Vec<T::Native>> {
        let mut rows = Vec::new();
        for batch in &self.batches {
            let list = batch.column_by_name(quantity).unwrap().as_fixed_size_list();
            let width = usize::try_from(list.value_length()).unwrap();
            rows.extend(list.values().as_primitive::<T>().values().chunks(width).map(<[_]>::to_vec));
        }
        rows
    }
}
