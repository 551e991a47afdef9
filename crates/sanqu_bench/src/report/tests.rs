use super::*;
use crate::histogram::Quantiles;
use crate::ramp::RampStep;
use crate::readback::Truth;
use crate::talk::{Measured, Sent};

fn outcome(sink: SinkKind, sink_cpu_s: f64, lost_rows: u64) -> Outcome {
    let durable = Quantiles { count: 9, p50_ns: 500_000_000, p99_ns: 1_020_000_000, p999_ns: 1_030_000_000, max_ns: 1_040_000_000 };
    let fdatasync = Quantiles { count: 9, p50_ns: 5_000_000, p99_ns: 20_000_000, p999_ns: 20_000_000, max_ns: 20_000_000 };
    Outcome {
        sink,
        robots: 31,
        seconds: 10.0,
        offered_bytes: 1_000_000_000,
        truth: Truth { offered_rows: 1000, found_rows: 1000 - lost_rows, lost_rows, ..Truth::default() },
        lost_by_step: vec![lost_rows],
        sink_cpu_s,
        generator_cpu_s: 2.0,
        others_cpu_s: 0.0,
        span_s: 10.0,
        peak_bytes: 100 << 20,
        disk_bytes: 1_010_000_000,
        measured: Measured { stations: vec![Lags { durable: fdatasync, fdatasync }, Lags { durable, fdatasync }] },
        own_lag: Quantiles::default(),
        backlog_max_ns: 0,
        drained: true,
        disk_full: false,
        seal: Some((2.0, 2.5)),
        sent: Sent::default(),
    }
}

fn results() -> Results {
    let mut results = Results { sync_ms: 1000, flush_ms: 100, ..Results::default() };
    for (sink, cpu_s, lost_rows) in [(SinkKind::Bare, 4.0, 0), (SinkKind::Recorder, 5.0, 3), (SinkKind::Recorder, 5.0, 0)] {
        results.add_tier(TierRow { tier: "field".to_owned(), outcome: outcome(sink, cpu_s, lost_rows) });
    }
    for (sink, rate) in [(SinkKind::Recorder, 150e6), (SinkKind::Reductstore, 100e6)] {
        let step =
            |offered_bytes_per_s, carried| RampStep { offered_bytes_per_s, lost_rows: 0, backlog_max_ns: 0, own_lag_p99_ns: 0, carried };
        results.add_ramp(Ramp { sink, steps: vec![step(rate, true), step(2.0 * rate, false)], disk_full: false });
    }
    results
}

#[test]
fn a_later_run_replaces_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.json");
    assert!(Results::open(&path).unwrap().tiers.is_empty());
    results().keep(&path).unwrap();
    let kept = Results::open(&path).unwrap();
    let rows: Vec<_> = kept.tiers.iter().map(|row| (row.outcome.sink, row.outcome.truth.lost_rows)).collect();
    assert_eq!(rows, [(SinkKind::Recorder, 0), (SinkKind::Bare, 0)]);
}

#[test]
fn verdicts_show_both_sides() {
    let verdicts = results().verdicts().join("\n");
    for part in [
        "field: zero lost, ledger empty, files sound: yes",
        "p99 1020 ms <= sync period 1000 ms + 1.5 x fdatasync p99 20 ms = 1030 ms at the worst station: yes",
        "field: CPU per GB is 1.25 x the bare writer's (<= 1.3): yes",
        "loss-free at 150 MB/s, ReductStore at 100 MB/s: 1.5 x (>= 2): NO",
    ] {
        assert!(verdicts.contains(part), "{verdicts}\nlacks {part}");
    }
}

#[track_caller]
fn check_soundness(change: impl FnOnce(&mut Truth), expect: &str) {
    let mut results = results();
    change(&mut results.tiers[0].outcome.truth);
    assert!(results.verdicts()[0].ends_with(expect), "{:?}", results.verdicts());
}

#[test]
fn anything_that_is_missing_or_damaged_is_not_sound() {
    check_soundness(|_| {}, "yes");
    check_soundness(|truth| truth.lost_rows = 1, "NO");
    check_soundness(|truth| truth.ledger_rows = 1, "NO");
    check_soundness(|truth| truth.open_ends = 1, "NO");
    check_soundness(|truth| truth.corrupt = 1, "NO");
    check_soundness(|truth| truth.damage.push("x".to_owned()), "NO");
}

#[test]
fn tables_are_told_and_written() {
    let (text, page) = (results().text(), results().page());
    assert!(text.contains("field  sanqu recorder      100.0         0"), "{text}");
    assert!(page.contains("| field | sanqu recorder | 100.0 | 0 |") && page.contains("pub(crate) fn append"), "{page}");
    assert!(text.contains("4.0          2.00"), "ten seconds in two and a half are four times real time: {text}");
}
