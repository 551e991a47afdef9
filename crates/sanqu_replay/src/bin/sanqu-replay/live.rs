//! `--live`: the running field, in a window or as pictures.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sanqu_replay::lang::Lang;
use sanqu_replay::live::{Child, ChildOptions, Follow, Gather, LiveSource, LiveStage, gather, stage};
use sanqu_replay::load::{LoadOptions, read_field};
use sanqu_replay::render::{RenderJob, render};
use sanqu_replay::settings::SettingsFile;
use sanqu_replay::timeline::Playhead;
use sanqu_replay::view::View;
use sanqu_replay::window::show_live;
use sanqu_replay::xray::{Xray, find_joint};

use crate::args::Args;
use crate::{FILM_SECS, asset_folders, blend, choose, make_folder, reporter, say};

/// The field that is followed when none is named.
const FIELD: &str = "desk";

/// Follows the field until the window is closed, or draws what is asked for.
pub(crate) fn run(args: &Args, lang: Lang, file: SettingsFile) -> anyhow::Result<()> {
    let mut assets = asset_folders();
    let field = field_file(args.field.as_deref(), &assets)?;
    // A field file that lies among assets has its robots beside it.
    assets.extend(field.parent().and_then(Path::parent).filter(|folder| folder.join("robots").is_dir()).map(Path::to_path_buf));
    let (urdfs, packages) = crate::pick::descriptions(args, &file);
    let options = LoadOptions { assets, urdfs, packages, ..LoadOptions::default() };
    let staged = stage(read_field(&field)?, &options)?;
    for warning in &staged.warnings {
        say(&format!("warning: {warning}"));
    }
    let joint = args.xray.as_deref().map(|name| find_joint(&staged.replay, name)).transpose()?;
    let view = View { preset: args.camera, panels: !args.plain, lang, xray: Xray { joint, at_once: true } };
    let options = ChildOptions { program: None, field, connect: args.connect.clone(), keys: args.keys.clone() };
    let child = Child::start(&options)?;
    let head = Playhead { speed: args.speed, blend: blend(args, &file), ..Playhead::new(0, 0) };
    match &args.render {
        Some(out) => draw(args, (child, staged), (view, head, out), &options.command_line()),
        None => {
            let LiveStage { replay, field, .. } = staged;
            let live = (LiveSource::of_child(child, field), Follow::new(args.delay_secs()));
            Ok(show_live(replay, live, head, view, args.size, file)?)
        }
    }
}

/// Gathers what is asked for, and draws it as if it were a recording.
fn draw(
    args: &Args,
    (child, staged): (Child, LiveStage),
    (view, head, out): (View, Playhead, &PathBuf),
    try_it: &str,
) -> anyhow::Result<()> {
    let mut job = RenderJob { out: out.clone(), playhead: head, view, size: args.size, seconds: FILM_SECS };
    if job.is_film() {
        job.seconds = args.seconds.unwrap_or(FILM_SECS);
    }
    // Before anything is waited for.
    let choice = choose(&job)?;
    make_folder(out)?;
    let seconds = if job.is_film() { job.seconds * head.speed } else { args.at.unwrap_or(0.0) };
    let gathered = gather(child, staged, Gather { seconds, delay_secs: args.delay_secs() }, try_it)?;
    for note in &gathered.notes {
        say(&format!("warning: {note}"));
    }
    let span = Playhead::new(gathered.replay.start_ns, gathered.replay.end_ns);
    job.playhead = Playhead { speed: head.speed, blend: head.blend, ..span };
    job.playhead.seek_ns(if job.is_film() { gathered.from_ns } else { gathered.now_ns });
    render(gathered.replay, &job, choice, &mut reporter())?;
    writeln!(std::io::stdout(), "{}", out.display()).context("write to stdout")
}

/// The file that was named, or of the shipped field of this name.
fn field_file(named: Option<&Path>, assets: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let named = named.unwrap_or(Path::new(FIELD));
    let shipped = assets.iter().map(|assets| assets.join("field").join(named).with_extension("toml"));
    let looked_for: Vec<PathBuf> = std::iter::once(named.to_path_buf()).chain(shipped).collect();
    match looked_for.iter().find(|file| file.is_file()) {
        Some(file) => Ok(file.clone()),
        None => {
            let places: Vec<String> = looked_for.iter().map(|file| file.display().to_string()).collect();
            bail!("no field {}: looked for {}", named.display(), places.join(", "))
        }
    }
}
