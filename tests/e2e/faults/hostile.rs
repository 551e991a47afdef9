//! A publisher that keeps to no contract, beside one that does.

use std::sync::Arc;

use sanqu_ingest::Node;
use sanqu_model::now_ns;
use sanqu_record::StationStatus;
use sanqu_wire::{CLOCK_ROBOT, ENCODING_ARROW, PAYLOAD_BYTES_MAX, SampleHeader};
use tokio::runtime::Runtime;

use super::bus::{Operator, Recorder, Shelf, runtime};
use super::talker::{Log, Talker, joint_payload};
use super::truth::check;
use crate::program::sanqu;

const ROWS: u32 = 5;
const BOOT: u64 = 91;

/// Somebody's own program of ten lines on the bus, which claims to be the motors of a robot.
struct Stranger {
    runtime: Arc<Runtime>,
    node: Node,
}

impl Stranger {
    fn put(&self, key: &str, attachment: Vec<u8>, payload: Vec<u8>) {
        self.runtime
            .block_on(async { self.node.session().put(key, payload).encoding(ENCODING_ARROW).attachment(attachment).await })
            .unwrap();
    }

    /// Sample `number` of five rows, changed on its way.
    fn motor(&self, number: u64, change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) {
        let (seq, capture_ns) = (number * u64::from(ROWS), now_ns());
        let mut payload = joint_payload(BOOT, seq, ROWS, capture_ns);
        let header = SampleHeader { rows: ROWS, boot: BOOT, seq, capture_ns, clock: CLOCK_ROBOT, ..SampleHeader::default() };
        let mut attachment = header.encode(&payload).to_vec();
        change(&mut attachment, &mut payload);
        self.put("sanqu/desk/kuavo-01/motor", attachment, payload);
    }

    /// As [`Stranger::motor`] with a payload of one's own under a right header.
    fn motor_of(&self, number: u64, payload: Vec<u8>) {
        self.motor(number, |attachment, own| {
            let header = SampleHeader::decode(attachment).unwrap();
            *attachment = header.encode(&payload).to_vec();
            *own = payload;
        });
    }
}

fn motor(station: &StationStatus) -> Option<&sanqu_record::StreamStatus> {
    station.robots.iter().flat_map(|robot| &robot.streams).find(|stream| stream.stream.as_str() == "motor")
}

#[test]
fn hostile_samples_are_each_accounted_for_and_harm_nobody_else() {
    let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
    let recorder = Recorder::start(&shelf.path);
    let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
    let talker = Talker::start(&runtime, &recorder.endpoint, ("kuavo-01", 92), &log);
    let stranger = Stranger { node: runtime.block_on(Node::client(&recorder.endpoint)).unwrap(), runtime: Arc::clone(&runtime) };
    operator.heard("kuavo-01");
    operator.start();
    operator.recording("kuavo-01", 20);

    let keep = |_: &mut Vec<u8>, _: &mut Vec<u8>| {};
    // In order, again, and in another order than numbered.
    stranger.motor(0, keep);
    let (mut first, mut bytes) = (Vec::new(), Vec::new());
    stranger.motor(1, |attachment, payload| (first, bytes) = (attachment.clone(), payload.clone()));
    stranger.put("sanqu/desk/kuavo-01/motor", first, bytes);
    stranger.motor(3, keep);
    stranger.motor(2, keep);
    // The sequence of a sample that came, with another content.
    stranger.motor(3, |_, _| {});
    // Damaged on the way: in the payload, in the header.
    stranger.motor(4, |_, payload| payload[100] ^= 1);
    stranger.motor(5, |attachment, _| attachment[20] ^= 0x40);
    // A right header over what is no payload.
    stranger.motor_of(6, b"no Arrow at all".to_vec());
    stranger.motor_of(7, Vec::new());
    // No header, half a header, an enormous header.
    stranger.motor(0, |attachment, _| attachment.truncate(20));
    stranger.motor(0, |attachment, _| attachment.resize(5000, 7));
    // Keys that are no streams, or nobody's.
    stranger.put("sanqu/desk/kuavo-01/joint/more/than/this", Vec::new(), vec![0; 100]);
    stranger.put("sanqu/desk/nobody-01/joint", Vec::new(), vec![0; 100]);
    stranger.put("sanqu/desk/kuavo-01/status", Vec::new(), br#"{"boot":18446744073709551615,"next_seq":{"motor":-1}}"#.to_vec());
    // Too large to be taken: zenoh may drop it on a busy line, so it is sent until it was seen.
    operator.wait_for("an oversized sample is refused", |station| {
        stranger.motor_of(8, vec![0; PAYLOAD_BYTES_MAX + 1]);
        // The enormous header is one.
        station.refused_samples >= 2
    });
    stranger.motor(9, keep);
    operator.wait_for("all of it", |station| motor(station).is_some_and(|stream| stream.rows >= 25));
    operator.stop_and_seal();
    talker.close();

    let checked = check(&shelf.store(), &log).remove(0);
    for (name, stream) in &checked.streams {
        let entry = &stream.entry;
        assert_eq!((entry.expected, entry.lost.total(), entry.duplicates), (Some(entry.received), 0, 0), "{name} is another's: {entry:#?}");
    }
    let motor = checked.manifest.streams.iter().find(|entry| entry.stream.as_str() == "motor").unwrap();
    // Samples 0 to 3 and 9 came; 4, 6 and 7 cannot be read; 8 was too large. The header of 5 does not say that it was 5.
    assert_eq!((motor.expected, motor.received, motor.duplicates), (Some(50), 25, 5), "{motor:#?}");
    assert_eq!((motor.lost.corrupt, motor.lost.recorder, motor.lost.network), (15, 5, 5), "{motor:#?}");
    // Kept aside: 4, 5, 6, 7, half a header, and 3 with another content.
    assert_eq!((motor.facts["unparsed_samples"].as_str(), motor.facts["conflicting_samples"].as_str()), ("6", "1"));
    sanqu(["verify", shelf.text()]).exits(3);
}
