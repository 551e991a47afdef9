//! What was found, kept as JSON, as tables for people, and as `docs/benchmarks.md`.

mod page;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::kills::Kills;
use crate::machine::Machine;
use crate::ramp::Ramp;
use crate::talk::Lags;
use crate::trial::{Outcome, SinkKind};
use crate::writers::WriterRow;

/// What the issue asks: lag to durable against the sync period.
const LAG_FDATASYNCS: f64 = 1.5;

/// One run of one tier, and the machine that it ran on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TierRow {
    pub(crate) tier: String,
    pub(crate) outcome: Outcome,
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// The sinks' period of fdatasync, ms.
    pub(crate) sync_ms: u64,
    /// Their period of flushes, ms.
    pub(crate) flush_ms: u64,
    pub(crate) tiers: Vec<TierRow>,
    pub(crate) ramps: Vec<Ramp>,
    pub(crate) kills: Vec<Kills>,
    pub(crate) writers: Vec<WriterRow>,
}

/// A table: its head and its rows.
struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Results {
    /// Reads what earlier runs have found; nothing when there were none.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| format!("{} is of another version; remove it", path.display()))
    }

    pub(crate) fn keep(&self, path: &Path) -> Result<()> {
        std::fs::write(path, serde_json::to_vec_pretty(self)?).with_context(|| path.display().to_string())
    }

    pub(crate) fn add_tier(&mut self, row: TierRow) {
        self.tiers.retain(|old| old.tier != row.tier || old.outcome.sink != row.outcome.sink);
        self.tiers.push(row);
        self.tiers.sort_by_key(|row| (row.outcome.robots, row.outcome.sink));
    }

    pub(crate) fn add_ramp(&mut self, ramp: Ramp) {
        self.ramps.retain(|old| old.sink != ramp.sink);
        self.ramps.push(ramp);
        self.ramps.sort_by_key(|ramp| ramp.sink);
    }

    pub(crate) fn add_kills(&mut self, kills: Kills) {
        self.kills.retain(|old| old.sink != kills.sink);
        self.kills.push(kills);
        self.kills.sort_by_key(|kills| kills.sink);
    }

    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        let mut parts = vec![self.machine_line()];
        for table in self.tables() {
            parts.push(table.1.aligned());
        }
        parts.extend(self.verdicts());
        parts.join("\n")
    }

    fn machine_line(&self) -> String {
        let machine = &self.machine;
        format!(
            "{}, {} cores, {} MiB, Linux {}, {}; {}, {}, {}; {}\n",
            machine.cpu,
            machine.cores,
            machine.memory_mib,
            machine.kernel,
            machine.disk,
            machine.date,
            machine.commit,
            machine.compiler,
            machine.versions.join(", ")
        )
    }

    /// Those that have rows, with their titles.
    fn tables(&self) -> Vec<(&'static str, Table)> {
        let all = [
            ("Cost and loss", self.cost_table()),
            ("Capture to durable", self.lag_table()),
            ("Seal", self.seal_table()),
            ("Ramp", self.ramp_table()),
            ("SIGKILL", self.kill_table()),
            ("Writers alone", self.writer_table()),
        ];
        all.into_iter().filter(|(_, table)| !table.rows.is_empty()).collect()
    }

    fn cost_table(&self) -> Table {
        let head = [
            "tier",
            "sink",
            "offered MB/s",
            "lost rows",
            "ledger",
            "CPU s/GB",
            "peak MiB",
            "on disk %",
            "generator CPU s/GB",
            "generator lag p99 / max ms",
            "backlog max ms",
            "others' CPU %",
            "",
        ];
        let row = |row: &TierRow| {
            let found = &row.outcome;
            let bytes = float(found.offered_bytes);
            let own_lag = found.own_lag;
            let mut notes = Vec::new();
            if !found.is_valid() {
                notes.push("INVALID: the generator was late".to_owned());
            }
            if found.disk_full {
                notes.push("cut short: the disk was nearly full".to_owned());
            }
            if !found.drained {
                notes.push("still working when the run ended".to_owned());
            }
            if found.truth.corrupt > 0 {
                notes.push(format!("{} corrupt", found.truth.corrupt));
            }
            notes.extend(found.truth.damage.first().cloned());
            vec![
                row.tier.clone(),
                found.sink.name().to_owned(),
                format!("{:.1}", bytes / found.seconds / 1e6),
                lost(found),
                if found.sink == SinkKind::Recorder { ledger(found) } else { "-".to_owned() },
                format!("{:.2}", found.sink_cpu_s / bytes * 1e9),
                (found.peak_bytes >> 20).to_string(),
                format!("{:.1}", float(found.disk_bytes) / bytes * 100.0),
                format!("{:.2}", found.generator_cpu_s / bytes * 1e9),
                format!("{:.1} / {:.1}", ms(own_lag.p99_ns), ms(own_lag.max_ns)),
                format!("{:.0}", ms(found.backlog_max_ns)),
                format!("{:.0}", found.others_cpu_s / found.span_s * 100.0),
                notes.join("; "),
            ]
        };
        Table { head: head.to_vec(), rows: self.tiers.iter().map(row).collect() }
    }

    /// Where a sink has several stations, the worst of them: their files are synced one by one.
    fn lag_table(&self) -> Table {
        let head = ["tier", "sink", "durable p50 ms", "p99", "p99.9", "max", "fdatasync p50 ms", "p99", "max"];
        let row = |row: &TierRow| {
            let stations = &row.outcome.measured.stations;
            let worst = |pick: fn(&Lags) -> u64| {
                stations.iter().map(pick).max().map_or_else(|| "-".to_owned(), |worst_ns| format!("{:.1}", ms(worst_ns)))
            };
            vec![
                row.tier.clone(),
                row.outcome.sink.name().to_owned(),
                worst(|lags| lags.durable.p50_ns),
                worst(|lags| lags.durable.p99_ns),
                worst(|lags| lags.durable.p999_ns),
                worst(|lags| lags.durable.max_ns),
                worst(|lags| lags.fdatasync.p50_ns),
                worst(|lags| lags.fdatasync.p99_ns),
                worst(|lags| lags.fdatasync.max_ns),
            ]
        };
        Table { head: head.to_vec(), rows: self.tiers.iter().map(row).collect() }
    }

    fn seal_table(&self) -> Table {
        let row = |row: &TierRow| {
            let (cpu_s, wall_s) = row.outcome.seal?;
            let found = &row.outcome;
            Some(vec![
                row.tier.clone(),
                format!("{} x {:.0} s", found.robots, found.seconds),
                format!("{wall_s:.1}"),
                format!("{cpu_s:.1}"),
                format!("{:.1}", found.seconds / wall_s),
                format!("{:.2}", cpu_s / float(found.offered_bytes) * 1e9),
            ])
        };
        let head = ["tier", "robots x recorded", "seal s", "CPU s", "x real time", "CPU s/GB"];
        Table { head: head.to_vec(), rows: self.tiers.iter().filter_map(row).collect() }
    }

    fn ramp_table(&self) -> Table {
        let mut rows = Vec::new();
        for ramp in &self.ramps {
            for step in &ramp.steps {
                rows.push(vec![
                    ramp.sink.name().to_owned(),
                    format!("{:.1}", step.offered_bytes_per_s / 1e6),
                    step.lost_rows.to_string(),
                    format!("{:.0}", ms(step.backlog_max_ns)),
                    format!("{:.1}", ms(step.own_lag_p99_ns)),
                    if step.carried { "carried" } else { "-" }.to_owned(),
                ]);
            }
            if let Some(word) = rows.last_mut().filter(|_| ramp.disk_full).and_then(|row: &mut Vec<String>| row.last_mut()) {
                word.push_str("; ended because the disk was nearly full");
            }
        }
        Table { head: vec!["sink", "offered MB/s", "lost rows", "backlog max ms", "generator lag p99 ms", ""], rows }
    }

    fn kill_table(&self) -> Table {
        let row = |kills: &Kills| {
            let mut sorted = kills.worst_ms.clone();
            sorted.sort_by(f64::total_cmp);
            let at = |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0);
            vec![
                kills.sink.name().to_owned(),
                sorted.len().to_string(),
                format!("{:.0}", at(50)),
                format!("{:.0}", at(100)),
                kills.damaged.to_string(),
                kills.invalid.to_string(),
                kills.faults.first().cloned().unwrap_or_default(),
            ]
        };
        let head = ["sink", "kills", "lost of the worst stream, median ms", "max ms", "with damage", "invalid", ""];
        Table { head: head.to_vec(), rows: self.kills.iter().map(row).collect() }
    }

    fn writer_table(&self) -> Table {
        let row = |row: &WriterRow| {
            let bytes = float(row.bytes);
            vec![row.writer.clone(), format!("{:.0}", bytes / row.wall_s / 1e6), format!("{:.2}", row.cpu_s / bytes * 1e9)]
        };
        Table { head: vec!["writer", "MB/s", "CPU s/GB"], rows: self.writers.iter().map(row).collect() }
    }

    /// What is asked of the recorder, with both sides of each comparison.
    fn verdicts(&self) -> Vec<String> {
        let mut verdicts = Vec::new();
        for row in self.tiers.iter().filter(|row| row.outcome.sink == SinkKind::Recorder) {
            let (tier, truth) = (&row.tier, &row.outcome.truth);
            let is_closed = truth.ledger_rows == 0 && truth.open_ends == 0;
            let whole = truth.lost_rows == 0 && is_closed && truth.damage.is_empty() && truth.corrupt == 0;
            verdicts.push(format!("{tier}: zero lost, ledger empty, files sound: {}", yes(whole)));
            verdicts.extend(self.lag_verdict(row));
            let bare = self.tiers.iter().find(|other| other.tier == *tier && other.outcome.sink == SinkKind::Bare);
            if let Some(bare) = bare {
                let cost = |outcome: &Outcome| outcome.sink_cpu_s / float(outcome.offered_bytes);
                let ratio = cost(&row.outcome) / cost(&bare.outcome);
                verdicts.push(format!("{tier}: CPU per GB is {ratio:.2} x the bare writer's (<= 1.3): {}", yes(ratio <= 1.3)));
            }
        }
        let rate = |sink| self.ramps.iter().find(|ramp| ramp.sink == sink).map(Ramp::loss_free_bytes_per_s);
        if let (Some(own), Some(other)) = (rate(SinkKind::Recorder), rate(SinkKind::Reductstore)) {
            let ratio = own / other;
            let (own, other) = (own / 1e6, other / 1e6);
            verdicts.push(format!(
                "ramp: loss-free at {own:.0} MB/s, ReductStore at {other:.0} MB/s: {ratio:.1} x (>= 2): {}",
                yes(ratio >= 2.0)
            ));
        }
        verdicts
    }
}

impl Results {
    /// Each station's lag is held against its own fdatasyncs; the one that is worst off is told.
    fn lag_verdict(&self, row: &TierRow) -> Option<String> {
        let sync_ms = float(self.sync_ms);
        let parts = |lags: &Lags| {
            let fdatasync_ms = ms(lags.fdatasync.p99_ns);
            (ms(lags.durable.p99_ns), fdatasync_ms, sync_ms + LAG_FDATASYNCS * fdatasync_ms)
        };
        let stations = row.outcome.measured.stations.iter().map(parts);
        let (found_ms, fdatasync_ms, allowed_ms) = stations.max_by(|a, b| (a.0 - a.2).total_cmp(&(b.0 - b.2)))?;
        Some(format!(
            "{}: capture to durable p99 {found_ms:.0} ms <= sync period {sync_ms:.0} ms + {LAG_FDATASYNCS} x fdatasync p99 {fdatasync_ms:.0} ms = {allowed_ms:.0} ms at the worst station: {}",
            row.tier,
            yes(found_ms <= allowed_ms)
        ))
    }
}

impl Table {
    fn aligned(&self) -> String {
        let head: Vec<String> = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: &Vec<String>| {
            let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            format!("{}\n", padded.join("  ").trim_end())
        };
        lines.into_iter().map(line).collect()
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(self.head.clone());
        text += &line(vec!["---"; self.head.len()]);
        text.extend(self.rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
        text
    }
}

fn ledger(found: &Outcome) -> String {
    match (found.truth.ledger_rows, found.truth.open_ends) {
        (rows, 0) => rows.to_string(),
        (rows, open_ends) => format!("{rows}, {open_ends} open ends"),
    }
}

fn lost(found: &Outcome) -> String {
    let truth = &found.truth;
    let share = float(truth.lost_rows) / float(truth.offered_rows.max(1)) * 100.0;
    match (truth.lost_rows, truth.unsent_rows) {
        (0, _) => "0".to_owned(),
        (lost, unsent) => format!("{lost} ({share:.2} %, {unsent} never left)"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(value: u64) -> f64 {
    value as f64
}

fn ms(ns: u64) -> f64 {
    float(ns) / 1e6
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "NO" }
}

#[cfg(test)]
mod tests;
