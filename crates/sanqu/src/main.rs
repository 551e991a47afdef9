//! sanqu (三区), the flight recorder of a robot training field: the command line.
//!
//! `main` is the only place that turns an outcome into an exit code: 0 ok, 1 failed, 2 usage, 3 finished but data was
//! lost or is defective. Results go to stdout, diagnostics and progress to stderr.

mod assets;
mod cli;
mod commands;
mod fault;
mod feed;
mod outcome;
mod progress;
mod sibling;
mod signals;
mod table;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn,zenoh=error".into()))
        .init();
    match commands::run(cli) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) if outcome::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            outcome::report(&error);
            ExitCode::from(1)
        }
    }
}
