use std::fs;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use proptest::prelude::*;
use sanqu_model::{RobotEntry, StreamDescription};
use sanqu_store::disk::{Disk, Operation, Verdict, Watch};
use sanqu_store::{Control, JournalWriter, Sample, SealStage, Store, StoreError, seal, verify};
use sanqu_wire::{ENCODING_ARROW, ENCODING_JPEG, ENCODING_JSON, SampleHeader};

use crate::fixture::{BOOT, Bench, JOINTS, Message, describe, id, joint_entry, key, ledger, position, record, start, stop, t_ns};
use crate::fixture::{START_NS, contents};

fn messages(count: u64) -> Vec<Message> {
    (0..count).map(|n| Message::joint(BOOT, n * 10, 10)).collect()
}

#[test]
fn values_come_back_bit_for_bit() {
    let bench = Bench::new();
    let journal = record(&bench, 1, &messages(600), 6000);
    let mut stages = Vec::new();
    let manifest = seal(&bench.store, &journal, &mut |progress| stages.push(progress.stage)).unwrap();
    assert_eq!(stages.first(), Some(&SealStage::Index));
    assert!(stages.contains(&SealStage::Write) && stages.contains(&SealStage::ReadBack));
    assert!(!journal.exists(), "the journal goes when the episode is proved");
    let entry = joint_entry(&manifest);
    assert_eq!((entry.rows, entry.expected, entry.received, entry.duplicates), (6000, Some(6000), 6000, 0));
    assert_eq!((entry.first_t_ns, entry.last_t_ns), (Some(START_NS), Some(t_ns(5999))));
    assert!((entry.rate_hz - 500.0).abs() < 1e-6, "{}", entry.rate_hz);
    assert_eq!((entry.clock.id, entry.clock.offset_ns), (1, 2_500_000));
    assert!(entry.declared && entry.facts.is_empty(), "{:?}", entry.facts);
    let episode = bench.last();
    assert!(episode.dir().ends_with(format!("episodes/date=2025-11-22/station=a01/{}", manifest.episode)), "the field's day");
    let batches: Vec<RecordBatch> = episode.read(entry, None).unwrap().map(Result::unwrap).collect();
    let mut seq = 0;
    for batch in &batches {
        let names: Vec<&str> = batch.schema_ref().fields().iter().map(|f| f.name().as_str()).collect();
        let expected = [
            "t",
            "t_recv",
            "seq",
            "run",
            "l_knee_pitch.pos",
            "r_knee_pitch.pos",
            "head.pos",
            "l_knee_pitch.err",
            "r_knee_pitch.err",
            "head.err",
        ];
        assert_eq!(names, expected);
        let meta = batch.schema_ref().field(4).metadata();
        assert_eq!((meta["unit"].as_str(), meta["frame"].as_str(), meta["element"].as_str()), ("rad", "base_link", JOINTS[0]));
        for row in 0..batch.num_rows() {
            assert_eq!(batch.column(0).as_primitive::<TimestampNanosecondType>().value(row), t_ns(seq));
            assert_eq!(batch.column(2).as_primitive::<UInt64Type>().value(row), seq);
            for element in 0..JOINTS.len() {
                let found = batch.column(4 + element).as_primitive::<Float64Type>().value(row);
                assert_eq!(found.to_bits(), position(seq, element).to_bits(), "row {seq}, element {element}");
                let error = batch.column(7 + element).as_primitive::<UInt32Type>().value(row);
                assert_eq!(u64::from(error), seq * 10 + element as u64);
            }
            seq += 1;
        }
    }
    assert_eq!(seq, 6000);
    let report = verify(bench.store.root()).unwrap();
    assert_eq!((report.episodes, report.rows, report.issues.as_slice()), (1, 6000, &[][..]));
}

#[test]
fn series_and_cursor_read_any_type() {
    let bench = Bench::new();
    bench.seal(&record(&bench, 1, &messages(20), 200));
    let episode = bench.last();
    let entry = episode.stream(&id("walker-s-01"), "joint").unwrap();
    let errors = episode.series(entry, "err").unwrap();
    assert_eq!((errors.rows(), errors.names.as_slice()), (200, JOINTS.map(str::to_owned).as_slice()));
    assert_eq!(errors.row(42), [420.0, 421.0, 422.0]);
    let cursor = errors.cursor();
    let sampled = cursor.at(t_ns(42) + 7).unwrap();
    assert_eq!((sampled.row, sampled.age_ns, sampled.values), (42, 7, [420.0, 421.0, 422.0].as_slice()));
    assert_eq!(cursor.at(START_NS - 1), None);
    let unknown = episode.series(entry, "torque").unwrap_err().to_string();
    assert!(unknown.contains("torque") && unknown.contains("pos, err"), "{unknown}");
    let picked: Vec<RecordBatch> = episode.read(entry, Some(&["seq", "head.pos"])).unwrap().map(Result::unwrap).collect();
    assert_eq!(picked[0].num_columns(), 2);
}

#[test]
fn the_same_journal_gives_the_same_bytes() {
    let bench = Bench::new();
    let mut all = messages(50);
    all.remove(7);
    let path = record(&bench, 1, &all, 500);
    let journal = fs::read(&path).unwrap();
    let first = bench.seal(&path);
    let folder = bench.last().dir().to_path_buf();
    let sealed = contents(&folder);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&path, &journal).unwrap();
    // What a killed seal leaves behind must not matter.
    let stale = folder.with_extension("tmp");
    fs::create_dir_all(&stale).unwrap();
    fs::write(stale.join("walker-s-01.joint.parquet"), b"half").unwrap();
    assert_eq!(bench.seal(&path), first);
    assert_eq!(contents(&folder), sealed);
    assert!(!stale.exists());
}

#[test]
fn a_journal_that_was_sealed_before_is_compared_and_removed() {
    let bench = Bench::new();
    let path = record(&bench, 1, &messages(5), 50);
    let journal = fs::read(&path).unwrap();
    let first = bench.seal(&path);
    fs::write(&path, &journal).unwrap();
    assert_eq!(bench.seal(&path), first);
    assert!(!path.exists());
    // A sealed file that no longer fits its checksum must not cost the journal.
    fs::write(&path, &journal).unwrap();
    let parquet = bench.last().dir().join("walker-s-01.joint.parquet");
    let mut bytes = fs::read(&parquet).unwrap();
    bytes[200] ^= 1;
    fs::write(&parquet, bytes).unwrap();
    assert!(matches!(seal(&bench.store, &path, &mut |_| {}), Err(StoreError::ReadBack { .. })));
    assert!(path.exists());
    // Neither must another journal of the same episode.
    fs::write(&path, &journal[..journal.len() - 9]).unwrap();
    let error = seal(&bench.store, &path, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("another journal"), "{error}");
}

#[test]
fn corrupt_and_foreign_payloads_are_kept_aside_and_counted() {
    let bench = Bench::new();
    let mut all = messages(6);
    all[2].payload[300] ^= 1;
    // A payload whose checksum holds but whose columns are another stream's.
    let other = StreamDescription { quantities: crate::fixture::joint().quantities[..1].to_vec(), ..crate::fixture::joint() };
    let columns = vec![sanqu_wire::fixed_list::<Float64Type>(vec![0.5; 30], 3).unwrap()];
    let payload = sanqu_wire::encode_rows(&other, &[0; 10], columns).unwrap();
    let header = SampleHeader { rows: 10, boot: BOOT, seq: 40, clock: 1, ..SampleHeader::default() };
    all[4] = Message { attachment: header.encode(&payload).to_vec(), payload, ..all[4].clone() };
    let kept = [all[2].payload.clone(), all[4].payload.clone()];
    let manifest = bench.seal(&record(&bench, 1, &all, 60));
    let entry = joint_entry(&manifest);
    assert_eq!((entry.expected, entry.received, entry.lost.corrupt, entry.lost.total()), (Some(60), 40, 20, 20));
    assert_eq!(ledger(&bench.last()), ["0 20..30 corrupt checksum", "0 40..50 corrupt checksum"]);
    let unparsed = fs::read(bench.last().dir().join("unparsed.mcap")).unwrap();
    let messages: Vec<_> = mcap::MessageStream::new(&unparsed).unwrap().map(Result::unwrap).collect();
    let payloads: Vec<&[u8]> = messages.iter().filter(|m| !m.channel.topic.contains('#')).map(|m| &*m.data).collect();
    assert_eq!(payloads, kept);
    let reasons: Vec<String> =
        messages.iter().filter(|m| m.channel.topic.ends_with("#reason")).map(|m| String::from_utf8(m.data.to_vec()).unwrap()).collect();
    assert!(reasons[0].contains("checksum") && reasons[1].contains("pos[3; F64]"), "{reasons:?}");
}

#[test]
fn a_header_that_counts_other_rows_than_its_payload_has_is_corrupt() {
    let bench = Bench::new();
    let mut all = messages(3);
    let header = SampleHeader { rows: 9, boot: BOOT, seq: 10, clock: 1, ..SampleHeader::default() };
    all[1].attachment = header.encode(&all[1].payload).to_vec();
    let manifest = bench.seal(&record(&bench, 1, &all, 30));
    assert_eq!((joint_entry(&manifest).expected, joint_entry(&manifest).rows), (Some(30), 20));
    assert_eq!(ledger(&bench.last()), ["0 10..19 corrupt checksum", "0 19..20 network gap"]);
    assert!(bench.last().dir().join("unparsed.mcap").exists());
}

#[test]
fn the_encoding_is_the_declared_one_only_if_something_came_in_it() {
    let encoding = |declared: bool, encodings: &[&'static str]| {
        let bench = Bench::new();
        let mut journal = bench.journal(1);
        if declared {
            journal.control(&describe()).unwrap();
        }
        for (message, encoding) in messages(encodings.len() as u64).into_iter().zip(encodings) {
            Message { encoding, ..message }.append(&mut journal);
        }
        journal.control(&stop()).unwrap();
        joint_entry(&bench.seal(&journal.finish().unwrap())).encoding.clone()
    };
    assert_eq!(encoding(true, &[]), ENCODING_ARROW);
    assert_eq!(encoding(true, &["application/json", ENCODING_ARROW]), ENCODING_ARROW);
    assert_eq!(encoding(true, &["application/json"]), "application/json");
    assert_eq!(encoding(false, &["application/json", ENCODING_ARROW]), "application/json");
}

#[test]
fn robots_are_in_the_order_of_their_names() {
    let bench = Bench::new();
    let mut started = start(1);
    let other = |robot: &str| RobotEntry { robot: id(robot), ..started.robots[0].clone() };
    started.robots = vec![other("walker-s-01"), other("kuavo-01")];
    let mut journal = JournalWriter::create(&bench.store, &started).unwrap();
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    assert_eq!(manifest.robots.iter().map(|entry| entry.robot.as_str()).collect::<Vec<_>>(), ["kuavo-01", "walker-s-01"]);
}

#[test]
fn a_description_of_absurdly_many_columns_makes_none() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let Control::Describe { robot, mut description } = describe() else { panic!("a description") };
    description.quantities[0].elements = vec![String::new(); 100_000];
    journal.control(&Control::Describe { robot, description }).unwrap();
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    assert_eq!((joint_entry(&manifest).quantities.len(), joint_entry(&manifest).rows), (0, 0));
}

#[test]
fn the_same_stream_of_another_field_does_not_take_its_place() {
    let bench = Bench::new();
    let foreign = Message { key: Arc::new("sanqu/desj/walker-s-01/joint".parse().unwrap()), ..Message::joint(BOOT, 0, 4) };
    let path = record(&bench, 1, &[foreign, Message::joint(BOOT, 0, 4)], 4);
    let manifest = bench.seal(&path);
    assert_eq!((manifest.streams.len(), joint_entry(&manifest).expected, joint_entry(&manifest).rows), (1, Some(4), 4));
    assert!(bench.last().dir().join("unparsed.mcap").exists(), "the other field's sample is kept aside");
}

#[test]
fn samples_without_a_header_are_stored_and_not_counted() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    for message in messages(4) {
        Message { attachment: Vec::new(), ..message }.append(&mut journal);
    }
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    let entry = joint_entry(&manifest);
    assert_eq!((entry.rows, entry.expected, entry.received, entry.declared), (40, None, 40, false));
    assert_eq!(entry.boots, [""]);
    assert_eq!(entry.facts["description"], "undeclared");
    let batch = bench.last().read(entry, None).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column(2).as_primitive::<UInt64Type>().values().as_ref(), (0..40).collect::<Vec<u64>>());
}

#[test]
fn pictures_and_text_are_kept_verbatim() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let jpeg: Vec<u8> = (0..=255).collect();
    let note = "{\"note\":\"夸父\"}".as_bytes();
    for (stream, encoding, payload) in [("camera/wrist", ENCODING_JPEG, jpeg.as_slice()), ("event", ENCODING_JSON, note)] {
        for seq in 0..3 {
            let header = SampleHeader { rows: 1, boot: BOOT, seq, capture_ns: t_ns(seq), clock: 1, flags: 1, ..SampleHeader::default() };
            let attachment = header.encode(payload);
            journal.append(&Sample { key: &key(stream), encoding, attachment: &attachment, payload, recv_ns: t_ns(seq) }).unwrap();
        }
    }
    journal.control(&Control::Event { t_ns: START_NS, name: "mark".into(), text: "here".into() }).unwrap();
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    let episode = bench.last();
    let [camera, event] = manifest.streams.as_slice() else { panic!("two streams") };
    let batch = episode.read(camera, None).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column_by_name("data").unwrap().as_binary::<i32>().value(2), jpeg);
    assert!(batch.column_by_name("keyframe").unwrap().as_boolean().value(0));
    let batch = episode.read(event, None).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column_by_name("data").unwrap().as_string::<i32>().value(2).as_bytes(), note);
    assert_eq!(event.facts["tail"], "unverified: no final count, rows after the last one received are not known");
}

#[test]
fn a_journal_is_an_mcap_that_others_can_read() {
    let bench = Bench::new();
    let all = messages(7);
    let path = record(&bench, 1, &all, 70);
    let bytes = fs::read(&path).unwrap();
    let summary = mcap::Summary::read(&bytes).unwrap().expect("a footer with a summary");
    assert_eq!(summary.stats.unwrap().message_count, 5 + 2 * 7);
    let messages: Vec<_> = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).collect();
    let of = |topic: &str| messages.iter().filter(|m| m.channel.topic == topic).collect::<Vec<_>>();
    let topic = key("joint").to_string();
    let (payloads, headers) = (of(&topic), of(&format!("{topic}#header")));
    for (number, message) in all.iter().enumerate() {
        assert_eq!((&*payloads[number].data, &*headers[number].data), (message.payload.as_slice(), message.attachment.as_slice()));
        assert_eq!(payloads[number].log_time.cast_signed(), message.recv_ns);
        assert_eq!(payloads[number].publish_time.cast_signed(), t_ns(number as u64 * 10));
        assert_eq!(payloads[number].channel.message_encoding, "arrow");
    }
}

#[test]
fn a_second_segment_continues_the_first() {
    let bench = Bench::new();
    let mut first = bench.journal(1);
    first.control(&describe()).unwrap();
    messages(4).iter().for_each(|message| message.append(&mut first));
    first.flush().unwrap();
    drop(first);
    let mut second = JournalWriter::create(&bench.store, &start(1)).unwrap();
    assert!(second.path().to_string_lossy().ends_with(".1.mcap"));
    (4..6).for_each(|n| Message::joint(BOOT, n * 10, 10).append(&mut second));
    second.control(&stop()).unwrap();
    let path = second.finish().unwrap();
    let manifest = bench.seal(&path);
    assert_eq!((joint_entry(&manifest).rows, manifest.journal_sha256.len(), manifest.ended_by.as_str()), (60, 2, "stop"));
    assert!(bench.store.journals().unwrap().is_empty());
}

#[test]
fn ros1_messages_carry_their_definition() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let facts = [("ros1_type", "sensor_msgs/Imu"), ("ros1_definition", "float64 x")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let description = StreamDescription {
        stream: "imu/torso".parse().unwrap(),
        encoding: sanqu_wire::ENCODING_ROS1.to_owned(),
        rate_hz: 0.0,
        clock: 1,
        quantities: Vec::new(),
        facts: facts.into(),
    };
    journal.control(&Control::Describe { robot: id("walker-s-01"), description }).unwrap();
    let message = Message { key: Arc::new(key("imu/torso")), encoding: sanqu_wire::ENCODING_ROS1, ..Message::joint(BOOT, 0, 1) };
    message.append(&mut journal);
    journal.control(&stop()).unwrap();
    let path = journal.finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    let found = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).find(|m| m.channel.message_encoding == "ros1").unwrap();
    let schema = found.channel.schema.as_ref().unwrap();
    assert_eq!((schema.name.as_str(), schema.encoding.as_str(), &*schema.data), ("sensor_msgs/Imu", "ros1msg", b"float64 x".as_slice()));
    let manifest = bench.seal(&path);
    assert_eq!(manifest.streams[0].rows, 1);
}

/// Joint rows whose elements have these names.
fn joint_named(names: &[&str], seq: u64) -> Message {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut description = crate::fixture::joint();
    description.quantities = vec![sanqu_model::Quantity::f64("pos", "rad", &names)];
    let values = sanqu_wire::fixed_list::<Float64Type>(vec![0.5; names.len()], names.len()).unwrap();
    let payload = sanqu_wire::encode_rows(&description, &[t_ns(seq)], vec![values]).unwrap();
    let header = SampleHeader { rows: 1, boot: BOOT, seq, capture_ns: t_ns(seq), clock: 1, ..SampleHeader::default() };
    Message { attachment: header.encode(&payload).to_vec(), payload, ..Message::joint(BOOT, seq, 1) }
}

#[test]
fn one_wrong_sample_at_the_beginning_does_not_decide_what_the_stream_is() {
    let bench = Bench::new();
    let mut wrong_encoding = Message::joint(BOOT, 10, 10);
    wrong_encoding.encoding = "zenoh/bytes";
    let mut all = vec![wrong_encoding, joint_named(&JOINTS[..2], 0)];
    all.extend((2..5).map(|n| Message::joint(BOOT, n * 10, 10)));
    let manifest = bench.seal(&record(&bench, 1, &all, 50));
    let entry = joint_entry(&manifest);
    assert_eq!((entry.received, entry.lost.corrupt, entry.declared), (30, 11, true), "{entry:#?}");
    assert_eq!(entry.facts["unparsed_samples"], "2");
}

#[test]
fn a_spoilt_sample_at_the_beginning_does_not_say_what_the_stream_is() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let mut spoilt = joint_named(&["a", "b"], 0);
    spoilt.attachment =
        SampleHeader { rows: 1, boot: BOOT, seq: 0, clock: 1, ..SampleHeader::default() }.encode(b"another payload").to_vec();
    spoilt.append(&mut journal);
    (1..4).for_each(|n| Message::joint(BOOT, n * 10, 10).append(&mut journal));
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    let entry = joint_entry(&manifest);
    assert_eq!((entry.rows, entry.quantities[0].elements.len()), (30, 3));
}

#[test]
fn joints_in_another_order_are_not_stored_under_the_declared_names() {
    let bench = Bench::new();
    let mut journal = bench.journal(1);
    let mut description = crate::fixture::joint();
    description.quantities.truncate(1);
    journal.control(&Control::Describe { robot: id("walker-s-01"), description }).unwrap();
    joint_named(&[JOINTS[1], JOINTS[0], JOINTS[2]], 0).append(&mut journal);
    journal.control(&stop()).unwrap();
    let manifest = bench.seal(&journal.finish().unwrap());
    let entry = joint_entry(&manifest);
    assert_eq!((entry.rows, entry.declared, entry.quantities[0].elements[0].as_str()), (1, false, JOINTS[1]));
}

#[test]
fn a_kill_between_the_removals_of_two_segments_is_repaired() {
    let bench = Bench::new();
    let mut first = bench.journal(1);
    messages(1)[0].append(&mut first);
    first.flush().unwrap();
    drop(first);
    let mut second = bench.journal(1);
    messages(2)[1].append(&mut second);
    second.control(&stop()).unwrap();
    let path = second.finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    let sealed = bench.seal(&path);
    assert_eq!(joint_entry(&sealed).rows, 20);
    fs::write(&path, bytes).unwrap();
    assert_eq!(bench.seal(&path), sealed);
    assert!(!path.exists());
}

/// Spoils one sealed file when another is made durable.
#[derive(Debug)]
struct Spoil {
    file: &'static str,
    when: &'static str,
}

impl Watch for Spoil {
    fn before(&self, operation: &Operation<'_>) -> Verdict {
        if let Operation::SyncFile { path, .. } = operation
            && path.ends_with(self.when)
        {
            let path = path.with_file_name(self.file);
            let mut bytes = fs::read(&path).unwrap();
            bytes[40..200].fill(0);
            fs::write(&path, bytes).unwrap();
        }
        Verdict::Go
    }
}

#[test]
fn what_does_not_read_back_as_it_was_written_costs_no_journal() {
    let spoilt = |file, when| {
        let bench = Bench::new();
        let mut all = messages(6);
        all[2].payload[300] ^= 1;
        let path = record(&bench, 1, &all.into_iter().chain(crate::video::frames(20)).collect::<Vec<_>>(), 60);
        let disk = Disk::watched(Arc::new(Spoil { file, when }));
        let store = Store::open_or_create_on(disk, bench.store.root(), &id("desk"), "Asia/Shanghai").unwrap();
        let error = seal(&store, &path, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(file), "{error}");
        assert!(path.exists() && bench.store.episodes().unwrap().is_empty(), "{file}");
        // It was not the journal's fault.
        assert_eq!(joint_entry(&bench.seal(&path)).rows, 50);
    };
    for file in ["walker-s-01.joint.parquet", "walker-s-01.camera.head.parquet", "walker-s-01.camera.head.mp4", "clocks.parquet"] {
        spoilt(file, "loss.parquet");
    }
    spoilt("unparsed.mcap", "unparsed.mcap");
}

#[test]
fn a_seal_that_fails_gives_its_room_back_and_keeps_the_journal() {
    let bench = Bench::new();
    let path = record(&bench, 1, &messages(5), 50);
    let station = bench.store.root().join("episodes/date=2025-11-22/station=a01");
    fs::create_dir_all(&station).unwrap();
    // A folder cannot be moved to where a link is.
    std::os::unix::fs::symlink("nowhere", station.join(start(1).episode.to_string())).unwrap();
    assert!(seal(&bench.store, &path, &mut |_| {}).is_err() && path.exists());
    assert_eq!(fs::read_dir(&station).unwrap().count(), 1, "the link alone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A payload may be anything and still have a header with the right checksum: that is for the stream's account, and
    /// nothing that one robot sends may keep the others' episode from being sealed.
    #[test]
    fn whatever_a_robot_sends_is_sealed(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
                                        grow in prop::sample::select(vec![0usize, 0, 0, 70_000]), t in any::<i64>(), first: bool) {
        let bench = Bench::new();
        let spoil = |message: &mut Message| {
            for (index, byte) in &changes {
                let at = index.index(message.payload.len());
                message.payload[at] = *byte;
            }
            message.payload.extend(std::iter::repeat_n(0x55, grow));
            let header = SampleHeader { capture_ns: t, ..SampleHeader::decode(&message.attachment).unwrap() };
            message.attachment = header.encode(&message.payload).to_vec();
        };
        let mut all: Vec<Message> = (0..4).map(|n| Message::joint(BOOT, n * 10, 10)).chain(crate::video::frames(16).skip(5)).collect();
        let spoilt = if first { [0, 4] } else { [2, 14] };
        spoilt.into_iter().for_each(|n| spoil(&mut all[n]));
        let manifest = seal(&bench.store, &record(&bench, 1, &all, 40), &mut |_| {}).unwrap();
        let entry = joint_entry(&manifest);
        prop_assert_eq!((entry.expected, entry.received + entry.lost.corrupt), (Some(40), 40));
        prop_assert!(verify(bench.store.root()).unwrap().is_sound());
    }
}
