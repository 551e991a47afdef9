use std::fs;
use std::path::PathBuf;

use sanqu_store::{Severity, StoreError, verify};
use sanqu_testkit::assert_balanced;

use crate::fixture::{BOOT, Bench, Message, contents, record};
use crate::video;

struct Case {
    bench: Bench,
    dir: PathBuf,
}

impl Case {
    fn new() -> Self {
        let bench = Bench::new();
        let messages: Vec<Message> = (0..30).map(|n| Message::joint(BOOT, n * 10, 10)).chain(video::frames(20)).collect();
        bench.seal(&record(&bench, 1, &messages, 300));
        let dir = bench.last().dir().to_path_buf();
        Self { bench, dir }
    }

    /// Changes a file and expects damage that names it and says `part`.
    #[track_caller]
    fn damage(&self, name: &str, part: &str, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
        let path = self.dir.join(name);
        let whole = fs::read(&path).unwrap();
        match change(whole.clone()) {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let before = contents(&self.dir);
        let report = verify(self.bench.store.root()).unwrap();
        assert!(!report.is_sound());
        let named = report.issues.iter().filter(|issue| issue.severity == Severity::Damage && issue.file == path);
        let details: Vec<&str> = named.map(|issue| issue.detail.as_str()).collect();
        assert!(details.iter().any(|detail| detail.contains(part)), "{name}: {details:?} should say {part:?}");
        assert_eq!(contents(&self.dir), before, "verify changes nothing");
        fs::write(&path, whole).unwrap();
        assert!(verify(&self.dir).unwrap().is_sound());
    }
}

fn truncated(bytes: Vec<u8>) -> Option<Vec<u8>> {
    Some(bytes[..bytes.len() / 2].to_vec())
}

fn flipped(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Some(bytes)
}

#[test]
fn every_damaged_file_is_named() {
    let case = Case::new();
    for name in
        ["walker-s-01.joint.parquet", "walker-s-01.camera.head.parquet", "walker-s-01.camera.head.mp4", "loss.parquet", "clocks.parquet"]
    {
        case.damage(name, "truncated", truncated);
        case.damage(name, "SHA-256", flipped);
        case.damage(name, "cannot open", |_| None);
    }
    case.damage("walker-s-01.camera.head.mp4", "cut off", truncated);
    case.damage("manifest.json", "not a manifest", truncated);
    case.damage("manifest.json", "cannot open", |_| None);
}

#[test]
fn a_manifest_that_does_not_add_up_is_damage() {
    let case = Case::new();
    let edit = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from), "{text}");
            Some(text.replace(from, to).into_bytes())
        }
    };
    case.damage("manifest.json", "expected 301 rows", edit("\"expected\": \"300\"", "\"expected\": \"301\""));
    let within = edit("\"rows_in_episode\": \"300\"", "\"rows_in_episode\": \"299\"");
    case.damage("manifest.json", "300 rows between start and stop, the manifest says 299", within);
    case.damage("manifest.json", "format 2, this program reads up to 1", edit("\"format_version\": 1", "\"format_version\": 2"));
}

#[test]
fn losses_are_told_and_are_no_damage() {
    let bench = Bench::new();
    bench.seal(&record(&bench, 1, &[Message::joint(BOOT, 0, 10)], 12));
    let report = verify(bench.store.root()).unwrap();
    assert!(report.is_sound());
    assert_eq!((report.issues[0].severity, report.issues[0].detail.as_str()), (Severity::Loss, "2 rows lost"));
}

#[test]
fn a_newer_store_is_refused() {
    let bench = Bench::new();
    let file = bench.store.root().join("sanqu.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}\nsomething_new = {{}}\n", text.replace("format_version = 1", "format_version = 2"))).unwrap();
    for error in [sanqu_store::Store::open(bench.store.root()).unwrap_err(), verify(bench.store.root()).unwrap_err()] {
        assert!(matches!(error, StoreError::NewerFormat { found: 2, supported: 1, .. }));
        assert!(error.to_string().contains("written by a newer sanqu (format 2, this program reads up to 1)"), "{error}");
    }
}

#[test]
fn a_store_that_does_not_add_up_fails_the_tests_that_ask() {
    let case = Case::new();
    assert_eq!(assert_balanced(&case.bench.store), 1);
    let path = case.dir.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, part) in [
        ("\"expected\": \"300\"", "\"expected\": \"301\"", "received 300 and lost 0"),
        ("\"network\": 0", "\"network\": 1", "the ledger's rows sum up to"),
        ("\"format_version\": 1", "\"format_version\": 2", "manifest.json"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let said = std::panic::catch_unwind(|| assert_balanced(&case.bench.store)).unwrap_err();
        assert!(said.downcast_ref::<String>().unwrap().contains(part), "{said:?}");
    }
}
