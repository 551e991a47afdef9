use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use sanqu_model::StreamKey;

use super::{HEADER_SUFFIX, PAYLOAD_BYTES_MAX, reader};
use crate::control::CONTROL_TOPIC;
use crate::error::IoContext;
use crate::{Control, StoreError};

/// Where everything lies in the segments of one journal. Payloads stay in the files.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) controls: Vec<Control>,
    pub(crate) streams: BTreeMap<StreamKey, StreamIndex>,
    /// Messages of topics that are no stream keys: topic and entry.
    pub(crate) strangers: Vec<(String, Entry)>,
    /// Receive time of the last message, ns.
    pub(crate) last_recv_ns: Option<i64>,
    pub(crate) damage: reader::Damage,
    /// Control records that could not be read.
    pub(crate) bad_controls: u64,
    segments: Vec<(PathBuf, File)>,
    encodings: BTreeSet<Arc<str>>,
}

/// The samples of one stream in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct StreamIndex {
    /// Payload encoding of the first sample.
    pub(crate) encoding: String,
    pub(crate) entries: Vec<Entry>,
    headers: Vec<Box<[u8]>>,
    /// Entries of earlier segments, which have their headers.
    paired: usize,
}

/// One sample: its header bytes and where the payload lies.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) attachment: Box<[u8]>,
    pub(crate) recv_ns: i64,
    pub(crate) publish_ns: i64,
    pub(crate) payload_bytes: usize,
    /// The zenoh encoding of the sample.
    pub(crate) encoding: Arc<str>,
    segment: usize,
    offset: u64,
}

impl Index {
    /// Reads the segments of one journal, in order.
    pub(crate) fn read(segments: &[PathBuf]) -> Result<Self, StoreError> {
        let mut index = Self::default();
        for (number, path) in segments.iter().enumerate() {
            let damage = reader::read(path, &mut |message| {
                index.add(number, &message);
                Ok(())
            })?;
            index.pair_headers();
            index.damage.add(damage);
            index.segments.push((path.clone(), File::open(path).at("open", path)?));
        }
        Ok(index)
    }

    fn add(&mut self, segment: usize, message: &reader::Message<'_>) {
        let topic = message.channel.topic.as_str();
        if topic == CONTROL_TOPIC {
            match serde_json::from_slice(message.data) {
                Ok(control) if message.data.len() <= Control::BYTES_MAX => self.controls.push(control),
                _ => self.bad_controls += 1,
            }
            return;
        }
        self.last_recv_ns = self.last_recv_ns.max(Some(message.log_ns));
        if let Some(Ok(key)) = topic.strip_suffix(HEADER_SUFFIX).map(str::parse::<StreamKey>) {
            self.streams.entry(key).or_default().headers.push(message.data.into());
            return;
        }
        let encoding = message.channel.metadata.get("encoding").unwrap_or(&message.channel.message_encoding);
        let known = self.encodings.get(encoding.as_str()).cloned();
        let encoding = known.unwrap_or_else(|| {
            let encoding: Arc<str> = encoding.as_str().into();
            self.encodings.insert(Arc::clone(&encoding));
            encoding
        });
        let entry = Entry {
            attachment: Box::default(),
            recv_ns: message.log_ns,
            publish_ns: message.publish_ns,
            payload_bytes: message.data.len(),
            encoding: Arc::clone(&encoding),
            segment,
            offset: message.offset,
        };
        match topic.parse::<StreamKey>() {
            Ok(key) => {
                let stream = self.streams.entry(key).or_default();
                if stream.entries.is_empty() {
                    stream.encoding = encoding.to_string();
                }
                stream.entries.push(entry);
            }
            Err(_) => self.strangers.push((topic.to_owned(), entry)),
        }
    }

    /// The n-th payload of a topic belongs to the n-th header. Both are in one chunk, so a lost chunk takes both.
    fn pair_headers(&mut self) {
        for stream in self.streams.values_mut() {
            for (entry, header) in stream.entries[stream.paired..].iter_mut().zip(stream.headers.drain(..)) {
                entry.attachment = header;
            }
            stream.paired = stream.entries.len();
        }
    }

    /// The segment that a sample is in.
    pub(crate) fn path(&self, entry: &Entry) -> &std::path::Path {
        &self.segments[entry.segment].0
    }

    /// Reads a sample's payload.
    pub(crate) fn payload(&self, entry: &Entry) -> Result<Vec<u8>, StoreError> {
        let (path, file) = &self.segments[entry.segment];
        debug_assert!(entry.payload_bytes <= PAYLOAD_BYTES_MAX + (64 << 20), "the reader has bounded it");
        let mut payload = vec![0; entry.payload_bytes];
        file.read_exact_at(&mut payload, entry.offset).at("read", path)?;
        Ok(payload)
    }
}
