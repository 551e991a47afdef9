//! What an episode's files say about instants of it.

use arrow_array::cast::AsArray;
use sanqu_model::{RUN, SEQ, StreamEntry, StreamKind, T, VIDEO_DATA};
use sanqu_store::{DecisionKind, Episode};
use sanqu_wire::ENCODING_JSON;

use super::rows::unfit;
use crate::ReplayError;
use crate::mark::{EVENT_MARKS_MAX, Mark, MarkKind};

/// Events, decisions and the end of an episode, on a timeline that is `shift_ns` behind its capture times.
pub(super) fn read(episode: &Episode, shift_ns: i64, warnings: &mut Vec<String>) -> Result<Vec<Mark>, ReplayError> {
    let manifest = episode.manifest();
    let mut marks = vec![Mark { t_ns: manifest.stop_ns, kind: MarkKind::Seal, text: format!("sealed ({})", manifest.ended_by) }];
    for event in episode.events()? {
        let text = if event.text.is_empty() { event.name } else { format!("{}: {}", event.name, event.text) };
        marks.push(Mark { t_ns: event.t_ns, kind: MarkKind::Event, text });
    }
    let said = |stream: &&StreamEntry| stream.stream.kind() == StreamKind::Event && stream.encoding == ENCODING_JSON && stream.rows > 0;
    for stream in manifest.streams.iter().filter(said) {
        marks.extend(said_by_robot(episode, stream, warnings)?);
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

/// What a robot said itself, in a stream of its own.
fn said_by_robot(episode: &Episode, stream: &StreamEntry, warnings: &mut Vec<String>) -> Result<Vec<Mark>, ReplayError> {
    let mut marks = Vec::new();
    for batch in episode.read(stream, Some(&[T, SEQ, RUN, VIDEO_DATA]))? {
        let batch = batch?;
        let words = batch.column_by_name(VIDEO_DATA).and_then(|column| column.as_string_opt::<i32>());
        let words = words.ok_or_else(|| unfit(stream, format!("expected a column {VIDEO_DATA} of text")))?;
        let times = episode.field_times(stream, &batch)?;
        let room = EVENT_MARKS_MAX - marks.len();
        let said = times.into_iter().zip(words).map(|(t_ns, words)| Mark::of_robot(&stream.robot, t_ns, words.unwrap_or_default()));
        marks.extend(said.take(room));
        if batch.num_rows() > room {
            let (robot, name, rows) = (&stream.robot, &stream.stream, stream.rows);
            warnings.push(format!("{robot}: {name} has {rows} rows: the first {EVENT_MARKS_MAX} are marked on the timeline"));
            break;
        }
    }
    Ok(marks)
}
