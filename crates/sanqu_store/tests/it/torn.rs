use std::fs;

use proptest::prelude::*;
use sanqu_store::{StoreError, repair, seal, verify};

use crate::fixture::{BOOT, Bench, Message, START_NS, baseline, contents, describe, joint_entry, ledger, start};

/// A journal that was never closed: three flushed chunks of two samples each. Gives the file's length after each flush.
fn unclosed(bench: &Bench) -> (std::path::PathBuf, Vec<u64>) {
    let mut journal = bench.journal(1);
    journal.control(&describe()).unwrap();
    journal.control(&baseline(BOOT, 0)).unwrap();
    let path = journal.path().to_path_buf();
    let mut lengths = Vec::new();
    for chunk in 0..3 {
        for sample in 0..2 {
            Message::joint(BOOT, (chunk * 2 + sample) * 4, 4).append(&mut journal);
        }
        journal.flush().unwrap();
        lengths.push(fs::metadata(&path).unwrap().len());
    }
    // Never flushed: a crash loses it.
    Message::joint(BOOT, 24, 4).append(&mut journal);
    drop(journal);
    assert_eq!(fs::metadata(&path).unwrap().len(), lengths[2], "a dropped writer adds nothing");
    (path, lengths)
}

#[test]
fn everything_up_to_the_last_whole_chunk_is_recovered_at_every_length() {
    let bench = Bench::new();
    let (path, lengths) = unclosed(&bench);
    let journal = fs::read(&path).unwrap();
    // The chunk counts as soon as it is whole, even when its index behind it is not.
    let frame = usize::try_from(lengths[1]).unwrap();
    let chunk_end = lengths[1] + 9 + u64::from_le_bytes(journal[frame + 1..frame + 9].try_into().unwrap());
    // Every length near the edges, and a spread of those between.
    let cuts = (lengths[1]..=lengths[2])
        .filter(|cut| cut % 97 == 0 || cut - lengths[1] < 40 || lengths[2] - cut < 40 || cut.abs_diff(chunk_end) < 20);
    for cut in cuts {
        fs::write(&path, &journal[..usize::try_from(cut).unwrap()]).unwrap();
        let repaired = repair(&bench.store).unwrap();
        let manifest = repaired[0].manifest.as_ref().unwrap();
        let entry = joint_entry(manifest);
        assert_eq!(entry.rows, if cut < chunk_end { 16 } else { 24 }, "cut at {cut}");
        assert_eq!((entry.expected, entry.lost.open_ended, manifest.ended_by.as_str()), (None, true, "recovered"));
        assert_eq!(ledger(&bench.last()), [format!("0 {}.. recorder repair", entry.rows)]);
        let torn: u64 = manifest.facts.get("journal_torn_bytes").map_or(0, |text| text.parse().unwrap());
        assert!(torn <= cut - lengths[1], "{torn} bytes torn at {cut}");
        assert!(!path.exists());
        fs::remove_dir_all(bench.last().dir()).unwrap();
    }
}

#[test]
fn a_damaged_chunk_in_the_middle_costs_only_itself() {
    let bench = Bench::new();
    let (path, lengths) = unclosed(&bench);
    let mut journal = fs::read(&path).unwrap();
    let middle = usize::try_from(lengths[0] + 2000).unwrap();
    journal[middle] ^= 0x40;
    fs::write(&path, &journal).unwrap();
    let manifest = bench.seal(&path);
    assert_eq!((joint_entry(&manifest).rows, manifest.facts["journal_bad_chunks"].as_str()), (16, "1"));
    assert_eq!(ledger(&bench.last()), ["0 8..16 unknown gap", "0 24.. recorder repair"]);
}

#[test]
fn a_journal_without_its_start_is_reported_and_kept() {
    let bench = Bench::new();
    let (path, _) = unclosed(&bench);
    let journal = fs::read(&path).unwrap();
    fs::write(&path, &journal[..60]).unwrap();
    let repaired = repair(&bench.store).unwrap();
    assert!(repaired[0].manifest.is_none() && repaired[0].detail.contains("no readable start"), "{}", repaired[0].detail);
    assert!(path.exists() && matches!(seal(&bench.store, &path, &mut |_| {}), Err(StoreError::NoStart { .. })));
}

#[test]
fn lengths_in_a_journal_are_not_believed() {
    let bench = Bench::new();
    let (path, lengths) = unclosed(&bench);
    let mut journal = fs::read(&path).unwrap();
    let length_at = usize::try_from(lengths[1]).unwrap() + 1;
    journal[length_at..length_at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&path, &journal).unwrap();
    assert_eq!(joint_entry(&bench.seal(&path)).rows, 16);
}

#[test]
fn what_was_never_closed_ends_right_behind_its_last_sample() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    journal.control(&describe()).unwrap();
    journal.control(&baseline(BOOT, 0)).unwrap();
    // The recorder's clock was set back while it recorded.
    for (sample, recv_ns) in [(0, 50), (1, 90), (2, 70)] {
        let message = Message::joint(BOOT, sample * 4, 4);
        Message { recv_ns: START_NS + recv_ns * 1_000_000, ..message }.append(&mut journal);
    }
    journal.flush().unwrap();
    let path = journal.path().to_path_buf();
    drop(journal);
    let manifest = bench.seal(&path);
    assert_eq!((manifest.ended_by.as_str(), manifest.stop_ns), ("recovered", START_NS + 90_000_001));
}

#[test]
fn a_journal_under_another_episodes_name_is_refused() {
    let bench = Bench::new();
    let (path, _) = unclosed(&bench);
    let renamed = path
        .with_file_name(path.file_name().unwrap().to_str().unwrap().replace(&start(1).episode.to_string(), &start(2).episode.to_string()));
    fs::rename(&path, &renamed).unwrap();
    let error = seal(&bench.store, &renamed, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains(&format!("its start record is of episode {}", start(1).episode)) && renamed.exists(), "{error}");
}

#[test]
fn repair_works_under_the_lock_and_twice() {
    let bench = Bench::new();
    unclosed(&bench);
    let lock = bench.store.lock().unwrap();
    let error = repair(&bench.store).unwrap_err().to_string();
    assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
    drop(lock);
    let stale = bench.store.root().join(format!("episodes/date=2025-11-22/station=a01/{}.tmp", start(1).episode));
    fs::create_dir_all(&stale).unwrap();
    let description = bench.store.root().join("robots/0123.tmp");
    fs::create_dir_all(&description).unwrap();
    let details: Vec<String> = repair(&bench.store).unwrap().into_iter().map(|repaired| repaired.detail).collect();
    assert!(details[0].starts_with("removed") && details[2].starts_with("sealed (recovered): 24 rows"), "{details:?}");
    assert_eq!(details[1], "removed: a description that was not copied to its end");
    assert!(!stale.exists() && !description.exists());
    let sealed = contents(bench.last().dir());
    assert!(repair(&bench.store).unwrap().is_empty());
    assert_eq!(contents(bench.last().dir()), sealed);
}

#[test]
fn an_unfinished_seal_without_its_journal_is_kept() {
    let bench = Bench::new();
    let stale = bench.store.root().join("episodes/date=2025-11-22/station=a01/01JD7ZZZZZZZZZZZZZZZZZZZZZ.tmp");
    fs::create_dir_all(&stale).unwrap();
    let repaired = repair(&bench.store).unwrap();
    assert!(repaired[0].detail.starts_with("kept") && stale.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_bytes_never_panic_and_never_seal_something_unsound(changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6)) {
        let bench = Bench::new();
        let (path, _) = unclosed(&bench);
        let mut journal = fs::read(&path).unwrap();
        for (index, mask) in changes {
            let at = index.index(journal.len());
            journal[at] ^= mask;
        }
        fs::write(&path, &journal).unwrap();
        match seal(&bench.store, &path, &mut |_| {}) {
            Ok(manifest) => prop_assert!(manifest.streams.iter().all(|stream| stream.rows % 4 == 0), "whole samples only"),
            Err(_) => prop_assert!(path.exists(), "a journal that cannot be sealed is kept"),
        }
        let report = verify(bench.store.root()).unwrap();
        prop_assert!(report.is_sound(), "{:?}", report.issues);
    }
}
