use sanqu_model::{Id, now_ns};
use serde::{Deserialize, Serialize};

use crate::{EpisodeProgress, StationState, StationStatus};

/// How a stage of the recording is, as a lamp shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// As it should be.
    Green,
    /// Look at it.
    Yellow,
    /// Data is being lost, or soon will be.
    Red,
}

/// One stage's lamp with the reason, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lamp {
    /// `robots`, `network`, `queue`, `journal`, `seal` or `space`.
    pub stage: String,
    /// Its colour.
    pub light: Light,
    /// Why.
    pub text: String,
}

/// A robot whose newest sample is younger than this is heard.
const FRESH_NS: u64 = 2_000_000_000;
/// A queue that holds more than this is behind.
const QUEUE_BYTES_HIGH: usize = 8 << 20;
/// A lag to the journal's file beyond this means that the disk or the processor does not keep up.
const WRITTEN_LAG_HIGH_NS: u64 = 300_000_000;
/// Seals that wait before somebody should look.
const SEALING_HIGH: usize = 8;
const MINUTES_YELLOW: u64 = 60;
const MINUTES_RED: u64 = 10;
const FREE_BYTES_YELLOW: u64 = 10 << 30;
const FREE_BYTES_RED: u64 = 1 << 30;

/// The room that is left where the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Free bytes; none when the system does not say.
    pub free_bytes: Option<u64>,
    /// Minutes of recording that these are enough for; none while nothing is recorded.
    pub minutes_left: Option<u64>,
}

/// The lamps of a station where the robots `expected` stand, from the first stage to the last.
pub fn lamps(station: &StationStatus, expected: &[Id], room: Room) -> Vec<Lamp> {
    let stages = [
        ("robots", robots(station, expected)),
        ("network", network(station)),
        ("queue", queue(station)),
        ("journal", journal(station)),
        ("seal", seal(station)),
        ("space", space(room)),
    ];
    stages.into_iter().map(|(stage, (light, text))| Lamp { stage: stage.to_owned(), light, text }).collect()
}

/// The robots of `expected` that were never heard, or from which nothing came for a second or so.
pub fn silent<'a>(expected: &'a [Id], station: Option<&'a StationStatus>) -> impl Iterator<Item = &'a Id> {
    let heard = move |id: &Id| {
        let robot = station.and_then(|station| station.robots.iter().find(|robot| robot.robot == *id));
        // The rate is 0 during a robot's first second; the receive time is the recorder's, whose clock may not be ours.
        let fresh = |recv_ns: i64| now_ns().abs_diff(recv_ns) < FRESH_NS;
        robot.is_some_and(|robot| robot.streams.iter().any(|stream| stream.rate_hz > 0.0 || fresh(stream.last_recv_ns)))
    };
    expected.iter().filter(move |id| !heard(id))
}

fn robots(station: &StationStatus, expected: &[Id]) -> (Light, String) {
    let silent: Vec<String> = silent(expected, Some(station)).map(ToString::to_string).collect();
    if silent.is_empty() {
        return (Light::Green, format!("{} heard", expected.len()));
    }
    // Before a start nothing is lost yet.
    let light = if station.state == StationState::Idle { Light::Yellow } else { Light::Red };
    (light, format!("not heard: {}", silent.join(", ")))
}

fn network(station: &StationStatus) -> (Light, String) {
    let streams = || station.robots.iter().flat_map(|robot| &robot.streams);
    let missing = streams().map(|stream| stream.missing).fold(0, u64::saturating_add);
    let unnumbered = streams().filter(|stream| stream.unnumbered > 0).count();
    let again = &station.figures.resend;
    let mut text = format!("{missing} rows missing so far");
    if again.asked_rows > 0 {
        text.push_str(&format!(", {} of {} asked for came again", again.got_rows, again.asked_rows));
    }
    if unnumbered > 0 {
        text.push_str(&format!(", {unnumbered} streams without sequence numbers"));
    }
    (if missing > 0 || unnumbered > 0 { Light::Yellow } else { Light::Green }, text)
}

fn queue(station: &StationStatus) -> (Light, String) {
    let figures = &station.figures;
    let waiting = format!("{} samples ({} KiB) wait", figures.queue_samples, figures.queue_bytes >> 10);
    if figures.queue_bytes > QUEUE_BYTES_HIGH {
        return (Light::Red, format!("{waiting}: the recorder does not keep up"));
    }
    match station.refused_samples {
        0 => (Light::Green, waiting),
        refused => (Light::Yellow, format!("{waiting}; {refused} samples were refused since the recorder began")),
    }
}

fn journal(station: &StationStatus) -> (Light, String) {
    if let Some(problem) = &station.problem {
        return (Light::Red, format!("{problem} ({} samples not written)", station.unwritten_samples));
    }
    let figures = &station.figures;
    let ms = |ns: u64| ns / 1_000_000;
    let text = format!(
        "written after {} ms, durable after {} ms, fdatasync {} ms (99 of 100)",
        ms(figures.written_lag.p99_ns),
        ms(figures.durable_lag.p99_ns),
        ms(figures.sync.p99_ns)
    );
    match (figures.written_lag.count, figures.written_lag.p99_ns) {
        (0, _) => (Light::Green, "nothing was written so far".to_owned()),
        (_, lag_ns) if lag_ns > WRITTEN_LAG_HIGH_NS => (Light::Yellow, text),
        _ => (Light::Green, text),
    }
}

fn seal(station: &StationStatus) -> (Light, String) {
    match &station.last {
        Some(last) if last.progress == EpisodeProgress::SealFailed => {
            (Light::Red, format!("episode {} could not be sealed; its journal is kept", last.episode))
        }
        _ if station.sealing > SEALING_HIGH => (Light::Yellow, format!("{} episodes wait", station.sealing)),
        Some(last) if last.lost > 0 || last.open_ended => {
            let more = if last.open_ended { " or more" } else { "" };
            (Light::Yellow, format!("the last episode lost {}{more} rows", last.lost))
        }
        _ => (Light::Green, format!("{} wait", station.sealing)),
    }
}

fn space(room: Room) -> (Light, String) {
    let Some(free) = room.free_bytes else { return (Light::Yellow, "the system does not say how much is free".to_owned()) };
    let light = match (room.minutes_left, free) {
        (Some(minutes), _) if minutes < MINUTES_RED => Light::Red,
        (_, free) if free < FREE_BYTES_RED => Light::Red,
        (Some(minutes), _) if minutes < MINUTES_YELLOW => Light::Yellow,
        (_, free) if free < FREE_BYTES_YELLOW => Light::Yellow,
        _ => Light::Green,
    };
    let gib = format!("{} GiB free", free >> 30);
    (light, room.minutes_left.map_or(gib.clone(), |minutes| format!("{gib}, enough for {minutes} minutes at the present rate")))
}

#[cfg(test)]
mod tests {
    use sanqu_model::EpisodeId;

    use super::*;
    use crate::LastEpisode;
    use crate::testing::station_status;

    #[track_caller]
    fn check(station: &StationStatus, room: Room, stage: &str, light: Light, part: &str) {
        let robot = Id::new("robot", "kuavo-01").unwrap();
        let lamps = lamps(station, &[robot], room);
        let lamp = lamps.iter().find(|lamp| lamp.stage == stage).unwrap();
        assert_eq!(lamp.light, light, "{lamp:?}");
        assert!(lamp.text.contains(part), "{lamp:?} should say {part:?}");
    }

    #[test]
    fn lamps_turn_red_where_data_is_at_risk() {
        let room = Room { free_bytes: Some(100 << 30), minutes_left: None };
        let mut station = station_status("a01");
        check(&station, room, "robots", Light::Yellow, "not heard: kuavo-01");
        check(&station, room, "journal", Light::Green, "nothing");
        check(&station, room, "space", Light::Green, "100 GiB");
        check(&station, Room { minutes_left: Some(59), ..room }, "space", Light::Yellow, "59 minutes");
        check(&station, Room { minutes_left: Some(3), ..room }, "space", Light::Red, "3 minutes");
        check(&station, Room { free_bytes: Some(1), minutes_left: None }, "space", Light::Red, "0 GiB");
        check(&station, Room::default(), "space", Light::Yellow, "does not say");
        station.state = StationState::Failed;
        station.problem = Some("disk full".to_owned());
        check(&station, room, "robots", Light::Red, "kuavo-01");
        check(&station, room, "journal", Light::Red, "disk full");
        station.figures.queue_bytes = 64 << 20;
        check(&station, room, "queue", Light::Red, "does not keep up");
        station.figures.queue_bytes = 0;
        station.refused_samples = 3;
        check(&station, room, "queue", Light::Yellow, "3 samples were refused");
        let mut last = LastEpisode {
            episode: EpisodeId::new(0, 0),
            progress: EpisodeProgress::Sealed,
            rows: 1,
            lost: 2,
            open_ended: true,
            problem: None,
        };
        station.last = Some(last.clone());
        check(&station, room, "seal", Light::Yellow, "2 or more rows");
        last.progress = EpisodeProgress::SealFailed;
        station.last = Some(last);
        check(&station, room, "seal", Light::Red, "could not be sealed");
    }
}
