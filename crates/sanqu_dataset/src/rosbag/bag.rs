//! A ROS 1 bag: its topics and its messages in file order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::rosbag::{ChunkRecord, IndexRecord, MessageRecord, RosBag};
use sanqu_wire::ros1::MessageLayout;

use super::structure;
use crate::DatasetError;
use crate::outside::sha256;

/// Topics of one bag.
const TOPICS_MAX: usize = 4096;

/// A connection: one publisher's messages on one topic.
#[derive(Debug)]
pub(super) struct Connection {
    /// The topic.
    pub(super) topic: String,
    /// `kuavo_msgs/sensorsData`.
    pub(super) message_type: String,
    /// How to read its messages; an error text when the definition cannot be understood.
    pub(super) layout: Result<MessageLayout, String>,
}

/// An opened bag whose outer structure has been checked.
pub(super) struct Bag {
    /// The file.
    pub(super) path: PathBuf,
    /// The file's name.
    pub(super) name: String,
    /// SHA-256 of the file, lower-case hex.
    pub(super) sha256: String,
    /// Connections by their number in the bag.
    pub(super) connections: BTreeMap<u32, Connection>,
    chunks: Vec<u64>,
    bag: RosBag,
}

/// A message as it lies in the bag.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawMessage<'a> {
    /// Its connection.
    pub(super) connection: u32,
    /// When the recording computer received it, ns since the Unix epoch.
    pub(super) recv_ns: i64,
    /// Its bytes.
    pub(super) data: &'a [u8],
}

impl Bag {
    /// Opens a bag.
    ///
    /// # Errors
    /// [`DatasetError::Bag`] naming the byte where the bag is damaged; [`DatasetError::Io`].
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let structure = structure::check(path)?;
        let bag = RosBag::new(path).map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
        let bad = |reason: String| DatasetError::Bag { path: path.to_owned(), offset: 0, reason };
        let mut connections = BTreeMap::new();
        for record in bag.index_records() {
            let IndexRecord::Connection(found) = record.map_err(|e| bad(format!("index: {e}")))? else { continue };
            let layout = MessageLayout::parse(found.tp, found.message_definition).map_err(|e| e.to_string());
            let connection = Connection { topic: found.storage_topic.to_owned(), message_type: found.tp.to_owned(), layout };
            connections.insert(found.id, connection);
            if connections.len() > TOPICS_MAX {
                return Err(bad(format!("more than {TOPICS_MAX} connections")));
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, sha256: sha256(path)?, connections, chunks: structure.chunks, bag })
    }

    /// Gives every message to `each`, in file order.
    ///
    /// # Errors
    /// Those of `each`; [`DatasetError::Bag`] naming the chunk that cannot be read.
    pub(super) fn messages(&self, each: &mut dyn FnMut(RawMessage<'_>) -> Result<(), DatasetError>) -> Result<(), DatasetError> {
        let mut chunks = self.chunks.iter();
        for record in self.bag.chunk_records() {
            let offset = if matches!(record, Ok(ChunkRecord::IndexData(_))) { None } else { chunks.next() };
            let offset = offset.copied().unwrap_or_default();
            let bad = |reason: String| DatasetError::Bag { path: self.path.clone(), offset, reason };
            let ChunkRecord::Chunk(chunk) = record.map_err(|e| bad(e.to_string()))? else { continue };
            for message in chunk.messages() {
                let MessageRecord::MessageData(message) = message.map_err(|e| bad(format!("in this chunk: {e}")))? else { continue };
                if !self.connections.contains_key(&message.conn_id) {
                    return Err(bad(format!("in this chunk: a message of connection {}, which the index does not have", message.conn_id)));
                }
                let recv_ns = i64::try_from(message.time).map_err(|_| bad(format!("in this chunk: time {} ns", message.time)))?;
                each(RawMessage { connection: message.conn_id, recv_ns, data: message.data })?;
            }
        }
        Ok(())
    }
}
