//! The whole benchmark, short, with the real programs: what was sent is what is found.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn a_short_run_loses_nothing_and_says_what_it_cost() {
    let dir = tempfile::tempdir().unwrap();
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_sanqu-bench"));
    bench.args(["record", "--tier", "desk", "--seconds", "1", "--seal", "--out"]).arg(dir.path()).arg("--repo").arg(repo);
    let output = bench.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results: Value = serde_json::from_slice(&std::fs::read(dir.path().join("results.json")).unwrap()).unwrap();
    let rows = results["tiers"].as_array().unwrap();
    let sinks: Vec<&str> = rows.iter().map(|row| row["outcome"]["sink"].as_str().unwrap()).collect();
    assert_eq!(sinks, ["recorder", "bare"]);
    for row in rows {
        let (outcome, truth) = (&row["outcome"], &row["outcome"]["truth"]);
        // Two robots: 2 x 500 rows of joints and of motors, 3 x 30 pictures, one more or less by phase.
        let offered = truth["offered_rows"].as_u64().unwrap();
        assert!((2 * (1000 + 90)..=2 * (1000 + 93)).contains(&offered), "{offered}");
        assert_eq!((truth["lost_rows"].as_u64(), truth["found_rows"].as_u64()), (Some(0), Some(offered)), "{row:#}");
        assert_eq!((truth["ledger_rows"].as_u64(), truth["corrupt"].as_u64()), (Some(0), Some(0)), "{row:#}");
        assert!(truth["damage"].as_array().unwrap().is_empty(), "{row:#}");
        assert!(outcome["sink_cpu_s"].as_f64().unwrap() > 0.0 && outcome["peak_bytes"].as_u64().unwrap() > 1 << 20);
        let (kept, offered) = (outcome["disk_bytes"].as_u64().unwrap(), outcome["offered_bytes"].as_u64().unwrap());
        assert!(kept >= offered, "full entropy takes its place: {kept} of {offered}");
    }
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("desk: zero lost, ledger empty, files sound: yes"), "{table}");
}
