use proptest::prelude::*;

use super::*;

fn sample(payload: Vec<u8>) -> PipeItem {
    PipeItem {
        kind: PipeKind::Sample,
        robot: Some("kuavo-01".parse().unwrap()),
        stream: Some("joint".parse().unwrap()),
        encoding: crate::ENCODING_ARROW.to_owned(),
        boot: Some(7),
        seq: Some(20),
        rows: 10,
        keyframe: true,
        t_ns: 1_763_740_800_000_000_000,
        recv_ns: 1_763_740_800_001_000_000,
        shift_ns: -250_000_000,
        dropped: 3,
        payload,
    }
}

fn pulse() -> PipeItem {
    PipeItem { kind: PipeKind::Pulse, recv_ns: 5, dropped: 17, ..PipeItem::default() }
}

fn pipe(messages: &[Vec<PipeItem>]) -> Vec<u8> {
    let mut encoder = PipeEncoder::new().unwrap();
    let mut bytes = Vec::new();
    messages.iter().for_each(|items| bytes.extend(encoder.encode(items).unwrap()));
    bytes.extend(encoder.finish().unwrap());
    bytes
}

/// Everything in `bytes`, given in pieces of `piece` bytes, and whether the end came.
fn read(bytes: &[u8], piece: usize) -> Result<(Vec<PipeItem>, bool), WireError> {
    let mut decoder = PipeDecoder::new()?;
    let mut items = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        decoder.feed(piece);
        while let Some(more) = decoder.next_items()? {
            items.extend(more);
        }
    }
    decoder.finish()?;
    Ok((items, decoder.is_ended()))
}

#[track_caller]
fn refuses(bytes: &[u8], parts: &[&str]) {
    let error = read(bytes, 4096).unwrap_err().to_string();
    assert!(parts.iter().all(|part| error.contains(part)), "{error:?} should name {parts:?}");
}

#[test]
fn items_come_out_as_they_went_in_whatever_the_pieces() {
    let messages =
        vec![vec![pulse(), sample(vec![1, 2, 3])], vec![sample(Vec::new()), PipeItem { boot: None, seq: None, ..sample(vec![9; 999]) }]];
    let bytes = pipe(&messages);
    for piece in [1, 7, 64, bytes.len()] {
        assert_eq!(read(&bytes, piece).unwrap(), (messages.concat(), true), "in pieces of {piece}");
    }
}

#[test]
fn a_pipe_that_breaks_off_says_so_and_gives_what_was_whole() {
    let whole = pipe(&[vec![pulse()]]);
    let both = pipe(&[vec![pulse()], vec![sample(vec![5; 100])]]);
    let mut decoder = PipeDecoder::new().unwrap();
    decoder.feed(&both[..both.len() - 60]);
    assert_eq!(decoder.next_items().unwrap(), Some(vec![pulse()]));
    assert_eq!(decoder.next_items().unwrap(), None);
    let error = decoder.finish().unwrap_err().to_string();
    assert!(error.contains("breaks off"), "{error}");
    assert_eq!(read(&whole[..whole.len() - 8], 1).unwrap(), (vec![pulse()], false), "without its end, but between two messages");
}

#[test]
fn what_is_no_pipe_is_refused_by_name() {
    let bytes = pipe(&[vec![sample(vec![5; 100])]]);
    refuses(b"HTTP/1.1 200 OK\r\n\r\n", &["beginning", "version 1"]);
    let head = PipeDecoder::new().unwrap().head.len();
    let with = |at: usize, word: &[u8]| {
        let mut damaged = bytes.clone();
        damaged[at..at + word.len()].copy_from_slice(word);
        damaged
    };
    refuses(&with(head, b"text"), &["continuation marker"]);
    refuses(&with(head + 4, &i32::MAX.to_le_bytes()), &["metadata length", "65536"]);
    refuses(&with(head + 4, &(-8_i32).to_le_bytes()), &["metadata length", "-8"]);
    let place = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what).unwrap();
    refuses(&with(place(b"kuavo-01"), b"KUAVO 01"), &["robot \"KUAVO 01\""]);
    refuses(&with(place(b"sample"), b"simple"), &["kuavo-01 joint", "kind \"simple\"", "pulse"]);
    refuses(&[bytes.as_slice(), b"more"].concat(), &["end", "4 bytes follow"]);
}

#[test]
fn lengths_of_buffers_that_are_no_whole_offsets_are_refused() {
    let bytes = pipe(&[vec![pulse(), pulse(), pulse()]]);
    let head = PipeDecoder::new().unwrap().head.len();
    // Four offsets of 4 bytes: the length of every column of texts, in the middle of its place and length in the message.
    let length = 16_i64.to_le_bytes();
    let places = (head..bytes.len() - 8).step_by(8).filter(|at| bytes[*at..at + 8] == length).collect::<Vec<_>>();
    let refused = places.into_iter().filter(|at| {
        let mut damaged = bytes.clone();
        damaged[*at] = 17;
        read(&damaged, 512).is_err_and(|error| error.to_string().contains("17 bytes of offsets, expected a multiple of 4"))
    });
    assert!(refused.count() >= 4, "columns of texts");
}

#[test]
fn what_is_too_large_is_not_written() {
    let mut encoder = PipeEncoder::new().unwrap();
    assert!(encoder.encode(&[]).is_err());
    assert!(encoder.encode(&vec![pulse(); PIPE_ITEMS_MAX + 1]).unwrap_err().to_string().contains("1025 items"));
    assert!(matches!(encoder.encode(&[sample(vec![0; PAYLOAD_BYTES_MAX + 1])]), Err(WireError::PayloadTooLarge { .. })));
    let two = vec![sample(vec![0; PAYLOAD_BYTES_MAX]), sample(vec![0; 5 << 20])];
    assert!(encoder.encode(&two).unwrap_err().to_string().contains("at most"));
    // What was refused left no trace, and the largest of each kind comes through.
    let largest = vec![sample(vec![7; PAYLOAD_BYTES_MAX])];
    let mut bytes = encoder.encode(&largest).unwrap();
    bytes.extend(encoder.encode(&vec![pulse(); PIPE_ITEMS_MAX]).unwrap());
    let (items, ended) = read(&bytes, 1 << 16).unwrap();
    assert_eq!((items.len(), ended, items[0] == largest[0]), (1 + PIPE_ITEMS_MAX, false, true));
}

fn any_item() -> impl Strategy<Value = PipeItem> {
    let numbers = (any::<Option<u64>>(), any::<Option<u64>>(), any::<u32>(), any::<bool>(), any::<[i64; 3]>(), any::<u64>());
    let kinds = prop::sample::select(PipeKind::ALL.to_vec());
    (kinds, "[a-z0-9]{0,8}", any::<bool>(), ".{0,12}", numbers, any::<Vec<u8>>()).prop_map(
        |(kind, robot, joint, encoding, numbers, payload)| {
            let (boot, seq, rows, keyframe, [t_ns, recv_ns, shift_ns], dropped) = numbers;
            let stream = joint.then(|| "camera/head".parse().unwrap());
            let robot = robot.parse().ok();
            PipeItem { kind, robot, stream, encoding, boot, seq, rows, keyframe, t_ns, recv_ns, shift_ns, dropped, payload }
        },
    )
}

proptest! {
    #[test]
    fn any_items_survive(messages in prop::collection::vec(prop::collection::vec(any_item(), 1..5), 0..4), piece in 1usize..600) {
        let (items, ended) = read(&pipe(&messages), piece).unwrap();
        prop_assert_eq!((items, ended), (messages.concat(), true));
    }

    #[test]
    fn no_damage_makes_it_panic(items in prop::collection::vec(any_item(), 1..4), at: prop::sample::Index, word: u32, cut: prop::sample::Index) {
        let mut bytes = pipe(&[items]);
        let from = PipeDecoder::new().unwrap().head.len();
        let at = from + at.index(bytes.len() - from - 4);
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        let _ = read(&bytes, 512);
        let _ = read(&bytes[..cut.index(bytes.len())], 512);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let head = PipeDecoder::new().unwrap().head;
        let _ = read(&[head, bytes].concat(), 64);
    }
}
