use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use sanqu_model::{EpisodeId, RobotEntry, SeqRanges, StreamKey};

use super::super::{format, reader};
use super::*;
use crate::disk::{Operation, Verdict, Watch};
use crate::survey;

const START_NS: i64 = 1_763_740_800_000_000_000;

fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

fn start() -> EpisodeStart {
    EpisodeStart {
        episode: EpisodeId::new(START_NS, 1),
        field: id("desk"),
        zone: None,
        station: id("a01"),
        task: None,
        prompt: String::new(),
        operator: None,
        robots: vec![RobotEntry { robot: id("kuavo-01"), model: String::new(), description: None }],
        start_ns: START_NS,
        pre_roll_ns: START_NS,
        recorder: "test".to_owned(),
        facts: BTreeMap::new(),
    }
}

fn store(disk: Disk) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create_on(disk, folder.path(), &id("desk"), "UTC").unwrap();
    (folder, store)
}

fn key() -> StreamKey {
    "sanqu/desk/kuavo-01/event".parse().unwrap()
}

fn append(journal: &mut JournalWriter, boot: u64, seq: u64, payload: &[u8]) -> Result<(), StoreError> {
    let header = SampleHeader { rows: 1, boot, seq, ..SampleHeader::default() };
    let attachment = header.encode(payload);
    journal.append(&Sample { key: &key(), encoding: "application/json", attachment: &attachment, payload, recv_ns: START_NS })
}

fn rows(store: &Store, boot: u64) -> SeqRanges {
    survey(store, start().episode).unwrap().rows.remove(&(key(), boot)).unwrap_or_default()
}

#[test]
fn a_publisher_that_counts_wildly_does_not_stop_the_journal() {
    let (_folder, store) = store(Disk::default());
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    for number in 0..50_000 {
        let header = SampleHeader { rows: 1, boot: number, ..SampleHeader::default() };
        let encoding = if number < 20_000 { "application/json".to_owned() } else { number.to_string() };
        let sample = Sample { key: &key(), encoding: &encoding, attachment: &header.encode(b"{}"), payload: b"{}", recv_ns: 0 };
        journal.append(&sample).unwrap();
    }
    journal.finish().unwrap();
    assert_eq!(survey(&store, start().episode).unwrap().rows.len(), 50_000);
}

/// Refuses one kind of operation from when it is told to.
#[derive(Default)]
struct Refuse {
    writes: AtomicBool,
    syncs: AtomicBool,
}

impl Watch for Refuse {
    fn before(&self, operation: &Operation<'_>) -> Verdict {
        let refused = match operation {
            Operation::Write { .. } => &self.writes,
            Operation::SyncFile { .. } => &self.syncs,
            _ => return Verdict::Go,
        };
        if refused.load(Ordering::SeqCst) { Verdict::Fail(io::Error::from(io::ErrorKind::StorageFull)) } else { Verdict::Go }
    }
}

#[test]
fn a_writer_that_failed_stays_failed() {
    let refuse = Arc::new(Refuse::default());
    let (_folder, store) = store(Disk::watched(Arc::clone(&refuse) as Arc<dyn Watch>));
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    let syncer = journal.syncer();
    let event = Control::Event { t_ns: 0, name: "mark".to_owned(), text: String::new() };
    journal.control(&event).unwrap();
    refuse.writes.store(true, Ordering::SeqCst);
    let StoreError::Io { source, .. } = journal.flush().unwrap_err() else { panic!("the system's error is kept") };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    refuse.writes.store(false, Ordering::SeqCst);
    for again in [journal.control(&event), journal.flush(), journal.sync(), syncer.sync(), journal.finish().map(drop)] {
        let error = again.unwrap_err();
        assert!(matches!(error, StoreError::WriterFailed { .. }) && error.to_string().contains(".0.mcap"), "{error}");
    }
}

#[test]
fn a_failed_sync_on_another_thread_fails_the_writer() {
    let refuse = Arc::new(Refuse::default());
    let (_folder, store) = store(Disk::watched(Arc::clone(&refuse) as Arc<dyn Watch>));
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    let syncer = journal.syncer();
    append(&mut journal, 7, 0, b"{}").unwrap();
    journal.flush().unwrap();
    let other = syncer.clone();
    std::thread::scope(|scope| scope.spawn(move || other.sync()).join()).unwrap().unwrap();
    refuse.syncs.store(true, Ordering::SeqCst);
    assert!(matches!(syncer.sync(), Err(StoreError::Io { action: "sync", .. })));
    let error = append(&mut journal, 7, 1, b"{}").unwrap_err().to_string();
    assert!(error.contains("stopped after an earlier failure") && error.contains("cannot sync"), "{error}");
}

#[test]
fn a_full_segment_is_followed_by_one_that_can_be_read_by_itself() {
    let (_folder, store) = store(Disk::default());
    let mut journal = JournalWriter::create(&store, &start()).unwrap().with_segment_bytes(64 << 10);
    let (robot, stream) = (id("kuavo-01"), "event".parse::<StreamName>().unwrap());
    journal.control(&Control::Baseline { robot: robot.clone(), stream: stream.clone(), boot: 7, next_seq: 0 }).unwrap();
    // The earliest counts.
    journal.control(&Control::Baseline { robot, stream, boot: 7, next_seq: 30 }).unwrap();
    let syncer = journal.syncer();
    for seq in 0..40 {
        append(&mut journal, 7, seq, &[b' '; 8192]).unwrap();
        journal.flush().unwrap();
        syncer.sync().unwrap();
    }
    journal.control(&Control::Stop { stop_ns: START_NS, ended_by: "stop".to_owned() }).unwrap();
    assert_eq!(journal.finish().unwrap(), *store.journals().unwrap().last().unwrap());
    let segments = store.journals().unwrap();
    assert_eq!(segments.len(), 6);
    let all = survey(&store, start().episode).unwrap();
    assert_eq!(all.rows[&(key(), 7)].count(), 40);
    assert_eq!(all.stop, Some((START_NS, "stop".to_owned())));
    // Any one of them says what it is about.
    for other in segments.iter().filter(|path| !path.ends_with(segments[3].file_name().unwrap())) {
        fs::remove_file(other).unwrap();
    }
    let one = survey(&store, start().episode).unwrap();
    assert_eq!(one.start, start());
    assert!(one.controls.iter().any(|control| matches!(control, Control::Baseline { next_seq: 0, .. })), "{:?}", one.controls);
    assert!((5..10).contains(&one.rows[&(key(), 7)].count()));
}

/// A journal of six chunks with a row each, and where in the file they begin.
fn chunks(store: &Store) -> (PathBuf, Vec<u64>) {
    let mut journal = JournalWriter::create(store, &start()).unwrap();
    let path = journal.path().to_path_buf();
    let mut places = Vec::new();
    for seq in 0..6 {
        places.push(fs::metadata(&path).unwrap().len());
        append(&mut journal, 7, seq, &[b'x'; 100]).unwrap();
        journal.flush().unwrap();
    }
    journal.finish().unwrap();
    (path, places)
}

fn check_damage(change: impl FnOnce(&mut Vec<u8>, usize), lost: std::ops::Range<u64>, bad_chunks: u64) {
    let (_folder, store) = store(Disk::default());
    let (path, places) = chunks(&store);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes, usize::try_from(places[2]).unwrap());
    fs::write(&path, bytes).unwrap();
    let found = survey(&store, start().episode).unwrap();
    assert_eq!(found.rows[&(key(), 7)].missing_in(&(0..6)), Vec::from_iter((!lost.is_empty()).then_some(lost)));
    assert_eq!((found.bad_chunks, found.torn_bytes), (bad_chunks, 0));
}

#[test]
fn a_damaged_chunk_costs_only_itself() {
    check_damage(|_, _| {}, 0..0, 0);
    // In a payload; in the record of the stream's channel; in the chunk's code, length and checksum.
    check_damage(|bytes, at| bytes[at + 400] ^= 1, 2..3, 1);
    check_damage(|bytes, at| bytes[at + 60] ^= 1, 2..3, 1);
    check_damage(|bytes, at| bytes[at] = mcap::records::op::MESSAGE_INDEX, 2..3, 1);
    check_damage(|bytes, at| bytes[at] = mcap::records::op::DATA_END, 2..3, 1);
    check_damage(|bytes, at| bytes[at] = mcap::records::op::FOOTER, 2..3, 1);
    check_damage(|bytes, at| bytes[at + 7] ^= 1, 2..3, 1);
    // A length that leads astray loses nothing when the chunk itself is whole.
    check_damage(|bytes, at| bytes[at + 2] ^= 1, 0..0, 1);
    check_damage(|bytes, at| bytes[at + 41] ^= 1, 2..3, 1);
    check_damage(|bytes, at| bytes[at + 33] ^= 1, 2..3, 1);
    check_damage(|bytes, at| bytes[at..at + 700].fill(0), 2..4, 1);
    // A length that fits its chunk, but leads into the next one, does not cost that one.
    check_damage(|bytes, at| [1, 25, 41].into_iter().for_each(|length| grow(bytes, at + length, 100)), 2..3, 1);
    // Two in a row, of which the first leads nowhere.
    let next = |bytes: &[u8], at: usize| {
        (at + 500..).find(|at| bytes[*at] == mcap::records::op::CHUNK && bytes[at + 3..at + 9] == [0; 6]).unwrap()
    };
    check_damage(
        |bytes, at| {
            let next = next(bytes, at);
            bytes[next + 400] ^= 1;
            bytes[at + 7] ^= 1;
        },
        2..4,
        1,
    );
}

fn grow(bytes: &mut [u8], at: usize, by: u64) {
    let length: &mut [u8; 8] = bytes[at..].first_chunk_mut().unwrap();
    *length = (u64::from_le_bytes(*length) + by).to_le_bytes();
}

/// A journal of three chunks, the one in the middle with a payload of this length, and where they begin.
fn with_payload(store: &Store, bytes: usize) -> (PathBuf, [u64; 3]) {
    let mut journal = JournalWriter::create(store, &start()).unwrap();
    let path = journal.path().to_path_buf();
    let places = [(0, 1), (1, bytes), (2, 1)].map(|(seq, bytes)| {
        let place = fs::metadata(&path).unwrap().len();
        append(&mut journal, 7, seq, &vec![b'x'; bytes]).unwrap();
        journal.flush().unwrap();
        place
    });
    journal.finish().unwrap();
    (path, places)
}

#[test]
fn a_whole_chunk_is_found_where_two_parts_of_the_search_meet() {
    let (_folder, first) = store(Disk::default());
    let (_, [_, from, to]) = with_payload(&first, 0);
    let beside = usize::try_from(to - from).unwrap();
    for head in [1, 20, 48] {
        // So many bytes of the last chunk's head are in the first mebibyte that is searched.
        let (_folder, store) = store(Disk::default());
        let (path, [_, from, to]) = with_payload(&store, (1 << 20) + 1 - head - beside);
        assert_eq!(usize::try_from(to - from).unwrap(), (1 << 20) + 1 - head);
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(from).unwrap() + 7] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(rows(&store, 7).missing_in(&(0..3)), Vec::from_iter(Some(1..2)), "{head} bytes");
    }
}

#[test]
fn a_compressed_chunk_is_refused_by_name() {
    let (_folder, store) = store(Disk::default());
    let (path, places) = chunks(&store);
    let (mut bytes, at) = (fs::read(&path).unwrap(), usize::try_from(places[2]).unwrap());
    grow(&mut bytes, at + 1, 3);
    bytes[at + 37] = 3;
    bytes.splice(at + 41..at + 41, *b"lz4");
    fs::write(&path, bytes).unwrap();
    let error = survey(&store, start().episode).unwrap_err().to_string();
    assert!(error.contains("\"lz4\" are not supported"), "{error}");
}

#[test]
fn messages_without_their_channel_are_counted() {
    let mut chunk = vec![0; format::FRAME_BYTES + format::CHUNK_HEADER_BYTES];
    let begin = chunk.len();
    format::message(&mut chunk, MessageHeader { channel: 9, sequence: 0, log_ns: 0, publish_ns: 0 }, b"{}");
    let crc = crc32fast::hash(&chunk[begin..]);
    format::finish_chunk(&mut chunk, format::Times::default(), crc);
    let mut bytes = mcap::MAGIC.to_vec();
    format::header(&mut bytes);
    bytes.extend(chunk);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let damage = reader::read(file.path(), &mut |_| panic!("nobody knows of what stream it is")).unwrap();
    assert_eq!(damage, reader::Damage { orphans: 1, ..reader::Damage::default() });
}

#[test]
fn what_a_journal_cannot_hold_is_refused_and_the_rest_is_kept() {
    let (_folder, store) = store(Disk::default());
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    let huge = vec![0; PAYLOAD_BYTES_MAX + 1];
    for (attachment, payload) in [(&b""[..], &huge[..]), (&huge[..=ATTACHMENT_BYTES_MAX], &b"{}"[..])] {
        let sample = Sample { key: &key(), encoding: "application/json", attachment, payload, recv_ns: START_NS };
        let error = journal.append(&sample).unwrap_err().to_string();
        assert!(error.contains("exceed 16777216 and 65536"), "{error}");
    }
    append(&mut journal, 7, 0, b"{}").unwrap();
    // A name that is no encoding is not repeated in every chunk.
    let attachment = SampleHeader { rows: 1, boot: 7, seq: 1, ..SampleHeader::default() }.encode(b"{}");
    let encoding = "x".repeat(4097);
    journal.append(&Sample { key: &key(), encoding: &encoding, attachment: &attachment, payload: b"{}", recv_ns: START_NS }).unwrap();
    let path = journal.finish().unwrap();
    assert_eq!(rows(&store, 7).count(), 2);
    assert!(fs::metadata(&path).unwrap().len() < 4096);
}

#[test]
fn a_chunk_that_grows_is_written_before_anybody_asks() {
    let (_folder, store) = store(Disk::default());
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    for seq in 0..9 {
        append(&mut journal, 7, seq, &vec![b' '; 1 << 20]).unwrap();
    }
    assert!(fs::metadata(journal.path()).unwrap().len() > 8 << 20);
    journal.finish().unwrap();
}

#[test]
fn one_of_several_journals_is_surveyed_by_itself() {
    let (_folder, store) = store(Disk::default());
    for number in 1..4 {
        let start = EpisodeStart { episode: EpisodeId::new(START_NS, number), ..start() };
        let mut journal = JournalWriter::create(&store, &start).unwrap();
        // The robot's clock is not the recorder's, and this one was set back.
        for (seq, recv_ns) in [(0, START_NS + 5), (1, START_NS + 9), (2, START_NS + 7)] {
            let attachment = SampleHeader { rows: 1, boot: 7, seq, ..SampleHeader::default() }.encode(b"{}");
            journal
                .append(&Sample { key: &key(), encoding: "application/json", attachment: &attachment, payload: b"{}", recv_ns })
                .unwrap();
        }
        journal.finish().unwrap();
    }
    let found = survey(&store, EpisodeId::new(START_NS, 2)).unwrap();
    assert_eq!((found.start.episode, found.controls.len()), (EpisodeId::new(START_NS, 2), 1));
    assert_eq!((found.rows[&(key(), 7)].count(), found.last_recv_ns), (3, Some(START_NS + 9)));
}

#[test]
fn a_chunk_within_a_payload_is_not_taken_for_one_of_the_journal() {
    let (_folder, store) = store(Disk::default());
    let (path, places) = chunks(&store);
    let foreign = fs::read(&path).unwrap()[usize::try_from(places[1]).unwrap()..usize::try_from(places[2]).unwrap()].to_vec();
    let foreign = [foreign, vec![0; 1000]].concat();
    fs::remove_file(&path).unwrap();
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    append(&mut journal, 8, 0, &foreign).unwrap();
    journal.flush().unwrap();
    drop(journal);
    // Torn: what is left of the chunk is searched for whole ones.
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 500]).unwrap();
    assert_eq!((rows(&store, 7).count(), rows(&store, 8).count()), (0, 0));
}

#[test]
fn outside_tools_can_read_it() {
    let (_folder, store) = store(Disk::default());
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    let description = |stream: &str, definition: &str| StreamDescription {
        stream: stream.parse().unwrap(),
        encoding: sanqu_wire::ENCODING_ROS1.to_owned(),
        rate_hz: 100.0,
        clock: 1,
        quantities: Vec::new(),
        facts: [(ROS1_TYPE, "std_msgs/String"), (ROS1_DEFINITION, definition)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let [torso, head] = ["torso", "head"].map(|leaf| format!("sanqu/desk/kuavo-01/imu/{leaf}").parse::<StreamKey>().unwrap());
    for (stream, definition) in [("imu/torso", "string data\n"), ("imu/head", "string words\n")] {
        journal.control(&Control::Describe { robot: id("kuavo-01"), description: description(stream, definition) }).unwrap();
    }
    for seq in 0..30 {
        append(&mut journal, 7, seq, format!("{{\"n\":{seq}}}").as_bytes()).unwrap();
        let recv_ns = START_NS - i64::try_from(seq).unwrap();
        for key in [&torso, &head] {
            let sample = Sample { key, encoding: sanqu_wire::ENCODING_ROS1, attachment: &[], payload: &[0, 0, 0, 0], recv_ns };
            journal.append(&sample).unwrap();
        }
        if seq % 10 == 9 {
            journal.flush().unwrap();
        }
    }
    let bytes = fs::read(journal.finish().unwrap()).unwrap();
    let messages: Vec<mcap::Message<'_>> = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).collect();
    assert_eq!(messages.len(), 3 + 180);
    for (key, definition) in [(torso, &b"string data\n"[..]), (head, b"string words\n")] {
        let last = messages.iter().rfind(|message| message.channel.topic == key.to_string()).unwrap();
        let schema = last.channel.schema.as_ref().unwrap();
        assert_eq!((schema.name.as_str(), schema.encoding.as_str(), schema.data.as_ref()), ("std_msgs/String", "ros1msg", definition));
        assert_eq!((last.log_time, last.sequence), ((START_NS - 29).cast_unsigned(), 29));
    }
    // The index leads to every message.
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let statistics = summary.stats.as_ref().unwrap();
    assert_eq!((statistics.message_count, statistics.chunk_count, statistics.channel_count, statistics.schema_count), (183, 4, 7, 2));
    assert_eq!(statistics.message_start_time, (START_NS - 29).cast_unsigned());
    assert_eq!(Some(statistics.message_end_time), messages.iter().map(|message| message.log_time).max());
    let mut found = Vec::new();
    for chunk in &summary.chunk_indexes {
        for (channel, entries) in summary.read_message_indexes(&bytes, chunk).unwrap() {
            let of_channel = entries.iter().map(|entry| summary.seek_message(&bytes, chunk, entry).unwrap());
            found.extend(of_channel.inspect(|message| assert_eq!(message.channel, channel)));
        }
    }
    assert_eq!(found.len(), messages.len());
    assert!(messages.iter().all(|message| found.contains(message)));
}

#[test]
fn a_summary_that_grows_ends_the_segment() {
    let (_folder, store) = store(Disk::default());
    let mut journal = JournalWriter::create(&store, &start()).unwrap();
    // Many channels in many chunks: every one of them is named in the summary for each chunk.
    for _ in 0..110 {
        (0..4000).for_each(|boot| append(&mut journal, boot, 0, b"").unwrap());
        journal.flush().unwrap();
    }
    journal.finish().unwrap();
    let bytes: Vec<u64> = store.journals().unwrap().iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    assert!(bytes.len() == 2 && bytes[0] < SEGMENT_BYTES_TARGET, "{bytes:?}");
}
