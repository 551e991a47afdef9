//! `sanqu-bench`: what `cargo xtask bench record` builds and runs. The generator and the sinks of ours are commands of
//! this one program, each run as a process of its own.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it prints what it measures")]

mod bare;
mod histogram;
mod kills;
mod load;
mod machine;
mod plan;
mod pool;
mod process;
mod ramp;
mod readback;
mod record;
mod reduct;
mod report;
mod sinks;
mod talk;
mod trial;
mod writers;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::sinks::Periods;

/// The recorder's benchmark.
#[derive(Debug, Parser)]
#[command(name = "sanqu-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the benchmark and prints its tables.
    Record(record::Args),
    /// The generator: sends what the specification says.
    Load {
        /// The specification, as JSON.
        #[arg(long)]
        spec: String,
    },
    /// A sink: sanqu's recorder.
    Recorder {
        /// The store's folder.
        #[arg(long)]
        dir: PathBuf,
        /// The field's file.
        #[arg(long)]
        field: PathBuf,
        /// Folder of the robots' descriptions.
        #[arg(long)]
        robots: PathBuf,
        #[command(flatten)]
        periods: Periods,
    },
    /// A sink: the bare zenoh -> MCAP writer.
    Bare {
        /// Where `bare.mcap` goes.
        #[arg(long)]
        dir: PathBuf,
        #[command(flatten)]
        periods: Periods,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn,zenoh=error".into()))
        .init();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sanqu-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Record(args) => record::run(&args),
        Command::Load { spec } => {
            let spec = serde_json::from_str(&spec).context("the specification is not understood")?;
            block_on(load::run(spec))
        }
        Command::Recorder { dir, field, robots, periods } => block_on(sinks::recorder(&dir, &field, robots, periods)),
        Command::Bare { dir, periods } => block_on(sinks::bare(&dir, periods)),
    }
}

fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
