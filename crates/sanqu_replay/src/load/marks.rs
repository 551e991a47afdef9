//! What an episode's files say about instants of it.

use sanqu_store::{DecisionKind, Episode};

use crate::ReplayError;
use crate::mark::{Mark, MarkKind};

/// Events, decisions and the end of an episode, on a timeline that is `shift_ns` behind its capture times.
pub(super) fn read(episode: &Episode, shift_ns: i64) -> Result<Vec<Mark>, ReplayError> {
    let manifest = episode.manifest();
    let mut marks = vec![Mark { t_ns: manifest.stop_ns, kind: MarkKind::Seal, text: format!("sealed ({})", manifest.ended_by) }];
    for event in episode.events()? {
        let text = if event.text.is_empty() { event.name } else { format!("{}: {}", event.name, event.text) };
        marks.push(Mark { t_ns: event.t_ns, kind: MarkKind::Event, text });
    }
    for decision in episode.decisions()? {
        let what = match decision.kind {
            DecisionKind::Keep => "keep",
            DecisionKind::Discard => "discard",
            DecisionKind::Undo => "undo",
            DecisionKind::Outcome => "outcome",
        };
        let text = if decision.reason.is_empty() { what.to_owned() } else { format!("{what}: {}", decision.reason) };
        marks.push(Mark { t_ns: decision.at_ns, kind: MarkKind::Decision, text });
    }
    for mark in &mut marks {
        mark.t_ns = mark.t_ns.saturating_sub(shift_ns);
    }
    Ok(marks)
}
