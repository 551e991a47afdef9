//! House rules that no compiler checks.

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::process::root;

/// The longest source file, in lines.
const LINES_MAX: usize = 600;

/// Files that may be longer, each with its reason beside it.
const LONG_FILES: [&str; 0] = [];

/// Words that may not stay in source or tests, and why. Split so that this file does not find itself.
const FORBIDDEN: [(&str, &str); 5] = [
    (concat!("todo", "!("), "nothing unfinished is committed"),
    (concat!("unimplemented", "!("), "nothing unfinished is committed"),
    (concat!("FIX", "ME"), "mend it or open an issue"),
    (concat!("thread::", "sleep"), "wait for a condition or a deadline, not for a guess"),
    (concat!("#[", "ignore"), "a test that does not run proves nothing"),
];

/// Checks all Rust and Python sources and ARCHITECTURE.md.
///
/// # Errors
/// One line for each fault, with file and line.
pub(crate) fn check() -> Outcome {
    let root = root();
    let mut files = Vec::new();
    for folder in ["crates", "fuzz", "xtask", "tests"] {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut faults = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let shown = file.strip_prefix(&root).unwrap_or(file).display().to_string();
        faults.extend(faults_of(&shown, &text));
    }
    faults.extend(unnamed_crates(&root)?);
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    println!("{} source files: at most {LINES_MAX} lines each, no forbidden word; ARCHITECTURE.md names every crate", files.len());
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}

fn faults_of(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let count = text.lines().count();
    if count > LINES_MAX && !LONG_FILES.contains(&name) {
        faults.push(format!("{name}: {count} lines, at most {LINES_MAX}: split it"));
    }
    for (index, line) in text.lines().enumerate() {
        for (word, why) in FORBIDDEN.iter().filter(|(word, _)| line.contains(word)) {
            faults.push(format!("{name}:{}: {word}: {why}", index + 1));
        }
    }
    faults
}

fn unnamed_crates(root: &Path) -> Result<Vec<String>, String> {
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).map_err(|e| format!("ARCHITECTURE.md: {e}"))?;
    let names = crate::borders::crate_names()?;
    let unnamed = names.iter().filter(|name| !page.contains(&format!("`{name}`")));
    Ok(unnamed.map(|name| format!("ARCHITECTURE.md does not name `{name}`")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_forbidden_words_are_found() {
        let long = "x\n".repeat(LINES_MAX + 1);
        assert_eq!(faults_of("a.rs", &long), [format!("a.rs: {} lines, at most {LINES_MAX}: split it", LINES_MAX + 1)]);
        let word = FORBIDDEN[0].0;
        let found = faults_of("a.rs", &format!("fn a() {{\n    {word});\n}}"));
        assert!(found.len() == 1 && found[0].starts_with("a.rs:2: "), "{found:?}");
        assert!(faults_of("a.rs", "fn a() {}").is_empty());
    }
}
