//! What imports of outside recordings have in common.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sanqu_model::EpisodeId;
use sanqu_store::{Episode, IMPORTED, Store};
use sha2::{Digest, Sha256};

use crate::DatasetError;

/// SHA-256 of a file, lower-case hex.
pub(crate) fn sha256(path: &Path) -> Result<String, DatasetError> {
    let io = |source| DatasetError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => break,
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An id that follows from what is imported: the same content is the same episode.
pub(crate) fn episode_id(start_ns: i64, content: &str) -> EpisodeId {
    let random = Sha256::digest(content).iter().take(10).fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    EpisodeId::new(start_ns, random)
}

/// What a store has of an import that is asked for.
pub(crate) enum Known {
    /// Nothing sealed.
    New,
    /// All of it.
    Whole,
    /// What a repair made of an import that was killed: only a part. The text says what to do.
    Part(String),
}

/// Looks an import's episode up among those of the store.
pub(crate) fn known(episodes: &[Episode], episode: EpisodeId) -> Known {
    match episodes.iter().find(|known| known.manifest().episode == episode) {
        None => Known::New,
        Some(found) if found.manifest().ended_by == IMPORTED => Known::Whole,
        Some(found) => Known::Part(format!("which is incomplete; move {} out of the store and import again", found.dir().display())),
    }
}

/// Removes what an interrupted or refused import of the same content left: everything in it is outside, too.
pub(crate) fn remove_unfinished(store: &Store, episode: EpisodeId) -> Result<(), DatasetError> {
    let prefix = format!("{episode}.");
    for path in store.journals()? {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)) {
            std::fs::remove_file(&path).map_err(|source| DatasetError::Io { path, source })?;
        }
    }
    Ok(())
}
