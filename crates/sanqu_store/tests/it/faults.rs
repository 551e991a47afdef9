//! A disk that is full, broken or hangs, at every operation of a recording and its seal; see `sanqu_testkit::TestDisk`.

use sanqu_store::disk::Operation;
use sanqu_store::{Control, JournalWriter, Store, StoreError, repair, seal, survey};
use sanqu_testkit::{EIO, ENOSPC, Fault, Step, TestDisk, assert_balanced};
use tempfile::TempDir;

use crate::crashing::{BATCHES, Recording, Whole, episode, folder, sealed_files};
use crate::fixture::{Bench, Message, START_NS, start};

/// Four ways in which an operation goes wrong.
fn faults(at: usize) -> [Fault; 4] {
    [Fault::once(at, EIO), Fault::from(at, EIO), Fault::from(at, ENOSPC), Fault { short: Some(5), ..Fault::once(at, ENOSPC) }]
}

/// The error is the disk's and says where.
#[track_caller]
fn check_error(error: &StoreError, store: &Store, what: &str) {
    assert!(matches!(error, StoreError::Io { .. } | StoreError::WriterFailed { .. }), "{what}: {error}");
    assert!(error.to_string().contains(&store.root().display().to_string()), "{what}: {error}");
}

fn whole() -> Whole {
    let mut recording = Recording::new();
    recording.run(&TestDisk::new()).unwrap();
    Whole::of(&recording.store.find(&episode().to_string()).unwrap())
}

fn check_recording(part: usize) {
    let whole = whole();
    let (first, disk) = (Recording::new(), TestDisk::new());
    first.again(&folder()).record(&disk).unwrap();
    let count = disk.count();
    assert!(count > 40, "{count} operations");
    for at in (0..count).filter(|at| at % 2 == part) {
        for fault in faults(at) {
            let (folder, disk) = (folder(), TestDisk::new());
            let mut recording = first.again(&folder);
            disk.fail(fault);
            let recorded = recording.record(&disk);
            if fault.short.is_some() && recorded.is_ok() {
                // The operation was no write, or one that short.
                continue;
            }
            assert!(recorded.is_err(), "{fault:?} went unnoticed: {:?}", disk.steps().get(at));
            check_error(&recorded.unwrap_err(), &recording.store, &format!("{fault:?}"));
            recording.check(&recording.store, recording.durable_at(count), &whole);
        }
    }
}

#[test]
fn a_recording_keeps_what_was_durable_when_the_disk_fails_1() {
    check_recording(0);
}

#[test]
fn a_recording_keeps_what_was_durable_when_the_disk_fails_2() {
    check_recording(1);
}

#[test]
fn a_recording_goes_on_in_another_segment_when_the_disk_takes_data_again() {
    let (first, disk) = (Recording::new(), TestDisk::new());
    first.again(&folder()).record(&disk).unwrap();
    for at in 0..disk.count() {
        let (folder, disk) = (folder(), TestDisk::new());
        let mut recording = first.again(&folder);
        disk.fail(Fault::from(at, ENOSPC));
        recording.record(&disk).unwrap_err();
        disk.mend();
        let durable = recording.durable_at(usize::MAX);
        recording.go_on(&disk).unwrap();
        let journal = recording.store.journals().unwrap().remove(0);
        let manifest = seal(&recording.store, &journal, &mut |_| {}).unwrap();
        assert_balanced(&recording.store);
        for stream in &manifest.streams {
            assert_eq!(stream.lost.total(), stream.lost.disk, "full at {at}: {stream:#?}");
            assert_eq!(stream.expected, Some(stream.received + stream.lost.disk), "full at {at}: {stream:#?}");
            let wanted = durable.batches * (stream.expected.unwrap() / BATCHES);
            assert!(stream.received >= wanted, "full at {at}: {stream:#?}");
        }
    }
}

/// A store whose second episode was recorded and not sealed.
fn unsealed() -> (Recording, TempDir) {
    let folder = folder();
    let mut recording = Recording::new().again(&folder);
    recording.record(&TestDisk::new()).unwrap();
    (recording, folder)
}

#[test]
fn a_seal_that_the_disk_refuses_can_be_repeated() {
    let (recording, _folder) = unsealed();
    let once = folder();
    let reference = recording.again(&once);
    let disk = TestDisk::new();
    let journal = |recording: &Recording| recording.store.journals().unwrap().remove(0);
    seal(&reference.store.clone().on(disk.disk()), &journal(&reference), &mut |_| {}).unwrap();
    let sealed = sealed_files(&reference.store.find(&episode().to_string()).unwrap());
    let whole = Whole::of(&reference.store.find(&episode().to_string()).unwrap());
    let takes_room = |step: &Step| matches!(step, Step::Open { .. } | Step::Write { .. } | Step::SyncFile { .. } | Step::CreateFolder(_));
    let last_taking_room = disk.steps().iter().rposition(takes_room).unwrap();
    for fault in (0..disk.count()).flat_map(faults) {
        let (folder, disk) = (folder(), TestDisk::new());
        let again = recording.again(&folder);
        disk.fail(fault);
        let refused = seal(&again.store.clone().on(disk.disk()), &journal(&again), &mut |_| {});
        // At the end a seal needs no more room.
        let may_pass = fault.short.is_some() || fault.errno == ENOSPC && fault.at > last_taking_room;
        if may_pass && refused.is_ok() {
            continue;
        }
        assert!(refused.is_err(), "{fault:?} went unnoticed: {:?}", disk.steps().get(fault.at));
        check_error(&refused.unwrap_err(), &again.store, &format!("{fault:?}"));
        assert_balanced(&again.store);
        let is_sealed = again.store.find(&episode().to_string()).is_ok();
        assert!(is_sealed || !again.store.journals().unwrap().is_empty(), "{fault:?}: neither journal nor episode");
        again.check(&again.store, recording.durable_at(usize::MAX), &whole);
        assert_eq!(sealed_files(&again.store.find(&episode().to_string()).unwrap()), sealed, "{fault:?}");
    }
}

#[test]
fn a_full_disk_gets_back_what_a_seal_took() {
    let (recording, _folder) = unsealed();
    let disk = TestDisk::new();
    let store = recording.store.on(disk.disk());
    drop(store.lock().unwrap());
    disk.fail(Fault::from(20, ENOSPC));
    let journal = store.journals().unwrap().remove(0);
    seal(&store, &journal, &mut |_| {}).unwrap_err();
    // The lock must be there for a repair also when it cannot say whose it is.
    let repaired = repair(&store).unwrap();
    assert!(repaired[0].detail.starts_with("kept: ") && repaired[0].detail.contains("os error 28"), "{repaired:?}");
    assert_eq!(store.episode_states().unwrap().iter().filter(|state| !state.open).count(), 1);
    let unfinished = |entry: std::fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "tmp");
    let station = store.root().join("episodes/date=2025-11-21/station=a01");
    assert!(!std::fs::read_dir(station).unwrap().map(Result::unwrap).any(unfinished), "what was written is gone again");
    disk.mend();
    assert!(repair(&store).unwrap()[0].manifest.is_some());
}

#[test]
fn a_sync_that_hangs_does_not_keep_the_writer_from_appending() {
    let disk = TestDisk::new();
    let bench = Bench::new();
    let store = bench.store.on(disk.disk());
    let mut journal = JournalWriter::create(&store, &start(2)).unwrap();
    let syncer = journal.syncer();
    Message::joint(7, 0, 4).append(&mut journal);
    journal.flush().unwrap();
    disk.hold(store.root(), |operation| matches!(operation, Operation::SyncFile { .. }));
    std::thread::scope(|scope| {
        let hanging = scope.spawn(move || syncer.sync());
        disk.wait_held();
        (1..50).for_each(|n| Message::joint(7, 4 * n, 4).append(&mut journal));
        journal.flush().unwrap();
        let rows = survey(&store, start(2).episode).unwrap().rows;
        assert_eq!(rows.values().map(sanqu_model::SeqRanges::count).sum::<u64>(), 200);
        assert!(!hanging.is_finished());
        disk.release();
        hanging.join().unwrap().unwrap();
    });
    journal.control(&Control::Stop { stop_ns: START_NS, ended_by: "stop".to_owned() }).unwrap();
    journal.finish().unwrap();
}
