//! Reads a rerun recording with rerun's own decoder.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, UInt8Type};
use arrow_array::{Array, ArrayRef};
use re_sdk::StoreKind;
use re_sdk::external::re_log_encoding::DecoderApp;
use re_sdk::log::{Chunk, LogMsg};

/// All chunks of a file, in file order.
pub(crate) struct Recording {
    chunks: Vec<Chunk>,
    layouts: usize,
}

impl Recording {
    /// Reads all of `path`.
    pub(crate) fn read(path: &Path) -> Self {
        let mut recording = Self { chunks: Vec::new(), layouts: 0 };
        for message in DecoderApp::decode_lazy(BufReader::new(File::open(path).unwrap())) {
            match message.unwrap() {
                LogMsg::ArrowMsg(store, message) if store.kind() == StoreKind::Recording => {
                    recording.chunks.push(Chunk::from_arrow_msg(&message).unwrap());
                }
                LogMsg::BlueprintActivationCommand(_) => recording.layouts += 1,
                _ => {}
            }
        }
        recording
    }

    /// How many layouts were activated.
    pub(crate) fn layouts(&self) -> usize {
        self.layouts
    }

    /// Number of rows of a component.
    pub(crate) fn rows(&self, entity: &str, component: &'static str) -> usize {
        self.cells(entity, component).len()
    }

    /// Capture time (ns) and values of each row.
    pub(crate) fn doubles(&self, entity: &str, component: &'static str) -> Vec<(i64, Vec<f64>)> {
        let values = |cell: ArrayRef| cell.as_primitive::<Float64Type>().values().to_vec();
        self.cells(entity, component).into_iter().map(|(t, cell)| (t, values(cell))).collect()
    }

    /// Capture time (ns) and the numbers of the row's only vector.
    pub(crate) fn floats(&self, entity: &str, component: &'static str) -> Vec<(i64, Vec<f32>)> {
        let values = |cell: ArrayRef| cell.as_fixed_size_list().values().as_primitive::<Float32Type>().values().to_vec();
        self.cells(entity, component).into_iter().map(|(t, cell)| (t, values(cell))).collect()
    }

    /// All texts of all rows.
    pub(crate) fn texts(&self, entity: &str, component: &'static str) -> Vec<String> {
        let texts = |cell: ArrayRef| cell.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>();
        self.cells(entity, component).into_iter().flat_map(|(_, cell)| texts(cell)).collect()
    }

    /// The only blob of each row.
    pub(crate) fn blobs(&self, entity: &str, component: &'static str) -> Vec<Vec<u8>> {
        let bytes = |cell: ArrayRef| match cell.as_binary_opt::<i32>() {
            Some(binary) => binary.value(0).to_vec(),
            None => cell.as_list::<i32>().value(0).as_primitive::<UInt8Type>().values().to_vec(),
        };
        self.cells(entity, component).into_iter().map(|(_, cell)| bytes(cell)).collect()
    }

    /// Time and cell of each row that has the component; static rows have time 0.
    fn cells(&self, entity: &str, component: &'static str) -> Vec<(i64, ArrayRef)> {
        let mut cells = Vec::new();
        for chunk in self.chunks.iter().filter(|chunk| chunk.entity_path().to_string() == entity) {
            let Some(column) = chunk.components().get_array(component.into()) else { continue };
            let times = chunk.timelines().get(&"robot_time".into()).map(|times| times.times_raw());
            for row in (0..chunk.num_rows()).filter(|row| column.is_valid(*row)) {
                cells.push((times.map_or(0, |times| times[row]), column.value(row)));
            }
        }
        cells
    }
}
