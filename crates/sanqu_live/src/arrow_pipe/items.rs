//! From a sample to an item of the pipe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sanqu_ingest::Received;
use sanqu_model::{Id, StreamDescription, StreamKey, StreamKind};
use sanqu_wire::SampleHeader;
use sanqu_wire::pipe::{PipeItem, PipeKind};

use super::clock::FieldClock;
use crate::queue::{Queue, is_keyframe};

/// The longest encoding that is passed on, bytes.
const ENCODING_BYTES_MAX: usize = 256;

/// What is remembered from one sample to the next.
#[derive(Default)]
pub(super) struct Items {
    clocks: BTreeMap<Id, FieldClock>,
    /// Of each stream: drops that were told.
    told: BTreeMap<Arc<StreamKey>, u64>,
    troubled: BTreeSet<Arc<StreamKey>>,
    pub(super) unreadable: u64,
}

impl Items {
    /// The item of a sample; of one that cannot be passed on, what is wrong with it, the first time in a stream.
    pub(super) fn of(&mut self, sample: Received, queue: &Queue) -> Option<PipeItem> {
        let header = match sample.attachment.is_empty() {
            true => None,
            false => match SampleHeader::decode_checked(&sample.attachment, &sample.payload) {
                Ok(header) => Some(header),
                Err(error) => return self.trouble(&sample, error.to_string()),
            },
        };
        if sample.encoding.len() > ENCODING_BYTES_MAX {
            let reason = format!("encoding of {} bytes, expected at most {ENCODING_BYTES_MAX}", sample.encoding.len());
            return self.trouble(&sample, reason);
        }
        let dropped = queue.dropped_of(&sample.key);
        let told = self.told.insert(Arc::clone(&sample.key), dropped).unwrap_or(0);
        let clock = self.clocks.entry(sample.key.robot.clone()).or_default();
        if let Some(header) = header.filter(|_| !sample.key.stream.kind().is_picture()) {
            clock.hear(header.capture_ns, sample.recv_ns);
        }
        Some(PipeItem {
            kind: PipeKind::Sample,
            robot: Some(sample.key.robot.clone()),
            stream: Some(sample.key.stream.clone()),
            encoding: sample.encoding.to_string(),
            boot: header.map(|header| header.boot),
            seq: header.map(|header| header.seq),
            rows: header.map_or(0, |header| header.rows),
            keyframe: sample.key.stream.kind() == StreamKind::Camera && is_keyframe(&sample),
            t_ns: header.map_or(sample.recv_ns, |header| header.capture_ns),
            recv_ns: sample.recv_ns,
            shift_ns: clock.shift_ns(),
            dropped: dropped.saturating_sub(told),
            payload: sample.payload.to_vec(),
        })
    }

    fn trouble(&mut self, sample: &Received, reason: String) -> Option<PipeItem> {
        self.unreadable += 1;
        self.troubled.insert(Arc::clone(&sample.key)).then(|| PipeItem {
            kind: PipeKind::Trouble,
            robot: Some(sample.key.robot.clone()),
            stream: Some(sample.key.stream.clone()),
            recv_ns: sample.recv_ns,
            payload: reason.into_bytes(),
            ..PipeItem::default()
        })
    }
}

/// The item of a stream's description: its rate and facts, a line each. Facts that do not fit a line are left out.
pub(super) fn described(robot: Id, description: StreamDescription) -> PipeItem {
    let mut lines = format!("rate_hz={}\n", description.rate_hz);
    for (name, text) in description.facts.iter().filter(|(name, text)| !name.contains(['=', '\n']) && !text.contains('\n')) {
        lines.push_str(&format!("{name}={text}\n"));
    }
    PipeItem {
        kind: PipeKind::Described,
        robot: Some(robot),
        stream: Some(description.stream),
        encoding: description.encoding.chars().take(ENCODING_BYTES_MAX).collect(),
        payload: lines.into_bytes(),
        ..PipeItem::default()
    }
}
