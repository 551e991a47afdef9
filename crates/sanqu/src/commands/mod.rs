//! One file per verb.

mod config;
mod demo;
mod drives;
mod episode;
mod export;
mod import;
mod info;
mod keys;
mod ls;
mod record;
mod repair;
mod replay;
mod robot;
pub(crate) mod sim;
mod sql;
mod verify;

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use sanqu_ingest::Refusals;

pub(crate) use info::find as find_episode;

use crate::assets::Assets;
use crate::cli::{Cli, Export, Import, Robot, Verb};
use crate::outcome::Outcome;
use crate::sibling;

/// Runs the verb.
///
/// # Errors
/// Whatever the verb could not do; the program then ends with exit code 1.
pub(crate) fn run(cli: Cli, refusals: Refusals) -> Result<Outcome> {
    let assets = || Assets::locate(cli.assets.as_deref());
    match cli.verb {
        Verb::Demo(args) => block_on(demo::run(&args, &assets()?)),
        Verb::Sim(args) => block_on(sim::run(&args, &assets()?)),
        Verb::Record(args) => block_on(record::run(&args, &assets()?, refusals)),
        Verb::Episode(args) => block_on(episode::run(&args, &assets()?)),
        Verb::Ls(args) => ls::run(&args),
        Verb::Info(args) => info::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::Repair(args) => repair::run(&args),
        Verb::Sql(args) => block_on(sql::run(&args)),
        Verb::Import(Import::Rosbag(args)) => import::rosbag(&args, &assets()?),
        Verb::Import(Import::Lerobot(args)) => import::lerobot(&args, &assets()?),
        Verb::Export(Export::Lerobot(args)) => block_on(export::lerobot(&args)),
        Verb::Live(args) => sibling::run("sanqu-live", args.arguments),
        Verb::Replay(args) => replay::run(args.arguments, cli.assets.as_deref()),
        Verb::Robot(Robot::Check(args)) => robot::check(&args),
        Verb::Robot(Robot::Fk(args)) => robot::fk(&args),
        Verb::Drives(args) => drives::run(&args),
        Verb::Keys(args) => keys::run(&args, assets),
        Verb::Config(args) => config::run(&args, &assets()?),
        Verb::Completions(args) => {
            // By way of memory: the generator panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "sanqu", &mut script);
            std::io::stdout().lock().write_all(&script).context("cannot write to stdout")?;
            Ok(Outcome::Ok)
        }
    }
}

/// A line (or several) of results on stdout.
pub(crate) fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("cannot write to stdout")
}

/// A line of progress on stderr.
pub(crate) fn say(text: &str) {
    // Progress that nobody can see is no reason to stop.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    // zenoh needs a multi-thread runtime.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("sanqu")
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    runtime.block_on(future)
}
