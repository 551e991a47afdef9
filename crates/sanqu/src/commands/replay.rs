//! `sanqu replay`: starts `sanqu-replay`, telling it which field the episodes are from, or is to be followed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sanqu_model::Id;
use sanqu_store::{Episode, Store};

use crate::assets::Assets;
use crate::outcome::Outcome;
use crate::sibling;

/// The field that is followed live when none is named, as `sanqu live` has it.
const LIVE_FIELD: &str = "desk";

/// Runs the viewer with the arguments as they are, plus `--field` of the shipped field that the episodes belong to, so
/// that robots stand in their zones. Without such a field the viewer shows an empty floor. Live, the field is [`LIVE_FIELD`].
///
/// # Errors
/// When the viewer is absent or cannot be started. What it finds wrong it says itself.
pub(crate) fn run(mut arguments: Vec<OsString>, assets: Option<&Path>) -> Result<Outcome> {
    if let Some(file) = field_file(&arguments, assets) {
        arguments.extend([OsString::from("--field"), file.into_os_string()]);
    }
    sibling::run("sanqu-replay", arguments)
}

fn field_file(arguments: &[OsString], assets: Option<&Path>) -> Option<PathBuf> {
    let named = |argument: &str| matches!(argument, "--field" | "--help" | "-h") || argument.starts_with("--field=");
    if arguments.iter().filter_map(|argument| argument.to_str()).any(named) {
        return None;
    }
    let live = arguments.iter().any(|argument| argument == "--live");
    let field = if live { LIVE_FIELD.to_owned() } else { field_of(arguments)?.to_string() };
    let file = Assets::locate(assets).ok()?.field_file(&field);
    file.is_file().then_some(file)
}

/// The field of the store or of the first episode folder that the arguments name.
fn field_of(arguments: &[OsString]) -> Option<Id> {
    let follows = arguments.iter().position(|argument| argument == "--store").and_then(|index| arguments.get(index + 1)).map(Path::new);
    let store = follows.or_else(|| arguments.iter().find_map(|argument| argument.to_str()?.strip_prefix("--store=")).map(Path::new));
    match store {
        Some(store) => Store::open(store).ok().map(|store| store.field().clone()),
        None => {
            arguments.iter().find_map(|argument| Episode::open(Path::new(argument)).ok()).map(|episode| episode.manifest().field.clone())
        }
    }
}
