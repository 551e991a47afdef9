//! A journal's bytes, and the texts of a sealed episode.

use std::path::PathBuf;
use std::sync::OnceLock;

use sanqu_model::Manifest;
use sanqu_store::{Control, Episode, JournalWriter, Sample, verify};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, ENCODING_JSON, SampleHeader};

use crate::bench::{Bench, START_NS, id, joint, joint_rows, key, start};
use crate::seeds::picture;

/// Operation code and length before every MCAP record.
const FRAME_BYTES: usize = 9;
const OP_CHUNK: u8 = 6;
/// Where a chunk keeps the checksum of its records.
const CHUNK_CRC_OFFSET: usize = 24;

/// Any bytes are a journal, which seals or is kept.
pub(crate) fn run(input: &[u8]) {
    let bench = Bench::new();
    std::fs::write(bench.journal(0), input).unwrap();
    let _ = bench.seal();
}

/// A closed journal, one that a crash left, and both without the checksums that would keep every change out.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for closed in [true, false] {
        let bench = Bench::new();
        write(&bench, closed);
        let mut bytes = std::fs::read(bench.journal(0)).unwrap();
        seeds.push(bytes.clone());
        forget_checksums(&mut bytes);
        seeds.push(bytes);
    }
    seeds
}

/// A journal with rows, pictures and text, and with everything that a recorder notes.
fn write(bench: &Bench, closed: bool) {
    let mut journal = JournalWriter::create(&bench.store, &start()).unwrap();
    let (robot, stream) = (id("walker-s-01"), joint().stream);
    journal.control(&Control::Describe { robot: robot.clone(), description: joint() }).unwrap();
    journal.control(&Control::Baseline { robot: robot.clone(), stream: stream.clone(), boot: 7, next_seq: 0 }).unwrap();
    for (number, seq) in [(1u8, 0u64), (2, 4), (3, 12)] {
        let t_ns = START_NS + i64::from(number) * 1_000_000;
        for (name, encoding, rows, payload) in [
            ("joint", ENCODING_ARROW, 4, joint_rows(seq, 4, t_ns)),
            ("camera/head", ENCODING_H264, 1, picture(number, number == 1)),
            ("event", ENCODING_JSON, 1, b"{}".to_vec()),
        ] {
            let header =
                SampleHeader { rows, boot: 7, seq: seq / (4 / u64::from(rows)), capture_ns: t_ns, clock: 1, ..SampleHeader::default() };
            let sample = Sample { key: &key(name), encoding, attachment: &header.encode(&payload), payload: &payload, recv_ns: t_ns };
            journal.append(&sample).unwrap();
        }
        journal.flush().unwrap();
    }
    if closed {
        journal.control(&Control::Final { robot, stream, boot: 7, next_seq: 16 }).unwrap();
        journal.control(&Control::Stop { stop_ns: START_NS + 1_000_000_000, ended_by: "stop".to_owned() }).unwrap();
        journal.finish().unwrap();
    }
}

/// MCAP allows chunks without a checksum.
fn forget_checksums(mcap: &mut [u8]) {
    let mut at = 8;
    while let Some([code, length @ ..]) = mcap.get(at..at + FRAME_BYTES) {
        let (code, length) = (*code, usize::try_from(u64::from_le_bytes(std::array::from_fn(|i| length[i]))).unwrap());
        let body = at + FRAME_BYTES;
        if code == OP_CHUNK {
            mcap[body + CHUNK_CRC_OFFSET..body + CHUNK_CRC_OFFSET + 4].fill(0);
        }
        at = body + length;
    }
}

/// A sealed episode, made once; its texts are replaced by each input.
fn sealed() -> &'static (Bench, PathBuf, Vec<u8>) {
    static SEALED: OnceLock<(Bench, PathBuf, Vec<u8>)> = OnceLock::new();
    SEALED.get_or_init(|| {
        let bench = Bench::new();
        write(&bench, true);
        bench.seal().unwrap();
        let dir = bench.store.find("last").unwrap().dir().to_path_buf();
        let manifest = std::fs::read(dir.join("manifest.json")).unwrap();
        (bench, dir, manifest)
    })
}

/// Any text is a manifest: it opens or is refused, and `verify` says what is wrong with it. Behind a first byte below 32
/// the text is that of the decisions instead.
pub(crate) fn manifest(input: &[u8]) {
    let (bench, dir, whole) = sealed();
    let is_decisions = input.first().is_some_and(|byte| *byte < 32);
    let (manifest, decisions) = if is_decisions { (&whole[..], &input[1..]) } else { (input, &[][..]) };
    std::fs::write(dir.join("manifest.json"), manifest).unwrap();
    std::fs::write(dir.join("decisions.jsonl"), decisions).unwrap();
    let report = verify(bench.store.root()).unwrap();
    match Episode::open(dir) {
        Ok(episode) => {
            let _ = episode.decisions();
            for entry in episode.manifest().streams.iter().take(8) {
                if let Ok(batches) = episode.read(entry, None) {
                    batches.take(4).for_each(drop);
                }
                for quantity in entry.quantities.iter().take(4) {
                    let _ = episode.series(entry, &quantity.name);
                }
            }
            if report.is_sound() {
                let known: Manifest = serde_json::from_slice(whole).unwrap();
                assert_eq!(totals(episode.manifest()), totals(&known), "verify accepts a manifest that counts other rows");
            }
        }
        Err(error) => assert!(!report.is_sound(), "verify accepts what does not open: {error}"),
    }
}

/// What `verify` must have compared with the files.
fn totals(manifest: &Manifest) -> Vec<(String, u64, u64)> {
    manifest.streams.iter().map(|entry| (entry.stream.to_string(), entry.rows, entry.lost.total())).collect()
}

pub(crate) fn manifest_seeds() -> Vec<Vec<u8>> {
    let decisions = br#"{"t_ns":1763740800000000000,"kind":"keep","reason":"x","operator":"op-07"}"#;
    vec![sealed().2.clone(), [&[1][..], decisions].concat()]
}
