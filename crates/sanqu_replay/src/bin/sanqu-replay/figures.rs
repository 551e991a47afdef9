//! What `--measure` prints.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use sanqu_replay::measure::{Figures, Spread};

/// One line a figure: its name, what was measured, what is allowed. With `json`, one flat object of numbers.
pub(crate) fn print(figures: &Figures, json: bool) -> anyhow::Result<()> {
    let text = if json { object(figures, peak_kib()) } else { lines(figures, peak_kib()) };
    writeln!(std::io::stdout(), "{text}").context("write to stdout")
}

/// The most memory that this process has had, KiB; none where the system does not tell.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn lines(figures: &Figures, peak_kib: Option<u64>) -> String {
    let spread = |spread: Spread| format!("{:.3} ms (median {:.3} ms)", ms(spread.p99), ms(spread.median));
    let what = format!("{} robots, {:.1} s, {} joint rows", figures.robots, figures.length_secs, figures.rows);
    [
        format!("measured                   {what}"),
        format!("open to first state        {:.3} ms", ms(figures.open)),
        format!("seek of state, p99         {}", spread(figures.seek)),
        format!("video after a seek, p99    {}", figures.video.map_or_else(|| "no camera".to_owned(), spread)),
        format!("frame of our systems, p99  {}", spread(figures.frame)),
        format!("positions, if all held     {} kB", figures.value_bytes / 1024),
        format!("peak memory                {}", peak_kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{kib} kB"))),
    ]
    .join("\n")
}

fn object(figures: &Figures, peak_kib: Option<u64>) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "null".to_owned(), |value| format!("{value:.4}"));
    let spread = |name: &str, spread: Option<Spread>| {
        let (p99, median) = (number(spread.map(|spread| ms(spread.p99))), number(spread.map(|spread| ms(spread.median))));
        format!("\"{name}_p99_ms\": {p99}, \"{name}_median_ms\": {median}")
    };
    let members = [
        format!("\"robots\": {}, \"seconds\": {:.3}, \"rows\": {}", figures.robots, figures.length_secs, figures.rows),
        format!("\"open_ms\": {:.4}", ms(figures.open)),
        spread("seek", Some(figures.seek)),
        spread("video", figures.video),
        spread("frame", Some(figures.frame)),
        format!("\"values_kib\": {}", figures.value_bytes / 1024),
        format!("\"peak_kib\": {}", peak_kib.map_or_else(|| "null".to_owned(), |kib| kib.to_string())),
    ];
    format!("{{{}}}", members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(video: Option<Spread>) -> Figures {
        let time = |ms: u64| Duration::from_micros(ms * 1_000);
        let spread = |ms: u64| Spread { median: time(ms), p99: time(2 * ms) };
        let (seek, frame) = (spread(3), spread(1));
        Figures { robots: 2, rows: 600, value_bytes: 4096, length_secs: 1.2, open: time(90), seek, video, frame }
    }

    #[test]
    fn figures_are_lines_or_one_object() {
        let spread = Spread { median: Duration::from_millis(4), p99: Duration::from_millis(5) };
        assert_eq!(
            object(&figures(Some(spread)), Some(77)),
            "{\"robots\": 2, \"seconds\": 1.200, \"rows\": 600, \"open_ms\": 90.0000, \"seek_p99_ms\": 6.0000, \"seek_median_ms\": 3.0000, \
             \"video_p99_ms\": 5.0000, \"video_median_ms\": 4.0000, \"frame_p99_ms\": 2.0000, \"frame_median_ms\": 1.0000, \"values_kib\": 4, \
             \"peak_kib\": 77}"
        );
        assert!(object(&figures(None), None).contains("\"video_p99_ms\": null, \"video_median_ms\": null"));
        assert!(object(&figures(None), None).ends_with("\"peak_kib\": null}"));
        let lines = lines(&figures(None), Some(77));
        assert!(lines.contains("p99         6.000 ms (median 3.000 ms)") && lines.ends_with("77 kB"), "{lines}");
    }
}
