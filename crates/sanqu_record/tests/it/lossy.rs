//! A robot whose network loses what a test says, and a disk that hangs or is full when it says.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use sanqu_ingest::Counts;
use sanqu_store::disk::{Disk, Operation, Verdict, Watch};
use sanqu_wire::{CLOCK_ROBOT, ENCODING_ARROW, ENCODING_JSON, SampleHeader};

use crate::rig::{Rig, id, joint, rows, stream};

/// Plays a robot's side of the wire contract by hand: numbers, holds, counts, and sends again what it is asked for.
pub(crate) struct LossyRobot {
    name: String,
    ring: Arc<Mutex<Ring>>,
    answering: tokio::task::JoinHandle<()>,
}

/// Header and payload.
type Sample = (Vec<u8>, Vec<u8>);

struct Ring {
    counts: Counts,
    /// By first sequence.
    held: BTreeMap<u64, Sample>,
    /// Questions for samples so far.
    asked: usize,
}

impl Drop for LossyRobot {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

impl LossyRobot {
    pub(crate) async fn start(rig: &Rig, name: &str, boot: u64) -> Self {
        let mut counts = Counts { boot, ..Counts::default() };
        counts.next_seq.insert(stream("joint"), 0);
        let ring = Arc::new(Mutex::new(Ring { counts, held: BTreeMap::new(), asked: 0 }));
        let session = rig.outside.session();
        let (ask_counts, mut counting) = tokio::sync::mpsc::channel(64);
        let (ask_samples, mut resending) = tokio::sync::mpsc::channel(64);
        let (counts_key, samples_key) = (format!("sanqu/desk/{name}/@counts"), format!("sanqu/desk/{name}/@resend/joint"));
        let counted = session.declare_queryable(counts_key.clone()).callback(move |query| drop(ask_counts.try_send(query))).await.unwrap();
        let resent = session.declare_queryable(samples_key.clone()).callback(move |query| drop(ask_samples.try_send(query))).await.unwrap();
        let answering = Arc::clone(&ring);
        let answering = tokio::spawn(async move {
            let _declared = (counted, resent);
            loop {
                tokio::select! {
                    Some(query) = counting.recv() => {
                        let counts = serde_json::to_vec(&answering.lock().unwrap().counts).unwrap();
                        query.reply(&counts_key, counts).await.unwrap();
                    }
                    Some(query) = resending.recv() => {
                        let number = |name: &str| query.parameters().get(name).unwrap().parse::<u64>().unwrap();
                        let (samples, closing) = answering.lock().unwrap().find(number("boot"), number("from"), number("to"));
                        for (header, payload) in samples {
                            query.reply(&samples_key, payload).attachment(header).encoding(ENCODING_ARROW).await.unwrap();
                        }
                        query.reply(&samples_key, closing).encoding(ENCODING_JSON).await.unwrap();
                    }
                }
            }
        });
        let robot = Self { name: name.to_owned(), ring, answering };
        while sanqu_ingest::final_counts(&rig.router, &id("desk"), &id(name)).await.unwrap().is_empty() {}
        robot
    }

    /// Numbers and holds ten rows; the network takes them or not.
    pub(crate) async fn ten_rows(&self, rig: &Rig, arrives: bool) {
        let seq = self.lose_ten_rows();
        if arrives {
            self.send(rig, seq).await;
        }
    }

    /// Numbers and holds ten rows that the network does not take.
    pub(crate) fn lose_ten_rows(&self) -> u64 {
        self.ring.lock().unwrap().number()
    }

    /// Puts a held sample on the bus.
    pub(crate) async fn send(&self, rig: &Rig, seq: u64) {
        let (header, payload) = self.ring.lock().unwrap().held[&seq].clone();
        let put = rig.outside.session().put(format!("sanqu/desk/{}/joint", self.name), payload);
        put.encoding(ENCODING_ARROW).attachment(header).await.unwrap();
    }

    pub(crate) async fn heartbeat(&self, rig: &Rig) {
        let counts = serde_json::to_vec(&self.ring.lock().unwrap().counts).unwrap();
        rig.outside.session().put(format!("sanqu/desk/{}/status", self.name), counts).encoding(ENCODING_JSON).await.unwrap();
    }

    /// Rows below `seq` are held no more; those of `unsent` never left.
    pub(crate) fn forget(&self, seq: u64, unsent: &[(u64, u64)]) {
        let mut ring = self.ring.lock().unwrap();
        ring.held.retain(|first, _| *first >= seq);
        ring.counts.held_from.insert(stream("joint"), seq);
        if !unsent.is_empty() {
            ring.counts.unsent.insert(stream("joint"), unsent.to_vec());
        }
    }

    /// How often samples were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.ring.lock().unwrap().asked
    }
}

impl Ring {
    fn number(&mut self) -> u64 {
        let seq = self.counts.next_seq[&stream("joint")];
        let (payload, capture_ns) = (rows(seq, 10), sanqu_model::now_ns());
        let (boot, schema_id) = (self.counts.boot, joint().schema_id());
        let header = SampleHeader { boot, seq, rows: 10, capture_ns, clock: CLOCK_ROBOT, schema_id, flags: 0 };
        self.held.insert(seq, (header.encode(&payload).to_vec(), payload));
        self.counts.next_seq.insert(stream("joint"), seq + 10);
        self.counts.held_from.entry(stream("joint")).or_insert(seq);
        seq
    }

    fn find(&mut self, boot: u64, from: u64, to: u64) -> (Vec<Sample>, String) {
        self.asked += 1;
        let is_asked = |seq: u64| boot == self.counts.boot && seq < to && seq + 10 > from;
        let samples = self.held.iter().filter(|(seq, _)| is_asked(**seq)).map(|(_, sample)| sample.clone()).collect();
        let held_from = self.counts.held_from.get(&stream("joint"));
        (samples, serde_json::json!({"boot": self.counts.boot, "held_from": held_from, "more": false}).to_string())
    }
}

/// What becomes of changes on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    /// They do not return.
    Held,
    /// The disk is full.
    Full,
    /// A station that writes meets a defect of the program.
    Panic,
}

/// A disk that a test can hold or fill, for what has a certain word in its path.
#[derive(Default)]
pub(crate) struct Gate {
    fate: Mutex<Option<(String, Fate)>>,
    changed: Condvar,
    /// Writes that are held.
    waiting: Mutex<usize>,
}

impl Gate {
    pub(crate) fn disk(self: &Arc<Self>) -> Disk {
        Disk::watched(Arc::clone(self) as Arc<dyn Watch>)
    }

    pub(crate) fn set(&self, word: impl ToString, fate: Fate) {
        *self.fate.lock().unwrap() = Some((word.to_string(), fate));
        self.changed.notify_all();
    }

    pub(crate) fn is_holding(&self) -> bool {
        *self.waiting.lock().unwrap() > 0
    }
}

impl Watch for Gate {
    fn before(&self, operation: &Operation<'_>) -> Verdict {
        let path = operation.path().to_string_lossy().into_owned();
        let fate_of = |fate: &Option<(String, Fate)>| fate.as_ref().filter(|(word, _)| path.contains(word)).map(|(_, fate)| *fate);
        let mut fate = self.fate.lock().unwrap();
        if fate_of(&fate) == Some(Fate::Held) {
            *self.waiting.lock().unwrap() += 1;
            fate = self.changed.wait_while(fate, |fate| fate_of(fate) == Some(Fate::Held)).unwrap();
            *self.waiting.lock().unwrap() -= 1;
        }
        match fate_of(&fate) {
            Some(Fate::Panic) if std::thread::current().name().is_some_and(|name| name.starts_with("station ")) => {
                drop(fate);
                panic!("a defect on purpose");
            }
            Some(Fate::Full) => Verdict::Fail(std::io::ErrorKind::StorageFull.into()),
            _ => Verdict::Go,
        }
    }
}
