//! The committed episode: every version of the program opens, proves, queries and exports it.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sanqu_store::Store;
use sha2::{Digest as _, Sha256};

use crate::frames::burnt_in_numbers;
use crate::program::sanqu;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recordings/golden/v1").canonicalize().unwrap()
}

/// The committed store. Read-only: copy it before changing anything.
pub(crate) fn store() -> PathBuf {
    folder().join("store")
}

/// Every file below a folder, sorted.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

fn content(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(root).into_iter().map(|path| (path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap())).collect()
}

#[test]
fn the_committed_episode_is_what_the_readme_says() {
    let readme = fs::read_to_string(folder().join("../../README.md")).unwrap();
    for (path, data) in content(&folder()) {
        let hash: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(readme.contains(&hash), "recordings/README.md does not list {} with {hash}", path.display());
    }
    for part in ["journal", "store/episodes"] {
        let bytes: usize = content(&folder().join(part)).iter().map(|(_, data)| data.len()).sum();
        assert!(bytes < 1 << 20, "{part}: {bytes} bytes is over 1 MiB");
    }
}

#[test]
fn the_same_journal_seals_to_the_same_bytes_and_to_the_committed_values() {
    let temporary = tempfile::tempdir().unwrap();
    let mut rounds: Vec<Vec<(PathBuf, Vec<u8>)>> = Vec::new();
    for round in 0..2 {
        let root = temporary.path().join(round.to_string());
        fs::create_dir_all(root.join("journals")).unwrap();
        fs::copy(store().join("sanqu.toml"), root.join("sanqu.toml")).unwrap();
        let journal = files(&folder().join("journal")).remove(0);
        let copied = root.join("journals").join(journal.file_name().unwrap());
        fs::copy(&journal, &copied).unwrap();
        sanqu_store::seal(&Store::open(&root).unwrap(), &copied, &mut |_| ()).unwrap();
        assert!(!copied.exists(), "the journal goes once its episode is proven");
        rounds.push(content(&root.join("episodes")));
    }
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    let committed = content(&store().join("episodes"));
    assert_eq!(names(&rounds[0]), names(&committed));
    for (((name, first), (_, second)), (_, committed)) in rounds[0].iter().zip(&rounds[1]).zip(&committed) {
        assert!(first == second, "{} has other bytes when it is sealed again", name.display());
        // Another version of the program may cut pages otherwise; what is in them stays.
        assert!(meaning(name, first) == meaning(name, committed), "{} does not say what the committed one says", name.display());
    }
}

/// What a file says, without how it is cut and packed.
fn meaning(name: &Path, data: &[u8]) -> (Vec<RecordBatch>, serde_json::Value, Vec<u8>) {
    match name.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(data)).unwrap();
            let schema = std::sync::Arc::clone(reader.schema());
            let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
            let whole = arrow_select::concat::concat_batches(&schema, &batches).unwrap();
            // Fields and values; the schema's own notes name the writer.
            (
                whole.columns().iter().zip(schema.fields()).map(|(column, field)| one_column(field, column)).collect(),
                serde_json::Value::Null,
                Vec::new(),
            )
        }
        Some("json") => {
            let mut manifest: serde_json::Value = serde_json::from_slice(data).unwrap();
            without_proofs(&mut manifest);
            (Vec::new(), manifest, Vec::new())
        }
        _ => (Vec::new(), serde_json::Value::Null, data.to_vec()),
    }
}

fn one_column(field: &arrow_schema::FieldRef, column: &arrow_array::ArrayRef) -> RecordBatch {
    let schema = arrow_schema::Schema::new(vec![std::sync::Arc::clone(field)]);
    RecordBatch::try_new(std::sync::Arc::new(schema), vec![std::sync::Arc::clone(column)]).unwrap()
}

/// Sizes and checksums of files follow from how they are packed.
fn without_proofs(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            if fields.contains_key("sha256") {
                fields.remove("sha256");
                fields.remove("bytes");
            }
            fields.values_mut().for_each(without_proofs);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(without_proofs),
        _ => {}
    }
}

#[test]
fn the_committed_episode_verifies_answers_and_exports() {
    let store = store();
    let path = store.to_str().unwrap();
    sanqu(["verify", path]).exits(0);
    let rows = sanqu([
        "sql",
        path,
        "SELECT robot, stream, rows, lost FROM streams WHERE stream IN ('joint', 'camera/head') ORDER BY robot, stream",
        "--format",
        "json",
    ])
    .exits(0)
    .json();
    let found: Vec<(&str, &str)> =
        rows.as_array().unwrap().iter().map(|row| (row["robot"].as_str().unwrap(), row["stream"].as_str().unwrap())).collect();
    assert_eq!(found, [("kuavo-01", "camera/head"), ("kuavo-01", "joint"), ("walker-s-01", "camera/head"), ("walker-s-01", "joint")]);
    let temporary = tempfile::tempdir().unwrap();
    for robot in ["kuavo-01", "walker-s-01"] {
        let out = temporary.path().join(robot);
        sanqu(["export", "lerobot", "--store", path, "--robot", robot, "--out", out.to_str().unwrap()]).exits(0);
        let numbers = burnt_in_numbers(&out.join("videos/observation.images.head/chunk-000/file-000.mp4"));
        assert!(numbers.len() > 40 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    }
}
