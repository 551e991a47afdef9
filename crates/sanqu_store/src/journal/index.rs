use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::Channel;
use sanqu_model::StreamKey;
use sanqu_wire::SampleHeader;

use super::classes::Classes;
use super::entry::{Entry, Grade, Place};
use super::spool::{Limits, Record, Scratch, Spool, Window};
use super::{HEADER_SUFFIX, reader};
use crate::control::CONTROL_TOPIC;
use crate::error::IoContext;
use crate::{Control, EpisodeStart, StoreError};

/// Payloads of a stream that may wait for their headers. A journal has them side by side.
const UNPAIRED_MAX: usize = 1 << 16;

/// Where everything lies in the segments of one journal, and what each sample is. Payloads stay in the files; what grows
/// with the journal's length goes to a scratch file.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) controls: Vec<Control>,
    /// Receive time of the last message, ns.
    pub(crate) last_recv_ns: Option<i64>,
    pub(crate) damage: reader::Damage,
    /// Control records that could not be read.
    pub(crate) bad_controls: u64,
    keys: BTreeMap<StreamKey, usize>,
    /// Topics that are no stream keys.
    strangers: BTreeMap<String, usize>,
    streams: Vec<StreamIndex>,
    segments: Vec<PathBuf>,
    /// The segment that was read from last. A long journal has more of them than a process may have open.
    open: RefCell<Option<(u32, File)>>,
    encodings: Vec<Arc<str>>,
    scratch: Scratch,
    memory_bytes: usize,
    limits: Limits,
}

/// The samples of one stream in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct StreamIndex {
    /// Payload encoding of the first sample.
    pub(crate) encoding: String,
    pub(crate) entries: Spool<Entry>,
    pub(crate) classes: Classes,
    encodings: BTreeSet<u32>,
    headers: VecDeque<Header>,
    unpaired: VecDeque<Entry>,
}

/// A header whose payload has not come yet, and where its bytes lie.
#[derive(Debug)]
struct Header {
    offset: u64,
    bytes: Box<[u8]>,
}

impl StreamIndex {
    /// Whether any sample has this encoding.
    pub(crate) fn has(&self, encoding: Option<u32>) -> bool {
        encoding.is_some_and(|encoding| self.encodings.contains(&encoding))
    }
}

/// What the messages of a channel are.
#[derive(Clone, Copy, Debug)]
enum Role {
    Control,
    Header { stream: usize },
    Payload { stream: usize, encoding: u32 },
    Ignored,
}

/// The roles of one segment's channels.
type Roles = HashMap<u16, (Arc<Channel>, Role)>;

impl Index {
    /// Reads the segments of one journal, in order.
    pub(crate) fn read(segments: &[PathBuf], scratch: Scratch, limits: Limits) -> Result<Self, StoreError> {
        let mut index = Self {
            controls: Vec::new(),
            last_recv_ns: None,
            damage: reader::Damage::default(),
            bad_controls: 0,
            keys: BTreeMap::new(),
            strangers: BTreeMap::new(),
            streams: Vec::new(),
            segments: Vec::new(),
            open: RefCell::new(None),
            encodings: Vec::new(),
            scratch,
            memory_bytes: 0,
            limits,
        };
        for path in segments {
            index.segments.push(path.clone());
            let mut roles = Roles::new();
            let damage = reader::read(path, &mut |message| index.add(&mut roles, &message))?;
            index.damage.add(damage);
            index.end_segment()?;
        }
        Ok(index)
    }

    fn add(&mut self, roles: &mut Roles, message: &reader::Message<'_>) -> Result<(), StoreError> {
        let known = roles.get(&message.channel.id).filter(|(channel, _)| Arc::ptr_eq(channel, message.channel));
        let role = match known {
            Some((_, role)) => *role,
            None => {
                let role = self.role(message.channel);
                roles.insert(message.channel.id, (Arc::clone(message.channel), role));
                role
            }
        };
        if let Role::Control = role {
            match serde_json::from_slice(message.data) {
                Ok(control) if message.data.len() <= Control::BYTES_MAX => self.controls.push(control),
                _ => self.bad_controls += 1,
            }
            return Ok(());
        }
        self.last_recv_ns = self.last_recv_ns.max(Some(message.log_ns));
        match role {
            Role::Header { stream } => self.add_header(stream, message),
            Role::Payload { stream, encoding } => self.add_payload(stream, encoding, message),
            Role::Control | Role::Ignored => Ok(()),
        }
    }

    fn role(&mut self, channel: &Channel) -> Role {
        let topic = channel.topic.as_str();
        if topic == CONTROL_TOPIC {
            return Role::Control;
        }
        if let Some(Ok(key)) = topic.strip_suffix(HEADER_SUFFIX).map(str::parse::<StreamKey>) {
            return Role::Header { stream: self.stream_of(key) };
        }
        let stream = match topic.parse::<StreamKey>() {
            Ok(key) => self.stream_of(key),
            // Beside a foreign topic there may be others of ours, which say nothing without it.
            Err(_) if topic.contains('#') => return Role::Ignored,
            Err(_) => match self.strangers.get(topic) {
                Some(stream) => *stream,
                None => {
                    self.strangers.insert(topic.to_owned(), self.streams.len());
                    self.new_stream()
                }
            },
        };
        let name = channel.metadata.get("encoding").unwrap_or(&channel.message_encoding);
        let encoding = self.encoding_number(name).unwrap_or_else(|| {
            self.encodings.push(name.as_str().into());
            u32::try_from(self.encodings.len() - 1).unwrap_or(u32::MAX)
        });
        Role::Payload { stream, encoding }
    }

    fn stream_of(&mut self, key: StreamKey) -> usize {
        if let Some(stream) = self.keys.get(&key) {
            return *stream;
        }
        self.keys.insert(key, self.streams.len());
        self.new_stream()
    }

    fn new_stream(&mut self) -> usize {
        self.streams.push(StreamIndex::default());
        self.streams.len() - 1
    }

    /// The n-th payload of a topic belongs to the n-th header. Both are in one chunk, so a lost chunk takes both.
    fn add_header(&mut self, stream: usize, message: &reader::Message<'_>) -> Result<(), StoreError> {
        let Some(entry) = self.streams[stream].unpaired.pop_front() else {
            let headers = &mut self.streams[stream].headers;
            headers.push_back(Header { offset: message.offset, bytes: message.data.into() });
            return self.check_waiting(stream);
        };
        let mut payload = Vec::new();
        self.payload(&entry, &mut payload)?;
        self.keep(stream, entry, Some((message.offset, message.data)), &payload)
    }

    fn add_payload(&mut self, stream: usize, encoding: u32, message: &reader::Message<'_>) -> Result<(), StoreError> {
        let entry = Entry {
            recv_ns: message.log_ns,
            publish_ns: message.publish_ns,
            encoding,
            payload: Place {
                segment: u32::try_from(self.segments.len() - 1).unwrap_or(u32::MAX),
                offset: message.offset,
                bytes: u32::try_from(message.data.len()).unwrap_or(u32::MAX),
            },
            attachment: Place::default(),
            grade: Grade::Unclear,
        };
        let of = &mut self.streams[stream];
        if of.encodings.is_empty() {
            of.encoding = self.encodings.get(encoding as usize).map(ToString::to_string).unwrap_or_default();
        }
        of.encodings.insert(encoding);
        match of.headers.pop_front() {
            Some(header) if of.unpaired.is_empty() => self.keep(stream, entry, Some((header.offset, &header.bytes)), message.data),
            _ => {
                of.unpaired.push_back(entry);
                self.check_waiting(stream)
            }
        }
    }

    fn check_waiting(&self, stream: usize) -> Result<(), StoreError> {
        let waiting = self.streams[stream].headers.len().max(self.streams[stream].unpaired.len());
        match self.segments.last() {
            Some(path) if waiting > UNPAIRED_MAX => {
                Err(StoreError::damaged(path, format!("more than {UNPAIRED_MAX} samples in a row without their other half")))
            }
            _ => Ok(()),
        }
    }

    /// Writes down a sample whose header is known.
    fn keep(&mut self, stream: usize, entry: Entry, header: Option<(u64, &[u8])>, payload: &[u8]) -> Result<(), StoreError> {
        let encoding = self.encodings.get(entry.encoding as usize).map(AsRef::as_ref).unwrap_or_default();
        let (offset, attachment) = header.unwrap_or_default();
        let of = &mut self.streams[stream];
        let grade = match of.classes.of(encoding, payload) {
            None => Grade::Unclear,
            Some((class, rows)) if attachment.is_empty() => Grade::Bare { class, rows },
            Some((class, rows)) => match SampleHeader::decode_checked(attachment, payload) {
                Ok(header) if header.rows == rows => Grade::Whole { class, header },
                _ => Grade::Unclear,
            },
        };
        let bytes = u32::try_from(attachment.len()).unwrap_or(u32::MAX);
        let attachment = Place { segment: entry.payload.segment, offset, bytes };
        of.entries.push(&Entry { attachment, grade, ..entry });
        self.memory_bytes += Entry::BYTES;
        if self.memory_bytes >= self.limits.index_bytes {
            self.memory_bytes = 0;
            for stream in &mut self.streams {
                stream.entries.flush(&mut self.scratch)?;
            }
        }
        Ok(())
    }

    /// What has no other half in its segment never gets one.
    fn end_segment(&mut self) -> Result<(), StoreError> {
        for stream in 0..self.streams.len() {
            self.streams[stream].headers.clear();
            while let Some(entry) = self.streams[stream].unpaired.pop_front() {
                let mut payload = Vec::new();
                self.payload(&entry, &mut payload)?;
                self.keep(stream, entry, None, &payload)?;
            }
        }
        Ok(())
    }

    /// The streams that have samples or headers.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &StreamKey> {
        self.keys.keys()
    }

    /// A stream, if the journal has anything of it.
    pub(crate) fn stream(&self, key: &StreamKey) -> Option<&StreamIndex> {
        self.keys.get(key).and_then(|stream| self.streams.get(*stream))
    }

    /// What came on topics that are no stream keys.
    pub(crate) fn strangers(&self) -> impl Iterator<Item = (&str, &StreamIndex)> {
        self.strangers.iter().filter_map(|(topic, stream)| Some((topic.as_str(), self.streams.get(*stream)?)))
    }

    /// The number of an encoding that some sample has.
    pub(crate) fn encoding_number(&self, name: &str) -> Option<u32> {
        u32::try_from(self.encodings.iter().position(|known| **known == *name)?).ok()
    }

    /// The encoding of a sample.
    pub(crate) fn encoding(&self, entry: &Entry) -> &str {
        self.encodings.get(entry.encoding as usize).map(AsRef::as_ref).unwrap_or_default()
    }

    /// A sample of a stream by its number in order of arrival.
    pub(crate) fn entry(&self, stream: &StreamIndex, window: &mut Window<Entry>, number: u64) -> Result<Entry, StoreError> {
        window.get(&stream.entries, &self.scratch, number)
    }

    /// The segment that a sample is in.
    pub(crate) fn path(&self, entry: &Entry) -> &Path {
        self.segments.get(entry.payload.segment as usize).map_or(Path::new(""), PathBuf::as_path)
    }

    /// Reads a sample's payload into `bytes`.
    pub(crate) fn payload(&self, entry: &Entry, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        self.bytes(entry.payload, bytes)
    }

    /// Reads a sample's attachment: the header bytes as they came, empty where there were none.
    pub(crate) fn attachment(&self, entry: &Entry) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.bytes(entry.attachment, &mut bytes)?;
        Ok(bytes)
    }

    /// The sample's header, whether or not its checksum holds; none when there is no readable one.
    pub(crate) fn header(&self, entry: &Entry) -> Result<Option<SampleHeader>, StoreError> {
        match &entry.grade {
            Grade::Whole { header, .. } => Ok(Some(*header)),
            Grade::Bare { .. } => Ok(None),
            Grade::Unclear => Ok(SampleHeader::decode(&self.attachment(entry)?).ok()),
        }
    }

    fn bytes(&self, place: Place, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        bytes.resize(place.bytes as usize, 0);
        let Some(path) = self.segments.get(place.segment as usize) else { return Ok(()) };
        let mut open = self.open.borrow_mut();
        let file = match &mut *open {
            Some((segment, file)) if *segment == place.segment => file,
            other => &mut other.insert((place.segment, File::open(path).at("open", path)?)).1,
        };
        file.read_exact_at(bytes, place.offset).at("read", path)
    }

    /// Removes the scratch file.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.scratch.remove()
    }
}

/// The first start record of a journal; none when no segment has a readable one.
pub(crate) fn find_start(segments: &[PathBuf]) -> Result<Option<EpisodeStart>, StoreError> {
    for path in segments {
        let mut found = None;
        let read = reader::read(path, &mut |message| {
            if message.channel.topic == CONTROL_TOPIC
                && let Ok(Control::Start(start)) = serde_json::from_slice(message.data)
            {
                found = Some(start);
                // It is the first record of a segment: there is no need to read the rest.
                return Err(StoreError::damaged(path, "read no further"));
            }
            Ok(())
        });
        if found.is_some() {
            return Ok(found);
        }
        read?;
    }
    Ok(None)
}

/// How many samples a journal holds, by topic, with the encoding of the first.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) controls: Vec<Control>,
    pub(crate) topics: BTreeMap<String, (u64, String)>,
    pub(crate) damage: reader::Damage,
}

impl Contents {
    pub(crate) fn read(path: &Path) -> Result<Self, StoreError> {
        let mut contents = Self::default();
        let damage = reader::read(path, &mut |message| {
            let topic = message.channel.topic.as_str();
            if topic == CONTROL_TOPIC {
                contents.controls.extend(serde_json::from_slice::<Control>(message.data));
            } else if let Some((count, _)) = contents.topics.get_mut(topic) {
                *count += 1;
            } else if !topic.contains('#') {
                let encoding = message.channel.metadata.get("encoding").unwrap_or(&message.channel.message_encoding);
                contents.topics.insert(topic.to_owned(), (1, encoding.clone()));
            }
            Ok(())
        })?;
        contents.damage = damage;
        Ok(contents)
    }
}
