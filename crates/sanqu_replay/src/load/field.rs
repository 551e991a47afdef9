use std::path::{Path, PathBuf};

use sanqu_model::{FieldConfig, Id};

use crate::ReplayError;

/// Reads a field file.
///
/// # Errors
/// [`ReplayError::Io`], [`ReplayError::Field`].
pub fn read(path: &Path) -> Result<FieldConfig, ReplayError> {
    let text = std::fs::read_to_string(path).map_err(|source| ReplayError::Io { path: path.to_path_buf(), source })?;
    FieldConfig::parse(&text).map_err(|source| ReplayError::Field { path: path.to_path_buf(), source })
}

/// The shipped file of `field`; an empty field (with a warning) when there is none.
pub(super) fn shipped(field: &Id, assets: &[PathBuf], warnings: &mut Vec<String>) -> Result<FieldConfig, ReplayError> {
    let paths: Vec<PathBuf> = assets.iter().map(|assets| assets.join("field").join(format!("{field}.toml"))).collect();
    if let Some(path) = paths.iter().find(|path| path.is_file()) {
        return read(path);
    }
    warnings.push(format!(
        "no file of field {field} found (looked for {}): zones and scenes are not drawn; give --field F.toml",
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    ));
    Ok(FieldConfig {
        field: field.clone(),
        name: field.to_string(),
        time_zone: "UTC".to_owned(),
        zones: Vec::new(),
        robots: Vec::new(),
        tasks: Vec::new(),
        operators: Vec::new(),
        viewers: Vec::new(),
    })
}
