//! What each crate must not reach, through `cargo tree`: a light crate that gains a heavy dependency fails here.

use std::collections::{BTreeMap, BTreeSet};

use crate::process::{capture, root};
use crate::{Outcome, cargo};

/// (crate, packages that its normal dependencies must not contain; a trailing `*` matches any ending).
const FORBIDDEN: [(&str, &[&str]); 13] = [
    ("sanqu_model", &["parquet", "tokio", "zenoh", "mcap", "datafusion", "bevy", "re_sdk"]),
    ("sanqu_robot", &["arrow*", "bevy*", "parquet", "tokio", "zenoh", "sanqu_*"]),
    ("sanqu_wire", &["tokio", "zenoh", "parquet", "mcap", "object_store", "axum"]),
    ("sanqu_store", &["zenoh", "datafusion", "bevy", "re_sdk"]),
    ("sanqu_ingest", &["parquet", "mcap", "datafusion", "bevy", "re_sdk"]),
    ("sanqu_record", &["bevy", "re_sdk", "wgpu", "datafusion"]),
    ("sanqu_dataset", &["zenoh", "bevy", "re_sdk"]),
    ("sanqu_sim", &["parquet", "mcap", "datafusion", "bevy", "re_sdk"]),
    ("sanqu_testkit", &["zenoh", "datafusion", "bevy", "re_sdk"]),
    ("sanqu", &["bevy", "re_sdk", "wgpu"]),
    ("sanqu_bench", &["bevy*", "re_sdk", "wgpu", "datafusion"]),
    ("sanqu_live", &["parquet", "datafusion", "bevy"]),
    ("sanqu_replay", &["zenoh", "axum", "re_sdk", "datafusion"]),
];

/// Libraries whose types cross crates: two versions in `Cargo.lock` would not fit together.
const SINGLE: [&str; 8] = ["arrow-array", "arrow-schema", "parquet", "object_store", "datafusion", "nalgebra", "bevy", "zenoh"];

/// Checks all borders and single versions.
///
/// # Errors
/// One line for each crate that reaches what it must not, and for each library that is there twice.
pub(crate) fn check() -> Outcome {
    let mut faults = Vec::new();
    for name in crate_names()? {
        let Some((_, forbidden)) = FORBIDDEN.iter().find(|(known, _)| *known == name) else {
            faults.push(format!("{name} has no row in xtask/src/borders.rs: say what it must not reach"));
            continue;
        };
        let mut tree = cargo::cargo(&["tree", "--package", &name, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        // Set in some developers' shells; the tree would then be the whole workspace's.
        let tree = capture(tree.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION"))?;
        let reached: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).filter(|found| *found != name).collect();
        let bad = reached.iter().filter(|package| forbidden.iter().any(|pattern| matches(pattern, package)));
        // Only tests may use it.
        let bad = bad.chain(reached.get("sanqu_testkit"));
        for package in bad {
            faults.push(format!("{name} reaches {package}; see: cargo tree --package {name} --edges normal --invert {package}"));
        }
        println!("{name:14} {:4} packages, none of: {}", reached.len(), forbidden.join(" "));
    }
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).map_err(|e| format!("Cargo.lock: {e}"))?;
    for (name, versions) in locked_versions(&lock) {
        if SINGLE.contains(&name) && versions.len() > 1 {
            faults.push(format!("Cargo.lock holds {name} {}: only one version fits", versions.join(" and ")));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// Names of the folders under `crates/`, which are the package names.
pub(crate) fn crate_names() -> Result<Vec<String>, String> {
    let folder = root().join("crates");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn matches(pattern: &str, package: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == package, |head| package.starts_with(head))
}

fn locked_versions(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        match line.split_once(" = \"").map(|(key, rest)| (key, rest.trim_end_matches('"'))) {
            Some(("name", value)) => name = value,
            Some(("version", value)) => versions.entry(name).or_default().push(value),
            _ => {}
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_end_in_a_star() {
        assert!(matches("arrow*", "arrow-array") && matches("zenoh", "zenoh"));
        assert!(!matches("zenoh", "zenoh-ext") && !matches("arrow*", "narrow"));
    }

    #[test]
    fn the_lock_file_tells_versions() {
        let lock = "version = 4\n\n[[package]]\nname = \"mcap\"\nversion = \"0.25.0\"\n\n[[package]]\nname = \"mcap\"\nversion = \"0.26.0\"\ndependencies = [\n \"name\",\n]\n";
        assert_eq!(locked_versions(lock)["mcap"], ["0.25.0", "0.26.0"]);
    }
}
