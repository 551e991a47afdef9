use sanqu_store::{Severity, Store, check_balance, verify};

/// Opens every sealed episode of a store and fails unless each stream's rows add up (see [`check_balance`]), the ledger's
/// rows sum up to the manifest, and every file is what the manifest says. Gives how many episodes there are.
///
/// # Panics
/// With everything that is wrong. Losses that the ledger accounts for are not wrong.
#[track_caller]
pub fn assert_balanced(store: &Store) -> usize {
    let report = verify(store.root()).unwrap_or_else(|error| panic!("{error}"));
    let mut wrong: Vec<String> = report
        .issues
        .iter()
        .filter(|issue| issue.severity == Severity::Damage)
        .map(|issue| format!("{}: {}", issue.file.display(), issue.detail))
        .collect();
    let episodes = store.episodes().unwrap_or_else(|error| panic!("{error}"));
    if episodes.len() as u64 != report.episodes {
        wrong.push(format!("{} episodes can be opened, {} are there", episodes.len(), report.episodes));
    }
    for episode in &episodes {
        let unbalanced = episode.manifest().streams.iter().filter_map(|stream| check_balance(stream).err());
        wrong.extend(unbalanced.map(|error| format!("{}: {error}", episode.dir().display())));
    }
    assert!(wrong.is_empty(), "the store is not balanced:\n{}", wrong.join("\n"));
    episodes.len()
}
