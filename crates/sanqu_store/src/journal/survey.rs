use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mcap::records::Channel;
use sanqu_model::{EpisodeId, SeqRanges, StreamKey};
use sanqu_wire::SampleHeader;

use super::{HEADER_SUFFIX, reader};
use crate::control::CONTROL_TOPIC;
use crate::{Control, EpisodeStart, Store, StoreError};

/// What a journal that is not sealed holds: see [`survey`].
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The start record.
    pub start: EpisodeStart,
    /// End of the episode (exclusive, ns since the Unix epoch) and how it ended, when the journal was closed.
    pub stop: Option<(i64, String)>,
    /// All control records in order, also those that segments repeat.
    pub controls: Vec<Control>,
    /// The rows of each boot of each stream whose samples are whole. Samples without a header are not counted.
    pub rows: BTreeMap<(StreamKey, u64), SeqRanges>,
    /// Receive time of the last sample, ns since the Unix epoch.
    pub last_recv_ns: Option<i64>,
    /// Bytes behind the last whole record of each segment, which a crash cut off.
    pub torn_bytes: u64,
    /// Damaged parts in the middle of segments.
    pub bad_chunks: u64,
}

/// Reads what a journal that is not sealed holds, for a recorder that goes on after a crash. Only headers are kept, so that
/// memory grows with gaps and not with samples; a torn end is no error.
///
/// # Errors
/// [`StoreError::NoEpisode`] when the episode has no journal, [`StoreError::NoStart`] when the journal has no readable start
/// record, [`StoreError::Io`].
pub fn survey(store: &Store, episode: EpisodeId) -> Result<Survey, StoreError> {
    let mut segments = store.journals()?;
    segments.retain(|path| super::parse_path(path).is_some_and(|(of, _)| of == episode));
    let Some(first) = segments.first() else {
        return Err(StoreError::NoEpisode { root: store.root().to_path_buf(), wanted: episode.to_string() });
    };
    let (mut found, mut damage) = (Found::default(), reader::Damage::default());
    for path in &segments {
        found.roles.clear();
        damage.add(reader::read(path, &mut |message| {
            found.add(&message);
            Ok(())
        })?);
    }
    let start = found.controls.iter().find_map(|control| match control {
        Control::Start(start) => Some(start.clone()),
        _ => None,
    });
    let stop = found.controls.iter().rev().find_map(|control| match control {
        Control::Stop { stop_ns, ended_by } => Some((*stop_ns, ended_by.clone())),
        _ => None,
    });
    Ok(Survey {
        start: start.ok_or_else(|| StoreError::NoStart { path: first.clone() })?,
        stop,
        controls: found.controls,
        rows: found.rows,
        last_recv_ns: found.last_recv_ns,
        torn_bytes: damage.torn_bytes,
        bad_chunks: damage.bad_chunks + damage.orphans,
    })
}

/// What a channel's messages are.
#[derive(Clone, Debug)]
enum Role {
    Control,
    Header(Arc<StreamKey>),
    Payload(Arc<StreamKey>),
    Other,
}

#[derive(Default)]
struct Found {
    controls: Vec<Control>,
    rows: BTreeMap<(StreamKey, u64), SeqRanges>,
    last_recv_ns: Option<i64>,
    /// By channel number, with the channel that it was.
    roles: HashMap<u16, (Arc<Channel>, Role)>,
    /// The last header and its stream: a sample's payload follows its header at once.
    header: Option<(Arc<StreamKey>, Vec<u8>)>,
}

impl Found {
    fn add(&mut self, message: &reader::Message<'_>) {
        match self.role(message.channel) {
            Role::Control if message.data.len() <= Control::BYTES_MAX => {
                // One that cannot be read is counted when the episode is sealed.
                self.controls.extend(serde_json::from_slice::<Control>(message.data));
            }
            Role::Control | Role::Other => {}
            Role::Header(key) => self.header = Some((key, message.data.to_vec())),
            Role::Payload(key) => {
                self.last_recv_ns = self.last_recv_ns.max(Some(message.log_ns));
                let header = self.header.take().filter(|(of, _)| *of == key);
                let Some(Ok(header)) = header.map(|(_, bytes)| SampleHeader::decode_checked(&bytes, message.data)) else { return };
                self.rows.entry((StreamKey::clone(&key), header.boot)).or_default().insert(&(header.seq..header.next_seq()));
            }
        }
    }

    fn role(&mut self, channel: &Arc<Channel>) -> Role {
        if let Some((known, role)) = self.roles.get(&channel.id).filter(|(known, _)| Arc::ptr_eq(known, channel)) {
            debug_assert_eq!(known.topic, channel.topic);
            return role.clone();
        }
        let key = |topic: &str| topic.parse::<StreamKey>().ok().map(Arc::new);
        let role = match channel.topic.strip_suffix(HEADER_SUFFIX) {
            _ if channel.topic == CONTROL_TOPIC => Role::Control,
            Some(topic) => key(topic).map_or(Role::Other, Role::Header),
            None => key(&channel.topic).map_or(Role::Other, Role::Payload),
        };
        self.roles.insert(channel.id, (Arc::clone(channel), role.clone()));
        role
    }
}
