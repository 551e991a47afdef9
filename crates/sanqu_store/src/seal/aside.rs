//! `unparsed.mcap`: samples that were received and cannot be stored as what they claim to be.

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use mcap::records::MessageHeader;

use crate::StoreError;
use crate::disk::{Disk, DiskFile};
use crate::error::IoContext;
use crate::journal::{Contents, Entry, HEADER_SUFFIX, Index};

/// Appended to a topic for the channel that says why each sample is here.
const REASON_SUFFIX: &str = "#reason";

/// The file, made when there is something to keep.
pub(super) struct Unparsed {
    disk: Disk,
    path: PathBuf,
    writer: Option<mcap::Writer<BufWriter<DiskFile>>>,
    count: u32,
}

impl Unparsed {
    pub(super) fn new(disk: Disk, path: PathBuf) -> Self {
        Self { disk, path, writer: None, count: 0 }
    }

    /// Keeps a sample: payload, header bytes and reason in three channels, the n-th messages of which belong together.
    pub(super) fn keep(&mut self, topic: &str, index: &Index, entry: &Entry, reason: &str) -> Result<(), StoreError> {
        let (mut payload, attachment, name) = (Vec::new(), index.attachment(entry)?, index.encoding(entry));
        index.payload(entry, &mut payload)?;
        let path = self.path.clone();
        let bad = |e: mcap::McapError| write_error(&path, e);
        if self.writer.is_none() {
            let file = self.disk.create(&path)?;
            let options = mcap::WriteOptions::new().compression(None).profile("sanqu").library("sanqu_store");
            self.writer = Some(options.create(BufWriter::new(file)).map_err(bad)?);
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let meta = BTreeMap::from([("encoding".to_owned(), name.to_owned())]);
        let header = format!("{topic}{HEADER_SUFFIX}");
        let why = format!("{topic}{REASON_SUFFIX}");
        let parts: [(&str, &str, &[u8]); 3] =
            [(&header, "sanqu-header", &attachment), (&why, "text", reason.as_bytes()), (topic, name, &payload)];
        for (topic, encoding, data) in parts {
            let channel_id = writer.add_channel(0, topic, encoding, &meta).map_err(bad)?;
            let (log_time, publish_time) = (entry.recv_ns.cast_unsigned(), entry.publish_ns.cast_unsigned());
            let message = MessageHeader { channel_id, sequence: self.count, log_time, publish_time };
            writer.write_to_known_channel(&message, data).map_err(bad)?;
        }
        self.count = self.count.wrapping_add(1);
        Ok(())
    }

    /// Closes the file, if there is one, and makes it durable.
    pub(super) fn finish(self) -> Result<Option<PathBuf>, StoreError> {
        let Some(mut writer) = self.writer else { return Ok(None) };
        writer.finish().map_err(|e| write_error(&self.path, e))?;
        let file = writer.into_inner().into_inner().map_err(|e| e.into_error()).at("write", &self.path)?;
        file.sync_all().at("sync", &self.path)?;
        Ok(Some(self.path))
    }

    /// Reads the file back and compares the number of samples.
    pub(super) fn compare(path: &Path, count: u64) -> Result<(), StoreError> {
        let contents = Contents::read(path)?;
        let found: u64 = contents.topics.values().map(|(samples, _)| samples).sum();
        if contents.damage == Default::default() && found == count {
            return Ok(());
        }
        Err(StoreError::ReadBack { path: path.to_path_buf(), reason: format!("{found} samples instead of {count}, {:?}", contents.damage) })
    }
}

/// MCAP wraps the system's errors; a full disk must still be told from damage.
fn write_error(path: &Path, error: mcap::McapError) -> StoreError {
    match error {
        mcap::McapError::Io(source) => StoreError::Io { path: path.to_path_buf(), action: "write", source },
        other => StoreError::damaged(path, other),
    }
}
