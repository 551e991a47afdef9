//! What a payload or its header may be: any bytes.

use std::sync::Arc;

use sanqu_wire::h264;
use sanqu_wire::{HEADER_BYTES, ROWS_MAX, SampleHeader, Stamp, decode_rows, picture_to_chunk, rows_to_chunk, text_to_chunk};

use crate::bench::key;

const STAMP: Stamp = Stamp { recv_ns: 7, run: 1, first_seq: 9 };

/// A header that is understood encodes to the bytes that it came from.
pub(crate) fn header(input: &[u8]) {
    let (head, payload) = input.split_at(input.len().min(HEADER_BYTES));
    // The checksum keeps mutated headers out, so the fields are also tried behind a right one.
    if let Ok(header) = SampleHeader::decode(head) {
        assert!(header.next_seq() <= sanqu_wire::SEQ_END && u64::from(header.rows) <= ROWS_MAX as u64, "{header:?}");
        let encoded = header.encode(payload);
        assert_eq!(encoded[..HEADER_BYTES - 4], head[..HEADER_BYTES - 4]);
        assert_eq!(SampleHeader::decode_checked(&encoded, payload).ok(), Some(header));
    }
    if let Ok(header) = SampleHeader::decode_checked(head, payload) {
        assert_eq!(header.encode(payload), head);
    }
    let _ = SampleHeader::decode_checked(input, &[]);
}

/// A payload that is understood has rows and columns as promised, and becomes a chunk.
pub(crate) fn rows(input: &[u8]) {
    let key = Arc::new(key("joint"));
    if let Ok(rows) = decode_rows(input) {
        assert!((1..=ROWS_MAX).contains(&rows.num_rows()), "{} rows", rows.num_rows());
        assert!(rows.columns().iter().all(|column| column.null_count() == 0));
        let chunk = rows_to_chunk(&key, &rows, STAMP).expect("decoded rows are a chunk");
        assert_eq!((chunk.rows(), chunk.t_ns().len(), chunk.seq()[0]), (rows.num_rows(), rows.num_rows(), STAMP.first_seq));
        for field in rows.schema_ref().fields().iter().skip(1) {
            chunk.quantity(field.name()).expect("a column is a quantity").expect("a column that is there");
        }
    }
    let _ = text_to_chunk(&key, input, 0, STAMP);
}

/// No byte of a picture gets lost between Annex B and MP4's form.
pub(crate) fn video(input: &[u8]) {
    for nal in h264::nals(input) {
        assert!(!nal.is_empty());
        let _ = h264::parse_sps(nal);
    }
    let _ = h264::parse_sps(input);
    let (keyframe, b_slice) = (h264::is_keyframe(input), h264::has_b_slice(input));
    let sets: Vec<&[u8]> = h264::all_parameter_sets(input).collect();
    if let Some((sps, pps)) = h264::parameter_sets(input) {
        assert!(sets.contains(&sps) && sets.contains(&pps));
    }
    if let Ok(sample) = h264::to_avcc(input) {
        let back = h264::to_annex_b(&sample, h264::AVCC_LENGTH_BYTES, &sets).expect("a sample of our own");
        assert!(h264::picture_nals(input).eq(h264::picture_nals(&back)), "a picture's bytes changed");
        assert_eq!((h264::is_keyframe(&back), h264::has_b_slice(&back)), (keyframe, b_slice));
    }
    for length_bytes in 0..=5 {
        let _ = h264::to_annex_b(input, length_bytes, &sets);
    }
    picture_to_chunk(&Arc::new(key("camera/head")), input, 0, keyframe, STAMP).expect("any small picture is a row");
}
