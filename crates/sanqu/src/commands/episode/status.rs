//! A station's status for people.

use sanqu_model::{display_local, now_ns};
use sanqu_record::{ControlReply, EpisodeProgress, LastEpisode, Light, StationState, StationStatus};

use crate::table::{bytes, seconds, table};

/// Everything about a station: state, last episode, robots and their streams.
pub(super) fn text(station: &StationStatus, reply: &ControlReply) -> String {
    let mut lines = vec![format!("station {}: {}", station.station, state(station))];
    lines.extend(station.last.iter().map(last_line));
    lines.extend(reply.lamps.iter().map(|lamp| format!("{} {:8} {}", light(lamp.light), lamp.stage, lamp.text)));
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

/// A word beside the colour that a terminal may not show.
fn light(light: Light) -> &'static str {
    match light {
        Light::Green => "ok   ",
        Light::Yellow => "LOOK ",
        Light::Red => "ALARM",
    }
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
