//! What a robot was commanded, as a track beside its measured joints.

use std::sync::Arc;

use sanqu_model::StreamEntry;

use super::rows::{Streams, joints};
use super::{LoadOptions, Source, lanes, open};
use crate::ReplayError;
use crate::replay::RobotRecord;
use crate::track::Track;
use crate::windows::WindowCache;

/// The stream of targets, and the quantity of it that joints are measured in, too.
const COMMAND: &str = "command";
const POSITION: &str = "pos";

/// A robot's commanded positions.
pub(crate) enum CommandTrack {
    /// In the order of its model's joints.
    Found(Box<Track>),
    /// There are none, and why.
    None(String),
}

/// Reads the commands of a robot that [`super::load`] has loaded from one of the episodes of `options`.
pub(crate) fn command_track(options: &LoadOptions, record: &RobotRecord, cache: &Arc<WindowCache>) -> Result<CommandTrack, ReplayError> {
    for name in &options.episodes {
        let (store, episode) = open(name, options.store.as_deref())?;
        if episode.manifest().episode.to_string() != record.episode {
            continue;
        }
        let mine = || episode.manifest().streams.iter().filter(|stream| stream.robot == record.robot && stream.rows > 0);
        let Some(stream) = mine().find(|stream| stream.stream.as_str() == COMMAND) else {
            let streams: Vec<String> = mine().map(|stream| stream.stream.to_string()).collect();
            return Ok(CommandTrack::None(format!("no rows in a stream {COMMAND:?}; its streams are {}", streams.join(", "))));
        };
        let Some(commanded) = unit(stream) else {
            let quantities: Vec<&str> = stream.quantities.iter().map(|quantity| quantity.name.as_str()).collect();
            return Ok(CommandTrack::None(format!("its commands have no quantity {POSITION:?}, but {}", quantities.join(", "))));
        };
        let measured = episode.stream(&record.robot, "joint").and_then(unit).unwrap_or_default();
        if !commanded.is_empty() && !measured.is_empty() && commanded != measured {
            return Ok(CommandTrack::None(format!("positions are measured in {measured:?}, but commanded in {commanded:?}")));
        }
        let Some(entry) = episode.manifest().robots.iter().find(|entry| entry.robot == record.robot) else { continue };
        let ledger = episode.loss()?;
        let source = Source { store: store.as_ref(), episode: &episode, entry, ledger: &ledger, options, cache };
        let times = Streams::from([(COMMAND.to_owned(), lanes::read(&episode, stream, &ledger)?)]);
        let track = joints(&source, stream, &times, (&record.model, record.track.rest().to_vec()))?;
        return Ok(CommandTrack::Found(Box::new(track)));
    }
    Ok(CommandTrack::None(format!("episode {} is not there any more", record.episode)))
}

fn unit(stream: &StreamEntry) -> Option<&str> {
    stream.quantities.iter().find(|quantity| quantity.name == POSITION).map(|quantity| quantity.unit.as_str())
}
