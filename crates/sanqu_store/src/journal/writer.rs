use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::MessageHeader;
use mcap::write::NoSeek;
use sanqu_model::{StreamDescription, StreamKey, now_ns};
use sanqu_wire::SampleHeader;

use super::{HEADER_SUFFIX, PAYLOAD_BYTES_MAX};
use crate::control::CONTROL_TOPIC;
use crate::disk::{DiskFile, OpenFile};
use crate::error::IoContext;
use crate::{Control, EpisodeStart, Sample, Store, StoreError};

/// A chunk is closed early when it holds this much, so that memory stays bounded between flushes.
const CHUNK_BYTES_TARGET: usize = 8 << 20;
/// Channels that are told apart by boot and schema too, at most. MCAP numbers channels with 16 bits, of which a publisher
/// that counts wildly must not use up all: then nobody else could be recorded.
const CHANNELS_MAX: usize = 8192;
/// The longest attachment that is kept, in bytes; headers have 48.
const ATTACHMENT_BYTES_MAX: usize = 64 << 10;

/// Fact of a stream description: the ROS 1 type of its messages, `sensor_msgs/Imu`.
pub const ROS1_TYPE: &str = "ros1_type";
/// Fact of a stream description: the type's message definition, which becomes the journal's MCAP schema.
pub const ROS1_DEFINITION: &str = "ros1_definition";

/// Appends samples and control records to one journal segment.
///
/// Nothing reaches the file before [`flush`](Self::flush), and nothing is safe from a power loss before
/// [`sync`](Self::sync). After a failed write every call fails: what was flushed before stays readable, and a new
/// segment can be begun with [`create`](Self::create). Dropping the writer without [`finish`](Self::finish) leaves the
/// segment as a crash would.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    file: Arc<OpenFile>,
    /// None after `finish` or a failure.
    writer: Option<McapWriter>,
    failed: Option<String>,
    channels: HashMap<ChannelName, Channel>,
    descriptions: HashMap<String, StreamDescription>,
    control: Channel,
    pending_bytes: usize,
    bytes: u64,
}

/// A channel pair is chosen by what can change between two samples of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ChannelName {
    key: StreamKey,
    encoding: String,
    header: Option<(u64, u32)>,
}

/// Channel ids of payload and header.
#[derive(Clone, Copy, Debug)]
struct Channel {
    payload: u16,
    header: u16,
    sequence: u32,
}

/// The MCAP writer, which has no `Debug` of its own.
struct McapWriter(mcap::Writer<NoSeek<Sink>>);

impl std::fmt::Debug for McapWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("McapWriter")
    }
}

/// Collects what the MCAP writer emits and hands it to the file in one write for each flush.
struct Sink {
    file: DiskFile,
    buffer: Vec<u8>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.buffer);
        // Not kept for a second attempt: a part of it may be in the file already.
        self.buffer.clear();
        written
    }
}

impl JournalWriter {
    /// Begins the episode's next journal segment with its start record, durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be made or written.
    pub fn create(store: &Store, start: &EpisodeStart) -> Result<Self, StoreError> {
        let folder = store.journal_folder();
        let segments = store.journals()?;
        let own = segments.iter().filter_map(|path| super::parse_path(path)).filter(|(episode, _)| *episode == start.episode);
        let next = own.map(|(_, segment)| segment.saturating_add(1)).max().unwrap_or(0);
        let path = folder.join(format!("{}.{next}.mcap", start.episode));
        let file = store.disk().create_new(&path)?;
        let begun = Self::begin(file, &path).and_then(|mut journal| {
            journal.control(&Control::Start(start.clone()))?;
            journal.sync()?;
            Ok(journal)
        });
        if begun.is_err() {
            // A journal without its start is nobody's, and a full disk would leave one for every attempt.
            let _ = store.disk().remove_file(&path);
        }
        store.disk().sync_dir(&folder)?;
        begun
    }

    fn begin(file: DiskFile, path: &Path) -> Result<Self, StoreError> {
        let shared = file.shared();
        let sink = NoSeek::new(Sink { file, buffer: Vec::new() });
        // No chunk size: a chunk ends at a flush only, so that a payload and its header are always in the same chunk.
        let options =
            mcap::WriteOptions::new().compression(None).chunk_size(None).disable_seeking(true).profile("sanqu").library("sanqu_store");
        let bad = |e: mcap::McapError| StoreError::damaged(path, e);
        let mut writer = options.create(sink).map_err(bad)?;
        let control = writer.add_channel(0, CONTROL_TOPIC, "json", &BTreeMap::new()).map_err(bad)?;
        Ok(Self {
            path: path.to_path_buf(),
            file: shared,
            writer: Some(McapWriter(writer)),
            failed: None,
            channels: HashMap::new(),
            descriptions: HashMap::new(),
            control: Channel { payload: control, header: control, sequence: 0 },
            pending_bytes: 0,
            bytes: 0,
        })
    }

    /// Appends a sample: header and payload, verbatim.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the sample is larger than a journal may hold (the writer stays usable);
    /// [`StoreError::WriterFailed`] and [`StoreError::Io`] as for [`flush`](Self::flush).
    pub fn append(&mut self, sample: &Sample<'_>) -> Result<(), StoreError> {
        if sample.payload.len() > PAYLOAD_BYTES_MAX || sample.attachment.len() > ATTACHMENT_BYTES_MAX {
            let sizes = (sample.payload.len(), sample.attachment.len());
            return Err(StoreError::damaged(
                &self.path,
                format!(
                    "sample of {}: payload and attachment of {sizes:?} bytes exceed {PAYLOAD_BYTES_MAX} and {ATTACHMENT_BYTES_MAX}",
                    sample.key
                ),
            ));
        }
        let header = SampleHeader::decode(sample.attachment).ok();
        let channel = self.channel(sample, header.as_ref())?;
        let publish_ns = header.map_or(sample.recv_ns, |h| h.capture_ns);
        self.message(channel.header, channel.sequence, (sample.recv_ns, publish_ns), sample.attachment)?;
        self.message(channel.payload, channel.sequence, (sample.recv_ns, publish_ns), sample.payload)?;
        if self.pending_bytes > CHUNK_BYTES_TARGET { self.flush() } else { Ok(()) }
    }

    /// Appends a control record.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn control(&mut self, control: &Control) -> Result<(), StoreError> {
        if let Control::Describe { robot, description } = control {
            self.descriptions.insert(format!("{robot}/{}", description.stream), description.clone());
        }
        let text = serde_json::to_vec(control).map_err(|e| StoreError::damaged(&self.path, e))?;
        if text.len() > Control::BYTES_MAX {
            return Err(StoreError::damaged(&self.path, format!("control record of {} bytes, at most {}", text.len(), Control::BYTES_MAX)));
        }
        let channel = self.control;
        self.control.sequence = channel.sequence.wrapping_add(1);
        let now_ns = now_ns();
        self.message(channel.payload, channel.sequence, (now_ns, now_ns), &text)
    }

    /// Closes the chunk and writes it to the file: from here on a crash of this process loses nothing of it.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file does not take it, and [`StoreError::WriterFailed`] ever after.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.pending_bytes = 0;
        let flushed = self.open()?.flush();
        self.check(flushed)
    }

    /// Flushes, then makes the file durable (fdatasync): from here on a power loss loses nothing of it.
    ///
    /// # Errors
    /// As [`flush`](Self::flush). A failed fdatasync fails the writer, because the system may have dropped the pages.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        let synced = self.file.sync_data().map_err(mcap::McapError::from);
        self.check(synced)
    }

    /// Bytes of headers, payloads and control records appended so far, flushed or not.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The segment's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes MCAP's summary and footer and makes the file durable. Returns its path.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub fn finish(mut self) -> Result<PathBuf, StoreError> {
        self.flush()?;
        let finished = self.open()?.finish().map(|_| ());
        self.check(finished)?;
        let Some(McapWriter(writer)) = self.writer.take() else { return Err(self.stopped()) };
        let mut sink = writer.into_inner().into_inner();
        sink.flush().at("write", &self.path)?;
        sink.file.sync_all().at("sync", &self.path)?;
        Ok(self.path.clone())
    }

    fn message(&mut self, channel_id: u16, sequence: u32, (log_ns, publish_ns): (i64, i64), data: &[u8]) -> Result<(), StoreError> {
        // Times before 1970 wrap, and unwrap again when the journal is read.
        let header = MessageHeader { channel_id, sequence, log_time: log_ns.cast_unsigned(), publish_time: publish_ns.cast_unsigned() };
        let written = self.open()?.write_to_known_channel(&header, data);
        self.pending_bytes += data.len();
        self.bytes += data.len() as u64;
        self.check(written)
    }

    fn channel(&mut self, sample: &Sample<'_>, header: Option<&SampleHeader>) -> Result<Channel, StoreError> {
        let mut name =
            ChannelName { key: sample.key.clone(), encoding: sample.encoding.to_owned(), header: header.map(|h| (h.boot, h.schema_id)) };
        // Boot and schema are in every sample's header as well. An encoding that is left out makes seal keep it aside.
        if self.channels.len() >= CHANNELS_MAX && !self.channels.contains_key(&name) {
            name.header = None;
        }
        if self.channels.len() >= 2 * CHANNELS_MAX && !self.channels.contains_key(&name) {
            name.encoding.clear();
        }
        if let Some(channel) = self.channels.get_mut(&name) {
            channel.sequence = channel.sequence.wrapping_add(1);
            return Ok(*channel);
        }
        let mut meta = BTreeMap::from([("encoding".to_owned(), name.encoding.clone())]);
        if let Some((boot, schema_id)) = name.header {
            meta.insert("boot".to_owned(), boot.to_string());
            meta.insert("schema_id".to_owned(), schema_id.to_string());
        }
        let topic = sample.key.to_string();
        let description = self.descriptions.get(&format!("{}/{}", sample.key.robot, sample.key.stream));
        let ros1 = description.and_then(|d| Some((d.facts.get(ROS1_TYPE)?.clone(), d.facts.get(ROS1_DEFINITION)?.clone())));
        let encoding = message_encoding(sample.encoding);
        let writer = self.open()?;
        let added = (|| {
            let schema = match ros1.filter(|_| encoding == "ros1") {
                Some((name, definition)) => writer.add_schema(&name, "ros1msg", definition.as_bytes())?,
                None => 0,
            };
            let payload = writer.add_channel(schema, &topic, encoding, &meta)?;
            let header = writer.add_channel(0, &format!("{topic}{HEADER_SUFFIX}"), "sanqu-header", &meta)?;
            Ok(Channel { payload, header, sequence: 0 })
        })();
        let channel = self.check(added)?;
        self.channels.insert(name, channel);
        Ok(channel)
    }

    fn open(&mut self) -> Result<&mut mcap::Writer<NoSeek<Sink>>, StoreError> {
        if self.failed.is_some() || self.writer.is_none() {
            return Err(self.stopped());
        }
        match &mut self.writer {
            Some(McapWriter(writer)) => Ok(writer),
            None => Err(StoreError::WriterFailed { path: self.path.clone(), reason: "finished".to_owned() }),
        }
    }

    fn stopped(&self) -> StoreError {
        StoreError::WriterFailed { path: self.path.clone(), reason: self.failed.clone().unwrap_or_else(|| "finished".to_owned()) }
    }

    /// The first failure is the last write.
    fn check<T>(&mut self, result: Result<T, mcap::McapError>) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.failed = Some(error.to_string());
            self.abandon();
            match error {
                mcap::McapError::Io(source) => StoreError::Io { path: self.path.clone(), action: "write", source },
                other => StoreError::damaged(&self.path, other),
            }
        })
    }

    /// Keeps the MCAP writer from adding a footer to a file that was not closed in an orderly way.
    fn abandon(&mut self) {
        if let Some(McapWriter(writer)) = self.writer.take() {
            drop(writer.into_inner());
        }
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        if self.writer.is_some() {
            tracing::error!(path = %self.path.display(), "journal dropped before it was finished");
            self.abandon();
        }
    }
}

/// The name that MCAP tools know an encoding by.
fn message_encoding(encoding: &str) -> &str {
    match encoding {
        sanqu_wire::ENCODING_ARROW => "arrow",
        sanqu_wire::ENCODING_H264 => "h264",
        sanqu_wire::ENCODING_H265 => "h265",
        sanqu_wire::ENCODING_JPEG => "jpeg",
        sanqu_wire::ENCODING_PNG => "png",
        sanqu_wire::ENCODING_JSON => "json",
        sanqu_wire::ENCODING_ROS1 => "ros1",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;

    #[test]
    fn a_publisher_that_counts_wildly_does_not_stop_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.mcap");
        let mut journal = JournalWriter::begin(Disk::default().create(&path).unwrap(), &path).unwrap();
        let key: StreamKey = "sanqu/desk/kuavo-01/event".parse().unwrap();
        for number in 0..40_000 {
            let header = SampleHeader { rows: 1, boot: number, ..SampleHeader::default() };
            let encoding = if number < 20_000 { "application/json".to_owned() } else { number.to_string() };
            let sample = Sample { key: &key, encoding: &encoding, attachment: &header.encode(b"{}"), payload: b"{}", recv_ns: 0 };
            journal.append(&sample).unwrap();
        }
        journal.finish().unwrap();
    }

    /// A device that is always full stands in for a full disk.
    #[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
    #[test]
    fn a_writer_that_failed_stays_failed() {
        let path = Path::new("/dev/full");
        let Ok(file) = Disk::default().create(path) else {
            eprintln!("SKIPPED a_writer_that_failed_stays_failed: there is no /dev/full");
            return;
        };
        let mut journal = JournalWriter::begin(file, path).unwrap();
        let event = Control::Event { t_ns: 0, name: "mark".to_owned(), text: String::new() };
        journal.control(&event).unwrap();
        let StoreError::Io { source, .. } = journal.flush().unwrap_err() else { panic!("the system's error is kept") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        for again in [journal.control(&event), journal.flush(), journal.sync(), journal.finish().map(drop)] {
            let error = again.unwrap_err();
            assert!(matches!(error, StoreError::WriterFailed { .. }) && error.to_string().contains("/dev/full"), "{error}");
        }
    }
}
