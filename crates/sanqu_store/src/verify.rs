use std::path::{Path, PathBuf};

use crate::StoreError;

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Sealed episodes looked at.
    pub episodes: u64,
    /// Files whose bytes were hashed and compared.
    pub files: u64,
    /// Rows whose sequence was checked.
    pub rows: u64,
    /// Everything that is wrong or worth knowing.
    pub issues: Vec<Issue>,
}

impl VerifyReport {
    /// Whether nothing is damaged. Losses that the ledger accounts for are no damage.
    pub fn is_sound(&self) -> bool {
        self.issues.iter().all(|issue| issue.severity != Severity::Damage)
    }
}

/// One finding of [`verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder.
    pub file: PathBuf,
    /// The stream as `<robot>/<stream>`, when it is about one.
    pub stream: Option<String>,
    /// What is wrong and what was expected.
    pub detail: String,
}

/// How bad an [`Issue`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing: an open journal, a file that nobody listed.
    Note,
    /// Rows were lost while recording, and the ledger says so.
    Loss,
    /// A file is missing, changed or contradicts the manifest.
    Damage,
}
