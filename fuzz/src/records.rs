//! A journal of well-formed records with any content: what a recorder may write when robots, operators and the network do
//! as they like. It must always seal.

use sanqu_model::{DetectedBy, LossCause, StreamDescription, StreamKey};
use sanqu_store::{Control, JournalWriter, Sample};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, ENCODING_JPEG, ENCODING_JSON, SampleHeader};

use crate::bench::{Bench, START_NS, STEP_NS, id, joint, joint_rows, key, start};
use crate::script::Script;
use crate::seeds::picture;

/// Actions of one input, at most: a longer one finds nothing that these do not.
const ACTIONS_MAX: usize = 96;
const STREAMS: [(&str, &str); 4] =
    [("joint", ENCODING_ARROW), ("camera/head", ENCODING_H264), ("event", ENCODING_JSON), ("camera/left", ENCODING_JPEG)];

/// A message that was appended, for sending it again.
struct Sent {
    key: StreamKey,
    encoding: &'static str,
    attachment: Vec<u8>,
    payload: Vec<u8>,
}

struct Writing<'a> {
    script: Script<'a>,
    journal: JournalWriter,
    sent: Vec<Sent>,
    recv_ns: i64,
}

pub(crate) fn run(input: &[u8]) {
    let bench = Bench::new();
    let journal = JournalWriter::create(&bench.store, &start()).unwrap();
    let mut writing = Writing { script: Script::new(input), journal, sent: Vec::new(), recv_ns: START_NS };
    let finish = writing.script.byte();
    for _ in 0..ACTIONS_MAX {
        if writing.script.is_over() {
            break;
        }
        writing.act(&bench);
    }
    if finish.is_multiple_of(2) {
        writing.journal.finish().unwrap();
    } else {
        writing.journal.flush().unwrap();
        drop(writing.journal);
    }
    let manifest = bench.seal().expect("a journal of whole records seals");
    let sent: usize = writing.sent.len();
    let kept: u64 = manifest.streams.iter().filter(|entry| entry.stream.as_str() != "joint").map(|entry| entry.rows).sum();
    assert!(kept <= sent as u64, "{kept} rows of {sent} samples");
}

impl Writing<'_> {
    fn act(&mut self, bench: &Bench) {
        self.recv_ns += 1_000_000 * i64::from(self.script.byte());
        match self.script.below(16) {
            0..=6 => self.sample(),
            7 => self.again(),
            8 => self.lost(),
            9 => self.counted(),
            10 => self.describe(),
            11 => {
                let stop_ns = START_NS.wrapping_add(i64::from(self.script.u16()) * STEP_NS);
                self.control(&Control::Stop { stop_ns, ended_by: "stop".to_owned() });
            }
            12 => {
                let text = String::from_utf8_lossy(self.script.bytes()).into_owned();
                let t_ns = self.script.u64().cast_signed();
                self.control(&Control::Event { t_ns, name: "mark".to_owned(), text });
            }
            13 => {
                self.journal.flush().unwrap();
                self.journal = JournalWriter::create(&bench.store, &start()).unwrap();
            }
            _ => self.journal.flush().unwrap(),
        }
    }

    fn control(&mut self, control: &Control) {
        self.journal.control(control).unwrap();
    }

    /// Small numbers meet often; now and then one is at the end of what a header can say.
    fn seq(&mut self) -> u64 {
        match self.script.byte() {
            255 => sanqu_wire::SEQ_END - 1 - u64::from(self.script.byte()),
            254 => self.script.u64() % sanqu_wire::SEQ_END,
            small => small.into(),
        }
    }

    fn sample(&mut self) {
        let (name, usual) = STREAMS[self.script.below(4)];
        let other = self.script.byte();
        let encoding = if other > 250 { ENCODING_JPEG } else { usual };
        let (boot, seq, rows, how) = (self.script.below(3) as u64 + 1, self.seq(), self.script.below(6) + 1, self.script.byte());
        let rows = u16::try_from(rows).unwrap();
        let capture_ns =
            if how & 1 == 0 { START_NS.wrapping_add(seq.cast_signed().wrapping_mul(STEP_NS)) } else { self.script.u64().cast_signed() };
        let (payload, rows) = match (how >> 1) % 4 {
            0 => (self.script.bytes().to_vec(), rows),
            _ if usual == ENCODING_ARROW => (joint_rows(seq, rows, capture_ns), rows),
            _ if usual == ENCODING_H264 => (picture(self.script.byte(), how & 8 == 0), 1),
            _ => (b"{}".to_vec(), 1),
        };
        let claimed = if how & 16 != 0 && how & 32 != 0 { u32::from(self.script.u16()) } else { rows.into() };
        let flags = if how & 64 != 0 { u16::from(self.script.byte()) } else { 0 };
        let header = SampleHeader { flags, rows: claimed, boot, seq, capture_ns, clock: 1, schema_id: joint().schema_id() };
        let mut attachment = header.encode(&payload).to_vec();
        match how & 128 != 0 {
            true if self.script.byte() > 127 => attachment = self.script.bytes().to_vec(),
            true => attachment[self.script.below(48)] ^= self.script.byte(),
            false => {}
        }
        self.append(Sent { key: key(name), encoding, attachment, payload });
    }

    /// A duplicate, or one with another payload or without its header.
    fn again(&mut self) {
        let number = self.script.byte();
        let how = self.script.byte();
        let Some(sent) = self.sent.get(usize::from(number) % self.sent.len().max(1)) else { return };
        let (mut attachment, mut payload) = (sent.attachment.clone(), sent.payload.clone());
        match how % 8 {
            0 => attachment.clear(),
            1 => payload.push(how),
            2 => drop(payload.pop()),
            _ => {}
        }
        self.append(Sent { key: sent.key.clone(), encoding: sent.encoding, attachment, payload });
    }

    fn append(&mut self, sent: Sent) {
        let Sent { key, encoding, attachment, payload } = &sent;
        self.journal.append(&Sample { key, encoding, attachment, payload, recv_ns: self.recv_ns }).unwrap();
        self.sent.push(sent);
    }

    fn lost(&mut self) {
        let which = self.script.byte();
        let (from, to) = (self.seq(), self.seq());
        let cause = LossCause::ALL[self.script.below(6)];
        self.control(&Control::Lost {
            robot: id("walker-s-01"),
            stream: STREAMS[usize::from(which % 4)].0.parse().unwrap(),
            boot: u64::from(which / 4 % 4),
            from_seq: (which & 64 == 0).then_some(from),
            to_seq: (which & 128 == 0).then_some(to),
            cause,
            detected_by: DetectedBy::Queue,
        });
    }

    fn counted(&mut self) {
        let which = self.script.byte();
        let (robot, stream) = (id("walker-s-01"), STREAMS[usize::from(which % 4)].0.parse().unwrap());
        let (boot, next_seq) = (u64::from(which / 4 % 4), self.seq());
        let control = if which & 128 == 0 {
            Control::Final { robot, stream, boot, next_seq }
        } else {
            Control::Baseline { robot, stream, boot, next_seq }
        };
        self.control(&control);
    }

    fn describe(&mut self) {
        let which = self.script.byte();
        let (name, encoding) = STREAMS[usize::from(which % 4)];
        let mut description =
            StreamDescription { stream: name.parse().unwrap(), encoding: encoding.to_owned(), quantities: Vec::new(), ..joint() };
        if which & 16 == 0 && encoding == ENCODING_ARROW {
            description.quantities = joint().quantities;
        }
        if which & 32 != 0
            && let Some(quantity) = description.quantities.first_mut()
        {
            quantity.elements = vec![String::from_utf8_lossy(self.script.bytes()).into_owned(); 2];
            quantity.unit = quantity.elements[0].clone();
        }
        description.rate_hz = if which & 64 == 0 { 500.0 } else { f64::from_bits(self.script.u64()) };
        self.control(&Control::Describe { robot: id("walker-s-01"), description });
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    // Finish, then: step, action, and what the action reads.
    let joint = |seq: u8, how: u8| vec![1, 0, 0, 0, 0, seq, 3, how];
    let picture = |seq: u8, how: u8| vec![1, 0, 1, 0, 0, seq, 0, how, seq];
    let describe = vec![0, 10, 0];
    let orderly = [
        vec![0],
        describe.clone(),
        vec![0, 9, 132, 0],
        joint(0, 2),
        joint(4, 2),
        picture(0, 2),
        picture(1, 10),
        joint(4, 2),
        joint(12, 2),
        vec![0, 7, 0, 3],
        vec![0, 8, 4, 8, 12, 0],
        vec![0, 9, 4, 16],
        vec![0, 11, 0, 8],
    ];
    let broken = [
        vec![1],
        joint(0, 130),
        joint(2, 0),
        vec![4, 0, 1, 2, 3, 4],
        describe,
        vec![0, 13],
        joint(3, 2),
        vec![0, 14],
        joint(255, 2),
        vec![7, 0, 7, 0, 1],
    ];
    let wide = [vec![0], vec![0, 10, 128, 250]];
    vec![orderly.concat(), broken.concat(), wide.concat()]
}
