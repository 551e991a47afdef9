//! A store of one's own for each input, and what must hold after a seal.

use std::path::{Path, PathBuf};

use sanqu_model::{EpisodeId, Id, Manifest, Quantity, RobotEntry, StreamDescription, StreamKey, ValueType};
use sanqu_store::{EpisodeStart, Store, StoreError, seal, verify};
use sanqu_wire::{ENCODING_ARROW, encode_rows, fixed_list};
use tempfile::TempDir;

pub(crate) const START_NS: i64 = 1_763_740_800_000_000_000;
pub(crate) const STEP_NS: i64 = 2_000_000;

pub(crate) fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

pub(crate) fn key(stream: &str) -> StreamKey {
    format!("sanqu/desk/walker-s-01/{stream}").parse().unwrap()
}

/// A store in memory where the system has such a folder: fuzzing must not wear a disk out.
pub(crate) struct Bench {
    _folder: TempDir,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() };
        let store = Store::open_or_create(folder.path(), &id("desk"), "Asia/Shanghai").unwrap();
        Self { _folder: folder, store }
    }

    /// Where the episode's journal segment lies.
    pub(crate) fn journal(&self, segment: u32) -> PathBuf {
        self.store.root().join(format!("journals/{}.{segment}.mcap", start().episode))
    }

    /// Seals the journal and checks the promises: either an episode that verifies, balances and seals to the same bytes
    /// again, or an error and all journals as they were.
    pub(crate) fn seal(&self) -> Result<Manifest, StoreError> {
        let journals: Vec<(PathBuf, Vec<u8>)> = self.journals();
        match seal(&self.store, &self.journal(0), &mut |_| {}) {
            Ok(manifest) => {
                assert!(self.journals().is_empty(), "the journal is kept after a seal");
                self.check(&manifest);
                for (path, bytes) in &journals {
                    std::fs::write(path, bytes).unwrap();
                }
                let again = seal(&self.store, &self.journal(0), &mut |_| {}).expect("a journal whose episode is there");
                assert_eq!(without_rates(again), without_rates(manifest.clone()));
                Ok(manifest)
            }
            Err(error) => {
                assert_eq!(self.journals(), journals, "a failed seal changed the journal: {error}");
                Err(error)
            }
        }
    }

    fn journals(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let read = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        };
        self.store.journals().unwrap().into_iter().map(read).collect()
    }

    fn check(&self, manifest: &Manifest) {
        let report = verify(self.store.root()).unwrap();
        assert!(report.is_sound() && report.episodes == 1, "{:?}", report.issues);
        for entry in &manifest.streams {
            if let Some(expected) = entry.expected {
                assert!(!entry.lost.open_ended, "{entry:?}");
                assert_eq!(u128::from(expected), u128::from(entry.received) + u128::from(entry.lost.total()), "{entry:?}");
            }
            assert_eq!(entry.rows, entry.received, "{entry:?}");
        }
    }
}

/// Rates are for people: read from JSON they may differ in the last bit.
fn without_rates(mut manifest: Manifest) -> Manifest {
    manifest.streams.iter_mut().for_each(|entry| (entry.rate_hz, entry.nominal_rate_hz) = (0.0, 0.0));
    manifest
}

pub(crate) fn start() -> EpisodeStart {
    EpisodeStart {
        episode: EpisodeId::new(START_NS, 1),
        field: id("desk"),
        zone: None,
        station: id("a01"),
        task: None,
        prompt: String::new(),
        operator: None,
        robots: vec![RobotEntry { robot: id("walker-s-01"), model: "walker-s".to_owned(), description: None }],
        start_ns: START_NS,
        pre_roll_ns: START_NS,
        recorder: "fuzz".to_owned(),
        facts: Default::default(),
    }
}

/// Two joints' positions and one error word.
pub(crate) fn joint() -> StreamDescription {
    let error = Quantity { value_type: ValueType::U16, ..Quantity::f64("err", "", &["head".to_owned()]) };
    StreamDescription {
        stream: "joint".parse().unwrap(),
        encoding: ENCODING_ARROW.to_owned(),
        rate_hz: 500.0,
        clock: 1,
        quantities: vec![Quantity::f64("pos", "rad", &["l_knee_joint".to_owned(), "r_knee_joint".to_owned()]), error],
        facts: Default::default(),
    }
}

/// Rows of [`joint`] whose first position is their sequence.
#[expect(clippy::cast_precision_loss, reason = "small sequences; large ones only need some value")]
pub(crate) fn joint_rows(seq: u64, rows: u16, t_ns: i64) -> Vec<u8> {
    let times: Vec<i64> = (0..i64::from(rows)).map(|row| t_ns.wrapping_add(row * STEP_NS)).collect();
    let positions = (0..u64::from(rows)).flat_map(|row| [(seq + row) as f64, -0.0]).collect();
    let columns = vec![
        fixed_list::<arrow_array::types::Float64Type>(positions, 2).unwrap(),
        fixed_list::<arrow_array::types::UInt16Type>((0..rows).collect(), 1).unwrap(),
    ];
    encode_rows(&joint(), &times, columns).unwrap()
}
