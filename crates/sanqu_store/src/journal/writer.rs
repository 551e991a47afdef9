use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sanqu_model::{Id, StreamDescription, StreamName, now_ns};
use sanqu_wire::{HEADER_BYTES, SampleHeader};

use super::PAYLOAD_BYTES_MAX;
use super::format::MessageHeader;
use super::segment::{CONTROL_CHANNEL, Segment};
use super::sync::{JournalSyncer, Shared};
use crate::disk::Disk;
use crate::error::IoContext;
use crate::store::UNFINISHED;
use crate::{Control, EpisodeStart, Sample, Store, StoreError};

/// A journal goes on in another file when one has become this large, so that one damaged file is not everything.
pub const SEGMENT_BYTES_TARGET: u64 = 1 << 30;
/// The longest attachment that is kept, in bytes; headers have 48.
const ATTACHMENT_BYTES_MAX: usize = 64 << 10;
/// Descriptions and baselines that are repeated in another segment, at most of each.
const REPEATED_MAX: usize = 1 << 14;

/// Fact of a stream description: the ROS 1 type of its messages, `sensor_msgs/Imu`.
pub const ROS1_TYPE: &str = "ros1_type";
/// Fact of a stream description: the type's message definition, which becomes the journal's MCAP schema.
pub const ROS1_DEFINITION: &str = "ros1_definition";

/// Appends samples and control records to the journal of one episode.
///
/// Nothing reaches the file before [`flush`](Self::flush), and nothing is safe from a power loss before
/// [`sync`](Self::sync). After a failed write every call fails: what was flushed before stays readable, and a new
/// segment can be begun with [`create`](Self::create). Dropping the writer without [`finish`](Self::finish) leaves the
/// segment as a crash would.
///
/// A segment that has become large is finished and made durable, and the next one begun, within a flush; it repeats what
/// is needed to read it by itself. A stream that the journal knows costs no allocation to append to.
#[derive(Debug)]
pub struct JournalWriter {
    disk: Disk,
    folder: PathBuf,
    number: u32,
    segment_bytes: u64,
    path: PathBuf,
    /// None after `finish` or a failure.
    segment: Option<Segment>,
    shared: Arc<Shared>,
    repeated: Repeated,
    controls: u32,
    bytes: u64,
}

/// The control records that every segment has.
#[derive(Debug)]
struct Repeated {
    start: EpisodeStart,
    descriptions: BTreeMap<(Id, StreamName), StreamDescription>,
    /// The first sequence of each boot that belongs to the journal.
    baselines: BTreeMap<(Id, StreamName, u64), u64>,
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
        let number = own.map(|(_, segment)| segment.saturating_add(1)).max().unwrap_or(0);
        let repeated = Repeated { start: start.clone(), descriptions: BTreeMap::new(), baselines: BTreeMap::new() };
        let (segment, controls) = begin(store.disk(), &folder, number, &repeated)?;
        Ok(Self {
            disk: store.disk().clone(),
            folder,
            number,
            segment_bytes: SEGMENT_BYTES_TARGET,
            path: segment.path().to_path_buf(),
            shared: Arc::new(Shared::new(segment.shared(), segment.path().to_path_buf())),
            segment: Some(segment),
            repeated,
            controls,
            bytes: 0,
        })
    }

    /// Ends segments at another size than [`SEGMENT_BYTES_TARGET`].
    #[must_use]
    pub fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Appends a sample: header and payload, verbatim.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the sample is larger than a journal may hold or of a stream too many (the writer stays
    /// usable); [`StoreError::WriterFailed`] and [`StoreError::Io`] as for [`flush`](Self::flush).
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
        // Without one there is nothing to decode, and no error to make.
        let header = Some(sample.attachment).filter(|bytes| bytes.len() == HEADER_BYTES).and_then(|bytes| SampleHeader::decode(bytes).ok());
        let descriptions = &self.repeated.descriptions;
        let ros1 = || {
            let facts = &descriptions.get(&(sample.key.robot.clone(), sample.key.stream.clone()))?.facts;
            Some((facts.get(ROS1_TYPE)?.clone(), facts.get(ROS1_DEFINITION)?.clone()))
        };
        let segment = open(&mut self.segment, &self.shared, &self.path)?;
        let channels = segment.channels(sample, header.map(|h| (h.boot, h.schema_id)), ros1)?;
        let times = MessageHeader {
            channel: channels.header,
            sequence: channels.sequence,
            log_ns: sample.recv_ns,
            publish_ns: header.map_or(sample.recv_ns, |h| h.capture_ns),
        };
        segment.message(times, sample.attachment);
        segment.message(MessageHeader { channel: channels.payload, ..times }, sample.payload);
        let is_full = segment.is_chunk_full();
        self.bytes += (sample.attachment.len() + sample.payload.len()) as u64;
        if is_full { self.flush() } else { Ok(()) }
    }

    /// Appends a control record.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); [`StoreError::Damaged`] when it is longer than [`Control::BYTES_MAX`].
    pub fn control(&mut self, control: &Control) -> Result<(), StoreError> {
        let segment = open(&mut self.segment, &self.shared, &self.path)?;
        self.bytes += write_control(segment, &mut self.controls, control)?;
        let is_full = segment.is_chunk_full();
        self.repeated.keep(control);
        if is_full { self.flush() } else { Ok(()) }
    }

    /// Closes the chunk and writes it to the file: from here on a crash of this process loses nothing of it.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file does not take it, and [`StoreError::WriterFailed`] ever after.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        let segment = open(&mut self.segment, &self.shared, &self.path)?;
        let flushed = segment.flush().at("write", &self.path);
        let is_full = segment.is_full(self.segment_bytes);
        self.check(flushed)?;
        if is_full { self.next_segment() } else { Ok(()) }
    }

    /// Flushes, then makes the file durable (fdatasync): from here on a power loss loses nothing of it.
    ///
    /// # Errors
    /// As [`flush`](Self::flush). A failed fdatasync fails the writer, because the system may have dropped the pages.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        let synced = self.shared.sync();
        self.check(synced)
    }

    /// Makes what was flushed durable from another thread.
    pub fn syncer(&self) -> JournalSyncer {
        JournalSyncer::new(&self.shared)
    }

    /// Bytes of headers, payloads and control records appended so far, flushed or not.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file that is written now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes MCAP's summary and footer and makes the file durable. Returns its path.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub fn finish(mut self) -> Result<PathBuf, StoreError> {
        self.flush()?;
        open(&mut self.segment, &self.shared, &self.path)?;
        let finished = self.segment.take().map_or(Ok(()), |segment| segment.finish().map(drop));
        self.check(finished)?;
        Ok(self.path.clone())
    }

    /// Finishes the segment and begins another. The finished one is durable before anything is in the next, so that what a
    /// crash loses is always at the journal's end.
    fn next_segment(&mut self) -> Result<(), StoreError> {
        let Some(full) = self.segment.take() else { return Ok(()) };
        let number = self.number.saturating_add(1);
        let next = full.finish().and_then(|_| begin(&self.disk, &self.folder, number, &self.repeated));
        let (segment, controls) = self.check(next)?;
        self.shared.replace(segment.shared(), segment.path().to_path_buf());
        self.path = segment.path().to_path_buf();
        (self.segment, self.number, self.controls) = (Some(segment), number, controls);
        Ok(())
    }

    /// The first failure is the last write.
    fn check<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|error| {
            self.shared.fail(error);
            self.segment = None;
        })
    }
}

impl Repeated {
    fn keep(&mut self, control: &Control) {
        match control {
            Control::Describe { robot, description } if self.descriptions.len() < REPEATED_MAX => {
                self.descriptions.insert((robot.clone(), description.stream.clone()), description.clone());
            }
            Control::Baseline { robot, stream, boot, next_seq } if self.baselines.len() < REPEATED_MAX => {
                // The earliest counts, as when the journal is read.
                let known = self.baselines.entry((robot.clone(), stream.clone(), *boot)).or_insert(*next_seq);
                *known = (*known).min(*next_seq);
            }
            _ => {}
        }
    }

    fn controls(&self) -> impl Iterator<Item = Control> {
        let described = self
            .descriptions
            .iter()
            .map(|((robot, _), description)| Control::Describe { robot: robot.clone(), description: description.clone() });
        let begun = self.baselines.iter().map(|((robot, stream, boot), next_seq)| Control::Baseline {
            robot: robot.clone(),
            stream: stream.clone(),
            boot: *boot,
            next_seq: *next_seq,
        });
        std::iter::once(Control::Start(self.start.clone())).chain(described).chain(begun)
    }
}

/// Makes a segment and its name durable, with the control records that every segment has; gives their number, too. It gets
/// its name when they are durable: a journal without its start is nobody's.
fn begin(disk: &Disk, folder: &Path, number: u32, repeated: &Repeated) -> Result<(Segment, u32), StoreError> {
    let path = folder.join(format!("{}.{number}.mcap", repeated.start.episode));
    let unnamed = folder.join(format!("{}.{number}.mcap{UNFINISHED}", repeated.start.episode));
    let mut segment = Segment::create(disk, &unnamed, path.clone())?;
    let mut count = 0;
    let begun = (|| {
        for control in repeated.controls() {
            write_control(&mut segment, &mut count, &control)?;
        }
        segment.flush().at("write", &path)?;
        segment.shared().sync_data().at("sync", &path)?;
        segment.name(disk)?;
        disk.sync_dir(folder)
    })();
    if begun.is_err() {
        // Nobody is told of it, and a full disk would leave one for every attempt.
        let left = if path.exists() { &path } else { &unnamed };
        let _ = disk.remove_file(left).and_then(|()| disk.sync_dir(folder));
    }
    begun.map(|()| (segment, count))
}

/// Adds a control record to the chunk and gives its length.
fn write_control(segment: &mut Segment, count: &mut u32, control: &Control) -> Result<u64, StoreError> {
    let text = serde_json::to_vec(control).map_err(|e| StoreError::damaged(segment.path(), e))?;
    if text.len() > Control::BYTES_MAX {
        let reason = format!("control record of {} bytes, at most {}", text.len(), Control::BYTES_MAX);
        return Err(StoreError::damaged(segment.path(), reason));
    }
    let now_ns = now_ns();
    let header = MessageHeader { channel: CONTROL_CHANNEL, sequence: *count, log_ns: now_ns, publish_ns: now_ns };
    *count = count.wrapping_add(1);
    segment.message(header, &text);
    Ok(text.len() as u64)
}

fn open<'a>(segment: &'a mut Option<Segment>, shared: &Shared, path: &Path) -> Result<&'a mut Segment, StoreError> {
    let stopped = |reason: &str| StoreError::WriterFailed { path: path.to_path_buf(), reason: reason.to_owned() };
    match (shared.failure(), segment) {
        (None, Some(segment)) => Ok(segment),
        (failure, _) => Err(stopped(failure.unwrap_or("finished"))),
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        if self.segment.is_some() {
            tracing::error!(path = %self.path.display(), "journal dropped before it was finished");
        }
    }
}

#[cfg(test)]
mod tests;
