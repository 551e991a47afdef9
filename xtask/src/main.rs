//! The project's own commands: `cargo xtask demo | test | bench | fuzz | deps | tidy | golden | pictures`. Plain std, so that they build in seconds on a
//! machine that has nothing but the Rust toolchain.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it prints what it does")]

mod bench;
mod borders;
mod cargo;
mod conformance;
mod demo;
mod display;
mod fuzz;
mod parts;
mod pictures;
mod process;
mod python;
mod replay_bench;
mod tidy;
mod vulkan;

use std::process::ExitCode;

/// What an xtask step can end with: nothing, or the sentence that says what failed.
type Outcome = Result<(), String>;

const USAGE: &str = "\
cargo xtask <command>

  demo [ARGS...]       build what the demo needs, get a Vulkan driver, run `sanqu demo ARGS...`
  test [--only PART]   every check: fmt, build (with lints), deps, tidy, tests, fuzz, doc, conformance; --only may be repeated
  fuzz [--target T] [--seconds N] [--seed S]  run the fuzz targets, 10 seconds each when nobody says
  bench record [ARGS]  the recorder beside others under load (builds in release); --help shows the arguments
  bench replay [--write-docs] [--json F] [--minutes N] [--no-pyarrow]  opening, seeking, video, frames and memory of a replay, on recordings
                       that it makes (builds in release); with EPISODE... [--store DIR] on these
  bench drives [--write-docs] [--no-pinocchio]  forward kinematics and drive state beside k and Pinocchio (builds in release)
  deps                 what each crate must not reach, and which libraries may exist only once
  golden               make recordings/golden/v<format>, once per store format; prints rows for recordings/README.md
  pictures             draw the README's pictures of replays into docs/pictures, from the committed episode
  tidy                 file sizes, words that may not stay, ARCHITECTURE.md names every crate

Environment: CARGO_TARGET_DIR (cargo's own), SANQU_CACHE (Python environments; default ~/.cache/sanqu),
SANQU_SHARED (shared test data; default ../shared when it exists), SANQU_CI=1 (nothing may be skipped).";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("demo") => demo::run(rest),
        Some("test") => parts::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("bench") if rest.first().is_some_and(|what| what == "record") => bench::record(rest.get(1..).unwrap_or_default()),
        Some("bench") if rest.first().is_some_and(|what| what == "drives") => bench::drives(rest.get(1..).unwrap_or_default()),
        Some("bench") if rest.first().is_some_and(|what| what == "replay") => replay_bench::run_bench(rest.get(1..).unwrap_or_default()),
        Some("deps") => borders::check(),
        Some("golden") => cargo::run_example("make_golden"),
        Some("pictures") => pictures::draw(),
        Some("tidy") => tidy::check(),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
