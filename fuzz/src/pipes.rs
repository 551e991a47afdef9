//! The live view's pipe: what a viewer reads from the program that subscribes for it.

use sanqu_wire::PAYLOAD_BYTES_MAX;
use sanqu_wire::pipe::{PIPE_ITEMS_MAX, PipeDecoder, PipeEncoder, PipeItem, PipeKind};

use crate::bench::{START_NS, id, joint_rows};
use crate::seeds::picture;

/// What came out of a pipe, and how it ended.
type Read = (Vec<PipeItem>, Result<bool, String>);

/// As a pipe, and as what follows a pipe's beginning, which must be right byte for byte. The first byte says in which pieces
/// it comes.
pub(crate) fn run(input: &[u8]) {
    let Some((piece, bytes)) = input.split_first() else { return };
    for pipe in [bytes.to_vec(), [beginning(), bytes.to_vec()].concat()] {
        let (items, end) = read(&pipe, pipe.len().max(1));
        let in_pieces = read(&pipe, usize::from(*piece) + 1);
        // Words may differ: they tell how many bytes were there.
        let (whole, parts) = ((&items, end.as_ref().ok()), (&in_pieces.0, in_pieces.1.as_ref().ok()));
        assert_eq!(whole, parts, "pieces of {} bytes change what is read", usize::from(*piece) + 1);
        let (payloads, encodings) = items.iter().fold((0, 0), |(a, b), item| (a + item.payload.len(), b + item.encoding.len()));
        assert!(payloads.max(encodings) <= pipe.len(), "{payloads} and {encodings} bytes out of {}", pipe.len());
        again(&items);
    }
}

/// What a pipe of this version begins with.
fn beginning() -> Vec<u8> {
    let mut whole = PipeEncoder::new().and_then(PipeEncoder::finish).expect("an empty pipe");
    whole.truncate(whole.len() - 8);
    whole
}

/// Reads until it ends or is refused, as a viewer does.
fn read(pipe: &[u8], piece: usize) -> Read {
    let mut decoder = PipeDecoder::new().expect("a decoder");
    let mut all = Vec::new();
    for piece in pipe.chunks(piece) {
        decoder.feed(piece);
        loop {
            match decoder.next_items() {
                Ok(Some(items)) => {
                    assert!((1..=PIPE_ITEMS_MAX).contains(&items.len()), "{} items", items.len());
                    assert!(items.iter().all(|item| item.payload.len() <= PAYLOAD_BYTES_MAX));
                    all.extend(items);
                    assert!(all.len() <= pipe.len(), "more items than bytes: it never ends");
                }
                Ok(None) => break,
                Err(error) => return (all, Err(error.to_string())),
            }
        }
    }
    let ended = decoder.is_ended();
    (all, decoder.finish().map(|()| ended).map_err(|error| error.to_string()))
}

/// Items that are understood are the same after another way through a pipe.
fn again(items: &[PipeItem]) {
    let mut encoder = PipeEncoder::new().expect("an encoder");
    let mut pipe = Vec::new();
    for message in items.chunks(PIPE_ITEMS_MAX) {
        pipe.extend(encoder.encode(message).expect("items that were read"));
    }
    pipe.extend(encoder.finish().expect("an end"));
    assert_eq!(read(&pipe, 1 << 16), (items.to_vec(), Ok(true)));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let pulse = PipeItem { kind: PipeKind::Pulse, dropped: 3, t_ns: START_NS, recv_ns: START_NS, ..PipeItem::default() };
    let of_robot = PipeItem { robot: Some(id("kuavo-01")), t_ns: START_NS, recv_ns: START_NS, ..PipeItem::default() };
    let alive = PipeItem { kind: PipeKind::Alive, ..of_robot.clone() };
    let joint = PipeItem { stream: "joint".parse().ok(), encoding: sanqu_wire::ENCODING_ARROW.to_owned(), ..of_robot };
    let described = PipeItem { kind: PipeKind::Described, payload: b"rate_hz=500\nclock=1".to_vec(), ..joint.clone() };
    let rows = PipeItem { boot: Some(7), seq: Some(9), rows: 1, shift_ns: -5, payload: joint_rows(9, 1, START_NS), ..joint };
    let film = PipeItem { stream: "camera/head".parse().ok(), encoding: "video/h264".to_owned(), keyframe: true, ..rows.clone() };
    let film = PipeItem { payload: picture(1, true), ..film };
    let mut encoder = PipeEncoder::new().expect("an encoder");
    let head = beginning();
    let mut message = |items: &[PipeItem]| encoder.encode(items).expect("a message");
    let first = message(&[pulse.clone(), alive, described]).split_off(head.len());
    let (second, third) = (message(&[rows]), message(&[film, pulse]));
    let end = vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    vec![
        [vec![63], head, first.clone(), end.clone()].concat(),
        [vec![255], first].concat(),
        [vec![6], second].concat(),
        [vec![200], third, end].concat(),
    ]
}
