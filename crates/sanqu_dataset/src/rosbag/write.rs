//! The second pass over bags: messages become samples of a journal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sanqu_model::{DetectedBy, Id, LossCause, Quantity, RobotEntry, StreamDescription, StreamKey, StreamName};
use sanqu_store::{Control, EpisodeStart, IMPORTED, JournalWriter, Sample, Store};
use sanqu_wire::{CLOCK_RECEIVER, CLOCK_ROBOT, ENCODING_ARROW, SampleHeader, encode_rows};

use super::bag::{Bag, Connection, RawMessage};
use super::survey::{Surveyed, header_of};
use super::topics::{Role, Row};
use super::torque;
use super::{RosbagProgress, Surveyor};
use crate::DatasetError;

/// What the model names of 夸父 begin with; `MODEL_S45` is the one whose joints are known.
const MODELS: &str = "kuavo";
const MODEL_S45: &str = "kuavo-s45";

/// Messages between two reports of progress.
const PROGRESS_MESSAGES: u64 = 1000;

/// Writes the journal of one episode; returns its path.
pub(super) fn journal(
    store: &Store,
    start: &EpisodeStart,
    last_ns: i64,
    bags: &[Surveyor],
    progress: &mut dyn FnMut(RosbagProgress),
) -> Result<PathBuf, DatasetError> {
    let Some(RobotEntry { robot, model, .. }) = start.robots.first().cloned() else {
        return Err(DatasetError::Option { option: "robot", reason: "an import needs one".to_owned() });
    };
    let (journal, field) = (JournalWriter::create(store, start)?, start.field.clone());
    let mut writer = Writer { journal, field, robot, model, streams: BTreeMap::new() };
    if let Some(error) = bags.iter().find_map(|surveyor| writer.bag(surveyor, progress).err()) {
        // The caller removes the file; how closing it went no longer matters.
        let _ = writer.journal.finish();
        return Err(error);
    }
    writer.journal.control(&Control::Stop { stop_ns: last_ns + 1, ended_by: IMPORTED.to_owned() })?;
    Ok(writer.journal.finish()?)
}

struct Writer {
    journal: JournalWriter,
    field: Id,
    robot: Id,
    model: String,
    streams: BTreeMap<&'static str, Stream>,
}

/// A stream that has been described.
struct Stream {
    key: StreamKey,
    description: StreamDescription,
    schema_id: u32,
    /// Bag and connection that numbers its rows now.
    source: Option<(String, u32)>,
}

/// One message with where it is from.
struct Origin<'a> {
    bag: &'a Bag,
    boot: u64,
    number: u32,
    connection: &'a Connection,
    surveyed: &'a Surveyed,
    /// Number of the message on its topic.
    index: u64,
    recv_ns: i64,
    seq: u64,
    capture_ns: i64,
}

impl Origin<'_> {
    fn refuse(&self, reason: impl ToString) -> DatasetError {
        DatasetError::Message {
            path: self.bag.path.clone(),
            topic: self.connection.topic.clone(),
            index: self.index,
            reason: reason.to_string(),
        }
    }
}

impl Writer {
    fn bag(&mut self, surveyor: &Surveyor, progress: &mut dyn FnMut(RosbagProgress)) -> Result<(), DatasetError> {
        let bag = &surveyor.bag;
        let total: u64 = surveyor.connections.values().map(|surveyed| surveyed.count).sum();
        let first_ns = surveyor.connections.values().map(|surveyed| surveyed.first_recv_ns).min().unwrap_or_default();
        // A publisher's start as far as a bag can tell; the same bag always gives the same number.
        let boot = u64::from(crc32fast::hash(format!("{} {first_ns}", bag.name).as_bytes()));
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        let mut done = 0;
        bag.messages(&mut |RawMessage { connection: number, recv_ns, data }| {
            if done % PROGRESS_MESSAGES == 0 {
                progress(RosbagProgress { stage: "write", name: bag.name.clone(), done, total });
            }
            done += 1;
            let (Some(connection), Some(surveyed)) = (bag.connections.get(&number), surveyor.connections.get(&number)) else {
                return Ok(());
            };
            let Some(role) = Role::of(&connection.topic, &connection.message_type) else { return Ok(()) };
            let index = counts.entry(number).or_insert(0);
            let (seq, stamp_ns) = header_of(data);
            let capture_ns = surveyed.capture_ns(stamp_ns, recv_ns);
            let origin = Origin { bag, boot, number, connection, surveyed, index: *index, recv_ns, seq, capture_ns };
            *index += 1;
            self.message(&origin, role, data)
        })
    }

    fn message(&mut self, origin: &Origin<'_>, role: Role, data: &[u8]) -> Result<(), DatasetError> {
        let layout = origin.connection.layout.as_ref().map_err(|reason| origin.refuse(reason))?;
        let message = layout.read(data).map_err(|e| origin.refuse(e))?;
        if role == Role::RecordingStatus {
            let recording = message.bool("data").map_err(|e| origin.refuse(e))?;
            let text = format!("{}: {recording}", origin.connection.topic);
            return Ok(self.journal.control(&Control::Event { t_ns: origin.recv_ns, name: "recording_status".to_owned(), text })?);
        }
        for row in role.rows(&message).map_err(|e| origin.refuse(e))? {
            self.row(origin, role, row)?;
        }
        Ok(())
    }

    fn row(&mut self, origin: &Origin<'_>, role: Role, row: Row) -> Result<(), DatasetError> {
        let name = row.stream;
        if !self.streams.contains_key(name) {
            if role == Role::Sensors && name == "joint" {
                self.check_robot(origin, &row)?;
            }
            self.describe(origin, role, &row)?;
        }
        let Some(stream) = self.streams.get_mut(name) else { return Err(origin.refuse("the stream was not described")) };
        if row.quantities != stream.description.quantities {
            let (expected, found) = (widths(&stream.description.quantities), widths(&row.quantities));
            return Err(origin.refuse(format!("stream {name}: expected {expected} as in its first message, found {found}")));
        }
        let numbered = origin.surveyed.numbers;
        let source = (origin.bag.sha256.clone(), origin.number);
        if stream.source.as_ref() != Some(&source) {
            stream.source = Some(source);
            if let Some((first, _)) = numbered {
                account(&mut self.journal, &stream.key, origin, first)?;
            }
        }
        let columns = row.columns().map_err(|e| origin.refuse(e))?;
        let payload = encode_rows(&stream.description, &[origin.capture_ns], columns).map_err(|e| origin.refuse(e))?;
        let header = SampleHeader {
            flags: 0,
            rows: 1,
            boot: origin.boot,
            seq: origin.seq,
            capture_ns: origin.capture_ns,
            clock: stream.description.clock,
            schema_id: stream.schema_id,
        };
        let header = header.encode(&payload);
        // Without numbers of its own the stream has no header: its accounting is then unknown, not invented.
        let attachment: &[u8] = if numbered.is_some() { &header } else { &[] };
        let sample = Sample { key: &stream.key, encoding: ENCODING_ARROW, attachment, payload: &payload, recv_ns: origin.recv_ns };
        Ok(self.journal.append(&sample)?)
    }

    /// The bag must be of the kind of robot that it is imported for: else every joint would carry another one's name.
    fn check_robot(&self, origin: &Origin<'_>, row: &Row) -> Result<(), DatasetError> {
        let (robot, model) = (&self.robot, &self.model);
        let joints = row.quantities.first().map_or(0, |quantity| quantity.elements.len());
        if !model.starts_with(MODELS) {
            return Err(origin.refuse(format!("a message of 夸父, but {robot} is a {model}; name the robot that was recorded")));
        }
        if model == MODEL_S45 && joints != torque::JOINTS {
            return Err(origin.refuse(format!("{joints} joints, expected {} of {robot} ({model})", torque::JOINTS)));
        }
        Ok(())
    }

    fn describe(&mut self, origin: &Origin<'_>, role: Role, row: &Row) -> Result<(), DatasetError> {
        let name: StreamName = row.stream.parse()?;
        let stamped = origin.surveyed.is_stamped;
        let mut facts: BTreeMap<String, String> = row.facts.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        facts.insert("topic".to_owned(), origin.connection.topic.clone());
        facts.insert("message_type".to_owned(), origin.connection.message_type.clone());
        facts.insert(
            "t".to_owned(),
            if stamped { "the header's stamp" } else { "the bag's receive time: the messages have no stamp" }.to_owned(),
        );
        let numbered = origin.surveyed.numbers.is_some();
        facts.insert(
            "seq".to_owned(),
            if numbered { "the header's seq" } else { "order in the bag: the source does not number" }.to_owned(),
        );
        let description = StreamDescription {
            stream: name.clone(),
            encoding: ENCODING_ARROW.to_owned(),
            rate_hz: role.nominal_rate_hz(),
            clock: if stamped { CLOCK_ROBOT } else { CLOCK_RECEIVER },
            quantities: row.quantities.clone(),
            facts,
        };
        self.journal.control(&Control::Describe { robot: self.robot.clone(), description: description.clone() })?;
        let key = StreamKey { field: self.field.clone(), robot: self.robot.clone(), stream: name };
        let schema_id = description.schema_id();
        self.streams.insert(row.stream, Stream { key, description, schema_id, source: None });
        Ok(())
    }
}

/// Says where the bag's numbering begins, and that nobody knows who lost what is missing in it.
fn account(journal: &mut JournalWriter, key: &StreamKey, origin: &Origin<'_>, first: u64) -> Result<(), DatasetError> {
    let (robot, stream, boot) = (key.robot.clone(), key.stream.clone(), origin.boot);
    journal.control(&Control::Baseline { robot, stream, boot, next_seq: first })?;
    for (from, to) in &origin.surveyed.gaps {
        journal.control(&Control::Lost {
            robot: key.robot.clone(),
            stream: key.stream.clone(),
            boot,
            from_seq: Some(*from),
            to_seq: Some(*to),
            cause: LossCause::Unknown,
            detected_by: DetectedBy::Gap,
        })?;
    }
    Ok(())
}

fn widths(quantities: &[Quantity]) -> String {
    quantities.iter().map(|q| format!("{}[{}]", q.name, q.elements.len())).collect::<Vec<_>>().join(", ")
}
