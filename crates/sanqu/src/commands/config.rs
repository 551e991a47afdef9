//! `sanqu config --show`.

use anyhow::{Context as _, Result};

use crate::assets::Assets;
use crate::cli::Config;
use crate::outcome::Outcome;

/// Prints the field as it is after parsing and checking.
///
/// # Errors
/// When the field file is refused.
pub(crate) fn run(args: &Config, assets: &Assets) -> Result<Outcome> {
    let field = assets.field(&args.field)?;
    super::print(&toml::to_string_pretty(&field).context("the field cannot be written as TOML")?)?;
    Ok(Outcome::Ok)
}
