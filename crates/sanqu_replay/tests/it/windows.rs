//! Tracks whose rows come through windows of a sealed file show what tracks with all rows in memory show.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use sanqu_replay::load::load;
use sanqu_replay::replay::Posture;
use sanqu_replay::track::{Blend, Breaks, Gap, Track, gaps_of};
use sanqu_replay::windows::{RowSource, WindowCache, read_all};
use sanqu_robot::RobotModel;
use sanqu_store::{Episode, Series};

use crate::episodes::Bench;
use crate::loading::{NAN_EVERY, Part, record_parts};
use crate::synthetic::{ELEMENTS, PERIOD_NS, START_NS, urdf};

/// A row with a value that is no number, at the end of a page.
const NAN_AT: i64 = NAN_EVERY.cast_signed() - 1;
/// Room for two pages of 2 500 rows of 4 values and half a third one, in a recording of thirteen.
const BUDGET: usize = 200_000;
const FIRST: u64 = 21_000;
const LOST: u64 = 700;
const SECOND: u64 = 9_000;

struct Recording {
    bench: Bench,
    cache: Arc<WindowCache>,
    windowed: Track,
    whole: Track,
}

/// Rows with a gap behind row 21 000, a restart of the source 9 000 rows later, and now and then a value that is no number.
fn recording() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let bench = Bench::new();
        let second = FIRST + LOST..FIRST + LOST + SECOND;
        let parts = [(7, 0..FIRST), (7, second), (8, 0..1_500)].map(|(boot, rows)| Part { boot, rows });
        record_parts(&bench.store, 1, None, &parts);
        let episode = bench.store.find("last").unwrap();
        let cache = WindowCache::new(BUDGET).unwrap();
        let (windowed, whole) = tracks(&episode, &cache);
        Recording { bench, cache, windowed, whole }
    })
}

fn tracks(episode: &Episode, cache: &Arc<WindowCache>) -> (Track, Track) {
    let model = RobotModel::from_urdf_str(&urdf()).unwrap();
    let entry = &episode.manifest().streams[0];
    let series: Series = episode.series(entry, "pos").unwrap();
    let boundary = usize::try_from(FIRST + SECOND).unwrap();
    let run_of = |row: usize| u32::from(row >= boundary);
    let seq_of = |row: usize| row as u64 + if row as u64 >= FIRST { LOST } else { 0 };
    let numbers = series.t_ns.iter().enumerate().map(|(row, t_ns)| (run_of(row), seq_of(row), *t_ns));
    let breaks = Breaks { gaps: gaps_of(numbers), restarts: vec![boundary] };
    assert_eq!(breaks.gaps.len(), 1);
    let rest = vec![0.25; model.joints().len()];
    let reader = episode.row_reader(entry, |quantity, _| quantity == "pos").unwrap();
    let names = reader.columns().iter().map(|column| column.element.clone()).collect();
    let (rows, t_ns) = (RowSource::Windows(cache.add(reader)), Arc::new(series.t_ns.clone()));
    (Track::of_rows(&model, names, rows, t_ns, rest.clone(), breaks.clone()), Track::new(&model, series, rest, breaks))
}

fn at(row: i64) -> i64 {
    START_NS + row * PERIOD_NS
}

/// What both show at an instant, each into a posture of its own.
fn same(recording: &Recording, t_ns: i64, blend: Blend, postures: &mut (Vec<f64>, Vec<f64>)) {
    let found = recording.windowed.joints_at(t_ns, blend, &mut postures.0);
    let expect = recording.whole.joints_at(t_ns, blend, &mut postures.1);
    assert_eq!(found, expect, "{t_ns}");
    let bits = |q: &[f64]| q.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&postures.0), bits(&postures.1), "{t_ns}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_was_looked_at_before_an_instant_shows_the_same(
        jumps in prop::collection::vec((0_usize..12, -6_i64..6, 0_i64..PERIOD_NS, any::<(bool, bool)>(), 1_i64..5), 1..12),
    ) {
        let recording = recording();
        let mut postures = (Vec::new(), Vec::new());
        for (place, by, between, (interpolate, announced), following) in jumps {
            // Borders of windows, both ends of the gap, the restart, both ends of the recording, and anywhere.
            let rows = [0, 2_500, 17_500, 20_999, 21_000, 21_700, 22_500, 30_700, 32_200, NAN_AT, 2 * NAN_AT + 1, 12_345];
            let blend = if interpolate { Blend::Interpolate } else { Blend::Hold };
            if announced {
                let mut readings = Vec::new();
                recording.windowed.announce(at(rows[place] + by) + between, blend, &mut readings);
                read_all(&readings);
            }
            for step in 0..following {
                same(recording, at(rows[place] + by + step) + between, blend, &mut postures);
            }
        }
    }
}

#[test]
fn a_recording_larger_than_the_budget_is_walked_through_within_it() {
    let recording = recording();
    let (rows, mut postures) = (recording.windowed.rows(), (Vec::new(), Vec::new()));
    assert!(rows * ELEMENTS.len() * 8 > 5 * BUDGET, "{rows} rows");
    for t_ns in recording.windowed.t_ns() {
        same(recording, *t_ns, Blend::Hold, &mut postures);
        assert!(recording.cache.bytes() <= BUDGET, "{} bytes at {t_ns}", recording.cache.bytes());
    }
    assert_eq!(recording.windowed.gaps().iter().map(|gap: &Gap| gap.rows).collect::<Vec<_>>(), [Some(LOST)]);
}

#[test]
fn rows_that_cannot_be_read_are_told_and_the_robot_is_grey() {
    let recording = recording();
    let copy = tempfile::tempdir().unwrap();
    let episode = recording.bench.store.find("last").unwrap();
    for file in std::fs::read_dir(episode.dir()).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let options = sanqu_replay::load::LoadOptions {
        episodes: vec![copy.path().to_str().unwrap().to_owned()],
        store: None,
        ..recording.bench.options(&[""])
    };
    let replay = load(&options).unwrap().replay;
    let (record, mut posture) = (&replay.robots[0], Posture::default());
    let good = record.posture_at(at(100), &mut posture).unwrap();
    assert!(!good.is_stale() && record.problem().is_none());
    let shown = posture.q.clone();
    // The first row group stays, the second is no longer there.
    let path = copy.path().join("tin-01.joint.parquet");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 16]).unwrap();
    let held = record.posture_at(at(25_000), &mut posture).unwrap();
    assert!(held.unreadable && held.is_stale() && held.row.is_some(), "{held:?}");
    assert_eq!(posture.q, shown, "no pose is invented");
    let reason = record.problem().unwrap();
    assert!(reason.contains("tin-01.joint.parquet") && reason.contains("rows 2"), "{reason}");
    let back = record.posture_at(at(101), &mut posture).unwrap();
    assert!(!back.is_stale() && record.problem().is_none(), "rows that were read are still there");
}
