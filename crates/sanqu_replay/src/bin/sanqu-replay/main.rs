//! `sanqu-replay`: shows episodes in 3D, in a window or as pictures.

mod args;
mod figures;
mod live;
mod pick;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bevy::app::App;
use bevy::log::{Level, LogPlugin};
use clap::Parser as _;
use sanqu_replay::compare::{CompareOptions, load_compared, report};
use sanqu_replay::lang::Lang;
use sanqu_replay::load::{LoadOptions, Loaded, load};
use sanqu_replay::measure::measure;
use sanqu_replay::render::{Choice, Progress, RenderJob, SHEET_SIZE, SheetJob, contact_sheet, find_adapter, render};
use sanqu_replay::scene::Quality;
use sanqu_replay::settings::SettingsFile;
use sanqu_replay::timeline::Playhead;
use sanqu_replay::track::Blend;
use sanqu_replay::view::View;
use sanqu_replay::window::{Ended, show};
use sanqu_replay::xray::{Xray, find_joint};

use args::Args;

/// Length of a film when the command line says none, s.
const FILM_SECS: f64 = 10.0;
/// Work that takes no longer than this shows no progress.
const QUIET: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let args = Args::parse().check().unwrap_or_else(|error| error.exit());
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            for cause in error.chain().skip(1) {
                say(&format!("  cause: {cause}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    // The plugin only installs the process's log subscriber, which goes to stderr; RUST_LOG overrides the filter.
    App::new().add_plugins(LogPlugin { level: Level::WARN, filter: "bevy_render=error,wgpu=error".to_owned(), ..Default::default() });
    let file = if args.is_windowed() { settings(args) } else { SettingsFile::default() };
    let lang = lang(args, &file);
    if args.live {
        return live::run(args, lang, file);
    }
    if args.episodes.is_empty() {
        return pick::choose(args, lang, file);
    }
    let assets = asset_folders();
    let (urdfs, packages) = pick::descriptions(args, &file);
    let options =
        LoadOptions { episodes: args.episodes.clone(), store: args.store.clone(), field: args.field.clone(), assets, urdfs, packages };
    if let Some(robots) = args.measure {
        return figures::print(&measure(&options, Some(robots).filter(|robots| *robots > 0))?, args.measure_json);
    }
    let Loaded { replay, warnings } = if args.compare {
        load_compared(&options, &CompareOptions { align: args.align.clone(), nudge_ns: nudge_ns(args) })?
    } else {
        load(&options)?
    };
    for warning in &warnings {
        say(&format!("warning: {warning}"));
    }
    if args.json {
        return write!(std::io::stdout(), "{}", report(&replay)?).context("write to stdout");
    }
    let joint = args.xray.as_deref().map(|name| find_joint(&replay, name)).transpose()?;
    let view = View { preset: args.camera, panels: !args.plain, lang, xray: Xray { joint, at_once: true } };
    let mut playhead = Playhead { speed: args.speed, blend: blend(args, &file), ..Playhead::new(replay.start_ns, replay.end_ns) };
    if let Some((from, to)) = args.repeat {
        if from >= playhead.length_secs() {
            bail!("--repeat {from}-{to}: the recording is {:.3} s long", playhead.length_secs());
        }
        playhead.repeat_secs(from, to);
    }
    if let Some(at) = args.at {
        if at > playhead.length_secs() {
            bail!("--at {at}: the recording is {:.3} s long", playhead.length_secs());
        }
        playhead.seek_secs(at);
    }
    let Some(out) = &args.render else {
        playhead.playing = true;
        return match show(replay, playhead, view, args.size, file)? {
            Ended::Closed => Ok(()),
            Ended::PickAgain => pick::go_on(args, &[]),
        };
    };
    if args.contact_sheet {
        let size = args.size.unwrap_or(SHEET_SIZE);
        let job = SheetJob { out: out.clone(), size, stills: args.stills, view };
        find_adapter()?;
        make_folder(out)?;
        contact_sheet(replay, &job, Quality::FULL, &mut reporter())?;
        return writeln!(std::io::stdout(), "{}", out.display()).context("write to stdout");
    }
    let mut job = RenderJob { out: out.clone(), playhead, view, size: args.size, seconds: FILM_SECS };
    if job.is_film() {
        let rest = (playhead.length_secs() - playhead.seconds()) / playhead.speed;
        job.seconds = args.seconds.unwrap_or_else(|| rest.min(FILM_SECS));
    } else if args.at.is_none() {
        job.playhead.seek_secs(playhead.length_secs() / 2.0);
    }
    let choice = choose(&job)?;
    make_folder(out)?;
    render(replay, &job, choice, &mut reporter())?;
    writeln!(std::io::stdout(), "{}", out.display()).context("write to stdout")
}

/// Makes the folder that a picture goes into.
fn make_folder(out: &Path) -> anyhow::Result<()> {
    match out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display())),
        None => Ok(()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the command line bounds it to a day")]
fn nudge_ns(args: &Args) -> i64 {
    (args.nudge * 1e9).round() as i64
}

/// What the viewer remembers, with what this command line asks it to remember.
fn settings(args: &Args) -> SettingsFile {
    let (mut file, warning) = SettingsFile::open(SettingsFile::default_path());
    if let Some(warning) = warning {
        say(&format!("warning: {warning}"));
    }
    if let Some(lang) = &args.lang {
        file.settings.lang = Some(Lang::of_locale(lang));
    }
    pick::note_descriptions(args, &mut file);
    pick::stores_of(args).iter().rev().for_each(|store| file.settings.opened(store));
    file
}

/// The language asked for, now or the last time, else the locale's.
fn lang(args: &Args, file: &SettingsFile) -> Lang {
    let locale = || ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    let asked = args.lang.as_deref().map(Lang::of_locale).or(file.settings.lang);
    asked.unwrap_or_else(|| Lang::of_locale(&locale().unwrap_or_default()))
}

/// What is shown between two samples: what was asked for, else what is remembered.
fn blend(args: &Args, file: &SettingsFile) -> Blend {
    let interpolate = args.between.as_ref().map_or(file.settings.interpolate, |between| between == "interpolate");
    if interpolate { Blend::Interpolate } else { Blend::Hold }
}

fn choose(job: &RenderJob) -> anyhow::Result<Choice> {
    let adapter = find_adapter()?;
    let choice = job.choice(&adapter);
    if adapter.software {
        let [width, height] = choice.size.to_array();
        let how = if choice.quality.shadows { "still in full quality" } else { "film without shadows and edge smoothing" };
        say(&format!("no graphics card found: {} draws on the processor; {how}, {width}x{height}", adapter.name));
    }
    Ok(choice)
}

/// Tells how far the drawing is, once a second, when it takes longer than [`QUIET`].
fn reporter() -> impl FnMut(Progress) {
    let begun = Instant::now();
    let mut told = begun;
    move |progress: Progress| {
        let now = Instant::now();
        let last = progress.done == progress.total && told > begun;
        if last || (now - begun > QUIET && now - told > Duration::from_secs(1)) {
            told = now;
            say(&format!("{} of {} pictures", progress.done, progress.total));
        }
    }
}

/// Folders that may hold the shipped assets: below the working directory, and below any folder above the executable
/// (a build in the project's tree, or an installation with `share/sanqu`); at last the source tree that it was built from.
fn asset_folders() -> Vec<PathBuf> {
    let executable = std::env::current_exe().unwrap_or_default();
    let above = executable.ancestors().skip(1).flat_map(|folder| [folder.join("assets"), folder.join("share/sanqu/assets")]);
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
    std::iter::once(PathBuf::from("assets")).chain(above).chain([built_from]).filter(|folder| folder.is_dir()).collect()
}

/// Diagnostics go to stderr; when nobody listens there, that is no failure.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
