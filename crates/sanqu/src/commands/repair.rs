//! `sanqu repair`: seal what a killed recorder left behind.

use anyhow::{Context as _, Result};
use sanqu_store::{Repaired, Store};
use serde_json::{Value, json};

use crate::cli::Repair;
use crate::outcome::Outcome;
use crate::progress::Waiting;

/// Repairs and says what was recovered and what was lost.
///
/// # Errors
/// When the store cannot be opened or locked (a recorder is running on it).
pub(crate) fn run(args: &Repair) -> Result<Outcome> {
    let store = Store::open(&args.store).with_context(|| format!("cannot open the store {}", args.store.display()))?;
    let waiting = Waiting::new(format!("repairing {}", args.store.display()));
    let repaired = sanqu_store::repair(&store).with_context(|| format!("cannot repair {}", args.store.display()))?;
    drop(waiting);
    if args.json {
        let item = |item: &Repaired| json!({ "path": item.path.display().to_string(), "episode": item.episode, "detail": item.detail, "manifest": item.manifest });
        super::print(&serde_json::to_string_pretty(&repaired.iter().map(item).collect::<Vec<Value>>())?)?;
    } else if repaired.is_empty() {
        super::print("nothing to repair")?;
    } else {
        for item in &repaired {
            super::print(&format!("{}: {}", item.path.display(), item.detail))?;
        }
    }
    Ok(Outcome::defects(repaired.iter().any(is_defective)))
}

/// A journal that had to be kept, or an episode with losses.
fn is_defective(item: &Repaired) -> bool {
    match &item.manifest {
        Some(manifest) => super::info::has_loss(manifest),
        None => item.episode.is_some() && item.path.exists(),
    }
}
