use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use sanqu_store::mp4::Mp4Reader;
use sanqu_wire::{ENCODING_H264, FLAG_KEYFRAME, SampleHeader};

use crate::fixture::{BOOT, Bench, Message, START_NS, key, ledger, stop};

/// SPS and PPS of x264, 320 by 240, baseline.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xd9, 0x01, 0x41, 0xfb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x42,
    0xa4, 0x80,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];
const FRAME_NS: i64 = 33_333_333;

/// An access unit as the wire carries it; its slice is numbered, not decodable.
fn unit(number: u64, idr: bool, pps: &[u8]) -> Vec<u8> {
    let code = [0, 0, 0, 1];
    let mut bytes = Vec::new();
    if idr {
        bytes.extend([&code, SPS, &code, pps].concat());
    }
    bytes.extend(code);
    bytes.extend(if idr { [0x65, 0b1000_1000] } else { [0x41, 0b1001_1000] });
    bytes.extend(number.to_be_bytes().map(|byte| byte | 0x80));
    bytes
}

fn frame(seq: u64, payload: Vec<u8>, idr: bool) -> Message {
    let capture_ns = START_NS + i64::try_from(seq).unwrap() * FRAME_NS;
    let flags = if idr { FLAG_KEYFRAME } else { 0 };
    let header = SampleHeader { flags, rows: 1, boot: BOOT, seq, capture_ns, clock: 1, ..SampleHeader::default() };
    let attachment = header.encode(&payload).to_vec();
    Message { key: Arc::new(key("camera/head")), encoding: ENCODING_H264, attachment, payload, recv_ns: capture_ns + 5_000_000 }
}

/// Frames of a camera that is joined in the middle of a group of pictures: an IDR at 5, 15, ….
pub(crate) fn frames(count: u64) -> impl Iterator<Item = Message> {
    (0..count).map(|seq| frame(seq, unit(seq, seq % 10 == 5, PPS), seq % 10 == 5))
}

#[test]
fn frames_are_passed_through_with_their_own_times() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    for message in frames(40).filter(|m| m.payload.len() > 14 || !m.payload.ends_with(&[0x80 | 12])) {
        message.append(&mut journal);
    }
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    let (entry, episode) = (&manifest.streams[0], bench.last());
    assert_eq!((entry.rows, entry.expected, entry.lost.network), (39, Some(40), 1));
    assert_eq!(ledger(&episode), ["0 12..13 network gap"]);
    let film = Mp4Reader::open(&episode.file(entry, "mp4").unwrap()).unwrap();
    assert_eq!((film.len(), film.size(), film.is_keyframe(0), film.is_keyframe(5)), (39, [320, 240], false, true));
    assert_eq!(film.frame(5).unwrap(), unit(5, true, PPS));
    assert_eq!(film.frame(12).unwrap(), unit(13, false, PPS));
    let batch = episode.read(entry, None).unwrap().next().unwrap().unwrap();
    let names: Vec<&str> = batch.schema_ref().fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["t", "t_recv", "seq", "run", "pts_ns", "keyframe", "bytes", "offset"]);
    let pts = batch.column(4).as_primitive::<Int64Type>();
    let seq = batch.column(2).as_primitive::<UInt64Type>();
    for row in 0..39 {
        let exact_ns = i64::try_from(seq.value(row)).unwrap() * FRAME_NS;
        assert_eq!(pts.value(row), exact_ns / 1000 * 1000, "microseconds of the capture time");
        assert_eq!(film.pts_ns(row), Some(pts.value(row)));
    }
}

#[test]
fn another_picture_format_is_kept_aside() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let other: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
    for seq in 0..30 {
        let (idr, pps) = (seq % 10 == 0, if (10..20).contains(&seq) { other } else { PPS });
        frame(seq, unit(seq, idr, pps), idr).append(&mut journal);
    }
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    let entry = &manifest.streams[0];
    assert_eq!((entry.rows, entry.expected, entry.lost.corrupt), (20, Some(30), 10));
    assert_eq!(ledger(&bench.last()), ["0 10..20 corrupt checksum"]);
}

#[test]
fn half_of_the_parameter_sets_does_not_end_another_picture_format() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let other: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
    for seq in 0..30 {
        let (idr, pps) = (seq % 10 == 0, if seq == 10 { other } else { PPS });
        let mut payload = unit(seq, idr, pps);
        if seq == 13 {
            payload = [&[0, 0, 0, 1], SPS, &payload[..]].concat();
        }
        frame(seq, payload, idr).append(&mut journal);
    }
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    assert_eq!((manifest.streams[0].rows, ledger(&bench.last())), (20, vec!["0 10..20 corrupt checksum".to_owned()]));
}

#[test]
fn a_film_without_parameter_sets_keeps_its_bytes_in_the_table() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    frames(4).for_each(|message| message.append(&mut journal));
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    let entry = &manifest.streams[0];
    assert_eq!((entry.rows, entry.files.len()), (4, 1));
    let batch = bench.last().read(entry, None).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column_by_name("data").unwrap().as_binary::<i32>().value(3), unit(3, false, PPS));
}

#[test]
fn parameter_sets_that_no_film_can_hold_do_not_keep_an_episode_from_being_sealed() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    frame(0, unit(0, true, &[0x68; 70_000]), true).append(&mut journal);
    frames(20).skip(5).for_each(|message| message.append(&mut journal));
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    assert_eq!((manifest.streams[0].rows, manifest.streams[0].facts["unparsed_samples"].as_str()), (15, "1"));
}
