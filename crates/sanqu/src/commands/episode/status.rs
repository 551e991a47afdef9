//! A station's status for people.

use sanqu_model::{FieldConfig, Id, display_local, now_ns};
use sanqu_record::{ControlReply, EpisodeProgress, LastEpisode, StationState, StationStatus};

use crate::table::{bytes, seconds, table};

/// A robot whose newest sample is younger than this is heard.
const FRESH_NS: u64 = 2_000_000_000;

/// Everything about a station: state, last episode, robots and their streams.
pub(super) fn text(station: &StationStatus, reply: &ControlReply, field: &FieldConfig) -> String {
    let mut lines = vec![format!("station {}: {}", station.station, state(station))];
    lines.extend(station.problem.iter().map(|problem| format!("problem: {problem} ({} samples not written)", station.unwritten_samples)));
    if station.refused_samples > 0 {
        lines.push(format!("refused: {} samples did not fit into the recorder's queue", station.refused_samples));
    }
    lines.extend(station.last.iter().map(last_line));
    let expected = field.station(&station.station).map(|found| found.station.robots.clone()).unwrap_or_default();
    lines.extend(silent(&expected, Some(station)).map(|robot| format!("robot {robot}: not heard")));
    for robot in &reply.refused_robots {
        lines.push(format!("robot {}: heard, not recorded ({} samples): {}", robot.robot, robot.samples, robot.reason));
    }
    let rows = station.robots.iter().flat_map(|robot| {
        robot.streams.iter().map(|stream| {
            vec![
                robot.robot.to_string(),
                stream.stream.to_string(),
                format!("{:.1} Hz", stream.rate_hz),
                stream.rows.to_string(),
                if stream.unnumbered > 0 { "unknown".to_owned() } else { stream.missing.to_string() },
                bytes(stream.bytes),
            ]
        })
    });
    let header = ["robot", "stream", "rate now", "rows heard", "missing", "size"];
    let streams = table(&header, &["rate now", "rows heard", "missing", "size"], rows);
    if streams.row_count() > 0 {
        lines.push(streams.to_string());
    }
    lines.join("\n")
}

fn state(station: &StationStatus) -> String {
    let word = match station.state {
        StationState::Idle => "idle",
        StationState::Recording => "recording",
        StationState::Stopping => "stopping",
        StationState::Failed => "open, but nothing can be written",
    };
    let mut text = word.to_owned();
    if let (Some(episode), Some(start_ns)) = (station.episode, station.start_ns) {
        let length = seconds(now_ns().saturating_sub(start_ns).max(0));
        text.push_str(&format!(" episode {episode} since {} ({length}), {}", display_local(start_ns), bytes(station.journal_bytes)));
    }
    for (what, id) in [("task", &station.task), ("operator", &station.operator)] {
        text.extend(id.iter().map(|id| format!(", {what} {id}")));
    }
    text
}

/// How the last episode ended.
pub(super) fn last_line(last: &LastEpisode) -> String {
    let problem = last.problem.as_ref().map(|problem| format!("; {problem}")).unwrap_or_default();
    match last.progress {
        EpisodeProgress::Sealing => format!("episode {}: being sealed{problem}", last.episode),
        EpisodeProgress::Sealed if last.rows == 0 => format!("episode {}: sealed, without a single row{problem}", last.episode),
        EpisodeProgress::Sealed => {
            let lost = match (last.lost, last.open_ended) {
                (0, false) => "none known to be lost".to_owned(),
                (0, true) => "an unknown number lost at the end".to_owned(),
                (lost, false) => format!("{lost} lost"),
                (lost, true) => format!("{lost} or more lost"),
            };
            format!("episode {}: sealed, {} rows, {lost}{problem}", last.episode, last.rows)
        }
        EpisodeProgress::SealFailed => format!("episode {}: not sealed{problem}", last.episode),
    }
}

/// The robots of a station that were never heard, or from which nothing came for a second or so.
pub(super) fn silent<'a>(expected: &'a [Id], station: Option<&'a StationStatus>) -> impl Iterator<Item = &'a Id> {
    let heard = move |id: &Id| {
        let robot = station.and_then(|station| station.robots.iter().find(|robot| robot.robot == *id));
        // The rate is 0 during a robot's first second; the receive time is the recorder's, whose clock may not be ours.
        let fresh = |recv_ns: i64| now_ns().abs_diff(recv_ns) < FRESH_NS;
        robot.is_some_and(|robot| robot.streams.iter().any(|stream| stream.rate_hz > 0.0 || fresh(stream.last_recv_ns)))
    };
    expected.iter().filter(move |id| !heard(id))
}

#[cfg(test)]
mod tests {
    use sanqu_model::EpisodeId;

    use super::*;

    #[test]
    fn the_last_episode_is_one_sentence() {
        let episode = EpisodeId::new(0, 0);
        let line = |progress, rows, lost| last_line(&LastEpisode { episode, progress, rows, lost, open_ended: lost == 7, problem: None });
        assert!(line(EpisodeProgress::Sealing, 0, 0).ends_with("being sealed"));
        assert!(line(EpisodeProgress::Sealed, 5, 0).ends_with("5 rows, none known to be lost"));
        assert!(line(EpisodeProgress::Sealed, 5, 2).ends_with("5 rows, 2 lost"));
        assert!(line(EpisodeProgress::Sealed, 5, 7).ends_with("5 rows, 7 or more lost"));
        assert!(line(EpisodeProgress::Sealed, 0, 0).ends_with("without a single row"));
    }
}
