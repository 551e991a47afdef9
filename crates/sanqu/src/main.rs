//! sanqu (三区), the flight recorder of a robot training field: the command line.
//!
//! `main` is the only place that turns an outcome into an exit code: 0 ok, 1 failed, 2 usage, 3 finished but data was
//! lost or is defective. Results go to stdout, diagnostics and progress to stderr.

mod assets;
mod cli;
mod commands;
mod fault;
mod feed;
mod http;
mod link;
mod outcome;
mod progress;
mod sibling;
mod signals;
mod table;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use sanqu_ingest::Refusals;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn,zenoh=error".into());
    let refusals = Refusals::default();
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(refusals.layer()).init();
    match commands::run(cli, refusals) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) if outcome::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            outcome::report(&error);
            ExitCode::from(1)
        }
    }
}
