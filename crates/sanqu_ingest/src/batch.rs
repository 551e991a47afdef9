use std::sync::Arc;

use bytes::Bytes;
use sanqu_model::StreamKey;

use crate::Received;

/// Samples in order of arrival, with their bytes side by side in one piece of memory: taking, holding and forgetting them
/// costs nothing per sample.
#[derive(Debug, Default)]
pub struct Batch {
    slots: Vec<Slot>,
    bytes: Vec<u8>,
}

/// Where a sample lies.
#[derive(Debug)]
pub(crate) struct Slot {
    key: Arc<StreamKey>,
    encoding: Arc<str>,
    recv_ns: i64,
    /// Begin of the attachment, begin and end of the payload.
    at: [usize; 3],
    resent: bool,
}

/// One sample of a [`Batch`], as it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// The stream.
    pub key: &'a Arc<StreamKey>,
    /// The payload's encoding, as the publisher wrote it.
    pub encoding: &'a Arc<str>,
    /// The sample header's 48 bytes, unchecked; empty when there was none.
    pub attachment: &'a [u8],
    /// The payload, unchecked.
    pub payload: &'a [u8],
    /// When it arrived here, ns since the Unix epoch.
    pub recv_ns: i64,
    /// Whether it was asked for again: then it is late and says nothing about what is being sent now.
    pub resent: bool,
}

impl Arrived<'_> {
    /// A copy that stands by itself.
    pub fn to_received(self) -> Received {
        Received {
            key: Arc::clone(self.key),
            encoding: Arc::clone(self.encoding),
            attachment: Bytes::copy_from_slice(self.attachment),
            payload: Bytes::copy_from_slice(self.payload),
            recv_ns: self.recv_ns,
        }
    }
}

impl Batch {
    /// An empty one that takes so many bytes before it grows.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self { slots: Vec::new(), bytes: Vec::with_capacity(bytes) }
    }

    /// How many bytes it takes before it grows.
    pub(crate) fn room(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn push<'a>(&mut self, sample: &Arrived<'_>, pieces: impl Iterator<Item = &'a [u8]>) {
        let attachment_at = self.bytes.len();
        self.bytes.extend_from_slice(sample.attachment);
        let payload_at = self.bytes.len();
        pieces.for_each(|piece| self.bytes.extend_from_slice(piece));
        self.slots.push(Slot {
            key: Arc::clone(sample.key),
            encoding: Arc::clone(sample.encoding),
            recv_ns: sample.recv_ns,
            at: [attachment_at, payload_at, self.bytes.len()],
            resent: sample.resent,
        });
    }

    /// The samples in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Arrived<'_>> {
        self.slots.iter().map(|slot| Arrived {
            key: &slot.key,
            encoding: &slot.encoding,
            attachment: &self.bytes[slot.at[0]..slot.at[1]],
            payload: &self.bytes[slot.at[1]..slot.at[2]],
            recv_ns: slot.recv_ns,
            resent: slot.resent,
        })
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The memory that the samples use, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.slots.len() * size_of::<Slot>()
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.bytes.clear();
    }
}
