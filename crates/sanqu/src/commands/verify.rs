//! `sanqu verify`: prove that nothing changed and nothing is missing.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sanqu_store::{Issue, Severity, VerifyReport};
use serde_json::{Value, json};

use crate::cli::Verify;
use crate::outcome::Outcome;
use crate::progress::Waiting;

/// Checks every path and prints each finding with its file. Exit code 3 when rows were lost and the ledger says so.
///
/// # Errors
/// When a path is neither a store nor an episode, or a file is damaged: missing, changed, or at odds with its manifest.
pub(crate) fn run(args: &Verify) -> Result<Outcome> {
    let (mut damaged, mut lost) = (0, false);
    let mut reports = Vec::new();
    for path in &args.paths {
        ensure!(
            !path.exists() || ["sanqu.toml", "manifest.json"].iter().any(|name| path.join(name).exists()),
            "{} is neither a store (no sanqu.toml in it) nor an episode (no manifest.json)",
            path.display()
        );
        let _waiting = Waiting::new(format!("verifying {}", path.display()));
        let report = sanqu_store::verify(path).with_context(|| format!("cannot verify {}", path.display()))?;
        damaged += count(&report, Severity::Damage);
        lost |= count(&report, Severity::Loss) > 0;
        if args.json {
            reports.push(as_json(path, &report));
        } else {
            for issue in &report.issues {
                super::print(&line(issue))?;
            }
            super::print(&format!("{}: {}", path.display(), summary(&report)))?;
        }
    }
    if args.json {
        super::print(&serde_json::to_string_pretty(&reports)?)?;
    }
    ensure!(damaged == 0, "verification failed: {damaged} findings of damage, listed above; nothing was changed");
    Ok(Outcome::defects(lost))
}

/// One finding.
pub(crate) fn line(issue: &Issue) -> String {
    let stream = issue.stream.as_ref().map(|stream| format!(" ({stream})")).unwrap_or_default();
    format!("{}: {}{stream}: {}", word(issue.severity), issue.file.display(), issue.detail)
}

/// One sentence: what was looked at and how it is.
pub(crate) fn summary(report: &VerifyReport) -> String {
    let verdict = match (count(report, Severity::Damage), count(report, Severity::Loss)) {
        (0, 0) => "sound, nothing lost".to_owned(),
        (0, losses) => format!("sound; rows were lost in {losses} streams, the ledgers say which"),
        (damages, _) => format!("{damages} findings of damage"),
    };
    let notes = match count(report, Severity::Note) {
        0 => String::new(),
        notes => format!(" ({notes} notes above)"),
    };
    format!("{} episodes, {} files, {} rows: {verdict}{notes}", report.episodes, report.files, report.rows)
}

fn count(report: &VerifyReport, severity: Severity) -> usize {
    report.issues.iter().filter(|issue| issue.severity == severity).count()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Loss => "loss",
        Severity::Damage => "damage",
    }
}

fn as_json(path: &Path, report: &VerifyReport) -> Value {
    let issue = |issue: &Issue| json!({ "severity": word(issue.severity), "file": issue.file.display().to_string(), "stream": issue.stream, "detail": issue.detail });
    let issues: Vec<Value> = report.issues.iter().map(issue).collect();
    json!({ "path": path.display().to_string(), "sound": report.is_sound(), "episodes": report.episodes, "files": report.files, "rows": report.rows, "issues": issues })
}
