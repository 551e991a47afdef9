use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EpisodeId, Id, LossTotals, Quantity, StreamName};

/// The store format that this program writes. Every version ever released stays readable.
pub const FORMAT_VERSION: u32 = 1;

/// 64-bit integers travel as strings, because JSON readers keep 53 bits.
mod text {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }

    pub(super) mod option {
        use super::{Deserialize, Deserializer, Display, FromStr, Serializer};

        pub(in super::super) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => serializer.collect_str(value),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<T>, D::Error> {
            Option::<String>::deserialize(deserializer)?.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
        }
    }
}

/// `manifest.json`: what was recorded. Written last and never changed; an episode exists when this file exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT_VERSION`] of the writer.
    pub format_version: u32,
    /// The episode.
    pub episode: EpisodeId,
    /// The field.
    pub field: Id,
    /// The zone, if the station is in one.
    pub zone: Option<Id>,
    /// The station.
    pub station: Id,
    /// The task.
    pub task: Option<Id>,
    /// The task's prompt in English, as it was at recording time: what LeRobot calls `task`.
    pub prompt: String,
    /// The operator's pseudonym.
    pub operator: Option<Id>,
    /// The robots, sorted by id.
    pub robots: Vec<RobotEntry>,
    /// First instant of the episode (inclusive), ns.
    #[serde(with = "text")]
    pub start_ns: i64,
    /// End of the episode (exclusive), ns.
    #[serde(with = "text")]
    pub stop_ns: i64,
    /// Where the rows kept before `start_ns` may begin, ns; rows outside `start_ns..stop_ns` are pre-roll or post-roll.
    #[serde(with = "text")]
    pub pre_roll_ns: i64,
    /// How the recording ended: `stop` (asked for), `recovered` (by repair after a crash), `import`.
    pub ended_by: String,
    /// The streams, sorted by robot and name.
    pub streams: Vec<StreamEntry>,
    /// Files that belong to no single stream: `events.parquet`, `loss.parquet`, `clocks.parquet`, `unparsed.mcap`.
    pub files: Vec<FileEntry>,
    /// Name and version of the program that recorded.
    pub recorder: String,
    /// SHA-256 of each journal segment that this episode was sealed from, by file name.
    pub journal_sha256: BTreeMap<String, String>,
    /// Free facts: effective network configuration, conversions made at import, ….
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// A robot of an episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotEntry {
    /// The robot's id.
    pub robot: Id,
    /// Its model: the name of the folder of its description (`kuavo-s45`); empty when unknown.
    pub model: String,
    /// SHA-256 of the description snapshot under `robots/`; none when there was none.
    pub description: Option<String>,
}

/// One file with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Name relative to the episode's folder.
    pub name: String,
    /// Size.
    #[serde(with = "text")]
    pub bytes: u64,
    /// SHA-256 of the content, lower-case hex.
    pub sha256: String,
}

/// One stream of an episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEntry {
    /// The robot.
    pub robot: Id,
    /// The stream.
    pub stream: StreamName,
    /// Payload encoding.
    pub encoding: String,
    /// Whether the stream described itself; otherwise the schema was taken from the payload.
    pub declared: bool,
    /// The quantities (Arrow streams).
    pub quantities: Vec<Quantity>,
    /// Nominal rate, Hz; 0 unknown.
    pub nominal_rate_hz: f64,
    /// Rows in the file.
    #[serde(with = "text")]
    pub rows: u64,
    /// Rows within `start_ns..stop_ns` on the field timeline.
    #[serde(with = "text")]
    pub rows_in_episode: u64,
    /// Capture time of the first row in file order; none without rows.
    #[serde(with = "text::option")]
    pub first_t_ns: Option<i64>,
    /// Capture time of the last row in file order.
    #[serde(with = "text::option")]
    pub last_t_ns: Option<i64>,
    /// Measured rate over the rows, Hz; 0 with fewer than two rows.
    pub rate_hz: f64,
    /// Boot id of each run, by run number.
    pub boots: Vec<String>,
    /// Rows that the source numbered in the recorded span; none where it carries no sequence, or where the end is open.
    #[serde(with = "text::option")]
    pub expected: Option<u64>,
    /// Distinct sequences received. Where `expected` is known, `expected = received + lost`.
    #[serde(with = "text")]
    pub received: u64,
    /// Rows that are missing, by cause.
    pub lost: LossTotals,
    /// Duplicates that were byte-equal and dropped.
    #[serde(with = "text")]
    pub duplicates: u64,
    /// The clock of the capture times.
    pub clock: ClockStats,
    /// Where the capture clock was wrong, and by how much, sorted by run and row; empty when it never was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<ClockOffset>,
    /// The stream's files: Parquet, and MP4 for video.
    pub files: Vec<FileEntry>,
    /// The stream's own facts from its description: `width`, `height`, `evidence`, conversions, ….
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

impl StreamEntry {
    /// The time of a row on the field timeline, ns: its capture time, moved by what the robot's clock was wrong there. Cuts,
    /// cursors, exports and replays compare rows of all streams by it; the files keep the capture times.
    pub fn field_ns(&self, run: u32, seq: u64, t_ns: i64) -> i64 {
        let behind = self.timeline.partition_point(|offset| (offset.run, offset.from_seq) <= (run, seq));
        let last = behind.checked_sub(1).and_then(|at| self.timeline.get(at)).filter(|offset| offset.run == run);
        last.map_or(t_ns, |offset| t_ns.saturating_add(offset.offset_ns))
    }
}

/// How far the capture clock was from the recorder's, from one row on to the next offset of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockOffset {
    /// The run.
    pub run: u32,
    /// The first row.
    #[serde(with = "text")]
    pub from_seq: u64,
    /// What is added to capture times, ns; 0 from where the clock was right again.
    #[serde(with = "text")]
    pub offset_ns: i64,
    /// How far off the offset may be, ns, by what the delays of the robot's rows spread; what even the fastest row took is
    /// not in it. None where the clock could not be related to the recorder's: `offset_ns` is 0 then, capture times are
    /// taken as they are, and the stream's fact `timeline` says why.
    #[serde(with = "text::option")]
    pub uncertainty_ns: Option<i64>,
}

impl ClockOffset {
    /// Whether the clock could be related to the recorder's.
    pub fn is_known(&self) -> bool {
        self.uncertainty_ns.is_some()
    }
}

/// How a stream's clock sat against the recorder's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockStats {
    /// Clock id of the header: 0 unknown, 1 robot, 2 PTP, 3 receiver.
    pub id: u16,
    /// Median of receive minus capture time, ns: clock offset plus transport.
    #[serde(with = "text")]
    pub offset_ns: i64,
    /// Spread: 99th percentile minus median of the same difference, ns.
    #[serde(with = "text")]
    pub jitter_ns: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_moved_from_where_the_clock_was_wrong() {
        let offset = |run, from_seq, offset_ns| ClockOffset { run, from_seq, offset_ns, uncertainty_ns: None };
        let check = |timeline: &[ClockOffset], row: (u32, u64), expect: i64| {
            let entry = StreamEntry { timeline: timeline.to_vec(), ..entry() };
            assert_eq!(entry.field_ns(row.0, row.1, 1000), expect, "{timeline:?} {row:?}");
        };
        check(&[], (0, 5), 1000);
        let timeline = [offset(0, 10, 300), offset(0, 20, 0), offset(2, 0, i64::MAX)];
        check(&timeline, (0, 9), 1000);
        check(&timeline, (0, 10), 1300);
        check(&timeline, (0, 20), 1000);
        check(&timeline, (1, 15), 1000);
        check(&timeline, (2, 0), i64::MAX);
    }

    fn entry() -> StreamEntry {
        let text = r#"{"robot":"a","stream":"joint","encoding":"","declared":true,"quantities":[],"nominal_rate_hz":0.0,"rows":"0",
            "rows_in_episode":"0","first_t_ns":null,"last_t_ns":null,"rate_hz":0.0,"boots":[],"expected":null,"received":"0",
            "lost":LOST,"duplicates":"0","clock":{"id":0,"offset_ns":"0","jitter_ns":"0"},"files":[]}"#;
        let lost = crate::canonical_json(&LossTotals::default()).unwrap();
        let entry: StreamEntry = serde_json::from_str(&text.replace("LOST", &lost)).unwrap();
        assert!(!crate::canonical_json(&entry).unwrap().contains("timeline"), "a right clock is not mentioned");
        entry
    }

    #[test]
    fn big_integers_survive_json_as_text() {
        let entry = FileEntry { name: "a".into(), bytes: u64::MAX, sha256: String::new() };
        let text = crate::canonical_json(&entry).unwrap();
        assert!(text.contains("\"18446744073709551615\""), "{text}");
        assert_eq!(serde_json::from_str::<FileEntry>(&text).unwrap(), entry);
        let error = serde_json::from_str::<FileEntry>(&text.replace("18446744073709551615", "-1")).unwrap_err();
        assert!(error.to_string().contains("invalid digit"), "{error}");
    }
}
