use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use sanqu_ingest::Received;
use sanqu_model::{EpisodeId, Manifest, RobotEntry};
use tempfile::TempDir;

use super::*;
use crate::syncer::Syncer;
use crate::testing::batch_of;
use crate::track::StreamTrack;

const STOP_NS: i64 = 1_763_740_801_000_000_000;
const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

/// An episode with one stream of one boot, whose clock is set by hand.
struct Stage {
    dir: TempDir,
    store: Store,
    take: Take,
    track: StreamTrack,
    figures: Figures,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::open_or_create(dir.path(), &id("desk"), "UTC").unwrap();
        let start_ns = 1_763_740_800_000_000_000;
        let start = EpisodeStart {
            episode: EpisodeId::new(start_ns, 1),
            field: id("desk"),
            zone: None,
            station: id("a01"),
            task: None,
            prompt: String::new(),
            operator: None,
            robots: vec![RobotEntry { robot: id("kuavo-01"), model: String::new(), description: None }],
            start_ns,
            pre_roll_ns: start_ns,
            recorder: "test".to_owned(),
            facts: BTreeMap::new(),
        };
        let now = Instant::now();
        let take = Take::begin(&store, start, Rhythm { period: SECOND, first: now + SECOND }).unwrap();
        let track = StreamTrack::new(Arc::new("sanqu/desk/kuavo-01/event".parse().unwrap()));
        Self { dir, store, take, track, figures: Figures::new(), now }
    }

    /// Makes every sync wait for a word on the returned channel, which is its result.
    fn hold_syncs(&mut self) -> std::sync::mpsc::SyncSender<Result<(), StoreError>> {
        let (allow, allowed): (_, Receiver<Result<(), StoreError>>) = sync_channel(1);
        let journal = self.take.segment.take().unwrap().journal;
        let syncer = Syncer::start(move || allowed.recv().unwrap()).unwrap();
        self.take.segment = Some(Segment::with(journal, syncer, Rhythm { period: SECOND, first: self.now + SECOND }));
        allow
    }

    fn events(&mut self, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            let header = SampleHeader { rows: 1, boot: 7, seq, ..SampleHeader::default() };
            let payload = Bytes::from_static(b"{\"text\":\"x\"}");
            let attachment = Bytes::copy_from_slice(&header.encode(&payload));
            let encoding = sanqu_wire::ENCODING_JSON.into();
            let batch = batch_of(&[Received { key: Arc::clone(&self.track.key), encoding, attachment, payload, recv_ns: STOP_NS - 1 }]);
            let sample = batch.iter().next().unwrap();
            let boot = self.track.sample(Some(&header), 1, sample.recv_ns).unwrap();
            self.take.sample_of(&sample, &header, boot);
        }
    }

    fn commit(&mut self, after: Duration) -> Committed {
        self.now += after;
        let committed = self.take.commit(self.now, &mut self.figures);
        let share = self.track.boot(7).unwrap().share.as_mut().unwrap();
        if committed.is_synced {
            share.synced();
        }
        if committed.has_failed {
            share.fail();
        }
        if committed.is_syncing {
            share.sync();
        }
        committed
    }

    /// Waits for the end of the sync that is under way.
    fn synced(&mut self) -> Committed {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let committed = self.commit(Duration::ZERO);
            if committed.is_synced || committed.has_failed {
                return committed;
            }
            std::thread::yield_now();
        }
        panic!("the sync does not end");
    }

    fn fail(&mut self, kind: std::io::ErrorKind) {
        self.take.fail(&StoreError::Io { path: self.dir.path().to_owned(), action: "write", source: kind.into() });
        self.commit(Duration::ZERO);
    }

    fn file_bytes(&self) -> u64 {
        std::fs::metadata(&self.store.journals().unwrap()[0]).unwrap().len()
    }

    /// Closes and seals; `sent` is the robot's final count.
    fn seal(mut self, sent: u64) -> Manifest {
        let key = Arc::clone(&self.track.key);
        self.take.final_count((&key, 7), sent);
        let lost = self.track.boot(7).unwrap().share.as_mut().unwrap().lost().clone();
        let journal = self.take.finish(&self.store, STOP_NS, "stop", vec![(key, 7, lost)]).unwrap();
        sanqu_store::seal(&self.store, &journal, &mut |_| {}).unwrap()
    }
}

#[test]
fn a_failed_write_is_the_disks_loss_and_the_rest_is_kept() {
    let mut stage = Stage::new();
    stage.events(0..5);
    stage.commit(SECOND);
    stage.synced();
    // Not flushed, then the disk fails, then more arrives.
    stage.events(5..7);
    stage.fail(std::io::ErrorKind::StorageFull);
    stage.events(7..10);
    assert_eq!((stage.take.unwritten_samples(), stage.take.problem().is_some()), (3, true));
    let store = stage.store.clone();
    let dir = std::mem::replace(&mut stage.dir, TempDir::new().unwrap());
    let manifest = stage.seal(12);
    let event = &manifest.streams[0];
    assert_eq!((event.expected, event.received), (Some(12), 5), "{event:#?}");
    assert_eq!((event.lost.disk, event.lost.network), (5, 2), "{event:#?}");
    assert_eq!(manifest.journal_sha256.len(), 2, "a second segment says what the first could not hold");
    drop((store, dir));
}

#[test]
fn what_was_flushed_and_not_synced_is_the_disks_loss_when_it_is_gone() {
    let mut stage = Stage::new();
    let allow = stage.hold_syncs();
    stage.events(0..5);
    stage.commit(SECOND);
    allow.send(Ok(())).unwrap();
    stage.synced();
    let synced_bytes = stage.file_bytes();
    stage.events(5..8);
    stage.commit(SECOND);
    // The system drops the pages that it could not write, and says so.
    let path = stage.store.journals().unwrap().remove(0);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(synced_bytes).unwrap();
    allow.send(Err(StoreError::Io { path, action: "sync", source: std::io::ErrorKind::Other.into() })).unwrap();
    assert!(stage.synced().has_failed);
    let event = stage.seal(8).streams.remove(0);
    assert_eq!((event.received, event.lost.disk), (5, 3), "{event:#?}");
}

#[test]
fn a_record_that_is_too_long_does_not_stop_the_recording() {
    let mut stage = Stage::new();
    let text = "x".repeat(Control::BYTES_MAX);
    stage.take.control(Control::Event { t_ns: 0, name: "mark".to_owned(), text });
    stage.events(0..1);
    assert_eq!(stage.take.problem(), None);
    assert_eq!(stage.seal(1).streams[0].rows, 1);
}

#[test]
fn a_slow_sync_delays_no_flush_and_the_next_one_waits_for_it() {
    let mut stage = Stage::new();
    let allow = stage.hold_syncs();
    stage.events(0..5);
    assert!(stage.commit(SECOND).is_syncing);
    let before = stage.file_bytes();
    stage.events(5..8);
    assert_eq!(stage.commit(SECOND * 3), Committed::default(), "one sync at a time");
    assert!(stage.file_bytes() > before, "what came is in the file while the disk is busy");
    allow.send(Ok(())).unwrap();
    let mut committed = stage.synced();
    assert!(committed.is_synced && committed.is_syncing, "the next one was due: {committed:?}");
    allow.send(Ok(())).unwrap();
    committed = stage.synced();
    assert!(!committed.is_syncing, "nothing is new");
    assert_eq!(stage.commit(SECOND * 3), Committed::default());
    assert_eq!((stage.figures.sync.quantiles().count, stage.figures.durable_lag.quantiles().count), (2, 8));
    assert_eq!((stage.figures.written_lag.quantiles().count, stage.figures.durable_bytes), (8, stage.figures.written_bytes));
    drop(stage.take.segment.take());
}

#[test]
fn a_sync_comes_in_time_and_only_when_something_is_new() {
    let mut stage = Stage::new();
    stage.events(0..1);
    stage.commit(Duration::ZERO);
    stage.events(1..2);
    assert!(!stage.commit(SECOND * 3 / 4).is_syncing);
    assert!(stage.commit(SECOND / 4).is_syncing);
    stage.synced();
    stage.events(2..3);
    assert!(!stage.commit(SECOND * 9 / 10).is_syncing);
    assert!(stage.commit(SECOND / 10).is_syncing);
}
