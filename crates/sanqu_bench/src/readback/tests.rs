use std::collections::BTreeMap;
use std::fs::File;

use mcap::records::MessageHeader;

use super::*;
use crate::talk::StepSent;

const KEY: &str = "sanqu/qingdao/walker-s-01/joint";

fn header(seq: u64) -> SampleHeader {
    SampleHeader { rows: 10, boot: 7, seq, ..SampleHeader::default() }
}

/// Samples as the bare writer writes them; `cut` bytes are taken off the end.
fn write_bare(path: &Path, seqs: &[u64], cut: u64) {
    let mut mcap = mcap::WriteOptions::new().compression(None).create(std::io::BufWriter::new(File::create(path).unwrap())).unwrap();
    let channel_id = mcap.add_channel(0, KEY, "x", &BTreeMap::new()).unwrap();
    for seq in seqs {
        let message = [header(*seq).encode(b"payload").as_slice(), b"payload"].concat();
        mcap.write_to_known_channel(&MessageHeader { channel_id, sequence: 0, log_time: 0, publish_time: 0 }, &message).unwrap();
        mcap.flush().unwrap();
    }
    if cut > 0 {
        mcap.flush().unwrap();
        drop(mcap.into_inner());
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() - cut).unwrap();
    } else {
        mcap.finish().unwrap();
    }
}

/// `(samples, one past the last row)` of each step, and the rows that never left.
fn sent(steps: &[(u64, u64)], unsent: &[(u64, u64)]) -> Sent {
    let steps = steps.iter().map(|(offered, next_seq)| StepSent { offered: *offered, next_seq: *next_seq, ..StepSent::default() });
    let stream = StreamSent { boot: 7, rows_per_sample: 10, steps: steps.collect(), unsent: unsent.to_vec() };
    Sent { streams: BTreeMap::from([(KEY.to_owned(), stream)]), ..Sent::default() }
}

#[test]
fn a_gap_and_a_torn_tail_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bare.mcap");
    write_bare(&path, &[0, 10, 30, 30, 40], 0);
    let sent = sent(&[(3, 30), (3, 60)], &[(50, 60)]);
    let found = bare(&path).unwrap();
    let truth = Truth::new(&sent, &found);
    assert_eq!((truth.offered_rows, truth.found_rows, truth.lost_rows, truth.unsent_rows, truth.corrupt), (60, 40, 20, 10, 0));
    assert_eq!(lost_by_step(&sent, &found), [10, 10], "row 20 to 29 of the first step, one sample of the second never left");

    write_bare(&path, &[0, 10, 20], 80);
    let found = bare(&path).unwrap();
    assert!(found.torn_bytes > 0);
    assert_eq!(found.streams[KEY].rows, 20, "the chunk of the last sample is cut off");
}

#[test]
fn a_flipped_bit_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bare.mcap");
    write_bare(&path, &[0, 10], 0);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(7).position(|window| window == b"payload").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let found = bare(&path).unwrap();
    assert_eq!((found.corrupt, found.streams[KEY].rows), (1, 10));
}

#[test]
fn counts_without_numbers_flatter_the_sink() {
    let sent = sent(&[(3, 30), (3, 60)], &[(0, 10)]);
    let found = Found::from_counts([(KEY.to_owned(), 4), ("sanqu/qingdao/walker-s-01/status".to_owned(), 9)], &sent).unwrap();
    assert_eq!(Truth::new(&sent, &found).lost_rows, 20);
    assert_eq!(lost_by_step(&sent, &found), [10, 10], "what never left is known; the rest is taken for the last");
}

#[test]
fn a_stream_that_is_missing_is_lost_whole() {
    let truth = Truth::new(&sent(&[(3, 30)], &[]), &Found::default());
    assert_eq!((truth.lost_rows, truth.lossy_streams), (30, 1));
}
