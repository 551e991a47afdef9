use std::path::PathBuf;

use sanqu_model::{EpisodeId, Manifest};

/// What [`repair`] did with one journal or folder.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The journal, or the unfinished folder that was removed.
    pub path: PathBuf,
    /// The episode, where it could be told.
    pub episode: Option<EpisodeId>,
    /// The sealed episode; none when the path was removed or had to be kept as it is.
    pub manifest: Option<Manifest>,
    /// What was done, and what was lost, in one sentence.
    pub detail: String,
}
