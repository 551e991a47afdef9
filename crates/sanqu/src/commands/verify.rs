//! `sanqu verify`: prove that nothing changed and nothing is missing.

use anyhow::{Context as _, Result};

use crate::cli::Verify;
use crate::outcome::Outcome;

/// Checks every path and prints each defect with its file.
///
/// # Errors
/// When a path is neither a store nor an episode, or cannot be read at all.
pub(crate) fn run(args: &Verify) -> Result<Outcome> {
    let mut defective = false;
    let mut reports = Vec::new();
    for path in &args.paths {
        let report = sanqu_store::verify(path).with_context(|| format!("cannot verify {}", path.display()))?;
        defective |= report.is_defective();
        if args.json {
            reports.push(serde_json::json!({ "path": path, "report": report }));
        } else {
            for issue in &report.issues {
                super::print(&issue.to_string())?;
            }
            super::print(&format!("{}: {report}", path.display()))?;
        }
    }
    if args.json {
        super::print(&serde_json::to_string_pretty(&reports)?)?;
    }
    Ok(Outcome::defects(defective))
}
