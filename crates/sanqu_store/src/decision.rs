use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::error::IoContext;
use crate::{StoreError, files};

pub(crate) const DECISIONS_FILE: &str = "decisions.jsonl";

/// What somebody decided about an episode. Decisions are only ever added; the last one of a kind counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided.
    pub kind: DecisionKind,
    /// Who: an operator's pseudonym or a program.
    pub who: String,
    /// Why, in a sentence; for [`DecisionKind::Outcome`] the outcome itself (`success`, `failure`).
    pub reason: String,
    /// When, ns since the Unix epoch.
    pub at_ns: i64,
}

/// See [`Decision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// The episode is good.
    Keep,
    /// The episode is not to be used; its files stay.
    Discard,
    /// The last keep or discard was a mistake.
    Undo,
    /// How the task ended.
    Outcome,
}

pub(crate) fn append(disk: &Disk, dir: &Path, decision: &Decision) -> Result<(), StoreError> {
    let path = dir.join(DECISIONS_FILE);
    let mut line = serde_json::to_string(decision).map_err(|e| StoreError::damaged(&path, e))?;
    line.push('\n');
    let complete_bytes = read_if_there(&path)?.map_or(0, |text| text.rfind('\n').map_or(0, |end| end + 1)) as u64;
    let mut file = disk.open_or_create(&path)?;
    // A crash may have left half a line, which nobody was told is there: it must not swallow this one.
    file.set_len(complete_bytes).and_then(|()| file.seek(SeekFrom::Start(complete_bytes))).at("write", &path)?;
    file.write_all(line.as_bytes()).at("write", &path)?;
    file.sync_all().at("sync", &path)?;
    disk.sync_dir(dir)
}

pub(crate) fn read(dir: &Path) -> Result<Vec<Decision>, StoreError> {
    let path = dir.join(DECISIONS_FILE);
    let Some(text) = read_if_there(&path)? else { return Ok(Vec::new()) };
    let mut decisions = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(decision) => decisions.push(decision),
            // A last line without its end is what a crash leaves; it was never acknowledged.
            Err(_) if !line.ends_with('\n') => {}
            Err(e) => return Err(StoreError::damaged(&path, format!("line {}: {e}", index + 1))),
        }
    }
    Ok(decisions)
}

fn read_if_there(path: &Path) -> Result<Option<String>, StoreError> {
    if path.exists() { files::read_text(path).map(Some) } else { Ok(None) }
}
