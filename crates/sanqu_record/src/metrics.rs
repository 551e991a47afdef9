use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use sanqu_model::LossTotals;

use crate::{Quantiles, RecorderStatus, StationState, StationStatus};

/// A recorder's status as Prometheus text (exposition format 0.0.4): counters since the recorder began, times in seconds,
/// quantiles as summaries. One line a figure, some hundred bytes each; streams and stations are labels.
pub fn prometheus_text(status: &RecorderStatus) -> String {
    let mut page = Page::default();
    stations(&mut page, &status.stations);
    lags(&mut page, &status.stations);
    streams(&mut page, &status.stations);
    page.family("stray_samples_total", "counter", "Samples on keys that are no streams");
    page.line("stray_samples_total", &[], status.stray_samples);
    page.family("refused_robot_samples_total", "counter", "Samples of robots that are heard and not recorded");
    for refused in &status.refused_robots {
        page.line("refused_robot_samples_total", &[("robot", &refused.robot)], refused.samples);
    }
    page.family("refusals_total", "counter", "What the secured router refused, by kind and holder");
    let mut refusals: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for row in &status.refusals.rows {
        *refusals.entry((format!("{:?}", row.kind).to_lowercase(), &row.who)).or_default() += row.count;
    }
    for ((kind, who), count) in &refusals {
        page.line("refusals_total", &[("kind", kind), ("who", who)], count);
    }
    if let Some(free) = status.disk_free_bytes {
        page.family("disk_free_bytes", "gauge", "Bytes that are free where the store is");
        page.line("disk_free_bytes", &[], free);
    }
    if let Some(minutes) = status.disk_minutes_left {
        page.family("disk_minutes_left", "gauge", "Minutes of recording that the disk has room for at the present rate");
        page.line("disk_minutes_left", &[], minutes);
    }
    page.text
}

/// Names and values that tell lines of one figure apart.
type Labels<'a> = [(&'a str, &'a dyn Display)];

/// A figure that every station has: its name, whether it only grows, what it is, and how to read it.
type Figure = (&'static str, &'static str, &'static str, fn(&StationStatus) -> u64);

const FIGURES: [Figure; 15] = [
    ("queue_samples", "gauge", "Samples that wait between network and journal", |s| s.figures.queue_samples as u64),
    ("queue_bytes", "gauge", "Bytes that wait between network and journal", |s| s.figures.queue_bytes as u64),
    ("queue_bytes_high", "gauge", "The most bytes that waited at any time", |s| s.figures.queue_bytes_high as u64),
    ("written_bytes_total", "counter", "Bytes written to journals", |s| s.figures.written_bytes),
    ("durable_bytes_total", "counter", "Bytes that fdatasync has made durable", |s| s.figures.durable_bytes),
    ("corrupt_samples_total", "counter", "Samples whose header or checksum did not fit", |s| s.figures.corrupt_samples),
    ("refused_samples_total", "counter", "Samples that the full queue refused", |s| s.refused_samples),
    ("unwritten_samples", "gauge", "Samples of the open episode that the disk did not take", |s| s.unwritten_samples),
    ("resend_questions_total", "counter", "Questions to robots for missing rows", |s| s.figures.resend.questions),
    ("resend_asked_rows_total", "counter", "Rows that robots were asked to send again", |s| s.figures.resend.asked_rows),
    ("resend_got_rows_total", "counter", "Rows that came again", |s| s.figures.resend.got_rows),
    ("resend_gone_rows_total", "counter", "Rows that the robots do not have any more", |s| s.figures.resend.gone_rows),
    ("journal_bytes", "gauge", "Bytes in the open journal", |s| s.journal_bytes),
    ("sealing", "gauge", "Episodes that wait to be sealed or are being sealed", |s| s.sealing as u64),
    ("last_seal_milliseconds", "gauge", "How long the last seal took", |s| s.figures.last_seal_ms),
];

fn stations(page: &mut Page, stations: &[StationStatus]) {
    page.family("station_state", "gauge", "1 for the state that a station is in");
    for station in stations {
        for (state, word) in [
            (StationState::Idle, "idle"),
            (StationState::Recording, "recording"),
            (StationState::Stopping, "stopping"),
            (StationState::Failed, "failed"),
        ] {
            page.line("station_state", &[("station", &station.station), ("state", &word)], u8::from(station.state == state));
        }
    }
    for (name, kind, help, read) in FIGURES {
        page.family(name, kind, help);
        stations.iter().for_each(|station| page.line(name, &[("station", &station.station)], read(station)));
    }
    page.family("lost_rows_total", "counter", "Rows in the ledgers of the episodes sealed so far");
    for station in stations {
        for (cause, rows) in by_cause(&station.figures.lost) {
            page.line("lost_rows_total", &[("station", &station.station), ("cause", &cause)], rows);
        }
    }
}

fn by_cause(lost: &LossTotals) -> [(&'static str, u64); 6] {
    [
        ("network", lost.network),
        ("recorder", lost.recorder),
        ("disk", lost.disk),
        ("unsent", lost.unsent),
        ("corrupt", lost.corrupt),
        ("unknown", lost.unknown),
    ]
}

fn lags(page: &mut Page, stations: &[StationStatus]) {
    for (name, help, read) in [
        (
            "written_lag_seconds",
            "From receipt until written to the journal's file",
            (|s| &s.figures.written_lag) as fn(&StationStatus) -> &Quantiles,
        ),
        ("durable_lag_seconds", "From capture, by the robot's clock, until durable", |s| &s.figures.durable_lag),
        ("fdatasync_seconds", "How long fdatasync took", |s| &s.figures.sync),
    ] {
        page.family(name, "summary", help);
        for station in stations {
            let lag = read(station);
            for (quantile, ns) in [("0.5", lag.p50_ns), ("0.99", lag.p99_ns), ("0.999", lag.p999_ns), ("1", lag.max_ns)] {
                page.line(name, &[("station", &station.station), ("quantile", &quantile)], seconds(ns));
            }
            page.line(&format!("{name}_count"), &[("station", &station.station)], lag.count);
        }
    }
}

fn streams(page: &mut Page, stations: &[StationStatus]) {
    let each = |write: &mut dyn FnMut(&Labels<'_>, &crate::StreamStatus)| {
        for station in stations {
            for robot in &station.robots {
                for stream in &robot.streams {
                    write(&[("station", &station.station), ("robot", &robot.robot), ("stream", &stream.stream)], stream);
                }
            }
        }
    };
    page.family("stream_rows_total", "counter", "Rows heard");
    each(&mut |labels, stream| page.line("stream_rows_total", labels, stream.rows));
    page.family("stream_missing_rows", "gauge", "Rows that the robot has numbered and that have not come so far");
    each(&mut |labels, stream| page.line("stream_missing_rows", labels, stream.missing));
    page.family("stream_lost_rows", "gauge", "Rows of the open episode that are lost for all that is known so far");
    for (index, (cause, _)) in by_cause(&LossTotals::default()).into_iter().enumerate() {
        each(&mut |labels, stream| {
            let labels = [labels, &[("cause", &cause as &dyn Display)]].concat();
            page.line("stream_lost_rows", &labels, by_cause(&stream.lost)[index].1);
        });
    }
    page.family("stream_unnumbered_samples_total", "counter", "Samples without a readable header: losses among them cannot be seen");
    each(&mut |labels, stream| page.line("stream_unnumbered_samples_total", labels, stream.unnumbered));
    page.family("stream_rate_hertz", "gauge", "Rows a second over the last second or so");
    each(&mut |labels, stream| page.line("stream_rate_hertz", labels, stream.rate_hz));
    page.family("stream_last_receive_timestamp_seconds", "gauge", "When the newest sample came, Unix time");
    each(&mut |labels, stream| page.line("stream_last_receive_timestamp_seconds", labels, seconds(stream.last_recv_ns.unsigned_abs())));
}

#[expect(clippy::cast_precision_loss, reason = "figures for people; microseconds stay exact for centuries")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Prometheus text that grows by lines.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a string cannot fail.
        let _ = write!(self.text, "# HELP sanqu_{name} {help}\n# TYPE sanqu_{name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(&value.to_string()))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "sanqu_{name}{labels} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use sanqu_model::Id;

    use super::*;
    use crate::testing::station_status;

    #[test]
    fn a_status_is_a_page_of_figures() {
        let mut station = station_status("a01");
        station.state = StationState::Recording;
        station.figures.queue_bytes = 4096;
        station.figures.lost.network = 7;
        station.figures.durable_lag = Quantiles { count: 3, p50_ns: 500_000_000, p99_ns: 1_000_000_000, p999_ns: 1, max_ns: 2 };
        let refused = crate::RefusedRobot { robot: Id::new("robot", "ghost").unwrap(), samples: 5, reason: String::new() };
        let status = RecorderStatus {
            stations: vec![station],
            refused_robots: vec![refused],
            disk_free_bytes: Some(10),
            ..RecorderStatus::default()
        };
        let text = prometheus_text(&status);
        for line in [
            "sanqu_station_state{station=\"a01\",state=\"recording\"} 1",
            "sanqu_station_state{station=\"a01\",state=\"idle\"} 0",
            "sanqu_queue_bytes{station=\"a01\"} 4096",
            "sanqu_lost_rows_total{station=\"a01\",cause=\"network\"} 7",
            "sanqu_durable_lag_seconds{station=\"a01\",quantile=\"0.99\"} 1",
            "sanqu_durable_lag_seconds_count{station=\"a01\"} 3",
            "sanqu_refused_robot_samples_total{robot=\"ghost\"} 5",
            "sanqu_disk_free_bytes 10",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        assert!(!text.contains("disk_minutes_left"), "what is not known is not shown");
        // Every figure has its family, once, before it.
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap().trim_end_matches("_count");
            assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{line}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
