//! No episode was named: which stores are looked into, and how the program goes on with what was chosen.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sanqu_replay::ReplayError;
use sanqu_replay::lang::Lang;
use sanqu_replay::picker::{Entry, pick, read, stores_below};
use sanqu_replay::settings::SettingsFile;

use crate::args::Args;
use crate::say;

/// Episodes that are named where no window can be opened.
const NAMED: usize = 5;

/// Shows the list of episodes and goes on with those that were chosen; returns when none was.
pub(crate) fn choose(args: &Args, lang: Lang, mut file: SettingsFile) -> anyhow::Result<()> {
    let stores = stores(args, &file)?;
    if std::io::stderr().is_terminal() {
        say(&format!("reading the episodes of {}", stores.iter().map(|store| store.display().to_string()).collect::<Vec<_>>().join(", ")));
    }
    let entries = read(&stores)?;
    if entries.is_empty() {
        return Err(ReplayError::NothingToPick { looked_in: stores }.into());
    }
    let newest: Vec<Entry> = entries.iter().take(NAMED).cloned().collect();
    stores.iter().rev().for_each(|store| file.settings.opened(store));
    match pick(entries, lang, args.size, file) {
        Ok(None) => Ok(()),
        Ok(Some(episodes)) => go_on(args, &episodes),
        Err(error @ ReplayError::NoDisplay) => {
            say("no episode named; the newest are:");
            for entry in newest {
                say(&format!("  {}", [entry.columns().join("  "), format!("{}", entry.dir.display())].join("\n    ")));
            }
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The store that was named; else those that are remembered and still there, and those below the working directory.
fn stores(args: &Args, file: &SettingsFile) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(store) = &args.store {
        return Ok(vec![full(store)?]);
    }
    let here = std::env::current_dir().context("the working directory")?;
    let mut stores: Vec<PathBuf> = file.settings.stores.iter().filter(|store| store.is_dir()).cloned().collect();
    for store in stores_below(&here) {
        if !stores.contains(&store) {
            stores.push(store);
        }
    }
    if stores.is_empty() {
        return Err(ReplayError::NothingToPick { looked_in: vec![here] }.into());
    }
    Ok(stores)
}

/// The stores of the named episodes, to be remembered.
pub(crate) fn stores_of(args: &Args) -> Vec<PathBuf> {
    // <store>/episodes/date=…/station=…/<episode>
    let around = |episode: &String| Path::new(episode).canonicalize().ok().and_then(|dir| dir.ancestors().nth(4).map(Path::to_path_buf));
    let named = args.store.iter().filter_map(|store| full(store).ok());
    let mut stores: Vec<PathBuf> = named.chain(args.episodes.iter().filter_map(around)).collect();
    stores.retain(|store| sanqu_store::Store::open(store).is_ok());
    stores.dedup();
    stores
}

/// Descriptions and packages that were named are remembered by their full paths.
pub(crate) fn note_descriptions(args: &Args, file: &mut SettingsFile) {
    for (robot, urdf) in &args.urdfs {
        if let Ok(urdf) = urdf.canonicalize() {
            file.settings.robot_named(robot, &urdf);
        }
    }
    let packages = args.packages.iter().filter_map(|folder| folder.canonicalize().ok());
    packages.for_each(|folder| file.settings.packages_named(&folder));
}

/// What was named now, then what is remembered, as far as it is still there.
pub(crate) fn descriptions(args: &Args, file: &SettingsFile) -> (Vec<(String, PathBuf)>, Vec<PathBuf>) {
    let (mut urdfs, mut packages) = (args.urdfs.clone(), args.packages.clone());
    let known = file.settings.robots.iter().filter(|(robot, urdf)| urdf.is_file() && !args.urdfs.iter().any(|(named, _)| named == *robot));
    urdfs.extend(known.map(|(robot, urdf)| (robot.clone(), urdf.clone())));
    packages.extend(file.settings.packages.iter().filter(|folder| folder.is_dir()).cloned());
    (urdfs, packages)
}

fn full(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize().with_context(|| path.display().to_string())
}

/// Starts this program again in its own place, with these episodes, or with the list when there are none. One process can
/// open windows only once.
pub(crate) fn go_on(args: &Args, episodes: &[PathBuf]) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let error = Command::new(&own).args(options(args)).args(episodes).exec();
    Err(error).with_context(|| format!("cannot start {} again", own.display()))
}

/// The options that hold for any episode.
fn options(args: &Args) -> Vec<OsString> {
    let mut options: Vec<OsString> = Vec::new();
    let mut put = |name: &str, value: OsString| options.extend([OsString::from(name), value]);
    args.store.iter().for_each(|store| put("--store", store.into()));
    args.field.iter().for_each(|field| put("--field", field.into()));
    args.lang.iter().for_each(|lang| put("--lang", lang.into()));
    args.between.iter().for_each(|between| put("--between", between.into()));
    args.size.iter().for_each(|size| put("--size", format!("{}x{}", size.x, size.y).into()));
    for (robot, urdf) in &args.urdfs {
        let mut value = OsString::from(format!("{robot}="));
        value.push(urdf);
        put("--robot", value);
    }
    args.packages.iter().for_each(|folder| put("--packages", folder.into()));
    if args.plain {
        options.push("--plain".into());
    }
    options
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn options_go_on_and_what_belongs_to_one_episode_does_not() {
        let given = "sanqu-replay last --store . --lang zh --between hold --size 640x360 --packages . --plain --at 3 --speed 2";
        let again = options(&Args::try_parse_from(given.split(' ')).unwrap());
        let line: Vec<&str> = again.iter().map(|part| part.to_str().unwrap()).collect();
        assert_eq!(line.join(" "), "--store . --lang zh --between hold --size 640x360 --packages . --plain");
        let parsed = Args::try_parse_from(std::iter::once(OsString::from("sanqu-replay")).chain(again));
        assert!(parsed.unwrap().episodes.is_empty());
    }
}
